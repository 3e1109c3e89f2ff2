"""The race: a trial is stopped when it can hardly overtake the best one any more.

A trial and the incumbent (the best complete one so far) are scored on the same test
rows, so that what makes a fold hard or easy cancels out in their difference. What has
to be told is the difference of their mean scores over all K folds, D_K, from the one
over the first k, D_k. Its standard error is

    SE_k^2 = inflation * (1/k - 1/K) * v,

where v is the variance of the difference on one fold as its rows tell it. Rows tell too
little: two fits on other rows differ as well, and folds that are not shuffled differ
among themselves. By how much is different from one data set to the next, so `inflation`
is learned: the mean of (D_K - D_k)^2 / SE_k^2 over the pairs of complete trials, shrunk
towards 2. For a metric that has no value for a row, v is the variance between the folds
of the pairs seen so far.

The chance that the trial overtakes the incumbent is then that of a t variable above
-D_k / SE_k. A trial is stopped when it falls below `Race.risk`. That nothing else is
known of the trial is pessimistic, since few trials overtake an incumbent at all: a prior
that says so is well calibrated, but saves fewer fits at the same loss (docs/design.md).
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtr

from optunasearch.execution._records import Stop, TrialRecord
from optunasearch.pruning._differences import (
    FoldScores,
    RowGroups,
    fold_variance,
    row_variance,
    squared_surprises,
)

# No race before so many complete trials: their differences teach the inflation.
N_TEACHERS = 4
# What the inflation is before anything is learned, and how many pairs that counts for.
PRIOR_INFLATION, PRIOR_PAIRS = 2.0, 8
LEAST_INFLATION = 1.4
# The row values of so many complete trials are kept to learn from, if they fit.
MOST_KEPT, KEPT_BYTES = 24, 64 << 20


@dataclass(frozen=True)
class Race:
    """Stop a trial between folds when it can hardly become the best any more.

    Each trial is compared with the best complete one on the same test rows.

    Parameters
    ----------
    risk : float, default=0.1
        A trial is stopped when the chance that it ends above the best one is smaller
        than this. Less risk runs more folds. (The share of searches that lose their
        winner is smaller: most trials are stopped far below this chance.)
    reduction_factor : int, default=3
        Estimators that can be followed inside a fit (nets of skorch) are also stopped in
        their first fold: after 3, 9, 27, ... epochs if they are not among the best third
        of the trials that came so far. None stops no fit.
    metric : str, default=None
        The score that is compared, a key of `scoring` ("score" if it is a single
        scorer). None means what is optimised; there is then no race if `refit` is a
        callable or False.

    Raises
    ------
    ValueError
        If `risk` is not between 0 and 0.5, or `reduction_factor` no integer above 1.

    See Also
    --------
    optunasearch.OptunaSearchCV : Its parameter `pruner` takes it.

    References
    ----------
    .. [1] O. Maron, A. Moore, "Hoeffding Races: Accelerating Model Selection Search
       for Classification and Function Approximation", NIPS 1993.
    .. [2] C. Nadeau, Y. Bengio, "Inference for the Generalization Error", Machine
       Learning 52, 2003 (why rows alone underestimate the variance between folds).
    .. [3] L. Li et al., "A System for Massively Parallel Hyperparameter Tuning", MLSys
       2020 (successive halving without waiting: `reduction_factor`).

    Examples
    --------
    >>> from optuna.distributions import FloatDistribution
    >>> from optunasearch import OptunaSearchCV
    >>> from optunasearch.pruning import Race
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.svm import SVC
    >>> X, y = load_digits(n_class=4, return_X_y=True)
    >>> search = OptunaSearchCV(
    ...     SVC(),
    ...     {"gamma": FloatDistribution(1e-6, 1, log=True)},
    ...     n_trials=20,
    ...     pruner=Race(risk=0.05),
    ...     random_state=0,
    ... ).fit(X, y)
    >>> search.n_fits_ < 20 * 5
    True
    """

    risk: float = 0.1
    reduction_factor: int | None = 3
    metric: str | None = None

    def __post_init__(self) -> None:
        risk: Any = self.risk
        if not isinstance(risk, numbers.Real) or not 0 < float(risk) < 0.5:
            raise ValueError(
                "risk is the chance of ending above the best below which a trial is stopped, "
                f"a number between 0 and 0.5, got {self.risk!r}; to stop no trial use "
                "pruner=None."
            )
        factor: Any = self.reduction_factor
        if factor is not None and not (isinstance(factor, numbers.Integral) and int(factor) > 1):
            raise ValueError(
                f"reduction_factor is an integer above 1 or None, got {self.reduction_factor!r}"
            )
        metric: Any = self.metric
        if not isinstance(metric, str | None):
            raise TypeError(f"metric is a key of scoring or None, got {self.metric!r}")


@dataclass(frozen=True)
class _Snapshot:
    """What is known after the first trials: all that a decision may use.

    `front` are the incumbents (several if several scores are optimised), `pooled` the
    variances of the difference on one fold as the folds tell them, for each metric.
    """

    front: tuple[int, ...]
    inflation: tuple[float, ...]
    pooled: tuple[float, ...]
    n_complete: int = 0


class RaceRule:
    """Decides between the folds of a trial whether it goes on.

    Parameters
    ----------
    metrics : sequence of str
        Keys of the scores that are compared; with several, a trial is stopped when it
        is dominated in all of them.
    risk : float
        See `Race`.
    n_splits : int
    is_feasible : callable
        ``is_feasible(record)`` says of a complete trial whether it may be an incumbent.
    first_fold : int
        Least number of folds before a decision.
    groups : sequence of RowGroups or None
        For each fold the groups of its test rows, or None.
    """

    def __init__(
        self,
        metrics: Sequence[str],
        *,
        risk: float,
        n_splits: int,
        is_feasible: Callable[[TrialRecord], bool] = lambda record: True,
        first_fold: int = 1,
        groups: Sequence[RowGroups | None] | None = None,
    ) -> None:
        self._metrics = list(metrics)
        self._risk = risk
        self._n_splits = n_splits
        self._is_feasible = is_feasible
        self._first_fold = first_fold
        self._groups = groups or [None] * n_splits
        n_metrics = len(self._metrics)
        start = _Snapshot((), (PRIOR_INFLATION,) * n_metrics, (math.nan,) * n_metrics)
        self._snapshots = [start]
        self._complete: dict[int, list[FoldScores]] = {}
        self._teachers: list[int] = []
        self._incumbents: set[int] = set()
        self._lessons = [_Lessons() for _ in self._metrics]

    def settle(self, record: TrialRecord) -> None:
        """Learn from a finished trial."""
        last = self._snapshots[-1]
        if record.stop is None and record.duplicate_of is None:
            scores = self._scores(record, self._n_splits)
            if scores is not None:
                last = self._learn(record, scores, last)
        self._snapshots.append(last)
        for result in record.results.values():  # what is still needed is kept here
            result.row_values.clear()

    def limits(self, n_settled: int) -> tuple[tuple[int, float], ...]:
        """Return none: the race is between folds."""
        return ()

    def judge(self, record: TrialRecord, n_folds: int, n_settled: int) -> Stop | None:
        """Return a decision to stop if the trial has hardly a chance."""
        known = self._snapshots[n_settled]
        if n_folds < self._first_fold or known.n_complete < N_TEACHERS:
            return None
        scores = self._scores(record, n_folds)
        if scores is None or not known.front:
            return None
        chances = [self._chance(scores, rival, known) for rival in known.front]
        least = int(np.argmin(chances))
        if chances[least] >= self._risk:
            return None
        estimates = self._estimates(scores, known.front[least])
        return Stop(n_folds, estimates, chances[least])

    def _scores(self, record: TrialRecord, n_folds: int) -> list[FoldScores] | None:
        """Return the first folds' scores for each metric, None if any has failed."""
        results = [record.results[fold] for fold in range(n_folds)]
        if any(result.fit_error is not None for result in results):
            return None
        found = []
        for name in self._metrics:
            by_fold = [result.test_scores for result in results]
            scores = np.array([s.get(name, np.nan) if isinstance(s, dict) else s for s in by_fold])
            if not np.isfinite(scores).all():
                return None
            rows = [r.row_values[name] for r in results if name in r.row_values]
            found.append(FoldScores(scores, rows if len(rows) == n_folds else None))
        return found

    def _chance(self, scores: list[FoldScores], rival: int, known: _Snapshot) -> float:
        """Return the probability of ending above a complete trial in any metric."""
        chance = 0.0
        for position, (own, other) in enumerate(zip(scores, self._complete[rival], strict=True)):
            n_folds = len(own.scores)
            difference = float(np.mean(own.scores - other.scores[:n_folds]))
            variance = fold_variance(own, other, n_folds, self._groups)
            if not variance > 0:  # unknown, or no row has told them apart yet
                variance = known.pooled[position]
            if not variance > 0:
                return 1.0
            ahead = 1 / n_folds - 1 / self._n_splits
            error = math.sqrt(known.inflation[position] * ahead * variance)
            # As many degrees of freedom as there are trials to have learned from.
            freedom = PRIOR_PAIRS + known.n_complete
            chance += float(stdtr(freedom, difference / error))
        return min(chance, 1.0)

    def _estimates(self, scores: list[FoldScores], rival: int) -> dict[str, float]:
        """Return the means to be expected: paired, and below those of the rival."""
        estimates = {}
        for name, own, other in zip(self._metrics, scores, self._complete[rival], strict=True):
            n_folds = len(own.scores)
            level = float(np.mean(other.scores))
            paired = level + float(np.mean(own.scores - other.scores[:n_folds]))
            estimates[name] = min(paired, math.nextafter(level, -math.inf))
        return estimates

    def _learn(self, record: TrialRecord, scores: list[FoldScores], last: _Snapshot) -> _Snapshot:
        """Return what is known after one more complete trial."""
        teachers = [self._complete[number] for number in self._teachers]
        for position, lessons in enumerate(self._lessons):
            others = [teacher[position] for teacher in teachers]
            if others:
                lessons.add(scores[position], others, self._groups)
        self._complete[record.number] = scores
        front = last.front
        if self._is_feasible(record):
            front = self._front_with(record.number, front)
            self._incumbents.update(front)
        self._keep(record.number, scores)
        return _Snapshot(
            front,
            tuple(lessons.inflation for lessons in self._lessons),
            tuple(lessons.pooled for lessons in self._lessons),
            last.n_complete + 1,
        )

    def _front_with(self, number: int, front: tuple[int, ...]) -> tuple[int, ...]:
        """Return the trials that no other beats, the first of equals."""
        means = {n: [s.scores.mean() for s in self._complete[n]] for n in (*front, number)}
        if any(np.all(np.greater_equal(means[n], means[number])) for n in front):
            return front
        beaten = [n for n in front if np.all(np.less_equal(means[n], means[number]))]
        return (*(n for n in front if n not in beaten), number)

    def _keep(self, number: int, scores: list[FoldScores]) -> None:
        """Keep the last complete trials, and whoever has been an incumbent."""
        self._teachers.append(number)
        size = max(sum(s.nbytes for s in scores), 1)
        while len(self._teachers) > max(min(MOST_KEPT, KEPT_BYTES // size), N_TEACHERS):
            oldest = self._teachers.pop(0)
            if oldest not in self._incumbents:
                del self._complete[oldest]


class _Lessons:
    """What the pairs of complete trials say of one metric."""

    def __init__(self) -> None:
        self._surprises = 0.0
        self._n_surprises = 0
        self._variances = 0.0
        self._n_variances = 0

    @property
    def inflation(self) -> float:
        """By how much the variance is larger than it looks."""
        total = PRIOR_PAIRS * PRIOR_INFLATION + self._surprises
        return max(total / (PRIOR_PAIRS + self._n_surprises), LEAST_INFLATION)

    @property
    def pooled(self) -> float:
        """The variance of the difference on one fold, from the folds; NaN if unknown."""
        return self._variances / self._n_variances if self._n_variances else math.nan

    def add(
        self,
        own: FoldScores,
        others: Sequence[FoldScores],
        groups: Sequence[RowGroups | None],
    ) -> None:
        """Take note of the pairs of a trial with others."""
        differences = own.scores - np.array([other.scores for other in others])
        n_pairs, n_splits = differences.shape
        self._variances += float(differences.var(axis=1, ddof=1).sum())
        self._n_variances += n_pairs
        variances = np.full((n_pairs, n_splits), self.pooled)
        rows = [other.rows for other in others if other.rows is not None]
        if own.rows is not None and len(rows) == n_pairs:
            by_fold = [
                row_variance(own.rows[fold] - np.array([r[fold] for r in rows]), groups[fold])
                for fold in range(n_splits)
            ]
            seen = np.cumsum(by_fold, axis=0).T / np.arange(1, n_splits + 1)
            variances = np.where(np.isnan(seen), variances, seen)
        telling = (variances > 0).all(axis=1)
        surprises = squared_surprises(differences[telling], variances[telling])
        self._surprises += float(surprises.sum())
        self._n_surprises += int(telling.sum())
