"""What each test row contributes to the score of its fold.

The bootstrap asks for the score of every candidate on hundreds of resamples of every fold.
Instead of computing a metric that often, each row's influence on it is computed once (the
infinitesimal jackknife, Efron 1982): a score on a resample is then the fold's score plus the
sum of the influences of the rows that were drawn. For a mean over rows (accuracy, log loss,
squared error) that is exact, for other metrics linear in the resampling. It has another
advantage: the few out-of-bag rows of a small fold need not make a score of their own. R² of
seven rows is far too low on average, and the area under the ROC curve is undefined where they
are of one class.

Common metrics have their influences in closed form (for the ROC curve: DeLong et al. 1988).
Any other is asked again without some of the rows (the jackknife), see `_fold_scores.py`.

All functions return a score and the influences, whose sum is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    brier_score_loss,
    get_scorer,
    log_loss,
    mean_absolute_error,
    mean_squared_error,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
)

from optunasearch.selection._predictions import LabelledPredictions
from optunasearch.selection._stand_in import is_passthrough

__all__ = ["Answers", "closed_form"]

Influence = tuple[float, np.ndarray]


@dataclass(frozen=True)
class Answers:
    """What the closed forms need of one fold of one candidate.

    Attributes
    ----------
    predictions : LabelledPredictions
    y : ndarray of shape (n_test,)
        The true values.
    weights : ndarray of shape (n_test,)
        Shares of the rows in the score, with a sum of 1.
    """

    predictions: LabelledPredictions
    y: np.ndarray
    weights: np.ndarray

    @cached_property
    def codes(self) -> np.ndarray:
        """Positions of the true values among the model's classes, -1 where it has them not."""
        classes = self.predictions.classes
        assert classes is not None
        order = np.argsort(classes)
        found = order[np.searchsorted(classes, self.y, sorter=order).clip(0, len(classes) - 1)]
        return np.where(classes[found] == self.y, found, -1)

    @property
    def is_plain(self) -> bool:
        """Whether the closed forms hold: one target, finite answers, no unknown true class."""
        answers = map(np.asarray, self.predictions.responses.values())
        if self.y.ndim != 1 or not all(np.isfinite(a).all() for a in answers):
            return False
        if self.predictions.classes is None:
            return self.y.dtype.kind in "biuf" and self.response("predict").ndim == 1
        return bool((self.codes >= 0).all())

    @property
    def has_all_classes(self) -> bool:
        """Whether each of the model's classes is among the true values."""
        classes = self.predictions.classes
        return classes is not None and len(np.unique(self.codes)) == len(classes)

    def response(self, *methods: str) -> np.ndarray:
        """Return the first of these answers that is stored."""
        stored = self.predictions.responses
        for method in methods:
            if method in stored:
                return np.asarray(stored[method])
        raise AttributeError(
            f"The predictions are the answers of {sorted(stored)}, and the score needs those of "
            f"{' or '.join(methods)}."
        )


def closed_form(
    scorer: Any, predictions: LabelledPredictions
) -> Callable[[Answers], Influence | None] | None:
    """Return the function for a scorer of scikit-learn, None if there is none for it.

    The function returns None for a fold that it is not meant for. Signs are the scorer's.
    """
    function, sign, is_plain = _metric(scorer, predictions)
    form = _FORMS.get(function)
    if form is None or not is_plain:
        return None

    def signed(answers: Answers) -> Influence | None:
        if not answers.is_plain or not _suits(function, answers):
            return None
        score, influence = form(answers)
        return sign * score, sign * influence

    return signed


def _suits(function: Any, answers: Answers) -> bool:
    """Whether a fold's rows are what a metric of probabilities is defined for."""
    classes = answers.predictions.classes
    if classes is None or function not in _OF_PROBABILITIES:
        return True
    is_binary = len(classes) == 2 or function is log_loss
    return is_binary and answers.has_all_classes


def _metric(scorer: Any, predictions: LabelledPredictions) -> tuple[Any, int, bool]:
    """Return the metric behind a scorer, its sign, and whether it has no options."""
    if is_passthrough(scorer):
        return (r2_score if predictions.classes is None else accuracy_score), 1, True
    is_plain = type(scorer) is type(get_scorer("accuracy")) and not scorer._kwargs
    return scorer._score_func, scorer._sign, is_plain


