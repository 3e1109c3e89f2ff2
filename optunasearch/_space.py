"""The search space: `param_distributions` turned into one object.

Two kinds share one interface. A :class:`DeclaredSpace` is made from a dict or a
list of dicts (a union of subspaces); a :class:`CallableSpace` asks the user's
function ``space(trial) -> dict`` anew for each trial (define-by-run). Both answer
`suggest` with a :class:`Point`: small, picklable, and enough for a worker to
decode the parameters.

In a list of dicts Optuna first suggests which subspace is meant. A name that
has the same distribution wherever it occurs is stored under that name, so that
samplers learn from every subspace; otherwise under ``name [i]`` for subspace i,
because an Optuna study does not take two distributions under one name.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import Trial
from sklearn.base import clone

from optunasearch._dimensions import (
    ChoiceDimension,
    Dimension,
    choice_of,
    make_dimension,
    nearest_step,
)

Params = dict[str, Any]
LedgerView = tuple[Params, dict[str, BaseDistribution]]


@dataclass(frozen=True)
class Point:
    """One point of a search space, as the study stores it.

    `params` and `ledger` (see `ledger_view`) are set only for a callable space, whose
    values and distributions exist nowhere else.
    """

    stored: dict[str, Any]
    subspace: int = 0
    params: Params | None = None
    ledger: LedgerView | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for equal points; a hashable that tells 1 from True."""
        items = sorted(self.stored.items())
        return (self.subspace, *((name, type(v).__name__, v) for name, v in items))


