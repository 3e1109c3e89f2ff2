"""Isotonic calibration: a monotone step function of the log-odds."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.utils.validation import check_is_fitted

from optunasearch.calibration._calibrator import Floats, check_sample
from optunasearch.calibration._one_vs_rest import log_odds, regressed_classes


class IsotonicCalibration(BaseEstimator):
    """The best monotone function of the log-odds of a class.

    It can mend any distortion that keeps the order [1]_, and needs many rows to know it: below
    some thousands it overfits. With more than two classes: one against the rest, divided by the
    sum. The probabilities are shrunk, q <- (1 - eps) q + eps / n_classes with
    eps = 1 / (n + 1), because a zero that fails costs an infinite log loss.

    Attributes
    ----------
    regressions_ : list of IsotonicRegression
        One for each class; of class 1 only if there are two.
    shrinkage_ : float
        The eps above.

    See Also
    --------
    BetaCalibration : Three parameters instead of a step function.

    References
    ----------
    .. [1] B. Zadrozny, C. Elkan. Transforming Classifier Scores into Accurate Multiclass
       Probability Estimates. KDD, 2002.

    Examples
    --------
    >>> import numpy as np
    >>> from optunasearch.calibration import IsotonicCalibration
    >>> p = np.repeat([0.1, 0.9], 1000)
    >>> logits = np.log(np.column_stack([1 - p, p]))
    >>> y = np.repeat([0, 1, 0, 1], [700, 300, 200, 800])
    >>> IsotonicCalibration().fit(logits, y).predict_proba(logits[[0, -1]]).round(2)
    array([[0.7, 0.3],
           [0.2, 0.8]])
    """

    def fit(self, logits: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the step functions.

        Parameters
        ----------
        logits : array-like of shape (n, n_classes)
            Logits of rows that the classifier was not trained on.
        y : array-like of shape (n,)
            The classes, integers from 0 to n_classes - 1.
        sample_weight : array-like of shape (n,), default=None
            How many rows each one stands for.

        Returns
        -------
        self : IsotonicCalibration
        """
        sample = check_sample(logits, y, sample_weight)
        self.regressions_ = [
            IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(
                log_odds(sample.logits, k), sample.y == k, sample_weight=sample.weight
            )
            for k in regressed_classes(sample.logits)
        ]
        self.shrinkage_ = float(1 / (sample.weight.sum() + 1))
        return self

    def predict_proba(self, logits: Any) -> Floats:
        """Return calibrated probabilities.

        Parameters
        ----------
        logits : array-like of shape (n, n_classes)
            Logits, of the kind that it was fitted on.

        Returns
        -------
        proba : ndarray of shape (n, n_classes)
        """
        check_is_fitted(self)
        logits = np.asarray(logits, dtype=float)
        n_classes = logits.shape[1]
        proba = np.column_stack(
            [
                regression.predict(log_odds(logits, k))
                for k, regression in zip(regressed_classes(logits), self.regressions_, strict=True)
            ]
        )
        if n_classes == 2:
            proba = np.hstack([1 - proba, proba])
        total = proba.sum(axis=1, keepdims=True)
        proba = np.divide(proba, total, out=np.full_like(proba, 1 / n_classes), where=total > 0)
        return np.asarray((1 - self.shrinkage_) * proba + self.shrinkage_ / n_classes)
