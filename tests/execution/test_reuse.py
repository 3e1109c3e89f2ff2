import copy
import errno
import gc
import os
import pickle
import shutil
import subprocess
import sys
import threading
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_classification
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectFromModel, SelectKBest
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, ShuffleSplit, train_test_split
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    QuantileTransformer,
    StandardScaler,
)
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from optunasearch.execution import _transform_store
from optunasearch.execution._reuse import ReusedTransformer, TransformReuse

pd = pytest.importorskip("pandas", reason="needs pandas")


class Logged(TransformerMixin, BaseEstimator):
    """A transformer that notes in a file each of its fits and transforms."""

    def __init__(self, log=None, seconds=0.012, factor=2.0, random_state=0):
        self.log = log
        self.seconds = seconds
        self.factor = factor
        self.random_state = random_state

    def _note(self, event):
        with open(self.log, "a") as file:
            file.write(f"{event}\n")

    def fit(self, X, y=None, sample_weight=None):
        self._note("fit")
        time.sleep(self.seconds)
        noise = np.random.default_rng(self.random_state).normal(size=X.shape[1])
        self.offset_ = np.average(X, axis=0, weights=sample_weight) + noise
        self.y_mean_ = np.mean(y)
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        self._note("transform")
        return (X - self.offset_) * self.factor + self.y_mean_


class Raising(Logged):
    """A transformer that cannot fit, or transforms only the rows it was fitted on."""

    def __init__(self, log=None, seconds=0.012, where="transform"):
        super().__init__(log, seconds)
        self.where = where

    def fit(self, X, y=None):
        super().fit(X, y)
        if self.where == "fit":
            raise RuntimeError("cannot fit")
        self.n_rows_ = len(X)
        return self

    def transform(self, X):
        if len(X) != self.n_rows_:
            raise RuntimeError("cannot transform")
        return super().transform(X)


class InPlace(TransformerMixin, BaseEstimator):
    """What one should not write: changes its input, and not to the same thing twice."""

    def fit(self, X, y=None):
        time.sleep(0.02)
        return self

    def transform(self, X):
        X *= 1.5
        return X + 0


class Unpicklable(Logged):
    def fit(self, X, y=None):
        self.lock_ = threading.Lock()
        return super().fit(X, y)


class Keeping(LogisticRegression):
    """A classifier that keeps what it was fitted on."""

    def fit(self, X, y):
        self.rows_ = X
        return super().fit(X, y)


class Careless(ClassifierMixin, BaseEstimator):
    """A classifier that works in place."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        X += 1
        self.mean_ = X.mean(axis=0)
        return self

    def predict_proba(self, X):
        X -= self.mean_
        return 1 / (1 + np.exp(-np.c_[-X[:, 0], X[:, 0]]))


@pytest.fixture
def data():
    X, y = make_classification(240, 12, n_informative=6, random_state=0)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=0)
    return X_train, X_test, y_train, y_test


@pytest.fixture
def log(tmp_path):
    return str(tmp_path / "log")


@pytest.fixture
def reuse(tmp_path):
    return TransformReuse(tmp_path / "reuse")


@pytest.fixture(autouse=True)
def on_a_busy_machine(monkeypatch):
    """Let no test depend on how long it takes to read a file."""
    monkeypatch.setattr(_transform_store, "MIN_GAIN", 0)


@pytest.fixture
def store_all(monkeypatch):
    """Store steps however fast they are."""
    monkeypatch.setattr(_transform_store, "MIN_SECONDS", 0)


def events(log, event="fit"):
    return Path(log).read_text().split().count(event) if os.path.exists(log) else 0


def files(tmp_path, suffix="item"):
    return sorted((tmp_path / "reuse").glob(f"*.{suffix}"))


def fitted(estimator, data, reuse=None, fold=0):
    estimator = clone(estimator)
    if reuse is not None:
        estimator = reuse.attach(estimator, fold, data[0], data[1])
    return estimator.fit(data[0], data[2])


def outputs(estimator, data):
    """All that a fold's scorers may ask, twice over."""
    X_train, X_test, y_train, y_test = data
    return [
        estimator.predict_proba(X_test),
        estimator.predict(X_test),
        estimator.predict_proba(X_test),
        estimator.predict_proba(X_train),
        np.array([estimator.score(X_test, y_test), estimator.score(X_train, y_train)]),
        estimator.predict_proba(X_train[:7]),
    ]