class DeclaredSpace:
    """A dict of distributions, or a union of several.

    Attributes
    ----------
    subspaces : list of dict
        For each subspace its dimensions by parameter name, names sorted.
    is_conditional : bool
        Whether which parameters exist depends on the point.
    """

    def __init__(self, subspaces: list[dict[str, Dimension]]) -> None:
        self.subspaces = [dict(sorted(subspace.items())) for subspace in subspaces]
        self.is_conditional = len(subspaces) > 1
        self._selector = ChoiceDimension(tuple(range(len(subspaces))))
        self._selector_name = _unused_name("subspace", subspaces)
        self._stored_names = _stored_names(self.subspaces)

    def suggest(self, trial: Trial) -> Point:
        """Let the trial's sampler choose a point."""
        stored, subspace = {}, 0
        if self.is_conditional:
            chosen = suggest(trial, self._selector_name, self._selector.distribution)
            stored[self._selector_name] = chosen
            subspace = self._selector.decode(chosen)
        for name, dimension in self.subspaces[subspace].items():
            stored_name = self._stored_names[subspace][name]
            stored[stored_name] = suggest(trial, stored_name, dimension.distribution)
        return Point(stored, subspace)

    def decode(self, point: Point) -> Params:
        """Return the estimator's parameters at a point."""
        names = self._stored_names[point.subspace]
        return {
            name: dimension.decode(point.stored[names[name]])
            for name, dimension in self.subspaces[point.subspace].items()
        }

    def encode(self, params: Mapping[str, Any]) -> Point:
        """Return the point of the first subspace that admits `params`.

        Names may be missing: the sampler chooses those. A subspace that misses none
        comes first.

        Raises
        ------
        ValueError
            If no subspace has these names and admits these values.
        """
        points, reasons = [], []
        for index in range(len(self.subspaces)):
            try:
                points.append(self._encode(index, params))
            except ValueError as error:
                reasons.append(str(error))
        if not points:
            raise ValueError("; ".join(reasons))
        return max(points, key=self.is_complete)

    def is_complete(self, point: Point) -> bool:
        """Whether a point leaves nothing for the sampler to choose."""
        n_stored = len(self.subspaces[point.subspace]) + self.is_conditional
        return len(point.stored) == n_stored

    def own_point(self, estimator: Any) -> Point | None:
        """Return the point of the estimator's own values, None if it has none."""
        valid = estimator.get_params(deep=True)
        for index, subspace in enumerate(self.subspaces):
            if all(name in valid for name in subspace):
                with contextlib.suppress(ValueError):
                    return self._encode(index, {name: valid[name] for name in subspace})
        return None

    @property
    def n_points(self) -> int | None:
        """Number of points, None if a dimension is continuous."""
        total = 0
        for subspace in self.subspaces:
            sizes = [dimension.n_points for dimension in subspace.values()]
            if any(size is None for size in sizes):
                return None
            total += math.prod(size for size in sizes if size is not None)
        return total

    def points(self) -> Iterator[Point]:
        """Visit every point once, in the order of scikit-learn's ParameterGrid."""
        for index, subspace in enumerate(self.subspaces):
            for values in itertools.product(*(d.points() for d in subspace.values())):
                yield self._point(index, dict(zip(subspace, values, strict=True)))

    def continuous_parameters(self) -> frozenset[str]:
        """Names whose values hardly ever repeat."""
        return frozenset(
            name
            for subspace in self.subspaces
            for name, dimension in subspace.items()
            if dimension.n_points is None
        )

    def parameter_names(self) -> frozenset[str] | None:
        """Return the names of all parameters."""
        return frozenset(name for subspace in self.subspaces for name in subspace)

    def ledger_view(self, point: Point) -> LedgerView:
        """Return parameters and distributions as the public study shows them."""
        params: Params = {}
        distributions: dict[str, BaseDistribution] = {}
        if self.is_conditional:
            params[self._selector_name] = point.stored[self._selector_name]
            distributions[self._selector_name] = self._selector.distribution
        names = self._stored_names[point.subspace]
        for name, dimension in self.subspaces[point.subspace].items():
            params[names[name]] = dimension.to_ledger(point.stored[names[name]])
            distributions[names[name]] = dimension.ledger_distribution
        return params, distributions

    def _encode(self, index: int, params: Mapping[str, Any]) -> Point:
        subspace = self.subspaces[index]
        unknown = sorted(params.keys() - subspace.keys(), key=str)
        if unknown:
            raise ValueError(f"{unknown} not among the parameters {sorted(subspace)}")
        stored = {}
        for name, value in params.items():
            try:
                stored[name] = subspace[name].encode(value)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
        return self._point(index, stored)

    def _point(self, subspace: int, stored: Mapping[str, Any]) -> Point:
        names = self._stored_names[subspace]
        renamed = {names[name]: value for name, value in stored.items()}
        if self.is_conditional:
            renamed[self._selector_name] = self._selector.encode(subspace)
        return Point(renamed, subspace)


class CallableSpace:
    """A function ``space(trial) -> dict`` of the user's (define-by-run)."""

    subspaces: list[dict[str, Dimension]] = []
    is_conditional = True
    n_points = None

    def __init__(self, function: Callable[[SpaceTrial], Params], estimator: Any) -> None:
        self._function = function
        self._estimator = estimator
        self._checked: set[frozenset[tuple[str, type]]] = set()

    def suggest(self, trial: Trial) -> Point:
        """Call the function; a wrong answer is an error before any fit."""
        asked = SpaceTrial(trial)
        params = self._call(asked, f"at trial {trial.number}")
        kind = frozenset((name, type(value)) for name, value in params.items())
        if kind not in self._checked:
            check_values(self._estimator, params)
            self._checked.add(kind)
        return Point(asked._stored, params=dict(params), ledger=asked._ledger)

    def encode(self, params: Mapping[str, Any]) -> Point:
        """Return the point of values given by the names they are suggested under.

        The function is called to see the distributions. A name that it does not ask
        for may stand in a branch that depends on what is not given: it is kept.
        """
        rehearsal = _Rehearsal(params)
        self._call(rehearsal, f"for initial_params {dict(params)!r}")
        kept = {name: choice_of(value) for name, value in params.items()}
        return Point(kept | rehearsal._stored)

    def _call(self, trial: SpaceTrial, occasion: str) -> Mapping[str, Any]:
        try:
            params = self._function(trial)
        except Exception as error:
            error.add_note(f"raised by param_distributions {occasion}")
            raise
        if not isinstance(params, Mapping) or not all(isinstance(k, str) for k in params):
            raise TypeError(
                "param_distributions(trial) must return a dict of parameter names and "
                f"values, got {params!r}"
            )
        return params

    def decode(self, point: Point) -> Params:
        """Return the estimator's parameters at a point."""
        assert point.params is not None
        return point.params

    def parameter_names(self) -> frozenset[str] | None:
        """Return None: the function may return any."""
        return None

    def ledger_view(self, point: Point) -> LedgerView:
        """Return parameters and distributions as the public study shows them."""
        assert point.ledger is not None
        return point.ledger

    def continuous_parameters(self) -> frozenset[str]:
        """Unknown before the function has run: every parameter may vary."""
        return frozenset(self._estimator.get_params(deep=True))

    def __getstate__(self) -> dict[str, Any]:
        # Workers only decode points, which carry their values with them.
        return {}


