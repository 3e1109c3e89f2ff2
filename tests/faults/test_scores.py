"""Scores that are not finite."""

import math
import warnings

import joblib
import numpy as np
import pytest
from scipy.stats import uniform

from optunasearch import OptunaSearchCV
from tests.execution.estimators import ROWS, Acting, At, Raise

PLACES = {"in-process": ("loky", 1), "threads": ("threading", 2), "processes": ("loky", 2)}


def search(scores, place="in-process", **settings):
    """Search over the positions of some scores."""

    def scoring(model, X, y=None):
        return float(scores[model.x])

    backend, n_jobs = PLACES[place]
    space = {"x": list(range(len(scores)))}
    settings = {"sampler": "grid", "cv": 2, "scoring": scoring, "n_jobs": n_jobs} | settings
    with joblib.parallel_config(backend), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return OptunaSearchCV(Acting(), space, **settings).fit(ROWS)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ([math.nan, 1.0, 2.0], 2),
        ([math.inf, 1.0, 2.0], 2),
        ([-math.inf, -5.0, math.nan], 1),
        ([math.inf, math.nan, -math.inf, 0.0, -1.0], 3),
    ],
)
def test_what_is_not_finite_is_never_best(scores, best, place):
    found = search(scores, place)
    assert found.best_index_ == best
    assert found.best_score_ == scores[best]
    assert found.study_.best_trial.number == best
    np.testing.assert_array_equal(found.cv_results_["mean_test_score"], scores)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_if_none_is_finite_the_first_is_taken(value):
    found = search([value] * 3)
    assert found.best_index_ == 0
    np.testing.assert_array_equal(found.cv_results_["rank_test_score"], [1, 1, 1])


def test_one_fold_that_is_not_finite_spoils_its_trial():
    def scoring(model, X, y=None):
        return math.inf if model.x == 1 and X[0, 0] == ROWS[0, 0] else float(model.x)

    assert search([0, 1, 0.5], scoring=scoring).best_index_ == 2
    found = search([0, 1], scoring=scoring)
    assert found.best_index_ == 0


@pytest.mark.parametrize("sampler", ["tpe", "random", "cmaes", "nsga2", "qmc"])
def test_samplers_live_with_scores_that_are_not_finite(sampler):
    def scoring(model, X, y=None):
        return [math.nan, math.inf, -math.inf, 1.0][int(model.x * 4) % 4] - model.x

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = OptunaSearchCV(
            Acting(),
            {"x": uniform(0, 1)},
            scoring=scoring,
            sampler=sampler,
            n_trials=30,
            cv=2,
            random_state=0,
        ).fit(ROWS)
    assert math.isfinite(found.best_score_)
    assert found.best_params_["x"] >= 0.75
    assert found.n_trials_ == 30


@pytest.mark.parametrize("place", PLACES)
def test_all_fits_failing_is_scikit_learns_error(place):
    backend, n_jobs = PLACES[place]
    action = At((0, 1, 2), Raise(ZeroDivisionError, ("1/0",)))
    search = OptunaSearchCV(Acting(action=action), {"x": [0, 1, 2]}, cv=2, n_jobs=n_jobs)
    with (
        joblib.parallel_config(backend),
        pytest.raises(ValueError, match="(?s)All the 6 fits failed.*ZeroDivisionError"),
    ):
        search.fit(ROWS)
