"""What is scored, what is optimised and what is required."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import get_scorer, make_scorer, recall_score
from sklearn.model_selection import cross_validate
from sklearn.tree import DecisionTreeClassifier

from optunasearch import OptunaSearchCV
from optunasearch._scoring import ScoringPlan, mean_score
from optunasearch._space import Point
from optunasearch.execution._records import FoldResult, TrialRecord
from optunasearch.metrics import sensitivity, specificity
from tests.estimators import CountedTree

X, Y = load_breast_cancer(return_X_y=True)
X, Y = X[:150, :5], Y[:150]
SPACE = {"max_depth": [1, 2, 3, 4]}


def fit(**kwargs):
    CountedTree.n_fits = 0
    return OptunaSearchCV(CountedTree(random_state=0), SPACE, cv=3, **kwargs).fit(X, Y)


def scores_of(search):
    return [key.removeprefix("mean_test_") for key in search.cv_results_ if "mean_test_" in key]


def record(*test_scores, number=0):
    results = {
        fold: FoldResult(fold, scores, None, 0.1, 0.1, 1) for fold, scores in enumerate(test_scores)
    }
    return TrialRecord(number, Point({}), len(results), results)


def two_scores(estimator, X, y):
    return {"first": estimator.score(X, y), "second": -estimator.get_depth()}


# Means and values


@pytest.mark.parametrize("n_splits", [3, 10, 25])
def test_the_mean_is_that_of_cv_results_to_the_last_digit(n_splits):
    scores = np.random.default_rng(0).random((100, n_splits))
    outputs = [{"fit_time": 0, "score_time": 0, "test_scores": s} for s in scores.ravel()]
    search = OptunaSearchCV(CountedTree(), SPACE)
    results = search._format_results([{}] * 100, n_splits, outputs)
    means = [mean_score(record(*row), "score") for row in scores]
    assert means == results["mean_test_score"].tolist()


def test_a_missing_fold_score_makes_the_mean_nan():
    assert np.isnan(mean_score(record({"a": 1.0}, np.nan), "a"))
    assert np.isnan(mean_score(record({"a": 1.0}, {"b": 1.0}), "a"))
    assert mean_score(record(1.0, 2.0), "score") == 1.5


def test_a_violation_is_what_the_mean_lacks():
    plan = ScoringPlan(None, None, True, ["a"], {"a": 0.5, "b": 0.5})
    values, violations = plan.values(record({"a": 0.7, "b": 0.2}, {"a": 0.9, "b": 0.4}))
    assert values == pytest.approx([0.8])
    assert violations == pytest.approx({"a": -0.3, "b": 0.2})


# The objective of scoring and refit


@pytest.mark.parametrize(
    ("scoring", "refit", "objective"),
    [
        (None, True, "score"),
        ("recall", True, "score"),
        (make_scorer(recall_score), False, "score"),
        (["recall", "precision"], "precision", "precision"),
        (["recall", "precision"], False, "recall"),
        ({"a": "recall", "b": "precision"}, lambda results: 1, "a"),
        (two_scores, "second", "second"),
        (two_scores, False, "first"),
        (two_scores, lambda results: 1, "first"),
        (lambda estimator, X, y: estimator.score(X, y), True, "score"),
    ],
)
def test_what_is_optimised(scoring, refit, objective):
    search = fit(scoring=scoring, refit=refit)
    assert search.study_.metric_names == [f"mean_test_{objective}"]
    values = [trial.value for trial in search.study_.trials]
    np.testing.assert_array_equal(values, search.cv_results_[f"mean_test_{objective}"])


def test_a_callable_scoring_is_named_by_its_first_success():
    plan = ScoringPlan(two_scores, two_scores, "b", None, {})
    failed = FoldResult(0, np.nan, None, 0.1, 0.0, 1, "Traceback")
    values, _ = plan.values(TrialRecord(0, Point({}), 2, {0: failed, 1: failed}))
    assert np.isnan(values).all()
    later = ScoringPlan(two_scores, two_scores, "b", None, {})
    success = FoldResult(1, {"a": 1.0, "b": 2.0}, None, 0.1, 0.1, 1)
    values, _ = later.values(TrialRecord(0, Point({}), 2, {0: failed, 1: success}))
    assert later.objectives == ["b"]
    assert np.isnan(values).all()


# Objectives and constraints


@pytest.mark.parametrize(
    ("kwargs", "scores", "metrics"),
    [
        ({"objectives": ["recall", "specificity"]}, "recall specificity", "recall specificity"),
        (
            {"objectives": ["recall", "precision"], "scoring": "accuracy"},
            "accuracy recall precision",
            "recall precision",
        ),
        (
            {"objectives": ["b", "recall"], "scoring": {"a": "accuracy", "b": "precision"}},
            "a b recall",
            "b recall",
        ),
        ({"constraints": {"recall": 0.5}}, "score recall", "score"),
        ({"constraints": {"score": 0.5}}, "score", "score"),
        (
            {"objectives": ["recall"], "constraints": {"recall": 0.5, "f1": 0.5}},
            "recall f1",
            "recall",
        ),
        (
            {"scoring": ["accuracy", "f1"], "refit": "f1", "constraints": {"recall": 0.5}},
            "accuracy f1 recall",
            "f1",
        ),
    ],
)
def test_objectives_and_constraints_are_scored_too(kwargs, scores, metrics):
    search = fit(**kwargs)
    assert scores_of(search) == scores.split()
    assert search.study_.metric_names == [f"mean_test_{name}" for name in metrics.split()]
    assert search.cv_results_.keys() >= {f"rank_test_{name}" for name in scores.split()}


def test_scores_are_those_of_cross_validate():
    search = fit(objectives=["sensitivity", "neg_log_loss"], constraints={"specificity": 0.1})
    scoring = {
        "sensitivity": sensitivity(),
        "neg_log_loss": "neg_log_loss",
        "specificity": specificity(),
    }
    tree = DecisionTreeClassifier(max_depth=2, random_state=0)
    expected = cross_validate(tree, X, Y, cv=3, scoring=scoring)
    for name in scoring:
        assert search.cv_results_[f"mean_test_{name}"][1] == expected[f"test_{name}"].mean()


@pytest.mark.parametrize(
    ("scoring", "refit", "is_dict"),
    [
        (None, True, False),
        ("f1", True, False),
        (["accuracy"], "accuracy", True),
        ({"score": "accuracy", "b": "f1"}, "score", True),
    ],
)
def test_constraints_leave_the_kind_of_scorer_as_it_is(scoring, refit, is_dict):
    search = fit(scoring=scoring, refit=refit, constraints={"recall": 0.1})
    assert isinstance(search.scorer_, dict) is search.multimetric_ is is_dict
    assert search.score(X, Y) == fit(scoring=scoring, refit=refit).score(X, Y)


def test_a_callable_scoring_of_one_score_takes_constraints():
    search = fit(scoring=lambda e, X, y: float(e.get_depth() == 2), constraints={"recall": 0.0})
    assert search.best_params_ == {"max_depth": 2}


@pytest.mark.parametrize(
    ("refit", "metric"), [(True, "recall"), ("precision", "precision"), ("accuracy", "accuracy")]
)
def test_refit_chooses_among_objectives_and_scores(refit, metric):
    search = fit(scoring=["accuracy"], objectives=["recall", "precision"], refit=refit)
    means = search.cv_results_[f"mean_test_{metric}"]
    assert (search.best_index_, search.best_score_) == (means.argmax(), means.max())
    assert search.score(X, Y) == get_scorer(metric)(search.best_estimator_, X, Y)


# What is refused


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"objectives": ["recal"]}, ValueError, "'recal' in objectives or constraints is neither"),
        ({"constraints": {"recal": 1}}, ValueError, r"as scoring=\{'recal': scorer, ...\}"),
        ({"objectives": ["f1", recall_score]}, TypeError, "got <function recall_score .*function"),
        ({"objectives": ["f1", "f1"]}, ValueError, r"must differ from each other, got \['f1', 'f1"),
        ({"constraints": {"f1": "high"}}, ValueError, r"constraints\['f1'\] must be .* got 'high'"),
        ({"constraints": {"f1": np.nan}}, ValueError, r"constraints\['f1'\] must be .* got nan"),
        ({"constraints": {"f1": None}}, ValueError, r"constraints\['f1'\] must be .* got None"),
        ({"objectives": "f1"}, ValueError, "'objectives' parameter .* Got 'f1'"),
        ({"constraints": ["f1"]}, ValueError, "'constraints' parameter .* Got"),
        ({"objectives": ["f1"], "refit": "r2"}, ValueError, "refit must be set to a scorer key"),
        (
            {"scoring": ["f1"], "constraints": {"f1": 0}},
            ValueError,
            "refit must be set .* True was",
        ),
        ({"scoring": two_scores, "objectives": ["first"]}, ValueError, "'first' in objectives"),
        ({"scoring": sensitivity}, TypeError, r"call it, as in scoring=sensitivity\(pos_label=1\)"),
    ],
)
def test_wrong_scoring_is_refused_before_the_first_fit(kwargs, error, message):
    with pytest.raises(error, match=message):
        fit(**kwargs)
    assert CountedTree.n_fits == 0