def assert_same(actual, expected):
    assert len(actual) == len(expected)
    for one, other in zip(actual, expected, strict=True):
        assert_array_equal(one, other)


# Equality with and without


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "age": rng.normal(size=200),
            "income": np.where(rng.random(200) < 0.1, np.nan, rng.normal(size=200)),
            "city": rng.choice(["Paris", "Oslo", "Rome"], size=200),
        }
    )
    y = (X["age"] + (X["city"] == "Oslo") > 0).astype(int)
    return X[:140], X[140:], y[:140], y[140:]


@pytest.fixture
def texts():
    rng = np.random.default_rng(0)
    words = np.array([f"word{i}" for i in range(300)])
    docs = [" ".join(rng.choice(words, 12)) for _ in range(120)]
    y = np.array(["word1 " in doc or "word7" in doc for doc in docs])
    return docs[:80], docs[80:], y[:80], y[80:]


NUMERIC = {
    "scaler, PCA": [StandardScaler(), PCA(3, random_state=0)],
    "randomized PCA": [PCA(3, svd_solver="randomized", random_state=0)],
    "selection": [StandardScaler(), SelectKBest(k=4)],
    "imputer": [KNNImputer(), QuantileTransformer(n_quantiles=20, random_state=0)],
    "iterative": [IterativeImputer(random_state=0, tol=10)],
    "union": [FeatureUnion([("pca", PCA(2, random_state=0)), ("best", SelectKBest(k=3))])],
    "nested": [make_pipeline(StandardScaler(), SelectKBest(k=4)), PCA(2, random_state=0)],
    "passthrough": ["passthrough", StandardScaler(), None, PCA(2, random_state=0)],
    "lambda": [FunctionTransformer(lambda X: X**3), StandardScaler()],
    "alias": [FunctionTransformer(), StandardScaler()],
    "sparse": [FunctionTransformer(sparse.csr_array), StandardScaler(with_mean=False)],
    "from model": [SelectFromModel(RandomForestClassifier(3, random_state=0))],
}


def assert_reuse_changes_nothing(pipeline, data, reuse, n_stored):
    plain = fitted(pipeline, data)
    expected = outputs(plain, data)
    for attempt in range(3):
        if attempt == 2:
            reuse = pickle.loads(pickle.dumps(reuse))
        assert reuse.applies_to(pipeline)
        estimator = fitted(pipeline, data, reuse)
        stored = [type(step) is ReusedTransformer for _, step in estimator.steps]
        assert sum(stored) == n_stored
        pairs = [(estimator[-1].rows_, plain[-1].rows_)]
        pairs += [(estimator[:-1].transform(X), plain[:-1].transform(X)) for X in data[:2]]
        for rows, expected_rows in pairs:
            assert type(rows) is type(expected_rows)
            if isinstance(rows, np.ndarray):
                assert rows.strides == expected_rows.strides
                assert rows.flags.writeable
        assert_same(outputs(estimator, data), expected)


@pytest.mark.parametrize("steps", NUMERIC.values(), ids=NUMERIC)
def test_arrays(steps, data, reuse, store_all):
    pipeline = make_pipeline(*steps, Keeping())
    n_steps = len([step for step in steps if step is not None and step != "passthrough"])
    assert_reuse_changes_nothing(pipeline, data, reuse, n_steps)


@pytest.mark.parametrize("steps", NUMERIC.values(), ids=NUMERIC)
def test_nothing_stored_changes_nothing(steps, data, tmp_path, monkeypatch):
    monkeypatch.setattr(_transform_store, "MIN_SECONDS", np.inf)
    pipeline = make_pipeline(*steps, Keeping())
    n_steps = len([step for step in steps if step is not None and step != "passthrough"])
    # Of what is not stored, only the last step can do without a wrapper.
    assert_reuse_changes_nothing(pipeline, data, TransformReuse(tmp_path / "reuse"), n_steps - 1)
    assert not files(tmp_path)


@pytest.mark.parametrize("output", ["default", "pandas"])
def test_data_frame(output, table, reuse, store_all):
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = ColumnTransformer(
        [
            ("numbers", numbers, ["age", "income"]),
            ("city", OneHotEncoder(sparse_output=False), ["city"]),
        ]
    )
    pipeline = make_pipeline(columns, PCA(2, random_state=0), Keeping())
    pipeline.set_output(transform=output)
    assert_reuse_changes_nothing(pipeline, table, reuse, 2)
    names = fitted(pipeline, table, reuse)[:-1].get_feature_names_out()
    assert_array_equal(names, ["pca0", "pca1"])


