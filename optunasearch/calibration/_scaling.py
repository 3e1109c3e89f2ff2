"""Scaling: softmax(a * logits + b), with one slope a for all classes or one for each.

Both are shrunk towards a = 1, b = 0, which is to change nothing. The strengths of the prior
count in rows, so that it fades as data come in.
"""

from __future__ import annotations

import numbers
from typing import Any, Self

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from optunasearch.calibration._calibrator import Floats, Sample, check_sample
from optunasearch.calibration._newton import minimise


class TemperatureScaling(BaseEstimator):
    """One factor on all logits: softmax(logits / temperature).

    It mends classifiers that are too sure of themselves, or not sure enough, and has a single
    parameter, found where

        sum of w_i * log loss_i + l2_slope / 2 * (1 / temperature - 1)^2

    is least. The order of the classes within a row stays as it is.

    Parameters
    ----------
    l2_slope : float, default=0.1
        How much the inverse temperature is drawn towards 1. It keeps it finite where every
        prediction is right.

    Attributes
    ----------
    inverse_temperature_ : float
        The factor, not negative. 1 changes nothing; below 1 the probabilities are moderated.

    See Also
    --------
    VectorScaling : A slope and an offset for each class.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger. On Calibration of Modern Neural
       Networks. ICML, 2017.

    Examples
    --------
    A classifier that says 0.9 and is right 7 times in 10:

    >>> import numpy as np
    >>> from optunasearch.calibration import TemperatureScaling
    >>> logits = np.log([[0.1, 0.9]] * 100)
    >>> calibrator = TemperatureScaling().fit(logits, [1] * 70 + [0] * 30)
    >>> calibrator.predict_proba(logits[:1]).round(2)
    array([[0.3, 0.7]])
    """

    def __init__(self, *, l2_slope: float = 0.1) -> None:
        self.l2_slope = l2_slope

    def fit(self, logits: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the temperature.

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
        self : TemperatureScaling
        """
        sample = check_sample(logits, y, sample_weight)
        check_strengths(l2_slope=self.l2_slope)
        (slope,) = minimise(_TemperatureLoss(sample, self.l2_slope), np.ones(1))
        self.inverse_temperature_ = max(float(slope), 0.0)
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
        return softmax(self.inverse_temperature_ * np.asarray(logits, dtype=float), axis=1)


class VectorScaling(BaseEstimator):
    """A slope and an offset for each class: softmax(slopes * logits + offsets).

    On logarithms of probabilities this is Dirichlet calibration with a diagonal matrix [1]_,
    and with two classes it is beta calibration with a prior. The parameters are

        slopes = s + d,  offsets = b

    with a common slope s and deviations d, found where the weighted sum of the log loss is
    least together with
    ``(l2_slope * (s - 1)**2 + l2_deviation * d @ d + l2_offset * b @ b) / 2``.

    Parameters
    ----------
    l2_slope : float, default=0.1
        How much the common slope is drawn towards 1.
    l2_deviation : float, default=10.0
        How much the slopes are drawn towards each other.
    l2_offset : float, default=5.0
        How much the offsets are drawn towards 0.

    Attributes
    ----------
    slopes_ : ndarray of shape (n_classes,)
        The factors of the logits.
    offsets_ : ndarray of shape (n_classes,)
        What is added to the logits.

    See Also
    --------
    TemperatureScaling : One slope and no offsets.
    BetaCalibration : Two slopes and an offset, kept monotone.

    References
    ----------
    .. [1] M. Kull, M. Perello-Nieto, M. Kängsepp, T. Silva Filho, H. Song, P. Flach. Beyond
       temperature scaling: Obtaining well-calibrated multiclass probabilities with Dirichlet
       calibration. NeurIPS, 2019.

    Examples
    --------
    A classifier that takes both classes for equally frequent:

    >>> import numpy as np
    >>> from optunasearch.calibration import VectorScaling
    >>> logits = np.log([[0.5, 0.5]] * 1000)
    >>> calibrator = VectorScaling().fit(logits, [1] * 900 + [0] * 100)
    >>> calibrator.predict_proba(logits[:1]).round(2)
    array([[0.1, 0.9]])
    """

    def __init__(
        self, *, l2_slope: float = 0.1, l2_deviation: float = 10.0, l2_offset: float = 5.0
    ) -> None:
        self.l2_slope = l2_slope
        self.l2_deviation = l2_deviation
        self.l2_offset = l2_offset

    def fit(self, logits: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the slopes and offsets.

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
        self : VectorScaling
        """
        sample = check_sample(logits, y, sample_weight)
        check_strengths(
            l2_slope=self.l2_slope, l2_deviation=self.l2_deviation, l2_offset=self.l2_offset
        )
        n_classes = sample.logits.shape[1]
        start = np.repeat([1.0, 0.0], n_classes)
        loss = _VectorLoss(sample, start, self._precision(n_classes))
        self.slopes_, self.offsets_ = minimise(loss, start).reshape(2, n_classes)
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
        return softmax(np.asarray(logits, dtype=float) * self.slopes_ + self.offsets_, axis=1)

    def _precision(self, n_classes: int) -> Floats:
        """Precision of (slopes, offsets).

        The common slope is minimised out. With s left free to take its best value, the
        penalty of the slopes is that of a Gaussian whose covariance is
        I / l2_deviation + 1 1' / l2_slope (Sherman and Morrison give the inverse).
        """
        between, common = self.l2_deviation, self.l2_slope
        precision = np.zeros((2 * n_classes, 2 * n_classes))
        precision[:n_classes, :n_classes] = -(between**2) / (common + n_classes * between)
        diagonal = np.arange(n_classes)
        precision[diagonal, diagonal] += between
        precision[diagonal + n_classes, diagonal + n_classes] = self.l2_offset
        return precision


class _TemperatureLoss:
    """Penalised log loss in the common slope.

    Here and below arrays are class by row: sums over the classes of a row then run over long
    stretches of memory, which is several times as fast.
    """

    def __init__(self, sample: Sample, l2_slope: float) -> None:
        logits = np.ascontiguousarray(sample.logits.T)
        self._logits = logits - logits[sample.y, np.arange(len(sample.y))]  # the truth's is 0
        self._weight, self._l2_slope = sample.weight, l2_slope

    def value_and_gradient(self, theta: Floats) -> tuple[float, Floats]:
        (slope,) = theta
        proba, log_sum = _softmax(slope * self._logits)
        expected = (proba * self._logits).sum(axis=0)
        away = slope - 1
        value = self._weight @ log_sum + self._l2_slope / 2 * away**2
        return float(value), np.array([self._weight @ expected + self._l2_slope * away])

    def hessian(self, theta: Floats) -> Floats:
        proba, _ = _softmax(theta[0] * self._logits)
        weighted = proba * self._logits
        variance = (weighted * self._logits).sum(axis=0) - weighted.sum(axis=0) ** 2
        return np.array([[self._weight @ variance + self._l2_slope]])


class _VectorLoss:
    """Penalised log loss in (slopes, offsets)."""

    def __init__(self, sample: Sample, centre: Floats, precision: Floats) -> None:
        self._logits = np.ascontiguousarray(sample.logits.T)
        self._truth = sample.y, np.arange(len(sample.y))
        self._weight, self._centre, self._precision = sample.weight, centre, precision

    def value_and_gradient(self, theta: Floats) -> tuple[float, Floats]:
        scaled = self._scaled(theta)
        residual, log_sum = _softmax(scaled)
        value = self._weight @ (log_sum - scaled[self._truth])
        residual[self._truth] -= 1
        gradient = np.concatenate(
            [(residual * self._logits) @ self._weight, residual @ self._weight]
        )
        away = theta - self._centre
        pull = self._precision @ away
        return float(value + away @ pull / 2), gradient + pull

    def hessian(self, theta: Floats) -> Floats:
        proba, _ = _softmax(self._scaled(theta))
        k, n_classes = np.arange(len(proba)), len(proba)
        of_slope = proba * self._logits
        features = np.vstack([of_slope, proba])
        hessian = self._precision - (features * self._weight) @ features.T
        hessian[k, k] += (of_slope * self._logits) @ self._weight
        mixed = of_slope @ self._weight
        hessian[k, k + n_classes] += mixed
        hessian[k + n_classes, k] += mixed
        hessian[k + n_classes, k + n_classes] += proba @ self._weight
        return np.asarray(hessian)

    def _scaled(self, theta: Floats) -> Floats:
        slopes, offsets = theta.reshape(2, -1, 1)
        return slopes * self._logits + offsets


def _softmax(scaled: Floats) -> tuple[Floats, Floats]:
    """Return the softmax over the classes, and the logarithm of its denominator."""
    most = scaled.max(axis=0)
    proba = np.exp(scaled - most)
    total = proba.sum(axis=0)
    proba /= total
    return proba, np.log(total) + most


def check_strengths(**strengths: Any) -> None:
    """Raise unless all are positive numbers."""
    for name, value in strengths.items():
        if not isinstance(value, numbers.Real) or not 0 < float(value) < np.inf:
            raise ValueError(
                f"{name} must be a positive number, got {value!r}. Take a small one, e.g. 1e-3, "
                "for hardly any shrinkage; with none, perfect predictions have no finite fit."
            )
