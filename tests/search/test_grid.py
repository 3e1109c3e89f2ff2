"""A full search over a grid equals scikit-learn's."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import expon, loguniform, randint
from sklearn.datasets import make_classification, make_regression
from sklearn.linear_model import Ridge
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    ParameterGrid,
    RandomizedSearchCV,
    ShuffleSplit,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from optunasearch import OptunaSearchCV

CLASSES = make_classification(40, 4, flip_y=0.2, random_state=0)
NUMBERS = make_regression(40, 4, noise=20.0, random_state=0)
# Estimator, data, scorings, and every value that a grid may take.
SUBJECTS = {
    "tree": (
        DecisionTreeClassifier(random_state=0),
        CLASSES,
        [None, "accuracy", ["accuracy", "roc_auc"], {"f": "f1", "loss": "neg_log_loss"}],
        {
            "max_depth": [1, 2, None, 4],
            "min_samples_leaf": [1, 2, 0.2],
            "criterion": ["gini", "entropy"],
            "class_weight": [None, "balanced", {0: 1, 1: 3}],
        },
    ),
    "pipeline": (
        make_pipeline(StandardScaler(), KNeighborsClassifier()),
        CLASSES,
        [None, "f1", {"b": "balanced_accuracy", "a": "accuracy"}],
        {
            "standardscaler": ["passthrough", MinMaxScaler(), StandardScaler(with_mean=False)],
            "kneighborsclassifier__n_neighbors": np.array([1, 3, 7]),
            "kneighborsclassifier__weights": ("uniform", "distance"),
        },
    ),
    "ridge": (
        Ridge(),
        NUMBERS,
        [None, "neg_mean_squared_error", ["r2", "neg_mean_absolute_error"]],
        {"alpha": [0.1, 1, 1.0, 10.0], "fit_intercept": [True, False], "tol": [1e-3, 1e-5]},
    ),
}
SPLITTERS = [
    2,
    KFold(3, shuffle=True, random_state=1),
    ShuffleSplit(2, test_size=0.5, random_state=2),
]


@st.composite
def grids(draw, values):
    """Return some of the parameters with some of their values, in any order."""
    names = draw(st.lists(st.sampled_from(sorted(values)), min_size=1, max_size=3, unique=True))
    grid = {}
    for name in names:
        positions = st.integers(0, len(values[name]) - 1)
        chosen = draw(st.lists(positions, min_size=1, max_size=2, unique=True))
        listed = [values[name][position] for position in chosen]
        grid[name] = np.array(listed) if isinstance(values[name], np.ndarray) else listed
    return grid


@st.composite
def searches(draw):
    """Return a subject, a grid or a list of grids, and arguments of the search."""
    name = draw(st.sampled_from(sorted(SUBJECTS)))
    _, _, scorings, values = SUBJECTS[name]
    scoring = draw(st.sampled_from(scorings))
    arguments = {
        "scoring": scoring,
        "cv": draw(st.sampled_from(SPLITTERS)),
        "return_train_score": draw(st.booleans()),
        "refit": draw(st.sampled_from(list(scoring))) if isinstance(scoring, list | dict) else True,
    }
    space = grids(values) | st.lists(grids(values), min_size=1, max_size=2)
    return name, draw(space), arguments


@settings(max_examples=25, deadline=None)
@given(searches())
def test_a_full_search_equals_gridsearchcv(assert_same_results, drawn):
    name, space, arguments = drawn
    estimator, (X, y), _, _ = SUBJECTS[name]
    theirs = GridSearchCV(estimator, space, **arguments).fit(X, y)
    ours = OptunaSearchCV(estimator, space, calibration=None, **arguments).fit(X, y)
    assert_same_results(ours.cv_results_, theirs.cv_results_)
    for name in ("best_index_", "best_score_", "best_params_", "n_splits_", "multimetric_"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert type(ours.best_score_) is type(theirs.best_score_)
    assert ours.best_estimator_.get_params().keys() == theirs.best_estimator_.get_params().keys()
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    assert ours.score(X, y) == theirs.score(X, y)


def test_a_value_listed_twice_is_visited_twice(classification, assert_same_results):
    grid = {"max_depth": [1, 2, 1], "criterion": ["gini", "gini"]}
    tree = DecisionTreeClassifier(random_state=0)
    theirs = GridSearchCV(tree, grid, cv=2).fit(*classification)
    ours = OptunaSearchCV(tree, grid, cv=2).fit(*classification)
    assert_same_results(ours.cv_results_, theirs.cv_results_)


def test_an_empty_space_scores_the_estimator_itself(classification, assert_same_results):
    theirs = GridSearchCV(DecisionTreeClassifier(random_state=0), {}, cv=2).fit(*classification)
    ours = OptunaSearchCV(DecisionTreeClassifier(random_state=0), {}, cv=2).fit(*classification)
    assert ours.best_params_ == {}
    assert_same_results(ours.cv_results_, theirs.cv_results_)


def test_a_grid_beyond_n_trials_is_sampled_unless_grid_is_named(classification):
    grid = {"max_depth": list(range(1, 9)), "min_samples_leaf": list(range(1, 9))}
    tree = DecisionTreeClassifier(random_state=0)
    sampled = OptunaSearchCV(tree, grid, cv=2, sampler="random", random_state=0)
    assert len(sampled.fit(*classification).cv_results_["params"]) == 50
    full = OptunaSearchCV(tree, grid, cv=2, sampler="grid").fit(*classification)
    assert full.cv_results_["params"] == list(ParameterGrid(grid))
    part = OptunaSearchCV(tree, grid, cv=2, sampler="grid", n_trials=9).fit(*classification)
    assert part.cv_results_["params"] == list(ParameterGrid(grid))[:9]


def test_distributions_are_sampled_as_by_randomizedsearchcv(classification):
    space = {
        "C": loguniform(0.01, 100),
        "gamma": expon(scale=0.1),
        "degree": randint(1, 4),
        "kernel": ["poly", "rbf"],
    }
    theirs = RandomizedSearchCV(SVC(), space, n_iter=12, cv=2, random_state=0)
    theirs = theirs.fit(*classification).cv_results_
    ours = OptunaSearchCV(
        SVC(gamma=0.1), space, n_trials=12, cv=2, sampler="random", pruner=None, random_state=0
    )
    ours = ours.fit(*classification).cv_results_
    assert set(ours) == set(theirs)
    for name in theirs:
        if name != "params":
            assert (ours[name].dtype, ours[name].shape) == (theirs[name].dtype, (12,)), name
    assert len(set(ours["param_C"].tolist())) == 12
    assert all(0.01 <= C <= 100 for C in ours["param_C"])
    assert all(gamma > 0 for gamma in ours["param_gamma"])
    assert set(ours["param_degree"].tolist()) == {1, 2, 3}
    assert set(ours["param_kernel"].tolist()) == {"poly", "rbf"}
