"""Scorers asked about stored predictions, against the models themselves."""

import numpy as np
import pytest
from sklearn.base import is_classifier, is_regressor
from sklearn.datasets import load_diabetes, load_iris, make_classification
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import check_scoring, f1_score, get_scorer, make_scorer
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC

from optunasearch.metrics import sensitivity, specificity_at_sensitivity
from optunasearch.selection._stand_in import check_scorer, stand_in
from tests.selection.stored import predictions_of

BINARY = make_classification(200, flip_y=0.3, random_state=0)
NAMED = BINARY[0], np.where(BINARY[1] == 1, "ill", "healthy")
DATA = {"binary": BINARY, "named": NAMED, "iris": load_iris(return_X_y=True)}
DATA["diabetes"] = load_diabetes(return_X_y=True)


@pytest.mark.parametrize(
    ("data", "model", "scorer"),
    [
        ("binary", GaussianNB(), "accuracy"),
        ("binary", GaussianNB(), "roc_auc"),
        ("binary", SVC(), "roc_auc"),
        ("binary", LogisticRegression(), "average_precision"),
        ("binary", SVC(), "f1"),
        ("binary", GaussianNB(), None),
        ("named", GaussianNB(), make_scorer(f1_score, pos_label="healthy")),
        ("named", SVC(), sensitivity("ill")),
        ("named", SVC(), specificity_at_sensitivity(0.9, "ill")),
        ("named", GaussianNB(), "neg_log_loss"),
        ("iris", GaussianNB(), "roc_auc_ovr"),
        ("iris", SVC(), "f1_macro"),
        ("iris", GaussianNB(), "neg_log_loss"),
        ("diabetes", Ridge(), "r2"),
        ("diabetes", Ridge(), "neg_median_absolute_error"),
        ("diabetes", Ridge(), None),
    ],
)
def test_any_scorer_is_answered_as_by_the_model(data, model, scorer):
    X, y = DATA[data]
    model = model.fit(X[::2], y[::2])
    scorer = check_scoring(model, scoring=scorer)
    check_scorer(scorer)
    stored = stand_in(predictions_of(model, X))
    rows = np.random.default_rng(0).integers(0, len(y), 2 * len(y))
    assert scorer(stored, rows[:, np.newaxis], y[rows]) == scorer(model, X[rows], y[rows])
    assert is_classifier(stored) == is_classifier(model)
    assert is_regressor(stored) == is_regressor(model)


def test_only_what_is_stored_is_answered():
    X, y = BINARY
    stored = stand_in(predictions_of(SVC().fit(X, y), X))
    assert not hasattr(stored, "predict_proba")
    with pytest.raises(AttributeError, match="predict_proba"):
        get_scorer("neg_log_loss")(stored, np.arange(200)[:, np.newaxis], y)


def test_a_callable_of_ones_own_cannot_be_asked():
    with pytest.raises(TypeError, match="Use a scorer of scikit-learn"):
        check_scorer(lambda model, X, y: 0.0)