def test_text(texts, reuse, store_all):
    pipeline = make_pipeline(TfidfVectorizer(), SelectKBest(k=20), Keeping())
    assert_reuse_changes_nothing(pipeline, texts, reuse, 2)


def test_arrays_with_gaps_keep_their_strides(reuse, data, store_all):
    pipeline = make_pipeline(PCA(3, svd_solver="randomized", random_state=0), Keeping())
    computed, stored = (fitted(pipeline, data, reuse) for _ in range(2))
    assert not stored[-1].rows_.flags.forc
    assert not stored[0].components_.flags.forc
    assert stored[-1].rows_.strides == computed[-1].rows_.strides
    assert stored[0].components_.strides == computed[0].components_.strides


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24.0).reshape(4, 6)[:, ::2],
        np.arange(24.0).reshape(4, 6)[::-1, 1:3],
        np.asfortranarray(np.arange(24.0).reshape(4, 6))[1:3],
        np.broadcast_to(np.arange(3.0), (4, 3)),
        np.array([["a", None], [1, 2]], dtype=object)[:, :1],
        np.arange(24, dtype="i2").reshape(2, 3, 4).transpose(1, 2, 0)[:, 1:],
    ],
)
def test_strides_in_pickles(array):
    stream = BytesIO()
    _transform_store.StridesPickler(stream, protocol=5).dump({"array": array})
    again = pickle.loads(stream.getvalue())["array"]
    assert_array_equal(again, array)
    if not array.dtype.hasobject:
        assert again.strides == array.strides


# What is computed once


def logged_pipeline(log, **params):
    return make_pipeline(Logged(log, **params), LogisticRegression())


def test_a_step_is_fitted_once_per_fold_and_parameters(log, data, reuse):
    pipeline = logged_pipeline(log)
    for C in [0.1, 1.0, 10.0]:
        outputs(fitted(pipeline.set_params(logisticregression__C=C), data, reuse), data)
    assert events(log) == 1
    fitted(pipeline, data, reuse, fold=1)
    assert events(log) == 2
    fitted(pipeline.set_params(logged__factor=3.0), data, reuse)
    assert events(log) == 3
    fitted(pipeline.set_params(logged__factor=2.0), data, reuse)
    assert events(log) == 3


def test_rows_are_transformed_once(log, data, reuse):
    pipeline = logged_pipeline(log)
    fitted(pipeline, data, reuse).predict(data[1])
    assert events(log, "transform") == 2
    for _ in range(3):
        estimator = fitted(pipeline, data, reuse)
        estimator.predict(data[1])
        estimator.predict_proba(data[1])
    assert events(log, "transform") == 2
    # The rows of fit_transform are not those of transform.
    for _ in range(2):
        fitted(pipeline, data, reuse).predict(data[0])
    assert events(log, "transform") == 3
    # Equal rows are not enough: these are others for all it knows.
    estimator.predict(data[1].copy())
    assert events(log, "transform") == 4


def test_a_step_depends_on_those_before_it(log, data, reuse):
    pipeline = make_pipeline(StandardScaler(), Logged(log), LogisticRegression())
    for with_mean in [True, False, True, False]:
        pipeline.set_params(standardscaler__with_mean=with_mean)
        assert_same(
            outputs(fitted(pipeline, data, reuse), data),
            outputs(fitted(clone(pipeline).set_params(logged__log=os.devnull), data), data),
        )
    assert events(log) == 2


@pytest.mark.parametrize("name", ["MIN_SECONDS", "MIN_GAIN"])
def test_fast_steps_are_only_computed(name, log, data, reuse, tmp_path, monkeypatch):
    monkeypatch.setattr(_transform_store, name, np.inf)
    pipeline = logged_pipeline(log)
    for _ in range(3):
        estimator = fitted(pipeline, data, reuse)
    assert type(estimator[0]) is Logged
    assert events(log) == 3
    assert not files(tmp_path)
    assert len(files(tmp_path, "skip")) == 1


