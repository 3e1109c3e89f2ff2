"""Rungs: the first fit of a trial ends where it is not among the best.

Asynchronous successive halving over the epochs of the first fold. After eta, eta^2,
eta^3, ... epochs a trial goes on if its score is among the best 1/eta of the trials
before it that came so far: same fold, same epoch, so that like is compared with like.
Who survives its first fold is raced between folds.

What has to be reached is known before the fit and travels with its task, so that the
worker decides alone.
"""

from __future__ import annotations

import math
from typing import Any

from optunasearch.execution._records import FoldResult, Stop, TrialRecord
from optunasearch.execution._schedule import StoppingRule


class RungRule:
    """Sets limits to the first fit, and leaves the other folds to another rule.

    Parameters
    ----------
    between_folds : StoppingRule
    metric : str
        Key of the score that curves are made of.
    reduction_factor : int
    """

    def __init__(self, between_folds: StoppingRule, metric: str, reduction_factor: int) -> None:
        self._between_folds = between_folds
        self._metric = metric
        self._factor = reduction_factor
        self._first: list[FoldResult | None] = []
        # After so many trials: the mean score and the first curve of the best complete one.
        self._best: list[tuple[float, tuple[float, ...]]] = [(-math.inf, ())]

    def settle(self, record: TrialRecord) -> None:
        """Learn from a finished trial."""
        first = record.results.get(0)
        counts = first is not None and record.duplicate_of is None and first.fit_error is None
        self._first.append(first if counts else None)
        best = self._best[-1]
        if counts and first is not None and record.stop is None:
            mean = _mean(record, self._metric)
            best = (mean, first.curve) if mean > best[0] else best
        self._best.append(best)
        self._between_folds.settle(record)

    def limits(self, n_settled: int) -> tuple[tuple[int, float], ...]:
        """Return (epoch, score) that the first fit of a trial has to reach to go on."""
        known = [first for first in self._first[:n_settled] if first is not None and first.curve]
        longest = max((len(first.curve) for first in known), default=0)
        found = []
        epoch = self._factor
        while epoch < longest:
            # A fit that ended by itself before (early stopping) keeps its last score.
            came = [f.curve for f in known if len(f.curve) >= epoch or not f.was_stopped]
            at_epoch = (curve[min(epoch, len(curve)) - 1] for curve in came)
            scores = sorted(filter(math.isfinite, at_epoch), reverse=True)
            if len(scores) >= 2 * self._factor:
                found.append((epoch, scores[len(scores) // self._factor - 1]))
            epoch *= self._factor
        return tuple(found)

    def judge(self, record: TrialRecord, n_folds: int, n_settled: int) -> Stop | None:
        """Note that the first fit was stopped, or ask the rule between folds."""
        first = record.results[0]
        if not first.was_stopped:
            return self._between_folds.judge(record, n_folds, n_settled)
        level, curve = self._best[n_settled]
        estimate = first.curve[-1]
        if curve:
            rival = curve[min(len(first.curve), len(curve)) - 1]
            estimate = min(level + first.curve[-1] - rival, math.nextafter(level, -math.inf))
        return Stop(1, {self._metric: estimate})


def _mean(record: TrialRecord, metric: str) -> float:
    found: list[Any] = [record.results[fold].test_scores for fold in range(record.n_splits)]
    scores = [s.get(metric, math.nan) if isinstance(s, dict) else s for s in found]
    return float(sum(scores) / len(scores))
