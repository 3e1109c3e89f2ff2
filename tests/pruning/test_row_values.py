"""Row values: their mean is the score, their variance that of the score."""

import pickle
from functools import partial

import numpy as np
import pytest
from sklearn import metrics
from sklearn.cluster import KMeans
from sklearn.datasets import make_classification, make_regression
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import check_scoring, get_scorer, make_scorer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from optunasearch.metrics import sensitivity, specificity, specificity_at_sensitivity
from optunasearch.pruning._row_values import RowValues

X, Y = make_classification(400, 8, n_informative=4, weights=[0.7], flip_y=0.2, random_state=0)
X3, Y3 = make_classification(400, 8, n_informative=5, n_classes=3, flip_y=0.2, random_state=0)
XR, YR = make_regression(300, 5, noise=20.0, random_state=0)
POSITIVE = YR - YR.min() + 1.0

BINARY = [
    *("accuracy", "balanced_accuracy", "neg_log_loss", "neg_brier_score", "roc_auc", "recall"),
    *("average_precision", "precision", "f1", "f1_macro", "f1_weighted", "f1_micro", "jaccard"),
]
MULTICLASS = [
    *("accuracy", "balanced_accuracy", "neg_log_loss", "f1_macro", "f1_weighted", "f1_micro"),
    *("precision_weighted", "recall_macro", "jaccard_weighted"),
]
REGRESSION = [
    *("neg_mean_squared_error", "neg_root_mean_squared_error", "neg_mean_absolute_error", "r2"),
    "neg_mean_absolute_percentage_error",
]


def row_values(scoring, estimator, X, y, **params):
    """Return the score and the row values of a fitted estimator."""
    scorer = check_scoring(estimator, scoring=scoring)
    remembering = RowValues(scorer, estimator, ["score"])
    score = remembering.scorer(estimator, X, y, **params)
    assert score == scorer(estimator, X, y, **params)
    return score, remembering.values(score).get("score")


def halves(X, y, estimator):
    half = len(y) // 2
    return estimator.fit(X[:half], y[:half]), X[half:], y[half:]


@pytest.mark.parametrize("scoring", [*BINARY, sensitivity(), specificity()])
@pytest.mark.parametrize("weighted", [False, True])
def test_binary(scoring, weighted):
    estimator, X_test, y_test = halves(X, Y, LogisticRegression())
    weights = np.random.default_rng(0).uniform(0.5, 2, len(y_test)) if weighted else None
    params = {"sample_weight": weights} if weighted else {}
    score, values = row_values(scoring, estimator, X_test, y_test, **params)
    if weighted and scoring == "roc_auc":
        assert values is None  # DeLong's decomposition has no weights
        return
    assert values.shape == y_test.shape
    assert values.dtype == np.float32
    assert values.mean() == pytest.approx(score, abs=1e-6)


@pytest.mark.parametrize("scoring", MULTICLASS)
def test_multiclass(scoring):
    estimator, X_test, y_test = halves(X3, Y3, LogisticRegression())
    score, values = row_values(scoring, estimator, X_test, y_test)
    assert values.mean() == pytest.approx(score, abs=1e-6)


@pytest.mark.parametrize("scoring", REGRESSION)
@pytest.mark.parametrize("weighted", [False, True])
def test_regression(scoring, weighted):
    estimator, X_test, y_test = halves(XR, POSITIVE, LinearRegression())
    weights = np.random.default_rng(0).uniform(0.5, 2, len(y_test)) if weighted else None
    score, values = row_values(
        scoring, estimator, X_test, y_test, **({"sample_weight": weights} if weighted else {})
    )
    assert values.mean() == pytest.approx(score, rel=1e-5)


@pytest.mark.parametrize("scoring", ["neg_mean_squared_error", "r2", "neg_mean_absolute_error"])
def test_several_outputs(scoring):
    targets = np.column_stack([YR, np.roll(YR, 1)])
    estimator, X_test, y_test = halves(XR, targets, LinearRegression())
    score, values = row_values(scoring, estimator, X_test, y_test)
    assert values.mean() == pytest.approx(score, rel=1e-5)


