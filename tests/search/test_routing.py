"""Metadata routing."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.metadata_routing import get_routing_for_object

from optunasearch import OptunaSearchCV

GRID = {"C": [0.01, 1.0]}


@pytest.fixture(autouse=True)
def routing():
    with config_context(enable_metadata_routing=True):
        yield


@pytest.fixture
def weights(classification):
    return np.where(classification[1] == 1, 5.0, 0.5)


def weighted_accuracy(wants_weights=True):
    return make_scorer(accuracy_score).set_score_request(sample_weight=wants_weights)


def weighted_regression(wants_weights=True):
    return LogisticRegression().set_fit_request(sample_weight=wants_weights)


@pytest.mark.parametrize("scoring", [None, "accuracy", ["accuracy", "f1"]])
def test_what_is_routed_where_is_known_before_the_fit(scoring):
    arguments = {"scoring": scoring, "refit": "f1" if isinstance(scoring, list) else True}
    model = weighted_regression().set_score_request(sample_weight=False)
    ours = OptunaSearchCV(model, GRID, **arguments)
    theirs = GridSearchCV(model, GRID, **arguments)
    expected = get_routing_for_object(theirs)._serialize()
    assert get_routing_for_object(ours)._serialize() == expected
    assert "estimator" in expected and "splitter" in expected and "scorer" in expected


@pytest.mark.parametrize(("to_fit", "to_score"), [(True, True), (True, False), (False, True)])
def test_weights_go_where_they_are_asked_for(
    classification, assert_same_results, weights, to_fit, to_score
):
    searches = [
        kind(weighted_regression(to_fit), GRID, scoring=weighted_accuracy(to_score), cv=2)
        for kind in (GridSearchCV, OptunaSearchCV)
    ]
    for search in searches:
        search.fit(*classification, sample_weight=weights)
    assert_same_results(searches[1].cv_results_, searches[0].cv_results_)
    if to_score:
        scores = [s.score(*classification, sample_weight=weights) for s in searches]
        assert scores[0] == scores[1] != searches[1].score(*classification)


def test_groups_go_to_the_splitter_and_constraints_do_not_hinder(classification, weights):
    X, y = classification
    groups = np.arange(60) % 3
    search = OptunaSearchCV(
        weighted_regression(),
        GRID,
        cv=GroupKFold(3),
        scoring={"accuracy": weighted_accuracy()},
        refit="accuracy",
        constraints={"accuracy": 0.1},
    )
    search.fit(X, y, groups=groups, sample_weight=weights)
    assert search.cv_results_["feasible"].all()
    assert search.n_splits_ == 3


def test_metadata_that_nobody_asked_for_is_an_error(classification, weights):
    search = OptunaSearchCV(LogisticRegression(), GRID, cv=2)
    with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
        search.fit(*classification, sample_weight=weights)


class Remembers(ClassifierMixin, BaseEstimator):
    """A classifier that fails unless it is given the right rows of `tags`."""

    def __init__(self, weight=0):
        self.weight = weight

    def fit(self, X, y, tags=None):
        assert len(tags) == len(X)
        np.testing.assert_array_equal(tags, X[:, 0])
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


def test_metadata_are_split_with_the_rows_also_through_a_pipeline(classification):
    X, y = classification
    inner = Remembers().set_fit_request(tags=True)
    pipeline = make_pipeline("passthrough", inner)
    search = OptunaSearchCV(pipeline, {"remembers__weight": [1, 2]}, cv=3, error_score="raise")
    search.fit(X, y, tags=X[:, 0])
    assert search.best_score_ > 0.4


def test_an_outer_cross_validation_passes_through(classification, weights):
    inner = make_pipeline(
        StandardScaler().set_fit_request(sample_weight=True), weighted_regression()
    )
    grid = {"logisticregression__C": [0.01, 1.0]}
    scores = {}
    for kind in (GridSearchCV, OptunaSearchCV):
        search = kind(inner, grid, scoring=weighted_accuracy(), cv=2, error_score="raise")
        outer = cross_validate(
            search,
            *classification,
            cv=3,
            scoring=weighted_accuracy(),
            params={"sample_weight": weights},
            error_score="raise",
        )
        scores[kind] = outer["test_score"].tolist()
    assert scores[GridSearchCV] == scores[OptunaSearchCV]
