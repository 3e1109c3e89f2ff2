"""Points that are tried first (`_samplers.initial_points`)."""

import re

import numpy as np
import pytest
import scipy.stats
from optuna.distributions import FloatDistribution, IntDistribution
from sklearn.datasets import load_iris
from sklearn.model_selection import ParameterGrid
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from optunasearch import OptunaSearchCV
from optunasearch._samplers import initial_points
from optunasearch._space import make_space

X, Y = load_iris(return_X_y=True)
TREE = DecisionTreeClassifier(max_depth=3, random_state=0)
SPACE = {"max_depth": IntDistribution(1, 30), "ccp_alpha": FloatDistribution(0.0, 0.1)}
GRID = {"max_depth": [1, 2, 3], "criterion": ["gini", "entropy"]}


def trials(initial_params, space=SPACE, estimator=TREE, **kwargs):
    kwargs = {"n_trials": 4, "cv": 2, "sampler": "random", "random_state": 0} | kwargs
    search = OptunaSearchCV(estimator, space, initial_params=initial_params, **kwargs)
    return search.fit(X, Y).cv_results_["params"]


# "estimator" and None


def test_the_estimator_s_own_point_is_tried_first():
    assert trials("estimator")[0] == {"max_depth": 3, "ccp_alpha": 0.0}
    assert trials(None)[0] != {"max_depth": 3, "ccp_alpha": 0.0}


def test_numpy_values_and_steps_of_a_pipeline_may_be_the_estimator_s_own():
    pipeline = Pipeline([("scaler", StandardScaler()), ("clf", SVC())])
    space = {
        "scaler": ["passthrough", StandardScaler()],
        "clf": [SVC(C=2.0), SVC(C=1.0)],
        "clf__C": np.logspace(-2, 2, 60),
    }
    space["clf__C"][30] = 1.0
    first = trials("estimator", space, pipeline, n_trials=1)[0]
    assert (first["scaler"], first["clf"], first["clf__C"]) == (
        space["scaler"][1],
        space["clf"][1],
        1.0,
    )


@pytest.mark.parametrize(
    "space",
    [
        SPACE | {"max_depth": IntDistribution(5, 9)},
        SPACE | {"max_leaf_nodes": scipy.stats.poisson(5, loc=2)},
        lambda trial: {"max_depth": trial.suggest_int("max_depth", 1, 30)},
    ],
    ids=["outside", "None", "callable"],
)
def test_the_estimator_s_point_is_skipped_where_the_space_lacks_it(space, capsys):
    silent = trials("estimator", space)
    assert silent == trials(None, space)
    assert capsys.readouterr().out == ""
    trials("estimator", space, verbose=1)
    assert re.search(
        r"own values( \{.*\})? are not a point of param_distributions", capsys.readouterr().out
    )


@pytest.mark.parametrize("sampler", ["grid", None])
def test_an_enumeration_keeps_its_order_and_is_silent_about_it(sampler, capsys):
    expected = list(ParameterGrid(GRID))
    assert trials("estimator", GRID, sampler=sampler, n_trials=None, verbose=1) == expected
    assert "own values" not in capsys.readouterr().out


# Given points


def test_a_dict_or_a_list_of_dicts_is_tried_first():
    one, other = {"max_depth": 5, "ccp_alpha": 0.01}, {"max_depth": 6, "ccp_alpha": 0.02}
    assert trials(one)[0] == one
    assert trials([one, other])[:2] == [one, other]
    assert trials((other, one))[:2] == [other, one]
    assert trials([]) == trials(None)


def test_the_sampler_chooses_what_is_left_open():
    first, second, *_ = trials([{"max_depth": 5}, {"ccp_alpha": 0.05}])
    assert first["max_depth"] == 5 and 0 < first["ccp_alpha"] < 0.1
    assert second["ccp_alpha"] == 0.05 and 1 <= second["max_depth"] <= 30


def test_a_given_point_may_stand_in_any_subspace():
    space = [{"max_depth": IntDistribution(1, 9)}, {"ccp_alpha": FloatDistribution(0, 0.1)}]
    given = [{"ccp_alpha": 0.05}, {"max_depth": 7}]
    assert trials(given, space)[:2] == given


