"""What a calibrator is, and the one that changes nothing."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator

Floats = NDArray[np.float64]


@runtime_checkable
class Calibrator(Protocol):
    """What an object must offer to serve as `Calibration.method`.

    It is copied before it is fitted (by `sklearn.base.clone` where it has ``get_params``,
    else by `copy.deepcopy`).

    See Also
    --------
    TemperatureScaling, VectorScaling, BetaCalibration : Calibrators that come with the package.

    Examples
    --------
    A calibrator that knows nothing but how frequent the classes are:

    >>> import numpy as np
    >>> from optunasearch.calibration import Calibrator
    >>> class Frequencies:
    ...     def fit(self, logits, y, sample_weight=None):
    ...         counts = np.bincount(y, weights=sample_weight, minlength=logits.shape[1])
    ...         self.frequencies_ = counts / counts.sum()
    ...         return self
    ...
    ...     def predict_proba(self, logits):
    ...         return np.tile(self.frequencies_, (len(logits), 1))
    >>> isinstance(Frequencies(), Calibrator)
    True
    """

    def fit(self, logits: Any, y: Any, sample_weight: Any = None) -> Any:
        """Fit to predictions of rows that the classifier was not trained on.

        Parameters
        ----------
        logits : ndarray of shape (n, n_classes), float64
            Logarithms of probabilities; or decision values, divided by their standard deviation.
        y : ndarray of shape (n,), int
            The classes, numbered 0 to n_classes - 1. Some may be missing.
        sample_weight : ndarray of shape (n,), default=None
            How many rows each one stands for.

        Returns
        -------
        self : object
        """

    def predict_proba(self, logits: Any) -> Any:
        """Return probabilities of shape (n, n_classes), rows summing to one."""


class Sample(NamedTuple):
    """What a calibrator is fitted on, checked."""

    logits: Floats
    y: NDArray[np.intp]
    weight: Floats

    def part(self, rows: NDArray[Any]) -> Sample:
        """Return some of the rows."""
        return Sample(self.logits[rows], self.y[rows], self.weight[rows])


class IdentityCalibration(BaseEstimator):
    """Leave the probabilities as they are: the softmax of the logits.

    See Also
    --------
    TemperatureScaling : One factor on the logits.

    Examples
    --------
    >>> import numpy as np
    >>> from optunasearch.calibration import IdentityCalibration
    >>> IdentityCalibration().fit(np.log([[0.2, 0.8]]), [1]).predict_proba(np.log([[0.3, 0.7]]))
    array([[0.3, 0.7]])
    """

    def fit(self, logits: Any, y: Any, sample_weight: Any = None) -> Self:
        """Check the arguments; there is nothing to fit.

        Parameters
        ----------
        logits : array-like of shape (n, n_classes)
            Logarithms of probabilities.
        y : array-like of shape (n,)
            The classes, integers from 0 to n_classes - 1.
        sample_weight : array-like of shape (n,), default=None
            How many rows each one stands for.

        Returns
        -------
        self : IdentityCalibration
        """
        check_sample(logits, y, sample_weight)
        return self

    def predict_proba(self, logits: Any) -> Floats:
        """Return the softmax of the logits.

        Parameters
        ----------
        logits : array-like of shape (n, n_classes)
            Logarithms of probabilities.

        Returns
        -------
        proba : ndarray of shape (n, n_classes)
        """
        return softmax(np.asarray(logits, dtype=float), axis=1)


def check_sample(logits: Any, y: Any, sample_weight: Any = None) -> Sample:
    """Check what a calibrator is to be fitted on."""
    logits = np.asarray(logits, dtype=np.float64)
    if logits.ndim != 2 or logits.shape[1] < 2 or not len(logits):
        raise ValueError(
            f"logits must have shape (n, n_classes) with two classes or more, got {logits.shape}. "
            "Binary decision values d become two columns: np.column_stack([-d / 2, d / 2])."
        )
    if not np.isfinite(logits).all():
        raise ValueError(
            "logits must be finite. Zero probabilities have none: shrink them first, e.g. "
            "0.99 * p + 0.01 / n_classes."
        )
    codes = np.asarray(y)
    n_classes = logits.shape[1]
    if codes.shape != logits.shape[:1]:
        raise ValueError(f"y must have shape {logits.shape[:1]} like logits, got {codes.shape}.")
    if codes.dtype.kind not in "biu" or codes.min() < 0 or codes.max() >= n_classes:
        raise ValueError(
            f"y must hold integers from 0 to {n_classes - 1}, the columns of logits, got "
            f"{np.unique(codes)[:5]}. Number the labels: np.unique(y, return_inverse=True)[1]."
        )
    return Sample(logits, codes.astype(np.intp), _check_weight(sample_weight, len(logits)))


def _check_weight(sample_weight: Any, n: int) -> Floats:
    """Weights as floats: ones where there are none."""
    if sample_weight is None:
        return np.ones(n)
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.shape != (n,):
        raise ValueError(f"sample_weight must have shape {(n,)}, got {weight.shape}.")
    if not np.isfinite(weight).all() or weight.min() < 0 or weight.sum() <= 0:
        raise ValueError(
            "sample_weight must be finite and not negative, and some of it positive, got values "
            f"from {weight.min()} to {weight.max()}."
        )
    return weight