def test_metadata_and_configuration_are_part_of_the_key(log, data, reuse):
    X_train, X_test, y_train, _ = data
    weights = np.arange(1.0, 1 + len(y_train))
    seen = []
    for weight in [None, weights, None, weights.copy()]:
        params = {} if weight is None else {"logged__sample_weight": weight}
        estimator = reuse.attach(logged_pipeline(log), 0, X_train, X_test)
        estimator.fit(X_train, y_train, **params)
        seen.append(estimator[0].offset_[0])
    assert events(log) == 2
    assert seen[0] == seen[2] != seen[1] == seen[3]

    with config_context(transform_output="pandas"):
        estimator = make_pipeline(StandardScaler(), Logged(log), LogisticRegression())
        fitted(estimator, data, reuse)
    assert events(log) == 3
    # Stored under one configuration, asked under another.
    pipeline = make_pipeline(StandardScaler(), Logged(log), LogisticRegression())
    estimator = fitted(pipeline, data, reuse)
    with config_context(transform_output="pandas"):
        assert isinstance(estimator[:1].transform(X_test), pd.DataFrame)


def test_routed_metadata(log, data, reuse):
    X_train, X_test, y_train, _ = data
    with config_context(enable_metadata_routing=True):
        step = Logged(log).set_fit_request(sample_weight=True)
        final = LogisticRegression().set_fit_request(sample_weight=False)
        seen = []
        for weight in [1.0, 2.0, 1.0]:
            weights = np.r_[weight, np.ones(len(y_train) - 1)]
            estimator = reuse.attach(make_pipeline(clone(step), final), 0, X_train, X_test)
            estimator.fit(X_train, y_train, sample_weight=weights)
            estimator.predict(X_test)
            seen.append(estimator[0].offset_[0])
    assert events(log) == 2
    assert seen[0] == seen[2] != seen[1]


def test_another_fit_of_the_same_pipeline(log, data, reuse):
    X_train, _, y_train, _ = data
    fitted(logged_pipeline(log), data, reuse)
    estimator = fitted(logged_pipeline(log), data, reuse)
    mean = estimator[0].y_mean_
    estimator.set_params(logisticregression__C=0.1).fit(X_train, y_train)
    assert events(log) == 1
    assert type(estimator[0]) is ReusedTransformer
    # Other targets, other rows: as if there were no reuse.
    estimator.fit(X_train, 1 - y_train)
    assert estimator[0].y_mean_ == pytest.approx(1 - mean)
    estimator.fit(X_train[:50], y_train[:50])
    assert events(log) == 3
    assert_array_equal(
        estimator.predict_proba(X_train),
        logged_pipeline(log)
        .set_params(logisticregression__C=0.1)
        .fit(X_train[:50], y_train[:50])
        .predict_proba(X_train),
    )


# What is not reused


class WithParameter(StandardScaler):
    def __init__(self, parameter=None, warm_start=False):
        super().__init__()
        self.parameter = parameter
        self.warm_start = warm_start


@pytest.mark.parametrize(
    "step",
    [
        PCA(2),
        PCA(2, random_state=np.random.RandomState(0)),
        make_pipeline(StandardScaler(), PCA(2)),
        SelectFromModel(RandomForestClassifier(3)),
        StandardScaler(copy=False),
        WithParameter(np.random.default_rng(0)),
        WithParameter(KFold(5, shuffle=True)),
        WithParameter(ShuffleSplit()),
        WithParameter(warm_start=True),
        WithParameter(threading.Lock()),
    ],
)
def test_what_ends_a_prefix(step, reuse):
    assert not reuse.applies_to(make_pipeline(step, LogisticRegression()))
    # It ends there: what comes before is reused.
    assert reuse.applies_to(make_pipeline(StandardScaler(), step, LogisticRegression()))


@pytest.mark.parametrize(
    "step",
    [
        PCA(2, random_state=np.int64(0)),
        WithParameter(KFold(5)),
        WithParameter(KFold(5, shuffle=True, random_state=0)),
        WithParameter(np.arange(3)),
    ],
)
def test_what_does_not_end_a_prefix(step, reuse):
    assert reuse.applies_to(make_pipeline(step, LogisticRegression()))


def test_what_it_applies_to(tmp_path, reuse):
    scaler, final = StandardScaler(), LogisticRegression()
    assert reuse.applies_to(make_pipeline(scaler, final))
    assert reuse.applies_to(make_pipeline("passthrough", scaler, final))
    assert not reuse.applies_to(final)
    assert not reuse.applies_to(make_pipeline(final))
    assert not reuse.applies_to(make_pipeline("passthrough", final))
    assert not reuse.applies_to(make_pipeline(scaler, final, memory=str(tmp_path)))

    class Child(Pipeline):
        pass

    assert reuse.applies_to(Child([("scaler", scaler), ("final", final)]))


