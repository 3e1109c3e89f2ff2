"""The tracker protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna


@dataclass(frozen=True)
class SearchEvent:
    """What is known when a search starts.

    Attributes
    ----------
    search : OptunaSearchCV
        Being fitted; its parameters may be read.
    study : optuna.Study
        The public study, still empty. ``study.stop()`` ends the search early.
    n_trials, n_splits : int
        Budget of trials, folds of each.
    objectives : list of str or None
        Scores that are maximised; None if a callable `scoring` has yet to tell.
    """

    search: Any
    study: optuna.Study
    n_trials: int
    n_splits: int
    objectives: list[str] | None


@dataclass(frozen=True)
class FoldEvent:
    """One trial on one fold.

    Attributes
    ----------
    number, fold : int
        Of the trial and of the fold, from 0.
    params : dict
        The estimator's parameters.
    scores : dict of str to float
        Test score by name ("score" for a single metric).
    fit_time, score_time : float
        Seconds.
    error : str or None
        Traceback of a fit that failed.
    """

    number: int
    fold: int
    params: Mapping[str, Any]
    scores: Mapping[str, float]
    fit_time: float
    score_time: float
    error: str | None


class Tracker:
    """Base class of trackers: every method may be overridden, none has to be.

    All are called in the process and thread that called ``fit``, never in a
    worker. Folds are reported as they end, in any order; trials in the order of
    their numbers. An exception raised by a tracker ends the search.

    Examples
    --------
    >>> from optunasearch import OptunaSearchCV
    >>> from optunasearch.tracking import Tracker
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> class FoldCounter(Tracker):
    ...     n_folds = 0
    ...
    ...     def on_fold_end(self, event):
    ...         self.n_folds += 1
    >>> counter = FoldCounter()
    >>> X, y = load_iris(return_X_y=True)
    >>> search = OptunaSearchCV(
    ...     LogisticRegression(max_iter=500), {"C": [0.1, 1.0]}, callbacks=[counter]
    ... )
    >>> counter.n_folds, search.fit(X, y).n_trials_, counter.n_folds
    (0, 2, 10)
    """

    def on_search_start(self, event: SearchEvent) -> None:
        """Called before the first trial."""

    def on_fold_end(self, event: FoldEvent) -> None:
        """Called for each fold that was evaluated."""

    def on_curve(self, number: int, fold: int, curve: Mapping[int, float]) -> None:
        """Called with the learning curve of a fold (score by epoch), where there is one."""

    def on_trial_end(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        """Called for each finished trial, in the order of numbers."""

    def on_refit_end(self, search: Any) -> None:
        """Called when `best_estimator_` is fitted."""

    def on_failure(self, error: BaseException) -> None:
        """Called when the search ends by an exception, Ctrl-C included."""

    def on_search_end(self, search: Any) -> None:
        """Called last, also after a failure."""
