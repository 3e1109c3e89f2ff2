"""What travels between the driver and the executors: plain, picklable records."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from optunasearch._space import Point

Scores = float | dict[str, float]


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
    # (epoch, score): where a fit of the first fold ends unless it has reached the score.
    limits: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class FoldResult:
    """Scores and times (in seconds) of one trial on one fold.

    `fit_error` is the traceback of a failed fit, None if it succeeded. `curve` is the
    score after each epoch of an estimator that can be followed; one whose fit
    `was_stopped` has no other.
    """

    fold: int
    test_scores: Scores
    train_scores: Scores | None
    fit_time: float
    score_time: float
    n_test_samples: int
    fit_error: str | None = None
    curve: tuple[float, ...] = ()
    was_stopped: bool = False


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
    def fit_seconds(self) -> float:
        """Seconds of fitting and scoring that came back so far."""
        return sum(r.fit_time + r.score_time for r in self.results.values())
