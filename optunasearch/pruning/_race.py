"""The race: a trial is stopped when it can hardly overtake the best one any more.

A trial and the incumbent (the best complete one so far) are scored on the same folds, so
that what makes a fold hard or easy cancels out in their difference. What has to be told
is the difference of their mean scores over all K folds, D_K, from the one over the first
k, D_k. Its standard error is

    SE_k^2 = inflation * (1/k - 1/K) * v,

where v is the variance of such differences from fold to fold, a mean over the pairs of
complete trials. A pair counts the more the nearer its mean scores are: trials that are
about equally good err alike, and they show how far below the incumbent a trial may begin
that ends level with it. `inflation` is the mean of (D_K - D_k)^2 / SE_k^2 over the same
pairs, shrunk towards 2: it is large if the first folds do not speak for the others, as
with data that are sorted or have a trend.

The chance that the trial overtakes the incumbent is then that of a t variable above
-D_k / SE_k, of few degrees of freedom because some trials vary more than others. A trial
is stopped when it falls below `Race.risk`. What else was tried, and saved no more at the
same loss, is in docs/design.md.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtr

from optunasearch.execution._records import Limit, Stop, TrialRecord

# No race before so many complete trials: their differences teach the variance.
N_TEACHERS = 3
# What the inflation is before anything is learned, and how many pairs that counts for.
PRIOR_INFLATION, PRIOR_PAIRS = 2.0, 8
# Pairs count half whose means are so many standard errors apart.
NEAR = 2.0
# Of the t distribution: the variance of a trial may be far from that of the others.
FREEDOM = 3
# So many of the last complete trials are compared with a new one.
MOST_TEACHERS = 100
# So many of the last pairs are remembered.
MOST_PAIRS = 5000


@dataclass(frozen=True)
class Race:
    """Stop a trial between folds when it can hardly become the best any more.

    Each trial is compared with the best complete one on the same folds.

    Parameters
    ----------
    risk : float, default=0.1
        A trial is stopped when the chance that it ends above the best one is smaller
        than this. Less risk runs more folds. (The share of searches that lose their
        winner is smaller: most trials are stopped far below this chance.)
    inside_fits : bool, default=True
        Whether estimators that can be followed from epoch to epoch (nets of skorch,
        boosted models, forests) may also be stopped inside their first fit, after 1/27,
        1/9, 1/3 and 2/3 of their epochs.
    metric : str, default=None
        The score that is compared, a key of `scoring` ("score" if it is a single
        scorer). None means what is optimised; there is then no race if `refit` is a
        callable or False.

    Raises
    ------
    ValueError
        If `risk` is not between 0 and 0.5.
    TypeError
        If `inside_fits` is no bool or `metric` no str.

    See Also
    --------
    optunasearch.OptunaSearchCV : Its parameter `pruner` takes it.

    References
    ----------
    .. [1] O. Maron, A. Moore, "Hoeffding Races: Accelerating Model Selection Search
       for Classification and Function Approximation", NIPS 1993.
    .. [2] C. Nadeau, Y. Bengio, "Inference for the Generalization Error", Machine
       Learning 52, 2003 (why folds differ more than their test rows let expect).

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
    inside_fits: bool = True
    metric: str | None = None

    def __post_init__(self) -> None:
        risk: Any = self.risk
        if not isinstance(risk, numbers.Real) or not 0 < float(risk) < 0.5:
            raise ValueError(
                "risk is the chance of ending above the best below which a trial is stopped, "
                f"a number between 0 and 0.5, got {self.risk!r}; to stop no trial use "
                "pruner=None."
            )
        inside_fits: Any = self.inside_fits
        if not isinstance(inside_fits, bool):
            raise TypeError(f"inside_fits is True or False, got {self.inside_fits!r}")
        metric: Any = self.metric
        if not isinstance(metric, str | None):
            raise TypeError(f"metric is a key of scoring or None, got {self.metric!r}")


@dataclass(frozen=True)
class _Snapshot:
    """What is known after the first trials: all that a decision may use.

    `front` are the incumbents (several if several scores are optimised), `variances` of
    the difference on one fold, inflated, for each metric.
    """

    front: tuple[int, ...]
    variances: tuple[float, ...]
    n_complete: int = 0


