"""Several objectives and constraints."""

import numpy as np
import pytest
from optuna.distributions import FloatDistribution
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_validate
from sklearn.tree import DecisionTreeClassifier

from optunasearch import OptunaSearchCV
from optunasearch.exceptions import InfeasibleWarning
from tests.search.estimators import Adjustable

TREES = {"max_depth": [1, 2, 3, 5], "class_weight": [None, "balanced", {0: 1, 1: 5}, {0: 5, 1: 1}]}
# A score of its own for each value, which the tests below can reason about.
ROWS = {1: (0.9, 0.1), 2: (0.6, 0.6), 3: (0.5, 0.5), 4: (0.1, 0.9), 5: (0.6, 0.6)}
SCORING = {
    "gain": lambda estimator, X, y: ROWS[estimator.get_params()["value"]][0],
    "safety": lambda estimator, X, y: ROWS[estimator.get_params()["value"]][1],
}


def search_rows(classification, **arguments):
    search = OptunaSearchCV(
        Adjustable(value=1), {"value": list(ROWS)}, cv=2, scoring=SCORING, **arguments
    )
    return search.fit(*classification)


def test_the_front_holds_what_no_other_beats_in_everything(classification):
    search = search_rows(classification, objectives=["gain", "safety"])
    front = search.pareto_front_
    assert front["index"].tolist() == [0, 1, 4, 3]  # best gain first
    assert front["params"] == [{"value": value} for value in (1, 2, 5, 4)]
    assert front["mean_test_gain"].tolist() == [0.9, 0.6, 0.6, 0.1]
    assert front["mean_test_safety"].tolist() == [0.1, 0.6, 0.6, 0.9]
    assert {t.number for t in search.study_.best_trials} == set(front["index"].tolist())
    assert search.study_.metric_names == ["mean_test_gain", "mean_test_safety"]


@pytest.mark.parametrize(
    ("refit", "row", "metric"),
    [(True, 0, "gain"), ("gain", 0, "gain"), ("safety", 3, "safety"), (False, 0, "gain")],
)
def test_refit_chooses_the_objective_that_decides(classification, refit, row, metric):
    search = search_rows(classification, objectives=["gain", "safety"], refit=refit)
    if refit is False:
        assert not hasattr(search, "best_index_")
        return
    assert search.best_index_ == row
    assert search.best_score_ == search.cv_results_[f"mean_test_{metric}"][row]
    assert search.best_estimator_.value == search.best_params_["value"]
    assert search.score(*classification) == SCORING[metric](search.best_estimator_, None, None)


def test_a_callable_refit_chooses_from_the_rows(classification):
    def balanced(results):
        worse = np.minimum(results["mean_test_gain"], results["mean_test_safety"])
        return int(worse.argmax())

    search = search_rows(classification, objectives=["gain", "safety"], refit=balanced)
    assert search.best_index_ == 1
    assert not hasattr(search, "best_score_")


def test_objectives_name_scorers_that_scoring_lacks(classification):
    objectives = ["sensitivity", "specificity", "f1"]
    search = OptunaSearchCV(DecisionTreeClassifier(random_state=0), TREES, cv=2)
    search.set_params(objectives=objectives).fit(*classification)
    assert set(search.scorer_) == set(objectives)
    best = search.best_estimator_
    outer = cross_validate(
        DecisionTreeClassifier(random_state=0, **search.best_params_),
        *classification,
        cv=2,
        scoring=search.scorer_,
    )
    for name in objectives:
        assert outer[f"test_{name}"].mean() == pytest.approx(
            search.cv_results_[f"mean_test_{name}"][search.best_index_]
        )
    assert search.score(*classification) == search.scorer_["sensitivity"](best, *classification)


def test_a_callable_score_is_an_objective_by_the_name_score(classification):
    search = OptunaSearchCV(
        DecisionTreeClassifier(random_state=0),
        TREES,
        cv=2,
        scoring=lambda estimator, X, y: -float(estimator.get_params()["max_depth"]),
        objectives=["score", "recall"],
    ).fit(*classification)
    assert search.best_params_["max_depth"] == 1
    assert search.best_score_ == -1.0
    assert search.score(*classification) == -1.0


def test_the_best_candidate_meets_the_constraints(classification):
    search = search_rows(classification, refit="gain", constraints={"safety": 0.55})
    assert search.cv_results_["feasible"].tolist() == [False, True, False, True, True]
    assert search.best_index_ == search.study_.best_trial.number == 1
    assert search.cv_results_["rank_test_gain"].tolist() == [1, 2, 4, 5, 2]
    assert search.best_score_ == 0.6


def test_a_candidate_exactly_at_the_limit_is_feasible(classification):
    search = search_rows(classification, refit="gain", constraints={"safety": 0.6})
    assert search.best_index_ == 1


def test_if_none_is_feasible_the_least_violation_wins(classification):
    constraints = {"safety": 0.8, "gain": 0.8}
    with pytest.warns(InfeasibleWarning, match=r"least total violation \(0.4\)") as caught:
        search = search_rows(classification, refit="gain", constraints=constraints)
    assert not search.cv_results_["feasible"].any()
    assert search.best_index_ == 1
    assert caught[0].filename == __file__


def test_the_front_leaves_out_what_is_not_feasible(classification):
    search = search_rows(
        classification, objectives=["gain", "safety"], constraints={"safety": 0.55}
    )
    assert search.pareto_front_["index"].tolist() == [1, 4, 3]
    assert search.best_index_ == 1


def test_a_constraint_beside_a_single_score(classification):
    search = OptunaSearchCV(
        DecisionTreeClassifier(random_state=0), TREES, cv=3, constraints={"recall": 0.7}
    ).fit(*classification)
    results = search.cv_results_
    assert {"mean_test_score", "mean_test_recall", "rank_test_score"} <= set(results)
    feasible = results["mean_test_recall"] >= 0.7
    assert results["feasible"].tolist() == feasible.tolist()
    assert 0 < feasible.sum() < len(feasible)
    assert search.best_score_ == results["mean_test_score"][feasible].max()
    assert search.study_.best_trial.number == search.best_index_
    assert search.score(*classification) == search.best_estimator_.score(*classification)


def test_constraints_steer_a_sampled_search(classification):
    search = OptunaSearchCV(
        LogisticRegression(class_weight="balanced"),
        {"C": FloatDistribution(1e-3, 1e2, log=True)},
        cv=2,
        n_trials=15,
        objectives=["precision", "recall"],
        constraints={"recall": 0.5},
        random_state=0,
    ).fit(*classification)
    assert search.cv_results_["feasible"][search.pareto_front_["index"]].all()
    assert len(search.pareto_front_["params"]) >= 1
    assert search.study_.trials[0].values == pytest.approx(
        [search.cv_results_[f"mean_test_{name}"][0] for name in ("precision", "recall")]
    )


def test_patience_with_objectives_counts_new_points_of_the_front(classification):
    search = search_rows(classification, objectives=["gain", "safety"], patience=1)
    # (0.9, 0.1), (0.6, 0.6) are new; (0.5, 0.5) is not.
    assert search.n_trials_ == 3
