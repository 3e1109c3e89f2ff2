"""Models followed from iteration to iteration: the fit is the one it would be without us."""

import math
import warnings

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, SGDClassifier, SGDRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from optunasearch.execution._fold import FitStopped
from optunasearch.pruning import Epochs
from optunasearch.pruning._following import how_to_follow
from optunasearch.pruning._watch import Watch

pytestmark = pytest.mark.filterwarnings("ignore:.*converge:UserWarning")
X, Y = load_breast_cancer(return_X_y=True)
X = X / X.std(axis=0)
IRIS = load_iris(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)
N_TREES = 12

MODELS = [
    GradientBoostingClassifier(n_estimators=N_TREES, random_state=0),
    GradientBoostingClassifier(n_estimators=N_TREES, subsample=0.5, random_state=0),
    GradientBoostingClassifier(n_estimators=N_TREES, n_iter_no_change=3, random_state=0),
    GradientBoostingClassifier(n_estimators=N_TREES, init="zero", max_features=2, random_state=0),
    GradientBoostingRegressor(n_estimators=N_TREES, loss="quantile", random_state=0),
    HistGradientBoostingClassifier(max_iter=N_TREES, random_state=0),
    HistGradientBoostingClassifier(max_iter=N_TREES, max_features=0.3, random_state=0),
    HistGradientBoostingRegressor(max_iter=N_TREES, random_state=0),
    RandomForestClassifier(N_TREES, random_state=0),
    RandomForestClassifier(N_TREES, max_samples=0.5, random_state=0, n_jobs=2),
    RandomForestRegressor(N_TREES, random_state=0),
    ExtraTreesClassifier(N_TREES, random_state=0),
    ExtraTreesRegressor(N_TREES, bootstrap=True, random_state=0),
    BaggingClassifier(n_estimators=N_TREES, max_samples=0.5, random_state=0),
    BaggingRegressor(n_estimators=N_TREES, max_features=0.5, random_state=0),
    LogisticRegression(max_iter=N_TREES),
    LogisticRegression(max_iter=N_TREES, C=1e-3),
]


def fit_followed(model, X, y, *, epochs=None, **params):
    """Fit a model that is scored after each epoch; return it and its curve."""
    model = clone(model)
    steps = how_to_follow(model, epochs or Epochs(), len(X))
    watch = Watch(lambda so_far: so_far.score(X, y), n_epochs=steps.n_epochs(model), every=1)
    detach = steps.attach(model, watch)
    before = model.get_params()
    model.fit(X, y, **params)
    detach()
    assert model.get_params() == before
    assert "fit" not in vars(model)
    watch.end(model, None, 0.0)
    return model, watch.curve


def predictions(model, X):
    return model.predict_proba(X) if is_classifier(model) else model.predict(X)


def data_of(model):
    return (X, Y) if is_classifier(model) else DIABETES


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_a_followed_fit_is_one_fit(model):
    X, y = data_of(model)
    followed, curve = fit_followed(model, X, y)
    plain = clone(model).fit(X, y)
    np.testing.assert_array_equal(predictions(followed, X), predictions(plain, X))
    assert curve[-1][1] == plain.score(X, y)
    assert [epoch for epoch, _ in curve] == list(range(1, len(curve) + 1))


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_weights_reach_every_step(model):
    X, y = data_of(model)
    weights = np.random.default_rng(0).uniform(size=len(X))
    followed, _ = fit_followed(model, X, y, sample_weight=weights)
    plain = clone(model).fit(X, y, sample_weight=weights)
    np.testing.assert_array_equal(predictions(followed, X), predictions(plain, X))


# What stops by itself has no shorter fit to compare with.
SHORTENED = [
    model
    for model in MODELS
    if not isinstance(model, LogisticRegression) and getattr(model, "n_iter_no_change", 1) != 3
]


