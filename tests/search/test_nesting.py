"""The search as an estimator among others: delegation, tags, nesting."""

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from sklearn import config_context
from sklearn.base import is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import RFE
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_validate,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from optunasearch import OptunaSearchCV
from tests.search.estimators import FrameDemander

GRID = {"C": [0.01, 1.0]}
METHODS = [
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "transform",
    "inverse_transform",
    "score_samples",
]


@pytest.mark.parametrize(
    ("estimator", "grid"),
    [
        (LogisticRegression(), GRID),
        (LinearSVC(), GRID),
        (PCA(), {"n_components": [1, 2]}),
        (Ridge(), {"alpha": [0.1, 1.0]}),
    ],
)
def test_methods_are_those_of_the_estimator(classification, estimator, grid):
    X, y = classification
    search = OptunaSearchCV(estimator, grid, cv=2)
    offered = [name for name in METHODS if hasattr(estimator, name)]
    assert [name for name in METHODS if hasattr(search, name)] == offered
    for name in offered:
        with pytest.raises(NotFittedError):
            getattr(search, name)(X)
    search.fit(X, y)
    assert [name for name in METHODS if hasattr(search, name)] == offered
    for name in offered:
        argument = search.transform(X) if name == "inverse_transform" else X
        expected = getattr(search.best_estimator_, name)(argument)
        np.testing.assert_array_equal(getattr(search, name)(argument), expected)


@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize("name", METHODS)
def test_a_missing_method_is_explained_as_by_gridsearchcv(classification, refit, name):
    messages = []
    for kind in (GridSearchCV, OptunaSearchCV):
        search = kind(LinearSVC(), GRID, cv=2, refit=refit).fit(*classification)
        try:
            getattr(search, name)
        except AttributeError as error:
            texts = [str(error), str(error.__cause__)]
            messages.append([text.replace(kind.__name__, "Search") for text in texts])
        else:
            messages.append(None)
    assert messages[0] == messages[1]
    assert (messages[1] is None) == (refit and name in ("predict", "decision_function"))


@pytest.mark.parametrize("refit", [True, False])
def test_check_is_fitted(classification, refit):
    search = OptunaSearchCV(LogisticRegression(), GRID, cv=2, refit=refit)
    with pytest.raises(NotFittedError):
        check_is_fitted(search)
    check_is_fitted(search.fit(*classification))


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        Ridge(),
        SVC(kernel="precomputed"),
        GaussianNB(),
        PCA(),
        make_pipeline(StandardScaler(), LogisticRegression()),
    ],
)
def test_tags_are_gridsearchcvs(estimator):
    ours, theirs = get_tags(OptunaSearchCV(estimator, {})), get_tags(GridSearchCV(estimator, {}))
    assert ours == theirs
    inner = get_tags(estimator)
    assert ours.estimator_type == inner.estimator_type
    if inner.classifier_tags is not None:
        assert ours.classifier_tags is not inner.classifier_tags


def test_estimator_types():
    assert is_classifier(OptunaSearchCV(LogisticRegression(), GRID))
    assert is_regressor(OptunaSearchCV(Ridge(), {"alpha": [1.0]}))


@pytest.fixture
def make_search():
    def make(kind, **arguments):
        tree = DecisionTreeClassifier(random_state=0)
        return kind(tree, {"max_depth": [1, 3]}, cv=2, **arguments)

    return make


@pytest.mark.parametrize(
    "around",
    [
        lambda search: make_pipeline(StandardScaler(), search),
        lambda search: StackingClassifier([("search", search), ("nb", GaussianNB())], cv=2),
        lambda search: VotingClassifier([("s", search), ("nb", GaussianNB())], voting="soft"),
        lambda search: TunedThresholdClassifierCV(search, cv=2),
        lambda search: CalibratedClassifierCV(search, cv=2),
        lambda search: CalibratedClassifierCV(search, cv=2, ensemble=False),
    ],
    ids=["pipeline", "stacking", "voting", "threshold", "calibration", "calibration-cv"],
)
def test_inside_another_estimator_it_does_as_gridsearchcv(classification, make_search, around):
    X, y = classification
    ours = around(make_search(OptunaSearchCV, calibration=None)).fit(X, y)
    theirs = around(make_search(GridSearchCV)).fit(X, y)
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))


