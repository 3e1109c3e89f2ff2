"""The corrected score of a search's winner against its true score.

Each task, n of 100, 200 and 500 rows, `--seeds` seeds, both samplers, K=5 shuffled, no pruner:
the bias of `best_score_` and of the corrected score (their mean difference from the score of
the refitted winner on 5,000 fresh rows, or on the rest of the data), their root mean squared
errors, and how often the 95 % interval has the true score in it.
Targets: the absolute bias of the corrected score is at most a third of that of `best_score_`
or 0.02, over all seeds of a task and over all tasks; coverage at least 0.9.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain, product
from typing import Any, NamedTuple

import numpy as np
from _timing import begin, parser, report
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from sklearn.base import is_classifier
from sklearn.datasets import load_digits, make_classification, make_friedman1
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from threadpoolctl import threadpool_limits

from optunasearch import OptunaSearchCV

N_FRESH = 5000
SIZES = (100, 200, 500)
SAMPLERS = ("tpe", "random")
LOG = partial(FloatDistribution, log=True)


def synthetic(n_rows: int, seed: int, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    options = {"n_informative": 5, "flip_y": 0.1, "class_sep": 0.8, **options}
    return make_classification(n_rows, random_state=seed, **options)


def friedman(n_rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    return make_friedman1(n_rows, noise=2.0, random_state=seed)


def digits(n_rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(y))
    return X[order], y[order]


@dataclass(frozen=True)
class Task:
    """An estimator, a space, data of `data(n_rows, seed)`, a metric."""

    estimator: Any
    space: dict[str, Any]
    data: Callable[..., tuple[np.ndarray, np.ndarray]]
    scoring: str


TREE = {
    "max_depth": IntDistribution(1, 12),
    "min_samples_leaf": IntDistribution(1, 20),
    "max_features": FloatDistribution(0.2, 1),
    "splitter": CategoricalDistribution(("best", "random")),
}
RBF = {"C": LOG(1e-2, 1e3), "gamma": LOG(1e-4, 1.0)}
LINEAR = {"C": LOG(1e-3, 1e2), "class_weight": CategoricalDistribution((None, "balanced"))}
NEIGHBOURS = {
    "n_neighbors": IntDistribution(1, 30),
    "weights": CategoricalDistribution(("uniform", "distance")),
    "p": IntDistribution(1, 2),
}


def scaled(model: Any, space: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return a pipeline and the space with its names."""
    name = type(model).__name__.lower()
    steps = make_pipeline(StandardScaler(), model)
    return steps, {f"{name}__{key}": value for key, value in space.items()}


def tree(kind: Any) -> tuple[Any, dict[str, Any]]:
    return kind(random_state=0), TREE


NOISE = partial(synthetic, flip_y=1.0)
SKEWED = partial(synthetic, weights=[0.8])
TASKS = {
    "tree, accuracy": Task(*tree(DecisionTreeClassifier), synthetic, "accuracy"),
    "tree on noise, accuracy": Task(*tree(DecisionTreeClassifier), NOISE, "accuracy"),
    "tree, ROC AUC": Task(*tree(DecisionTreeClassifier), SKEWED, "roc_auc"),
    "SVC, accuracy": Task(*scaled(SVC(), RBF), synthetic, "accuracy"),
    "neighbours on digits, accuracy": Task(KNeighborsClassifier(), NEIGHBOURS, digits, "accuracy"),
    "logistic, log loss": Task(*scaled(LogisticRegression(), LINEAR), SKEWED, "neg_log_loss"),
    "tree, R²": Task(*tree(DecisionTreeRegressor), friedman, "r2"),
    "SVR, R²": Task(*scaled(SVR(), RBF), friedman, "r2"),
}


class Found(NamedTuple):
    """What one search says of its winner, and how good that is."""

    naive: float
    corrected: float
    low: float
    high: float
    true: float


def one(name: str, n_rows: int, sampler: str, n_trials: int, seed: int) -> Found:
    """Run one search."""
    warnings.simplefilter("ignore")
    task = TASKS[name]
    X, y = task.data(n_rows + N_FRESH, seed)
    kind = StratifiedKFold if is_classifier(task.estimator) else KFold
    with threadpool_limits(1):
        search = OptunaSearchCV(
            task.estimator,
            task.space,
            n_trials=n_trials,
            sampler=sampler,
            scoring=task.scoring,
            cv=kind(5, shuffle=True, random_state=seed),
            pruner=None,
            calibration=None,
            random_state=seed,
        ).fit(X[:n_rows], y[:n_rows])
        corrected, (low, high) = search.best_score_corrected_, search.best_score_interval_
        true = search.score(X[n_rows:], y[n_rows:])
    return Found(search.best_score_, corrected, low, high, true)


def main() -> None:
    made = parser(__doc__, rounds=1)
    made.add_argument("--seeds", type=int, default=20)
    made.add_argument("--first-seed", type=int, default=1000)
    made.add_argument("--trials", type=int, default=50)
    made.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    made.add_argument("--samplers", nargs="+", default=list(SAMPLERS))
    made.add_argument("--tasks", nargs="+", default=list(TASKS))
    made.add_argument("--processes", type=int, default=2)
    args = begin(made)
    if args.quick:
        args.seeds, args.trials, args.tasks, args.sizes = 2, 10, args.tasks[:2], [100]
    seeds = range(args.first_seed, args.first_seed + args.seeds)
    by_cell: dict[tuple[int, str], list[Found]] = {}
    with ProcessPoolExecutor(args.processes) as pool:
        for name in args.tasks:
            by_size: dict[tuple[int, str], list[Found]] = {}
            cases = list(product(args.sizes, args.samplers, seeds))
            futures = [pool.submit(one, name, n, s, args.trials, seed) for n, s, seed in cases]
            for (n, sampler, _), future in zip(cases, futures, strict=True):
                by_size.setdefault((n, sampler), []).append(future.result())
            for (n, sampler), found in by_size.items():
                tell(f"{name}, n={n}, {sampler}", found)
                by_cell.setdefault((n, sampler), []).extend(found)
            judge(f"{name}, ALL", list(chain(*by_size.values())))
    for (n, sampler), found in by_cell.items():
        tell(f"ALL, n={n}, {sampler}", found)
    for n in args.sizes:
        judge(f"ALL, n={n}", [f for (size, _), all_ in by_cell.items() if size == n for f in all_])
    judge("ALL", list(chain(*by_cell.values())))


def tell(name: str, found: list[Found]) -> tuple[float, float, float]:
    """Print and return the two biases and the coverage."""
    naive, corrected, low, high, true = np.array(found).T
    errors = {"best_score_": naive - true, "corrected": corrected - true}
    shown = ", ".join(
        f"{key} bias {e.mean():+.3f} ± {1.96 * e.std() / np.sqrt(len(e)):.3f} "
        f"rmse {np.sqrt(np.mean(e**2)):.3f}"
        for key, e in errors.items()
    )
    coverage = float(np.mean((low <= true) & (true <= high)))
    width = np.mean(high - low)
    print(f"{name}: {shown}, interval covers {coverage:.2f}, width {width:.3f}", flush=True)
    return float(errors["best_score_"].mean()), float(errors["corrected"].mean()), coverage


def judge(name: str, found: list[Found]) -> None:
    naive, corrected, coverage = tell(name, found)
    report(f"  {name}, absolute bias", abs(corrected), max(abs(naive) / 3, 0.02))
    report(f"  {name}, coverage", coverage, 0.9, at_least=True)


if __name__ == "__main__":
    main()
