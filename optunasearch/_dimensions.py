"""One searched parameter: what the sampler sees, and what the estimator gets.

A *dimension* stands between two worlds. The sampler and the study only know
Optuna distributions over floats, ints and plain labels (the *stored* value);
the estimator takes any Python object (the *value*). Three kinds are enough:

- :class:`NumericDimension`: an Optuna int or float distribution; stored value
  and value are the same number;
- :class:`ChoiceDimension`: a list of arbitrary objects. Optuna stores the
  position in the list of choices; the choices themselves are the objects where
  those are plain and distinct, otherwise one label for each, so that 1, 1.0 and
  True stay apart and any storage holds them;
- :class:`QuantileDimension`: any other scipy distribution, drawn as a quantile
  and mapped through the inverse of its cumulative distribution function.
"""

from __future__ import annotations

import math
import numbers
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from sklearn.base import BaseEstimator

# The quantiles at which an unbounded distribution is cut. A draw beyond them
# happens once in 500,000 times; 0 and 1 themselves would map to infinities.
LOWEST_QUANTILE = 1e-6
HIGHEST_QUANTILE = 1 - 1e-6

_MAX_LABEL_LENGTH = 60
_PLAIN_TYPES = (type(None), bool, int, float, str)
_DEPRECATED_DISTRIBUTIONS = {
    "UniformDistribution": "FloatDistribution(low, high)",
    "LogUniformDistribution": "FloatDistribution(low, high, log=True)",
    "DiscreteUniformDistribution": "FloatDistribution(low, high, step=q)",
    "IntUniformDistribution": "IntDistribution(low, high, step=step)",
    "IntLogUniformDistribution": "IntDistribution(low, high, log=True)",
}


class Dimension(Protocol):
    """What the search space needs to know of one parameter."""

    @property
    def distribution(self) -> BaseDistribution:
        """The sampler's view."""

    @property
    def ledger_distribution(self) -> BaseDistribution:
        """The public study's view."""

    def decode(self, stored: Any) -> Any:
        """Return the estimator's value for a stored one."""

    def encode(self, value: Any) -> Any:
        """Return the stored value, or raise ValueError if it is not in here."""

    def to_ledger(self, stored: Any) -> Any:
        """Return what the public study shows for a stored value."""

    def an_example(self) -> Any:
        """Return one value."""

    @property
    def n_points(self) -> int | None:
        """Number of values, None if they are not countable."""

    def points(self) -> Iterator[Any]:
        """Iterate over the stored values of a finite dimension, in order."""


@dataclass(frozen=True)
class NumericDimension:
    """An Optuna int or float distribution."""

    distribution: FloatDistribution | IntDistribution

    @property
    def ledger_distribution(self) -> BaseDistribution:
        return self.distribution

    def decode(self, stored: Any) -> Any:
        return stored

    def to_ledger(self, stored: Any) -> Any:
        return stored

    def encode(self, value: Any) -> Any:
        number, distribution = _number(value), self.distribution
        if not _contains(distribution, number):
            raise ValueError(f"{value!r} is outside of {distribution}")
        return nearest_step(distribution, number)

    def an_example(self) -> Any:
        return self.distribution.low

    @property
    def n_points(self) -> int | None:
        low, high, step = (getattr(self.distribution, a) for a in ("low", "high", "step"))
        if step is None:
            return 1 if low == high else None
        return math.floor((high - low) / step + 1e-8) + 1

    def points(self) -> Iterator[Any]:
        n_points = self.n_points
        if n_points is None:
            raise ValueError(f"{self.distribution} has no finite number of values")
        for position in range(n_points):
            yield _nth(self.distribution, position)


def _number(value: Any) -> Any:
    """Return a number as Python's own, or raise ValueError if it is none."""
    number = value.item() if isinstance(value, np.generic) else value
    is_real = isinstance(number, numbers.Real) and not isinstance(number, bool)
    if not is_real or number != number:
        raise ValueError(f"{value!r} is not a number")
    return number


def _contains(distribution: FloatDistribution | IntDistribution, number: Any) -> bool:
    if not distribution.low <= number <= distribution.high:
        return False
    if distribution.step is None:
        return True
    n_steps = (number - distribution.low) / distribution.step
    return abs(n_steps - round(n_steps)) < 1e-8


