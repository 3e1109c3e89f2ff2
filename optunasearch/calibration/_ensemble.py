"""The models of the folds as one classifier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if

# What stands in the column of a class that was not among the training rows.
_UNSEEN = {"predict_proba": 0.0, "decision_function": -np.inf}


def align_classes(
    values: np.ndarray, method: str, positions: Sequence[int] | np.ndarray, n_classes: int
) -> np.ndarray:
    """Return predictions with a column for each of all classes.

    `positions` are those of the model's own classes among all. Decision values of two
    classes in all stay in one dimension.
    """
    if len(positions) == n_classes or (values.ndim == 1 and n_classes == 2):
        return values
    if values.ndim == 1:
        values = np.column_stack([-values, values])
    aligned = np.full((len(values), n_classes), _UNSEEN[method], dtype=values.dtype)
    aligned[:, list(positions)] = values
    return aligned


def _first_has(method: str) -> Callable[[Any], bool]:
    return lambda self: hasattr(self.estimators[0], method)


class FoldEnsemble(ClassifierMixin, BaseEstimator):
    """Averages what classifiers predict that were fitted on different rows.

    What a search with ``Calibration(ensemble=True)`` has as `best_estimator_`: the models
    that the best candidate's folds were scored with, in place of a refit on all rows. It is
    frozen: ``fit`` does nothing and a clone is the object itself.

    Parameters
    ----------
    estimators : list of classifiers
        Fitted.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes that any of them knows, sorted.
    n_features_in_ : int
        Of the first one, if it has it.
    """

    def __init__(self, estimators: Sequence[Any]) -> None:
        self.estimators = estimators

    @property
    def classes_(self) -> np.ndarray:
        """The classes that any of the models knows, sorted."""
        return np.unique(np.concatenate([model.classes_ for model in self.estimators]))

    @property
    def n_features_in_(self) -> int:
        """Number of features."""
        return self.estimators[0].n_features_in_

    @property
    def feature_names_in_(self) -> np.ndarray:
        """Names of the features."""
        return self.estimators[0].feature_names_in_

    def fit(self, X: Any, y: Any = None, **params: Any) -> FoldEnsemble:
        """Do nothing: the models are fitted.

        Parameters
        ----------
        X, y, **params : object
            Ignored.

        Returns
        -------
        self : FoldEnsemble
        """
        return self

    @available_if(_first_has("predict_proba"))
    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the mean of the models' probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            A class that a model does not know has probability 0 there.
        """
        return np.mean(self.responses("predict_proba", X), axis=0)

    @available_if(_first_has("predict_proba"))
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the logarithms of ``predict_proba``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    @available_if(_first_has("decision_function"))
    def decision_function(self, X: Any) -> np.ndarray:
        """Return the mean of the models' decision values.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        values : ndarray of shape (n_samples,) or (n_samples, n_classes)
        """
        return np.mean(self.responses("decision_function", X), axis=0)

    def predict(self, X: Any) -> np.ndarray:
        """Return the class of the highest mean probability or decision value.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        labels : ndarray of shape (n_samples,)
        """
        if hasattr(self, "predict_proba"):
            values = self.predict_proba(X)
        else:
            values = self.decision_function(X)
        codes = values.argmax(axis=1) if values.ndim == 2 else (values > 0).astype(np.intp)
        return self.classes_[codes]

    def responses(self, method: str, X: Any) -> list[np.ndarray]:
        """Return what each model predicts, with a column for each of all classes.

        Parameters
        ----------
        method : {"predict_proba", "decision_function"}
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        responses : list of ndarray of shape (n_samples,) or (n_samples, n_classes)
        """
        classes = self.classes_
        return [
            align_classes(
                np.asarray(getattr(model, method)(X)),
                method,
                np.searchsorted(classes, model.classes_),
                len(classes),
            )
            for model in self.estimators
        ]

    def __sklearn_clone__(self) -> FoldEnsemble:
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        tags = deepcopy(get_tags(self.estimators[0]))
        tags._skip_test = True
        return tags
