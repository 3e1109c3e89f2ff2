"""Whether the folds of a search differ by more than chance."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kruskal
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedKFold,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from optunasearch import OptunaSearchCV
from optunasearch._out_of_fold import OutOfFold
from optunasearch.execution._records import FoldPredictions
from optunasearch.selection._diagnosis import diagnose_folds, kruskal_wallis

SMOOTHING = {"var_smoothing": [1e-9, 1e-6]}


def searched(model, X, y, cv, groups=None):
    """Return what `diagnose_folds` reads of a search, at the price of one candidate."""
    is_classifier = hasattr(model, "classes_") or not isinstance(model, Ridge)
    winner, tests = [], []
    for train, test in cv.split(X, y, groups):
        fitted = model.fit(X[train], y[train])
        for method in ("predict_proba", "decision_function", "predict"):
            if hasattr(fitted, method):
                break
        classes = tuple(fitted.classes_.tolist()) if is_classifier else None
        winner.append(FoldPredictions({method: getattr(fitted, method)(X[test])}, classes))
        tests.append(test)
    classes = np.unique(y) if is_classifier else None
    oof = OutOfFold(y, classes, tests, {}, tuple(winner), groups=groups)
    return SimpleNamespace(_oof_results=SimpleNamespace(out_of_fold=oof))


def random_rows(seed, n=200, regression=False):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    y = X[:, 0] + X[:, 1] + 2 * rng.normal(size=n)
    return X, y if regression else (y > 0.5).astype(int)


def grouped_rows(seed, n_groups=30, size=10):
    """Return rows group by group; a group shifts a column and how often its rows are positive."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_groups), size)
    shift = rng.normal(size=n_groups)[groups]
    X = rng.normal(size=(len(groups), 3)) + 2 * shift[:, np.newaxis]
    y = (rng.normal(size=len(groups)) + 2 * shift > 0).astype(int)
    return X, y, groups


# The statistic


@given(st.lists(st.integers(0, 5), min_size=9, max_size=40).filter(lambda v: len(set(v)) > 1))
def test_the_statistic_is_kruskal_and_wallis_s(values):
    values = np.array(values, dtype=float)
    fold = np.arange(len(values)) % 3
    expected = kruskal(*(values[fold == k] for k in range(3))).statistic
    assert kruskal_wallis(values, fold) == pytest.approx(expected, abs=1e-9)


def test_what_is_constant_does_not_differ():
    assert kruskal_wallis(np.ones(6), np.arange(6) % 2) == 0


# Random rows: few alarms


@pytest.mark.parametrize(
    ("model", "cv"),
    [
        (GaussianNB(), StratifiedKFold(5)),
        (GaussianNB(), KFold(4)),
        (GaussianNB(), RepeatedStratifiedKFold(n_splits=3, n_repeats=3, random_state=0)),
        (LogisticRegression(), StratifiedKFold(5)),
        (DecisionTreeClassifier(min_samples_leaf=10, random_state=0), StratifiedKFold(5)),
        (Ridge(), KFold(5)),
        (Ridge(), ShuffleSplit(6, test_size=0.3, random_state=0)),
    ],
)
def test_random_rows_seldom_raise_an_alarm(model, cv):
    n = 100
    alarms = sum(
        diagnose_folds(
            searched(model, *random_rows(seed, regression=isinstance(model, Ridge)), cv)
        ).differs
        for seed in range(n)
    )
    assert alarms <= 4  # of 100; a rate of 1 % gives more once in 300 times


def test_groups_that_were_kept_together_are_no_alarm_though_their_rows_are_alike():
    n, alarms, without = 60, 0, 0
    for seed in range(n):
        X, y, groups = grouped_rows(seed)
        search = searched(GaussianNB(), X, y, GroupKFold(5), groups)
        alarms += diagnose_folds(search).differs
        oof = search._oof_results.out_of_fold
        search._oof_results.out_of_fold = OutOfFold(oof.y, oof.classes, oof.tests, {}, oof.winner)
        without += diagnose_folds(search).differs
    assert alarms <= 3
    assert without > 0.7 * n  # row by row, they differ


