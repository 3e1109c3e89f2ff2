"""Predictions of the test rows, taken along while a scorer scores."""

from collections import Counter

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import check_scoring
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from optunasearch._sklearn import response_methods
from optunasearch.execution._predictions import Recorder, load_models, save_model

X, y = make_classification(80, 4, n_redundant=0, flip_y=0.2, random_state=0)
CALLS = Counter()


class CountedForest(RandomForestClassifier):
    def predict_proba(self, X):
        CALLS["predict_proba"] += 1
        return super().predict_proba(X)


class CountedIdentity(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        CALLS["transform"] += 1
        return X.copy()


@pytest.fixture(autouse=True)
def _reset():
    CALLS.clear()


def record(estimator, scoring, wanted=("predict_proba",), rows=X):
    """Score a fitted estimator, with and without listening."""
    scorer = check_scoring(estimator, scoring)
    plain = scorer(estimator, rows, y)
    CALLS.clear()
    recorder = Recorder(response_methods(scorer), wanted, np.unique(y))
    before = set(vars(estimator))
    answers = recorder.answers(estimator, rows)
    with answers.listening():
        assert scorer(estimator, rows, y) == plain
    assert set(vars(estimator)) == before
    return recorder.collect(estimator, answers)


def test_one_prediction_serves_all_scorers():
    forest = CountedForest(5, random_state=0).fit(X, y)
    found = record(forest, ["accuracy", "neg_log_loss", "roc_auc"])
    assert CALLS["predict_proba"] == 1
    np.testing.assert_array_equal(found.responses["predict"], forest.predict(X))
    np.testing.assert_allclose(found.responses["predict_proba"], forest.predict_proba(X))


@pytest.mark.parametrize("scoring", [None, "neg_log_loss"])
def test_a_pipeline_transforms_once(scoring):
    pipeline = make_pipeline(CountedIdentity(), GaussianNB()).fit(X, y)
    found = record(pipeline, scoring)
    assert CALLS["transform"] == 1
    np.testing.assert_allclose(found.responses["predict_proba"], pipeline.predict_proba(X), 1e-6)


def test_what_the_scorer_does_not_ask_is_asked_afterwards():
    found = record(SVC().fit(X, y), "accuracy", ("predict_proba", "decision_function"))
    assert set(found.responses) == {"predict", "decision_function"}
    assert found.responses["decision_function"].shape == (80,)


def test_other_rows_are_predicted_as_ever():
    model = GaussianNB().fit(X, y)
    answers = Recorder(("predict",), (), np.unique(y)).answers(model, X)
    with answers.listening():
        assert model.predict(X[:3]).tolist() == GaussianNB().fit(X, y).predict(X[:3]).tolist()
    assert answers.by_method == {}


def test_a_scorer_of_ones_own_is_not_listened_to():
    def scorer(estimator, X, y):
        assert "predict" not in vars(estimator)
        return 0.0

    assert response_methods(scorer) == ()
    found = record(GaussianNB().fit(X, y), scorer)
    assert set(found.responses) == {"predict_proba"}


def test_it_is_single_precision_only_where_nothing_becomes_equal():
    found = record(RandomForestClassifier(5, random_state=0).fit(X, y), "accuracy")
    assert found.responses["predict_proba"].dtype == np.float32
    certain = GaussianNB().fit(100 * X + 1000 * y[:, None], y)
    far = 100 * X + 1000 * y[:, None]
    proba = certain.predict_proba(far)
    assert len(np.unique(proba.astype(np.float32))) < len(np.unique(proba))
    found = record(certain, "accuracy", rows=far)
    assert found.responses["predict_proba"].dtype == np.float64


def test_labels_are_positions_among_all_classes():
    names = np.array(["well", "ill"])[y]
    model = LogisticRegression().fit(X, names)
    recorder = Recorder(("predict",), (), np.array(["dead", "ill", "well"]))
    answers = recorder.answers(model, X)
    with answers.listening():
        model.score(X, names)
    found = recorder.collect(model, answers)
    assert found.classes == (1, 2)
    assert recorder.classes[found.responses["predict"]].tolist() == model.predict(X).tolist()


def test_a_regressors_values_are_kept_as_they_are():
    model = Ridge().fit(X, 1e9 + X[:, 0])
    recorder = Recorder(("predict",), (), None)
    answers = recorder.answers(model, X)
    with answers.listening():
        model.score(X, X[:, 0])
    found = recorder.collect(model, answers)
    np.testing.assert_array_equal(found.responses["predict"], model.predict(X))


def test_models_come_back_from_their_files(tmp_path):
    model = GaussianNB().fit(X, y)
    (again,) = load_models([save_model(model, str(tmp_path / "model"))])
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
