"""The driver: one loop that keeps the executor busy and the schedule in order.

It alone touches the study. It knows neither joblib nor scikit-learn, and moves
no data: tasks name a trial and folds, results are scores and times.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from optunasearch.exceptions import TrialTimeoutError
from optunasearch.execution._records import (
    FoldResult,
    Outcome,
    TaskDone,
    TaskLost,
    TaskRaised,
    TrialRecord,
    TrialTask,
)
from optunasearch.execution._schedule import Schedule

# Folds at least this long (in seconds) are handed out one by one. Handing one out
# costs about 0.5 ms, so shorter ones travel together.
SINGLE_FOLD_SECONDS = 0.02


class Executor(Protocol):
    """Whoever evaluates folds."""

    @property
    def has_room(self) -> bool:
        """Whether a task submitted now would start at once."""

    @property
    def has_room_behind(self) -> bool:
        """Whether a task submitted now would wait for one that runs, and no other."""

    @property
    def running(self) -> list[tuple[TrialTask, float]]:
        """Tasks being evaluated, and since when (`time.monotonic`)."""

    def submit(self, task: TrialTask) -> None:
        """Start a task, or let it wait; only when there is room for it."""

    def wait(self, timeout: float | None) -> list[Outcome]:
        """Return what ended, after at most `timeout` seconds; may be empty."""

    def expect(self, seconds: float | None) -> None:
        """Take note of how much work is left, None if nobody knows yet."""

    def kill(self, task: TrialTask) -> None:
        """End a running task without a result."""

    def close(self, *, abort: bool) -> None:
        """Free everything; with `abort`, do not wait for what still runs."""


class Observer(Protocol):
    """Who wants to know what happens, in the driver's thread."""

    def task_starts(self, task: TrialTask) -> TrialTask:
        """Called before a task is submitted; may add callback contexts."""

    def task_lost(self, task: TrialTask) -> None:
        """Called when the worker of a task is gone."""

    def fold_ended(self, record: TrialRecord, result: FoldResult) -> None:
        """Called for each result, the folds of a trial in their order."""

    def trial_ended(self, record: TrialRecord) -> bool:
        """Called for each trial in the order of numbers; True stops the search."""

    def trial_left(self, record: TrialRecord) -> None:
        """Called instead for a trial that an early end leaves unfinished."""


@dataclass
class Limits:
    """When to stop early; seconds, None for never."""

    timeout: float | None = None
    trial_timeout: float | None = None


class Driver:
    """Runs a schedule on an executor.

    With `single_folds`, no two folds travel together however short they are.

    Attributes
    ----------
    timed_out : bool
        Whether the search's `timeout` ended it.
    """

    def __init__(
        self,
        schedule: Schedule,
        executor: Executor,
        observer: Observer,
        limits: Limits,
        *,
        single_folds: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.timed_out = False
        self._schedule = schedule
        self._executor = executor
        self._observer = observer
        self._limits = limits
        self._single_folds = single_folds
        self._clock = clock
        self._start = clock()
        self._fold_seconds = 0.0
        self._n_folds_done = 0

    def run(self) -> None:
        """Evaluate trials until the budget, a limit or the observer ends it."""
        while True:
            self._advance()
            if not self._executor.running and not self._schedule.has_open_folds:
                return
            if self._is_over():
                self.timed_out = True
                return
            self._executor.expect(self._seconds_left())
            for outcome in self._executor.wait(self._patience()):
                self._take(outcome)
            self._report_folds()
            self._end_late_trials()

    def tell_what_finished(self) -> None:
        """After an early end: pass on finished trials behind unfinished ones."""
        for record in self._schedule.untold:
            if record.is_finished:
                self._observer.trial_ended(record)
            else:
                self._observer.trial_left(record)

    def _advance(self) -> None:
        """Tell and ask, strictly in turn, as far as the results allow."""
        while not self._is_over():
            # Before every ask: a sampler may take longer than a fold.
            self._submit()
            if self._schedule.ask() is not None:
                continue
            record = self._schedule.next_to_tell()
            if record is None:
                self._submit(ahead=True)
                return
            self._schedule.tell(record)
            if self._observer.trial_ended(record):
                self._schedule.stop()

    def _submit(self, *, ahead: bool = False) -> None:
        is_short = self._folds_are_short
        whole_trials = is_short and not self._schedule.stops_trials
        # While this thread writes up a short task, its worker has the next at hand.
        queues = is_short and not ahead and self._limits.trial_timeout is None
        while self._executor.has_room or (queues and self._executor.has_room_behind):
            task = self._schedule.next_task(whole_trials=whole_trials, ahead=ahead)
            if task is None:
                return
            record = self._schedule.records[task.number]
            if record.started is None:
                record.started = time.time()
            self._executor.submit(self._observer.task_starts(task))

    @property
    def _folds_are_short(self) -> bool:
        if self._single_folds or not self._n_folds_done:
            return False
        return self._fold_seconds / self._n_folds_done < SINGLE_FOLD_SECONDS

    def _take(self, outcome: Outcome) -> None:
        task = outcome.task
        record = self._schedule.records[task.number]
        if record.error is not None or record.stop is not None:
            return  # given up or stopped meanwhile
        if isinstance(outcome, TaskDone):
            self._schedule.record(task, outcome.results)
            for result in outcome.results:
                self._fold_seconds += result.fit_time + result.score_time
                self._n_folds_done += 1
        elif isinstance(outcome, TaskLost):
            if outcome.begun:
                self._observer.task_lost(task)
            self._schedule.give_back(task, outcome.reason, begun=outcome.begun)
        elif isinstance(outcome, TaskRaised):
            raise outcome.error
        if record.is_finished and record.finished is None:
            record.finished = time.time()

    def _report_folds(self) -> None:
        """Pass on the folds that count: in order, and none that ran ahead in vain."""
        for record in self._schedule.untold:
            n_folds = min(record.n_cleared, record.n_folds_in_order)
            while record.n_reported < n_folds and record.error is None:
                result = record.results[record.n_reported]
                record.n_reported += 1
                self._observer.fold_ended(record, result)

    def _end_late_trials(self) -> None:
        limit = self._limits.trial_timeout
        if limit is None:
            return
        now = self._clock()
        late = {
            task.number
            for task, since in self._executor.running
            if now - since + self._schedule.records[task.number].fit_seconds > limit
        }
        for number in sorted(late):
            for task, _ in self._executor.running:
                if task.number == number:
                    self._executor.kill(task)
                    self._observer.task_lost(task)
            record = self._schedule.records[number]
            if record.stop is not None:
                continue
            error = TrialTimeoutError(f"the trial took longer than trial_timeout={limit} s")
            self._schedule.fail(record, error)
            record.finished = time.time()

    def _is_over(self) -> bool:
        limit = self._limits.timeout
        return limit is not None and self._clock() - self._start >= limit

    def _patience(self) -> float | None:
        """Return how long to wait before a limit has to be looked at again."""
        ends = []
        if self._limits.timeout is not None:
            ends.append(self._start + self._limits.timeout)
        if self._limits.trial_timeout is not None:
            ends += [
                since + self._limits.trial_timeout - self._schedule.records[task.number].fit_seconds
                for task, since in self._executor.running
            ]
        return max(min(ends) - self._clock(), 0.0) + 1e-3 if ends else None

    def _seconds_left(self) -> float | None:
        if not self._n_folds_done:
            return None
        mean = self._fold_seconds / self._n_folds_done
        seconds = mean * self._schedule.n_folds_left
        if self._limits.timeout is not None:
            seconds = min(seconds, self._start + self._limits.timeout - self._clock())
        return seconds
