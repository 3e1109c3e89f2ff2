"""A fitted classifier whose probabilities are calibrated and whose decisions follow a threshold."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from optunasearch.calibration._ensemble import FoldEnsemble
from optunasearch.exceptions import ThresholdNotMetError


@dataclass(frozen=True)
class Decision:
    """How scores become labels.

    Attributes
    ----------
    method : str
        What the threshold is on: "predict_proba" or "decision_function".
    threshold : float
        A row is positive if its score is at least this.
    position : int
        Of the positive class among the two classes.
    problem : str or None
        Why there is no threshold that meets what is required; None if there is one.
    """

    method: str
    threshold: float
    position: int = 1
    problem: str | None = None

    def labels(self, classes: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Return the labels of rows with these scores of the positive class.

        Raises
        ------
        ThresholdNotMetError
            If no threshold meets what is required.
        """
        if self.problem is not None:
            raise ThresholdNotMetError(self.problem)
        is_positive = scores >= self.threshold
        return np.asarray(classes)[np.where(is_positive, self.position, 1 - self.position)]


def _calibrates_or_has(method: str) -> Any:
    def check(self: Any) -> bool:
        if self.calibrator is None:
            getattr(self.estimator, method)  # its own AttributeError
        return True

    return check


def _estimator_has(method: str) -> Any:
    return lambda self: hasattr(self.estimator, method)


class CalibratedClassifier(ClassifierMixin, BaseEstimator):
    """A fitted classifier with calibrated probabilities and, if asked, a decision threshold.

    What :class:`~optunasearch.OptunaSearchCV` has as `calibrated_estimator_`: it knows
    nothing of the search and is what one ships, for instance by :func:`joblib.dump`. It is
    frozen: ``fit`` does nothing and a clone is the object itself, as with
    :class:`~sklearn.frozen.FrozenEstimator`. Attributes that it does not have are those of
    `estimator`.

    Parameters
    ----------
    estimator : classifier
        Fitted.
    calibrator : FittedCalibrator or None, default=None
        Turns its predictions into calibrated probabilities; None leaves them as they are.
    decision : Decision or None, default=None
        How scores become labels; None predicts what `estimator` does.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Of `estimator`.

    See Also
    --------
    sklearn.calibration.CalibratedClassifierCV : Calibrates by fitting the estimator anew
        for each fold.

    Examples
    --------
    >>> from optunasearch import OptunaSearchCV
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.naive_bayes import GaussianNB
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> search = OptunaSearchCV(GaussianNB(), {"var_smoothing": [1e-9, 1e-6]}).fit(X, y)
    >>> shipped = search.calibrated_estimator_
    >>> float(GaussianNB().fit(X, y).predict_proba(X).max())
    1.0
    >>> bool(shipped.predict_proba(X).max() < 1.0)
    True
    """

    def __init__(
        self, estimator: Any, calibrator: Any = None, decision: Decision | None = None
    ) -> None:
        self.estimator = estimator
        self.calibrator = calibrator
        self.decision = decision

    @property
    def classes_(self) -> np.ndarray:
        """Classes of the estimator."""
        return self.estimator.classes_

    def fit(self, X: Any, y: Any = None, **params: Any) -> CalibratedClassifier:
        """Do nothing: the estimator is fitted and stays as it is.

        Parameters
        ----------
        X, y, **params : object
            Ignored.

        Returns
        -------
        self : CalibratedClassifier
        """
        check_is_fitted(self.estimator)
        return self

    @available_if(_calibrates_or_has("predict_proba"))
    def predict_proba(self, X: Any) -> np.ndarray:
        """Return calibrated probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        if self.calibrator is None:
            return self.estimator.predict_proba(X)
        kind = self.calibrator.kind
        if isinstance(self.estimator, FoldEnsemble):
            return self.calibrator.pool(self.estimator.responses(kind, X))
        return self.calibrator.predict_proba(getattr(self.estimator, kind)(X))

    @available_if(_calibrates_or_has("predict_log_proba"))
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the logarithms of calibrated probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
        """
        if self.calibrator is None:
            return self.estimator.predict_log_proba(X)
        return np.log(self.predict_proba(X))

    @available_if(_estimator_has("decision_function"))
    def decision_function(self, X: Any) -> np.ndarray:
        """Return the decision values of the estimator, which calibration leaves alone.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        values : ndarray of shape (n_samples,) or (n_samples, n_classes)
        """
        return self.estimator.decision_function(X)

    def predict(self, X: Any) -> np.ndarray:
        """Return labels: the estimator's own, or those that follow the decision threshold.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        labels : ndarray of shape (n_samples,)

        Raises
        ------
        ThresholdNotMetError
            If no threshold met what was required.
        """
        if self.decision is None:
            return self.estimator.predict(X)
        if self.decision.problem is not None:
            raise ThresholdNotMetError(self.decision.problem)
        return self.decision.labels(self.classes_, self.positive_scores(X))

    def positive_scores(self, X: Any) -> np.ndarray:
        """Return what the decision threshold is compared with.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            The probability of the positive class, or the decision value if the threshold
            is on that.
        """
        decision = self.decision or Decision("predict_proba", 0.5)
        # In double precision, as the threshold: rounding would move rows across it.
        if decision.method == "predict_proba":
            return np.asarray(self.predict_proba(X), dtype=np.float64)[:, decision.position]
        values = np.asarray(self.decision_function(X), dtype=np.float64)
        return values if decision.position == 1 else -values

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the score of the estimator, or the accuracy of thresholded labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        score : float
        """
        if self.decision is not None:
            return super().score(X, y, sample_weight)
        if sample_weight is None:
            return self.estimator.score(X, y)
        return self.estimator.score(X, y, sample_weight=sample_weight)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("estimator", "calibrator", "decision"):
            raise AttributeError(name)
        return getattr(self.estimator, name)

    def __sklearn_clone__(self) -> CalibratedClassifier:
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        tags = deepcopy(get_tags(self.estimator))
        tags._skip_test = True
        return tags
