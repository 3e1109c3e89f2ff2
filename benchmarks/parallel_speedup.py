"""Parallel speed-up with GIL-bound fits of log-normal durations (sigma = 1).

40 trials x 5 folds. A fit spins in pure Python for so much CPU time: median 158 ms, so
that 50 to 500 ms is about one sigma on either side; nothing is clipped but the outermost
1 % on either side. Once all folds of a trial take as long as each other, once each fold
draws its own. Random sampler, seeded; the rest at our defaults.

Measured in turn, workers being up: the search at n_jobs=1, the same search at n_jobs=2
(same trials), and free-running: two bare processes that take the very same fits in the
order of the trials, whoever is free the next one, without waiting for any result (a
work-conserving list schedule). "Ideal" is that schedule on paper.
"""

from __future__ import annotations

import heapq
import multiprocessing
from functools import partial

import numpy as np
from _bare import Processes, evaluate
from _busy import LogNormalClassifier, fold_seconds
from _timing import begin, in_turn, parser, ratio, report
from _workers import start_workers
from optuna.distributions import FloatDistribution
from sklearn.model_selection import KFold

from optunasearch import OptunaSearchCV

X = np.column_stack([np.arange(100.0) ** 2, np.zeros(100)])
y = np.arange(100) % 2
SPLITS = list(KFold(5).split(X))


def search(estimator: LogNormalClassifier, sampler: str, n_trials: int, n_jobs: int) -> list:
    """Run the search; return its candidates in the order of trials."""
    # max_pending, so that TPE too proposes the same trials with any number of jobs.
    fitted = OptunaSearchCV(
        estimator,
        {"quantile": FloatDistribution(0.01, 0.99)},
        n_trials=n_trials,
        sampler=sampler,
        cv=SPLITS,
        n_jobs=n_jobs,
        refit=False,
        random_state=0,
        max_pending=3 if sampler != "random" else None,
    ).fit(X, y)
    return fitted.cv_results_["params"]


def work(data: tuple, tasks: list) -> None:
    """Run in each bare process: take the next fit until none is left."""
    counter, estimator_class, X, y = data
    while True:
        with counter.get_lock():
            number = counter.value
            counter.value += 1
        if number >= len(tasks):
            return
        params, split = tasks[number]
        evaluate(estimator_class(), params, X, y, *split)


def list_schedule(durations: list[float], n_workers: int) -> float:
    """Return the wall time if whoever is free takes the next one at once."""
    free_at = [0.0] * n_workers
    for duration in durations:
        heapq.heappush(free_at, heapq.heappop(free_at) + duration)
    return max(free_at)


def compare(name: str, estimator: LogNormalClassifier, args, n_trials: int) -> None:
    candidates = search(
        LogNormalClassifier(**{**estimator.get_params(), "scale": 0.0}), args.sampler, n_trials, 1
    )
    tasks = [
        ({**estimator.get_params(), **params}, split) for params in candidates for split in SPLITS
    ]
    durations = [
        fold_seconds(LogNormalClassifier(**params), X[train]) for params, (train, _) in tasks
    ]
    print(
        f"{name}: {sum(durations):.1f} s of fitting, fits of {min(durations) * 1e3:.0f} to "
        f"{max(durations) * 1e3:.0f} ms, ideal {list_schedule(durations, 2):.2f} s"
    )
    counter = multiprocessing.get_context("spawn").Value("l", 0)

    def free_running() -> None:
        counter.value = 0
        processes.run([tasks, tasks])

    with Processes(2, work, (counter, LogNormalClassifier, X, y)) as processes:
        start_workers(2)
        seconds = in_turn(
            {
                "n_jobs=1": partial(search, estimator, args.sampler, n_trials, 1),
                "n_jobs=2": partial(search, estimator, args.sampler, n_trials, 2),
                "free-running": free_running,
            },
            args.rounds,
            warm_up=False,
        )
    one, two, free = seconds.values()
    report(f"speed-up, {name}", ratio(one, two), 1.8, at_least=True)
    report(f"wall over free-running, {name}", ratio(two, free), 1.1)
    print(f"free-running over its ideal, {name}: {min(free) / list_schedule(durations, 2):.2f}")


def main() -> None:
    made = parser(__doc__, rounds=3)
    made.add_argument("--sampler", default="random", help="a name that OptunaSearchCV knows")
    args = begin(made)
    scale, n_trials = (0.1, 10) if args.quick else (1.0, 40)
    compare("durations by trial", LogNormalClassifier(scale=scale), args, n_trials)
    compare("durations by fold", LogNormalClassifier(scale=scale, by_fold=True), args, n_trials)


if __name__ == "__main__":
    main()
