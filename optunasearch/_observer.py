"""What happens around the trials of a search, in the order of their numbers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

from optunasearch._callback_tree import CallbackTree
from optunasearch._ledger import Ledger
from optunasearch._prediction_store import PredictionStore
from optunasearch._progress import Progress
from optunasearch._results import Improvement
from optunasearch._scoring import ScoringPlan
from optunasearch._space import SearchSpace
from optunasearch.execution._records import FoldResult, TrialRecord, TrialTask
from optunasearch.tracking import FoldEvent, Tracker


class SearchObserver:
    """Writes the ledger, calls callbacks, prints, and knows when to stop early."""

    def __init__(
        self,
        *,
        space: SearchSpace,
        plan: ScoringPlan,
        ledger: Ledger,
        tree: CallbackTree,
        progress: Progress,
        callbacks: Sequence[Any],
        patience: int | None,
        predictions: PredictionStore,
    ) -> None:
        self._space = space
        self._plan = plan
        self._ledger = ledger
        self._tree = tree
        self._progress = progress
        self._trackers = [c for c in callbacks if isinstance(c, Tracker)]
        self._callbacks: list[Callable[[Any, Any], None]] = [
            c.on_trial_end if isinstance(c, Tracker) else c for c in callbacks
        ]
        self._patience = patience
        self._predictions = predictions
        self._improvement = Improvement()

    def task_starts(self, task: TrialTask) -> TrialTask:
        """Print, and give the folds their callback contexts."""
        self._progress.task_starts(task)
        if not self._tree.is_active:
            return task
        leaves = tuple(self._tree.leaf(task.number, fold) for fold in task.folds)
        return dataclasses.replace(task, callback_contexts=leaves)

    def task_lost(self, task: TrialTask) -> None:
        """End the callback contexts that the worker cannot end any more."""
        if self._tree.is_active:
            for fold in task.folds:
                self._tree.close_leaf(task.number, fold)

    def fold_ended(self, record: TrialRecord, result: FoldResult) -> None:
        """Print, and report to the trackers."""
        self._progress.fold_ends(record, result)
        scores = result.test_scores
        for tracker in self._trackers:
            tracker.on_fold_end(
                FoldEvent(
                    record.number,
                    result.fold,
                    self._space.decode(record.point),
                    dict(scores) if isinstance(scores, dict) else {"score": scores},
                    result.fit_time,
                    result.score_time,
                    result.fit_error,
                )
            )

    def trial_ended(self, record: TrialRecord) -> bool:
        """Write the trial into the ledger; True if the search should stop."""
        trial = self._ledger.add(record)
        self._predictions.add(record)
        if record.stop is not None:
            self._improvement.n_trials_since += 1
            self._progress.trial_ends(record, math.nan)
        else:
            values, violations = self._plan.values(record)
            self._improvement.add(values, violations)
            self._progress.trial_ends(record, values[0])
        for callback in self._callbacks:
            callback(self._ledger.study, trial)
        enough = self._patience is not None and (self._improvement.n_trials_since >= self._patience)
        return enough or self._ledger.study.stop_requested

    def trial_left(self, record: TrialRecord) -> None:
        """Write an unfinished trial into the ledger."""
        self._ledger.add_unfinished(record)


def check_callbacks(callbacks: Any) -> None:
    """Raise TypeError for what is neither a callable nor a tracker."""
    for callback in callbacks or ():
        is_class = isinstance(callback, type) and issubclass(callback, Tracker)
        if is_class or not (callable(callback) or isinstance(callback, Tracker)):
            raise TypeError(
                "callbacks must hold callables callback(study, trial) and instances of "
                f"optunasearch.tracking.Tracker, got {callback!r}"
            )
