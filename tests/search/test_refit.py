"""`refit` as a bool, a name or a callable."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from optunasearch import OptunaSearchCV
from optunasearch.selection import OneStandardError
from tests.search.estimators import CountedNB

GRID = {"max_depth": [1, 2, 5]}


def make_search(**arguments):
    tree = DecisionTreeClassifier(random_state=0)
    return OptunaSearchCV(tree, GRID, cv=2, calibration=None, **arguments)


def test_the_best_estimator_is_fitted_on_all_rows(classification):
    search = make_search().fit(*classification)
    expected = DecisionTreeClassifier(random_state=0, **search.best_params_).fit(*classification)
    np.testing.assert_array_equal(
        search.predict_proba(classification[0]), expected.predict_proba(classification[0])
    )
    assert search.refit_time_ > 0
    assert search.classes_.tolist() == [0, 1]
    assert search.n_features_in_ == 4


def test_without_refit_there_is_a_best_candidate_and_no_estimator(classification):
    search = make_search(refit=False).fit(*classification)
    assert search.best_params_ == search.cv_results_["params"][search.best_index_]
    assert search.best_score_ == search.cv_results_["mean_test_score"].max()
    assert not hasattr(search, "best_estimator_")
    assert not hasattr(search, "refit_time_")
    with pytest.raises(AttributeError, match="predict") as caught:
        search.predict(classification[0])
    assert "refit=False" in str(caught.value.__cause__)
    with pytest.raises((AttributeError, NotFittedError), match="refit=False"):
        search.score(*classification)


@pytest.mark.parametrize("metric", ["accuracy", "loss"])
def test_a_name_decides_among_several_metrics(classification, metric):
    scoring = {"accuracy": "accuracy", "loss": "neg_log_loss"}
    search = make_search(scoring=scoring, refit=metric).fit(*classification)
    means = search.cv_results_[f"mean_test_{metric}"]
    assert search.best_index_ == means.argmax()
    assert search.best_score_ == means.max()
    assert search.study_.metric_names == [f"mean_test_{metric}"]
    assert search.study_.best_trial.number == search.best_index_
    assert set(search.scorer_) == {"accuracy", "loss"}
    expected = search.scorer_[metric](search.best_estimator_, *classification)
    assert search.score(*classification) == expected


def test_several_metrics_without_refit_have_no_best_candidate(classification):
    search = make_search(scoring=["accuracy", "f1"], refit=False).fit(*classification)
    for name in ("best_index_", "best_params_", "best_score_"):
        assert not hasattr(search, name)
    assert search.study_.metric_names == ["mean_test_accuracy"]


@pytest.mark.parametrize("refit", [True, "recall", "score"])
def test_several_metrics_need_the_name_of_one(classification, refit):
    search = make_search(scoring=["accuracy", "f1"], refit=refit)
    with pytest.raises(ValueError, match="refit"):
        search.fit(*classification)


@pytest.mark.parametrize(
    ("refit", "error", "message"),
    [
        (OneStandardError, TypeError, "the class OneStandardError. Pass an instance"),
        (OneStandardError("depth"), ValueError, "'depth'.*'var_smoothing'"),
        (OneStandardError("var_smoothing", "auc"), ValueError, "metric='auc'.*'score'"),
    ],
)
def test_a_wrong_rule_is_refused_at_once(classification, n_fits, refit, error, message):
    with pytest.raises(error, match=message):
        OptunaSearchCV(CountedNB(), {"var_smoothing": [1e-9]}, refit=refit).fit(*classification)
    assert n_fits() == 0


def test_a_callable_chooses_the_row(classification):
    seen = []

    def last(results):
        seen.append(results)
        return len(results["params"]) - 1

    search = make_search(refit=last).fit(*classification)
    assert search.best_index_ == 2
    assert search.best_params_ == {"max_depth": 5}
    assert search.best_estimator_.max_depth == 5
    assert not hasattr(search, "best_score_")
    assert seen == [search.cv_results_]


def test_a_callable_may_choose_among_several_metrics(classification):
    def least_spread(results):
        return results["std_test_f1"].argmin()

    search = make_search(scoring=["accuracy", "f1"], refit=least_spread).fit(*classification)
    assert search.best_index_ == search.cv_results_["std_test_f1"].argmin()
    assert search.study_.metric_names == ["mean_test_accuracy"]


@pytest.mark.parametrize(
    ("index", "error", "message"),
    [
        ("0", TypeError, "best_index_ returned is not an integer"),
        (1.0, TypeError, "best_index_ returned is not an integer"),
        (3, IndexError, "best_index_ index out of range"),
        (-1, IndexError, "best_index_ index out of range"),
    ],
)
def test_a_callable_that_returns_no_row_is_an_error(classification, index, error, message):
    with pytest.raises(error, match=message):
        make_search(refit=lambda results: index).fit(*classification)


def test_estimators_in_the_space_are_cloned_before_the_refit(classification):
    scalers = [StandardScaler(), MinMaxScaler()]
    pipeline = Pipeline([("scale", None), ("classify", LogisticRegression())])
    search = OptunaSearchCV(pipeline, {"scale": scalers}, cv=2).fit(*classification)
    fitted = search.best_estimator_.named_steps["scale"]
    assert hasattr(fitted, "scale_")
    for scaler in scalers:
        assert fitted is not scaler
        assert vars(scaler) == vars(clone(scaler))
    assert search.best_params_["scale"] in scalers


def test_the_step_and_its_parameters_are_set_together(classification):
    pipeline = Pipeline([("scale", StandardScaler()), ("classify", LogisticRegression())])
    space = {"classify": [DecisionTreeClassifier(random_state=0)], "classify__max_depth": [1, 3]}
    search = OptunaSearchCV(pipeline, space, cv=2).fit(*classification)
    theirs = GridSearchCV(pipeline, space, cv=2).fit(*classification)
    assert search.best_params_ == theirs.best_params_
    chosen = search.best_estimator_.named_steps["classify"]
    assert chosen.max_depth == search.best_params_["classify__max_depth"]


def test_a_refit_that_fails_raises(classification):
    class FailsOnAllRows(DecisionTreeClassifier):
        def fit(self, X, y):
            if len(X) == 60:
                raise MemoryError("too many rows")
            return super().fit(X, y)

    search = OptunaSearchCV(FailsOnAllRows(), GRID, cv=2)
    with pytest.raises(MemoryError, match="too many rows"):
        search.fit(*classification)
    assert len(search.cv_results_["params"]) == 3
    assert not hasattr(search, "best_estimator_")
