"""The race inside the first fit of a net, a boosted model, a forest, a solver.

After 1/27, 1/9, 1/3 and 2/3 of its epochs a trial is compared with the best complete one
at the same share of its own epochs. What has to be told is how far apart their mean
scores end. Two things stand between: what the rest of the first fit changes, and the
folds that follow it. The variance of the first is learned from the first fits of earlier
trials,

    v_r = 2 var(value at the end - value at the share r),

the second is that of the race between folds. The trial is stopped when its chance to end
above the best one falls below `Race.risk`.

Successive halving would stop more, and lose the winner wherever a small learning rate is
searched, which is behind after a few trees and often first at the end (docs/design.md).
Here such curves make v_r large, and so the race careful. Shares of the fit's own epochs
compare like with like also where their number is searched.

What has to be reached is known before the fit and travels with its task, so that the
worker decides alone. Who survives its first fold is left to the race between folds.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import stdtrit

from optunasearch.execution._records import FoldResult, Limit, Stop, TrialRecord
from optunasearch.pruning._race import FREEDOM, MOST_TEACHERS, RaceRule

SHARES = (1 / 27, 1 / 9, 1 / 3, 2 / 3)
# No limit at a share before so many first fits have gone on from it to their end.
LEAST_CURVES = 6


class InnerRaceRule:
    """Sets limits to first fits, and leaves the other folds to the race between folds.

    Parameters
    ----------
    race : RaceRule
        Of one metric.
    metric : str
    risk : float
        See `Race`.
    same_unit : bool
        Whether curves have the unit of the metric; not if a net's history is monitored.
    """

    def __init__(self, race: RaceRule, metric: str, *, risk: float, same_unit: bool = True) -> None:
        self._race = race
        self._metric = metric
        self._risk = risk
        self._same_unit = same_unit
        # By trial: the first fold, and the mean score if it is complete; None if it
        # tells nothing.
        self._first: list[FoldResult | None] = []
        self._means: list[float | None] = []

    def settle(self, record: TrialRecord) -> None:
        """Learn from a finished trial."""
        first = record.results.get(0)
        counts = first is not None and record.duplicate_of is None and first.fit_error is None
        self._first.append(first if counts else None)
        is_complete = counts and record.stop is None
        self._means.append(self._mean(record) if is_complete else None)
        self._race.settle(record)

    def limits(self, n_settled: int) -> tuple[Limit, ...]:
        """Return the value below which the chance is too small, for each share."""
        ahead = self._race.after_first_fold(n_settled)
        rival = None if ahead is None else self._first[ahead.rival]
        ended = [f for f in self._first[:n_settled] if f is not None and f.curve]
        ended = [first for first in ended if not first.was_stopped][-MOST_TEACHERS:]
        if ahead is None or rival is None or len(ended) < LEAST_CURVES:
            return ()
        variance_of_folds = ahead.variance * self._scale(ended) ** 2
        quantile = float(stdtrit(FREEDOM, self._risk))
        found = []
        for share in SHARES:
            changes = np.array([_end(first) - first.value_at(share) for first in ended])
            changes = changes[np.isfinite(changes)]
            if len(changes) >= LEAST_CURVES:
                variance = variance_of_folds + 2 * float(changes.var(ddof=1))
                limit = rival.value_at(share) + quantile * math.sqrt(variance)
                if math.isfinite(limit):
                    found.append((share, limit))
        return tuple(found)

    def judge(self, record: TrialRecord, n_folds: int, n_settled: int) -> Stop | None:
        """Note that the first fit was stopped, or ask the race between folds."""
        first = record.results[0]
        if not first.was_stopped:
            return self._race.judge(record, n_folds, n_settled)
        return Stop(1, {self._metric: self._estimate(first, n_settled)})

    def _scale(self, ended: list[FoldResult]) -> float:
        """Return what a unit of the metric is in units of the curves."""
        if self._same_unit:
            return 1.0
        ends = np.array([_end(first) for first in ended])
        scores = np.array([self._score(first) for first in ended])
        spread = float(np.nanstd(scores))
        return float(np.nanstd(ends)) / spread if spread > 0 else math.nan

    def _estimate(self, first: FoldResult, n_settled: int) -> float:
        """Return the mean score that a stopped fit lets expect, below that of the best.

        What it had reached by the curves of fits that went on from there, in the unit of the
        score, and as far from the best as that in the first fold.
        """
        epoch, value = first.curve[-1]
        at = epoch / first.n_epochs if epoch < first.n_epochs else epoch
        known = list(zip(self._first[:n_settled], self._means, strict=False))
        best = max(
            ((m, f) for f, m in known if m is not None and f is not None),
            default=None,
            key=lambda pair: pair[0],
        )
        ended = [f for f, _ in known if f is not None and f.curve and not f.was_stopped]
        before = np.array([f.value_at(at) for f in ended])
        after = np.array([self._score(f) for f in ended])
        is_known = np.isfinite(before) & np.isfinite(after)
        if best is None or is_known.sum() < 2:
            return value if self._same_unit else math.nan
        level, rival = best
        expected = _on_line(before[is_known], after[is_known], value)
        estimate = level + expected - self._score(rival)
        return min(estimate, math.nextafter(level, -math.inf))

    def _mean(self, record: TrialRecord) -> float:
        found = [self._score_of(scores) for scores in record.scores(record.n_splits)]
        return sum(found) / len(found)

    def _score(self, first: FoldResult) -> float:
        return self._score_of(first.test_scores)

    def _score_of(self, scores: Any) -> float:
        return float(scores.get(self._metric, math.nan) if isinstance(scores, dict) else scores)


def _end(first: FoldResult) -> float:
    """Return the value of a curve at the epoch that was kept."""
    return first.curve[-1][1] if first.epoch is None else first.value_at(first.epoch)


def _on_line(x: np.ndarray, y: np.ndarray, at: float) -> float:
    """Return the value at a point of the line fitted to y over x, which never falls.

    Beyond the points it stays as it is at the last of them.
    """
    at = float(np.clip(at, x.min(), x.max()))
    spread = float(x.var())
    slope = float(np.mean((x - x.mean()) * (y - y.mean()))) / spread if spread > 0 else 0.0
    return float(y.mean()) + max(slope, 0.0) * (at - float(x.mean()))
