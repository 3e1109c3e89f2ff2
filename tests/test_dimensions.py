"""One searched parameter: what is stored, what the estimator gets, and what is refused."""

import functools
import math
import pickle
import warnings

import numpy as np
import optuna
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from optunasearch._dimensions import (
    ChoiceDimension,
    NumericDimension,
    QuantileDimension,
    choice_of,
    make_dimension,
    same_value,
)

plain_values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
objects = plain_values | st.tuples(plain_values) | st.dictionaries(st.text(max_size=1), st.floats())
# Few and similar, so that equal ones and clashing labels are common.
similar = st.sampled_from([0, 0.0, -0.0, False, "0", "0 [0]", "0 [1]", 1, 1.0, True, None, "None"])
lists_of_objects = st.lists(objects | similar, min_size=1, max_size=8)


def double(x):
    return 2 * x


# Choices


@given(lists_of_objects)
def test_choices_decode_to_the_very_objects(values):
    dimension = make_dimension("x", values)
    decoded = [dimension.decode(stored) for stored in dimension.points()]
    assert all(one is other for one, other in zip(decoded, values, strict=True))
    assert dimension.n_points == len(values)


@given(lists_of_objects)
def test_choices_are_stored_as_distinct_plain_values(values):
    choices = make_dimension("x", values).distribution.choices
    assert len(set(choices)) == len(values)
    assert all(isinstance(c, bool | int | float | str | None) for c in choices)


@given(lists_of_objects)
def test_choices_round_trip(values):
    dimension = make_dimension("x", values)
    for value in values:
        assert same_value(dimension.decode(dimension.encode(value)), value)


def test_distinct_plain_choices_are_stored_as_they_are():
    choices = make_dimension("x", ["a", None, 2, 0.5, True]).distribution.choices
    assert choices == ("a", None, 2, 0.5, True)


def test_equal_choices_of_different_types_stay_apart():
    dimension = make_dimension("x", [1, 1.0, True])
    assert dimension.distribution.choices == ("1", "1.0", "True")
    assert [type(dimension.decode(c)) for c in ["1", "1.0", "True"]] == [int, float, bool]
    assert [dimension.encode(v) for v in (True, 1.0, 1)] == ["True", "1.0", "1"]


def test_a_value_listed_twice_is_two_choices():
    dimension = make_dimension("x", ["a", "a", "a [0]"])
    assert len(set(dimension.points())) == 3


def test_objects_are_stored_under_readable_labels():
    values = [SVC(C=3), double, functools.partial(double, 1), (1, 2), np.arange(3), lambda x: x]
    choices = make_dimension("x", values).distribution.choices
    assert choices[:2] == ("SVC(C=3)", "double")
    assert choices[3:5] == ("(1, 2)", "array([0, 1, 2])")
    assert not any("0x" in choice for choice in choices)  # the same in every process


def test_a_long_label_is_cut():
    (choice,) = make_dimension("x", [list(range(100))]).distribution.choices
    assert len(choice) == 60
    assert choice.startswith("[0, 1, 2, ")
    assert choice.endswith("…")


def test_numpy_values_are_stored_as_python_s_and_decoded_as_they_are():
    values = np.logspace(-2, 2, 5)
    dimension = make_dimension("C", values)
    assert [type(c) for c in dimension.distribution.choices] == [float] * 5
    assert type(dimension.decode(1.0)) is np.float64


def test_a_value_of_python_s_is_found_among_numpy_s():
    assert make_dimension("C", np.logspace(-2, 2, 5)).encode(1.0) == 1.0
    assert make_dimension("C", np.arange(5)).encode(3) == 3
    assert make_dimension("C", np.arange(5)).encode(3.0) == 3
    assert make_dimension("C", [1, 1.0, True]).encode(1.0) == "1.0"
    with pytest.raises(ValueError, match="not among"):
        make_dimension("C", np.arange(5)).encode(True)


def test_choices_come_from_lists_tuples_ranges_arrays_and_optuna():
    given = [["a", 1], ("a", 1), np.array(["a", 1], object), CategoricalDistribution(["a", 1])]
    assert all(list(make_dimension("x", g).points()) == ["a", 1] for g in given)
    assert list(make_dimension("x", range(3)).points()) == [0, 1, 2]


def test_a_lone_value_is_stored_like_in_its_list():
    for value in ("a", None, 2, True, SVC(C=3), (1, 2)):
        assert choice_of(value) == make_dimension("x", [value, "other"]).distribution.choices[0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, np.int64(1)),
        (math.nan, float("nan")),
        (np.arange(3), np.arange(3)),
        (SVC(C=2), SVC(C=2)),
        ((1, [2]), (1, [2])),
        ({"a": math.nan}, {"a": np.float64("nan")}),
    ],
)
def test_same_value(one, other):
    assert same_value(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (1, True),
        (0, None),
        ((1,), (True,)),
        ({"a": 1}, {"a": True}),
        (SVC(C=1), SVC(C=1.0)),
        (SVC(), LogisticRegression()),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1]})),
    ],
)
def test_other_value(one, other):
    assert not same_value(one, other)


# Numbers


