"""An estimator that answers from stored predictions.

A scorer asks an estimator, not an array: it picks the response method and the column of the
positive class by the estimator's `classes_` and tags. So that any scorer of scikit-learn can
be asked again about any selection of test rows, it gets this stand-in; what it passes as X
are the positions of the rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.dummy import DummyClassifier
from sklearn.metrics import check_scoring
from sklearn.utils.metaestimators import available_if

from optunasearch._sklearn import _BaseScorer
from optunasearch.selection._predictions import LabelledPredictions

__all__ = ["check_scorer", "is_passthrough", "stand_in"]

# What `scoring=None` becomes: it calls the estimator's own `score`.
_Passthrough = type(check_scoring(DummyClassifier()))


def check_scorer(scorer: Any) -> None:
    """Raise a TypeError if a scorer cannot be answered from predictions.

    That of `scoring=None` is answered with the accuracy of classifiers and the R² of
    regressors; an estimator whose own `score` is another one is not seen here.
    """
    if not isinstance(scorer, _BaseScorer) and not is_passthrough(scorer):
        raise TypeError(
            f"The score {scorer!r} cannot be computed anew from stored predictions: a callable "
            "of this kind may ask the model for anything. Use a scorer of scikit-learn, such as "
            "scoring='roc_auc' or scoring=make_scorer(function)."
        )


def is_passthrough(scorer: Any) -> bool:
    """Whether a scorer is what `scoring=None` becomes."""
    return isinstance(scorer, _Passthrough)


def stand_in(predictions: LabelledPredictions) -> _Stored:
    """Return an estimator that answers with stored predictions."""
    kind = _StoredRegressor if predictions.classes is None else _StoredClassifier
    return kind(predictions)


def _has(method: str) -> Any:
    """Make a method available only where its answers are stored."""

    def is_stored(estimator: _Stored) -> bool:
        return method in estimator.predictions.responses

    return available_if(is_stored)


class _Stored(BaseEstimator):
    """The answers of one fold's model about its test rows; X has their positions."""

    def __init__(self, predictions: LabelledPredictions) -> None:
        self.predictions = predictions

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def fit(self, X: Any, y: Any = None) -> _Stored:
        """Return self: a scorer may look for it."""
        return self

    @_has("predict")
    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.predictions.responses["predict"][X[:, 0]]


class _StoredRegressor(RegressorMixin, _Stored):
    """The answers of a regressor."""


class _StoredClassifier(ClassifierMixin, _Stored):
    """The answers of a classifier."""

    @property
    def classes_(self) -> np.ndarray | None:
        return self.predictions.classes

    @_has("predict")
    def predict(self, X: np.ndarray) -> np.ndarray:
        assert self.predictions.classes is not None
        return self.predictions.classes[self.predictions.responses["predict"][X[:, 0]]]

    @_has("predict_proba")
    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return self.predictions.responses["predict_proba"][X[:, 0]]

    @_has("decision_function")
    def decision_function(self, X: np.ndarray) -> np.ndarray:
        return self.predictions.responses["decision_function"][X[:, 0]]