def test_parameters_are_reached_from_outside(classification, make_search):
    pipeline = Pipeline([("scale", StandardScaler()), ("search", make_search(OptunaSearchCV))])
    outer = OptunaSearchCV(pipeline, {"search__estimator__criterion": ["gini", "entropy"]}, cv=2)
    outer.fit(*classification)
    inner = outer.best_estimator_.named_steps["search"]
    chosen = outer.best_params_["search__estimator__criterion"]
    assert inner.best_estimator_.criterion == inner.estimator.criterion == chosen
    assert inner.best_params_["max_depth"] in (1, 3)


def test_an_outer_cross_validation_is_stratified(classification, make_search):
    X, y = classification
    order = np.argsort(y, kind="stable")  # unstratified folds would lack a class
    scores = [
        cross_validate(make_search(kind), X[order], y[order], cv=2, error_score="raise")
        for kind in (OptunaSearchCV, GridSearchCV)
    ]
    assert scores[0]["test_score"].tolist() == scores[1]["test_score"].tolist()
    predicted = cross_val_predict(make_search(OptunaSearchCV), X, y, cv=2, method="predict_proba")
    assert predicted.shape == (60, 2)


def test_a_search_of_a_search(classification, make_search):
    outer = OptunaSearchCV(
        make_search(OptunaSearchCV),
        {"estimator__class_weight": [None, "balanced"], "refit": [True]},
        cv=2,
    ).fit(*classification)
    theirs = GridSearchCV(
        make_search(GridSearchCV),
        {"estimator__class_weight": [None, "balanced"], "refit": [True]},
        cv=2,
    ).fit(*classification)
    assert outer.best_score_ == theirs.best_score_
    assert outer.best_params_ == theirs.best_params_
    assert outer.best_estimator_.best_params_ == theirs.best_estimator_.best_params_


def test_features_are_eliminated_by_a_search(classification, make_search):
    X, y = classification
    getter = "best_estimator_.feature_importances_"
    ours, theirs = (
        RFE(make_search(kind), n_features_to_select=2, importance_getter=getter).fit(X, y)
        for kind in (OptunaSearchCV, GridSearchCV)
    )
    np.testing.assert_array_equal(ours.ranking_, theirs.ranking_)


@pytest.mark.parametrize(("n_jobs", "backend"), [(1, "loky"), (2, "threading")])
def test_the_output_configuration_reaches_the_fits(classification, n_jobs, backend):
    X, y = classification
    frame = pd.DataFrame(X, columns=list("abcd"))
    pipeline = make_pipeline(StandardScaler(), FrameDemander(), LogisticRegression())
    space = {"logisticregression__C": [0.1, 1.0], "standardscaler__with_mean": [True, False]}
    search = OptunaSearchCV(pipeline, space, cv=2, n_jobs=n_jobs, error_score="raise")
    with parallel_config(backend), config_context(transform_output="pandas"):
        search.fit(frame, y)
    assert search.best_estimator_.named_steps["framedemander"].n_features_in_ == 4
    with parallel_config(backend), pytest.raises(TypeError, match="expected a DataFrame"):
        search.fit(frame, y)


def test_a_searched_transformer_gives_frames_if_configured(classification):
    X, y = classification
    with config_context(transform_output="pandas"):
        search = OptunaSearchCV(PCA(), {"n_components": [1, 2]}, cv=2).fit(X, y)
        transformed = search.transform(X)
    assert isinstance(transformed, pd.DataFrame)
