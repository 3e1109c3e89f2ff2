"""One suite of promises that every executor keeps."""

import os
import threading
import warnings
from contextlib import nullcontext

import joblib
import numpy as np
import pytest
from joblib._parallel_backends import LokyBackend
from sklearn import config_context, get_config
from sklearn.exceptions import FitFailedWarning
from threadpoolctl import threadpool_info

from optunasearch import OptunaSearchCV
from optunasearch.execution._executors import choose_backend
from optunasearch.execution._slots import warm_slots
from tests.execution.estimators import (
    LABELS,
    ROWS,
    Acting,
    At,
    Both,
    Note,
    Raise,
    Sleep,
    blas_threads,
    count_processes,
    eventually,
    jitter,
    n_processes,
    openmp_threads,
    times_aside,
    warn,
)


class SomebodysBackend(LokyBackend):
    """A backend that joblib's users have registered; nothing here knows it."""


joblib.register_parallel_backend("somebodys", SomebodysBackend)

EXECUTORS = {
    "in-process": (None, {"n_jobs": 1}),
    "threads": ("threading", {"n_jobs": 2}),
    "processes": ("loky", {"n_jobs": 2}),
    "isolated": (None, {"n_jobs": None, "trial_timeout": 600}),
    "isolated-2": ("loky", {"n_jobs": 2, "trial_timeout": 600}),
    "batches": ("somebodys", {"n_jobs": 2}),
}
PARALLEL = ["threads", "processes", "isolated-2"]


@pytest.fixture(autouse=True)
def warm_workers(request):
    """Have two idle workers, for "processes" and "isolated-2" alike."""
    if "no_slots" in request.fixturenames:
        return
    while sum(slot.process.is_alive() for slot in warm_slots._slots) < 2:
        search(Acting(action=Sleep(0.1)), "isolated-2", n_trials=8)


def search(estimator, executor, **settings):
    backend, how = EXECUTORS[executor]
    settings = (
        {
            "n_trials": 12,
            "sampler": "tpe",
            "random_state": 0,
            "max_pending": 3,
            "cv": 3,
            "refit": False,
            "n_jobs": 1,
        }
        | how
        | settings
    )
    space = settings.pop("space", {"x": [0, 1, 2, 3, 4, 5, 6, 7]})
    with joblib.parallel_config(backend) if backend else nullcontext():
        return OptunaSearchCV(estimator, space, **settings).fit(ROWS, LABELS)


def assert_same(one, other):
    np.testing.assert_equal(times_aside(one.cv_results_), times_aside(other.cv_results_))


@pytest.fixture(scope="module")
def reference():
    return search(Acting(), "in-process")


@pytest.mark.parametrize("executor", EXECUTORS)
def test_results_are_those_of_a_search_in_process(executor, reference):
    assert_same(search(Acting(action=jitter), executor), reference)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_failed_fits_are_scored_alike(executor):
    def failing(executor):
        with pytest.warns() as caught:
            estimator = Acting(action=At((2, 5), Raise(ZeroDivisionError, ("1/0",))))
            found = search(estimator, executor, error_score=-7.0)
        # The rows of a traceback are all that may differ.
        warned = [w for w in caught if w.category is FitFailedWarning]
        assert len(warned) == 1
        return found

    found = failing(executor)
    assert_same(found, failing("in-process"))
    assert (found.cv_results_["mean_test_score"] == -7.0).any()


@pytest.mark.parametrize("executor", EXECUTORS)
def test_callable_spaces_with_values_of_any_kind(executor):
    def space(trial):
        weight = trial.suggest_float("weight", 0.0, 1.0)
        return {"x": weight * 2, "action": lambda model: None}

    found = search(Acting(), executor, space=space, n_trials=6)
    expected = search(Acting(), "in-process", space=space, n_trials=6)
    assert (
        found.cv_results_["mean_test_score"].tolist()
        == expected.cv_results_["mean_test_score"].tolist()
    )


@pytest.mark.parametrize("executor", EXECUTORS)
def test_scikit_learns_configuration_reaches_the_fits(executor):
    def score(model, X, y):
        return float(get_config()["assume_finite"])

    for wanted in (True, False):
        with config_context(assume_finite=wanted):
            found = search(Acting(), executor, scoring=score, n_trials=3)
        assert set(found.cv_results_["mean_test_score"]) == {float(wanted)}


