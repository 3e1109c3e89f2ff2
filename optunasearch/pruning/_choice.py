"""Which rule stops the trials of a search: what `pruner` comes to."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from optuna.pruners import BasePruner, NopPruner

from optunasearch.execution._records import TrialRecord
from optunasearch.execution._schedule import StoppingRule
from optunasearch.pruning._epochs import Epochs
from optunasearch.pruning._following import Following, how_to_follow, last_model
from optunasearch.pruning._inner_race import SHARES, InnerRaceRule
from optunasearch.pruning._iterative import Steps
from optunasearch.pruning._optuna_rule import OptunaRule, make_pruner
from optunasearch.pruning._race import Race, RaceRule

# With fewer trials the complete ones that a race needs first are most of them.
LEAST_TRIALS = 10
LAST_EPOCH = Epochs()


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
    searched : frozenset of str or None
        Names of its parameters in the space; None if they are not known.
    epochs : Epochs
    has_groups : bool
        Whether rows come in groups.
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
    searched: frozenset[str] | None = frozenset()
    epochs: Epochs = LAST_EPOCH
    has_groups: bool = False

    @property
    def steps(self) -> Steps | None:
        """How the fits of the estimator are followed, None if they are not."""
        model, path = last_model(self.estimator)
        n_rows = len(self.splits[0][0])
        own = {name.removeprefix(path) for name in self.searched or () if name.startswith(path)}
        return how_to_follow(model, self.epochs, n_rows, searched=own)

    @property
    def may_be_replaced(self) -> bool:
        """Whether the space may put another model in the place of the last step."""
        _, path = last_model(self.estimator)
        if self.searched is None:
            return bool(path)
        return any(
            path.startswith(f"{name}__") or name.split("__")[-1] == "steps"
            for name in self.searched
        )

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
    """A rule, and who looks into fits for it or to find the best epoch.

    `following` goes to the fold context; `note` says why there is no rule.
    """

    rule: StoppingRule | None = None
    following: Following | None = None
    note: str | None = None


def choose_pruning(pruner: Any, search: PrunedSearch) -> Pruning:
    """Return the rule that `pruner` stands for, and who looks into fits.

    Raises
    ------
    ValueError
        If the pruner or the epochs asked for cannot work for this search.
    """
    _check_epochs(search)
    pruning = _choose_rule(pruner, search)
    if pruning.following is None and not search.epochs.is_default:
        metric = pruner.metric if isinstance(pruner, Race) else None
        following = Following(metric or search.objectives[0], search.epochs)
        return replace(pruning, following=following)
    return pruning


def _choose_rule(pruner: Any, search: PrunedSearch) -> Pruning:
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
    if not race.inside_fits or len(metrics) > 1:
        return Pruning(rule)
    # An epoch of one model is not like the same one of another.
    if search.may_be_replaced or search.steps is None:
        return Pruning(rule)
    same_unit = search.epochs.monitor is None
    inside = InnerRaceRule(rule, metrics[0], risk=race.risk, same_unit=same_unit)
    return Pruning(inside, Following(metrics[0], search.epochs, SHARES))


def _check_epochs(search: PrunedSearch) -> None:
    """Raise ValueError if the epochs asked for cannot be had."""
    epochs = search.epochs
    if epochs.is_default:
        return
    if epochs.keep == "best" and (len(search.objectives) > 1 or callable(search.refit)):
        raise ValueError(
            "epochs with keep='best' need one score that decides which epoch is best, but "
            f"objectives are {search.objectives} and refit={search.refit!r}."
        )
    if epochs.keep == "best" and search.return_train_score:
        raise ValueError(
            "return_train_score=True scores the training rows after the last epoch, but epochs "
            "with keep='best' keep another; set one of them to its default."
        )
    if epochs.validation_fraction is not None and search.has_groups:
        raise ValueError(
            f"validation_fraction={epochs.validation_fraction} would draw rows at random and tear "
            "groups apart; follow the fits on the test rows (None) when groups are given."
        )
    steps, (model, _) = search.steps, last_model(search.estimator)
    if steps is None and not search.may_be_replaced:
        if epochs.monitor is not None:
            raise ValueError(
                f"monitor={epochs.monitor!r} is a key of the history of a net of skorch, but the "
                f"estimator is a {type(model).__name__}."
            )
        raise ValueError(
            f"{epochs} asks to follow fits, but {type(model).__name__} cannot be followed from "
            "epoch to epoch as it is. Followed are nets of skorch, LightGBM, XGBoost, CatBoost "
            "with a learning_rate, LogisticRegression(solver='lbfgs'), and of scikit-learn's "
            "ensembles (not of their subclasses) gradient boosting, histogram gradient boosting "
            "without early stopping, forests and bagging without warm_start, oob_score, "
            "class_weight by name and a RandomState as random_state. What has partial_fit, or "
            "warm_start and no early stopping, can be followed in steps: Epochs(step=...)."
        )
    needs_split = epochs.monitor is not None and epochs.monitor.startswith("valid_")
    if needs_split and getattr(model, "train_split", True) is None:
        raise ValueError(
            f"monitor={epochs.monitor!r} needs held-out rows, but the net has train_split=None; "
            "give it a train_split, or use validation_fraction instead of monitor."
        )
    if steps is not None:
        steps.n_epochs(model)  # raises if it is not known


def _is_forward(splits: Sequence[tuple[Any, Any]]) -> bool:
    """Whether every fold is tested on later rows than it is trained on."""
    return all(np.max(train) < np.min(test) for train, test in splits)