def test_values_of_scipy_distributions_are_given_as_values():
    space = {"max_depth": scipy.stats.poisson(5, loc=1), "ccp_alpha": scipy.stats.expon(scale=0.1)}
    first = trials({"max_depth": 9, "ccp_alpha": 0.3}, space)[0]
    assert first["max_depth"] == 9
    assert first["ccp_alpha"] == pytest.approx(0.3)


@pytest.mark.parametrize("sampler", ["grid", None])
def test_given_points_mark_their_grid_points_as_visited(sampler):
    given = [{"max_depth": 2, "criterion": "entropy"}, {"max_depth": 1, "criterion": "gini"}]
    visited = trials(given, GRID, sampler=sampler, n_trials=None)
    assert visited == given + [params for params in ParameterGrid(GRID) if params not in given]


def pipeline_space(trial):
    clf = trial.suggest_categorical("clf", [GaussianNB(), SVC()])
    if isinstance(clf, GaussianNB):
        return {"clf": clf}
    return {
        "clf": clf,
        "clf__C": trial.suggest("C", scipy.stats.expon(scale=5)),
        "clf__coef0": trial.suggest_categorical("coef0", [0, 0.0, 1.0]),
    }


def test_points_of_a_callable_space_are_given_by_the_names_it_suggests():
    pipeline = Pipeline([("clf", SVC())])
    given = [{"clf": SVC(), "C": 3.0, "coef0": 0.0}, {"clf": GaussianNB()}, {"C": 2.0}]
    first, second, *_ = trials(given, pipeline_space, pipeline)
    assert isinstance(first["clf"], SVC)
    assert first["clf__C"] == pytest.approx(3.0)
    assert isinstance(first["clf__coef0"], float)
    assert isinstance(second["clf"], GaussianNB)


def test_a_branch_of_a_callable_space_that_is_open_does_not_matter():
    # Alone, C does not say which classifier is meant; as soon as it is an SVC, C is 0.25.
    pipeline = Pipeline([("clf", SVC())])

    def space(trial):
        if trial.suggest_categorical("clf", ["nb", "svc"]) == "nb":
            return {"clf": GaussianNB()}
        return {"clf": SVC(), "clf__C": trial.suggest_float("C", 0.1, 10)}

    asked = trials([{"C": 0.25}] * 10, space, pipeline, n_trials=10, reuse_duplicates=False)
    assert {params.get("clf__C") for params in asked} == {0.25, None}


# What is refused


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"max_depth": 31}, "max_depth: 31 is outside of IntDistribution"),
        ({"max_depth": None}, "max_depth: None is not a number"),
        (
            [{"max_depth": 3}, {"depth": 3}],
            r"['depth'] not among the parameters ['ccp_alpha', 'max_",
        ),
    ],
)
def test_a_point_outside_of_the_space_is_refused_by_name(given, message):
    wrong = given if isinstance(given, dict) else given[-1]
    expected = f"initial_params {wrong!r} are not in param_distributions: {message}"
    with pytest.raises(ValueError, match=re.escape(expected)):
        trials(given)


def test_a_point_off_the_grid_is_refused():
    with pytest.raises(ValueError, match=r"max_depth: 4 is not among \[1, 2, 3\]"):
        trials({"max_depth": 4, "criterion": "gini"}, GRID, sampler="grid")
    with pytest.raises(
        ValueError, match=r"leave parameters open; with sampler='grid' give a value"
    ):
        trials({"max_depth": 3}, GRID, sampler="grid")


def test_a_value_that_a_callable_space_does_not_offer_is_refused():
    with pytest.raises(ValueError, match=r"not in param_distributions: .*11 is outside") as raised:
        trials({"n": 11}, lambda trial: {"max_depth": trial.suggest_int("n", 1, 9)})
    assert raised.value.__cause__.__notes__ == [
        "raised by param_distributions for initial_params {'n': 11}"
    ]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ([3], TypeError, "or a list of such dicts, got an element 3"),
        ("default", ValueError, "'initial_params' parameter .* Got 'default'"),
        (3, ValueError, "'initial_params' parameter .* Got 3"),
    ],
)
def test_what_is_no_point_is_refused(given, error, message):
    with pytest.raises(error, match=message):
        trials(given)


def test_no_points_are_made_of_none():
    assert initial_points(None, make_space(GRID, TREE), TREE, enumerated=False) == []