@pytest.mark.parametrize("executor", EXECUTORS)
def test_warning_filters_reach_the_fits(executor):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="the fit warns")
        warnings.simplefilter("ignore", FitFailedWarning)
        with pytest.raises(ValueError, match="(?s)All the .* fits failed.*the fit warns"):
            search(Acting(action=warn), executor, n_trials=2)
        warnings.filterwarnings("ignore", message="the fit warns")
        found = search(Acting(action=warn), executor, n_trials=2)
    assert np.isfinite(found.cv_results_["mean_test_score"]).all()


def limits():
    return sorted((info["filepath"], info["num_threads"]) for info in threadpool_info())


@pytest.mark.parametrize("library", [blas_threads, openmp_threads])
@pytest.mark.parametrize("executor", PARALLEL)
def test_parallel_fits_share_the_cores(executor, library):
    found = search(Acting(), executor, scoring=library, n_trials=6)
    share = max(joblib.cpu_count() // 2, 1)
    assert set(found.cv_results_["mean_test_score"]) == {share}


@pytest.mark.parametrize("library", [blas_threads, openmp_threads])
def test_fits_beside_starting_workers_share_the_cores_too(no_slots, library):
    # A search with threads before it used to leave the limits in another hand.
    search(Acting(), "threads", n_trials=2)
    found = search(Acting(), "processes", scoring=library, n_trials=6)
    assert set(found.cv_results_["mean_test_score"]) == {max(joblib.cpu_count() // 2, 1)}


@pytest.mark.parametrize("executor", EXECUTORS)
def test_thread_limits_are_as_before_afterwards(executor):
    before = limits()
    search(Acting(), executor, n_trials=3)
    assert limits() == before


def test_thread_limits_are_as_before_after_two_searches_at_once():
    before = limits()
    first_runs = threading.Event()
    callbacks = [lambda study, trial: first_runs.set()]
    first = threading.Thread(
        target=search,
        args=(Acting(action=Sleep(0.02)), "threads"),
        kwargs={"callbacks": callbacks},
    )
    first.start()
    assert first_runs.wait(60)
    search(Acting(action=Sleep(0.02)), "threads", n_trials=60)  # outlasts the first
    first.join()
    assert limits() == before


@pytest.mark.timeout(60)
def test_parallel_fits_in_two_threads_keep_apart():
    # A backend that both threads share used to lose tasks, and so wait for ever.
    search(Acting(action=count_processes), "threads", n_trials=60, max_pending=8)


@pytest.mark.parametrize("executor", PARALLEL)
def test_parallel_fits_inside_start_no_further_processes(executor):
    action = count_processes
    found = search(Acting(action=action), executor, scoring=n_processes, n_trials=3)
    assert set(found.cv_results_["mean_test_score"]) == {1}


@pytest.mark.parametrize("executor", PARALLEL)
def test_fits_run_at_once_and_where_they_should(executor, tmp_path):
    notes = Both(Note(str(tmp_path / "notes")), Sleep(0.05))
    search(Acting(action=notes), executor, n_trials=12)
    pids = {int(line.split()[0]) for line in (tmp_path / "notes").read_text().splitlines()}
    assert (os.getpid() in pids) == (executor == "threads")
    assert len(pids) == (1 if executor == "threads" else 2)


@pytest.mark.parametrize("executor", ["threads", "batches"])
def test_trial_timeout_is_refused_before_the_first_fit(executor, tmp_path):
    action = Note(str(tmp_path / "notes"))
    with pytest.raises(ValueError, match=r"trial_timeout=5 needs worker processes.*loky"):
        search(Acting(action=action), executor, trial_timeout=5)
    assert not (tmp_path / "notes").exists()


def test_n_jobs_comes_from_the_active_backend():
    with joblib.parallel_config("loky", n_jobs=2):
        assert (choose_backend(None, None).kind, choose_backend(None, None).n_jobs) == (
            "processes",
            2,
        )
        assert choose_backend(1, None).kind == "sequential"
    with joblib.parallel_config("threading", n_jobs=3, inner_max_num_threads=None):
        assert choose_backend(None, None).kind == "threads"
    with joblib.parallel_config("loky", n_jobs=2, inner_max_num_threads=5):
        assert choose_backend(None, None).inner_threads == 5
    assert choose_backend(None, None).kind == "sequential"


def test_threads_end_with_the_search():
    before = threading.active_count()
    search(Acting(), "threads")
    assert eventually(lambda: threading.active_count() <= before)
