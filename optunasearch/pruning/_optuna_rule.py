"""The pruners of Optuna between folds, each fed in the convention it documents.

A pruner is asked against a study of its own, in which it sees exactly the trials that
the schedule says are settled. What it is shown as the value of a step is the mean over
the folds so far: pruners compare values of equal steps, and a raw score would say more
of the fold than of the trial. `WilcoxonPruner` is the exception, as it pairs by step:
it wants each fold's own score.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    PatientPruner,
    PercentilePruner,
    SuccessiveHalvingPruner,
    WilcoxonPruner,
)
from optuna.trial import Trial, TrialState

from optunasearch._optuna import new_snapshot_study, quiet_optuna
from optunasearch.execution._records import Limit, Stop, TrialRecord

_PRUNERS: dict[str, Callable[[int], BasePruner]] = {
    "median": lambda n_steps: MedianPruner(),
    "percentile": lambda n_steps: PercentilePruner(25.0),
    "successive_halving": lambda n_steps: SuccessiveHalvingPruner(min_resource=1),
    "hyperband": lambda n_steps: HyperbandPruner(min_resource=1, max_resource=n_steps),
    "wilcoxon": lambda n_steps: WilcoxonPruner(),
}
PRUNER_NAMES = frozenset(_PRUNERS)


def make_pruner(pruner: str | BasePruner, n_steps: int) -> BasePruner:
    """Return a pruner of our own: made from a name, or copied from an instance."""
    if isinstance(pruner, BasePruner):
        return copy.deepcopy(pruner)
    with quiet_optuna():
        return _PRUNERS[pruner](n_steps)


class OptunaRule:
    """Asks a pruner of Optuna between the folds of a trial.

    Parameters
    ----------
    pruner : optuna.pruners.BasePruner
    metric : str
        Key of the score that it is shown.
    n_splits : int
    """

    def __init__(self, pruner: BasePruner, metric: str, n_splits: int) -> None:
        self._study = new_snapshot_study(pruner)
        self._metric = metric
        self._n_splits = n_splits
        self._wants_raw_scores = _is_wilcoxon(pruner)
        self._trials: dict[int, Trial] = {}

    def settle(self, record: TrialRecord) -> None:
        """Let the pruner know of a finished trial."""
        trial = self._trial(record.number)
        n_folds = self._n_splits if record.stop is None else record.stop.n_folds
        self._report(trial, record, n_folds)
        value = float(np.mean(self._scores(record, n_folds)))
        if record.stop is not None:
            self._study.tell(trial, state=TrialState.PRUNED)
        elif np.isfinite(value):
            self._study.tell(trial, value)
        else:
            self._study.tell(trial, state=TrialState.FAIL)

    def limits(self, n_settled: int) -> tuple[Limit, ...]:
        """Return none: these pruners are asked between folds only."""
        return ()

    def judge(self, record: TrialRecord, n_folds: int, n_settled: int) -> Stop | None:
        """Return the pruner's decision."""
        scores = self._scores(record, n_folds)
        if not np.isfinite(scores).all():
            return None
        trial = self._trial(record.number)
        self._report(trial, record, n_folds)
        self._study.show(n_settled)
        if not trial.should_prune():
            return None
        return Stop(n_folds, {self._metric: float(np.mean(scores))})

    def _trial(self, number: int) -> Trial:
        # Trials are made in the order of their numbers, whichever is judged first.
        while len(self._trials) <= number:
            self._trials[len(self._trials)] = self._study.ask()
        return self._trials[number]

    def _report(self, trial: Trial, record: TrialRecord, n_folds: int) -> None:
        known = self._study.reported_steps(trial)
        scores = self._scores(record, n_folds)
        for fold in range(n_folds):
            value = scores[fold] if self._wants_raw_scores else np.mean(scores[: fold + 1])
            # Steps count from 1 where a step is a resource that was spent.
            step = fold if self._wants_raw_scores else fold + 1
            if step not in known and np.isfinite(value):
                trial.report(float(value), step)

    def _scores(self, record: TrialRecord, n_folds: int) -> np.ndarray:
        found: list[Any] = record.scores(n_folds)
        return np.array(
            [s.get(self._metric, np.nan) if isinstance(s, dict) else s for s in found], dtype=float
        )


def _is_wilcoxon(pruner: Any) -> bool:
    while isinstance(pruner, PatientPruner):
        pruner = pruner._wrapped_pruner
    return isinstance(pruner, WilcoxonPruner)
