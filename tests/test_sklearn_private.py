"""Every private name of scikit-learn in use, with its signature: an upgrade fails here first."""

import inspect
from pathlib import Path

import numpy as np
import pytest
from sklearn.callback import CallbackContext
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import check_scoring

import optunasearch
from optunasearch import OptunaSearchCV, _sklearn

SEARCH_PARAMETERS = (
    "estimator, *, scoring=None, n_jobs=None, refit=True, cv=None, verbose=0, "
    "pre_dispatch='2*n_jobs', error_score=nan, return_train_score=True"
)
ARRAY_TYPES = "remove_none=True, remove_types=(<class 'str'>, <class 'list'>, <class 'tuple'>)"
SIGNATURES = {
    "BaseSearchCV": SEARCH_PARAMETERS,
    "HasMethods": "methods",
    "Interval": "type, left, right, *, closed",
    "StrOptions": "options, *, deprecated=None",
    "_BaseScorer": "score_func, sign, kwargs, response_method='predict'",
    "_MultimetricScorer": "*, scorers, raise_exc=True",
    "_check_method_params": "X, params, indices=None",
    "_fit_context": "*, prefer_skip_nested_validation",
    "_insert_error_scores": "results, error_score",
    "_num_samples": "x",
    "_safe_split": "estimator, X, y, indices, train_indices=None",
    "_score": "estimator, X_test, y_test, scorer, score_params, error_score='raise'",
    "_warn_or_raise_about_fit_failures": "results, error_score",
    "device": f"*array_list, {ARRAY_TYPES}",
    "get_namespace": f"*arrays, {ARRAY_TYPES}, xp=None",
}
# Of the classes that we subclass or get handed.
METHODS = {
    "_check_refit_for_multimetric": "self, scores",
    "_format_results": "self, candidate_params, n_splits, out, more_results=None",
    "_get_routed_params_for_fit": "self, params",
    "_get_scorers": "self",
    "_init_callback_context": (
        "self, task_name='fit', task_id=0, max_subtasks=0, sequential_subtasks=True"
    ),
    "_select_best_index": "refit, refit_metric, results",
}
CONTEXT_METHODS = {
    "call_on_fit_task_begin": (
        "self, *, estimator, X=None, y=None, metadata=None, reconstruction_attributes=None"
    ),
    "call_on_fit_task_end": (
        "self, *, estimator, X=None, y=None, metadata=None, reconstruction_attributes=None"
    ),
    "propagate_callback_context": "self, sub_estimator",
    "subcontext": "self, task_name='', task_id=None, max_subtasks=0, sequential_subtasks=True",
}


def signature(function):
    return str(inspect.signature(function))[1:-1]


def test_each_name_is_asserted_here():
    assert set(_sklearn.__all__) == {
        *(*SIGNATURES, "detached", "first_iterations", "response_methods")
    }


@pytest.mark.parametrize("name", SIGNATURES)
def test_signature(name):
    assert signature(getattr(_sklearn, name)) == SIGNATURES[name]


def test_a_boosted_model_as_it_was():
    X, y = np.arange(60.0)[:, None], np.arange(60.0) % 7
    model = HistGradientBoostingRegressor(max_iter=5, random_state=0).fit(X, y)
    shorter = HistGradientBoostingRegressor(max_iter=3, random_state=0).fit(X, y)
    assert len(model._predictors) == 5
    np.testing.assert_array_equal(
        _sklearn.first_iterations(model, 3).predict(X), shorter.predict(X)
    )


@pytest.mark.parametrize("name", METHODS)
def test_method_of_the_search(name):
    assert signature(getattr(_sklearn.BaseSearchCV, name)) == METHODS[name]


@pytest.mark.parametrize("name", CONTEXT_METHODS)
def test_method_of_a_callback_context(name):
    assert signature(getattr(CallbackContext, name)) == CONTEXT_METHODS[name]


@pytest.mark.parametrize(
    "name", sorted({*(*SIGNATURES, "detached", "first_iterations", "response_methods")})
)
def test_each_name_is_used(name):
    modules = Path(optunasearch.__file__).parent.rglob("*.py")
    users = [m for m in modules if m.name != "_sklearn.py" and name in m.read_text()]
    assert users, f"nobody needs {name} any more"


def test_attributes_of_scorers():
    scorer = check_scoring(LogisticRegression(), "accuracy")
    assert isinstance(scorer, _sklearn._BaseScorer)
    assert callable(scorer._score_func)
    assert scorer._kwargs == {}
    several = check_scoring(LogisticRegression(), ["accuracy", "recall"])
    assert isinstance(several, _sklearn._MultimetricScorer)
    assert list(several._scorers) == ["accuracy", "recall"]


def test_methods_that_scorers_ask_for():
    model = LogisticRegression()
    assert _sklearn.response_methods(check_scoring(model, "accuracy")) == ("predict",)
    assert _sklearn.response_methods(check_scoring(model, "neg_log_loss")) == ("predict_proba",)
    both = ("decision_function", "predict_proba")
    assert _sklearn.response_methods(check_scoring(model, "roc_auc")) == both
    assert _sklearn.response_methods(check_scoring(model)) == ("predict",)
    several = check_scoring(model, ["accuracy", "roc_auc"])
    assert _sklearn.response_methods(several) == ("predict", *both)
    several = check_scoring(model, {"a": "accuracy", "own": lambda estimator, X, y: 0.0})
    assert _sklearn.response_methods(several) == ()


def test_a_scorer_of_several_calls_the_score_method_of_each():
    # optunasearch.metrics overrides it.
    class Scorer(_sklearn._BaseScorer):
        def _score(self, method_caller, estimator, X, y_true, **kwargs):
            return method_caller(estimator, "predict", X).sum()

    X, y = np.array([[0.0], [1.0]] * 5), np.array([0, 1] * 5)
    several = _sklearn._MultimetricScorer(scorers={"sum": Scorer(None, 1, {})})
    assert several(LogisticRegression().fit(X, y), X, y) == {"sum": 5}


def test_attributes_of_estimators_with_callbacks():
    class Callback:
        def setup(self, estimator, context):
            pass

        teardown = on_fit_task_begin = on_fit_task_end = setup

    search = OptunaSearchCV(LogisticRegression(), {})
    assert not hasattr(search, "_skl_callbacks")
    assert len(search.set_callbacks(Callback())._skl_callbacks) == 1


def test_attributes_of_callback_contexts():
    root = OptunaSearchCV(LogisticRegression(), {})._init_callback_context(max_subtasks=1)
    child = root.subcontext("child")
    assert child.parent is root
    assert root.parent is None
    assert root._children_map == {child.task_id: child}


def test_what_a_search_validates_is_declared_by_name():
    inherited = _sklearn.BaseSearchCV._parameter_constraints
    assert inherited.keys() <= OptunaSearchCV._parameter_constraints.keys()
    own = set(inspect.signature(OptunaSearchCV).parameters)
    assert own == OptunaSearchCV._parameter_constraints.keys()