SearchSpace = DeclaredSpace | CallableSpace


@dataclass
class SpaceTrial:
    """What a callable `param_distributions` gets: the suggest methods of a trial.

    The same as those of :class:`optuna.trial.Trial`, except that
    `suggest_categorical` takes any objects (estimators, functions, tuples...).
    """

    _trial: Trial
    params: Params = field(default_factory=dict)
    _stored: dict[str, Any] = field(default_factory=dict)
    _ledger: LedgerView = field(default_factory=lambda: ({}, {}))

    def suggest_float(
        self,
        name: str,
        low: float,
        high: float,
        *,
        step: float | None = None,
        log: bool = False,
    ) -> float:
        """Suggest a float in [low, high]."""
        return self._suggest(name, FloatDistribution(low, high, log=log, step=step))

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        """Suggest an integer in [low, high], both included."""
        return self._suggest(name, IntDistribution(low, high, log=log, step=step))

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """Suggest one of the choices, which may be any objects."""
        return self._suggest(name, list(choices))

    def suggest(self, name: str, distribution: Any) -> Any:
        """Suggest from anything that a dict of `param_distributions` takes."""
        return self._suggest(name, distribution)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"The trial of a callable param_distributions has no {name!r}: it offers "
            "suggest_float, suggest_int, suggest_categorical, suggest and params."
        )

    def _suggest(self, name: str, given: Any) -> Any:
        dimension = make_dimension(name, given)
        stored = self._stored[name] = suggest(self._trial, name, dimension.distribution)
        shown, distributions = self._ledger
        shown[name] = dimension.to_ledger(stored)
        distributions[name] = dimension.ledger_distribution
        self.params[name] = dimension.decode(stored)
        return self.params[name]


