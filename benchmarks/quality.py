"""Quality: the best CV score after 50 trials, against two other searches.

OptunaSearchCV with sampler="tpe" against optuna-integration's OptunaSearchCV (its TPE) and
RandomizedSearchCV: 8 tasks on scikit-learn's bundled data, 10 seeds, 50 trials each, the
same space, the same 5 shuffled folds. The estimators are deterministic; a seed is a seed of
the search. Compared is `best_score_`, paired by seed, with 95 % t intervals.

Ours twice: at our defaults (hopeless trials stopped between folds, the estimator's own
values tried first, repeated candidates not fitted again), and like for like (pruner=None,
initial_params=None, reuse_duplicates=False).

"Gap closed" puts tasks on one scale: the difference to the other's score, over the mean
distance of RandomizedSearchCV's score from the best that any search found on the task.
Target: no task worse than either of the two with an interval that excludes 0, and better on
average. By chance alone about one in forty intervals lies below 0. Needs
optuna-integration, takes about CPU-minutes 40.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from _timing import begin
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from scipy.stats import loguniform, randint, t, uniform
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import ElasticNet
from sklearn.model_selection import KFold, RandomizedSearchCV, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.svm import SVC, SVR
from threadpoolctl import threadpool_limits

from optunasearch import OptunaSearchCV
from optunasearch.pruning import Race

N_TRIALS = 50
OURS = {
    # What pruner="auto" is with a refit.
    "our defaults": {"pruner": Race(metric="score")},
    "like for like": {"initial_params": None, "reuse_duplicates": False, "pruner": None},
}
OTHERS = ("optuna-integration", "RandomizedSearchCV")
Space = dict[str, BaseDistribution]


@dataclass(frozen=True)
class Task:
    """An estimator, its data, its space and its score."""

    estimator: Any
    load: Callable[[], Any]
    space: Space
    scoring: str
    n_rows: int | None = None

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        X, y = self.load(return_X_y=True)
        return X[: self.n_rows], y[: self.n_rows]

    @property
    def cv(self) -> KFold | StratifiedKFold:
        kind = KFold if self.load is load_diabetes else StratifiedKFold
        return kind(5, shuffle=True, random_state=0)


def log(low: float, high: float) -> FloatDistribution:
    return FloatDistribution(low, high, log=True)


FOREST: Space = {
    "max_depth": IntDistribution(2, 20),
    "max_features": FloatDistribution(0.05, 1.0),
    "min_samples_leaf": IntDistribution(1, 10),
    "criterion": CategoricalDistribution(["gini", "entropy"]),
}
FORESTS = RandomForestClassifier(n_estimators=10, random_state=0)
TASKS = {
    "forest, digits": Task(FORESTS, load_digits, FOREST, "accuracy", 400),
    "forest, breast cancer": Task(FORESTS, load_breast_cancer, FOREST, "roc_auc"),
    "SVC, digits": Task(
        SVC(), load_digits, {"C": log(1e-2, 1e3), "gamma": log(1e-6, 1e0)}, "accuracy", 400
    ),
    "SVC, breast cancer": Task(
        make_pipeline(StandardScaler(), SVC()),
        load_breast_cancer,
        {"svc__C": log(1e-3, 1e3), "svc__gamma": log(1e-6, 1e1)},
        "roc_auc",
    ),
    "kNN, breast cancer": Task(
        make_pipeline(StandardScaler(), KNeighborsClassifier()),
        load_breast_cancer,
        {
            "kneighborsclassifier__n_neighbors": IntDistribution(1, 100),
            "kneighborsclassifier__weights": CategoricalDistribution(["uniform", "distance"]),
            "kneighborsclassifier__p": CategoricalDistribution([1, 2]),
            "standardscaler__with_std": CategoricalDistribution([True, False]),
        },
        "neg_log_loss",
    ),
    "boosting, diabetes": Task(
        GradientBoostingRegressor(random_state=0),
        load_diabetes,
        {
            "n_estimators": IntDistribution(5, 40),
            "learning_rate": log(0.01, 1.0),
            "max_depth": IntDistribution(1, 4),
            "min_samples_leaf": IntDistribution(1, 50, log=True),
            "subsample": FloatDistribution(0.3, 1.0),
        },
        "r2",
    ),
    "elastic net, diabetes": Task(
        make_pipeline(PolynomialFeatures(2), StandardScaler(), ElasticNet(max_iter=200)),
        load_diabetes,
        {"elasticnet__alpha": log(1e-2, 1e2), "elasticnet__l1_ratio": FloatDistribution(0.0, 1.0)},
        "neg_mean_squared_error",
    ),
    "SVR, diabetes": Task(
        make_pipeline(StandardScaler(), SVR()),
        load_diabetes,
        {
            "svr__C": log(1e-1, 1e4),
            "svr__epsilon": log(1e-2, 1e2),
            "svr__gamma": log(1e-5, 1e1),
        },
        "neg_mean_absolute_error",
    ),
}


def scipy_distribution(distribution: BaseDistribution) -> Any:
    """Return the same distribution as RandomizedSearchCV takes it."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    low, high = distribution.low, distribution.high
    if isinstance(distribution, IntDistribution):
        return LogInteger(low, high) if distribution.log else randint(low, high + 1)
    return loguniform(low, high) if distribution.log else uniform(low, high - low)


