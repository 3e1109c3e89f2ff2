"""Tasks to race on: real candidates, fitted on every fold once, on the same folds."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.samplers import RandomSampler
from sklearn.base import clone
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_wine,
    make_classification,
    make_friedman1,
)
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import ElasticNet, LogisticRegression, SGDClassifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, TimeSeriesSplit
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from optunasearch._samplers import SamplerProposer
from optunasearch._space import Point, make_space
from optunasearch.execution._fold import FoldContext, evaluate
from optunasearch.execution._records import FoldResult, TrialTask

LOG = partial(FloatDistribution, log=True)


class InOrder:
    """Proposes the candidates of a replay: trial t is candidate t of its order."""

    def propose(self, number: int) -> Point:
        """Return a point that stands for the candidate."""
        return Point({"candidate": number})

    def tell(self, record: Any) -> None:
        """Nothing is learned."""


@dataclass(frozen=True)
class Task:
    """An estimator, a space, data, a metric; `splitter(n_splits)` makes the folds."""

    estimator: Any
    space: dict[str, Any]
    data: Callable[[], tuple[Any, ...]]
    scoring: str | None
    splitter: Callable[[int], Any]


@dataclass(frozen=True)
class Fitted:
    """All candidates of a task on all folds.

    Attributes
    ----------
    results : list of dict of int to FoldResult
        For each candidate the result of each fold.
    splits : list of (train, test)
    """

    results: list[dict[int, FoldResult]]
    splits: list[tuple[Any, Any]]

    @property
    def means(self) -> np.ndarray:
        """The mean score of each candidate."""
        return np.array([np.mean([r.test_scores for r in c.values()]) for c in self.results])


def _stratified(n_splits: int) -> StratifiedKFold:
    return StratifiedKFold(n_splits, shuffle=True, random_state=0)


def _shuffled(n_splits: int) -> KFold:
    return KFold(n_splits, shuffle=True, random_state=0)


def _digits() -> tuple[Any, ...]:
    return load_digits(return_X_y=True)


def _cancer() -> tuple[Any, ...]:
    return load_breast_cancer(return_X_y=True)


def _wine() -> tuple[Any, ...]:
    return load_wine(return_X_y=True)


def _diabetes() -> tuple[Any, ...]:
    return load_diabetes(return_X_y=True)


def _rare() -> tuple[Any, ...]:
    return make_classification(
        2000, 20, n_informative=6, weights=[0.9], flip_y=0.03, class_sep=0.8, random_state=0
    )


def _friedman() -> tuple[Any, ...]:
    return make_friedman1(800, noise=2.0, random_state=0)


def _sorted_diabetes() -> tuple[Any, ...]:
    X, y = load_diabetes(return_X_y=True)
    order = np.argsort(X[:, 2], kind="stable")  # by body mass index
    return X[order], y[order]


def _sorted_digits() -> tuple[Any, ...]:
    X, y = load_digits(return_X_y=True)
    order = np.argsort(X.sum(axis=1), kind="stable")  # by ink
    return X[order], y[order]


def _grouped() -> tuple[Any, ...]:
    """Twenty groups, each with its own offset and slope."""
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 40)
    X = random.normal(size=(800, 8)) + random.normal(size=(20, 8))[groups]
    slopes = 1 + 0.7 * random.normal(size=(20, 8))
    y = (X * slopes[groups]).sum(axis=1) + 3 * random.normal(size=20)[groups]
    return X, y + random.normal(size=800), groups


def _trend() -> tuple[Any, ...]:
    """A relation that drifts with time."""
    random = np.random.default_rng(0)
    time = np.linspace(0, 3, 800)
    X = random.normal(size=(800, 6)) + time[:, None] * random.normal(size=6)
    y = X[:, 0] * (1 + time) + np.sin(3 * time) * X[:, 1] + time**2 + random.normal(size=800)
    return X, y


_TREE = {
    "max_depth": IntDistribution(1, 20),
    "min_samples_leaf": IntDistribution(1, 40, log=True),
    "ccp_alpha": LOG(1e-5, 1e-1),
}
_FOREST = {
    "max_depth": IntDistribution(2, 20),
    "max_features": FloatDistribution(0.05, 1.0),
    "min_samples_leaf": IntDistribution(1, 20, log=True),
}

TASKS: dict[str, Task] = {
    "digits, forest, accuracy": Task(
        RandomForestClassifier(20, random_state=0), _FOREST, _digits, "accuracy", _stratified
    ),
    "digits, SVC, accuracy": Task(
        SVC(), {"C": LOG(1e-2, 1e2), "gamma": LOG(1e-5, 1e-1)}, _digits, None, _stratified
    ),
    "cancer, logistic, ROC AUC": Task(
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=300)),
        {"logisticregression__C": LOG(1e-4, 1e3), "standardscaler__with_mean": [True, False]},
        _cancer,
        "roc_auc",
        _stratified,
    ),
    "cancer, tree, log loss": Task(
        DecisionTreeClassifier(random_state=0), _TREE, _cancer, "neg_log_loss", _stratified
    ),
    "wine, kNN, accuracy": Task(
        make_pipeline(StandardScaler(), KNeighborsClassifier()),
        {
            "kneighborsclassifier__n_neighbors": IntDistribution(1, 60),
            "kneighborsclassifier__p": FloatDistribution(1, 4),
            "kneighborsclassifier__weights": ["uniform", "distance"],
        },
        _wine,
        "accuracy",
        _stratified,
    ),
    "rare class, logistic, average precision": Task(
        LogisticRegression(max_iter=300, solver="liblinear"),
        {"C": LOG(1e-4, 1e2), "l1_ratio": [0.0, 1.0], "class_weight": [None, "balanced"]},
        _rare,
        "average_precision",
        _stratified,
    ),
    "rare class, tree, F1": Task(
        DecisionTreeClassifier(random_state=0), _TREE, _rare, "f1", _stratified
    ),
    "rare class, SGD, balanced accuracy": Task(
        SGDClassifier(random_state=0),
        {"alpha": LOG(1e-6, 1e0), "class_weight": [None, "balanced"], "eta0": LOG(1e-3, 1e1)},
        _rare,
        "balanced_accuracy",
        _stratified,
    ),
    "diabetes, elastic net, R2": Task(
        ElasticNet(max_iter=5000),
        {"alpha": LOG(1e-4, 1e1), "l1_ratio": FloatDistribution(0, 1)},
        _diabetes,
        None,
        _shuffled,
    ),
    "diabetes, boosting, squared error": Task(
        GradientBoostingRegressor(n_estimators=30, random_state=0),
        {
            "learning_rate": LOG(1e-2, 1.0),
            "max_depth": IntDistribution(1, 6),
            "subsample": FloatDistribution(0.3, 1.0),
        },
        _diabetes,
        "neg_mean_squared_error",
        _shuffled,
    ),
    "diabetes, SVR, absolute error": Task(
        make_pipeline(StandardScaler(), SVR()),
        {"svr__C": LOG(1e-1, 1e3), "svr__gamma": LOG(1e-4, 1e0), "svr__epsilon": LOG(1e-2, 1e2)},
        _diabetes,
        "neg_mean_absolute_error",
        _shuffled,
    ),
    "Friedman, kNN, root squared error": Task(
        KNeighborsRegressor(),
        {
            "n_neighbors": IntDistribution(1, 60),
            "p": FloatDistribution(1, 4),
            "weights": ["uniform", "distance"],
        },
        _friedman,
        "neg_root_mean_squared_error",
        _shuffled,
    ),
}

HOSTILE: dict[str, Task] = {
    "digits unshuffled, forest": Task(
        RandomForestClassifier(20, random_state=0), _FOREST, _digits, "accuracy", StratifiedKFold
    ),
    "digits sorted by ink, SVC": Task(
        SVC(), {"C": LOG(1e-2, 1e2), "gamma": LOG(1e-5, 1e-1)}, _sorted_digits, None, KFold
    ),
    "diabetes sorted, tree, R2": Task(
        DecisionTreeRegressor(random_state=0), _TREE, _sorted_diabetes, None, KFold
    ),
    "20 groups, elastic net": Task(
        ElasticNet(),
        {"alpha": LOG(1e-3, 1e2), "l1_ratio": FloatDistribution(0, 1)},
        _grouped,
        None,
        GroupKFold,
    ),
    "20 groups, kNN": Task(
        KNeighborsRegressor(),
        {"n_neighbors": IntDistribution(1, 100), "p": FloatDistribution(1, 4)},
        _grouped,
        "neg_mean_squared_error",
        GroupKFold,
    ),
    "trend, elastic net, time series": Task(
        ElasticNet(),
        {"alpha": LOG(1e-3, 1e2), "l1_ratio": FloatDistribution(0, 1)},
        _trend,
        "neg_mean_squared_error",
        TimeSeriesSplit,
    ),
    "trend, tree, unshuffled": Task(
        DecisionTreeRegressor(random_state=0), _TREE, _trend, "neg_mean_squared_error", KFold
    ),
}


def fit_all(task: Task, n_candidates: int, n_splits: int) -> Fitted:
    """Evaluate random candidates of a task on every fold."""
    X, y, *rest = task.data()
    groups = rest[0] if rest else None
    splits = list(task.splitter(n_splits).split(X, y, groups))
    space = make_space(task.space, task.estimator)
    proposer = SamplerProposer(
        space, RandomSampler(), objectives=["score"], values_of=lambda record: ([0.0], {}), seed=0
    )
    context = FoldContext(
        clone(task.estimator),
        X,
        y,
        splits,
        check_scoring(task.estimator, scoring=task.scoring),
        space,
    )
    results = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(n_candidates):
            point = proposer.propose(number)
            assert point is not None
            done = evaluate(TrialTask(number, point, tuple(range(len(splits)))), context)
            results.append({result.fold: result for result in done})
    return Fitted(results, splits)


def fitted_tasks(
    tasks: dict[str, Task], n_candidates: int, n_splits: int, cache: str | None
) -> Iterator[tuple[str, Fitted]]:
    """Yield each task with its candidates fitted, two tasks at a time.

    With `cache`, a folder, what was fitted there before is read.
    """
    folder = Path(cache) if cache else None
    with ProcessPoolExecutor(2) as pool:
        pending: dict[str, Any] = {}
        for name, task in tasks.items():
            path = folder and folder / f"{name} {n_candidates} {n_splits}.pickle"
            if path is None or not path.exists():
                pending[name] = pool.submit(fit_all, task, n_candidates, n_splits), path
            else:
                pending[name] = None, path
        for name, (future, path) in pending.items():
            if future is None:
                yield name, pickle.loads(path.read_bytes())
                continue
            fitted = future.result()
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(pickle.dumps(fitted))
            yield name, fitted
