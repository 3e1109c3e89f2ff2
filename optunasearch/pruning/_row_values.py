"""One value per test row for each metric, whose mean is the metric's score.

For a metric that is a mean over rows (accuracy, log loss, squared error) the values are
its terms. For others (ROC AUC, F1, balanced accuracy) they are the score plus the
influence of each row, m times the derivative of the score by the row's weight [2]_; for
ROC AUC this is DeLong's decomposition [1]_. Either way the variance of the mean of the
differences estimates that of the difference in score.

They are computed from what the scorer itself predicts: its metric function is wrapped,
and no row is predicted twice.

References
----------
.. [1] E. DeLong, D. DeLong, D. Clarke-Pearson, "Comparing the Areas under Two or More
   Correlated Receiver Operating Characteristic Curves", Biometrics 44, 1988.
.. [2] B. Efron, "Nonparametric Estimates of Standard Error: The Jackknife, the Bootstrap
   and Other Methods", Biometrika 68, 1981.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from sklearn import metrics
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.pipeline import Pipeline

from optunasearch import metrics as own_metrics
from optunasearch._sklearn import _MultimetricScorer, _PassthroughScorer
from optunasearch.pruning import _decompositions as decompose

# A decomposition must give the score back to this relative precision; otherwise an
# argument of the metric was not understood, and it is not used.
_TOLERANCE = 1e-6

# Public metric functions by what takes them apart.
_DECOMPOSITIONS: dict[Callable[..., Any], Callable[..., np.ndarray | None]] = {
    metrics.accuracy_score: decompose.accuracy,
    metrics.balanced_accuracy_score: decompose.balanced_accuracy,
    metrics.log_loss: decompose.log_loss,
    metrics.brier_score_loss: decompose.brier,
    metrics.roc_auc_score: decompose.roc_auc,
    metrics.average_precision_score: decompose.average_precision,
    metrics.precision_score: decompose.precision,
    metrics.recall_score: decompose.recall,
    metrics.f1_score: decompose.f1,
    metrics.fbeta_score: decompose.fbeta,
    metrics.jaccard_score: decompose.jaccard,
    own_metrics._sensitivity: decompose.sensitivity,
    own_metrics._specificity: decompose.specificity,
    metrics.mean_squared_error: decompose.squared_error,
    metrics.root_mean_squared_error: decompose.root_squared_error,
    metrics.mean_absolute_error: decompose.absolute_error,
    metrics.mean_absolute_percentage_error: decompose.absolute_percentage_error,
    metrics.mean_squared_log_error: decompose.squared_log_error,
    metrics.r2_score: decompose.r2,
}


class RowValues:
    """What the metric functions of a fold's scorer were given.

    Parameters
    ----------
    scorer : callable
        As it is called for a fold.
    estimator : estimator
        The one that is scored.
    names : iterable of str
        The scores of which values are wanted; "score" is the only one of a single
        scorer.

    Attributes
    ----------
    scorer : callable
        To be called instead; it returns the same scores.
    """

    def __init__(self, scorer: Any, estimator: Any, names: Iterable[str]) -> None:
        self._memories: dict[str, _Memory] = {}
        if isinstance(scorer, _MultimetricScorer):
            inner = dict(scorer._scorers)
            for name in names:
                if name in inner:
                    inner[name] = self._remembering(name, inner[name], estimator)
            self.scorer = copy.copy(scorer)
            self.scorer._scorers = inner
        else:
            self.scorer = self._remembering("score", scorer, estimator)

    def values(self, scores: Any) -> dict[str, np.ndarray]:
        """Return the row values of each metric that has them.

        Parameters
        ----------
        scores : float or dict of str to float
            What `scorer` has returned.

        Returns
        -------
        values : dict of str to ndarray of shape (n_rows,), float32
        """
        found = {}
        for name, memory in self._memories.items():
            score = scores[name] if isinstance(scores, dict) else scores
            values = memory.values(score)
            if values is not None:
                found[name] = values
        return found

    def _remembering(self, name: str, scorer: Any, estimator: Any) -> Any:
        known = _default_metric(estimator) if isinstance(scorer, _PassthroughScorer) else scorer
        if getattr(known, "_score_func", None) not in _DECOMPOSITIONS:
            return scorer
        remembering = copy.copy(known)
        remembering._score_func = self._memories[name] = _Memory(known._score_func, known._sign)
        return remembering


class _Memory:
    """Calls a metric function and keeps its arguments."""

    def __init__(self, score_func: Callable[..., Any], sign: int) -> None:
        self._score_func = score_func
        self._sign = sign
        self._call: tuple[Any, Any, dict[str, Any]] | None = None

    def __call__(self, y_true: Any, y_pred: Any, **kwargs: Any) -> Any:
        self._call = y_true, y_pred, kwargs
        return self._score_func(y_true, y_pred, **kwargs)

    def values(self, score: Any) -> np.ndarray | None:
        """Return the row values if they give the score back."""
        if self._call is None or not np.isfinite(score):
            return None
        y_true, y_pred, kwargs = self._call
        y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
        kwargs = {name: value for name, value in kwargs.items() if value is not None}
        try:
            with np.errstate(all="ignore"):
                values = _DECOMPOSITIONS[self._score_func](y_true, y_pred, **kwargs)
        except (TypeError, ValueError):  # an argument or a shape that is not provided for
            return None
        if values is None or not np.isfinite(values).all():
            return None
        values = self._sign * values
        if abs(values.mean() - score) > _TOLERANCE * max(abs(score), 1.0):
            return None
        return values.astype(np.float32)


def _default_metric(estimator: Any) -> Any:
    """Return the scorer that an estimator's own ``score`` comes to, if it is a known one."""
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    score = getattr(type(estimator), "score", None)
    if score is ClassifierMixin.score:
        return metrics.get_scorer("accuracy")
    if score is RegressorMixin.score:
        return metrics.get_scorer("r2")
    return None
