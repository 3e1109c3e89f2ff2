"""Policy: which trial is asked when, and which folds run next.

Plain code over plain records: no clock, no data, no executor, so that it can be
tested with completions in any order.

The one rule: when trial t is asked, exactly the trials up to t - lag have been
told, in the order of their numbers. A result that comes early is recorded but
not yet told. So the sequence of asks and tells, and with it every proposal, is
the same whatever the timing and whoever evaluates the folds.

In-order tells let one long trial hold up the others. So idle workers take the
next open fold of the *oldest* trial, whether or not another worker is on that
trial already: as folds do not depend on each other, that is the order in which
the trial that everybody waits for ends first.

A rule may stop a trial between folds. Whether fold k (from 0) of trial t runs depends
on its folds before k and on the trials up to t - lag + k * lag / n_splits (rounded
down): a past that moves on in virtual time, so that later folds are judged by what is
known later, and is again the same whatever the timing. A worker that would be idle
runs folds ahead of that decision; the results of folds that turn out not to run are
dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from optunasearch._space import Point
from optunasearch.exceptions import OptunaSearchError, WorkerDiedError
from optunasearch.execution._records import FoldResult, Limit, Stop, TrialRecord, TrialTask

# A task that took its worker with it this many times fails its trial.
MAX_LOSSES = 3


class Proposer(Protocol):
    """Where trials come from: an enumeration or a sampler."""

    def propose(self, number: int) -> Point | None:
        """Return the point of the next trial, None if there is none."""

    def tell(self, record: TrialRecord) -> None:
        """Take note of a finished trial."""


class StoppingRule(Protocol):
    """What decides between the folds of a trial whether it goes on."""

    def settle(self, record: TrialRecord) -> None:
        """Take note of a finished trial; called in the order of numbers."""

    def limits(self, n_settled: int) -> tuple[Limit, ...]:
        """Return what the first fit of a trial has to reach to go on."""

    def judge(self, record: TrialRecord, n_folds: int, n_settled: int) -> Stop | None:
        """Return a decision to stop after the first `n_folds`, None to go on.

        It may use the first `n_settled` trials, all of them settled, and nothing of
        the others.
        """


class Schedule:
    """The trials of one search and the order of what happens to them.

    Parameters
    ----------
    proposer : Proposer
        Asked and told in a fixed sequence.
    n_trials, n_splits : int
        Budget of trials, folds of each.
    lag : int
        Most trials asked and not yet told.
    reuse_duplicates : bool
        Whether a repeated point copies the results of the first.
    failed_fold : callable
        ``failed_fold(record, fold, error)`` makes the result of a fold that the search
        itself gave up, or raises the error.
    """

    def __init__(
        self,
        proposer: Proposer,
        *,
        n_trials: int,
        n_splits: int,
        lag: int,
        reuse_duplicates: bool,
        failed_fold: Callable[[TrialRecord, int, OptunaSearchError], FoldResult],
        rule: StoppingRule | None = None,
    ) -> None:
        self._proposer = proposer
        self._n_trials = n_trials
        self._n_splits = n_splits
        self._lag = lag
        self._reuse_duplicates = reuse_duplicates
        self._failed_fold = failed_fold
        self._rule = rule
        self._first_of: dict[Any, int] = {}
        self._copies: dict[int, list[TrialRecord]] = {}
        self._exhausted = False
        self._n_open_folds = 0
        self.records: list[TrialRecord] = []
        self.n_told = 0
        self.n_settled = 0

    @property
    def n_folds_left(self) -> int:
        """Folds that are not known to have run, at most."""
        n_trials = len(self.records) if self._exhausted else self._n_trials
        return (n_trials - self.n_told) * self._n_splits

    @property
    def stops_trials(self) -> bool:
        """Whether there is a rule, so that folds are better handed out one by one."""
        return self._rule is not None

    @property
    def has_open_folds(self) -> bool:
        """Whether there are folds to hand out."""
        return self._n_open_folds > 0

    def stop(self) -> None:
        """Ask no further trial; those already asked still run to their end."""
        self._exhausted = True

    def ask(self) -> TrialRecord | None:
        """Ask one more trial if the rule allows it now."""
        number = len(self.records)
        if self._exhausted or number >= self._n_trials or number - self.n_told >= self._lag:
            return None
        point = self._proposer.propose(number)
        if point is None:
            self._exhausted = True
            return None
        record = TrialRecord(number, point, self._n_splits)
        self.records.append(record)
        if not self._copy_of_first(record):
            self._open(record)
        self._judge()
        return record

    def next_to_tell(self) -> TrialRecord | None:
        """Return the oldest untold trial if it is finished."""
        if self.n_told < len(self.records):
            record = self.records[self.n_told]
            if record.is_finished:
                return record
        return None

    def tell(self, record: TrialRecord) -> None:
        """Tell the proposer of the oldest untold trial."""
        self.n_told += 1
        self._proposer.tell(record)

    def next_task(self, *, whole_trials: bool, ahead: bool = False) -> TrialTask | None:
        """Hand out the next folds: all of a trial, or one.

        With `ahead`, also one of which it is not yet decided whether it runs.
        """
        if not self._n_open_folds:
            return None
        for record in self.untold:
            if record.unassigned and (ahead or record.unassigned[0] < record.n_cleared):
                n_folds = len(record.unassigned) if whole_trials else 1
                folds = tuple(record.unassigned[:n_folds])
                del record.unassigned[:n_folds]
                self._n_open_folds -= n_folds
                limits = self._limits(record.number) if folds[0] == 0 else ()
                return TrialTask(record.number, record.point, folds, limits=limits)
        return None

    def record(self, task: TrialTask, results: tuple[FoldResult, ...]) -> None:
        """Take the results of a task; those of a trial given up or stopped are ignored."""
        record = self.records[task.number]
        if record.error is None and record.stop is None:
            for result in results:
                record.results[result.fold] = result
            self._finish(record)
            self._judge()

    def give_back(self, task: TrialTask, reason: str, *, begun: bool = True) -> None:
        """Open the folds of a lost task again, or fail the trial for good."""
        record = self.records[task.number]
        if record.error is not None or record.stop is not None:
            return
        for fold in task.folds:
            record.n_lost[fold] = record.n_lost.get(fold, 0) + begun
        if max(record.n_lost.values()) >= MAX_LOSSES:
            self.fail(record, WorkerDiedError(f"{reason}, the {MAX_LOSSES}rd time"))
        else:
            record.unassigned = sorted({*record.unassigned, *task.folds})
            self._n_open_folds += len(task.folds)

    def fail(self, record: TrialRecord, error: OptunaSearchError) -> None:
        """Give a trial up: its missing folds fail with this error."""
        record.error = str(error)
        self._n_open_folds -= len(record.unassigned)
        record.unassigned = []
        for fold in range(self._n_splits):
            record.results.setdefault(fold, self._failed_fold(record, fold, error))
        self._finish(record)
        self._judge()

    @property
    def untold(self) -> list[TrialRecord]:
        """Trials that were asked and not told, finished or not."""
        return self.records[self.n_told :]

    def _open(self, record: TrialRecord) -> None:
        record.unassigned = list(range(self._n_splits))
        record.n_cleared = self._n_splits if self._rule is None else 1
        self._n_open_folds += self._n_splits

    def _judge(self) -> None:
        """Decide what can be decided now, oldest trial first."""
        if self._rule is None:
            return
        number = self.n_settled
        while number < len(self.records):
            record = self.records[number]
            self._judge_folds(self._rule, record)
            if number == self.n_settled and record.is_finished:
                self._rule.settle(record)
                self.n_settled += 1  # those that follow may have waited for this
            number += 1

    def _judge_folds(self, rule: StoppingRule, record: TrialRecord) -> None:
        """Decide on the next folds of a trial, as far as its past is settled."""
        while not record.is_finished and 0 < record.n_cleared <= record.n_folds_in_order:
            n_settled = self._past(record.number, record.n_cleared)
            if n_settled > self.n_settled:
                return
            record.stop = rule.judge(record, record.n_cleared, n_settled)
            if record.stop is None:
                record.n_cleared += 1
                self._finish(record)
                continue
            self._n_open_folds -= len(record.unassigned)
            record.unassigned = []
            for fold in [f for f in record.results if f >= record.stop.n_folds]:
                del record.results[fold]
            self._finish(record)

    def _limits(self, number: int) -> tuple[Limit, ...]:
        return () if self._rule is None else self._rule.limits(self._past(number, 0))

    def _past(self, number: int, n_folds: int) -> int:
        """Return how many trials may have a say after the first folds of a trial."""
        return max(number + 1 - self._lag + n_folds * self._lag // self._n_splits, 0)

    def _copy_of_first(self, record: TrialRecord) -> bool:
        """Whether the trial repeats an earlier one and so needs no fit (yet)."""
        if not self._reuse_duplicates:
            return False
        first = self._first_of.setdefault(record.point.key, record.number)
        if first == record.number:
            return False
        original = self.records[first]
        if not original.is_finished:
            self._copies.setdefault(first, []).append(record)
            return True
        return self._copy(original, record)

    def _copy(self, original: TrialRecord, record: TrialRecord) -> bool:
        if original.has_failed:  # another try may succeed: failures are not reused
            self._first_of[record.point.key] = record.number
            return False
        record.duplicate_of = original.number
        record.results = dict(original.results)
        # The rivals have only become better since the original was stopped.
        record.stop = original.stop
        record.started, record.finished = original.started, original.finished
        return True

    def _finish(self, record: TrialRecord) -> None:
        if not record.is_finished:
            return
        record.keep_best_epoch()
        waiting = self._copies.pop(record.number, [])
        for position, copy in enumerate(waiting):
            if not self._copy(record, copy):
                self._open(copy)
                self._copies[copy.number] = waiting[position + 1 :]
                return
