"""A bound made on the scores of fold models holds for the refit, whatever the model.

With more samples, rows and requirements: benchmarks/decision_threshold.py.
"""

import math

import numpy as np
import pytest
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

from optunasearch.decision import DecisionThreshold
from optunasearch.decision._threshold import choose_threshold

N_ROWS, N_TRUTH, CONFIDENCES = 400, 20_000, (0.8, 0.95)


def made(n, rng, prevalence=0.4):
    """Return features and classes: two shifts, and one to either side."""
    y = rng.uniform(size=n) < prevalence
    X = rng.normal(size=(n, 6))
    X[:, 0] += 1.2 * y
    X[:, 1] += 0.8 * y
    X[:, 2] += np.where(rng.uniform(size=n) < 0.5, 1.5, -1.5) * y
    return X, y


def share_held(model, required, n_runs, *, with_folds=True):
    """Return for each confidence how often the refit's true sensitivity is what was required."""
    X_new, y_new = made(N_TRUTH, np.random.default_rng(99))
    held = np.zeros((n_runs, len(CONFIDENCES)))
    for run in range(n_runs):
        X, y = made(N_ROWS, np.random.default_rng(run))
        score, folds = np.empty(N_ROWS), np.empty(N_ROWS, dtype=int)
        splitter = StratifiedKFold(5, shuffle=True, random_state=run)
        for fold, (train, test) in enumerate(splitter.split(X, y)):
            fitted = model.fit(X[train], y[train])
            score[test], folds[test] = fitted.predict_proba(X[test])[:, 1], fold
        new = model.fit(X, y).predict_proba(X_new[y_new])[:, 1]
        for i, confidence in enumerate(CONFIDENCES):
            wanted = DecisionThreshold(sensitivity=required, confidence=confidence)
            choice = choose_threshold(y, score, wanted, folds=folds if with_folds else None)
            held[run, i] = not choice.is_met or (new >= choice.threshold).mean() >= required
    return held.mean(axis=0)


def least(n_runs):
    """Return the confidences less two standard errors."""
    return [c - 2 * math.sqrt(c * (1 - c) / n_runs) for c in CONFIDENCES]


FAST = {
    "logistic": LogisticRegression(),
    "bayes": GaussianNB(),
    "tree 10": DecisionTreeClassifier(min_samples_leaf=10, random_state=0),
    "tree 25": DecisionTreeClassifier(min_samples_leaf=25, random_state=0),
}
SLOW = {
    "neighbours": KNeighborsClassifier(15),
    "forest": RandomForestClassifier(30, random_state=0),
    "boosting": GradientBoostingClassifier(n_estimators=30, random_state=0),
    "histograms": HistGradientBoostingClassifier(max_iter=30),
}


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Small fits in two threads wait for each other longer than they work."""
    with threadpool_limits(1):
        yield


@pytest.mark.parametrize("model", FAST.values(), ids=FAST)
def test_it_holds_for_the_refit(model):
    assert (share_held(model, 0.9, 60) >= least(60)).all()


@pytest.mark.slow
@pytest.mark.parametrize("required", [0.8, 0.9, 0.95])
@pytest.mark.parametrize("model", {**FAST, **SLOW}.values(), ids={**FAST, **SLOW})
def test_it_holds_for_the_refit_of_every_family(model, required):
    n_runs = 100
    assert (share_held(model, required, n_runs) >= least(n_runs)).all()


def test_of_a_tree_it_would_not_hold_without_the_folds():
    """Why choose_threshold asks which fold a score comes from."""
    model = DecisionTreeClassifier(min_samples_leaf=25, random_state=0)
    assert (share_held(model, 0.9, 100, with_folds=False) < least(100)).any()
