"""How each metric is taken apart into one value per row (see `_row_values`).

Every function takes what scikit-learn's metric function takes and returns an array of
shape (n_rows,), or None where it does not apply. Unknown arguments raise TypeError.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import rankdata

Array = np.ndarray


def _mean_of(terms: Array, sample_weight: Array | None) -> Array:
    """Return the values of a weighted mean of terms."""
    if sample_weight is None:
        return np.asarray(terms, dtype=np.float64)
    weights = np.asarray(sample_weight) / np.mean(sample_weight)
    mean = np.mean(weights * terms)
    return mean + weights * (terms - mean)


def _weights(y_true: Array, sample_weight: Array | None) -> Array:
    return np.ones(len(y_true)) if sample_weight is None else np.asarray(sample_weight, float)


# Classification by labels


def accuracy(y_true: Array, y_pred: Array, *, sample_weight: Array | None = None) -> Array:
    """Share of rows that are right; of several labels all must be."""
    right = y_true == y_pred
    return _mean_of(right.reshape(len(right), -1).all(axis=1), sample_weight)


def balanced_accuracy(
    y_true: Array, y_pred: Array, *, sample_weight: Array | None = None, adjusted: bool = False
) -> Array:
    """Mean of the recalls."""
    classes, code = np.unique(y_true, return_inverse=True)
    weights = _weights(y_true, sample_weight)
    right = (y_true == y_pred).astype(float)
    total = np.bincount(code, weights)
    recalls = np.bincount(code, weights * right) / total
    scale = len(classes) / (len(classes) - 1) if adjusted else 1.0
    score = 1 - scale * (1 - recalls.mean())
    slope = weights * (right - recalls[code]) / (len(classes) * total[code])
    return score + len(y_true) * scale * slope


def _counts_ratio(
    y_true: Array,
    y_pred: Array,
    coefficients: tuple[float, float, float],
    *,
    labels: Any = None,
    pos_label: Any = 1,
    average: str | None = "binary",
    sample_weight: Array | None = None,
    zero_division: Any = "warn",
) -> Array | None:
    """Values of TP / (a TP + b FP + c FN), per class and averaged."""
    if y_true.ndim > 1 or y_pred.ndim > 1:
        return None
    weights = _weights(y_true, sample_weight)
    n_rows = len(y_true)
    if average == "binary":
        score, slope = _class_ratio(y_true == pos_label, y_pred == pos_label, weights, coefficients)
        return score + n_rows * slope
    if average not in ("macro", "weighted", "micro"):
        return None
    names = np.union1d(y_true, y_pred) if labels is None else np.asarray(labels)
    truth, called = y_true == names[:, None], y_pred == names[:, None]
    if average == "micro":
        score, slopes = _class_ratio(truth, called, weights, coefficients, pooled=True)
        return score + n_rows * slopes
    pairs = [_class_ratio(t, c, weights, coefficients) for t, c in zip(truth, called, strict=True)]
    scores, slopes = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    if average == "macro":
        return scores.mean() + n_rows * slopes.mean(axis=0)
    shares = truth @ weights / (truth @ weights).sum()
    score = float(shares @ scores)
    # The shares move with the weight of a row as well.
    inside = truth.any(axis=0)
    own = np.where(inside, scores @ truth - score, 0.0)
    return score + n_rows * (shares @ slopes + weights * own / (truth @ weights).sum())


def _class_ratio(
    truth: Array,
    called: Array,
    weights: Array,
    coefficients: tuple[float, float, float],
    *,
    pooled: bool = False,
) -> tuple[float, Array]:
    """Return the ratio and its derivative by each row's weight, times that weight."""
    parts = np.array([truth & called, ~truth & called, truth & ~called], dtype=float)
    if pooled:  # (3, n_classes, n_rows): count over all classes
        parts = parts.sum(axis=1)
    below = coefficients @ parts
    total = float(below @ weights)
    if total == 0:
        return 0.0, np.zeros(len(weights))
    ratio = float(parts[0] @ weights) / total
    return ratio, weights * (parts[0] - ratio * below) / total


