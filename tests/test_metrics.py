"""Scorers for medical tests, against scikit-learn's metrics and counts by hand."""

import pickle

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_breast_cancer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import check_scoring, confusion_matrix, make_scorer, recall_score
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_score,
    cross_validate,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import optunasearch.metrics
from optunasearch.metrics import sensitivity, specificity, specificity_at_sensitivity

X, Y = load_breast_cancer(return_X_y=True)
NAMES = np.where(Y == 0, "malignant", "benign")
WEIGHTS = np.random.default_rng(0).uniform(0.5, 2, len(Y))
SCORERS = {
    "sensitivity()": sensitivity(),
    "specificity(pos_label=0)": specificity(pos_label=0),
    "sensitivity(pos_label='ill')": sensitivity(pos_label="ill"),
    "specificity_at_sensitivity(0.95)": specificity_at_sensitivity(0.95),
    "specificity_at_sensitivity(0.9, pos_label=1)": specificity_at_sensitivity(0.9, np.int64(1)),
}
each_factory = pytest.mark.parametrize(
    "factory",
    [sensitivity, specificity, lambda pos_label=None: specificity_at_sensitivity(0.9, pos_label)],
    ids=["sensitivity", "specificity", "specificity_at_sensitivity"],
)


class Fixed(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose probability of class 1 is the first column; it counts its calls."""

    def __init__(self, classes=(0, 1)):
        self.classes = classes
        self.classes_ = np.array(classes)
        self.calls = []

    def fit(self, X, y):
        return self

    def predict(self, X):
        self.calls.append("predict")
        return self.classes_[(X[:, 0] >= 0.5).astype(int)]

    def predict_proba(self, X):
        self.calls.append("predict_proba")
        return np.column_stack([1 - X[:, 0], X[:, 0]])


def best_specificity(is_positive, score, required, weights=None):
    """The definition, threshold by threshold."""
    weights = np.ones(len(score)) if weights is None else weights
    met = []
    for threshold in np.unique(score):
        called = score >= threshold
        if weights[is_positive & called].sum() / weights[is_positive].sum() >= required:
            met.append(weights[~is_positive & ~called].sum() / weights[~is_positive].sum())
    return max(met)


def test_public_names():
    names = ["sensitivity", "specificity", "specificity_at_sensitivity"]
    assert optunasearch.metrics.__all__ == names


@pytest.mark.parametrize(("text", "scorer"), SCORERS.items(), ids=list(SCORERS))
def test_repr_pickle_and_clone(text, scorer):
    for copy in (scorer, pickle.loads(pickle.dumps(scorer)), clone(scorer, safe=False)):
        assert repr(copy) == text
    assert check_scoring(GaussianNB(), scoring=scorer) is scorer
    assert scorer._accept_sample_weight()


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["unweighted", "weighted"])
@pytest.mark.parametrize(
    ("y", "pos_label", "positive"),
    [(Y, None, 1), (Y, 0, 0), (NAMES, None, "malignant"), (NAMES, "benign", "benign")],
)
def test_counts(y, pos_label, positive, weights):
    model = GaussianNB().fit(X, y)
    negative = next(label for label in model.classes_ if label != positive)
    order = [negative, positive]
    counts = confusion_matrix(y, model.predict(X), labels=order, sample_weight=weights)
    (tn, fp), (fn, tp) = counts
    scored = sensitivity(pos_label)(model, X, y, sample_weight=weights)
    assert scored == pytest.approx(tp / (tp + fn))
    expected = recall_score(y, model.predict(X), pos_label=positive, sample_weight=weights)
    assert scored == pytest.approx(expected)
    scored = specificity(pos_label)(model, X, y, sample_weight=weights)
    assert scored == pytest.approx(tn / (tn + fp))
    assert isinstance(scored, float)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("required", [0.5, 0.95, 1])
@pytest.mark.parametrize("pos_label", ["malignant", "benign"])
@pytest.mark.parametrize(
    "model",
    [GaussianNB(), make_pipeline(StandardScaler(), SVC()), DecisionTreeClassifier(max_depth=2)],
)
def test_specificity_at_sensitivity_is_the_definition(model, pos_label, required, weights):
    model = clone(model).fit(X, NAMES)
    if hasattr(model, "predict_proba"):
        score = model.predict_proba(X)[:, list(model.classes_).index(pos_label)]
    else:
        score = model.decision_function(X) * (1 if pos_label == "malignant" else -1)
    is_positive = np.isin(NAMES, pos_label)
    scorer = specificity_at_sensitivity(required, pos_label)
    scored = scorer(model, X, NAMES, sample_weight=weights)
    assert scored == pytest.approx(best_specificity(is_positive, score, required, weights))


def test_tied_rows_stay_together():
    score = np.array([0.9, 0.5, 0.5, 0.5, 0.1])
    y = np.array([1, 1, 0, 0, 0])
    scored = [specificity_at_sensitivity(s)(Fixed(), score[:, None], y) for s in (0.5, 0.51, 1)]
    assert scored == pytest.approx([1, 1 / 3, 1 / 3])


@pytest.mark.parametrize("weight", [None, 0.7])
def test_requirement_met_exactly(weight):
    """95 of 100 positives is 0.95, also when the sums of their weights are rounded below it."""
    score = np.r_[np.linspace(0.6, 0.9, 95), np.full(5, 0.1), 0.3, 0.3]
    y = np.r_[np.ones(100, int), 0, 0]
    weights = None if weight is None else np.full(102, weight)
    scorer = specificity_at_sensitivity(0.95)
    assert scorer(Fixed(), score[:, None], y, sample_weight=weights) == 1


def test_the_estimator_knows_the_classes_that_a_fold_lacks():
    rows = np.array([[0.9], [0.2], [0.3]])
    benign = np.array(["b", "b", "b"])
    model = Fixed(("b", "m"))
    assert specificity()(model, rows, benign) == pytest.approx(2 / 3)
    assert specificity()(model, rows[1:], benign[1:]) == 1  # "m" is neither seen nor predicted
    assert sensitivity("b")(model, rows, benign) == pytest.approx(2 / 3)
    with pytest.warns(UndefinedMetricWarning, match="hold no positive ones"):
        assert np.isnan(sensitivity()(model, rows, benign))
    with pytest.warns(UndefinedMetricWarning, match="hold no negative ones"):
        assert np.isnan(specificity("b")(model, rows, benign))
    with pytest.warns(UndefinedMetricWarning, match="No positive samples"):
        assert np.isnan(specificity_at_sensitivity(0.9)(model, rows, benign))
    with pytest.warns(UndefinedMetricWarning, match="No negative samples"):
        assert np.isnan(specificity_at_sensitivity(0.9, "b")(model, rows, benign))


def test_fold_without_positives_makes_the_mean_nan():
    order = np.argsort(-Y, kind="stable")  # the positives come first: KFold's last fold has none
    with pytest.warns(UndefinedMetricWarning):
        scores = cross_val_score(
            GaussianNB(), X[order], Y[order], scoring=sensitivity(), cv=KFold(4)
        )
    assert np.isnan(scores).any()
    assert np.isnan(scores.mean())


def test_classes_in_the_estimators_own_order():
    rows, y = np.array([[0.9], [0.6], [0.7], [0.1]]), np.array(["a", "a", "b", "b"])
    model = Fixed(("b", "a"))  # "a" is classes_[1], though "b" is the greater label
    assert sensitivity()(model, rows, y) == 1
    assert specificity()(model, rows, y) == 0.5
    assert specificity_at_sensitivity(0.5)(model, rows, y) == 1
    assert specificity_at_sensitivity(0.5, "b")(model, rows, y) == 1
    assert specificity_at_sensitivity(1, "b")(model, rows, y) == 0.5


def test_estimators_without_classes():
    is_outlier = np.where(Y == 0, -1, 1)
    forest = IsolationForest(random_state=0).fit(X)
    called, score = forest.predict(X) == -1, -forest.decision_function(X)
    assert sensitivity(-1)(forest, X, is_outlier) == pytest.approx(called[Y == 0].mean())
    expected = best_specificity(Y == 0, score, 0.9)
    assert specificity_at_sensitivity(0.9, -1)(forest, X, is_outlier) == pytest.approx(expected)


def test_fitted_on_one_class():
    model = DummyClassifier().fit(X[Y == 1], Y[Y == 1])
    assert sensitivity()(model, X, Y) == 1
    assert specificity()(model, X, Y) == 0
    with pytest.raises(ValueError, match=r"knows two classes, got .*A stratified splitter"):
        specificity_at_sensitivity(0.9)(model, X, Y)
    with pytest.raises(ValueError, match=r"Cannot tell which class is positive from \[1\]"):
        sensitivity()(model, X[Y == 1], Y[Y == 1])


@each_factory
def test_errors_on_scoring(factory):
    model = GaussianNB().fit(X, Y)
    with pytest.raises(ValueError, match=r"pos_label='ill' is not among the classes \[0, 1\]"):
        factory("ill")(model, X, Y)
    three = np.arange(len(Y)) % 3
    with pytest.raises(ValueError, match=r"two classes, got 3 labels, \[0, 1, 2\]\. Make the"):
        factory()(GaussianNB().fit(X, three), X, three)
    with pytest.raises(ValueError, match="got 3 labels"):
        factory()(model, X, three)
    with pytest.raises((ValueError, AttributeError), match=r"'continuous'|neither predict_proba"):
        factory()(LinearRegression().fit(X, Y), X, Y)


@pytest.mark.parametrize("wrong", [0, -0.1, 1.01, 95, float("nan")])
def test_required_sensitivity_is_a_fraction(wrong):
    with pytest.raises(ValueError, match=r"in \(0, 1\], got .* write 0\.95 for 95 %"):
        specificity_at_sensitivity(wrong)


def test_required_sensitivity_is_a_number():
    with pytest.raises(TypeError, match=r"got 'malignant'.*required sensitivity first"):
        specificity_at_sensitivity("malignant")


def test_grid_search_over_several_scorers():
    scoring = {
        "sens": sensitivity(0),
        "spec": specificity(0),
        "recall": make_scorer(recall_score, pos_label=0),
        "at": specificity_at_sensitivity(0.95, 0),
    }
    grid = {"var_smoothing": [1e-9, 1e-3, 1]}
    search = GridSearchCV(GaussianNB(), grid, scoring=scoring, refit="at", n_jobs=2)
    search.fit(X, Y)  # in other processes
    results = search.cv_results_
    np.testing.assert_array_equal(results["mean_test_sens"], results["mean_test_recall"])
    assert search.best_index_ == np.argmax(results["mean_test_at"])
    scores = cross_validate(GaussianNB(), X, Y, scoring=scoring)
    np.testing.assert_allclose(scores["test_at"].mean(), results["mean_test_at"][0])
    assert search.scorer_["at"](search, X, Y) == search.score(X, Y)


def test_predictions_are_shared_but_never_another_scorers_column():
    """scikit-learn caches predict_proba whatever the pos_label: the other column would be read."""
    alone = {
        "sens": sensitivity(0),
        "spec": specificity(1),
        "one": specificity_at_sensitivity(0.9, 1),
        "brier": check_scoring(None, "neg_brier_score"),
        "zero": specificity_at_sensitivity(0.9, 0),
    }
    rows = np.random.default_rng(1).uniform(size=(200, 1))
    y = (rows[:, 0] ** 2 > np.random.default_rng(2).uniform(size=200)).astype(int)
    expected = {name: scorer(Fixed(), rows, y) for name, scorer in alone.items()}
    model = Fixed()
    assert check_scoring(model, alone)(model, rows, y) == expected
    assert expected["one"] != expected["zero"]
    assert model.calls.count("predict") == 1


@each_factory
def test_sample_weight_without_and_with_routing(factory):
    folds = list(StratifiedKFold(3).split(X, Y))
    by_hand = [
        factory()(GaussianNB().fit(X[a], Y[a]), X[b], Y[b], sample_weight=WEIGHTS[b])
        for a, b in folds
    ]
    with config_context(enable_metadata_routing=True):
        scorer = factory().set_score_request(sample_weight=True)
        model = GaussianNB().set_fit_request(sample_weight=False)
        for scoring in (scorer, pickle.loads(pickle.dumps(scorer)), {"score": scorer}):
            scores = cross_validate(
                model, X, Y, scoring=scoring, cv=folds, params={"sample_weight": WEIGHTS}
            )
            np.testing.assert_allclose(scores["test_score"], by_hand)
    search = GridSearchCV(LogisticRegression(C=1e-6), {"C": [1e-6]}, scoring=factory(), cv=folds)
    search.fit(X / X.max(axis=0), Y, sample_weight=WEIGHTS)  # no "does not support sample_weight"


def test_tuned_threshold_meets_the_required_sensitivity():
    scoring = specificity_at_sensitivity(0.97, "malignant")
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, NAMES)
    tuned = TunedThresholdClassifierCV(model, scoring=scoring, cv="prefit", refit=False)
    tuned.fit(X, NAMES)
    assert sensitivity("malignant")(tuned, X, NAMES) >= 0.97
    assert specificity("malignant")(tuned, X, NAMES) == pytest.approx(tuned.best_score_)
    assert 0.9 < tuned.best_score_ <= scoring(model, X, NAMES)
