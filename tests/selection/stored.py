"""Candidates whose predictions are stored, as a search would hand them over."""

import numpy as np
from sklearn.base import clone, is_classifier

from optunasearch.selection._predictions import LabelledPredictions


def predictions_of(model, X):
    """Return what a fitted model says of rows."""
    methods = ("predict", "predict_proba", "decision_function")
    responses = {m: getattr(model, m)(X) for m in methods if hasattr(model, m)}
    if not is_classifier(model):
        return LabelledPredictions(responses, None)
    responses["predict"] = np.searchsorted(model.classes_, responses["predict"])
    return LabelledPredictions(responses, model.classes_)


def cross_predictions(models, X, y, splits):
    """Return of each model the predictions of each fold."""
    return [
        [predictions_of(clone(model).fit(X[train], y[train]), X[test]) for train, test in splits]
        for model in models
    ]


def labelled(codes, splits, classes=(0, 1)):
    """Return candidates of which only the predicted classes are known, (n_candidates, n_rows)."""
    return [
        [LabelledPredictions({"predict": row[test]}, np.array(classes)) for _, test in splits]
        for row in np.asarray(codes)
    ]