@st.composite
def numeric_distributions(draw):
    with warnings.catch_warnings():  # Optuna says that it lowers `high` to the last step
        warnings.simplefilter("ignore")
        if draw(st.booleans()):
            low, size = draw(st.integers(-100, 100)), draw(st.integers(0, 50))
            return IntDistribution(low, low + size, step=draw(st.integers(1, 7)))
        low, step = draw(st.floats(-100, 100)), draw(st.sampled_from([0.1, 0.25, 1 / 3, 7.0]))
        return FloatDistribution(low, low + draw(st.floats(0, 5)), step=step)


@given(numeric_distributions())
def test_points_of_steps_are_in_the_distribution_and_round_trip(distribution):
    dimension = NumericDimension(distribution)
    points = list(dimension.points())
    assert len(points) == len(set(points)) == dimension.n_points
    assert points[0] == distribution.low and points[-1] == pytest.approx(distribution.high)
    assert all(map(distribution._contains, points))
    assert [dimension.encode(dimension.decode(point)) for point in points] == points


def test_steps_have_no_rounding_error():
    dimension = make_dimension("x", FloatDistribution(0.1, 0.5, step=0.1))
    assert list(dimension.points()) == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert dimension.encode(0.1 + 2 * 0.1) == 0.3  # not 0.30000000000000004


@pytest.mark.parametrize(
    ("distribution", "n_points"),
    [
        (IntDistribution(1, 100, log=True), 100),
        (FloatDistribution(2.0, 2.0), 1),
        (FloatDistribution(0.0, 1.0), None),
        (FloatDistribution(0.1, 1.0, log=True), None),
    ],
)
def test_number_of_points(distribution, n_points):
    assert make_dimension("x", distribution).n_points == n_points


@pytest.mark.parametrize("value", [None, "1", True, math.nan, math.inf, 0, 6, 2.5, [2]])
def test_an_int_distribution_refuses(value):
    with pytest.raises(ValueError, match=r"is not a number|is outside of IntDistribution"):
        make_dimension("x", IntDistribution(1, 5)).encode(value)


def test_a_number_is_stored_in_the_distribution_s_type():
    stored = [
        make_dimension("x", IntDistribution(1, 5)).encode(np.float64(3.0)),
        make_dimension("x", FloatDistribution(1, 5)).encode(3),
    ]
    assert [(type(s), s) for s in stored] == [(int, 3), (float, 3.0)]


# What is refused


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ([], ValueError, "got an empty list, need at least one value"),
        (np.array([]), ValueError, "got an empty ndarray"),
        (np.ones((2, 2)), ValueError, r"one-dimensional array of values, got an.*shape \(2, 2\)"),
        (1.0, TypeError, "got 1.0 of type float; wrap a single value in a list"),
        ("rbf", TypeError, "got 'rbf' of type str"),
        ({1, 2}, TypeError, "of type set"),
        (None, TypeError, "got None of type NoneType"),
        (scipy.stats.loguniform, TypeError, "give it all its arguments"),
        (scipy.stats.uniform([0, 1], 1), TypeError, "not a distribution of single numbers"),
        (scipy.stats.norm(0, -1), ValueError, "not a distribution of single numbers"),
        (scipy.stats.uniform(0, -1), ValueError, "not a distribution of single numbers"),
    ],
)
def test_what_is_no_distribution_is_refused_by_name(given, error, message):
    with pytest.raises(error, match=f"Parameter 'clf__C': .*{message}"):
        make_dimension("clf__C", given)


@pytest.mark.filterwarnings("ignore:.*has been deprecated:FutureWarning")
@pytest.mark.parametrize(
    ("name", "arguments", "replacement"),
    [
        ("UniformDistribution", (0, 1), r"FloatDistribution\(low, high\)"),
        ("LogUniformDistribution", (1, 2), r"FloatDistribution\(low, high, log=True\)"),
        ("DiscreteUniformDistribution", (0, 1, 0.5), r"FloatDistribution\(low, high, step=q\)"),
        ("IntUniformDistribution", (0, 1), r"IntDistribution\(low, high, step=step\)"),
        ("IntLogUniformDistribution", (1, 2), r"IntDistribution\(low, high, log=True\)"),
    ],
)
def test_a_deprecated_distribution_is_refused_with_its_replacement(name, arguments, replacement):
    deprecated = getattr(optuna.distributions, name)(*arguments)
    with pytest.raises(ValueError, match=f"Parameter 'C': {name} is deprecated.*{replacement}"):
        make_dimension("C", deprecated)


@pytest.mark.parametrize(
    "given",
    [["a", SVC()], IntDistribution(1, 5), scipy.stats.norm(), scipy.stats.poisson(5)],
    ids=["choices", "numbers", "continuous", "discrete"],
)
def test_a_dimension_pickles_and_gives_an_example(given):
    dimension = make_dimension("x", given)
    copy = pickle.loads(pickle.dumps(dimension))
    assert copy.distribution == dimension.distribution
    assert same_value(copy.an_example(), dimension.an_example())
    assert dimension.decode(dimension.encode(dimension.an_example())) == dimension.an_example()
    assert isinstance(dimension, ChoiceDimension | NumericDimension | QuantileDimension)
