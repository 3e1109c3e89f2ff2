"""`timeout` for a search, `trial_timeout` for a trial."""

import time
from contextlib import ExitStack

import joblib
import numpy as np
import pytest
from sklearn.exceptions import FitFailedWarning

from optunasearch import OptunaSearchCV
from optunasearch.exceptions import SearchTimeoutError, TrialTimeoutError
from tests.execution.estimators import LABELS, ROWS, Acting, At, Sleep

HANGS = (2, 5)


def warns_of(text):
    """Expect the summary of failed fits, and scikit-learn's word on NaN scores."""
    stack = ExitStack()
    stack.enter_context(pytest.warns(FitFailedWarning, match=text))
    stack.enter_context(pytest.warns(UserWarning, match="non-finite"))
    return stack


def make_search(action, **settings):
    settings = {"sampler": "grid", "cv": 2} | settings
    return OptunaSearchCV(Acting(action=action), {"x": list(range(8))}, **settings)


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_hanging_trials_fail_and_no_others(n_jobs):
    search = make_search(At(HANGS, Sleep(60)), trial_timeout=2.0, n_jobs=n_jobs)
    with warns_of(r"TrialTimeoutError.*trial_timeout=2\.0"):
        search.fit(ROWS, LABELS)
    expected = OptunaSearchCV(Acting(), {"x": list(range(8))}, cv=2, refit=False)
    scores = search.cv_results_["mean_test_score"]
    finite = [x for x in range(8) if x not in HANGS]
    assert np.flatnonzero(np.isnan(scores)).tolist() == list(HANGS)
    np.testing.assert_array_equal(
        scores[finite],
        expected.fit(ROWS, LABELS).cv_results_["mean_test_score"][finite],
    )
    assert search.best_params_ == {"x": 0}
    assert search.predict(ROWS).shape == (30,)


@pytest.mark.slow
def test_with_raise_the_error_says_which_trial():
    search = make_search(At(HANGS, Sleep(60)), trial_timeout=1.0, error_score="raise", n_jobs=2)
    with pytest.raises(TrialTimeoutError, match="trial_timeout=1") as caught:
        search.fit(ROWS, LABELS)
    notes = "\n".join(caught.value.__notes__)
    assert "trial 2" in notes
    assert "fold" in notes
    assert "{'x': 2}" in notes


@pytest.mark.slow
def test_a_fold_that_came_back_counts_even_if_its_trial_is_late():
    def scoring(model, X, y=None):
        if model.x == 1 and X[0, 0] == ROWS[15, 0]:  # the second fold's test rows
            time.sleep(60)
        return {"a": float(model.x), "b": 1.0}

    search = OptunaSearchCV(
        Acting(), {"x": [0, 1, 2]}, scoring=scoring, refit="a", cv=2, trial_timeout=3.0
    )
    with warns_of("TrialTimeoutError"):
        search.fit(ROWS)
    assert search.best_params_ == {"x": 2}
    assert np.isnan(search.cv_results_["mean_test_a"]).tolist() == [False, True, False]
    assert np.isnan(search.cv_results_["mean_test_b"]).tolist() == [False, True, False]


def test_threads_refuse_trial_timeout_before_the_first_fit():
    search = make_search(Sleep(60), trial_timeout=1.0, n_jobs=2)
    with (
        joblib.parallel_config("threading"),
        pytest.raises(ValueError, match=r"trial_timeout=1\.0 needs worker processes"),
    ):
        search.fit(ROWS, LABELS)


PLACES = {
    "in-process": ("loky", {"n_jobs": 1}),
    "threads": ("threading", {"n_jobs": 2}),
    "processes": ("loky", {"n_jobs": 2}),
    "isolated": ("loky", {"n_jobs": None, "trial_timeout": 600}),
}


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_the_timeout_leaves_a_usable_search(place, no_slots):
    backend, settings = PLACES[place]
    timeout = 20.0 if place == "isolated" else 3.0
    # The refit finds the value 0, which is quick.
    estimator = Acting(action=At((0,), None, Sleep(0.2)))
    search = OptunaSearchCV(
        estimator, {"x": list(range(1000))}, sampler="grid", cv=2, timeout=timeout, **settings
    )
    with joblib.parallel_config(backend):
        search.fit(ROWS, LABELS)
    assert 0 < search.n_trials_ < 1000
    assert search.n_trials_ == len(search.cv_results_["params"])
    assert search.best_params_ == {"x": 0}
    assert search.predict(ROWS).shape == (30,)
    assert len(search.trials_["status"]) == len(search.study_.trials) >= search.n_trials_
    assert set(search.trials_["status"]) <= {"complete", "unfinished"}


@pytest.mark.slow
def test_a_long_fit_does_not_hold_up_the_timeout(no_slots):
    search = OptunaSearchCV(
        Acting(action=At((0, 1), None, Sleep(600))),
        {"x": list(range(100))},
        sampler="grid",
        cv=2,
        timeout=4.0,
        n_jobs=2,
    )
    search.fit(ROWS, LABELS)
    assert search.n_trials_ == 2
    assert "unfinished" in search.trials_["status"]


@pytest.mark.parametrize("place", ["threads", "processes"])
def test_without_a_finished_trial_it_is_an_error_that_says_so(place, no_slots):
    backend, settings = PLACES[place]
    search = OptunaSearchCV(
        Acting(action=Sleep(5)), {"x": [1, 2, 3]}, cv=2, timeout=0.3, **settings
    )
    with (
        joblib.parallel_config(backend),
        pytest.raises(SearchTimeoutError, match=r"timeout=0\.3 s passed before any"),
    ):
        search.fit(ROWS, LABELS)
    assert not hasattr(search, "cv_results_")


def test_a_search_with_time_to_spare_has_all_its_trials():
    search = OptunaSearchCV(Acting(), {"x": [1, 2, 3]}, cv=2, timeout=600, refit=False)
    assert search.fit(ROWS).n_trials_ == 3