def test_a_users_memory_wins(tmp_path, data, reuse):
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(), memory=str(tmp_path))
    assert fitted(pipeline, data, reuse).memory == str(tmp_path)


def test_varying_parameters_end_a_prefix(tmp_path):
    pipeline = make_pipeline(StandardScaler(), PCA(random_state=0), LogisticRegression())
    names = {
        "pca__n_components": True,
        "logisticregression__C": True,
        "standardscaler__copy": False,
    }
    for name, applies in names.items():
        reuse = TransformReuse(tmp_path / "reuse", varying=frozenset({name}))
        assert reuse.applies_to(pipeline) == applies
    nested = make_pipeline(make_pipeline(StandardScaler()), LogisticRegression())
    reuse = TransformReuse(tmp_path / "reuse", varying={"pipeline__standardscaler__with_std"})
    assert not reuse.applies_to(nested)


def test_an_unseeded_step_is_fitted_each_time(log, data, reuse):
    pipeline = logged_pipeline(log, random_state=None)
    seen = {fitted(pipeline, data, reuse)[0].offset_[0] for _ in range(3)}
    assert events(log) == len(seen) == 3
    # Also what comes after it.
    pipeline = make_pipeline(Logged(log, random_state=None), Logged(log), LogisticRegression())
    for _ in range(2):
        fitted(pipeline, data, reuse)
    assert events(log) == 7


def test_a_step_that_changes_its_input(reuse, data, tmp_path):
    def in_turn(reuse):
        rows = [array.copy() for array in data]
        return outputs(fitted(make_pipeline(InPlace(), LogisticRegression()), rows, reuse), rows)

    expected = in_turn(None)
    for _ in range(3):
        assert_same(in_turn(reuse), expected)
    assert not files(tmp_path)


def test_steps_that_change_what_they_are_given(reuse, data, store_all):
    pipeline = make_pipeline(PCA(3, random_state=0), Careless())
    expected = fitted(pipeline, data).predict_proba(data[1])
    for _ in range(2):
        estimator = fitted(pipeline, data, reuse)
        for _ in range(3):
            assert_array_equal(estimator.predict_proba(data[1]), expected)


@pytest.mark.parametrize("later", [[], [PCA(2, random_state=0)]], ids=["alone", "before another"])
def test_a_transform_that_draws(later, data, reuse, store_all):
    data = [rows.copy() for rows in data]
    for X in data[:2]:
        X[::5, 0] = np.nan
    imputer = IterativeImputer(sample_posterior=True, random_state=0, max_iter=2)
    pipeline = make_pipeline(imputer, *later, LogisticRegression())
    expected = outputs(fitted(pipeline, data), data)
    assert (expected[0] != expected[2]).any()
    for _ in range(3):
        assert_same(outputs(fitted(pipeline, data, reuse), data), expected)


def test_rows_changed_between_two_predictions(reuse, data):
    pipeline = make_pipeline(KNNImputer(), LogisticRegression())
    for _ in range(2):
        rows = [array.copy() for array in data]
        estimator = fitted(pipeline, rows, reuse)
        before = estimator.predict_proba(rows[1])
        rows[1][:] = rows[1][::-1].copy()
        assert_array_equal(estimator.predict_proba(rows[1]), before[::-1])


# Errors


def test_a_fit_that_raises(log, data, reuse, tmp_path):
    pipeline = make_pipeline(Raising(log, where="fit"), LogisticRegression())
    for attempt in range(2):
        with pytest.raises(RuntimeError, match="cannot fit"):
            fitted(pipeline, data, reuse)
        assert events(log) == attempt + 1
    assert not list((tmp_path / "reuse").iterdir())


def test_a_transform_of_the_test_rows_that_raises(log, data, reuse, tmp_path):
    pipeline = make_pipeline(Raising(log), LogisticRegression())
    for _ in range(2):
        estimator = fitted(pipeline, data, reuse)
        for _ in range(2):
            with pytest.raises(RuntimeError, match="cannot transform"):
                estimator.predict(data[1])
        estimator.predict(data[0])
    assert events(log) == 1
    assert not files(tmp_path, "lock")


