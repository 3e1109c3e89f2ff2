"""What travels between the driver and the executors: plain, picklable records."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from optunasearch._space import Point

Scores = float | dict[str, float]
# (at, score): where a fit ends unless it has reached the score; `at` is an epoch, or below
# 1 a share of all epochs of the fit.
Limit = tuple[float, float]


class Status(StrEnum):
    """What became of a trial."""

    COMPLETE = "complete"
    PRUNED = "pruned"
    FAILED = "failed"
    DUPLICATE = "duplicate"
    UNFINISHED = "unfinished"


@dataclass(frozen=True, slots=True)
class TrialTask:
    """Some folds of one trial, to be evaluated by one worker."""

    number: int
    point: Point
    folds: tuple[int, ...]
    # scikit-learn's callback context for each fold; empty if no callback is set.
    callback_contexts: tuple[Any, ...] = ()
    # For a fit of the first fold.
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True)
class FoldPredictions:
    """What a fold's model says of its test rows.

    `responses` has an ndarray of one row for each test row by the name of the method;
    "predict" of a classifier holds positions among all classes. `classes` are the
    positions of the model's own classes among all, None if it knows all of them.
    `problem` says why there are none.
    """

    responses: dict[str, Any]
    classes: tuple[int, ...] | None = None
    problem: str | None = None

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return sum(values.nbytes for values in self.responses.values())


@dataclass(frozen=True, slots=True)
class FoldResult:
    """Scores and times (in seconds) of one trial on one fold.

    `fit_error` is the traceback of a failed fit, None if it succeeded. `curve` has
    (epoch, score) of an estimator that was followed, `scores_along` the test scores at
    the same epochs if one of them is to be kept, `n_epochs` how many the fit was to have;
    one that `was_stopped` has no other scores. `epoch` is the one that was kept.
    `predictions` are of the finished fit, `predictions_along` those at the epochs of
    `scores_along`; `model` is the file that the fitted model was written to.
    """

    fold: int
    test_scores: Scores
    train_scores: Scores | None
    fit_time: float
    score_time: float
    n_test_samples: int
    fit_error: str | None = None
    curve: tuple[tuple[int, float], ...] = ()
    scores_along: tuple[Scores, ...] = ()
    n_epochs: int = 0
    was_stopped: bool = False
    epoch: int | None = None
    predictions: FoldPredictions | None = None
    predictions_along: tuple[FoldPredictions | None, ...] = ()
    model: str | None = None

    @property
    def n_epochs_run(self) -> int:
        """How many epochs were fitted, as far as is known."""
        if self.curve:
            return self.curve[-1][0]
        return 0 if self.was_stopped or self.fit_error is not None else self.n_epochs

    def without_predictions(self) -> FoldResult:
        """Return the same without what the model said of the test rows."""
        if self.predictions is None:
            return self
        return replace(self, predictions=None, predictions_along=())

    def value_at(self, at: float) -> float:
        """Return the last value of the curve up to an epoch or share; NaN before the first."""
        last = epoch_at(at, self.n_epochs)
        return next((value for epoch, value in reversed(self.curve) if epoch <= last), math.nan)


@dataclass(frozen=True, slots=True)
class TaskDone:
    """A task came back with its results."""

    task: TrialTask
    results: tuple[FoldResult, ...]


@dataclass(frozen=True, slots=True)
class TaskRaised:
    """A task raised: `error_score="raise"`, or a scorer that is not one."""

    task: TrialTask
    error: BaseException


@dataclass(frozen=True, slots=True)
class TaskLost:
    """The worker of a task is gone; nothing of the task came back.

    One that had not `begun` cannot be the cause.
    """

    task: TrialTask
    reason: str
    begun: bool = True


Outcome = TaskDone | TaskRaised | TaskLost


@dataclass(frozen=True, slots=True)
class Stop:
    """The decision to stop a trial before its last fold.

    `estimates` are the mean scores that the first `n_folds` let expect. `chance` is the
    probability of ending above the trial that it was compared with, None for a rule
    that knows none.
    """

    n_folds: int
    estimates: dict[str, float]
    chance: float | None = None


@dataclass(slots=True)
class TrialRecord:
    """Everything known of one trial.

    Times are seconds since the epoch; `duplicate_of` is the number of the trial
    whose results were copied; `error` says why the search itself failed the trial;
    `values` are its objectives and the violations of its constraints, once known;
    `n_cleared` is the number of its folds that may run as far as is decided, `stop`
    the decision to run no more; `n_reported` folds have been passed on to observers.
    """

    number: int
    point: Point
    n_splits: int
    results: dict[int, FoldResult] = field(default_factory=dict)
    unassigned: list[int] = field(default_factory=list)
    duplicate_of: int | None = None
    n_lost: dict[int, int] = field(default_factory=dict)
    error: str | None = None
    started: float | None = None
    finished: float | None = None
    values: tuple[list[float], dict[str, float]] | None = None
    n_cleared: int = 0
    n_reported: int = 0
    stop: Stop | None = None

    @property
    def is_finished(self) -> bool:
        """Whether every fold has its result and counts, or the trial has been stopped."""
        if self.stop is not None:
            return True
        # Folds that ran ahead of a decision may be complete before it is made.
        is_decided = self.n_cleared in (0, self.n_splits) or self.error is not None
        return is_decided and len(self.results) == self.n_splits

    def scores(self, n_folds: int) -> list[Scores]:
        """Return the test scores of the first folds, at their best common epoch if asked."""
        results = [self.results[fold] for fold in range(n_folds)]
        return [result.test_scores for result in at_best_epoch(results)]

    def keep_best_epoch(self) -> None:
        """Let every fold have the scores of the best common epoch, if asked."""
        kept = at_best_epoch([self.results[fold] for fold in sorted(self.results)])
        self.results = {result.fold: result for result in kept}

    @property
    def n_folds_in_order(self) -> int:
        """How many folds have their results, counted from the first without a gap."""
        return next((k for k in range(self.n_splits) if k not in self.results), self.n_splits)

    @property
    def has_failed(self) -> bool:
        """Whether any of its fits failed."""
        return any(result.fit_error is not None for result in self.results.values())

    @property
    def n_full_folds(self) -> int:
        """How many folds have been fitted to their end."""
        return sum(not result.was_stopped for result in self.results.values())

    @property
    def best_epoch(self) -> int | None:
        """The epoch that its scores are of; None if they are of the last of each fit."""
        return next((result.epoch for result in self.results.values()), None)

    @property
    def fit_seconds(self) -> float:
        """Seconds of fitting and scoring that came back so far."""
        return sum(r.fit_time + r.score_time for r in self.results.values())


def epoch_at(at: float, n_epochs: int) -> int:
    """Return the epoch that `at` stands for: itself, or below 1 a share of all."""
    return int(at) if at >= 1 else max(int(n_epochs * at + 1e-9), 1)


def at_best_epoch(results: Sequence[FoldResult]) -> list[FoldResult]:
    """Return results with the scores of the one epoch that has the highest mean of curves.

    As they are if no scores along the fits were kept, or if folds have no epoch in common.
    """
    followed = [result for result in results if result.scores_along]
    if not followed or len(followed) < len(results):
        return list(results)
    curves = [dict(result.curve) for result in results]
    common = [epoch for epoch in curves[0] if all(epoch in curve for curve in curves)]
    if not common:
        return list(results)
    means = [sum(curve[epoch] for curve in curves) / len(curves) for epoch in common]
    # NaN is never the best; the earliest of equals is.
    best = common[max(range(len(common)), key=lambda i: (means[i] == means[i], means[i], -i))]
    return [_at_epoch(result, best) for result in results]


def _at_epoch(result: FoldResult, epoch: int) -> FoldResult:
    position = [at for at, _ in result.curve].index(epoch)
    along = result.predictions_along
    return replace(
        result,
        test_scores=result.scores_along[position],
        predictions=along[position] if along else result.predictions,
        scores_along=(),
        predictions_along=(),
        epoch=epoch,
    )
