"""The best candidate, fitted on all data."""

from __future__ import annotations

from collections.abc import Sequence, Set
from contextlib import nullcontext
from typing import Any

from sklearn.base import clone

from optunasearch._callback_tree import CallbackTree
from optunasearch._sklearn import _num_samples
from optunasearch.execution._fold import FoldContext
from optunasearch.selection._one_standard_error import OneStandardError


def check_refit(
    refit: Any, parameters: Set[str] | None, metrics: Sequence[str] | None, n_splits: int
) -> None:
    """Raise what can be known of a wrong `refit` before the first fit."""
    if isinstance(refit, type):
        raise TypeError(
            f"refit must be a bool, a name or a callable, got the class {refit.__name__}. Pass an "
            f"instance: refit={refit.__name__}(...)."
        )
    if isinstance(refit, OneStandardError):
        refit.check(parameters, metrics, n_splits)


def fit_best(
    context: FoldContext, tree: CallbackTree, params: dict[str, Any], epoch: int | None
) -> Any:
    """Return the estimator with these parameters, fitted on all data up to an epoch."""
    # Values may be estimators that other candidates share: clone them too.
    estimator = clone(context.estimator).set_params(**clone(params, safe=False))
    following = context.following
    to_epoch = (
        nullcontext()
        if following is None
        else following.refitting(estimator, epoch, _num_samples(context.X))
    )
    with tree.refitting(estimator), to_epoch:
        if context.y is not None:
            estimator.fit(context.X, context.y, **context.fit_params)
        else:
            estimator.fit(context.X, **context.fit_params)
    return estimator
