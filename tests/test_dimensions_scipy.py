"""Distributions of scipy: exactly where Optuna has them, else through their quantiles."""

import math

import numpy as np
import optuna
import pytest
import scipy.stats
from optuna.distributions import FloatDistribution, IntDistribution

from optunasearch._dimensions import (
    HIGHEST_QUANTILE,
    NumericDimension,
    QuantileDimension,
    make_dimension,
)

QUANTILES = np.linspace(1e-6, 1 - 1e-6, 201)


@pytest.mark.parametrize(
    ("frozen", "distribution"),
    [
        (scipy.stats.uniform(-1, 3), FloatDistribution(-1, 2)),
        (scipy.stats.randint(2, 9), IntDistribution(2, 8)),
        (scipy.stats.randint(2, 9, loc=1), IntDistribution(3, 9)),
        (scipy.stats.loguniform(1e-3, 10), FloatDistribution(1e-3, 10, log=True)),
        (scipy.stats.loguniform(a=1e-3, b=10), FloatDistribution(1e-3, 10, log=True)),
        (scipy.stats.loguniform(1, 10, scale=2), FloatDistribution(2, 20, log=True)),
        (scipy.stats.reciprocal(1e-3, 10), FloatDistribution(1e-3, 10, log=True)),
    ],
)
def test_uniform_loguniform_and_randint_are_exact(frozen, distribution):
    dimension = make_dimension("x", frozen)
    assert isinstance(dimension, NumericDimension)
    assert dimension.distribution == distribution


@pytest.mark.parametrize(
    "frozen",
    [
        scipy.stats.norm(3, 2),
        scipy.stats.expon(scale=10),
        scipy.stats.beta(0.5, 0.5),
        scipy.stats.lognorm(s=2),
        scipy.stats.loguniform(1, 10, loc=5),
        scipy.stats.truncnorm(-1, 3),
        scipy.stats.rv_histogram(([1, 3, 2], [0, 1, 2, 3]), density=False),
    ],
    ids=lambda frozen: getattr(getattr(frozen, "dist", frozen), "name", None) or "histogram",
)
def test_quantiles_reproduce_a_continuous_distribution(frozen):
    dimension = make_dimension("x", frozen)
    assert isinstance(dimension, QuantileDimension)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    asked = [study.ask({"x": dimension.distribution}).params["x"] for _ in range(500)]
    values = [dimension.decode(stored) for stored in asked]
    assert scipy.stats.kstest(values, frozen.cdf).pvalue > 0.01
    assert all(map(dimension.ledger_distribution._contains, values))


@pytest.mark.parametrize(
    "frozen",
    [
        scipy.stats.poisson(5),
        scipy.stats.binom(10, 0.3),
        scipy.stats.geom(0.2, loc=3),
        scipy.stats.rv_discrete(values=([1, 2, 5], [0.2, 0.3, 0.5])),
    ],
    ids=["poisson", "binom", "geom", "values"],
)
def test_quantiles_reproduce_a_discrete_distribution(frozen):
    dimension = make_dimension("x", frozen)
    values = [dimension.decode(quantile) for quantile in np.arange(0.5e-3, 1, 1e-3)]
    numbers, counts = np.unique(values, return_counts=True)
    assert {type(value) for value in values} == {int}
    np.testing.assert_allclose(counts / 1000, frozen.pmf(numbers), atol=2e-3)
    for number in numbers:  # in the middle of the quantiles that stand for it
        quantile = dimension.encode(number)
        around = (quantile, quantile - 1e-9, min(quantile + 1e-9, HIGHEST_QUANTILE))
        assert [dimension.decode(q) for q in around] == [number] * 3
    assert all(map(dimension.ledger_distribution._contains, values))


def test_quantiles_round_trip():
    for frozen in (scipy.stats.norm(3, 2), scipy.stats.lognorm(s=2), scipy.stats.beta(2, 5)):
        dimension = make_dimension("x", frozen)
        encoded = [dimension.encode(dimension.decode(q)) for q in QUANTILES]
        np.testing.assert_allclose(encoded, QUANTILES, rtol=1e-6)


@pytest.mark.parametrize("value", [None, "1", True, math.nan, -1, 2.5, 10_000])
def test_a_discrete_scipy_distribution_refuses(value):
    with pytest.raises(ValueError, match=r"is not a number|is not a value"):
        make_dimension("x", scipy.stats.poisson(5)).encode(value)


@pytest.mark.parametrize("value", [None, "1", math.inf, 1e9, -0.1])
def test_a_continuous_scipy_distribution_refuses(value):
    with pytest.raises(ValueError, match=r"is not a number|is not a value"):
        make_dimension("x", scipy.stats.expon()).encode(value)


def test_a_continuous_dimension_has_no_points():
    for infinite in (scipy.stats.norm(), FloatDistribution(0, 1)):
        dimension = make_dimension("x", infinite)
        assert dimension.n_points is None
        with pytest.raises(ValueError, match="no finite number of values"):
            list(dimension.points())
