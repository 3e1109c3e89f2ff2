"""Searches in searches, in threads, in forks."""

import multiprocessing
import threading
import warnings

import joblib
import numpy as np
import pytest
from joblib import Parallel, delayed
from sklearn.datasets import make_classification
from sklearn.model_selection import cross_validate
from sklearn.tree import DecisionTreeClassifier

from optunasearch import OptunaSearchCV
from tests.execution.estimators import LABELS, ROWS, Acting, jitter, times_aside

TREES = make_classification(90, 4, random_state=0)


def make_search(n_jobs=2, action=jitter, **settings):
    settings = {"n_trials": 15, "sampler": "tpe", "random_state": 0} | settings
    return OptunaSearchCV(
        Acting(action=action),
        {"x": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]},
        max_pending=4,
        cv=3,
        refit=False,
        n_jobs=n_jobs,
        **settings,
    )


def fit(search, backend="loky"):
    with joblib.parallel_config(backend):
        return times_aside(search.fit(ROWS, LABELS).cv_results_)


@pytest.fixture(scope="module")
def expected():
    return fit(make_search(1, None))


def in_two_threads(function):
    found, errors = [], []

    def work():
        try:
            found.append(function())
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    return found


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_two_searches_in_two_threads(backend, expected, no_slots):
    for found in in_two_threads(lambda: fit(make_search(), backend)):
        np.testing.assert_equal(found, expected)


@pytest.mark.slow
def test_two_isolated_searches_in_two_threads(expected):
    for found in in_two_threads(lambda: fit(make_search(trial_timeout=600))):
        np.testing.assert_equal(found, expected)


def test_searches_inside_joblibs_threads(expected):
    found = Parallel(n_jobs=2, backend="threading")(
        delayed(lambda: times_aside(make_search().fit(ROWS, LABELS).cv_results_))()
        for _ in range(3)
    )
    for results in found:
        np.testing.assert_equal(results, expected)


@pytest.mark.slow
@pytest.mark.parametrize("trial_timeout", [None, 600])
def test_cross_validation_in_processes_around_a_parallel_search(trial_timeout):
    def scores(inner, outer):
        search = OptunaSearchCV(
            DecisionTreeClassifier(random_state=0),
            {"max_depth": [1, 2, 3, 4], "min_samples_leaf": [1, 3, 9]},
            n_trials=8,
            sampler="tpe",
            random_state=0,
            max_pending=4,
            n_jobs=inner,
            trial_timeout=trial_timeout if inner is None else None,
        )
        return cross_validate(search, *TREES, cv=3, n_jobs=outer, error_score="raise")["test_score"]

    inner = 2 if trial_timeout is None else None
    np.testing.assert_array_equal(scores(inner, 2), scores(1, None))


@pytest.mark.slow
def test_a_search_whose_estimator_is_a_search(expected):
    inner = make_search(action=None, n_trials=4)
    inner.set_params(refit=True)
    outer = OptunaSearchCV(
        inner, {"estimator__x": [1, 2]}, cv=2, n_jobs=2, trial_timeout=600, refit=False
    )
    alone = OptunaSearchCV(inner, {"estimator__x": [1, 2]}, cv=2, n_jobs=1, refit=False)
    np.testing.assert_equal(fit(outer)["mean_test_score"], fit(alone)["mean_test_score"])


def search_and_send(connection, settings):
    connection.send(fit(make_search(**settings)))


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"n_jobs": 1}, {}, {"trial_timeout": 600}], ids=str)
def test_a_search_in_a_forked_child(settings, expected):
    fit(make_search(trial_timeout=600))  # the parent has warm workers
    ours, theirs = multiprocessing.Pipe()
    with warnings.catch_warnings():
        # Python 3.12 warns about every fork of a process with threads.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = multiprocessing.get_context("fork").Process(
            target=search_and_send, args=(theirs, settings)
        )
        child.start()
    try:
        assert ours.poll(120)
        np.testing.assert_equal(ours.recv(), expected)
        child.join(30)
        assert child.exitcode == 0
    finally:
        child.kill()
    np.testing.assert_equal(fit(make_search(trial_timeout=600)), expected)