def test_what_cannot_be_pickled_is_not_stored(log, data, reuse, tmp_path):
    pipeline = make_pipeline(Unpicklable(log), LogisticRegression())
    for _ in range(2):
        outputs(fitted(pipeline, data, reuse), data)
    assert events(log) == 2
    assert not files(tmp_path)
    assert not files(tmp_path, "tmp")


def test_local_classes_and_closures_are_stored(log, data, reuse):
    class Local(Logged):
        pass

    def shifted(X):
        return X + shift

    shift = 1
    steps = FunctionTransformer(shifted), Local(log)
    for _ in range(2):
        estimator = fitted(make_pipeline(*steps, LogisticRegression()), data, reuse)
    assert events(log) == 1
    shift = 2
    fitted(make_pipeline(*steps, LogisticRegression()), data, reuse)
    assert events(log) == 2
    assert estimator[1].offset_.shape == (12,)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_full_disk_is_no_error(code, log, data, reuse, tmp_path, monkeypatch):
    def replace(*args):
        raise OSError(code, os.strerror(code))

    pipeline = logged_pipeline(log)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        outputs(fitted(pipeline, data, reuse), data)
    assert not list((tmp_path / "reuse").iterdir())
    for _ in range(2):
        outputs(fitted(pipeline, data, reuse), data)
    assert events(log) == 2


def test_a_folder_that_has_gone_is_no_error(log, data, reuse, tmp_path):
    estimator = fitted(logged_pipeline(log), data, reuse)
    estimator = fitted(logged_pipeline(log), data, reuse)
    shutil.rmtree(tmp_path / "reuse")
    expected = outputs(fitted(logged_pipeline(log), data), data)
    assert_same(outputs(estimator, data), expected)
    assert_same(outputs(fitted(logged_pipeline(log), data, reuse), data), expected)
    assert not (tmp_path / "reuse").exists()


def test_a_damaged_item_is_computed_again(log, data, reuse, tmp_path):
    fitted(logged_pipeline(log), data, reuse)
    [item] = files(tmp_path)
    item.write_bytes(item.read_bytes()[:50])
    for _ in range(2):
        fitted(logged_pipeline(log), data, reuse)
    assert events(log) == 2


# Room


def test_the_least_recently_used_is_evicted(log, data, tmp_path):
    fitted(logged_pipeline(log), data, TransformReuse(tmp_path / "reuse"))
    size = files(tmp_path)[0].stat().st_size
    reuse = TransformReuse(tmp_path / "reuse", max_bytes=int(2.5 * size))

    def fit(factor):
        before = events(log)
        fitted(logged_pipeline(log, factor=factor), data, reuse)
        assert sum(item.stat().st_size for item in files(tmp_path)) <= 2.5 * size
        time.sleep(0.02)  # the clock of the file system is coarse
        return events(log) > before

    assert [fit(factor) for factor in [2.0, 3.0, 2.0, 4.0, 2.0, 3.0]] == [
        False,
        True,
        False,
        True,
        False,
        True,
    ]


def test_an_item_larger_than_the_cap_is_not_stored(log, data, tmp_path):
    reuse = TransformReuse(tmp_path / "reuse", max_bytes=1000)
    for _ in range(2):
        outputs(fitted(logged_pipeline(log), data, reuse), data)
    assert events(log) == 2
    assert not files(tmp_path)
    assert not files(tmp_path, "tmp")


def test_an_eviction_between_fit_and_score(log, data, reuse, tmp_path):
    first = fitted(logged_pipeline(log), data, reuse)
    second = fitted(logged_pipeline(log), data, reuse)
    for item in files(tmp_path):
        item.unlink()
    expected = outputs(fitted(logged_pipeline(log), data), data)
    for estimator in [first, second]:
        assert_same(outputs(estimator, data), expected)


def test_no_file_stays_open(log, data, reuse):
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("no /proc here")

    def n_open():
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    fitted(logged_pipeline(log), data, reuse)
    before = n_open()
    kept = [fitted(logged_pipeline(log), data, reuse) for _ in range(3)]
    for estimator in kept:
        estimator.predict(data[1])
    del kept, estimator
    assert n_open() == before


# Several workers


