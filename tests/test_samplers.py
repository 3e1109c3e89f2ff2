"""Samplers by name or instance, the grid, and seeds."""

import pickle
import random
import re
import sys

import numpy as np
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.samplers import GridSampler, NSGAIISampler, PartialFixedSampler, TPESampler
from optuna.trial import TrialState
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import ParameterGrid
from sklearn.tree import DecisionTreeClassifier

from optunasearch import OptunaSearchCV
from optunasearch._samplers import (
    SAMPLER_NAMES,
    GridProposer,
    SamplerProposer,
    is_enumerated,
    make_sampler,
)
from optunasearch._space import make_space
from optunasearch.execution._records import TrialRecord

X, Y = load_breast_cancer(return_X_y=True)
X, Y = X[:120, :4], Y[:120]
TREE = DecisionTreeClassifier(random_state=0)
GRID = {"max_depth": [3, 1, 2], "criterion": ["gini", "entropy"]}
FINITE = {"max_depth": IntDistribution(1, 30), "criterion": ["gini", "entropy"]}
SPACE = {
    "max_depth": IntDistribution(1, 30),
    "min_samples_split": FloatDistribution(0.01, 0.9, log=True),
    "ccp_alpha": FloatDistribution(0.0, 0.1),
    "criterion": ["gini", "entropy"],
}
ENUMERATING = {"grid", "bruteforce"}
SEEDED = sorted(SAMPLER_NAMES - ENUMERATING)
N_TRIALS = 11  # GPSampler and TPESampler draw the first ten at random


def search(space=SPACE, **kwargs):
    kwargs = {"n_trials": N_TRIALS, "cv": 2, "initial_params": None, "refit": False} | kwargs
    return OptunaSearchCV(TREE, space, **kwargs).fit(X, Y)


def trials(*args, **kwargs):
    return search(*args, **kwargs).cv_results_["params"]


def global_states():
    return pickle.dumps((np.random.get_state(), random.getstate()))  # noqa: NPY002


# Names and seeds


@pytest.mark.parametrize("sampler", SEEDED)
def test_the_same_seed_asks_the_same_trials(sampler):
    before = global_states()
    first = trials(sampler=sampler, random_state=0)
    assert global_states() == before
    assert len(first) == N_TRIALS
    assert trials(sampler=sampler, random_state=0) == first


@pytest.mark.parametrize("sampler", SEEDED)
def test_another_seed_asks_other_trials(sampler):
    one, other = (trials(sampler=sampler, n_trials=3, random_state=seed) for seed in (0, 1))
    assert one != other


@pytest.mark.parametrize("sampler", sorted(ENUMERATING))
def test_a_finite_space_is_enumerated_to_its_end(sampler):
    visited = trials(GRID, sampler=sampler, n_trials=None, random_state=0)
    assert sorted(map(str, visited)) == sorted(map(str, ParameterGrid(GRID)))


@pytest.mark.parametrize("sampler", sorted({*SEEDED, "bruteforce"} - {"cmaes"}))
def test_samplers_of_several_objectives(sampler):
    space = GRID if sampler == "bruteforce" else SPACE
    kwargs = {"sampler": sampler, "objectives": ["recall", "precision"], "random_state": 0}
    first = trials(space, n_trials=4, **kwargs)
    assert len(first) == 4
    assert trials(space, n_trials=4, **kwargs) == first


def test_cmaes_takes_one_objective():
    with pytest.raises(
        ValueError, match=r"'cmaes' takes one objective, got 2; use one of \['brute"
    ):
        search(sampler="cmaes", objectives=["recall", "precision"])


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'sampler' parameter .*'grid'.* Got 'best'"):
        search(sampler="best")


@pytest.mark.parametrize(("sampler", "package"), [("gp", "torch"), ("cmaes", "cmaes")])
def test_a_sampler_names_the_package_that_it_lacks(sampler, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=f"sampler='{sampler}' needs '{package}'.* pip install"):
        search(sampler=sampler)


def test_tpe_models_conditional_spaces_in_groups():
    assert make_sampler("tpe", make_space([GRID, SPACE], TREE), 1)._group
    assert not make_sampler("tpe", make_space(SPACE, TREE), 1)._group


def test_without_a_seed_trials_differ():
    assert trials(sampler="random") != trials(sampler="random")


# Instances


def test_an_instance_is_not_touched():
    sampler = TPESampler(seed=0, n_startup_trials=2)
    before = pickle.dumps(sampler)
    trials(sampler=sampler, random_state=0)
    trials(sampler=sampler)
    assert pickle.dumps(sampler) == before


def test_an_instance_keeps_its_own_seed_unless_the_search_has_one():
    one, other = TPESampler(seed=1), TPESampler(seed=2)
    assert trials(sampler=one) == trials(sampler=one)
    assert trials(sampler=one) != trials(sampler=other)
    assert trials(sampler=one, random_state=0) == trials(sampler=other, random_state=0)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_wrapped_sampler_is_seeded_too():
    wrapped = [PartialFixedSampler({"max_depth": 3}, NSGAIISampler(seed=s)) for s in (1, 2)]
    first, second = (trials(sampler=sampler, random_state=0) for sampler in wrapped)
    assert first == second
    assert {params["max_depth"] for params in first} == {3}


