"""Scorers for medical tests: sensitivity, specificity, and the one where the other is required.

``make_scorer(recall_score, pos_label=...)`` comes close. It is not used, for two reasons:

- A metric function sees labels, not the estimator: which class is positive would be read off the
  test rows, and go wrong in a fold that lacks a class. Here the fitted ``classes_`` decides.
- In a dict of scorers scikit-learn (seen in 1.9.1) caches ``predict_proba`` under the method's
  name after taking the column of ``pos_label``, so that scorers with different positive classes
  silently read each other's column. `specificity_at_sensitivity` therefore neither reads nor
  fills that cache. The output of ``predict`` knows no ``pos_label`` and is shared.

The score functions take labels, because ``TunedThresholdClassifierCV`` calls them directly, with
the labels that each threshold gives.
"""

import warnings
from numbers import Real

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import recall_score, roc_curve
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import type_of_target, unique_labels

from optunasearch._sklearn import _BaseScorer

__all__ = ["sensitivity", "specificity", "specificity_at_sensitivity"]

# Sums of sample weights are not exact: 95 of 100 rows of weight 0.7 must count as 0.95.
_ROUNDING = 1e-12


def sensitivity(pos_label=None):
    """Scorer of the sensitivity: the share of the positive rows that are predicted positive.

    Sensitivity [1]_ is the recall of the positive class, the true positive rate.

    Parameters
    ----------
    pos_label : int, float, bool or str, default=None
        The positive class. ``None`` is the fitted estimator's ``classes_[1]``; without
        ``classes_`` it is the second of the sorted labels.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y, sample_weight=None)`` returns a float, higher is better. It can
        be given wherever scikit-learn takes `scoring`.

    Raises
    ------
    ValueError
        When scoring: if there are more than two classes, if `pos_label` is none of them, or if
        it is ``None`` and only one class is known.

    Warns
    -----
    UndefinedMetricWarning
        If the scored rows hold no positives. The score is then NaN, and so is the mean over the
        folds: a stratified splitter avoids this. (``scoring="recall"`` returns 0, which counts
        such a fold as a failure of the test.)

    See Also
    --------
    specificity : The same for the negative class.
    specificity_at_sensitivity : Specificity at the threshold that meets a required sensitivity.

    References
    ----------
    .. [1] D. G. Altman, J. M. Bland. Diagnostic tests 1: sensitivity and specificity.
       BMJ 308:1552, 1994.

    Examples
    --------
    In this data set the malignant tumours are class 0.

    >>> from optunasearch.metrics import sensitivity, specificity
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.model_selection import cross_validate
    >>> from sklearn.naive_bayes import GaussianNB
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> scoring = {"sensitivity": sensitivity(pos_label=0), "specificity": specificity(pos_label=0)}
    >>> scores = cross_validate(GaussianNB(), X, y, scoring=scoring)
    >>> {name: round(float(scores[f"test_{name}"].mean()), 2) for name in scoring}
    {'sensitivity': 0.89, 'specificity': 0.97}
    """
    return _LabelScorer(_sensitivity, 1, {"pos_label": pos_label}, "predict")


def specificity(pos_label=None):
    """Scorer of the specificity: the share of the negative rows that are predicted negative.

    Specificity [1]_ is the recall of the negative class, one minus the false positive rate.

    Parameters
    ----------
    pos_label : int, float, bool or str, default=None
        The *positive* class, as in `sensitivity`.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y, sample_weight=None)`` returns a float, higher is better.

    Raises
    ------
    ValueError
        As `sensitivity`.

    Warns
    -----
    UndefinedMetricWarning
        If the scored rows hold no negatives. The score is then NaN.

    See Also
    --------
    sensitivity : The same for the positive class.

    References
    ----------
    .. [1] D. G. Altman, J. M. Bland. Diagnostic tests 1: sensitivity and specificity.
       BMJ 308:1552, 1994.

    Examples
    --------
    >>> from optunasearch.metrics import specificity
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.naive_bayes import GaussianNB
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> specificity(pos_label=0)
    specificity(pos_label=0)
    >>> round(specificity(pos_label=0)(GaussianNB().fit(X, y), X, y), 2)
    0.97
    """
    return _LabelScorer(_specificity, 1, {"pos_label": pos_label}, "predict")


