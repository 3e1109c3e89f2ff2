"""What the first fit of a trial has to reach, and what follows where it does not.

What has to be reached is known before the fit and travels with its task, so that the
worker decides alone. Who survives its first fold is left to the rule between folds.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

from optunasearch.execution._records import FoldResult, Limit, Stop, TrialRecord
from optunasearch.execution._schedule import StoppingRule


class FirstFoldRule(ABC):
    """Sets limits to the first fit, and leaves the other folds to another rule.

    Parameters
    ----------
    between_folds : StoppingRule
    metric : str
        Key of the score that curves are made of.
    same_unit : bool
        Whether curves have the unit of the metric; not if a net's history is monitored.
    """

    def __init__(self, between_folds: StoppingRule, metric: str, *, same_unit: bool = True) -> None:
        self._between_folds = between_folds
        self._metric = metric
        self._same_unit = same_unit
        # By trial: the first fold, and the mean score if it is complete; None if it
        # tells nothing.
        self._first: list[FoldResult | None] = []
        self._means: list[float | None] = []

    @abstractmethod
    def limits(self, n_settled: int) -> tuple[Limit, ...]:
        """Return what the first fit of a trial has to reach to go on."""

    def settle(self, record: TrialRecord) -> None:
        """Learn from a finished trial."""
        first = record.results.get(0)
        counts = first is not None and record.duplicate_of is None and first.fit_error is None
        self._first.append(first if counts else None)
        is_complete = counts and record.stop is None
        self._means.append(_mean(record, self._metric) if is_complete else None)
        self._between_folds.settle(record)

    def judge(self, record: TrialRecord, n_folds: int, n_settled: int) -> Stop | None:
        """Note that the first fit was stopped, or ask the rule between folds."""
        first = record.results[0]
        if not first.was_stopped:
            return self._between_folds.judge(record, n_folds, n_settled)
        return Stop(1, {self._metric: self._estimate(first, n_settled)})

    def _estimate(self, first: FoldResult, n_settled: int) -> float:
        """Return the mean score that a stopped fit lets expect, below that of the best."""
        epoch, value = first.curve[-1]
        complete = [
            (mean, rival.value_at(epoch))
            for mean, rival in zip(self._means[:n_settled], self._first, strict=False)
            if mean is not None and rival is not None and math.isfinite(mean)
        ]
        if not complete:
            return value if self._same_unit else math.nan
        level, best = max(complete, key=lambda pair: pair[0])
        if self._same_unit:  # paired at the same epoch
            estimate = level + value - best
        else:
            estimate, _ = min(complete, key=lambda pair: abs(pair[1] - value))
        return min(estimate, math.nextafter(level, -math.inf))


def _mean(record: TrialRecord, metric: str) -> float:
    found: list[Any] = record.scores(record.n_splits)
    scores = [s.get(metric, math.nan) if isinstance(s, dict) else s for s in found]
    return float(sum(scores) / len(scores))
