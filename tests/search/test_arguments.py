"""Wrong arguments are errors before the first fit."""

import pytest
from optuna.distributions import FloatDistribution, UniformDistribution

from optunasearch import OptunaSearchCV
from tests.search.estimators import CountedNB

GRID = {"var_smoothing": [1e-9, 1e-2]}
RANGE = {"var_smoothing": FloatDistribution(1e-9, 1.0)}


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n_trials": 0}, ValueError, "'n_trials' parameter of OptunaSearchCV"),
        ({"n_trials": 2.5}, ValueError, "'n_trials' parameter"),
        ({"timeout": 0}, ValueError, "'timeout' parameter"),
        ({"timeout": "1h"}, ValueError, "'timeout' parameter"),
        ({"trial_timeout": -1}, ValueError, "'trial_timeout' parameter"),
        ({"patience": 0}, ValueError, "'patience' parameter"),
        ({"max_pending": 0}, ValueError, "'max_pending' parameter"),
        ({"sampler": "annealing"}, ValueError, "'sampler' parameter.*'tpe'"),
        ({"sampler": 3}, ValueError, "'sampler' parameter"),
        ({"initial_params": "defaults"}, ValueError, "'initial_params' parameter"),
        ({"initial_params": 3}, ValueError, "'initial_params' parameter"),
        ({"objectives": "recall"}, ValueError, "'objectives' parameter"),
        ({"constraints": ["recall"]}, ValueError, "'constraints' parameter"),
        ({"callbacks": print}, ValueError, "'callbacks' parameter"),
        ({"callbacks": [3]}, TypeError, "callbacks.*got 3"),
        ({"reuse_duplicates": "yes"}, ValueError, "'reuse_duplicates' parameter"),
        ({"reuse_transforms": None}, ValueError, "'reuse_transforms' parameter"),
        ({"error_score": "ignore"}, ValueError, "'error_score' parameter"),
        ({"random_state": "seed"}, ValueError, "'random_state' parameter"),
        ({"verbose": -1}, ValueError, "'verbose' parameter"),
        ({"refit": 3.5}, ValueError, "'refit' parameter"),
        ({"cv": 1}, ValueError, "'cv' parameter"),
        ({"cv": "kfold"}, ValueError, "'cv' parameter"),
        ({"scoring": "precise"}, ValueError, "'scoring' parameter"),
        ({"scoring": ["accuracy", "accuracy"], "refit": "accuracy"}, ValueError, "Duplicate"),
        ({"scoring": ["accuracy", "f1"]}, ValueError, "refit must be set to a scorer key"),
        ({"scoring": ["accuracy"], "refit": "f1"}, ValueError, "refit must be set to a scorer"),
        ({"objectives": ["recall", "speed"]}, ValueError, "'speed' in objectives"),
        ({"objectives": ["recall", "recall"]}, ValueError, "objectives must differ"),
        ({"objectives": ["recall"], "refit": "f1"}, ValueError, "refit must be set to a scorer"),
        ({"constraints": {"speed": 1.0}}, ValueError, "'speed' in objectives or constraints"),
        ({"constraints": {"recall": "high"}}, ValueError, "constraints.*'recall'.*'high'"),
        ({"constraints": {"recall": float("nan")}}, ValueError, "constraints.*'recall'.*nan"),
        ({"constraints": {"sensitivity": 95}}, ValueError, "between 0 and 1, got 95; 95 % is 0.95"),
        (
            {"objectives": ["recall", "f1"], "sampler": "cmaes"},
            ValueError,
            "sampler='cmaes' takes one objective",
        ),
    ],
)
def test_a_wrong_argument(classification, n_fits, arguments, error, message):
    search = OptunaSearchCV(CountedNB(), RANGE, **arguments)
    with pytest.raises(error, match=message):
        search.fit(*classification)
    assert n_fits() == 0


@pytest.mark.parametrize(
    ("space", "error", "message"),
    [
        (3, TypeError, "must be a dict, a list of dicts or a callable"),
        ([], TypeError, "non-empty list of dicts"),
        ([3], TypeError, "list of dicts"),
        ({"smoothing": [1.0]}, ValueError, r"Invalid parameter 'smoothing'.*var_smoothing"),
        ({"var_smoothing": []}, ValueError, "'var_smoothing': got an empty list"),
        ({"var_smoothing": 1.0}, TypeError, "'var_smoothing'.*got 1.0"),
        ({"var_smoothing": "log"}, TypeError, "'var_smoothing'.*got 'log'"),
        ({3: [1.0]}, TypeError, "must be strings"),
        (lambda trial: 3, TypeError, "must return a dict"),
        (lambda trial: {"smoothing": 1.0}, ValueError, "Invalid parameter 'smoothing'"),
    ],
)
def test_a_wrong_space(classification, n_fits, space, error, message):
    with pytest.raises(error, match=message):
        OptunaSearchCV(CountedNB(), space, n_trials=3).fit(*classification)
    assert n_fits() == 0


def test_a_deprecated_distribution(classification, n_fits):
    with pytest.warns(FutureWarning):
        deprecated = UniformDistribution(0.1, 1.0)
    with pytest.raises(ValueError, match=r"'var_smoothing'.*FloatDistribution\(low, high\)"):
        OptunaSearchCV(CountedNB(), {"var_smoothing": deprecated}).fit(*classification)
    assert n_fits() == 0


@pytest.mark.parametrize("space", [RANGE, lambda trial: {}])
def test_a_grid_needs_points(classification, n_fits, space):
    with pytest.raises(ValueError, match="sampler='grid' needs"):
        OptunaSearchCV(CountedNB(), space, sampler="grid").fit(*classification)
    assert n_fits() == 0


def test_pre_dispatch_is_taken_and_ignored(classification):
    search = OptunaSearchCV(CountedNB(), GRID, cv=2, pre_dispatch="nonsense * n_jobs")
    assert search.fit(*classification).n_trials_ == 2


def test_an_estimator_without_score_needs_scoring():
    class NoScore:
        def get_params(self, deep=True):
            return {"a": 1}

        def fit(self, X, y):
            raise AssertionError

    with pytest.raises(TypeError, match="'score' method"):
        OptunaSearchCV(NoScore(), {"a": [1]}).fit([[1], [2]], [0, 1])