def precision(y_true: Array, y_pred: Array, **kwargs: Any) -> Array | None:
    """TP / (TP + FP)."""
    return _counts_ratio(y_true, y_pred, (1.0, 1.0, 0.0), **kwargs)


def recall(y_true: Array, y_pred: Array, **kwargs: Any) -> Array | None:
    """TP / (TP + FN)."""
    return _counts_ratio(y_true, y_pred, (1.0, 0.0, 1.0), **kwargs)


def fbeta(y_true: Array, y_pred: Array, *, beta: float, **kwargs: Any) -> Array | None:
    """TP / (TP + (FP + beta^2 FN) / (1 + beta^2))."""
    share = 1 / (1 + beta**2)
    return _counts_ratio(y_true, y_pred, (1.0, share, 1 - share), **kwargs)


def f1(y_true: Array, y_pred: Array, **kwargs: Any) -> Array | None:
    """F-beta for beta = 1."""
    return fbeta(y_true, y_pred, beta=1.0, **kwargs)


def jaccard(y_true: Array, y_pred: Array, **kwargs: Any) -> Array | None:
    """TP / (TP + FP + FN)."""
    return _counts_ratio(y_true, y_pred, (1.0, 1.0, 1.0), **kwargs)


def sensitivity(
    y_true: Array, y_pred: Array, *, pos_label: Any, sample_weight: Array | None = None
) -> Array | None:
    """Recall of the positive class."""
    return recall(y_true, y_pred, pos_label=pos_label, sample_weight=sample_weight)


def specificity(
    y_true: Array, y_pred: Array, *, pos_label: Any, sample_weight: Array | None = None
) -> Array | None:
    """Recall of all that is not positive."""
    return recall(
        y_true != pos_label, y_pred != pos_label, pos_label=True, sample_weight=sample_weight
    )


# Classification by probabilities or ranks


def log_loss(
    y_true: Array,
    y_pred: Array,
    *,
    labels: Any = None,
    pos_label: Any = None,
    sample_weight: Array | None = None,
) -> Array | None:
    """Minus the logarithm of the probability of the true class."""
    classes = np.unique(y_true if labels is None else labels)
    if y_pred.ndim == 1:
        y_pred = np.column_stack([1 - y_pred, y_pred])
    if y_true.ndim > 1 or y_pred.shape[1] != len(classes):
        return None
    code = np.searchsorted(classes, y_true)
    smallest = np.finfo(y_pred.dtype).eps
    clipped = np.clip(y_pred, smallest, 1 - smallest)
    return _mean_of(-np.log(clipped[np.arange(len(code)), code]), sample_weight)


def brier(
    y_true: Array,
    y_proba: Array,
    *,
    labels: Any = None,
    pos_label: Any = None,
    scale_by_half: Any = "auto",
    sample_weight: Array | None = None,
) -> Array | None:
    """Squared distance of the probabilities from the truth."""
    classes = np.unique(y_true if labels is None else labels)
    if y_proba.ndim == 1:
        positive = classes[-1] if pos_label is None else pos_label
        terms = np.square(y_proba - (y_true == positive))
        if scale_by_half is False:
            terms = 2 * terms
        return _mean_of(terms, sample_weight)
    truth = y_true[:, None] == classes
    if truth.shape != y_proba.shape:
        return None
    terms = np.square(y_proba - truth).sum(axis=1)
    half = len(classes) == 2 if scale_by_half == "auto" else scale_by_half
    return _mean_of(terms / 2 if half else terms, sample_weight)


def roc_auc(
    y_true: Array, y_score: Array, *, average: Any = "macro", pos_label: Any = None
) -> Array | None:
    """Share of pairs in the right order, two classes only."""
    classes = np.unique(y_true)
    if y_true.ndim > 1 or y_score.ndim > 1 or len(classes) != 2:
        return None
    positive = y_true == classes[1]
    n_positive = positive.sum()
    n_negative = len(y_true) - n_positive
    rank = rankdata(y_score)
    # Share of the other class that each row is on the right side of.
    placed = np.empty(len(y_true))
    placed[positive] = (rank[positive] - rankdata(y_score[positive])) / n_negative
    placed[~positive] = 1 - (rank[~positive] - rankdata(y_score[~positive])) / n_positive
    score = placed[positive].mean()
    return score + len(y_true) * (placed - score) / np.where(positive, n_positive, n_negative)