@pytest.mark.parametrize("model", SHORTENED, ids=str)
def test_the_curve_is_that_of_shorter_fits(model):
    X, y = data_of(model)
    _, curve = fit_followed(model, X, y)
    name = "max_iter" if hasattr(model, "max_iter") else "n_estimators"
    for epoch in (1, 4, 9):
        assert dict(curve)[epoch] == clone(model).set_params(**{name: epoch}).fit(X, y).score(X, y)


@pytest.mark.parametrize("model", SHORTENED, ids=str)
def test_a_fit_that_is_stopped(model):
    X, y = data_of(model)
    model = clone(model)
    before = model.get_params()
    watch = Watch(
        lambda so_far: so_far.score(X, y),
        n_epochs=N_TREES,
        limits=((5.0, math.inf),),
        every=2,
        also=(5.0,),
    )
    detach = how_to_follow(model, Epochs(), len(X)).attach(model, watch)
    with pytest.raises(FitStopped):
        model.fit(X, y)
    detach()
    assert model.get_params() == before
    assert [epoch for epoch, _ in watch.curve] == [2, 4, 5]


def test_more_classes_than_two():
    X, y = IRIS
    for model in (
        GradientBoostingClassifier(n_estimators=5, random_state=0),
        HistGradientBoostingClassifier(max_iter=5, random_state=0),
        LogisticRegression(max_iter=20),
    ):
        followed, curve = fit_followed(model, X, y)
        np.testing.assert_array_equal(
            followed.predict_proba(X), clone(model).fit(X, y).predict_proba(X)
        )
        assert len(curve) >= 5


def test_a_monitor_of_the_user_is_called_too():
    seen = []
    fit_followed(
        GradientBoostingRegressor(n_estimators=9),
        *DIABETES,
        monitor=lambda i, model, local: seen.append(i) or i == 4,
    )
    assert seen == [0, 1, 2, 3, 4]


class Subclass(RandomForestClassifier):
    """Nobody knows what it does in fit."""


@pytest.mark.parametrize(
    "model",
    [
        SVC(),
        GaussianNB(),
        MLPClassifier(),
        SGDClassifier(),
        Subclass(),
        LogisticRegression(solver="saga"),
        RandomForestClassifier(warm_start=True),
        RandomForestClassifier(oob_score=True),
        RandomForestClassifier(class_weight="balanced"),
        RandomForestClassifier(random_state=np.random.RandomState(0)),
        HistGradientBoostingClassifier(early_stopping=True),
    ],
    ids=str,
)
def test_what_would_differ_is_not_followed_by_itself(model):
    assert how_to_follow(model, Epochs(), 100) is None


def test_boosting_that_stops_by_itself_with_many_rows():
    model = HistGradientBoostingRegressor()
    assert how_to_follow(model, Epochs(), 10_000) is not None
    assert how_to_follow(model, Epochs(), 10_001) is None


@pytest.mark.parametrize("model", [SGDClassifier(random_state=0), SGDRegressor(random_state=0)])
def test_partial_fit_when_asked(model):
    X, y = data_of(model)
    epochs = Epochs(step="partial_fit", n_epochs=5)
    followed, curve = fit_followed(model, X, y, epochs=epochs)
    by_hand = clone(model)
    for _ in range(5):
        by_hand.partial_fit(X, y, **({"classes": [0, 1]} if is_classifier(model) else {}))
    np.testing.assert_array_equal(followed.coef_, by_hand.coef_)
    assert len(curve) == 5


def test_warm_start_when_asked():
    model = MLPClassifier((4,), max_iter=6, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        followed, curve = fit_followed(model, *IRIS, epochs=Epochs(step="warm_start"))
    assert len(curve) == 6
    assert sum("onverge" in str(warning.message) for warning in caught) == 1  # of the whole fit
    assert followed.score(*IRIS) == curve[-1][1]


def test_partial_fit_has_to_know_how_often():
    steps = how_to_follow(GaussianNB(), Epochs(step="partial_fit"), 100)
    with pytest.raises(ValueError, match="GaussianNB has no max_iter. Pass n_epochs"):
        steps.n_epochs(GaussianNB())
