"""The same seed is the same search, whatever the fits' times."""

import joblib
import numpy as np
import pytest
from sklearn.exceptions import FitFailedWarning

from optunasearch import OptunaSearchCV
from tests.execution.estimators import LABELS, ROWS, Acting, At, Both, Raise, jitter, times_aside

SPACE = {"x": list(range(12))}
FAILING = Both(jitter, At((4,), Raise(ZeroDivisionError, ("1/0",))))


def results(backend, sampler="tpe", **settings):
    search = OptunaSearchCV(
        Acting(action=FAILING),
        SPACE,
        n_trials=30,
        sampler=sampler,
        random_state=3,
        cv=3,
        n_jobs=2,
        refit=False,
        error_score=-1000.0,
        **settings,
    )
    with joblib.parallel_config(backend), pytest.warns(FitFailedWarning):
        return times_aside(search.fit(ROWS, LABELS).cv_results_)


@pytest.mark.parametrize(
    ("backend", "settings"),
    [("threading", {}), ("loky", {}), ("loky", {"trial_timeout": 600})],
    ids=["threads", "processes", "isolated"],
)
@pytest.mark.parametrize(
    "n_runs", [4, pytest.param(20, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_runs_are_identical(backend, settings, n_runs):
    first = results(backend, **settings)
    for _ in range(n_runs - 1):
        np.testing.assert_equal(results(backend, **settings), first)


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc", "nsga2", "cmaes"])
def test_samplers_are_reproducible_on_threads(sampler):
    np.testing.assert_equal(results("threading", sampler), results("threading", sampler))
