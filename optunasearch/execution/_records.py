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


@dataclass(frozen=True, slots=True)
class FoldResult:
    """Scores and times (in seconds) of one trial on one fold.

    `fit_error` is the traceback of a failed fit, None if it succeeded.
    """

    fold: int
    test_scores: Scores
    train_scores: Scores | None
    fit_time: float
    score_time: float
    n_test_samples: int
    fit_error: str | None = None


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
    """The worker of a task is gone; nothing of the task came back."""

    task: TrialTask
    reason: str


Outcome = TaskDone | TaskRaised | TaskLost


@dataclass(slots=True)
class TrialRecord:
    """Everything known of one trial.

    Times are seconds since the epoch; `duplicate_of` is the number of the trial
    whose results were copied; `error` says why the search itself failed the trial;
    `values` are its objectives and the violations of its constraints, once known.
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

    @property
    def is_finished(self) -> bool:
        """Whether every fold has its result."""
        return len(self.results) == self.n_splits

    @property
    def has_failed(self) -> bool:
        """Whether any of its fits failed."""
        return any(result.fit_error is not None for result in self.results.values())

    @property
    def fit_seconds(self) -> float:
        """Seconds of fitting and scoring that came back so far."""
        return sum(r.fit_time + r.score_time for r in self.results.values())
