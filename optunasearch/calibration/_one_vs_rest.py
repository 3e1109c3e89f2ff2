"""Sigmoid and beta calibration: logistic regressions of one class against the rest.

With two classes there is one regression; with more there is one for each class, and the
probabilities are divided by their sum. All of them work on the log-odds of a class, which are
log p - log(1 - p), never on p itself: the sigmoid of a probability can neither reach 0 and 1
nor leave a calibrated classifier alone.
"""

from __future__ import annotations

from itertools import product
from typing import Any, Self

import numpy as np
from scipy.special import expit, log_expit, log_softmax
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from optunasearch.calibration._calibrator import Floats, Sample, check_sample
from optunasearch.calibration._newton import minimise
from optunasearch.calibration._scaling import check_strengths


class SigmoidCalibration(BaseEstimator):
    """Platt's sigmoid of the log-odds: expit(slope * log-odds + intercept).

    Of decision values it is Platt's method [1]_, with his smoothed targets
    (n1 + 1) / (n1 + 2) and 1 / (n0 + 2). Of probabilities it takes the log-odds, unlike
    scikit-learn's ``method="sigmoid"``. With more than two classes: one against the rest.

    Attributes
    ----------
    slopes_ : ndarray of shape (n_classes,) or (1,)
        The factors of the log-odds; a single one, for class 1, if there are two classes.
    intercepts_ : ndarray of shape (n_classes,) or (1,)
        What is added to the log-odds.

    See Also
    --------
    BetaCalibration : One more parameter, for probabilities.

    References
    ----------
    .. [1] J. Platt. Probabilistic Outputs for Support Vector Machines and Comparisons to
       Regularized Likelihood Methods. Advances in Large Margin Classifiers, 1999.

    Examples
    --------
    >>> import numpy as np
    >>> from optunasearch.calibration import SigmoidCalibration
    >>> d = np.array([-2.0, -1.0, -1.0, 1.0, 1.0, 2.0])
    >>> logits = np.column_stack([-d / 2, d / 2])
    >>> calibrator = SigmoidCalibration().fit(logits, [0, 0, 1, 0, 1, 1])
    >>> calibrator.predict_proba(logits)[:, 1].round(2)
    array([0.3, 0.4, 0.4, 0.6, 0.6, 0.7])
    """

    def fit(self, logits: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the slopes and intercepts.

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
        self : SigmoidCalibration
        """
        sample = check_sample(logits, y, sample_weight)
        fitted = []
        for k in regressed_classes(sample.logits):
            positive, odds = sample.y == k, log_odds(sample.logits, k)
            n_positive = sample.weight @ positive
            n_negative = sample.weight.sum() - n_positive
            target = np.where(positive, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))
            prior = np.log((n_positive + 1) / (n_negative + 1))
            scale = max(float(np.abs(odds).max()), 1e-300)
            features = np.column_stack([odds / scale, np.ones_like(odds)])
            loss = _LogisticLoss(features, target, sample.weight, np.zeros(2), np.zeros(2))
            slope, intercept = minimise(loss, np.array([0.0, prior]))
            fitted.append((slope / scale, intercept))
        self.slopes_, self.intercepts_ = np.array(fitted).T
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
        odds = np.column_stack([log_odds(logits, k) for k in regressed_classes(logits)])
        return normalised(self.slopes_ * odds + self.intercepts_)


class BetaCalibration(BaseEstimator):
    """Beta calibration: expit(a * log p - b * log(1 - p) + c) with a, b >= 0.

    It bends the two ends of the probabilities differently, and a = b = 1, c = 0 leaves them
    alone [1]_. With more than two classes: one against the rest.

    Parameters
    ----------
    l2 : float, default=0.1
        How much a, b and c are drawn towards 1, 1 and 0: l2 / 2 times the squared distance is
        added to the sum of the log loss. It keeps them finite where every prediction is right.

    Attributes
    ----------
    a_, b_, c_ : ndarray of shape (n_classes,) or (1,)
        The parameters; of class 1 only if there are two classes.

    See Also
    --------
    VectorScaling : Its like for several classes at once, with a prior.

    References
    ----------
    .. [1] M. Kull, T. Silva Filho, P. Flach. Beta calibration: a well-founded and easily
       implemented improvement on logistic calibration for binary classifiers. AISTATS, 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from optunasearch.calibration import BetaCalibration
    >>> p = np.repeat([0.1, 0.9], 1000)
    >>> logits = np.log(np.column_stack([1 - p, p]))
    >>> y = np.repeat([0, 1, 0, 1], [700, 300, 200, 800])
    >>> BetaCalibration().fit(logits, y).predict_proba(logits[[0, -1]]).round(2)
    array([[0.7, 0.3],
           [0.2, 0.8]])
    """

    def __init__(self, *, l2: float = 0.1) -> None:
        self.l2 = l2

    def fit(self, logits: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit a, b and c.

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
        self : BetaCalibration
        """
        sample = check_sample(logits, y, sample_weight)
        check_strengths(l2=self.l2)
        fitted = [self._fit_class(sample, k) for k in regressed_classes(sample.logits)]
        self.a_, self.b_, self.c_ = np.array(fitted).T
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
        columns = []
        for i, k in enumerate(regressed_classes(logits)):
            columns.append(_beta_features(logits, k) @ [self.a_[i], self.b_[i], self.c_[i]])
        return normalised(np.column_stack(columns))

    def _fit_class(self, sample: Sample, k: int) -> Floats:
        """Return (a, b, c) of one class against the rest.

        The loss is convex and a, b >= 0 are two bounds: if its least value violates one, the
        constrained one lies on a face, and there are only three.
        """
        features, target = _beta_features(sample.logits, k), (sample.y == k).astype(float)
        found: list[tuple[float, Floats]] = []
        for free in product([True, False], repeat=2):
            mask = np.array([*free, True])
            centre, precision = np.array([1.0, 1.0, 0.0]), np.full(3, float(self.l2))
            loss = _LogisticLoss(
                features[:, mask], target, sample.weight, centre[mask], precision[mask]
            )
            theta = np.zeros(3)
            theta[mask] = minimise(loss, centre[mask])
            if theta[:2].min() >= 0:
                missed = self.l2 / 2 * np.sum(~mask)  # what the prior takes for a zero
                found.append((loss.value_and_gradient(theta[mask])[0] + missed, theta))
                if mask.all():
                    break
        return min(found, key=lambda candidate: candidate[0])[1]


class _LogisticLoss:
    """Log loss of a logistic regression with soft targets, and a Gaussian prior."""

    def __init__(
        self, features: Floats, target: Floats, weight: Floats, centre: Floats, precision: Floats
    ) -> None:
        self._features, self._target, self._weight = features, target, weight
        self._centre, self._precision = centre, precision

    def value_and_gradient(self, theta: Floats) -> tuple[float, Floats]:
        odds = self._features @ theta
        value = -self._weight @ (self._target * odds + log_expit(-odds))
        residual = self._weight * (expit(odds) - self._target)
        pull = self._precision * (theta - self._centre)
        return float(value + (theta - self._centre) @ pull / 2), residual @ self._features + pull

    def hessian(self, theta: Floats) -> Floats:
        proba = expit(self._features @ theta)
        curvature = self._weight * proba * (1 - proba)
        return self._features.T @ (self._features * curvature[:, None]) + np.diag(self._precision)


def regressed_classes(logits: Floats) -> range:
    """Return the classes that have a regression: of two classes only the second."""
    return range(1, 2) if logits.shape[1] == 2 else range(logits.shape[1])


def log_odds(logits: Floats, k: int) -> Floats:
    """Return the log-odds of a class: its logit less that of all the others together."""
    others = np.delete(logits.T, k, axis=0)
    most = others.max(axis=0)
    return np.asarray(logits[:, k] - most - np.log(np.exp(others - most).sum(axis=0)))


def normalised(odds: Floats) -> Floats:
    """Turn the log-odds of each class into probabilities that sum to one."""
    if odds.shape[1] == 1:
        return np.asarray(expit(np.hstack([-odds, odds])))
    return np.exp(log_softmax(log_expit(odds), axis=1))


def _beta_features(logits: Floats, k: int) -> Floats:
    """Log p, -log(1 - p) and 1."""
    odds = log_odds(logits, k)
    return np.column_stack([log_expit(odds), -log_expit(-odds), np.ones_like(odds)])
