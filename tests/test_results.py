"""The best candidate, feasibility, the Pareto front, patience and the tables."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV
from sklearn.tree import DecisionTreeClassifier

from optunasearch import OptunaSearchCV
from optunasearch._dimensions import make_dimension
from optunasearch._results import (
    Improvement,
    add_feasibility,
    best_index,
    dominate,
    fold_outputs,
    pareto_front,
    trials_table,
)
from optunasearch._scoring import ScoringPlan
from optunasearch._space import DeclaredSpace
from optunasearch.exceptions import InfeasibleWarning
from optunasearch.execution._records import FoldResult, TrialRecord

X, Y = load_breast_cancer(return_X_y=True)
X, Y = X[:150, :5], Y[:150]
TREE = DecisionTreeClassifier(random_state=0)
SPACE = {"max_depth": [1, 2, 3, 4]}

# Few distinct values, so that ties, infinities and NaN are common.
levels = st.sampled_from([0.0, 1.0, 2.0, 3.0, math.nan, math.inf, -math.inf])
two_columns = arrays(
    float, st.tuples(st.integers(1, 12), st.just(2)), elements=levels, fill=st.nothing()
)


def table(**means):
    """Return what of cv_results_ the best candidate is chosen by."""
    n_candidates = len(next(iter(means.values())))
    results = {"params": [{"x": row} for row in range(n_candidates)]}
    for name, values in means.items():
        values = np.array(values, dtype=float)
        order = np.argsort(np.argsort(-np.nan_to_num(values, nan=-1e99), kind="stable"))
        results |= {f"mean_test_{name}": values, f"rank_test_{name}": 1 + order}
    return results


# The best candidate


@pytest.mark.parametrize(
    ("means", "best"),
    [
        ([1, 3, 2], 1),
        ([1, 3, 3], 1),
        ([math.nan, -5, math.nan], 1),
        ([math.inf, 2, -math.inf], 1),
        ([math.nan, math.nan], 0),
        ([math.nan, -math.inf, math.inf], 2),
    ],
)
def test_the_best_is_the_first_of_the_highest_finite_means(means, best):
    assert best_index(table(a=means), "a", None) == best


@pytest.mark.parametrize(
    ("means", "violations", "best"),
    [
        ([3, 2, 1, 2], [0.1, 0, 0, 0], 1),
        ([math.nan, math.inf, 1], [0, 0, 0], 2),
        ([math.nan, 1, 2], [0, 0, 0.1], 1),
    ],
)
def test_the_best_is_feasible_if_any_is(means, violations, best):
    assert best_index(table(a=means), "a", np.array(violations)) == best


def test_the_least_violation_is_taken_with_a_warning_if_none_is_feasible():
    message = r"No candidate meets the constraints; .* \(0.1\) was taken"
    with pytest.warns(InfeasibleWarning, match=message):
        assert best_index(table(a=[3, 1, 2]), "a", np.array([0.2, 0.1, 0.1])) == 2


def test_feasibility_is_a_column_and_a_total_violation():
    results = table(a=[0.9, 0.4, 0.9, math.nan], b=[0.9, 0.4, 0.5, 0.9])
    violations = add_feasibility(results, {"a": 0.5, "b": 0.6})
    assert violations == pytest.approx([0, 0.3, 0.1, math.inf])
    assert results["feasible"].tolist() == [True, False, False, False]
    assert results["feasible"].dtype == bool


def test_a_constrained_search_takes_the_best_feasible_candidate():
    plain = GridSearchCV(TREE, SPACE, cv=3, scoring="recall").fit(X, Y)
    recall = np.sort(plain.cv_results_["mean_test_score"])[1]  # all but one have it
    search = OptunaSearchCV(TREE, SPACE, cv=3, constraints={"recall": recall}).fit(X, Y)
    results = search.cv_results_
    feasible = results["mean_test_recall"] >= recall
    np.testing.assert_array_equal(results["feasible"], feasible)
    assert feasible.sum() == 3
    best = np.where(feasible, results["mean_test_score"], -np.inf).argmax()
    assert search.best_index_ == best == search.study_.best_trial.number
    plain = GridSearchCV(TREE, SPACE, cv=3).fit(X, Y)
    np.testing.assert_array_equal(results["rank_test_score"], plain.cv_results_["rank_test_score"])


def test_the_warning_of_an_infeasible_search_points_at_the_call_of_fit():
    search = OptunaSearchCV(TREE, SPACE, cv=2, constraints={"recall": 2})
    with pytest.warns(InfeasibleWarning) as warned:
        search.fit(X, Y)
    assert [warning.filename for warning in warned] == [__file__]
    assert search.best_index_ == search.cv_results_["mean_test_recall"].argmax()


# The Pareto front


@given(two_columns, st.booleans(), st.data())
def test_the_front_is_what_no_other_beats(scores, is_constrained, data):
    violations = None
    eligible = np.isfinite(scores).all(axis=1)
    if is_constrained:
        kinds = st.sampled_from([0.0, 0.5])
        violations = data.draw(arrays(float, len(scores), elements=kinds, fill=st.nothing()))
        eligible &= violations == 0
    front = pareto_front(table(a=scores[:, 0], b=scores[:, 1]), ["a", "b"], violations)
    expected = {
        row
        for row in np.flatnonzero(eligible)
        if not any(
            all(scores[other] >= scores[row]) and any(scores[other] > scores[row])
            for other in np.flatnonzero(eligible)
        )
    }
    assert set(front["index"]) == expected
    assert list(front["mean_test_a"]) == sorted(front["mean_test_a"], reverse=True)
    np.testing.assert_array_equal(front["mean_test_b"], scores[front["index"], 1])
    assert front["params"] == [{"x": row} for row in front["index"]]


def test_the_front_of_a_search():
    search = OptunaSearchCV(TREE, SPACE, cv=3, objectives=["recall", "specificity"]).fit(X, Y)
    front = search.pareto_front_
    assert 0 < len(front["index"]) <= 4
    assert front["index"][0] == search.best_index_
    assert front["params"][0] == search.best_params_
    ledger = {trial.number for trial in search.study_.best_trials}
    assert set(front["index"]) == ledger


def test_domination():
    ones = np.array([[2, 2], [3, 1], [1, 1], [2, 3]])
    assert dominate(ones, np.array([2, 2])).tolist() == [False, False, False, True]


# Patience


def counts(*trials):
    improvement = Improvement()
    seen = []
    for values, violations in trials:
        improvement.add(values, violations)
        seen.append(improvement.n_trials_since)
    return seen


def test_trials_since_the_last_improvement():
    values = [math.nan, 1, 1, 0, 2, math.inf, 2]
    assert counts(*(([value], {}) for value in values)) == [1, 0, 1, 2, 0, 1, 2]


def test_with_several_objectives_a_new_point_of_the_front_is_an_improvement():
    points = [(1, 1), (2, 0), (1, 1), (2, 0), (0, 2), (3, 3), (2, 2), (3, 3)]
    assert counts(*((point, {}) for point in points)) == [0, 0, 1, 2, 0, 0, 1, 2]


def test_less_violation_is_an_improvement_whatever_the_score():
    trials = [
        ([9.0], {"a": 0.5, "b": -1.0}),
        ([1.0], {"a": 0.2, "b": 0.2}),
        ([9.0], {"a": 0.5, "b": 0.0}),
        ([2.0], {"a": 0.4, "b": 0.0}),
        ([0.0], {"a": -0.1, "b": 0.0}),
        ([8.0], {"a": 0.1, "b": 0.0}),
        ([7.0], {"a": -0.2, "b": math.nan}),
        ([1.0], {"a": -0.3, "b": -0.3}),
    ]
    assert counts(*trials) == [0, 0, 1, 0, 0, 1, 2, 0]


@given(two_columns)
def test_an_improvement_is_what_would_change_the_front(scores):
    improvement, seen = Improvement(), np.empty((0, 2))
    for score in scores:
        improvement.add(score, {})
        known = (seen >= score).all(axis=1).any()
        assert (improvement.n_trials_since == 0) == (np.isfinite(score).all() and not known)
        if np.isfinite(score).all():
            seen = np.vstack([seen, score])


def test_patience_stops_the_search():
    search = OptunaSearchCV(TREE, {"max_depth": [3] * 20 + [2]}, cv=2, patience=4).fit(X, Y)
    assert search.n_trials_ == 5


# Outputs and the table of trials


def records():
    done = FoldResult(0, 0.5, 0.75, 1.0, 0.25, 10)
    failed = FoldResult(1, math.nan, math.nan, 1.0, 0.0, 10, "Traceback: no")
    points = [*DeclaredSpace([{"x": make_dimension("x", [1, 2, 3, 4])}]).points()]
    return [
        TrialRecord(0, points[0], 2, {0: done, 1: done}),
        TrialRecord(1, points[1], 2, {0: done, 1: failed}),
        TrialRecord(2, points[0], 2, {0: done, 1: done}, duplicate_of=0),
        TrialRecord(3, points[2], 2, {0: done}),
        TrialRecord(4, points[3], 2, {0: done, 1: failed}, error="too long"),
    ]


def test_the_table_has_every_trial():
    space = DeclaredSpace([{"x": make_dimension("x", [1, 2, 3, 4])}])
    found = trials_table(records(), space, ScoringPlan(None, None, True, ["a"], {}))
    assert found["number"].tolist() == [0, 1, 2, 3, 4]
    assert found["status"] == ["complete", "failed", "duplicate", "unfinished", "failed"]
    assert found["params"] == [{"x": x} for x in (1, 2, 1, 3, 4)]
    assert found["mean_test_a"] == pytest.approx(
        [0.5, math.nan, 0.5, math.nan, math.nan], nan_ok=True
    )
    assert found["fit_seconds"].tolist() == [2.5, 2.25, 2.5, 1.25, 2.25]
    assert found["duplicate_of"] == [None, None, 0, None, None]
    assert found["error"] == [None, "Traceback: no", None, None, "too long"]


def test_the_table_of_a_search_is_a_data_frame_s():
    pandas = pytest.importorskip("pandas")
    search = OptunaSearchCV(TREE, SPACE, cv=2, n_trials=6, sampler="random", random_state=0)
    frame = pandas.DataFrame(search.fit(X, Y).trials_)
    assert list(frame["status"].unique()) == ["complete", "duplicate"]
    original = frame.loc[frame["duplicate_of"].dropna().astype(int), "params"]
    assert list(frame.loc[frame["status"] == "duplicate", "params"]) == list(original)


def test_outputs_are_one_dict_for_each_fold_with_one_warning_for_all():
    search = OptunaSearchCV(TREE, {}, return_train_score=True)
    finished = [record for record in records() if record.is_finished]
    with pytest.warns(FitFailedWarning, match="2 fits failed out of a total of 8") as warned:
        outputs = fold_outputs(search, finished)
    assert len(warned) == 1
    assert [output["test_scores"] for output in outputs[:2]] == [0.5, 0.5]
    assert outputs[3]["fit_error"] == "Traceback: no"
    assert outputs[0]["train_scores"] == 0.75
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert "train_scores" not in fold_outputs(OptunaSearchCV(TREE, {}), finished)[0]
