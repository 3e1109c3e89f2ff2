"""What a search prints, and what it leaves alone."""

import random
import re

import numpy as np
import optuna
import pytest
from joblib import parallel_config
from optuna.distributions import FloatDistribution
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB

from optunasearch import OptunaSearchCV

SMOOTHING = {"var_smoothing": FloatDistribution(1e-12, 1.0, log=True)}


def output(capfd, classification, **arguments):
    arguments = {"n_trials": 4, "cv": 2, "random_state": 0, **arguments}
    OptunaSearchCV(GaussianNB(), SMOOTHING, **arguments).fit(*classification)
    captured = capfd.readouterr()
    assert captured.err == ""
    return captured.out.splitlines()


@pytest.mark.parametrize("sampler", [None, "random", "qmc", "nsga2", "cmaes", "gp"])
def test_silent_at_zero(capfd, classification, sampler):
    if sampler == "gp":
        pytest.importorskip("torch", reason="needs torch")
    if sampler == "cmaes":
        pytest.importorskip("cmaes", reason="needs cmaes")
    assert output(capfd, classification, sampler=sampler, n_trials=12) == []


def test_silent_at_zero_with_threads_and_objectives(capfd, classification):
    with parallel_config("threading"):
        lines = output(
            capfd,
            classification,
            n_jobs=2,
            objectives=["recall", "precision"],
            constraints={"recall": 0.1},
        )
    assert lines == []


def test_one_shows_the_progress(capfd, classification):
    lines = output(capfd, classification, verbose=1, n_trials=20)
    assert lines[0] == "Fitting 2 folds for each of 20 candidates, totalling 40 fits"
    assert re.fullmatch(r"\d+ of 20 trials pruned: \d+ fits instead of 40", lines.pop())
    assert len(lines) == 11  # one for each tenth
    pattern = r"(\d+)/20 trials, best 0\.\d+ \(trial \d+\), .*s, .*s left"
    numbers = [int(re.fullmatch(pattern, line)[1]) for line in lines[1:]]
    assert numbers == list(range(2, 21, 2))


def test_two_shows_every_trial(capfd, classification):
    lines = output(capfd, classification, verbose=2)
    assert len(lines) == 6
    reason = "there are fewer than 10 trials"
    assert lines[1] == f"OptunaSearchCV: pruner='auto' stops no trial: {reason}."
    for number, line in enumerate(lines[2:], start=1):
        assert line.startswith(f"[trial {number}/4] score=0.")
        assert "var_smoothing=" in line


@pytest.mark.parametrize("verbose", [3, 10])
def test_from_three_on_it_prints_what_gridsearchcv_prints(capfd, classification, verbose):
    grid = {"var_smoothing": [1e-9, 1e-2]}
    printed = []
    for kind in (GridSearchCV, OptunaSearchCV):
        search = kind(GaussianNB(), grid, cv=2, verbose=verbose, return_train_score=True, n_jobs=1)
        search.fit(*classification)
        lines = capfd.readouterr().out.splitlines()
        # Times differ, and with them the number of dots.
        printed.append([re.sub(r"\.{2,}|total time=.*", "", line) for line in lines])
    if verbose == 10:  # short folds travel together: all their starts come first
        printed = [sorted(lines) for lines in printed]
    assert printed[0] == printed[1]
    assert len(printed[1]) == 1 + 4 * (2 if verbose == 10 else 1)


def test_a_duplicate_is_shown_as_one(capfd, classification):
    OptunaSearchCV(
        GaussianNB(), {"var_smoothing": [1e-9, 1e-9]}, cv=2, verbose=2, initial_params=None
    ).fit(*classification)
    assert "(as trial 1)" not in capfd.readouterr().out  # listed twice, visited twice
    OptunaSearchCV(
        GaussianNB(), {"var_smoothing": [1e-9]}, cv=2, verbose=2, sampler="random", n_trials=2
    ).fit(*classification)
    assert "(as trial 0)" in capfd.readouterr().out


def global_states():
    """Return NumPy's and Python's global random states as something that compares."""
    name, keys, *rest = np.random.get_state()  # noqa: NPY002 - the global state is the point
    return name, keys.tolist(), rest, random.getstate()


@pytest.mark.parametrize("sampler", [None, "random", "grid", "qmc", "nsga2"])
def test_a_seeded_search_leaves_the_global_random_states_alone(classification, sampler):
    before = global_states()
    space = {"var_smoothing": [1e-9, 1e-5]} if sampler == "grid" else SMOOTHING
    search = OptunaSearchCV(GaussianNB(), space, n_trials=12, cv=2, sampler=sampler)
    search.set_params(random_state=0).fit(*classification)
    assert global_states() == before


def test_without_a_seed_numpys_global_one_decides(classification):
    state = np.random.get_state()  # noqa: NPY002 - as for RandomizedSearchCV
    tried = []
    for _ in range(2):
        np.random.set_state(state)  # noqa: NPY002
        search = OptunaSearchCV(GaussianNB(), SMOOTHING, n_trials=5, cv=2)
        tried.append(search.fit(*classification).cv_results_["params"])
    assert tried[0] == tried[1]


@pytest.mark.parametrize("verbosity", [optuna.logging.INFO, optuna.logging.ERROR])
def test_optunas_verbosity_is_the_users(capfd, classification, verbosity):
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(verbosity)
    try:
        assert output(capfd, classification) == []
        assert optuna.logging.get_verbosity() == verbosity
    finally:
        optuna.logging.set_verbosity(before)
