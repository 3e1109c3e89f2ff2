"""The simplest candidate within one standard error."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Lasso
from sklearn.model_selection import GridSearchCV

from optunasearch.selection import OneStandardError


def table(scores, metric="score", **params):
    """Return `cv_results_` of candidates with these scores, (n_candidates, n_splits)."""
    scores = np.asarray(scores, dtype=float)
    results = {f"split{k}_test_{metric}": column for k, column in enumerate(scores.T)}
    results[f"mean_test_{metric}"] = scores.mean(axis=1)
    rows = zip(*params.values(), strict=True)
    results["params"] = [dict(zip(params, row, strict=True)) for row in rows]
    return results


# Means .90, .88, .86 and .70; the standard error of the first is .02.
SCORES = [[0.94, 0.88, 0.88], [0.88] * 3, [0.86] * 3, [0.7] * 3]


def test_takes_the_simplest_within_one_standard_error():
    assert OneStandardError("depth")(table(SCORES, depth=[4, 3, 2, 1])) == 1
    assert OneStandardError("depth")(table(SCORES, depth=[1, 2, 3, 4])) == 0
    assert OneStandardError({"depth": "descending"})(table(SCORES, depth=[1, 2, 3, 4])) == 1
    near = [[0.94, 0.88, 0.88], [0.88] * 3, [0.8801] * 3, [0.7] * 3]
    assert OneStandardError("depth")(table(near, depth=[4, 3, 2, 1])) == 2


def test_the_standard_error_is_of_the_best_and_over_its_folds():
    # The spread of the others does not matter, and std / sqrt(3) with K - 1 is .02.
    wild = [[0.94, 0.88, 0.88], [1.0, 1.0, 0.6399], [1.0, 1.0, 0.6401], [0.7] * 3]
    results = table(wild, depth=[4, 2, 3, 1])
    assert OneStandardError("depth")(results) == 2


def test_several_parameters_decide_in_turn():
    results = table(SCORES[:1] * 4, depth=[2, 1, 1, 1], leaf=[9, 1, 5, 3])
    assert OneStandardError(["depth", "leaf"])(results) == 1
    assert OneStandardError({"depth": "ascending", "leaf": "descending"})(results) == 2
    assert OneStandardError(lambda params: -params["leaf"])(results) == 0


def test_ties_go_to_the_better_score_then_to_the_first():
    scores = [[0.94, 0.88, 0.88], [0.88] * 3, [0.89] * 3, [0.89] * 3]
    assert OneStandardError("depth")(table(scores, depth=[2, 1, 1, 1])) == 2


@pytest.mark.parametrize("way", ["ascending", "descending"])
def test_none_and_a_missing_parameter_are_least_simple(way):
    results = table(SCORES[:1] * 3, depth=[None, 3, None])
    assert OneStandardError({"depth": way})(results) == 1
    del results["params"][0]["depth"]
    assert OneStandardError({"depth": way})(results) == 1


def test_failed_and_infeasible_candidates_are_passed_over():
    results = table([*SCORES, [np.nan, 1, 1], [np.inf] * 3], depth=[4, 3, 2, 1, 0, 0])
    assert OneStandardError("depth")(results) == 1
    results["feasible"] = np.array([False, False, True, True, True, True])
    assert OneStandardError("depth")(results) == 2
    results["feasible"][:] = False
    assert OneStandardError("depth")(results) == 1


def test_metric():
    results = table(SCORES, "accuracy", depth=[4, 3, 2, 1])
    assert OneStandardError("depth")(results) == 1
    results |= {f"mean_test_{name}": np.array([0.7] * 4) for name in ("acc", "test_accuracy")}
    with pytest.raises(ValueError, match=r"metric=None, .* has \['accuracy', 'acc', 'test_acc"):
        OneStandardError("depth")(results)
    assert OneStandardError("depth", metric="accuracy")(results) == 1
    with pytest.raises(ValueError, match=r"folds or more, got 0"):
        OneStandardError("depth", metric="acc")(results)
    with pytest.raises(ValueError, match=r"metric='recall'"):
        OneStandardError("depth", metric="recall")(results)


@given(
    st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=8),
    st.randoms(use_true_random=False),
)
def test_the_choice_is_near_the_best_and_none_as_good_is_simpler(scores, random):
    depths = [random.randrange(5) for _ in scores]
    results = table(scores, depth=depths)
    chosen = OneStandardError("depth")(results)
    means = results["mean_test_score"]
    best = means.argmax()
    least = means[best] - np.std(scores[best], ddof=1) / np.sqrt(3)
    assert means[chosen] >= least
    assert all(d >= depths[chosen] for d, mean in zip(depths, means, strict=True) if mean >= least)


def test_in_a_search_of_scikit_learn():
    X, y = load_diabetes(return_X_y=True)
    rule = OneStandardError({"alpha": "descending"})
    search = GridSearchCV(Lasso(), {"alpha": [0.001, 0.01, 0.1, 0.3, 1, 3]}, refit=rule)
    search = clone(search).fit(X, y)
    means = search.cv_results_["mean_test_score"]
    assert search.best_params_ == {"alpha": 0.3}
    assert means.argmax() == 0


def test_repr_and_pickle():
    rule = OneStandardError({"C": "ascending"}, metric="accuracy")
    assert repr(rule) == "OneStandardError(simplicity={'C': 'ascending'}, metric='accuracy')"
    assert pickle.loads(pickle.dumps(rule)) == rule


@pytest.mark.parametrize("simplicity", [3, None, [], {}, [3], {3: "ascending"}])
def test_what_simplicity_cannot_be(simplicity):
    with pytest.raises(TypeError, match="must be the name of a parameter"):
        OneStandardError(simplicity)


def test_errors():
    with pytest.raises(ValueError, match=r"simplicity\['C'\] must be 'ascending'.* got 'less'"):
        OneStandardError({"C": "less"})
    with pytest.raises(ValueError, match=r"'C', which no candidate has: they have \['depth'\]"):
        OneStandardError("C")(table(SCORES, depth=[1, 2, 3, 4]))
    with pytest.raises(TypeError, match=r"'kernel' needs numbers .* got 'rbf'"):
        OneStandardError("kernel")(table(SCORES[:1], kernel=["rbf"]))
    with pytest.raises(TypeError, match="got nan"):
        OneStandardError("depth")(table(SCORES[:1], depth=[np.nan]))
    with pytest.raises(ValueError, match="None of the 1 candidates has a finite mean"):
        OneStandardError("depth")(table([[np.nan, 1]], depth=[1]))
    with pytest.raises(ValueError, match=r"two folds or more, got 1"):
        OneStandardError("depth")(table([[1.0]], depth=[1]))