def test_threads_compute_once(log, data, reuse, tmp_path):
    pipeline = logged_pipeline(log, seconds=0.2)
    expected = fitted(pipeline, data).predict_proba(data[1])
    barrier, seen = threading.Barrier(6), []

    def work():
        barrier.wait()
        seen.append(fitted(pipeline, data, reuse).predict_proba(data[1]))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert events(log) == 2
    assert_same(seen, [expected] * 6)
    assert not files(tmp_path, "lock")


MODULE = """
import time
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

class Slow(TransformerMixin, BaseEstimator):
    def __init__(self, log=None):
        self.log = log

    def fit(self, X, y=None):
        with open(self.log, "a") as file:
            file.write("fit ")
        time.sleep(1)
        self.mean_ = X.mean(axis=0)
        return self

    def transform(self, X):
        return X - self.mean_
"""

SCRIPT = """
import sys
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from optunasearch.execution._reuse import TransformReuse
from slow_step import Slow

folder, log = sys.argv[1:]
X = np.random.default_rng(0).normal(size=(90, 4))
y = (X[:, 0] > 0).astype(int)
reuse = TransformReuse(folder)
estimator = reuse.attach(make_pipeline(Slow(log), LogisticRegression()), 0, X[:60], X[60:])
X_train, X_test = estimator.memory._rows.values()
print("ready", flush=True)
sys.stdin.readline()
estimator.fit(X_train, y[:60])
print(estimator.score(X_test, y[60:]))
"""


@pytest.fixture
def start_process(tmp_path, log):
    (tmp_path / "slow_step.py").write_text(MODULE)
    root = Path(_transform_store.__file__).parents[2]
    path = os.pathsep.join([str(tmp_path), str(root), os.environ.get("PYTHONPATH", "")])
    processes = []

    def start():
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(tmp_path / "reuse"), log],
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def finish(process):
    output, _ = process.communicate("\n", timeout=60)
    assert process.returncode == 0
    return output


def test_processes_compute_once(start_process, log, tmp_path):
    processes = [start_process() for _ in range(2)]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    assert len({finish(process) for process in processes}) == 1
    assert events(log) == 1
    assert not files(tmp_path, "lock")


needs_locks = pytest.mark.skipif(os.name == "nt", reason="no locks on Windows")


@pytest.fixture
def lock(log, data, reuse, tmp_path):
    """Where the lock of a step is."""
    fitted(logged_pipeline(log), data, reuse)
    [item] = files(tmp_path)
    item.unlink()
    return item.with_suffix(".lock")


@needs_locks
@pytest.mark.parametrize("reaped", [True, False], ids=["reaped", "zombie"])
def test_a_worker_waits_for_a_living_owner_only(reaped, lock, log, data, reuse, tmp_path):
    owner = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with owner:
        os.symlink(_transform_store.process_name(owner.pid), lock)
        thread = threading.Thread(target=lambda: fitted(logged_pipeline(log), data, reuse))
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        assert events(log) == 1
        owner.kill()
        if reaped:
            owner.wait()
        thread.join(60)
        assert not thread.is_alive()
    assert events(log) == 2
    assert [path.suffix for path in (tmp_path / "reuse").iterdir()] == [".item"]


@needs_locks
@pytest.mark.parametrize("part", ["start", "host"])
def test_a_lock_that_only_looks_alive(part, lock, log, data, reuse, tmp_path):
    pid, start, host = _transform_store.process_name(os.getpid()).split("-", 2)
    parts = {"pid": pid, "start": start, "host": host}
    parts[part] += "1"
    os.symlink("-".join(parts.values()), lock)
    fitted(logged_pipeline(log), data, reuse)
    assert events(log) == 2
    assert [path.suffix for path in (tmp_path / "reuse").iterdir()] == [".item"]


# Nothing of it is seen outside


class Recorder:
    """A callback that counts."""

    def __init__(self):
        self.calls = []

    def setup(self, estimator, context):
        self.calls.append("setup")

    def on_fit_task_begin(self, estimator, context):
        self.calls.append("begin")

    def on_fit_task_end(self, estimator, context):
        self.calls.append("end")

    def teardown(self, estimator, context):
        self.calls.append("teardown")


class PropagatedRecorder(Recorder):
    max_propagation_depth = 1