@pytest.mark.parametrize("scoring", [*BINARY, *REGRESSION])
def test_the_variance_is_that_of_the_bootstrap(scoring):
    """Of the difference of two estimators, on resampled test rows."""
    if scoring in REGRESSION:
        one, X_test, y_test = halves(XR, POSITIVE, LinearRegression())
        other = LinearRegression().fit(XR[:30, :], POSITIVE[:30] ** 1.02)
    else:
        one, X_test, y_test = halves(X, Y, LogisticRegression())
        other = LogisticRegression(C=1e-2, class_weight="balanced").fit(X[:200], Y[:200])
    differences = (
        row_values(scoring, one, X_test, y_test)[1] - row_values(scoring, other, X_test, y_test)[1]
    )
    scorer, random = get_scorer(scoring), np.random.default_rng(0)
    resampled = []
    for _ in range(300):
        rows = random.integers(len(y_test), size=len(y_test))
        resampled.append(
            scorer(one, X_test[rows], y_test[rows]) - scorer(other, X_test[rows], y_test[rows])
        )
    expected = np.std(differences) / np.sqrt(len(y_test))
    assert np.std(resampled) == pytest.approx(expected, rel=0.3)


@pytest.mark.parametrize("scoring", ["roc_auc", "average_precision"])
def test_tied_scores(scoring):
    estimator, X_test, y_test = halves(np.round(X), Y, LogisticRegression(C=1e-6))
    score, values = row_values(scoring, estimator, np.round(X_test), y_test)
    assert values.mean() == pytest.approx(score, abs=1e-6)


@pytest.mark.parametrize(
    ("estimator", "name"),
    [
        (LogisticRegression(), "accuracy"),
        (make_pipeline(StandardScaler(), LogisticRegression()), "accuracy"),
        (LinearRegression(), "r2"),
    ],
)
def test_the_own_score_of_an_estimator(estimator, name):
    data = (X, Y) if name == "accuracy" else (XR, YR)
    fitted, X_test, y_test = halves(*data, estimator)
    score, values = row_values(None, fitted, X_test, y_test)
    assert score == get_scorer(name)(fitted, X_test, y_test)
    assert values.mean() == pytest.approx(score, abs=1e-6)


class OwnScore(LogisticRegression):
    def score(self, X, y):
        return 0.25


@pytest.mark.parametrize(
    ("scoring", "estimator"),
    [
        (None, OwnScore()),
        (None, KMeans(2, n_init=1)),
        (lambda estimator, X, y: 0.5, LogisticRegression()),
        (specificity_at_sensitivity(0.9), LogisticRegression()),
        ("matthews_corrcoef", LogisticRegression()),
        (make_scorer(metrics.fbeta_score, beta=2, average=None), LogisticRegression()),
    ],
)
def test_no_values_where_the_metric_has_none(scoring, estimator):
    estimator, X_test, y_test = halves(X, Y, estimator)
    scorer = check_scoring(estimator, scoring=scoring)
    remembering = RowValues(scorer, estimator, ["score"])
    score = remembering.scorer(estimator, X_test, y_test)
    assert np.all(score == scorer(estimator, X_test, y_test))
    if np.ndim(score) == 0:
        assert remembering.values(score) == {}


def test_values_that_do_not_give_the_score_back_are_not_used():
    # A metric under the name of a known one, as a decomposition that misreads an argument.
    scorer = make_scorer(metrics.accuracy_score, normalize=False)
    estimator, X_test, y_test = halves(X, Y, LogisticRegression())
    assert row_values(scorer, estimator, X_test, y_test)[1] is None


def test_several_scores_and_one_prediction():
    class Counting(LogisticRegression):
        n_calls = 0

        def predict(self, X):
            Counting.n_calls += 1
            return super().predict(X)

    estimator, X_test, y_test = halves(X, Y, Counting())
    scorer = check_scoring(estimator, scoring=["accuracy", "f1", "roc_auc"])
    remembering = RowValues(scorer, estimator, ["accuracy", "f1"])
    scores = remembering.scorer(estimator, X_test, y_test)
    values = remembering.values(scores)
    assert Counting.n_calls == 1
    assert values.keys() == {"accuracy", "f1"}
    assert values["f1"].mean() == pytest.approx(scores["f1"], abs=1e-6)
    assert scorer(estimator, X_test, y_test) == scores


def test_a_score_that_is_not_finite_has_no_values():
    estimator, X_test, y_test = halves(XR, YR, DummyRegressor())
    remembering = RowValues(get_scorer("r2"), estimator, ["score"])
    assert remembering.values(float("nan")) == {}
    remembering.scorer(estimator, X_test, y_test)
    assert remembering.values(float("nan")) == {}


def test_it_travels_to_a_worker():
    assert pickle.loads(pickle.dumps(partial(RowValues, names=("score",)))).keywords == {
        "names": ("score",)
    }
