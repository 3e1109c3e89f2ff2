"""The public study: what became of every trial, in Optuna's words.

The sampler has a study of its own (`_samplers.SamplerProposer`), because what it
should be told is not always the truth: a failed trial is told to it as the worst
so far. The ledger holds the truth, and is what users see as `study_`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from optunasearch._optuna import SearchStudy, name_metrics, new_study
from optunasearch._scoring import ScoringPlan
from optunasearch._space import SearchSpace
from optunasearch.execution._records import Status, TrialRecord


class Ledger:
    """Writes finished trials into the public study, in the order of numbers."""

    def __init__(self, space: SearchSpace, plan: ScoringPlan, objectives: Sequence[str]) -> None:
        self.study: SearchStudy = new_study(None, [f"mean_test_{name}" for name in objectives])
        self._space = space
        self._plan = plan
        self._n_epochs = 0

    def add(self, record: TrialRecord) -> FrozenTrial:
        """Write a trial that has all its results."""
        values, violations = self._plan.values(record)
        self._name_metrics()
        if record.stop is not None:
            trial = self._frozen(record, TrialState.PRUNED)
            self._add(trial, record)
            return trial
        is_finite = all(map(math.isfinite, [*values, *violations.values()]))
        trial = self._frozen(record, TrialState.COMPLETE if is_finite else TrialState.FAIL)
        if is_finite:
            trial.values = values
        for name, violation in violations.items():
            if math.isfinite(violation):
                trial.set_constraint(name, violation)
        self._add(trial, record)
        return trial

    def _add(self, trial: FrozenTrial, record: TrialRecord) -> None:
        trial.intermediate_values = self._fold_scores(record)
        if any(result.curve for result in record.results.values()):
            # Step s is epoch 1 + (s - 1) % n of fold (s - 1) // n.
            trial.user_attrs["steps_per_fold"] = self._n_epochs
        self.study.add_trial(trial)

    def add_unfinished(self, record: TrialRecord) -> None:
        """Write a trial that the search left behind."""
        self.study.add_trial(self._frozen(record, TrialState.FAIL))

    def _name_metrics(self) -> None:
        """Follow a callable scoring, whose first result tells what is maximised."""
        names = [f"mean_test_{name}" for name in self._plan.known_objectives]
        if self.study.metric_names != names:
            name_metrics(self.study, names)

    def _frozen(self, record: TrialRecord, state: TrialState) -> FrozenTrial:
        params, distributions = self._space.ledger_view(record.point)
        now = datetime.now()
        started, finished = (
            now if seconds is None else datetime.fromtimestamp(seconds)
            for seconds in (record.started, record.finished)
        )
        return FrozenTrial(
            number=record.number,
            trial_id=record.number,
            state=state,
            value=None,
            datetime_start=started,
            datetime_complete=finished,
            params=params,
            distributions=distributions,
            user_attrs=_attributes(record),
            system_attrs={},
            intermediate_values={},
        )

    def _fold_scores(self, record: TrialRecord) -> dict[int, float]:
        """Return the objective's score on each fold, for a single objective."""
        if len(self._plan.known_objectives) > 1:
            return {}
        (name,) = self._plan.known_objectives
        scores = {}
        for fold, result in sorted(record.results.items()):
            score = result.test_scores
            score = score.get(name, math.nan) if isinstance(score, dict) else score
            scores[fold] = float(score)
        curves = {fold: r.curve for fold, r in sorted(record.results.items()) if r.curve}
        if curves:
            scores = self._epoch_scores(record, scores, curves)
        return {step: score for step, score in scores.items() if math.isfinite(score)}

    def _epoch_scores(
        self,
        record: TrialRecord,
        scores: dict[int, float],
        curves: dict[int, tuple[tuple[int, float], ...]],
    ) -> dict[int, float]:
        """Return the score after each epoch, one fold after the other: no step twice.

        A fold without a curve has its score at its last step.
        """
        lengths = (max(r.n_epochs, r.n_epochs_run) for r in record.results.values())
        self._n_epochs = max(self._n_epochs, *lengths)
        return {
            fold * self._n_epochs + epoch: value
            for fold, score in scores.items()
            for epoch, value in curves.get(fold, ((self._n_epochs, score),))
        }


def status_of(record: TrialRecord) -> Status:
    """Return what became of a trial."""
    if not record.is_finished:
        return Status.UNFINISHED
    if record.stop is not None:
        return Status.PRUNED
    if record.duplicate_of is not None:
        return Status.DUPLICATE
    return Status.FAILED if record.has_failed else Status.COMPLETE


def _attributes(record: TrialRecord) -> dict[str, Any]:
    attributes: dict[str, Any] = {"status": str(status_of(record))}
    if record.duplicate_of is not None:
        attributes["duplicate_of"] = record.duplicate_of
    if record.error is not None:
        attributes["error"] = record.error
    if record.stop is not None:
        attributes["n_splits_run"] = record.n_full_folds
        attributes["estimates"] = record.stop.estimates
    return attributes


TrialCallback = Callable[[SearchStudy, FrozenTrial], None]