# Rows in some order: found


@pytest.mark.parametrize("model", [GaussianNB(), SVC(), DecisionTreeClassifier(random_state=0)])
def test_rows_sorted_by_class_are_found(model):
    X, y = load_iris(return_X_y=True)
    found = diagnose_folds(searched(model, X, y, KFold(5)))
    assert found.differs
    assert found.n_folds == 5
    assert "sorted" in found.message
    assert "p < 1e-6" in str(found)


@pytest.mark.parametrize(("n_groups", "size", "least"), [(10, 40, 0.85), (30, 10, 0.5)])
def test_rows_in_groups_are_found(n_groups, size, least):
    """Few large groups make folds differ; of many small ones each fold has a fair sample."""
    found = [
        diagnose_folds(
            searched(GaussianNB(), *grouped_rows(seed, n_groups, size)[:2], StratifiedKFold(5))
        )
        for seed in range(40)
    ]
    assert sum(one.differs for one in found) >= least * len(found)
    assert all(one.quantity != "target" for one in found)  # stratified: it is the same everywhere


def test_a_drift_of_a_regression_is_found():
    n_found = 0
    for seed in range(20):
        X, y = random_rows(seed, regression=True)
        n_found += diagnose_folds(
            searched(Ridge(), X, y + np.linspace(0, 4, 200), KFold(5))
        ).differs
    assert n_found >= 18


def test_losses_alone_can_differ():
    """Noise that grows leaves the target's mean and the predictions alike."""
    X, _ = random_rows(0, 400)
    noise = np.random.default_rng(1).normal(size=400) * np.linspace(0.1, 3, 400)
    found = diagnose_folds(searched(Ridge(), X, X[:, 0] + noise, KFold(5)))
    assert found.differs
    assert found.quantity == "losses"


def test_groups_that_are_sorted_are_found():
    X, y, groups = grouped_rows(0, n_groups=60)
    order = np.argsort(X.mean(axis=1).reshape(60, 10).mean(axis=1))
    rows = (order[:, np.newaxis] * 10 + np.arange(10)).ravel()
    fold = np.repeat(np.arange(5), 120)
    cv = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(5)]
    stand_in = SimpleNamespace(split=lambda *_: cv)
    found = diagnose_folds(searched(GaussianNB(), X[rows], y[rows], stand_in, groups[rows]))
    assert found.differs
    assert "StratifiedGroupKFold(shuffle=True)" in found.message


# Of real searches


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_search(shuffle):
    X, y = load_iris(return_X_y=True)
    cv = KFold(5, shuffle=shuffle, random_state=0 if shuffle else None)
    found = diagnose_folds(OptunaSearchCV(GaussianNB(), SMOOTHING, cv=cv).fit(X, y))
    assert found.differs is not shuffle
    assert (found.p_value <= 0.01) is not shuffle
    assert (found.share > 0.1) is not shuffle


def test_a_search_of_a_regressor_and_one_that_is_given_groups():
    X, y = random_rows(0, regression=True)
    search = OptunaSearchCV(Ridge(), {"alpha": [0.1, 1.0]}).fit(X, y)
    assert not diagnose_folds(search).differs
    X, y, groups = grouped_rows(0)
    search = OptunaSearchCV(GaussianNB(), SMOOTHING, cv=GroupKFold(5)).fit(X, y, groups=groups)
    assert not diagnose_folds(search).differs


def test_what_cannot_be_diagnosed():
    X, y = random_rows(0)
    with pytest.raises(TypeError, match="GaussianNB"):
        diagnose_folds(GaussianNB())
    search = OptunaSearchCV(GaussianNB(), SMOOTHING)
    with pytest.raises(AttributeError, match="not fitted"):
        diagnose_folds(search)
    search.set_params(cv=ShuffleSplit(1, random_state=0)).fit(X, y)
    with pytest.raises(ValueError, match="two or more"):
        diagnose_folds(search)
    with pytest.raises(ValueError, match=r"level.*got 1"):
        diagnose_folds(search, level=1)
