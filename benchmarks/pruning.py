"""Pruning: TPE and random search with the race and without, on the same seeds.

Each task of race_replay.py, K folds, `--trials` trials, `--seeds` seeds, n_jobs=1: fits and
wall time of pruner=None over those of pruner="auto", regret (loss in final CV score, in % of
the distance from the best to the median candidate of the full search), and the paired
difference of the final CV score in the same unit with its 95 % t interval. Also the score of
the winner on a quarter of the data that no search has seen, paired likewise. Groups and time
series are left to race_replay.py.
"""

from __future__ import annotations

import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
from _race_tasks import TASKS
from _timing import begin, parser
from scipy.stats import t
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from optunasearch import OptunaSearchCV


def both(name: str, sampler: str, n_splits: int, n_trials: int, seed: int) -> dict[str, Any]:
    """Run one search with the race and without."""
    warnings.simplefilter("ignore")
    task = TASKS[name]
    X, y = task.data()
    labels = y if task.estimator.__sklearn_tags__().estimator_type == "classifier" else None
    X, X_test, y, y_test = train_test_split(X, y, random_state=0, stratify=labels)
    found: dict[str, Any] = {}
    with threadpool_limits(1):
        for pruner in (None, "auto"):
            start = time.perf_counter()
            search = OptunaSearchCV(
                task.estimator,
                task.space,
                n_trials=n_trials,
                sampler=sampler,
                scoring=task.scoring,
                cv=task.splitter(n_splits),
                pruner=pruner,
                random_state=seed,
            ).fit(X, y)
            seconds = time.perf_counter() - start
            score, test_score = search.best_score_, search.score(X_test, y_test)
            found[str(pruner)] = (search.n_fits_, seconds, score, test_score)
            if pruner is None:
                means = search.cv_results_["mean_test_score"]
                found["gap"] = np.nanmax(means) - np.nanmedian(means)
    return found


def interval(differences: np.ndarray) -> str:
    """Return the mean and its 95 % t interval."""
    n = len(differences)
    half = t.ppf(0.975, n - 1) * differences.std(ddof=1) / np.sqrt(n) if n > 1 else np.nan
    return f"{differences.mean():+.3f} ± {half:.3f} %"


def main() -> None:
    made = parser(__doc__, rounds=1)
    made.add_argument("--seeds", type=int, default=10)
    made.add_argument("--trials", type=int, default=100)
    made.add_argument("--splits", type=int, nargs="+", default=[5])
    made.add_argument("--samplers", nargs="+", default=["tpe", "random"])
    made.add_argument("--tasks", nargs="+", default=list(TASKS))
    args = begin(made)
    if args.quick:
        args.seeds, args.trials, args.tasks = 1, 20, args.tasks[:2]
    with ProcessPoolExecutor(2) as pool:
        for sampler in args.samplers:
            for n_splits in args.splits:
                rows: list[dict[str, Any]] = []
                for name in args.tasks:
                    seeds = range(args.seeds)
                    found = [
                        future.result()
                        for future in [
                            pool.submit(both, name, sampler, n_splits, args.trials, seed)
                            for seed in seeds
                        ]
                    ]
                    report(f"{sampler}, K={n_splits}, {name}", found)
                    rows += found
                report(f"{sampler}, K={n_splits}, ALL", rows)


def report(name: str, found: list[dict[str, Any]]) -> None:
    fits = np.mean([f["None"][0] / f["auto"][0] for f in found])
    wall = np.mean([f["None"][1] / f["auto"][1] for f in found])
    score, test = (
        np.array([100 * (f["auto"][i] - f["None"][i]) / f["gap"] for f in found]) for i in (2, 3)
    )
    regret = np.maximum(-score, 0).mean()
    print(
        f"{name}: {fits:.2f}x fewer fits, {wall:.2f}x less wall, regret {regret:.3f} %, "
        f"CV score {interval(score)}, test score {interval(test)}",
        flush=True,
    )


if __name__ == "__main__":
    main()
