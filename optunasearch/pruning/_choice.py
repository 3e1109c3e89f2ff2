"""Which rule stops the trials of a search: what `pruner` comes to."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from optuna.pruners import BasePruner, NopPruner

from optunasearch.execution._records import TrialRecord
from optunasearch.execution._schedule import StoppingRule
from optunasearch.pruning._optuna_rule import OptunaRule, make_pruner
from optunasearch.pruning._race import Race, RaceRule
from optunasearch.pruning._rungs import RungRule
from optunasearch.pruning._skorch import FollowedNet, follow_net, net_of

# With fewer trials the complete ones that a race needs first are most of them.
LEAST_TRIALS = 10


@dataclass(frozen=True)
class PrunedSearch:
    """What a choice of pruner depends on.

    Attributes
    ----------
    objectives : list of str
        Keys of the scores that are optimised.
    scores : list of str or None
        Keys of all scores; None if they are not known yet.
    enumerated : bool
        Whether every point of the space is visited.
    is_feasible : callable
        ``is_feasible(record)`` says of a complete trial whether it may be the best.
    splits : sequence of (train, test) index arrays
    estimator : estimator
    """

    objectives: list[str]
    refit: Any
    n_trials: int
    enumerated: bool
    return_train_score: bool
    is_feasible: Callable[[TrialRecord], bool]
    splits: Sequence[tuple[Any, Any]]
    estimator: Any = None
    scores: list[str] | None = None

    @property
    def why_no_race(self) -> str | None:
        """Why ``pruner="auto"`` stops no trial, None if it does."""
        if len(self.splits) < 2:
            return "there is only one fold"
        if self.enumerated:
            return "every point of the grid is wanted"
        if self.return_train_score:
            return "return_train_score=True asks for a full table"
        if callable(self.refit):
            return "a callable refit is to see every candidate"
        if self.refit is False:
            return "refit=False names no best candidate"
        if self.n_trials < LEAST_TRIALS:
            return f"there are fewer than {LEAST_TRIALS} trials"
        return None


@dataclass(frozen=True)
class Pruning:
    """A rule, and what it needs from each fold.

    `follow` goes to the fold context; `note` says why there is no rule.
    """

    rule: StoppingRule | None = None
    follow: Callable[..., FollowedNet | None] | None = None
    note: str | None = None


def choose_pruning(pruner: Any, search: PrunedSearch) -> Pruning:
    """Return the rule that `pruner` stands for.

    Raises
    ------
    ValueError
        If the pruner cannot work for this search.
    """
    if pruner is None or isinstance(pruner, NopPruner) or len(search.splits) < 2:
        return Pruning()
    if isinstance(pruner, str) and pruner == "auto":
        reason = search.why_no_race
        if reason is not None:
            return Pruning(note=f"pruner='auto' stops no trial: {reason}.")
        return _race(Race(), search)
    if isinstance(pruner, Race):
        if pruner.metric is None and (callable(search.refit) or search.refit is False):
            raise ValueError(
                f"pruner={pruner!r} does not know which candidate is the best with "
                f"refit={search.refit!r}; name a score, as in Race(metric='score')."
            )
        if pruner.metric is not None and pruner.metric not in (search.scores or [pruner.metric]):
            raise ValueError(
                f"pruner={pruner!r} names a score that is not there; the scores are "
                f"{search.scores}."
            )
        return _race(pruner, search)
    if len(search.objectives) > 1:
        raise ValueError(
            f"pruner={pruner!r} compares one score, but objectives are "
            f"{search.objectives}; use pruner='auto', Race() or None."
        )
    made: BasePruner = make_pruner(pruner, len(search.splits))
    return Pruning(OptunaRule(made, search.objectives[0], len(search.splits)))


def _race(race: Race, search: PrunedSearch) -> Pruning:
    metrics = search.objectives if race.metric is None else [race.metric]
    n_splits = len(search.splits)
    rule = RaceRule(
        metrics,
        risk=race.risk,
        n_splits=n_splits,
        is_feasible=search.is_feasible,
        # Later folds of a time series are trained on more rows and test other times.
        first_fold=math.ceil(n_splits / 2) if _is_forward(search.splits) else 1,
    )
    if race.reduction_factor is None or len(metrics) > 1 or net_of(search.estimator) is None:
        return Pruning(rule)
    rungs = RungRule(rule, metrics[0], race.reduction_factor)
    return Pruning(rungs, partial(follow_net, metric=metrics[0]))


def _is_forward(splits: Sequence[tuple[Any, Any]]) -> bool:
    """Whether every fold is tested on later rows than it is trained on."""
    return all(np.max(train) < np.min(test) for train, test in splits)