def specificity_at_sensitivity(min_sensitivity, pos_label=None):
    """Scorer of the largest specificity at which the sensitivity is at least `min_sensitivity`.

    It reads one point off the ROC curve [1]_ of the scored rows: among the decision thresholds
    whose sensitivity reaches `min_sensitivity`, the one with the largest specificity. Unlike a
    constraint on `sensitivity`, which judges the predictions at the estimator's own threshold
    (0.5), it ranks models by what they can do once the threshold is set.

    Parameters
    ----------
    min_sensitivity : float
        The required sensitivity, a fraction in (0, 1].
    pos_label : int, float, bool or str, default=None
        The positive class, as in `sensitivity`.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y, sample_weight=None)`` returns a float, higher is better. It
        ranks the rows by ``predict_proba``, or else by ``decision_function``; rows with equal
        values fall on the same side of every threshold.

    Raises
    ------
    TypeError
        If `min_sensitivity` is no number.
    ValueError
        If `min_sensitivity` is outside (0, 1]; when scoring, as `sensitivity`, or if the estimator
        was fitted on one class only.
    AttributeError
        When scoring, if the estimator has neither ``predict_proba`` nor ``decision_function``.

    Warns
    -----
    UndefinedMetricWarning
        If the scored rows lack a class. The score is then NaN.

    See Also
    --------
    sensitivity, specificity : The two at the estimator's own threshold.
    sklearn.model_selection.TunedThresholdClassifierCV : Sets the threshold; with this scorer,
        for the best specificity at the required sensitivity (a threshold that misses it scores
        0).

    Notes
    -----
    The threshold is chosen on the rows that are scored, so the score is optimistic as a forecast
    at a threshold fixed beforehand, the more so the fewer positives: with 10 of them in a fold,
    0.95 asks for all 10.

    References
    ----------
    .. [1] M. S. Pepe. The Statistical Evaluation of Medical Tests for Classification and
       Prediction. Oxford University Press, 2003, chapter 4.

    Examples
    --------
    >>> from optunasearch.metrics import specificity_at_sensitivity
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.naive_bayes import GaussianNB
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> scoring = specificity_at_sensitivity(0.95, pos_label=0)
    >>> round(float(cross_val_score(GaussianNB(), X, y, scoring=scoring).mean()), 2)
    0.94
    """
    if not isinstance(min_sensitivity, Real):
        raise TypeError(
            f"min_sensitivity must be a number in (0, 1], got {min_sensitivity!r}. "
            "Pass the required sensitivity first, e.g. specificity_at_sensitivity(0.95)."
        )
    if not 0 < float(min_sensitivity) <= 1:
        raise ValueError(
            f"min_sensitivity must be in (0, 1], got {min_sensitivity!r}. "
            "It is a fraction: write 0.95 for 95 %."
        )
    kwargs = {"min_sensitivity": min_sensitivity, "pos_label": pos_label}
    methods = ("predict_proba", "decision_function")
    return _RankScorer(_specificity_at_sensitivity, 1, kwargs, methods)


class _LabelScorer(_BaseScorer):
    """Scorer of predicted labels; the fitted estimator says which class is positive."""

    def __repr__(self):
        plain = {k: v.item() if isinstance(v, np.generic) else v for k, v in self._kwargs.items()}
        pos_label = plain.pop("pos_label")
        arguments = [repr(value) for value in plain.values()]
        arguments += [] if pos_label is None else [f"pos_label={pos_label!r}"]
        return f"{self._score_func.__name__.removeprefix('_')}({', '.join(arguments)})"

    def _score(self, method_caller, estimator, X, y_true, *, sample_weight=None):
        y_pred = method_caller(estimator, "predict", X)
        classes = _classes(estimator, y_true, y_pred)
        pos_label = _positive_class(self._kwargs["pos_label"], classes)
        return self._score_func(y_true, y_pred, pos_label=pos_label, sample_weight=sample_weight)


class _RankScorer(_LabelScorer):
    """Scorer of how an estimator ranks the rows, over all thresholds."""

    def _score(self, method_caller, estimator, X, y_true, *, sample_weight=None):
        classes = _classes(estimator, y_true)
        pos_label = _positive_class(self._kwargs["pos_label"], classes)
        fitted = list(getattr(estimator, "classes_", classes))
        if len(fitted) < 2:
            raise ValueError(
                f"{self!r} needs an estimator that knows two classes, got {fitted}. "
                "A stratified splitter puts rows of both into every training set."
            )
        return _specificity_on_curve(
            column_or_1d(y_true) == pos_label,
            _positive_scores(estimator, X, classes.index(pos_label)),
            self._kwargs["min_sensitivity"],
            sample_weight,
        )