def _mean(values: np.ndarray, weights: np.ndarray) -> Influence:
    """Return the weighted mean of row values."""
    mean = float(weights @ values)
    return mean, weights * (values - mean)


def _accuracy(answers: Answers) -> Influence:
    hits = answers.response("predict") == answers.codes
    return _mean(hits.astype(float), answers.weights)


def _log_loss(answers: Answers) -> Influence:
    probabilities, codes = answers.response("predict_proba"), answers.codes
    tiny = np.finfo(probabilities.dtype).eps
    of_truth = np.take_along_axis(probabilities, codes[:, np.newaxis], axis=1)[:, 0]
    return _mean(-np.log(of_truth.clip(tiny, 1 - tiny).astype(float)), answers.weights)


def _brier(answers: Answers) -> Influence:
    positive = answers.response("predict_proba")[:, 1]
    return _mean((positive - (answers.codes == 1)) ** 2, answers.weights)


def _squared_error(answers: Answers) -> Influence:
    return _mean((answers.y - answers.response("predict")) ** 2, answers.weights)


def _root_squared_error(answers: Answers) -> Influence:
    mean, influence = _squared_error(answers)
    root = float(np.sqrt(mean))
    return root, influence / (2 * root) if root > 0 else np.zeros_like(influence)


def _absolute_error(answers: Answers) -> Influence:
    return _mean(np.abs(answers.y - answers.response("predict")), answers.weights)


def _r2(answers: Answers) -> Influence:
    """One minus a ratio of two means; both vary with the rows."""
    error, of_error = _squared_error(answers)
    centre = answers.weights @ answers.y
    variance, of_variance = _mean((answers.y - centre) ** 2, answers.weights)
    if len(answers.y) < 2:
        return np.nan, np.zeros_like(of_error)
    if variance == 0:  # as scikit-learn has it
        return float(error == 0), np.zeros_like(of_error)
    ratio = error / variance
    return 1 - ratio, (ratio * of_variance - of_error) / variance


def _balanced_accuracy(answers: Answers) -> Influence:
    codes = answers.codes
    hits = (answers.response("predict") == codes).astype(float)
    present = np.unique(codes)
    score, influence = 0.0, np.zeros(len(codes))
    for code in present:
        rows = codes == code
        weights = answers.weights[rows]
        recall, influence[rows] = _mean(hits[rows], weights / weights.sum())
        score += recall
    return score / len(present), influence / len(present)


def _roc_auc(answers: Answers) -> Influence:
    """The structural components of DeLong et al. (1988), with weights."""
    values = answers.response("decision_function", "predict_proba")
    values = values[:, 1] if values.ndim == 2 else values
    is_positive = answers.codes == 1
    shares = (answers.weights * is_positive, answers.weights * ~is_positive)
    of_positives, of_negatives = (share / share.sum() for share in shares)
    _, tied = np.unique(values, return_inverse=True)
    above_negatives = _share_below(of_negatives, tied)
    below_positives = 1 - _share_below(of_positives, tied)
    area = float(of_positives @ above_negatives)
    influence = of_positives * (above_negatives - area) + of_negatives * (below_positives - area)
    return area, influence


def _share_below(weights: np.ndarray, tied: np.ndarray) -> np.ndarray:
    """Return for each row the weight of lower rows and half that of rows with its value."""
    at_value = np.bincount(tied, weights)
    return (np.cumsum(at_value) - at_value / 2)[tied]


_OF_PROBABILITIES = {brier_score_loss, log_loss, roc_auc_score}
_FORMS: dict[Any, Callable[[Answers], Influence]] = {
    accuracy_score: _accuracy,
    balanced_accuracy_score: _balanced_accuracy,
    brier_score_loss: _brier,
    log_loss: _log_loss,
    mean_absolute_error: _absolute_error,
    mean_squared_error: _squared_error,
    r2_score: _r2,
    roc_auc_score: _roc_auc,
    root_mean_squared_error: _root_squared_error,
}