def _nth(distribution: FloatDistribution | IntDistribution, position: int) -> float | int:
    """Return the value `position` steps above the lowest, without rounding error."""
    if isinstance(distribution, IntDistribution):
        return distribution.low + position * distribution.step
    # In decimals, as Optuna counts them: 0.1 + 2 * 0.1 is 0.30000000000000004.
    low, step = Decimal(str(distribution.low)), Decimal(str(distribution.step or 0))
    return float(low + position * step)


def nearest_step(distribution: FloatDistribution | IntDistribution, number: float) -> float | int:
    """Return the value of `distribution` that is meant by a number within it."""
    if distribution.step is None:
        return float(number)
    return _nth(distribution, round((number - distribution.low) / distribution.step))


@dataclass(frozen=True)
class ChoiceDimension:
    """A list of arbitrary objects."""

    values: tuple[Any, ...]
    distribution: CategoricalDistribution = field(init=False)
    _positions: dict[Any, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        choices = _choices(self.values)
        object.__setattr__(self, "distribution", CategoricalDistribution(choices))
        object.__setattr__(self, "_positions", {c: i for i, c in enumerate(choices)})

    @property
    def ledger_distribution(self) -> BaseDistribution:
        return self.distribution

    def decode(self, stored: Any) -> Any:
        return self.values[self._positions[stored]]

    def to_ledger(self, stored: Any) -> Any:
        return stored

    def encode(self, value: Any) -> Any:
        # A default of 1.0 is meant by a listed 1, unless 1.0 is listed too.
        for is_meant in (same_value, _same_number):
            for choice, own in zip(self.distribution.choices, self.values, strict=True):
                if is_meant(value, own):
                    return choice
        raise ValueError(f"{value!r} is not among {list(self.distribution.choices)}")

    def an_example(self) -> Any:
        return self.values[0]

    @property
    def n_points(self) -> int:
        return len(self.values)

    def points(self) -> Iterator[Any]:
        return iter(self.distribution.choices)


@dataclass(frozen=True)
class QuantileDimension:
    """A scipy distribution drawn as a quantile.

    Uniform quantiles through the inverse cumulative distribution function give
    the distribution itself (inverse transform sampling; Devroye, 1986, *Non-Uniform
    Random Variate Generation*, section II.2).
    """

    random_variable: Any
    distribution: FloatDistribution = field(init=False)
    ledger_distribution: BaseDistribution = field(init=False)

    def __post_init__(self) -> None:
        quantiles = FloatDistribution(LOWEST_QUANTILE, HIGHEST_QUANTILE)
        object.__setattr__(self, "distribution", quantiles)
        low, high = self.decode(LOWEST_QUANTILE), self.decode(HIGHEST_QUANTILE)
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError(f"its quantiles are not finite: {low}, {high}")
        kind = IntDistribution if isinstance(low, int) else FloatDistribution
        object.__setattr__(self, "ledger_distribution", kind(low, high))

    def decode(self, stored: Any) -> Any:
        value = self.random_variable.ppf(stored).item()
        return int(value) if self._is_discrete else value

    def to_ledger(self, stored: Any) -> Any:
        return self.decode(stored)

    def encode(self, value: Any) -> Any:
        number = _number(value)
        if not math.isfinite(number):  # some distributions cannot say that it is none of theirs
            raise ValueError(f"{value!r} is not a value of the distribution")
        quantile = float(self.random_variable.cdf(number))
        if self._is_discrete:  # the middle of the quantiles that stand for the value
            quantile -= float(self.random_variable.pmf(number)) / 2
        quantile = min(max(quantile, LOWEST_QUANTILE), HIGHEST_QUANTILE)
        if not math.isclose(self.decode(quantile), number, rel_tol=1e-6, abs_tol=1e-12):
            raise ValueError(f"{value!r} is not a value of the distribution, or too rare")
        return quantile

    def an_example(self) -> Any:
        return self.decode(0.5)

    @property
    def _is_discrete(self) -> bool:
        return hasattr(self.random_variable, "pmf")

    @property
    def n_points(self) -> None:
        return None

    def points(self) -> Iterator[Any]:
        raise ValueError("a continuous distribution has no finite number of values")


def make_dimension(name: str, given: Any) -> Dimension:
    """Turn what the user gave for the parameter `name` into a dimension.

    Raises
    ------
    TypeError, ValueError
        Naming the parameter, what was received and what can be given.
    """
    if isinstance(given, BaseDistribution):
        replacement = _DEPRECATED_DISTRIBUTIONS.get(type(given).__name__)
        if replacement is not None:
            raise ValueError(
                f"Parameter {name!r}: {type(given).__name__} is deprecated in Optuna "
                f"and not accepted; use optuna.distributions.{replacement} instead."
            )
        if isinstance(given, CategoricalDistribution):
            return ChoiceDimension(tuple(given.choices))
        if isinstance(given, FloatDistribution | IntDistribution):
            return NumericDimension(given)
    elif hasattr(given, "ppf") and hasattr(given, "cdf"):
        try:
            return _from_scipy(given)
        except (TypeError, ValueError) as error:
            raise type(error)(
                f"Parameter {name!r}: {given!r} is not a distribution of single numbers "
                f"({error}); give it all its arguments, as in "
                "scipy.stats.loguniform(1e-3, 10)."
            ) from error
    elif isinstance(given, np.ndarray) and given.ndim != 1:
        raise ValueError(
            f"Parameter {name!r}: expected a one-dimensional array of values, got an "
            f"array of shape {given.shape}; pass a list of the values instead."
        )
    elif isinstance(given, Sequence | np.ndarray) and not isinstance(given, str | bytes):
        if not len(given):
            raise ValueError(
                f"Parameter {name!r}: got an empty {type(given).__name__}, need at least "
                "one value; remove the parameter from the space to keep the estimator's."
            )
        return ChoiceDimension(tuple(given))
    raise TypeError(
        f"Parameter {name!r}: expected an Optuna distribution, a frozen scipy "
        "distribution (with ppf and cdf), or a non-empty list, tuple or one-dimensional "
        f"array of values, got {given!r} of type {type(given).__name__}; wrap a single "
        "value in a list."
    )


def _from_scipy(given: Any) -> Dimension:
    """Uniform, loguniform and randint exactly, any other through its quantiles."""
    family = getattr(getattr(given, "dist", None), "name", None)
    if family not in ("uniform", "randint", "loguniform", "reciprocal"):
        return QuantileDimension(given)
    low, high = map(float, given.support())
    if math.isnan(low):
        raise ValueError("its arguments are invalid")
    if family == "uniform":
        return NumericDimension(FloatDistribution(low, high))
    if family == "randint":
        return NumericDimension(IntDistribution(int(low), int(high)))
    # scipy's `loguniform` is `reciprocal`; shifted it is no longer uniform in the
    # logarithm between its ends, and its median not their geometric mean.
    if low > 0 and math.isclose(given.median(), math.sqrt(low * high)):
        return NumericDimension(FloatDistribution(low, high, log=True))
    return QuantileDimension(given)


def _choices(values: tuple[Any, ...]) -> list[Any]:
    """Return the values where Optuna can tell them apart, else a label for each."""
    plain = [v.item() if isinstance(v, np.generic) else v for v in values]
    is_plain = all(isinstance(v, _PLAIN_TYPES) and v == v for v in plain)
    if is_plain and len(set(plain)) == len(plain):
        return plain
    labels = [_label(value) for value in plain]
    numbered = [f"{label} [{position}]" for position, label in enumerate(labels)]
    counts = Counter(labels)
    mixed = [
        label if counts[label] == 1 else own_number
        for label, own_number in zip(labels, numbered, strict=True)
    ]
    return mixed if len(set(mixed)) == len(mixed) else numbered


def choice_of(value: Any) -> Any:
    """Return what is stored for a value that stands alone in its list."""
    return _choices((value,))[0]


def _label(value: Any) -> str:
    """Return a short text for a value that is the same in every process."""
    if isinstance(value, str):
        return value
    text = getattr(value, "__qualname__", None) or repr(value)
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", " ".join(text.split()))
    if len(text) > _MAX_LABEL_LENGTH:
        text = text[: _MAX_LABEL_LENGTH - 1] + "…"
    return text


def _same_number(one: Any, other: Any) -> bool:
    numbers_given = [
        isinstance(v, numbers.Real) and not isinstance(v, bool | np.bool_) for v in (one, other)
    ]
    return all(numbers_given) and bool(one == other)


def same_value(one: Any, other: Any) -> bool:
    """Whether two parameter values mean the same (1, 1.0 and True do not)."""
    one, other = (v.item() if isinstance(v, np.generic) else v for v in (one, other))
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, BaseEstimator):
        own, others = one.get_params(deep=False), other.get_params(deep=False)
        return own.keys() == others.keys() and all(
            same_value(own[name], others[name]) for name in own
        )
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same_value, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same_value(one[k], other[k]) for k in one)
    if isinstance(one, float) and math.isnan(one):
        return math.isnan(other)
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    try:
        return bool(one == other)
    except (TypeError, ValueError):  # no equality, or an elementwise one
        return False