@dataclass(frozen=True)
class Ahead:
    """What lies ahead of a trial after its first fold.

    `rival` is the number of the best complete trial, `variance` that of the change of
    the difference to it from the first fold to all.
    """

    rival: int
    variance: float


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
    """

    def __init__(
        self,
        metrics: Sequence[str],
        *,
        risk: float,
        n_splits: int,
        is_feasible: Callable[[TrialRecord], bool] = lambda record: True,
        first_fold: int = 1,
    ) -> None:
        self._metrics = list(metrics)
        self._risk = risk
        self._n_splits = n_splits
        self._is_feasible = is_feasible
        self._first_fold = first_fold
        self._snapshots = [_Snapshot((), (math.nan,) * len(self._metrics))]
        # Of each complete trial the scores, (n_metrics, n_splits).
        self._complete: dict[int, np.ndarray] = {}
        self._lessons = [_Lessons() for _ in self._metrics]

    def settle(self, record: TrialRecord) -> None:
        """Learn from a finished trial."""
        last = self._snapshots[-1]
        if record.stop is None and record.duplicate_of is None:
            scores = self._scores(record, self._n_splits)
            if scores is not None:
                last = self._learn(record, scores, last)
        self._snapshots.append(last)

    def limits(self, n_settled: int) -> tuple[Limit, ...]:
        """Return none: the race is between folds."""
        return ()

    def after_first_fold(self, n_settled: int) -> Ahead | None:
        """Return what lies ahead of a trial after its first fold, if it would be judged.

        Of a race with one metric.
        """
        known = self._snapshots[n_settled]
        if self._first_fold > 1 or known.n_complete < N_TEACHERS or not known.front:
            return None
        variance = (1 - 1 / self._n_splits) * known.variances[0]
        return Ahead(known.front[0], variance) if variance > 0 else None

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

    def _scores(self, record: TrialRecord, n_folds: int) -> np.ndarray | None:
        """Return the first folds' scores, (n_metrics, n_folds); None if any has failed."""
        results = [record.results[fold] for fold in range(n_folds)]
        if any(result.fit_error is not None for result in results):
            return None
        found: list[Any] = record.scores(n_folds)
        scores = np.array(
            [
                [s.get(name, np.nan) if isinstance(s, dict) else s for s in found]
                for name in self._metrics
            ],
            dtype=np.float64,
        )
        return scores if np.isfinite(scores).all() else None

    def _chance(self, scores: np.ndarray, rival: int, known: _Snapshot) -> float:
        """Return the probability of ending above a complete trial in any metric."""
        n_folds = scores.shape[1]
        differences = (scores - self._complete[rival][:, :n_folds]).mean(axis=1)
        ahead = 1 / n_folds - 1 / self._n_splits
        chance = 0.0
        for difference, variance in zip(differences, known.variances, strict=True):
            if not variance > 0:  # no two trials have differed yet
                return 1.0
            chance += float(stdtr(FREEDOM, difference / math.sqrt(ahead * variance)))
        return min(chance, 1.0)

    def _estimates(self, scores: np.ndarray, rival: int) -> dict[str, float]:
        """Return the means to be expected: paired, and below those of the rival."""
        estimates = {}
        for name, own, other in zip(self._metrics, scores, self._complete[rival], strict=True):
            level = float(np.mean(other))
            paired = level + float(np.mean(own - other[: len(own)]))
            estimates[name] = min(paired, math.nextafter(level, -math.inf))
        return estimates

    def _learn(self, record: TrialRecord, scores: np.ndarray, last: _Snapshot) -> _Snapshot:
        """Return what is known after one more complete trial."""
        teachers = [self._complete[n] for n in list(self._complete)[-MOST_TEACHERS:]]
        if teachers:
            differences = scores - np.array(teachers)
            for position, lessons in enumerate(self._lessons):
                lessons.add(differences[:, position])
        self._complete[record.number] = scores
        front = last.front
        if self._is_feasible(record):
            front = self._front_with(record.number, front)
        variances = tuple(lessons.variance(self._n_splits) for lessons in self._lessons)
        return _Snapshot(front, variances, last.n_complete + 1)

    def _front_with(self, number: int, front: tuple[int, ...]) -> tuple[int, ...]:
        """Return the trials that no other beats, the first of equals."""
        means = {n: self._complete[n].mean(axis=1) for n in (*front, number)}
        if any(np.all(means[n] >= means[number]) for n in front):
            return front
        beaten = [n for n in front if np.all(means[n] <= means[number])]
        return (*(n for n in front if n not in beaten), number)


class _Lessons:
    """What the pairs of complete trials say of one metric."""

    def __init__(self) -> None:
        # Of each pair the squared difference of its means, the variance of its
        # differences, and the squared error of its first folds.
        self._pairs = np.empty((3, 0))

    def variance(self, n_splits: int) -> float:
        """Return the variance of the difference on one fold, inflated; NaN if unknown."""
        gaps, variances, errors = self._pairs
        if not variances.any():
            return math.nan
        weights = 1 / (1 + gaps * n_splits / (NEAR**2 * variances.mean()))
        variance = float(np.average(variances, weights=weights))
        surprises = float(weights @ errors) / variance
        total = PRIOR_PAIRS * PRIOR_INFLATION + surprises
        inflation = total / (PRIOR_PAIRS + float(weights.sum()))
        return max(inflation, 1.0) * variance

    def add(self, differences: np.ndarray) -> None:
        """Take note of what a trial differs by from others, (n_pairs, n_splits)."""
        gaps = differences.mean(axis=1) ** 2
        new = np.array([gaps, differences.var(axis=1, ddof=1), first_errors(differences)])
        self._pairs = np.concatenate([self._pairs, new], axis=1)[:, -MOST_PAIRS:]


def first_errors(differences: np.ndarray) -> np.ndarray:
    """Return how far off the first folds of pairs were, squared.

    Parameters
    ----------
    differences : ndarray of shape (n_pairs, n_splits)
        What the two of each pair differ by on each fold.

    Returns
    -------
    errors : ndarray of shape (n_pairs,)
        The mean over k < n_splits of (D_K - D_k)^2 / (1/k - 1/K), the variance of the
        difference on one fold in expectation if folds are exchangeable.
    """
    n_splits = differences.shape[1]
    n_folds = np.arange(1, n_splits)
    so_far = np.cumsum(differences, axis=1)[:, :-1] / n_folds
    errors = differences.mean(axis=1, keepdims=True) - so_far
    return np.mean(errors**2 / (1 / n_folds - 1 / n_splits), axis=1)
