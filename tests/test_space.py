"""The search space as a whole: points, order, unions, storage and errors."""

import math
import pickle

import numpy as np
import optuna
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.storages import JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, ParameterGrid
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from optunasearch import OptunaSearchCV
from optunasearch._dimensions import make_dimension, same_value
from optunasearch._space import DeclaredSpace, make_space
from tests.estimators import CountedTree

X, Y = load_iris(return_X_y=True)
PIPELINE = Pipeline([("scaler", StandardScaler()), ("clf", SVC())])
AWKWARD = [
    1,
    1.0,
    True,
    "1",
    None,
    math.inf,
    "ü" * 99,
    SVC(),
    (1, 2),
    {"a": 1},
    len,
    np.float64(0.1),
]

values = st.sampled_from([*AWKWARD, 0, False, "0", "0 [0]"])
grids = st.dictionaries(st.sampled_from("abc"), st.lists(values, min_size=1, max_size=3))
grid_lists = st.lists(grids, min_size=1, max_size=3)
continuous = st.sampled_from(
    [
        FloatDistribution(0, 1),
        FloatDistribution(0.1, 0.7, step=0.1),
        IntDistribution(1, 9, log=True),
        scipy.stats.norm(2, 3),
        scipy.stats.poisson(4),
        AWKWARD,
    ]
)
mixed_lists = st.lists(st.dictionaries(st.sampled_from("abc"), continuous), min_size=1, max_size=3)


def declared(param_distributions):
    return DeclaredSpace(
        [
            {name: make_dimension(name, given) for name, given in d.items()}
            for d in param_distributions
        ]
    )


def sampled_points(space, n_points, seed=0):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    return [space.suggest(study.ask()) for _ in range(n_points)]


# Points


@given(grid_lists)
def test_points_are_in_parameter_grid_s_order(grids):
    space = declared(grids)
    decoded = [space.decode(point) for point in space.points()]
    expected = list(ParameterGrid(grids))
    assert len(decoded) == len(expected) == space.n_points
    assert all(map(same_value, decoded, expected))


@given(grid_lists)
def test_points_are_distinct_and_hashable(grids):
    space = declared(grids)
    assert len({point.key for point in space.points()}) == space.n_points


@given(mixed_lists)
def test_sampled_points_round_trip(param_distributions):
    space = declared(param_distributions)
    for point in sampled_points(space, 3):
        params = space.decode(point)
        assert params.keys() == space.subspaces[point.subspace].keys()
        assert space.is_complete(space.encode(params))
        again = space.decode(space.encode(params))
        assert again.keys() == params.keys()
        for name, value in params.items():
            assert same_value(again[name], value) or again[name] == pytest.approx(value)


def test_grid_points_round_trip():
    space = declared([{"a": AWKWARD, "b": [None, False]}, {"a": [0, 0.0]}, {}])
    assert [space.encode(space.decode(p)) for p in space.points()] == list(space.points())


def test_a_point_belongs_to_the_subspace_that_it_leaves_nothing_open_in():
    space = declared([{"C": [1], "gamma": [2]}, {"C": [1]}])
    assert [space.encode(params).subspace for params in ({"C": 1}, {"gamma": 2})] == [1, 0]


def test_sampled_steps_have_the_key_of_their_grid_points():
    space = make_space({"C": FloatDistribution(0.1, 0.7, step=0.1)}, SVC())
    grid = {point.key for point in space.points()}
    assert {point.key for point in sampled_points(space, 100)} == grid
    assert len(grid) == 7


@given(mixed_lists)
def test_points_pickle(param_distributions):
    space = declared(param_distributions)
    (point,) = sampled_points(space, 1)
    assert pickle.loads(pickle.dumps(point)) == point
    assert same_value(
        pickle.loads(pickle.dumps(space)).decode(point).keys(), space.decode(point).keys()
    )


@pytest.mark.parametrize("storage", ["sqlite", "journal"])
def test_any_storage_holds_the_stored_values(storage, tmp_path):
    if storage == "sqlite":
        storage = RDBStorage("sqlite://")
    else:
        storage = JournalStorage(JournalFileBackend(str(tmp_path / "journal")))
    space = declared([{"a": AWKWARD, "b": FloatDistribution(0, 1)}, {"a": scipy.stats.norm()}])
    study = optuna.create_study(storage=storage, sampler=optuna.samplers.RandomSampler(seed=0))
    points = [space.suggest(study.ask()) for _ in range(20)]
    held = [trial.params for trial in optuna.load_study(study_name=None, storage=storage).trials]
    assert held == [point.stored for point in points]
    assert {point.subspace for point in points} == {0, 1}


def test_a_continuous_dimension_makes_the_space_infinite():
    space = make_space({"C": scipy.stats.expon(), "kernel": ["rbf", "linear"]}, SVC())
    assert space.n_points is None
    assert space.continuous_parameters() == {"C"}


# Unions


def test_a_union_shares_names_of_equal_distributions_only():
    space = declared([{"a": [1, 2], "b": [1, 2]}, {"a": [1, 2], "b": [3]}])
    stored = {tuple(sorted(point.stored)) for point in space.points()}
    assert stored == {("a", "b [0]", "subspace"), ("a", "b [1]", "subspace")}


def test_a_parameter_may_be_called_like_the_selector():
    space = declared([{"subspace": ["x"]}, {"subspace": ["y"]}])
    assert [space.decode(point) for point in space.points()] == [
        {"subspace": "x"},
        {"subspace": "y"},
    ]