class _Rehearsal(SpaceTrial):
    """Answers with given values, else with examples, and notes how they are stored."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.params, self._stored, self._values = {}, {}, values

    def _suggest(self, name: str, given: Any) -> Any:
        dimension = make_dimension(name, given)
        if name in self._values:
            self._stored[name] = dimension.encode(self._values[name])
            self.params[name] = dimension.decode(self._stored[name])
        else:
            self.params[name] = dimension.an_example()
        return self.params[name]


def suggest(trial: Trial, name: str, distribution: BaseDistribution) -> Any:
    """Ask the trial for a value of `distribution` through its public methods."""
    if isinstance(distribution, FloatDistribution):
        value = trial.suggest_float(
            name,
            distribution.low,
            distribution.high,
            step=distribution.step,
            log=distribution.log,
        )
        return nearest_step(distribution, value)  # not 0.30000000000000004
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(
            name,
            distribution.low,
            distribution.high,
            step=distribution.step,
            log=distribution.log,
        )
    assert isinstance(distribution, CategoricalDistribution)
    return trial.suggest_categorical(name, distribution.choices)


def make_space(param_distributions: Any, estimator: Any) -> SearchSpace:
    """Check `param_distributions` and turn it into a search space.

    Raises
    ------
    TypeError, ValueError
        Naming the parameter that is wrong, before anything is fitted.
    """
    if isinstance(param_distributions, Mapping):
        subspaces = [param_distributions]
    elif isinstance(param_distributions, list | tuple):
        subspaces = list(param_distributions)
        if not subspaces or not all(isinstance(s, Mapping) for s in subspaces):
            raise TypeError(
                "param_distributions as a list must be a non-empty list of dicts, got "
                f"{param_distributions!r}"
            )
    elif callable(param_distributions):
        return CallableSpace(param_distributions, estimator)
    else:
        raise TypeError(
            "param_distributions must be a dict, a list of dicts or a callable "
            f"space(trial) -> dict, got {param_distributions!r} of type "
            f"{type(param_distributions).__name__}"
        )
    dimensions = [
        {name: make_dimension(name, given) for name, given in subspace.items()}
        for subspace in subspaces
    ]
    for subspace in dimensions:
        check_names(estimator, subspace)
    return DeclaredSpace(dimensions)


def check_names(estimator: Any, subspace: Mapping[str, Dimension]) -> None:
    """Raise ValueError for a name that the estimator does not have.

    A nested name (``clf__C``) whose head (``clf``) is searched as well must be
    valid for every value of the head.
    """
    for name, dimension in subspace.items():
        if not isinstance(name, str):
            raise TypeError(f"Parameter names must be strings, got {name!r}")
        head = _searched_head(name, subspace)
        if head is None:
            _check_name(name, estimator, dimension)
            continue
        for owner in getattr(subspace[head], "values", ()):
            try:
                _check_name(name[len(head) + 2 :], owner, dimension)
            except ValueError as error:
                error.add_note(
                    f"{name!r} is searched together with {head!r}, which can be {owner!r}: "
                    "give each of them its own dict in a list of dicts, or use a callable "
                    "space."
                )
                raise


def _check_name(name: str, owner: Any, dimension: Dimension) -> None:
    valid = owner.get_params(deep=True) if hasattr(owner, "get_params") else {}
    if name in valid:
        return
    error: Exception | None = None
    if valid:  # some estimators set what they do not list
        try:
            clone(owner).set_params(**{name: clone(dimension.an_example(), safe=False)})
            return
        except Exception as reason:
            error = reason
    raise ValueError(
        f"Invalid parameter {name!r} for estimator {owner!r}. "
        f"Valid parameters are: {sorted(valid)!r}."
    ) from error


def _searched_head(name: str, subspace: Mapping[str, Dimension]) -> str | None:
    """Return the longest searched parameter that `name` is nested in."""
    parts = name.split("__")
    for n_parts in range(len(parts) - 1, 0, -1):
        head = "__".join(parts[:n_parts])
        if head in subspace:
            return head
    return None


def check_values(estimator: Any, params: Mapping[str, Any]) -> None:
    """Raise scikit-learn's error if the estimator does not take these parameters."""
    clone(estimator).set_params(**clone(dict(params), safe=False))


def _unused_name(name: str, subspaces: list[dict[str, Dimension]]) -> str:
    while any(name in subspace for subspace in subspaces):
        name = f"_{name}"
    return name


def _stored_names(subspaces: list[dict[str, Dimension]]) -> list[dict[str, str]]:
    """Return, for each subspace, under which name each parameter is stored."""
    distributions: dict[str, list[tuple[BaseDistribution, BaseDistribution]]] = {}
    for subspace in subspaces:
        for name, dimension in subspace.items():
            known = distributions.setdefault(name, [])
            both = (dimension.distribution, dimension.ledger_distribution)
            if both not in known:
                known.append(both)
    return [
        {name: name if len(distributions[name]) == 1 else f"{name} [{index}]" for name in subspace}
        for index, subspace in enumerate(subspaces)
    ]
