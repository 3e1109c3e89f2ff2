"""Influences of rows, against derivatives of scikit-learn's metrics."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris, make_classification
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import check_scoring, fbeta_score, get_scorer, make_scorer
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC

from optunasearch.metrics import sensitivity
from optunasearch.selection._influence import Answers, closed_form
from optunasearch.selection._stand_in import stand_in
from tests.selection.stored import predictions_of

BINARY = make_classification(90, flip_y=0.3, random_state=0)
COARSE = GaussianNB(var_smoothing=1e3)
REGRESSIONS = ("r2", "neg_mean_squared_error", "neg_root_mean_squared_error")
CASES = [
    ("binary", GaussianNB(), "accuracy"),
    ("binary", GaussianNB(), "balanced_accuracy"),
    ("binary", GaussianNB(), "roc_auc"),
    ("binary", SVC(), "roc_auc"),
    ("tied", COARSE, "roc_auc"),
    ("binary", GaussianNB(), "neg_log_loss"),
    ("binary", GaussianNB(), "neg_brier_score"),
    ("named", GaussianNB(), "accuracy"),
    ("named", GaussianNB(), "neg_log_loss"),
    ("named", GaussianNB(), None),
    ("iris", GaussianNB(), "balanced_accuracy"),
    ("iris", GaussianNB(), "neg_log_loss"),
    ("diabetes", Ridge(), None),
    *[("diabetes", Ridge(), name) for name in (*REGRESSIONS, "neg_mean_absolute_error")],
]


def data(name):
    if name == "diabetes":
        X, y = load_diabetes(return_X_y=True)
        return X[:90], y[:90]
    if name == "iris":
        X, y = load_iris(return_X_y=True)
        return X[::2] + np.random.default_rng(0).normal(size=(75, 4)), y[::2]
    X, y = BINARY
    if name == "named":
        y = np.where(y == 1, "ill", "healthy")
    return (X.round(0)[:, :1] if name == "tied" else X), y


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("name", "model", "scoring"), CASES)
def test_closed_forms_are_derivatives_of_the_scorer(name, model, scoring, weighted):
    X, y = data(name)
    rng = np.random.default_rng(0)
    weights = rng.uniform(0.5, 2, len(y)) if weighted else np.ones(len(y))
    model = model.fit(X[::2], y[::2])
    scorer = check_scoring(model, scoring=scoring)
    predictions = predictions_of(model, X)
    form = closed_form(scorer, predictions)
    score, influence = form(Answers(predictions, y, weights / weights.sum()))

    def asked(weights):
        return scorer(
            stand_in(predictions), np.arange(len(y))[:, np.newaxis], y, sample_weight=weights
        )

    assert score == pytest.approx(asked(weights), abs=1e-12)
    assert influence.sum() == pytest.approx(0, abs=1e-9 * max(1, abs(score)))
    assert np.ptp(influence) > 0
    for row in range(0, len(y), 7):
        step = 1e-4 * np.eye(len(y))[row]
        slope = (asked(weights * (1 + step)) - asked(weights * (1 - step))) / 2e-4
        assert influence[row] == pytest.approx(slope, rel=1e-4, abs=1e-7 * max(1, abs(score)))


@pytest.mark.parametrize(
    "scorer",
    [
        get_scorer("f1"),
        make_scorer(fbeta_score, beta=2),
        sensitivity(),
        get_scorer("roc_auc_ovr"),
        get_scorer("neg_median_absolute_error"),
    ],
)
def test_other_scorers_have_none(scorer):
    X, y = BINARY
    assert closed_form(scorer, predictions_of(GaussianNB().fit(X, y), X)) is None


def test_a_fold_that_lacks_a_class_is_left_to_the_scorer():
    X, y = BINARY
    predictions = predictions_of(LogisticRegression().fit(X, y), X)
    answers = Answers(predictions, np.zeros(len(y)), np.full(len(y), 1 / len(y)))
    for name in ("roc_auc", "neg_log_loss"):
        assert closed_form(get_scorer(name), predictions)(answers) is None
    assert closed_form(get_scorer("accuracy"), predictions)(answers) is not None


def test_a_class_that_the_model_does_not_know_is_left_to_the_scorer():
    X, y = BINARY
    predictions = predictions_of(GaussianNB().fit(X, y), X)
    answers = Answers(predictions, y + 1, np.full(len(y), 1 / len(y)))
    assert closed_form(get_scorer("accuracy"), predictions)(answers) is None


def test_an_answer_that_is_not_stored():
    X, y = BINARY
    predictions = predictions_of(SVC().fit(X, y), X)
    form = closed_form(get_scorer("neg_brier_score"), predictions)
    with pytest.raises(AttributeError, match=r"\['decision_function', 'predict'\], and the score"):
        form(Answers(predictions, y, np.full(len(y), 1 / len(y))))


@pytest.mark.parametrize(("y", "expected"), [([2.0, 2.0], 1.0), ([3.0, 3.0], 0.0)])
def test_r2_of_a_constant_is_that_of_scikit_learn(y, expected):
    from optunasearch.selection._predictions import LabelledPredictions

    predictions = LabelledPredictions({"predict": np.array([2.0, 2.0])}, None)
    form = closed_form(get_scorer("r2"), predictions)
    score, influence = form(Answers(predictions, np.array(y), np.array([0.5, 0.5])))
    assert score == expected
    assert not influence.any()
