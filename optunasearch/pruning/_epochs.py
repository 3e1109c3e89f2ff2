"""Epochs: what a user may say of how iterative estimators are followed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Epochs:
    """How the fits of an iterative estimator are followed from epoch to epoch.

    For `OptunaSearchCV(epochs=...)`. An epoch is one of a net, one iteration of a boosted
    model, one tree of a forest, one iteration of a solver.

    Parameters
    ----------
    keep : {'last', 'best'}, default='last'
        Which epoch the scores of a candidate are of: the last of each fit, or the one
        epoch, the same in all folds, at which the mean over the folds is highest. The
        refit then ends at that epoch. (Never the best epoch of each fold by itself.)
    every : int, default=None
        Score after every so many epochs. None is 1 for nets. Other estimators are
        scored only where trials may be stopped, and with ``keep='best'`` at twenty
        epochs, equally far apart.
    monitor : str, default=None
        Follow this key of a skorch net's history ("valid_loss", "valid_acc", the name of
        a scoring callback) instead of scoring rows. The scores of the folds stay those
        of `scoring`.
    validation_fraction : float, default=None
        Hold out this share of the training rows of each fold (drawn at random, for
        classifiers stratified) and follow the fit on them. None follows it on the test
        rows of the fold, which are then part of choosing who goes on, or which epoch.
    step : {'partial_fit', 'warm_start'}, default=None
        Also follow an estimator that is not followed by itself, by fitting it in steps:
        one call of ``partial_fit`` with all rows is an epoch, or ``fit`` with
        ``warm_start=True`` and a growing `max_iter` (or `n_estimators`). The result may
        differ from that of one call of ``fit``; the refit takes the same steps.
    n_epochs : int, default=None
        Number of calls of ``partial_fit``. None is the estimator's `max_iter`.

    Raises
    ------
    ValueError
        For values other than these, or parameters that exclude each other.

    See Also
    --------
    optunasearch.pruning.Race : Its `inside_fits` says whether fits are stopped.

    Examples
    --------
    >>> from optuna.distributions import FloatDistribution
    >>> from optunasearch import OptunaSearchCV
    >>> from optunasearch.pruning import Epochs
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.ensemble import GradientBoostingRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = OptunaSearchCV(
    ...     GradientBoostingRegressor(random_state=0),
    ...     {"learning_rate": FloatDistribution(0.01, 1, log=True)},
    ...     epochs=Epochs(keep="best", validation_fraction=0.2),
    ...     n_trials=5,
    ...     random_state=0,
    ... ).fit(X, y)
    >>> search.best_epoch_ == search.best_estimator_.n_estimators < 100
    True
    """

    keep: str = "last"
    every: int | None = None
    monitor: str | None = None
    validation_fraction: float | None = None
    step: str | None = None
    n_epochs: int | None = None

    def __post_init__(self) -> None:
        if self.keep not in ("last", "best"):
            raise ValueError(f"keep must be 'last' or 'best', got {self.keep!r}")
        for name in ("every", "n_epochs"):
            value: Any = getattr(self, name)
            if value is not None and not (isinstance(value, int | np.integer) and value >= 1):
                raise ValueError(f"{name} must be None or an integer of at least 1, got {value!r}")
        fraction: Any = self.validation_fraction
        if fraction is not None and not (isinstance(fraction, float) and 0 < fraction < 1):
            raise ValueError(
                f"validation_fraction must be None or a share between 0 and 1, got {fraction!r}"
            )
        if self.step not in (None, "partial_fit", "warm_start"):
            raise ValueError(f"step must be None, 'partial_fit' or 'warm_start', got {self.step!r}")
        if self.n_epochs is not None and self.step != "partial_fit":
            raise ValueError(
                f"n_epochs={self.n_epochs} is the number of calls of partial_fit; it needs "
                f"step='partial_fit', got step={self.step!r}. The epochs of other estimators are "
                "a parameter of theirs (max_epochs, n_estimators, max_iter)."
            )
        if self.monitor is not None and self.validation_fraction is not None:
            raise ValueError(
                f"monitor={self.monitor!r} follows the net's history and "
                f"validation_fraction={fraction} held-out rows; give one of them."
            )

    @property
    def is_default(self) -> bool:
        """Whether nothing was asked for."""
        return self == Epochs()


def as_epochs(epochs: str | Epochs) -> Epochs:
    """Return what the search's parameter `epochs` stands for."""
    return Epochs(keep=epochs) if isinstance(epochs, str) else epochs
