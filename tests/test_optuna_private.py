"""Every undocumented thing of Optuna in use, and what is made of it."""

import inspect
import logging
import warnings

import numpy as np
import optuna
import pytest
from optuna.samplers import NSGAIISampler, PartialFixedSampler
from optuna.samplers._lazy_random_state import LazyRandomState

from optunasearch._optuna import (
    SearchStudy,
    name_metrics,
    new_snapshot_study,
    new_study,
    quiet_optuna,
    random_states,
    reseed,
)
from optunasearch._samplers import _SAMPLERS, make_sampler
from optunasearch._space import make_space


def test_lazy_random_state():
    assert str(inspect.signature(LazyRandomState)) == "(seed: 'int | None' = None) -> 'None'"
    assert isinstance(LazyRandomState(3).rng, np.random.RandomState)
    assert LazyRandomState(3).rng.randint(10**9) == np.random.RandomState(3).randint(10**9)


def test_study_is_made_as_we_make_it():
    assert list(inspect.signature(optuna.Study).parameters) == [
        "study_name",
        "storage",
        "sampler",
        "pruner",
    ]
    assert callable(optuna.Study.stop)
    with pytest.raises(RuntimeError, match="stop"):
        optuna.create_study().stop()


@pytest.mark.parametrize("name", sorted(_SAMPLERS))
def test_every_sampler_keeps_its_randomness_where_it_is_found(name):
    sampler = make_sampler(name, make_space({"C": [1, 2]}, _Estimator()), 1)
    assert random_states(sampler)


class _Estimator:
    def get_params(self, deep=True):
        return {"C": 1}


def test_random_states_are_found_in_samplers_inside_samplers():
    plain = random_states(NSGAIISampler())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        wrapped = PartialFixedSampler({"C": 1}, NSGAIISampler())
    assert len(random_states(wrapped)) == len(plain) > 1


def test_a_reseeded_state_depends_on_seed_and_trial_only():
    def draws(seed, trial, consumed=0):
        states = [LazyRandomState(), LazyRandomState()]
        for state in states:
            state.rng.random(consumed)
        reseed(states, seed, trial)
        return [state.rng.randint(10**9) for state in states]

    assert draws(1, 2) == draws(1, 2, consumed=7)
    distinct = {tuple(draws(seed, trial)) for seed in range(5) for trial in range(5)}
    assert len(distinct) == 25
    one, other = draws(1, 2)
    assert one != other


def test_a_study_can_be_stopped_outside_of_optimize():
    study = new_study(None, ["a"])
    assert isinstance(study, SearchStudy)
    assert not study.stop_requested
    study.stop()
    assert study.stop_requested
    assert not new_study(None, ["a"]).stop_requested


def test_a_new_study_maximises_named_metrics_in_memory():
    sampler = optuna.samplers.RandomSampler()
    study = new_study(sampler, ["a", "b"])
    assert study.sampler is sampler
    assert study.metric_names == ["a", "b"]
    assert [direction.name for direction in study.directions] == ["MAXIMIZE"] * 2
    assert study.trials == []
    name_metrics(study, ["c", "d"])
    assert study.metric_names == ["c", "d"]


def test_quiet_is_quiet_and_restores_what_was(caplog):
    before = optuna.logging.get_verbosity()
    try:
        optuna.logging.set_verbosity(logging.DEBUG)
        filters = list(warnings.filters)
        with pytest.raises(ZeroDivisionError), quiet_optuna():
            optuna.create_study().set_metric_names(["a"])
            assert warnings.filters != filters
            1 / 0  # noqa: B018
        assert warnings.filters == filters
        assert optuna.logging.get_verbosity() == logging.DEBUG
        assert caplog.records == []
        optuna.create_study()
        assert caplog.records  # the silence was ours
    finally:
        optuna.logging.set_verbosity(before)


def test_a_snapshot_study_shows_a_pruner_the_first_trials():
    class Watching(optuna.pruners.BasePruner):
        def prune(self, study, trial):
            shown = study.get_trials(deepcopy=False)
            best = study.best_trial.number if shown else None
            self.seen = [t.number for t in shown], best
            return True

    pruner = Watching()
    study = new_snapshot_study(pruner)
    trials = [study.ask() for _ in range(4)]
    for trial, value in zip(trials[:3], (-0.3, -0.1, 0.5), strict=True):
        study.tell(trial, value)
    trials[3].report(0.1, 1)
    for n_visible, expected in [(0, ([], None)), (2, ([0, 1], 1)), (3, ([0, 1, 2], 2))]:
        study.show(n_visible)
        assert trials[3].should_prune()
        assert pruner.seen == expected
    assert study.reported_steps(trials[3]) == {1}
    study.show(0)
    with pytest.raises(ValueError, match="no trial is complete"):
        _ = study.best_trial


def test_hyperband_takes_the_bracket_from_the_name():
    names = {new_snapshot_study(optuna.pruners.HyperbandPruner()).study_name for _ in range(2)}
    assert names == {"optunasearch"}
