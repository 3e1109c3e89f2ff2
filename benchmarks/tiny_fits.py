"""Tiny fits: what a search costs besides fitting, against RandomizedSearchCV.

400 trials x 5 folds of GaussianNB on breast_cancer, `var_smoothing` log-uniform in
[1e-12, 0.1], drawn at random on both sides, refit included. Wall time with workers that
are up (for their start see cold_start.py); A B C A B C after one uncounted round.
"Our defaults" tries the estimator's own value first and fits no candidate twice; "like for
like" sets initial_params=None, reuse_duplicates=False.
"""

from __future__ import annotations

from functools import partial

from _timing import SETTINGS, begin, in_turn, parser, ratio, report
from _workers import start_workers
from optuna.distributions import FloatDistribution
from scipy.stats import loguniform
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import RandomizedSearchCV
from sklearn.naive_bayes import GaussianNB

from optunasearch import OptunaSearchCV

TARGETS = {1: 0.90, 2: 0.75}
X, y = load_breast_cancer(return_X_y=True)


def ours(n_trials: int, n_jobs: int, setting: dict) -> None:
    search = OptunaSearchCV(
        GaussianNB(),
        {"var_smoothing": FloatDistribution(1e-12, 0.1, log=True)},
        n_trials=n_trials,
        sampler="random",
        cv=5,
        n_jobs=n_jobs,
        random_state=0,
        **setting,
    )
    assert len(search.fit(X, y).cv_results_["params"]) == n_trials


def theirs(n_trials: int, n_jobs: int) -> None:
    search = RandomizedSearchCV(
        GaussianNB(),
        {"var_smoothing": loguniform(1e-12, 0.1)},
        n_iter=n_trials,
        cv=5,
        n_jobs=n_jobs,
        random_state=0,
    )
    search.fit(X, y)


def main() -> None:
    args = begin(parser(__doc__, rounds=7))
    n_trials = 40 if args.quick else 400
    for n_jobs, target in TARGETS.items():
        print(f"n_jobs={n_jobs}")
        if n_jobs > 1:
            start_workers(n_jobs)
        sides = {name: partial(ours, n_trials, n_jobs, SETTINGS[name]) for name in SETTINGS}
        sides["RandomizedSearchCV"] = partial(theirs, n_trials, n_jobs)
        seconds = in_turn(sides, args.rounds)
        for name in SETTINGS:
            measured = ratio(seconds[name], seconds["RandomizedSearchCV"])
            report(f"tiny fits, n_jobs={n_jobs}, {name}", measured, target)


if __name__ == "__main__":
    main()