def _sensitivity(y_true, y_pred, *, pos_label=None, sample_weight=None):
    """Recall of the positive class."""
    return _recall(y_true, y_pred, pos_label, sample_weight, of_positives=True)


def _specificity(y_true, y_pred, *, pos_label=None, sample_weight=None):
    """Recall of the negative class."""
    return _recall(y_true, y_pred, pos_label, sample_weight, of_positives=False)


def _specificity_at_sensitivity(
    y_true, y_pred, *, min_sensitivity, pos_label=None, sample_weight=None
):
    """Specificity of the labels where their sensitivity is large enough, else 0."""
    is_positive, called = _truth_and_call(pos_label, y_true, y_pred)
    return _specificity_on_curve(is_positive, called.astype(float), min_sensitivity, sample_weight)


def _recall(y_true, y_pred, pos_label, sample_weight, *, of_positives):
    """Recall of the positives or of the negatives, NaN with a warning where there are none."""
    is_positive, called = _truth_and_call(pos_label, y_true, y_pred)
    recall = recall_score(
        is_positive,
        called,
        pos_label=of_positives,
        sample_weight=sample_weight,
        zero_division=np.nan,
    )
    if np.isnan(recall):
        score, rows = ("Sensitivity", "positive") if of_positives else ("Specificity", "negative")
        warnings.warn(
            f"{score} is undefined and set to NaN: the scored rows hold no {rows} ones. "
            "A stratified splitter puts some into every fold.",
            UndefinedMetricWarning,
            stacklevel=2,
        )
    return float(recall)


def _truth_and_call(pos_label, y_true, y_pred):
    """Boolean arrays: which rows are positive, and which are called positive."""
    if pos_label is None:
        pos_label = _positive_class(None, _labels(y_true, y_pred))
    return column_or_1d(y_true) == pos_label, column_or_1d(y_pred) == pos_label


def _specificity_on_curve(is_positive, y_score, min_sensitivity, sample_weight):
    """Largest specificity on the ROC curve where the sensitivity is large enough."""
    fpr, tpr, _ = roc_curve(
        is_positive, y_score, sample_weight=sample_weight, drop_intermediate=False
    )
    if np.isnan(fpr[-1]) or np.isnan(tpr[-1]):  # a class is missing, and roc_curve has warned
        return float("nan")
    return float(1 - fpr[tpr >= min_sensitivity - _ROUNDING].min())


def _positive_scores(estimator, X, position):
    """Values that rise with the evidence for the class at `position`."""
    if hasattr(estimator, "predict_proba"):
        return np.asarray(estimator.predict_proba(X))[:, position]
    if hasattr(estimator, "decision_function"):
        values = np.asarray(estimator.decision_function(X))
        return values if position == 1 else -values
    raise AttributeError(
        f"{type(estimator).__name__} has neither predict_proba nor decision_function, and a "
        "specificity at a required sensitivity needs one of them to rank the rows. Use a "
        "classifier that has one, or score its predictions with sensitivity() and specificity()."
    )


def _classes(estimator, *targets):
    """List the fitted classes in the estimator's order, else the sorted labels of the targets."""
    fitted = getattr(estimator, "classes_", None)
    if fitted is None:
        return _labels(*targets)
    labels = _labels(fitted, *targets)
    return labels if len(fitted) < 2 else np.asarray(fitted).tolist()


def _labels(*targets):
    """Sort the labels of several arrays: two at most."""
    kinds = {type_of_target(target) for target in targets} - {"binary", "multiclass"}
    labels = [] if kinds else unique_labels(*targets).tolist()
    if kinds or len(labels) > 2:
        found = f"{len(labels)} labels, {labels[:5]}" if labels else f"{sorted(kinds)} values"
        raise ValueError(
            f"Sensitivity and specificity need the labels of two classes, got {found}. Make the "
            "target binary, e.g. y == 'ill', or score one class among several with "
            "make_scorer(recall_score, labels=['ill'], average='macro')."
        )
    return labels


def _positive_class(pos_label, labels):
    """`pos_label` if it is a possible one, or else the second of the labels."""
    if pos_label is None and len(labels) < 2:
        raise ValueError(
            f"Cannot tell which class is positive from {labels} alone. "
            "Pass it, e.g. sensitivity(pos_label=1)."
        )
    if pos_label is not None and len(labels) == 2 and pos_label not in labels:
        raise ValueError(
            f"pos_label={pos_label!r} is not among the classes {labels}. "
            "Pass the one that stands for a positive test."
        )
    return labels[1] if pos_label is None else pos_label
