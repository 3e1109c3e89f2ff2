"""`scoring`, and scores and fits that fail."""

import numpy as np
import pytest
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import Ridge
from sklearn.metrics import accuracy_score, f1_score, make_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from optunasearch import OptunaSearchCV
from tests.search.estimators import Adjustable

GRID = {"max_depth": [1, 2, 5]}
FAILURE = ValueError("told to fail")


def two_scores(estimator, X, y):
    predicted = estimator.predict(X)
    return {"a": accuracy_score(y, predicted), "f": f1_score(y, predicted)}


def one_score(estimator, X, y):
    return float(np.mean(estimator.predict(X) == y))


@pytest.mark.parametrize(
    ("scoring", "refit"),
    [
        (one_score, True),
        (make_scorer(f1_score), True),
        (two_scores, "f"),
        (two_scores, False),
        (["accuracy", "f1"], "f1"),
        (("accuracy", "f1"), "accuracy"),
        ({"own": one_score, "f": make_scorer(f1_score)}, "own"),
    ],
)
def test_every_kind_of_scoring_equals_gridsearchcv(
    classification, assert_same_results, scoring, refit
):
    tree = DecisionTreeClassifier(random_state=0)
    arguments = {"scoring": scoring, "refit": refit, "cv": 2, "return_train_score": True}
    theirs = GridSearchCV(tree, GRID, **arguments).fit(*classification)
    ours = OptunaSearchCV(tree, GRID, **arguments).fit(*classification)
    assert_same_results(ours.cv_results_, theirs.cv_results_)
    assert ours.multimetric_ == theirs.multimetric_
    assert type(ours.scorer_) is type(theirs.scorer_)
    if refit:
        assert ours.best_index_ == theirs.best_index_
        assert ours.score(*classification) == theirs.score(*classification)


def test_a_callable_that_returns_several_scores_optimises_the_named_one(classification):
    tree = DecisionTreeClassifier(random_state=0)
    search = OptunaSearchCV(tree, GRID, scoring=two_scores, refit="f", cv=2).fit(*classification)
    assert [t.value for t in search.study_.trials] == search.cv_results_["mean_test_f"].tolist()
    unnamed = OptunaSearchCV(tree, GRID, scoring=two_scores, refit=False, cv=2)
    unnamed.fit(*classification)
    expected = unnamed.cv_results_["mean_test_a"].tolist()
    assert [t.value for t in unnamed.study_.trials] == expected


def test_a_callable_that_returns_several_scores_needs_refits_name(classification):
    search = OptunaSearchCV(DecisionTreeClassifier(), GRID, scoring=two_scores, cv=2)
    with pytest.raises(ValueError, match="refit must be set to a scorer key"):
        search.fit(*classification)


def test_a_loss_is_maximised_in_scikit_learns_sign(regression):
    search = OptunaSearchCV(
        Ridge(), {"alpha": [0.01, 100.0]}, scoring="neg_mean_squared_error", cv=2
    ).fit(*regression)
    assert search.best_params_ == {"alpha": 0.01}
    assert search.study_.best_value == search.best_score_ < 0


@pytest.mark.parametrize("error_score", [np.nan, -1.0, 0])
def test_a_failed_fit_gets_the_error_score_and_one_warning(classification, error_score):
    space = {"error": [None, FAILURE], "value": [0.5, 0.25]}
    arguments = {"cv": 3, "error_score": error_score, "return_train_score": True}
    search = OptunaSearchCV(Adjustable(), space, **arguments)
    message = "6 fits failed out of a total of 12"
    with pytest.warns() as caught:
        search.fit(*classification)
    assert [w.category for w in caught].count(FitFailedWarning) == 1
    assert message in str(caught[0].message)
    assert "told to fail" in str(caught[0].message)
    assert len(caught) == (3 if np.isnan(error_score) else 1)  # test and train non-finite
    results = search.cv_results_
    np.testing.assert_array_equal(results["mean_test_score"], [0.5, 0.25, *[error_score] * 2])
    np.testing.assert_array_equal(results["mean_train_score"], [0.5, 0.25, *[error_score] * 2])
    assert results["mean_score_time"][2:].tolist() == [0.0, 0.0]
    assert search.best_params_ == {"error": None, "value": 0.5}


def test_all_fits_failing_is_an_error_that_says_so(classification):
    search = OptunaSearchCV(Adjustable(error=FAILURE), {"value": [0.1, 0.2]}, cv=3)
    with pytest.raises(ValueError, match="All the 6 fits failed"):
        search.fit(*classification)


@pytest.mark.parametrize("error", [KeyError("no such key"), ZeroDivisionError("oops")])
def test_with_raise_the_exception_keeps_its_type_and_says_where(classification, error):
    space = {"error": [None, error]}
    search = OptunaSearchCV(Adjustable(), space, cv=2, error_score="raise")
    with pytest.raises(type(error)) as caught:
        search.fit(*classification)
    assert caught.value.args == error.args
    assert caught.value.__notes__ == [f"trial 1, fold 0, parameters {{'error': {error!r}}}"]


def failing_score(estimator, X, y):
    if estimator.get_params()["value"] == 0.2:
        raise RuntimeError("cannot score")
    return 0.5


def test_a_scorer_that_fails_gives_the_error_score_and_a_warning(classification):
    search = OptunaSearchCV(
        Adjustable(), {"value": [0.1, 0.2]}, cv=2, scoring=failing_score, error_score=-3.0
    )
    with pytest.warns(UserWarning, match="Scoring failed") as caught:
        search.fit(*classification)
    assert len(caught) == 2
    assert search.cv_results_["mean_test_score"].tolist() == [0.5, -3.0]


@pytest.mark.parametrize("scoring", [failing_score, {"a": failing_score, "b": "accuracy"}])
def test_a_scorer_that_fails_ends_the_search_with_raise(classification, scoring):
    search = OptunaSearchCV(
        Adjustable(),
        {"value": [0.1, 0.2]},
        cv=2,
        scoring=scoring,
        refit=False,
        error_score="raise",
    )
    with pytest.raises(RuntimeError, match="cannot score"):
        search.fit(*classification)


@pytest.mark.parametrize("order", [[None, FAILURE], [FAILURE, None]])
def test_several_scores_of_a_callable_get_the_error_score_too(classification, order):
    search = OptunaSearchCV(
        Adjustable(), {"error": order}, cv=2, scoring=two_scores, refit="a", error_score=-1.0
    )
    with pytest.warns(FitFailedWarning, match="2 fits failed out of a total of 4"):
        search.fit(*classification)
    failed = order.index(FAILURE)
    assert search.cv_results_["mean_test_a"][failed] == -1.0
    assert search.cv_results_["mean_test_f"][failed] == -1.0
    assert search.best_index_ == search.study_.best_trial.number == 1 - failed


@pytest.mark.parametrize("score", ["good", None, np.ones(2), [0.5]])
def test_a_scorer_that_returns_no_number_is_an_error(classification, score):
    search = OptunaSearchCV(
        GaussianNB(), {"var_smoothing": [1e-9]}, cv=2, scoring=lambda estimator, X, y: score
    )
    with pytest.raises(ValueError, match="scoring must return a number"):
        search.fit(*classification)
