"""The search as an object: parameters, clones, representations, pickles."""

import copy
import inspect
import pickle

import cloudpickle
import joblib
import numpy as np
import pytest
from optuna.samplers import TPESampler
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from optunasearch import OptunaSearchCV


def make_search(**arguments):
    return OptunaSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2, **arguments)


def test_init_stores_its_arguments_and_nothing_else():
    names = list(inspect.signature(OptunaSearchCV).parameters)
    given = {name: object() for name in names}
    assert vars(OptunaSearchCV(**given)) == given
    assert names[:2] == ["estimator", "param_distributions"]


def test_parameters_are_got_and_set_also_nested():
    search = make_search(n_trials=7)
    parameters = search.get_params()
    assert parameters["n_trials"] == 7
    assert parameters["estimator__C"] == 1.0
    assert "estimator__C" not in search.get_params(deep=False)
    search.set_params(n_trials=9, estimator__C=3.0, patience=2)
    assert (search.n_trials, search.estimator.C, search.patience) == (9, 3.0, 2)
    with pytest.raises(ValueError, match="Invalid parameter 'n_iter'"):
        search.set_params(n_iter=3)


def test_a_clone_is_unfitted_and_equal(classification):
    search = make_search(
        sampler=TPESampler(seed=3), n_trials=5, random_state=1, initial_params={"C": 0.1}
    ).fit(*classification)
    copied = clone(search)
    assert not hasattr(copied, "cv_results_")
    assert copied.estimator is not search.estimator
    ours, theirs = copied.get_params(), search.get_params()
    for name in ("n_trials", "random_state", "cv", "param_distributions", "initial_params"):
        assert ours[name] == theirs[name]
    copied.fit(*classification)
    assert copied.cv_results_["params"] == search.cv_results_["params"]


def test_repr_shows_what_was_changed():
    text = repr(make_search(n_trials=7))
    for part in ("OptunaSearchCV(", "cv=2", "estimator=LogisticRegression()", "n_trials=7"):
        assert part in text
    assert "patience" not in text


def test_the_html_shows_the_estimator_then_the_best_one(classification):
    search = OptunaSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression()),
        {"logisticregression__C": [0.123, 0.124]},
        cv=2,
    )
    unfitted = search._repr_html_()
    assert "OptunaSearchCV" in unfitted and "StandardScaler" in unfitted
    assert "best_estimator_" not in unfitted
    fitted = search.fit(*classification)._repr_html_()
    assert "best_estimator_" in fitted
    assert str(search.best_params_["logisticregression__C"]) in fitted


ROUND_TRIPS = {
    "pickle": lambda search, path: pickle.loads(pickle.dumps(search)),
    "cloudpickle": lambda search, path: pickle.loads(cloudpickle.dumps(search)),
    "deepcopy": lambda search, path: copy.deepcopy(search),
    "joblib": lambda search, path: joblib.load(joblib.dump(search, path / "search")[0]),
}


@pytest.mark.parametrize("round_trip", ROUND_TRIPS.values(), ids=ROUND_TRIPS)
def test_an_unfitted_search_survives(classification, tmp_path, round_trip):
    search = make_search(sampler=TPESampler(seed=3), n_trials=4)
    copied = round_trip(search, tmp_path)
    assert repr(copied.get_params(deep=False)["param_distributions"]) == "{'C': [0.1, 1.0]}"
    assert (
        copied.fit(*classification).cv_results_["params"]
        == (search.fit(*classification).cv_results_["params"])
    )


@pytest.mark.parametrize("round_trip", ROUND_TRIPS.values(), ids=ROUND_TRIPS)
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"sampler": "tpe", "n_trials": 4, "random_state": 0},
        {"objectives": ["accuracy", "recall"], "constraints": {"recall": 0.1}},
        {"n_jobs": 2},
    ],
    ids=["grid", "tpe", "objectives", "n_jobs"],
)
def test_a_fitted_search_survives_with_its_study(classification, tmp_path, round_trip, arguments):
    X, y = classification
    search = make_search(**arguments).fit(X, y)
    copied = round_trip(search, tmp_path)
    np.testing.assert_array_equal(copied.predict_proba(X), search.predict_proba(X))
    assert copied.score(X, y) == search.score(X, y)
    assert copied.cv_results_["params"] == search.cv_results_["params"]
    assert [t.values for t in copied.study_.trials] == [t.values for t in search.study_.trials]
    assert [t.params for t in copied.study_.best_trials] == [
        t.params for t in search.study_.best_trials
    ]
    copied.fit(X, y)
    assert copied.cv_results_["params"] == search.cv_results_["params"]


def test_a_fitted_search_is_small(classification):
    X, y = classification
    wide = np.tile(X, (1, 2000))
    search = OptunaSearchCV(
        make_pipeline(StandardScaler(with_std=False), LogisticRegression(max_iter=2, tol=10.0)),
        {"logisticregression__C": [1e-3, 1e-2]},
        cv=2,
    ).fit(wide, y)
    assert len(pickle.dumps(search)) < wide.nbytes / 4


def test_nothing_of_the_users_is_changed(classification):
    X, y = (array.copy() for array in classification)
    estimator = make_pipeline(StandardScaler(), LogisticRegression())
    scaler = StandardScaler()
    sampler = TPESampler(seed=0)
    space = {"standardscaler": [scaler, "passthrough"], "logisticregression__C": [0.1, 1.0]}
    initial = [{"logisticregression__C": 1.0}]
    constraints = {"recall": 0.0}
    scoring = {"accuracy": "accuracy"}
    weights = np.ones(60)
    splitter = KFold(2, shuffle=True, random_state=0)
    owned = [estimator, space, initial, constraints, scoring, weights, X, y, splitter, sampler]
    before = [joblib.hash(thing) for thing in owned]
    OptunaSearchCV(
        estimator,
        space,
        sampler=sampler,
        initial_params=initial,
        n_trials=4,
        constraints=constraints,
        scoring=scoring,
        refit="accuracy",
        cv=splitter,
        random_state=0,
    ).fit(X, y, logisticregression__sample_weight=weights)
    assert [joblib.hash(thing) for thing in owned] == before
    assert not hasattr(scaler, "scale_")
