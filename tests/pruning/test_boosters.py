"""LightGBM, XGBoost and CatBoost, followed: the fit is the one it would be without us."""

import math
import warnings

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from optunasearch.execution._fold import FitStopped
from optunasearch.pruning import Epochs
from optunasearch.pruning._following import how_to_follow
from optunasearch.pruning._watch import Watch

CANCER = load_breast_cancer(return_X_y=True)
WINE = load_wine(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)
N_TREES = 10


def lightgbm(kind, **params):
    package = pytest.importorskip("lightgbm", reason="needs the extra 'boosting'")
    return getattr(package, kind)(n_estimators=N_TREES, n_jobs=1, verbose=-1, **params)


def xgboost(kind, **params):
    package = pytest.importorskip("xgboost", reason="needs the extra 'boosting'")
    return getattr(package, kind)(n_estimators=N_TREES, n_jobs=1, **params)


def catboost(kind, **params):
    package = pytest.importorskip("catboost", reason="needs the extra 'boosting'")
    fixed = dict(iterations=N_TREES, learning_rate=0.3, verbose=0, thread_count=1)
    return getattr(package, kind)(allow_writing_files=False, **fixed, **params)


CASES = [
    (lightgbm, "LGBMClassifier", {}, CANCER),
    (lightgbm, "LGBMClassifier", dict(subsample=0.5, subsample_freq=1, random_state=0), WINE),
    (lightgbm, "LGBMRegressor", dict(colsample_bytree=0.5, random_state=0), DIABETES),
    (lightgbm, "LGBMRegressor", dict(boosting_type="dart", random_state=0), DIABETES),
    (xgboost, "XGBClassifier", {}, CANCER),
    (xgboost, "XGBClassifier", dict(subsample=0.5, random_state=0), WINE),
    (xgboost, "XGBRegressor", dict(colsample_bytree=0.5, random_state=0), DIABETES),
    (xgboost, "XGBRegressor", dict(booster="gblinear", updater="coord_descent"), DIABETES),
    (catboost, "CatBoostClassifier", {}, CANCER),
    (catboost, "CatBoostClassifier", dict(rsm=0.5), WINE),
    (catboost, "CatBoostRegressor", dict(bootstrap_type="Bernoulli", subsample=0.5), DIABETES),
]
each_case = pytest.mark.parametrize(
    ("make", "kind", "params", "data"), CASES, ids=[f"{c[1]}-{i}" for i, c in enumerate(CASES)]
)


def fit_followed(model, X, y, **params):
    steps = how_to_follow(model, Epochs(), len(X))
    watch = Watch(
        lambda so_far: so_far.score(X, y),
        n_epochs=steps.n_epochs(model),
        every=2,
        also=(3, 9),
    )
    detach = steps.attach(model, watch)
    model.fit(X, y, **params)
    detach()
    assert "fit" not in vars(model)
    watch.end(model, None, 0.0)
    return model, watch.curve


def predictions(model, X):
    return model.predict_proba(X) if is_classifier(model) else model.predict(X)


@each_case
def test_a_followed_fit_is_one_fit(make, kind, params, data):
    X, y = data
    weights = np.random.default_rng(0).uniform(size=len(X))
    followed, curve = fit_followed(make(kind, **params), X, y, sample_weight=weights)
    plain = make(kind, **params).fit(X, y, sample_weight=weights)
    np.testing.assert_array_equal(predictions(followed, X), predictions(plain, X))
    assert [epoch for epoch, _ in curve] == [2, 3, 4, 6, 8, 9, 10]
    assert curve[-1][1] == plain.score(X, y)
    assert curve[0][1] != curve[-1][1]


@each_case
def test_the_curve_is_that_of_shorter_fits(make, kind, params, data):
    X, y = data
    model = make(kind, **params)
    steps = how_to_follow(model, Epochs(), len(X))
    shorter = clone(model)
    steps.end_at(shorter, 4)
    assert steps.n_epochs(shorter) == 4
    _, curve = fit_followed(model, X, y)
    assert dict(curve)[4] == pytest.approx(shorter.fit(X, y).score(X, y), abs=1e-12)


@each_case
def test_a_fit_that_is_stopped(make, kind, params, data):
    X, y = data
    model = make(kind, **params)
    steps = how_to_follow(model, Epochs(), len(X))
    limits = ((0.5, -math.inf), (6.0, math.inf))
    watch = Watch(
        lambda so_far: so_far.score(X, y), n_epochs=N_TREES, limits=limits, also=(0.5, 6.0)
    )
    detach = steps.attach(model, watch)
    with pytest.raises(FitStopped):
        model.fit(X, y)
    detach()
    assert [epoch for epoch, _ in watch.curve] == [5, 6]
    assert np.isfinite([score for _, score in watch.curve]).all()


@pytest.mark.parametrize("name", ["n_iter", "num_iterations", "nrounds", "max_iter"])
def test_other_names_of_the_number_of_trees(name):
    package = pytest.importorskip("lightgbm", reason="needs the extra 'boosting'")
    model = package.LGBMRegressor(**{name: 7}, verbose=-1, n_jobs=1)
    steps = how_to_follow(model, Epochs(), 100)
    assert steps.n_epochs(model) == 7
    steps.end_at(model, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # LightGBM says which name it takes
        assert model.fit(*DIABETES).booster_.num_trees() == 4


def test_callbacks_of_the_user_stay():
    seen = []
    model = lightgbm("LGBMRegressor")
    fit_followed(model, *DIABETES, callbacks=[lambda env: seen.append(env.iteration)])
    assert seen == list(range(N_TREES))


def test_early_stopping_of_the_user_stays():
    X, y = DIABETES
    model = xgboost("XGBRegressor", early_stopping_rounds=2, learning_rate=1.0)
    followed, curve = fit_followed(
        model, X[:300], y[:300], eval_set=[(X[300:], y[300:])], verbose=0
    )
    assert curve[-1][0] == followed.best_iteration + 3 < N_TREES


def test_catboost_needs_a_learning_rate_that_does_not_depend_on_the_iterations():
    package = pytest.importorskip("catboost", reason="needs the extra 'boosting'")
    model = package.CatBoostRegressor(verbose=0)
    assert how_to_follow(model, Epochs(), 100) is None
    assert how_to_follow(model, Epochs(), 100, searched={"learning_rate"}) is not None
    assert how_to_follow(catboost("CatBoostRegressor", od_wait=3), Epochs(), 100) is None


def test_random_forests_of_xgboost_take_no_callback():
    assert how_to_follow(xgboost("XGBRFClassifier"), Epochs(), 100) is None
