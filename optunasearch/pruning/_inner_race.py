"""The race inside the first fit of a boosted model, a forest, a solver.

After 1/27, 1/9 and 1/3 of its iterations a trial is compared with the best complete one
at the same share of its own. What has to be told is how far apart their mean scores end.
Two things stand between: what the rest of the first fit changes, and the folds that
follow it. The variance of the first is learned from the first fits of earlier trials,

    v_r = 2 var(score at the end - score at the share r),

the second is that of the race between folds. The trial is stopped when its chance to end
above the best one falls below `Race.risk`.

Shares and no rungs, because a small learning rate is always behind after a few trees, and
often first at the end: rungs lost the winner in up to 96 % of the searches
(docs/design.md). Here it makes v_r large, and so the race careful.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import stdtrit

from optunasearch.execution._records import FoldResult, Limit
from optunasearch.pruning._first_fold import FirstFoldRule
from optunasearch.pruning._race import MOST_TEACHERS, RaceRule

# No limit at a share before so many first fits have gone on from it to their end.
LEAST_CURVES = 6
N_SHARES = 3


def shares(reduction_factor: int) -> tuple[float, ...]:
    """Return the shares of its iterations at which a fit may be stopped."""
    return tuple(1 / reduction_factor**power for power in range(N_SHARES, 0, -1))


class InnerRaceRule(FirstFoldRule):
    """Stops first fits at some shares of their iterations."""

    def __init__(
        self, race: RaceRule, metric: str, at_shares: tuple[float, ...], *, risk: float
    ) -> None:
        super().__init__(race, metric)
        self._race = race
        self._risk = risk
        self._shares = at_shares

    def limits(self, n_settled: int) -> tuple[Limit, ...]:
        """Return the score below which the chance is too small, for each share."""
        ahead = self._race.after_first_fold(n_settled)
        rival = None if ahead is None else self._first[ahead.rival]
        if ahead is None or rival is None or not rival.curve:
            return ()
        ended = [f for f in self._first[:n_settled] if f is not None and f.curve]
        ended = [first for first in ended if not first.was_stopped][-MOST_TEACHERS:]
        if len(ended) < LEAST_CURVES:
            return ()
        quantile = float(stdtrit(ahead.freedom, self._risk))
        found = []
        for share in self._shares:
            changes = np.array([_end(first) - first.value_at(share) for first in ended])
            changes = changes[np.isfinite(changes)]
            if len(changes) >= LEAST_CURVES:
                variance = ahead.variance + 2 * float(changes.var(ddof=1))
                limit = rival.value_at(share) + quantile * math.sqrt(variance)
                if math.isfinite(limit):
                    found.append((share, limit))
        return tuple(found)


def _end(first: FoldResult) -> float:
    """Return the value of a curve at the epoch that was kept."""
    return first.curve[-1][1] if first.epoch is None else first.value_at(first.epoch)
