"""Every undocumented thing of joblib in use, and what is made of it."""

import inspect
import os

import joblib
import pytest
from joblib._parallel_backends import LokyBackend, ThreadingBackend
from joblib.parallel import ParallelBackendBase, get_active_backend

from optunasearch import _joblib
from optunasearch._joblib import THREAD_LIMITS, active_backend, thread_environment


def parameters(function):
    return list(inspect.signature(function).parameters)


def test_signatures():
    assert parameters(get_active_backend) == ["prefer", "require", "verbose"]
    assert parameters(ParallelBackendBase.effective_n_jobs) == ["self", "n_jobs"]
    assert parameters(ParallelBackendBase.get_nested_backend) == ["self"]
    assert parameters(_joblib.resource_tracker.register) == ["name", "rtype"]
    assert parameters(_joblib.resource_tracker.unregister) == ["name", "rtype"]
    loky = _joblib.get_context("loky")
    assert parameters(loky.Pipe) == ["duplex"]
    assert {"target", "args", "env"} <= set(parameters(loky.Process))


def test_the_thread_limits_are_those_that_joblib_sets():
    assert set(THREAD_LIMITS) == set(LokyBackend.MAX_NUM_THREADS_VARS)


@pytest.mark.parametrize(
    ("backend", "n_jobs", "kind"),
    [
        (None, None, "sequential"),
        (None, 1, "sequential"),
        (None, 2, "processes"),
        ("sequential", 2, "sequential"),
        ("loky", 2, "processes"),
        ("multiprocessing", 2, "processes"),
        ("threading", 2, "threads"),
        ("threading", 1, "sequential"),
    ],
)
def test_the_kind_of_an_active_backend(backend, n_jobs, kind):
    with joblib.parallel_config(**({} if backend is None else {"backend": backend})):
        found = active_backend(n_jobs)
    assert (found.kind, found.n_jobs) == (kind, 2 if kind != "sequential" else 1)


def test_an_unknown_backend_is_another_kind():
    class OwnBackend(ParallelBackendBase):
        def effective_n_jobs(self, n_jobs):
            return 7

    joblib.register_parallel_backend("own", OwnBackend)
    try:
        with joblib.parallel_config("own"):
            found = active_backend(3)
    finally:
        del joblib.parallel.BACKENDS["own"]
    assert (found.kind, found.name, found.n_jobs) == ("other", "OwnBackend", 7)


def test_the_number_of_jobs_is_joblib_s():
    assert active_backend(-1).n_jobs == joblib.cpu_count()
    with joblib.parallel_config("threading", n_jobs=3):
        assert active_backend(None).n_jobs == 3
        assert active_backend(2).n_jobs == 2
    with pytest.raises(ValueError, match="n_jobs == 0"):
        active_backend(0)


def test_threads_are_shared_among_the_jobs():
    cores = joblib.cpu_count()
    assert active_backend(None).inner_threads == cores
    assert active_backend(2).inner_threads == max(cores // 2, 1)
    assert active_backend(10 * cores).inner_threads == 1
    with joblib.parallel_config("loky", inner_max_num_threads=3):
        assert active_backend(2).inner_threads == 3


def test_what_is_nested_runs_as_joblib_would_run_it():
    def nested_kind():
        return active_backend(2).kind, active_backend(None).n_jobs

    for name in ("threading", "loky"):
        with joblib.parallel_config(name):
            nested = active_backend(2).nested
            expected = joblib.Parallel(2)(joblib.delayed(nested_kind)() for _ in range(1))
        with joblib.parallel_config(**nested):
            assert [nested_kind()] == expected


@pytest.mark.parametrize(
    ("environment", "config", "expected"),
    [
        ({}, {}, max(joblib.cpu_count() // 2, 1)),
        ({"OMP_NUM_THREADS": "64"}, {}, max(joblib.cpu_count() // 2, 1)),
        ({"OMP_NUM_THREADS": "1"}, {}, 1),
        ({"OMP_NUM_THREADS": "1"}, {"inner_max_num_threads": 3}, 3),
    ],
)
def test_one_number_of_threads_for_whoever_evaluates(monkeypatch, environment, config, expected):
    for name in THREAD_LIMITS:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with joblib.parallel_config("loky", **config):
        inner_threads = active_backend(2).inner_threads
    assert inner_threads == expected
    assert thread_environment(inner_threads) == dict.fromkeys(THREAD_LIMITS, str(expected))


def test_a_process_has_its_own_environment_and_the_attributes_of_a_slot():
    loky = _joblib.get_context("loky")
    process = loky.Process(target=os._exit, args=(3,), env={"OMP_NUM_THREADS": "1"})
    process.start()
    process.join(30)
    assert (process.exitcode, process.is_alive()) == (3, False)
    assert isinstance(process.sentinel, int)
    assert process.pid != os.getpid()


def test_a_threading_backend_is_told_by_its_class():
    with joblib.parallel_config("threading"):
        assert isinstance(get_active_backend()[0], ThreadingBackend)