@pytest.mark.parametrize("callback", [Recorder, PropagatedRecorder])
def test_callbacks_stay_balanced(callback, log, data, reuse):
    nested = make_pipeline(Logged(log))
    for _ in range(2):
        estimator = reuse.attach(clone(make_pipeline(nested, nested)), 0, *data[:2])
        recorder = callback()
        estimator.set_callbacks(recorder)
        estimator.fit(data[0], data[2])
        calls = recorder.calls
        assert calls[0] == "setup"
        assert calls[-1] == "teardown"
        assert calls.count("begin") == calls.count("end") > 0
        assert "_skl_callbacks" not in vars(pickle.loads(pickle.dumps(estimator[0])))
    assert events(log) == 3


def test_transformed_metadata(log, data, reuse):
    """Pipeline transforms what is named in `transform_input` by the steps before."""
    X_train, X_test, y_train, _ = data

    class Validated(LogisticRegression):
        def fit(self, X, y, X_val=None):
            self.X_val_ = X_val
            return super().fit(X, y)

    with config_context(enable_metadata_routing=True):
        final = Validated().set_fit_request(X_val=True)
        for _ in range(2):
            pipeline = make_pipeline(Logged(log), final, transform_input=["X_val"])
            estimator = reuse.attach(pipeline, 0, X_train, X_test)
            estimator.fit(X_train, y_train, X_val=X_train[:5])
            assert_array_equal(estimator[-1].X_val_, estimator[0].transform(X_train[:5]))
    assert events(log) == 1


@pytest.fixture(params=["computed", "stored"])
def reused(request, log, data, reuse):
    pipeline = logged_pipeline(log)
    if request.param == "stored":
        fitted(pipeline, data, reuse)
    return fitted(pipeline, data, reuse)


def test_it_looks_like_the_transformer(reused, data):
    step = reused[0]
    assert type(step) is ReusedTransformer
    assert isinstance(step, Logged)
    assert isinstance(step, BaseEstimator)
    check_is_fitted(step)
    assert repr(step) == repr(Logged(step.log))
    assert step.get_params() == Logged(step.log).get_params()
    assert step.n_features_in_ == reused.n_features_in_ == 12
    assert get_tags(step) == get_tags(Logged())
    assert not hasattr(step, "nonsense")
    assert not hasattr(step, "__array__")
    assert not hasattr(step, "inverse_transform")
    assert reused._repr_html_()


def test_copies_are_of_the_real_one(reused, data):
    expected = reused.predict_proba(data[1])
    for twin in [pickle.loads(pickle.dumps(reused)), copy.deepcopy(reused)]:
        assert twin.memory is None
        assert type(twin[0]) is Logged
        assert_allclose(twin.predict_proba(data[1]), expected)
    fresh = clone(reused)
    assert fresh.memory is None
    assert type(fresh[0]) is Logged
    assert not hasattr(fresh[0], "offset_")
    assert repr(clone(reused[0])) == repr(Logged(fresh[0].log))


def test_the_callers_pipeline_is_not_touched(log, data, reuse):
    pipeline = logged_pipeline(log)
    fitted(pipeline, data, reuse)
    assert pipeline.memory is None
    assert type(pipeline[0]) is Logged
    assert not hasattr(pipeline[0], "offset_")


@pytest.mark.parametrize(
    "change",
    [
        lambda step, X, y: step.set_params(factor=5.0),
        lambda step, X, y: setattr(step, "factor", 5.0),
        lambda step, X, y: step.fit(X[:50], y[:50]),
        lambda step, X, y: step.fit_transform(X[:50], y[:50]),
    ],
)
def test_a_changed_step_uses_nothing_stored(change, reused, data):
    X_train, X_test, y_train, _ = data
    plain = fitted(clone(reused), data)
    for estimator in [reused, plain]:
        change(estimator[0], X_train, y_train)
    assert_array_equal(reused.predict_proba(X_test), plain.predict_proba(X_test))
    assert_array_equal(
        reused.fit(X_train, y_train).predict_proba(X_test),
        plain.fit(X_train, y_train).predict_proba(X_test),
    )


def test_items_of_nested_steps_are_at_hand(data, reuse, store_all):
    pipeline = make_pipeline(
        make_pipeline(StandardScaler(), SelectKBest(k=3)), LogisticRegression()
    )
    for _ in range(2):
        estimator = fitted(pipeline, data, reuse)
        assert estimator[0][0].mean_.shape == (12,)
        assert estimator[0]["selectkbest"].scores_.shape == (12,)


def test_threads_may_ask_one_estimator(reused, data):
    seen = []
    threads = [threading.Thread(target=lambda: seen.append(reused[0].offset_)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(offset) for offset in seen}) == 1
