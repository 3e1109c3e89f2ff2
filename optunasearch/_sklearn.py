"""The only module that imports scikit-learn's private names.

`tests/test_sklearn_private.py` asserts each name and signature.
"""

import copy
from typing import Any

from sklearn.base import _fit_context
from sklearn.callback import CallbackContext
from sklearn.metrics._scorer import _BaseScorer, _MultimetricScorer, _PassthroughScorer
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._validation import (
    _insert_error_scores,
    _score,
    _warn_or_raise_about_fit_failures,
)
from sklearn.utils._array_api import device, get_namespace
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.validation import _check_method_params, _num_samples

__all__ = [
    "BaseSearchCV",
    "HasMethods",
    "Interval",
    "StrOptions",
    "_BaseScorer",
    "_MultimetricScorer",
    "_check_method_params",
    "_fit_context",
    "_insert_error_scores",
    "_num_samples",
    "_safe_split",
    "_score",
    "_warn_or_raise_about_fit_failures",
    "detached",
    "device",
    "first_iterations",
    "get_namespace",
    "response_methods",
]


def detached(context: CallbackContext) -> CallbackContext:
    """Return a copy of a callback context that pickles without its siblings.

    A context knows its parents and those know all their children: a leaf of a
    search of 10,000 trials would otherwise take 50,000 others along.
    """
    alone = copy.copy(context)
    alone._children_map = {}
    if context.parent is not None:
        alone.parent = detached(context.parent)
        alone.parent._children_map = {alone.task_id: alone}
    return alone


def first_iterations(model: Any, n_iterations: int) -> Any:
    """Return a fitted HistGradientBoosting model as it was after so many iterations."""
    shorter = copy.copy(model)
    shorter._predictors = model._predictors[:n_iterations]
    return shorter


def response_methods(scorer: Any) -> tuple[str, ...]:
    """Return the prediction methods that scikit-learn's own scorers may call.

    An estimator's ``score`` counts as "predict". Of other callables nothing is known:
    if there is one among several scorers, the answer is empty.
    """
    if isinstance(scorer, _MultimetricScorer):
        each = [response_methods(one) for one in scorer._scorers.values()]
        return tuple(dict.fromkeys(sum(each, ()))) if all(each) else ()
    if isinstance(scorer, _PassthroughScorer):
        return ("predict",)
    if isinstance(scorer, _BaseScorer):
        methods = scorer._response_method
        return (methods,) if isinstance(methods, str) else tuple(methods)
    return ()