def test_a_union_of_different_quantiles_is_searched():
    union = [
        {"max_depth": scipy.stats.poisson(5, loc=1)},
        {"max_depth": scipy.stats.poisson(20, loc=1)},
        {"ccp_alpha": scipy.stats.expon(scale=0.01), "max_depth": [None]},
    ]
    search = OptunaSearchCV(
        DecisionTreeClassifier(random_state=0), union, n_trials=20, sampler="random", random_state=0
    ).fit(X, Y)
    for trial, params in zip(search.study_.trials, search.cv_results_["params"], strict=True):
        subspace = trial.params["subspace"]
        shown = [v for name, v in trial.params.items() if name.startswith("max_depth")]
        assert shown == [params["max_depth"]]
        assert ("ccp_alpha" in params) == (subspace == 2)
    assert {trial.params["subspace"] for trial in search.study_.trials} == {0, 1, 2}


def test_whole_steps_of_a_pipeline_are_swapped():
    grid = [
        {"scaler": [StandardScaler(), MinMaxScaler(), "passthrough"], "clf__C": [0.1, 1]},
        {"clf": [GaussianNB(), DecisionTreeClassifier(random_state=0)]},
        {"clf": [SVC()], "clf__kernel": ["linear", "rbf"]},
    ]
    ours = OptunaSearchCV(PIPELINE, grid).fit(X, Y)
    theirs = GridSearchCV(PIPELINE, grid).fit(X, Y)
    assert all(map(same_value, ours.cv_results_["params"], theirs.cv_results_["params"]))
    np.testing.assert_array_equal(
        ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"]
    )
    assert not hasattr(grid[1]["clf"][0], "theta_")  # objects in the space are never fitted


# The estimator's own point


@pytest.mark.parametrize(
    ("param_distributions", "own"),
    [
        ({"C": FloatDistribution(0.1, 10)}, {"C": 1.0}),
        ({"C": np.logspace(-1, 1, 3), "kernel": ["linear", "rbf"]}, {"C": 1.0, "kernel": "rbf"}),
        ({"degree": scipy.stats.poisson(3)}, {"degree": 3}),
        ([{"kernel": ["linear"]}, {"C": scipy.stats.expon()}], {"C": 1.0}),
        ([{"C": [1.0], "gamma": [0.1]}, {"C": [1.0]}], {"C": 1.0}),
        ({"kernel": ["linear"]}, None),
        ({"gamma": scipy.stats.expon()}, None),  # "scale"
        ({"random_state": scipy.stats.poisson(3)}, None),  # None
        ({"max_iter": IntDistribution(1, 9)}, None),  # -1
    ],
)
def test_own_point(param_distributions, own):
    space = make_space(param_distributions, SVC())
    point = space.own_point(SVC())
    assert (None if point is None else space.decode(point)) == own


# Errors


@pytest.fixture
def fit():
    """Fit a search over a space; `CountedTree.n_fits` counts the fits."""
    CountedTree.n_fits = 0
    return lambda space: OptunaSearchCV(CountedTree(random_state=0), space, n_trials=5).fit(X, Y)


@pytest.mark.parametrize(
    ("space", "error", "message"),
    [
        (
            {"max_dept": [1]},
            ValueError,
            r"Invalid parameter 'max_dept' .*\['ccp_alpha', .*'splitter'",
        ),
        ({"max_depth": [1], "a": [1]}, ValueError, "Invalid parameter 'a' .*'max_depth'"),
        ([{"max_depth": [1]}, {"a": [1]}], ValueError, "Invalid parameter 'a' .*'max_depth'"),
        ({"max_depth": []}, ValueError, "Parameter 'max_depth': got an empty list"),
        ({"max_depth": 3}, TypeError, "Parameter 'max_depth': expected .* got 3 of type int"),
        ([{"max_depth": [1]}, {"splitter": "best"}], TypeError, "Parameter 'splitter': .* 'best'"),
        ({1: [2]}, TypeError, "Parameter names must be strings, got 1"),
        ([], TypeError, "non-empty list of dicts"),
        ([{"max_depth": [1]}, 3], TypeError, "non-empty list of dicts"),
        (
            "max_depth",
            TypeError,
            "a dict, a list of dicts or a callable.* got 'max_depth' of type str",
        ),
        (None, TypeError, "got None of type NoneType"),
    ],
)
def test_a_wrong_space_is_refused_before_the_first_fit(fit, space, error, message):
    with pytest.raises(error, match=message):
        fit(space)
    assert CountedTree.n_fits == 0


def test_a_nested_name_must_fit_every_value_of_its_step():
    space = {"clf": [SVC(), DecisionTreeClassifier()], "clf__C": [1, 2]}
    with pytest.raises(ValueError, match=r"Invalid parameter 'C' .*DecisionTree") as raised:
        make_space(space, PIPELINE)
    (note,) = raised.value.__notes__
    assert "'clf__C' is searched together with 'clf'" in note
    make_space({"clf": [SVC(), LogisticRegression()], "clf__C": [1, 2]}, PIPELINE)


def test_a_name_that_only_set_params_knows_is_accepted():
    class Setter(SVC):
        def set_params(self, **params):
            return super().set_params(**{n.removeprefix("my_"): v for n, v in params.items()})

    make_space({"my_C": [1, 2]}, Setter())
    with pytest.raises(ValueError, match="Invalid parameter 'my_D'"):
        make_space({"my_D": [1, 2]}, Setter())
