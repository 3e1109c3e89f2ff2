"""Samplers by name, and where trials come from."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from optuna.samplers import (
    BaseSampler,
    BruteForceSampler,
    CmaEsSampler,
    GPSampler,
    NSGAIIISampler,
    NSGAIISampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)
from optuna.trial import Trial, TrialState

from optunasearch._optional import import_optional
from optunasearch._optuna import (
    load_gp_quietly,
    new_study,
    quiet_optuna,
    random_states,
    reseed,
)
from optunasearch._space import CallableSpace, DeclaredSpace, Point, SearchSpace
from optunasearch.execution._records import TrialRecord

DEFAULT_N_TRIALS = 50


def _tpe(space: SearchSpace) -> BaseSampler:
    # Without groups, TPE models only the parameters that every trial has.
    if space.is_conditional:
        return TPESampler(multivariate=True, group=True)
    return TPESampler()


def _gp(space: SearchSpace) -> BaseSampler:
    import_optional("torch", feature="sampler='gp'", install="'optunasearch[torch]'")
    load_gp_quietly()
    return GPSampler(warn_independent_sampling=False)


def _cmaes(space: SearchSpace) -> BaseSampler:
    import_optional("cmaes", feature="sampler='cmaes'", install="cmaes")
    return CmaEsSampler(warn_independent_sampling=False)


def _bruteforce(space: SearchSpace) -> BaseSampler:
    if isinstance(space, DeclaredSpace):
        _check_finite("bruteforce", space)
    return BruteForceSampler()


def _check_finite(sampler: str, space: DeclaredSpace) -> None:
    if space.n_points is None:
        raise ValueError(
            f"sampler={sampler!r} needs a finite number of values for every parameter; "
            f"continuous are {sorted(space.continuous_parameters())}. Give them a "
            "list of values or a step, or use another sampler."
        )


_SAMPLERS: dict[str, Callable[[SearchSpace], BaseSampler]] = {
    "tpe": _tpe,
    "random": lambda space: RandomSampler(),
    "gp": _gp,
    "cmaes": _cmaes,
    "qmc": lambda space: QMCSampler(
        warn_independent_sampling=False, warn_asynchronous_seeding=False
    ),
    "nsga2": lambda space: NSGAIISampler(),
    "nsga3": lambda space: NSGAIIISampler(),
    "bruteforce": _bruteforce,
}
SAMPLER_NAMES = frozenset(_SAMPLERS) | {"grid"}
_SINGLE_OBJECTIVE = frozenset({"cmaes"})


def is_enumerated(sampler: Any, space: SearchSpace, n_trials: int | None) -> bool:
    """Whether every point is visited in order instead of being sampled."""
    if sampler is None:
        budget = DEFAULT_N_TRIALS if n_trials is None else n_trials
        return space.n_points is not None and space.n_points <= budget
    return isinstance(sampler, str) and sampler == "grid"


def default_lag(n_jobs: int, sampler: Any, *, enumerated: bool) -> int:
    """Return how many trials may be asked and not yet told.

    More keep the workers busier behind a slow trial, fewer tell the sampler more
    (`docs/design.md` has the figures). One that learns nothing loses nothing.
    """
    if n_jobs == 1:
        return 1
    is_blind = enumerated or (isinstance(sampler, str) and sampler in ("random", "qmc"))
    if is_blind or isinstance(sampler, RandomSampler | QMCSampler):
        return 4 * n_jobs
    return math.ceil(1.5 * n_jobs)


def make_sampler(sampler: Any, space: SearchSpace, n_objectives: int) -> BaseSampler:
    """Return a sampler of our own: made from a name, or copied from an instance."""
    if isinstance(sampler, BaseSampler):
        return copy.deepcopy(sampler)
    name = sampler or "tpe"
    if n_objectives > 1 and name in _SINGLE_OBJECTIVE:
        several = sorted(SAMPLER_NAMES - _SINGLE_OBJECTIVE)
        raise ValueError(
            f"sampler={name!r} takes one objective, got {n_objectives}; use one of {several}."
        )
    with quiet_optuna():
        return _SAMPLERS[name](space)


class GridProposer:
    """Visits every point of a finite space once, initial points first."""

    def __init__(self, space: SearchSpace, initial_points: Sequence[Point]) -> None:
        if isinstance(space, CallableSpace):
            raise ValueError(
                "sampler='grid' needs distributions that can be enumerated; a callable "
                "param_distributions cannot. Give a dict of lists, or another sampler."
            )
        _check_finite("grid", space)
        self._points = self._in_order(space.points(), initial_points)

    def propose(self, number: int) -> Point | None:
        """Return the next point not visited yet."""
        return next(self._points, None)

    def tell(self, record: TrialRecord) -> None:
        """Nothing is learned."""

    @staticmethod
    def _in_order(points: Iterator[Point], initial: Sequence[Point]) -> Iterator[Point]:
        first = {point.key: point for point in initial}
        yield from first.values()
        visited = set(first)
        yield from (point for point in points if point.key not in visited)


class SamplerProposer:
    """Asks an Optuna sampler, through a study that only the sampler sees.

    Parameters
    ----------
    space : SearchSpace
    sampler : optuna.samplers.BaseSampler
        Its random states are seeded anew for each trial if `seed` is given.
    objectives : sequence of str
    values_of : callable
        ``values_of(record)`` returns the objectives' values and the violations of
        the constraints.
    initial_points : sequence of Point
        Tried first; the sampler chooses what they leave open.
    """

    def __init__(
        self,
        space: SearchSpace,
        sampler: BaseSampler,
        *,
        objectives: Sequence[str],
        values_of: Callable[[TrialRecord], tuple[list[float], dict[str, float]]],
        initial_points: Sequence[Point] = (),
        seed: int | None = None,
    ) -> None:
        self._space = space
        self._study = new_study(sampler, objectives)
        self._random_states = random_states(sampler) if seed is not None else []
        self._seed = seed
        self._values_of = values_of
        self._initial_points = list(initial_points)
        self._open: dict[int, Trial] = {}
        self._worst: list[float] | None = None
        self._worst_violations: dict[str, float] = {}

    def propose(self, number: int) -> Point | None:
        """Ask the sampler; None when it has said that there is nothing left."""
        if self._study.stop_requested:
            return None
        if self._seed is not None:
            reseed(self._random_states, self._seed, number)
        if number < len(self._initial_points):
            self._study.enqueue_trial(self._initial_points[number].stored)
        trial = self._open[number] = self._study.ask()
        return self._space.suggest(trial)

    def tell(self, record: TrialRecord) -> None:
        """Tell the sampler.

        A failed trial is told as the worst seen so far: told as failed, samplers
        would ignore it and go on proposing what fails.
        """
        trial = self._open.pop(record.number)
        values, violations = self._values_of(record)
        if not all(math.isfinite(v) for v in [*values, *violations.values()]):
            if self._worst is None:
                self._study.tell(trial, state=TrialState.FAIL)
                return
            values = self._worst
            violations = {name: self._worst_violations[name] for name in violations}
        elif self._worst is None:
            self._worst, self._worst_violations = values, violations
        else:
            self._worst = list(map(min, self._worst, values))
            for name, violation in violations.items():
                worst = max(violation, self._worst_violations[name])
                self._worst_violations[name] = worst
        for name, violation in violations.items():
            trial.set_constraint(name, violation)
        self._study.tell(trial, values)


def initial_points(
    initial_params: Any, space: SearchSpace, estimator: Any, *, enumerated: bool
) -> list[Point]:
    """Return the points to try first; empty if the estimator's own are not in the space.

    Raises
    ------
    TypeError, ValueError
        If points that the user gave are not in the space.
    """
    if initial_params is None:
        return []
    if isinstance(initial_params, str):  # "estimator"
        if enumerated or isinstance(space, CallableSpace):
            return []
        own = space.own_point(estimator)
        return [] if own is None else [own]
    given = [initial_params] if isinstance(initial_params, Mapping) else list(initial_params)
    points = []
    for params in given:
        if not isinstance(params, Mapping):
            raise TypeError(
                "initial_params must be 'estimator', None, a dict of parameters or a list "
                f"of such dicts, got an element {params!r}"
            )
        try:
            point = space.encode(params)
        except ValueError as error:
            raise ValueError(
                f"initial_params {params!r} are not in param_distributions: {error}"
            ) from error
        if enumerated and isinstance(space, DeclaredSpace) and not space.is_complete(point):
            raise ValueError(
                f"initial_params {params!r} leave parameters open; with sampler='grid' "
                "give a value for each."
            )
        points.append(point)
    return points
