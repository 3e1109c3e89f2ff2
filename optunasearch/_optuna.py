"""The only module that leans on what Optuna does not document.

`tests/test_optuna_private.py` asserts each of these names.
"""

from __future__ import annotations

import importlib
import math
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import optuna
from optuna.samplers._lazy_random_state import LazyRandomState

_verbosity_lock = threading.RLock()


class SearchStudy(optuna.Study):
    """A study that is driven by ask and tell, and can be stopped.

    `optuna.Study.stop` raises outside of `Study.optimize`; users' callbacks and
    some samplers (GridSampler, BruteForceSampler) call it when they have enough.
    """

    stop_requested = False

    def stop(self) -> None:
        """Ask the search to start no further trial."""
        self.stop_requested = True


@contextmanager
def quiet_optuna(verbosity_inside: int = optuna.logging.WARNING) -> Iterator[None]:
    """Silence Optuna's notes about new studies and experimental features."""
    with _verbosity_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(verbosity_inside)
        try:
            yield
        finally:
            optuna.logging.set_verbosity(verbosity)


def load_gp_quietly() -> None:
    """Import what GPSampler uses, which logs a warning if greenlet is missing."""
    with quiet_optuna(optuna.logging.ERROR):
        importlib.import_module("optuna._gp.batched_lbfgsb")


def new_study(
    sampler: optuna.samplers.BaseSampler | None,
    metric_names: Sequence[str],
    name: str | None = None,
    storage: optuna.storages.InMemoryStorage | None = None,
) -> SearchStudy:
    """Return an empty study in memory that maximises every metric."""
    storage = storage or optuna.storages.InMemoryStorage()
    with quiet_optuna():
        study = optuna.create_study(
            study_name=name,
            storage=storage,
            sampler=sampler or optuna.samplers.RandomSampler(),
            directions=["maximize"] * len(metric_names),
        )
    name_metrics(study, metric_names)
    return SearchStudy(study.study_name, storage, sampler=study.sampler)


def name_metrics(study: optuna.Study, names: Sequence[str]) -> None:
    """Name the objectives of a study, which Optuna calls experimental."""
    with quiet_optuna():
        study.set_metric_names(list(names))


def random_states(sampler: Any) -> list[LazyRandomState]:
    """Return every random state inside a sampler, also of samplers it wraps."""
    found: list[LazyRandomState] = []
    seen: set[int] = set()

    def visit(owner: Any) -> None:
        if id(owner) in seen:
            return
        seen.add(id(owner))
        if isinstance(owner, LazyRandomState):
            found.append(owner)
        elif type(owner).__module__.startswith("optuna.samplers"):
            for _, inner in sorted(getattr(owner, "__dict__", {}).items()):
                visit(inner)

    visit(sampler)
    return found


def reseed(states: Sequence[LazyRandomState], seed: int, trial_number: int) -> None:
    """Make the next draws depend on the seed and the trial's number only."""
    seeds = np.random.SeedSequence([seed, trial_number]).generate_state(len(states))
    for state, own_seed in zip(states, seeds, strict=True):
        state.rng.seed(int(own_seed))


class SnapshotStorage(optuna.storages.InMemoryStorage):
    """A storage that shows only the first `n_visible` trials of its study.

    The storage and not the study hides the others: Hyperband asks a study of its own
    making.
    """

    n_visible = 0

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Any = None
    ) -> list[optuna.trial.FrozenTrial]:
        """Return the trials that are shown."""
        trials = super().get_all_trials(study_id, deepcopy, states)
        return [trial for trial in trials if trial.number < self.n_visible]


class SnapshotStudy(SearchStudy):
    """A study that shows a pruner only the first trials.

    The trial that is judged is handed to the pruner apart from the others.
    """

    def show(self, n_trials: int) -> None:
        """Show the first `n_trials` trials."""
        assert isinstance(self._storage, SnapshotStorage)
        self._storage.n_visible = n_trials

    @property
    def best_trial(self) -> optuna.trial.FrozenTrial:
        """The best complete trial among those that are shown."""
        complete = self._get_trials(False, (optuna.trial.TrialState.COMPLETE,))
        if not complete:
            raise ValueError("no trial is complete yet")
        return max(complete, key=lambda trial: -math.inf if trial.value is None else trial.value)

    def reported_steps(self, trial: optuna.Trial) -> set[int]:
        """Return the steps of which a trial has reported a value."""
        return set(trial.storage.get_trial(trial._trial_id).intermediate_values)


def new_snapshot_study(pruner: optuna.pruners.BasePruner) -> SnapshotStudy:
    """Return an empty study in memory for a pruner, to be maximised."""
    # Hyperband draws the bracket of a trial from the study's name.
    study = new_study(None, ["score"], name="optunasearch", storage=SnapshotStorage())
    return SnapshotStudy(
        study.study_name, study._storage, sampler=optuna.samplers.RandomSampler(), pruner=pruner
    )
