"""Fits that take their process along, and workers that somebody kills."""

import os
import random
import signal
import threading

import numpy as np
import pytest
from sklearn.exceptions import FitFailedWarning

from optunasearch import OptunaSearchCV
from optunasearch.exceptions import WorkerDiedError
from optunasearch.execution._slots import warm_slots
from tests.execution.estimators import (
    LABELS,
    ROWS,
    Acting,
    At,
    Raise,
    Sleep,
    die,
    times_aside,
)


def search(action, n_jobs=2, **settings):
    settings = {"sampler": "tpe", "random_state": 0, "cv": 3, "refit": False} | settings
    space = settings.pop("space", {"x": list(range(40))})
    estimator = Acting(action=action)
    return OptunaSearchCV(estimator, space, n_jobs=n_jobs, **settings).fit(ROWS, LABELS)


class Killer(threading.Thread):
    """Kills a worker that is at work, again and again at random moments."""

    def __init__(self, pause):
        super().__init__()
        self.n_killed = 0
        self._pause = pause
        self._stopped = threading.Event()

    def run(self):
        chance = random.SystemRandom()
        while not self._stopped.wait(chance.uniform(0.5, 1.5) * self._pause):
            busy = [slot for slot in list(warm_slots._used) if slot.task is not None]
            if busy:
                os.kill(chance.choice(busy).process.pid, signal.SIGKILL)
                self.n_killed += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc_info):
        self._stopped.set()
        self.join()


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"trial_timeout": 600}], ids=["cold", "isolated"])
def test_killed_workers_change_nothing(settings):
    settings = {"n_trials": 60, "max_pending": 4, **settings}
    undisturbed = search(None, n_jobs=1, **settings)
    with Killer(pause=1.5) as killer:
        disturbed = search(Sleep(0.1), **settings)
    assert killer.n_killed >= 1
    assert disturbed.trials_["error"] == [None] * 60
    np.testing.assert_equal(
        times_aside(disturbed.cv_results_), times_aside(undisturbed.cv_results_)
    )


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_fit_that_kills_its_process_fails_its_trial_alone(n_jobs):
    space = {"x": list(range(8))}
    settings = {"trial_timeout": 600, "space": space, "sampler": "grid", "n_jobs": n_jobs}
    with (
        pytest.warns(FitFailedWarning, match="WorkerDiedError.*signal 9"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        found = search(At((3,), die), **settings)
    undisturbed = search(None, n_jobs=1, space=space, sampler="grid")
    scores = found.cv_results_["mean_test_score"]
    assert np.isnan(scores[3])
    others = [0, 1, 2, 4, 5, 6, 7]
    np.testing.assert_array_equal(
        scores[others], undisturbed.cv_results_["mean_test_score"][others]
    )
    assert found.trials_["status"].count("failed") == 1
    assert "signal 9" in found.trials_["error"][3]
    assert found.best_params_ == {"x": 0}


@pytest.mark.slow
def test_with_raise_the_error_says_which_trial():
    with pytest.raises(WorkerDiedError, match="signal 9") as caught:
        search(
            At((3,), die),
            trial_timeout=600,
            space={"x": list(range(8))},
            sampler="grid",
            error_score="raise",
        )
    notes = "\n".join(caught.value.__notes__)
    assert "trial 3" in notes
    assert "fold" in notes
    assert "{'x': 3}" in notes


def run_out_of_memory(model):
    np.zeros((10**7, 10**7))


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("action", [run_out_of_memory, Raise(MemoryError)])
def test_running_out_of_memory_fails_the_fit(action, n_jobs):
    with (
        pytest.warns(FitFailedWarning, match="MemoryError"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        found = search(At((2,), action), space={"x": [1, 2, 3]}, sampler="grid", n_jobs=n_jobs)
    assert np.isnan(found.cv_results_["mean_test_score"]).tolist() == [False, True, False]


@pytest.mark.slow
def test_running_out_of_memory_in_a_worker_keeps_its_type():
    with pytest.raises(MemoryError, match="Unable to allocate"):
        search(run_out_of_memory, trial_timeout=600, error_score="raise", space={"x": [1, 2]})