def average_precision(
    y_true: Array,
    y_score: Array,
    *,
    average: Any = "macro",
    pos_label: Any = 1,
    sample_weight: Array | None = None,
) -> Array | None:
    """Mean over the positive rows of the precision at their score."""
    if y_true.ndim > 1 or y_score.ndim > 1:
        return None
    weights = _weights(y_true, sample_weight)
    # Levels of equal score, best first.
    _, level = np.unique(-y_score, return_inverse=True)
    positive = np.where(y_true == pos_label, weights, 0.0)
    at_level = np.bincount(level, positive)
    true_positives = np.cumsum(at_level)
    called = np.cumsum(np.bincount(level, weights))
    total = true_positives[-1]
    precisions = true_positives / called
    score = float(at_level @ precisions) / total
    # What one more called row costs all positives from its level down ...
    harm = np.cumsum((at_level * precisions / called)[::-1])[::-1]
    # ... and what one more true one gives them.
    help_ = np.cumsum((at_level / called)[::-1])[::-1]
    is_positive = y_true == pos_label
    slope = np.where(is_positive, precisions[level] - score + help_[level], 0.0) - harm[level]
    return score + len(y_true) * weights * slope / total


# Regression


def _by_output(terms: Array, multioutput: Any) -> Array | None:
    if terms.ndim == 1:
        return terms
    return terms.mean(axis=1) if multioutput == "uniform_average" else None


def squared_error(
    y_true: Array,
    y_pred: Array,
    *,
    sample_weight: Array | None = None,
    multioutput: Any = "uniform_average",
) -> Array | None:
    """Square of the error."""
    terms = _by_output(np.square(y_true - y_pred), multioutput)
    return None if terms is None else _mean_of(terms, sample_weight)


def root_squared_error(y_true: Array, y_pred: Array, **kwargs: Any) -> Array | None:
    """Root of the mean of the squares, one output only."""
    values = squared_error(y_true, y_pred, **kwargs)
    if values is None or y_true.ndim > 1:
        return None
    mean = values.mean()
    return np.sqrt(mean) + (values - mean) / (2 * np.sqrt(mean))


def absolute_error(
    y_true: Array,
    y_pred: Array,
    *,
    sample_weight: Array | None = None,
    multioutput: Any = "uniform_average",
) -> Array | None:
    """Size of the error."""
    terms = _by_output(np.abs(y_true - y_pred), multioutput)
    return None if terms is None else _mean_of(terms, sample_weight)


def absolute_percentage_error(
    y_true: Array,
    y_pred: Array,
    *,
    sample_weight: Array | None = None,
    multioutput: Any = "uniform_average",
) -> Array | None:
    """Size of the error as a share of the truth."""
    smallest = np.finfo(np.float64).eps
    terms = np.abs(y_true - y_pred) / np.maximum(np.abs(y_true), smallest)
    by_output = _by_output(terms, multioutput)
    return None if by_output is None else _mean_of(by_output, sample_weight)


def squared_log_error(y_true: Array, y_pred: Array, **kwargs: Any) -> Array | None:
    """Square of the error of log(1 + y)."""
    return squared_error(np.log1p(y_true), np.log1p(y_pred), **kwargs)


def r2(
    y_true: Array,
    y_pred: Array,
    *,
    sample_weight: Array | None = None,
    multioutput: Any = "uniform_average",
) -> Array | None:
    """One minus the squared error over the squared distance from the mean."""
    centre = np.average(y_true, axis=0, weights=sample_weight)
    distance = np.square(y_true - centre)
    total = np.average(distance, axis=0, weights=sample_weight)
    error = np.square(y_true - y_pred)
    share = np.average(error, axis=0, weights=sample_weight) / total
    # The distance varies from fold to fold as well: its influence is the second part.
    terms = _by_output(1 - error / total + share * (distance / total - 1), multioutput)
    return None if terms is None else _mean_of(terms, sample_weight)
