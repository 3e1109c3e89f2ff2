"""Every kind of data that scikit-learn's searches take."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.cluster import KMeans
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV, GroupKFold, LeaveOneGroupOut
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neighbors import KernelDensity, KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from optunasearch import OptunaSearchCV


class KindChecker(ClassifierMixin, BaseEstimator):
    """Fails unless `X` is of the kind that the search was given."""

    def __init__(self, kind=None, ndim=2, weight=0.0):
        self.kind = kind
        self.ndim = ndim
        self.weight = weight

    def fit(self, X, y):
        self._check(X)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        self._check(X)
        return np.full(len(X), self.classes_[0])

    def _check(self, X):
        if not isinstance(X, self.kind) or np.ndim(X) != self.ndim:
            raise TypeError(f"got {type(X)}")


def as_polars(X):
    polars = pytest.importorskip("polars", reason="needs polars")
    return polars.DataFrame(X, schema=[f"x{i}" for i in range(X.shape[1])])


@pytest.mark.parametrize(
    "convert",
    [lambda X: X.tolist(), pd.DataFrame, as_polars, lambda X: X.reshape(-1, 2, 2)],
    ids=["list", "pandas", "polars", "3-d"],
)
def test_data_reach_the_estimator_as_the_kind_they_are(classification, convert):
    X, y = classification
    converted = convert(X)
    checker = KindChecker(type(converted), 3 if np.ndim(converted) == 3 else 2)
    search = OptunaSearchCV(checker, {"weight": [0.1, 0.2]}, cv=2, error_score="raise")
    search.fit(converted, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict(converted).tolist() == [0] * 60


@pytest.mark.parametrize(
    "convert",
    [
        lambda X: X.tolist(),
        lambda X: pd.DataFrame(X, columns=list("abcd")),
        as_polars,
        scipy.sparse.csr_matrix,
        scipy.sparse.csc_array,
        scipy.sparse.coo_matrix,
        np.asfortranarray,
    ],
    ids=["list", "pandas", "polars", "csr_matrix", "csc_array", "coo_matrix", "fortran"],
)
def test_the_scores_do_not_depend_on_the_container(classification, convert):
    X, y = classification
    grid = {"n_neighbors": [1, 3, 5]}
    expected = OptunaSearchCV(KNeighborsClassifier(algorithm="brute"), grid, cv=2).fit(X, y)
    search = OptunaSearchCV(KNeighborsClassifier(algorithm="brute"), grid, cv=2)
    search.fit(convert(X), y)
    np.testing.assert_allclose(
        search.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
    )
    np.testing.assert_array_equal(search.predict(convert(X)), expected.predict(X))


@pytest.mark.parametrize("convert", [list, pd.Series, np.asarray])
def test_the_targets_container_does_not_matter(classification, convert):
    X, y = classification
    labels = np.array(["no", "yes"])[y]
    search = OptunaSearchCV(KNeighborsClassifier(), {"n_neighbors": [1, 3]}, cv=2)
    search.fit(X, convert(labels))
    assert search.classes_.tolist() == ["no", "yes"]
    assert set(search.predict(X)) == {"no", "yes"}


def test_feature_names_are_the_best_estimators(classification):
    X, y = classification
    search = OptunaSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2)
    assert not hasattr(search, "n_features_in_")
    search.fit(pd.DataFrame(X, columns=list("abcd")), y)
    assert search.feature_names_in_.tolist() == list("abcd")
    assert search.n_features_in_ == 4
    search.fit(X, y)
    assert not hasattr(search, "feature_names_in_")


def test_texts_are_rows(classification):
    texts = ["good film", "bad film", "good plot", "bad plot"] * 5
    labels = [1, 0, 1, 0] * 5
    pipeline = make_pipeline(CountVectorizer(), LogisticRegression())
    space = {"countvectorizer__binary": [True, False], "logisticregression__C": [1.0, 10.0]}
    search = OptunaSearchCV(pipeline, space, cv=2).fit(texts, labels)
    assert search.best_score_ == 1.0
    assert search.predict(["a good one"]).tolist() == [1]
    assert not hasattr(search, "n_features_in_")


def test_several_outputs(regression):
    X, y = regression
    targets = np.column_stack([y, -y])
    model = MultiOutputRegressor(Ridge())
    search = OptunaSearchCV(model, {"estimator__alpha": [0.1, 1.0]}, cv=2).fit(X, targets)
    assert search.predict(X).shape == (60, 2)


def test_without_targets_fit_gets_none(classification):
    X, _ = classification
    grid = {"bandwidth": [0.1, 1.0, 10.0]}
    theirs = GridSearchCV(KernelDensity(), grid, cv=2).fit(X)
    ours = OptunaSearchCV(KernelDensity(), grid, cv=2).fit(X)
    assert ours.best_params_ == theirs.best_params_
    assert ours.score(X) == theirs.score(X)
    np.testing.assert_array_equal(ours.score_samples(X), theirs.score_samples(X))


def test_a_clusterer_transforms(classification):
    X, _ = classification
    search = OptunaSearchCV(KMeans(n_init=1, random_state=0), {"n_clusters": [2, 3]}, cv=2).fit(X)
    assert search.transform(X).shape == (60, search.best_params_["n_clusters"])


def test_a_precomputed_kernel_is_split_in_rows_and_columns(classification, assert_same_results):
    X, y = classification
    kernel = rbf_kernel(X)
    grid = {"C": [0.1, 1.0, 10.0]}
    theirs = GridSearchCV(SVC(kernel="precomputed"), grid, cv=3).fit(kernel, y)
    ours = OptunaSearchCV(SVC(kernel="precomputed"), grid, cv=3).fit(kernel, y)
    assert_same_results(ours.cv_results_, theirs.cv_results_)
    assert ours.__sklearn_tags__().input_tags.pairwise
    np.testing.assert_array_equal(ours.predict(kernel), theirs.predict(kernel))
    with pytest.raises(ValueError, match="square kernel matrix"):
        OptunaSearchCV(SVC(kernel="precomputed"), grid, cv=3).fit(X, y)


def test_groups_reach_the_splitter(classification, assert_same_results):
    X, y = classification
    groups = np.arange(60) % 3
    grid = {"n_neighbors": [1, 3]}
    theirs = GridSearchCV(KNeighborsClassifier(), grid, cv=LeaveOneGroupOut())
    ours = OptunaSearchCV(KNeighborsClassifier(), grid, cv=LeaveOneGroupOut())
    theirs.fit(X, y, groups=groups)
    ours.fit(X, y, groups=groups)
    assert ours.n_splits_ == 3
    assert_same_results(ours.cv_results_, theirs.cv_results_)
    with pytest.raises(ValueError, match="'groups' parameter should not be None"):
        OptunaSearchCV(KNeighborsClassifier(), grid, cv=GroupKFold(3)).fit(X, y)


def test_sample_weights_reach_fits_and_scorers(classification, assert_same_results):
    X, y = classification
    weights = np.where(y == 1, 5.0, 0.5)
    grid = {"C": [0.01, 0.1, 1.0]}
    theirs = GridSearchCV(LogisticRegression(), grid, cv=2, scoring=["accuracy"], refit="accuracy")
    ours = OptunaSearchCV(LogisticRegression(), grid, cv=2, scoring=["accuracy"], refit="accuracy")
    unweighted = clone(ours).fit(X, y)
    theirs.fit(X, y, sample_weight=weights)
    ours.fit(X, y, sample_weight=weights)
    assert_same_results(ours.cv_results_, theirs.cv_results_)
    np.testing.assert_array_equal(ours.best_estimator_.coef_, theirs.best_estimator_.coef_)
    scores = [s.cv_results_["mean_test_accuracy"] for s in (ours, unweighted)]
    assert (scores[0] != scores[1]).any()


def test_a_parameter_of_another_length_is_not_split(classification):
    X, y = classification
    search = OptunaSearchCV(SGDClassifier(random_state=0), {"alpha": [1e-4, 1e-2]}, cv=2)
    search.fit(X, y, coef_init=np.ones((1, 4)))
    assert np.isfinite(search.best_score_)


def test_rows_must_match(classification):
    X, y = classification
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        OptunaSearchCV(LogisticRegression(), {"C": [1.0]}, cv=2).fit(X, y[:-1])


ARRAY_API = """
import torch
from sklearn import config_context
from sklearn.datasets import make_classification
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV
from optunasearch import OptunaSearchCV

X, y = map(torch.asarray, make_classification(60, 4, random_state=0))
model, grid = RidgeClassifier(solver="svd"), {"alpha": [0.1, 1.0, 10.0]}
with config_context(array_api_dispatch=True):
    ours = OptunaSearchCV(model, grid, cv=3, error_score="raise").fit(X, y)
    theirs = GridSearchCV(model, grid, cv=3, error_score="raise").fit(X, y)
    assert isinstance(ours.predict(X), torch.Tensor)
    assert isinstance(ours.best_estimator_.coef_, torch.Tensor)
name = "mean_test_score"
print(ours.cv_results_[name].tolist() == theirs.cv_results_[name].tolist())
"""


@pytest.mark.slow
def test_tensors_stay_tensors_with_array_api_dispatch():
    pytest.importorskip("torch", reason="needs torch")
    # SciPy reads the variable at its import.
    environment = {**os.environ, "SCIPY_ARRAY_API": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    finished = subprocess.run(
        [sys.executable, "-c", ARRAY_API], env=environment, capture_output=True, text=True
    )
    assert finished.stdout == "True\n", finished.stderr