def test_optuna_s_grid_sampler_ends_the_search():
    found = search(GRID, sampler=GridSampler(GRID, seed=0), n_trials=50)
    assert sorted(map(str, found.cv_results_["params"])) == sorted(map(str, ParameterGrid(GRID)))


def test_the_seed_of_a_trial_does_not_depend_on_what_was_drawn_before():
    def proposer():
        return SamplerProposer(
            space, make_sampler("random", space, 1), objectives=["a"], values_of=None, seed=7
        )

    space = make_space(SPACE, TREE)
    in_turn = proposer()
    assert [in_turn.propose(number) for number in range(6)][5] == proposer().propose(5)


# What a sampler is told


def tell(*outcomes):
    """Tell a proposer values and violations; return what its sampler gets to see."""
    space = make_space(SPACE, TREE)
    proposer = SamplerProposer(
        space,
        make_sampler("random", space, 1),
        objectives=["a"],
        values_of=lambda record: outcomes[record.number],
    )
    for number in range(len(outcomes)):
        proposer.tell(TrialRecord(number, proposer.propose(number), 1))
    return proposer._study.trials


def test_a_failed_trial_is_told_as_the_worst_so_far():
    seen = tell(([np.nan], {}), ([1.0], {}), ([2.0], {}), ([np.nan], {}), ([-np.inf], {}))
    assert [trial.state for trial in seen] == [TrialState.FAIL] + [TrialState.COMPLETE] * 4
    assert [trial.value for trial in seen[1:]] == [1.0, 2.0, 1.0, 1.0]


def test_a_failed_trial_is_told_the_worst_violation_so_far():
    seen = tell(([1.0], {"b": 3.0}), ([2.0], {"b": -1.0}), ([np.nan], {"b": np.nan}))
    assert [trial.value for trial in seen] == [1.0, 2.0, 1.0]
    assert [trial.constraints for trial in seen] == [{"b": 3.0}, {"b": -1.0}, {"b": 3.0}]


# The grid


def test_the_grid_is_visited_in_parameter_grid_s_order():
    assert trials(GRID, sampler="grid", n_trials=None) == list(ParameterGrid(GRID))
    assert trials(GRID, sampler="grid", n_trials=4) == list(ParameterGrid(GRID))[:4]
    assert trials([GRID, GRID], sampler="grid", n_trials=None) == list(ParameterGrid([GRID, GRID]))


def test_the_grid_of_distributions():
    space = {"ccp_alpha": FloatDistribution(0.1, 0.3, step=0.1), "max_depth": IntDistribution(1, 2)}
    grid = {"ccp_alpha": [0.1, 0.2, 0.3], "max_depth": [1, 2]}
    assert trials(space, sampler="grid", n_trials=None) == list(ParameterGrid(grid))


def test_a_grid_larger_than_the_default_budget_is_visited_completely():
    assert len(trials({"max_depth": range(1, 61)}, sampler="grid", n_trials=None)) == 60


@pytest.mark.parametrize(
    ("sampler", "n_trials", "expected"),
    [(None, 6, True), (None, None, True), (None, 5, False), ("grid", 2, True), ("tpe", 6, False)],
)
def test_a_finite_space_within_the_budget_is_enumerated(sampler, n_trials, expected):
    assert is_enumerated(sampler, make_space(GRID, TREE), n_trials) is expected
    assert not is_enumerated(None, make_space(SPACE, TREE), n_trials)
    assert not is_enumerated(TPESampler(), make_space(GRID, TREE), n_trials)


def test_the_default_is_not_enumerated_beyond_fifty_points():
    assert is_enumerated(None, make_space({"max_depth": range(1, 51)}, TREE), None)
    assert not is_enumerated(None, make_space({"max_depth": range(1, 52)}, TREE), None)


def test_brute_force_ends_also_on_a_conditional_function():
    def space(trial):
        params = {"criterion": trial.suggest_categorical("criterion", ["gini", "entropy"])}
        if params["criterion"] == "gini":
            params["max_depth"] = trial.suggest_int("max_depth", 1, 3)
        return params

    visited = trials(space, sampler="bruteforce", n_trials=50, n_jobs=2)
    assert sorted(map(str, visited)) == [
        "{'criterion': 'entropy'}",
        *(f"{{'criterion': 'gini', 'max_depth': {depth}}}" for depth in (1, 2, 3)),
    ]


@pytest.mark.parametrize("sampler", sorted(ENUMERATING))
def test_a_continuous_space_cannot_be_enumerated(sampler):
    message = re.escape("continuous are ['ccp_alpha', 'min_samples_split']. Give them a list")
    with pytest.raises(ValueError, match=f"sampler='{sampler}' needs a finite .*{message}"):
        search(sampler=sampler)


def test_a_function_is_no_grid():
    with pytest.raises(ValueError, match="a callable param_distributions cannot. Give a dict of"):
        search(lambda trial: {}, sampler="grid")


def test_an_initial_point_marks_its_grid_point_as_visited():
    space = make_space({"max_depth": [1, 2, 2, 3]}, TREE)
    initial = [space.encode({"max_depth": depth}) for depth in (3, 2, 3)]
    proposer = GridProposer(space, initial)
    points = iter(lambda: proposer.propose(0), None)
    assert [space.decode(point)["max_depth"] for point in points] == [3, 2, 1, 2]