@dataclass(frozen=True)
class LogInteger:
    """Integers as Optuna draws them on a log scale."""

    low: int
    high: int

    def rvs(self, random_state: np.random.RandomState | None = None) -> int:
        drawn = loguniform(self.low - 0.5, self.high + 0.5).rvs(random_state=random_state)
        return int(np.clip(np.round(drawn), self.low, self.high))


def make_search(side: str, task: Task, n_trials: int, seed: int) -> Any:
    both = {"scoring": task.scoring, "cv": task.cv, "refit": False, "random_state": seed}
    if side == "RandomizedSearchCV":
        space = {name: scipy_distribution(values) for name, values in task.space.items()}
        return RandomizedSearchCV(task.estimator, space, n_iter=n_trials, **both)
    if side == "optuna-integration":
        from optuna_integration import OptunaSearchCV as Integration

        return Integration(task.estimator, task.space, n_trials=n_trials, **both)
    return OptunaSearchCV(
        task.estimator, task.space, n_trials=n_trials, sampler="tpe", **OURS[side], **both
    )


def best_scores(name: str, seed: int, n_trials: int) -> dict[str, float]:
    """Run all sides on one task with one seed."""
    import optuna

    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    task = TASKS[name]
    X, y = task.data()
    with threadpool_limits(1):
        return {
            side: float(make_search(side, task, n_trials, seed).fit(X, y).best_score_)
            for side in (*OURS, *OTHERS)
        }


def interval(differences: np.ndarray) -> tuple[float, float, float]:
    """Return the mean and its 95 % t interval."""
    n = len(differences)
    half = t.ppf(0.975, n - 1) * differences.std(ddof=1) / np.sqrt(n)
    return differences.mean(), differences.mean() - half, differences.mean() + half


def compare(scores: dict[str, dict[str, np.ndarray]], side: str, other: str) -> None:
    """Print a table of `side` against `other` and whether the target is reached."""
    print(f"\n{side} against {other}")
    print(f"{'task':<24}{'ours':>12}{'theirs':>12}{'difference and 95 % interval':>42}{'gap':>8}")
    gaps, worse = [], []
    for name, of in scores.items():
        mean, low, high = interval(of[side] - of[other])
        best = max(values.max() for values in of.values())
        scale = best - of["RandomizedSearchCV"].mean()
        gaps.append((of[side] - of[other]) / scale)
        if high < 0:
            worse.append(name)
        shown = f"{mean:+.5f} [{low:+.5f}, {high:+.5f}]"
        print(
            f"{name:<24}{of[side].mean():>12.5f}{of[other].mean():>12.5f}"
            f"{shown:>42}{gaps[-1].mean():>+8.2f}"
        )
    mean, low, high = interval(np.mean(gaps, axis=0))
    print(f"gap closed, mean of all tasks: {mean:+.3f} [{low:+.3f}, {high:+.3f}]")
    reached = "reached" if mean > 0 and not worse else "MISSED"
    print(f"quality, {side} against {other}: significantly worse on {worse or 'none'}: {reached}")


def main() -> None:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--quick", action="store_true", help="a smoke run: 2 seeds, 12 trials")
    made.add_argument("--jobs", type=int, default=os.cpu_count(), help="seeds run at a time")
    made.add_argument("--seeds", type=int, default=10, help="number of seeds")
    made.add_argument("--first-seed", type=int, default=0)
    args = begin(made)
    n_trials, n_seeds = (12, 2) if args.quick else (N_TRIALS, args.seeds)
    seeds = range(args.first_seed, args.first_seed + n_seeds)
    print(f"{len(TASKS)} tasks x {n_seeds} seeds x {n_trials} trials")
    scores: dict[str, dict[str, np.ndarray]] = {}
    with ProcessPoolExecutor(args.jobs, multiprocessing.get_context("spawn")) as pool:
        futures = {
            name: [pool.submit(best_scores, name, seed, n_trials) for seed in seeds]
            for name in TASKS
        }
        for name, of_task in futures.items():
            runs = [future.result() for future in of_task]
            scores[name] = {side: np.array([run[side] for run in runs]) for side in runs[0]}
            print(f"done: {name}", flush=True)
    for side in OURS:
        for other in OTHERS:
            compare(scores, side, other)


if __name__ == "__main__":
    main()
