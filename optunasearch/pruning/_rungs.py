"""Rungs: the first fit of a net ends where it is not among the best.

Asynchronous successive halving over the epochs of the first fold. After eta, eta^2,
eta^3, ... epochs a trial goes on if its score is among the best 1/eta of the trials
before it that came so far: same fold, same epoch, so that like is compared with like.
"""

from __future__ import annotations

import math

from optunasearch.execution._records import Limit
from optunasearch.execution._schedule import StoppingRule
from optunasearch.pruning._first_fold import FirstFoldRule

N_RUNGS = 9


def rung_epochs(reduction_factor: int) -> tuple[float, ...]:
    """Return the epochs after which a fit may be stopped."""
    return tuple(float(reduction_factor**power) for power in range(1, N_RUNGS + 1))


class RungRule(FirstFoldRule):
    """Stops first fits at rungs, of which the first is eta."""

    def __init__(
        self,
        between_folds: StoppingRule,
        metric: str,
        rungs: tuple[float, ...],
        *,
        same_unit: bool = True,
    ) -> None:
        super().__init__(between_folds, metric, same_unit=same_unit)
        self._rungs = rungs
        self._factor = int(rungs[0])

    def limits(self, n_settled: int) -> tuple[Limit, ...]:
        """Return the scores that are among the best 1/eta at each rung."""
        known = [first for first in self._first[:n_settled] if first is not None and first.curve]
        longest = max((first.n_epochs_run for first in known), default=0)
        found = []
        for epoch in self._rungs:
            if epoch >= longest:
                break
            # A fit that ended by itself before (early stopping) keeps its last score.
            came = [f for f in known if f.n_epochs_run >= epoch or not f.was_stopped]
            scores = sorted(filter(math.isfinite, (f.value_at(epoch) for f in came)), reverse=True)
            if len(scores) >= 2 * self._factor:
                found.append((epoch, scores[len(scores) // self._factor - 1]))
        return tuple(found)
