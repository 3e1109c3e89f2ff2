"""A pipeline whose transformer is fixed and 20 times as slow as its classifier.

SlowScaler -> RidgeClassifier on digits, 100 values of `alpha`, 5 folds, against
GridSearchCV on the same grid. The scaler spins in its fit for 20 times as long as the
classifier takes here to fit and score one fold. Both sides with their defaults, refit
included; ours visits a grid of 100 points in full with n_trials=100. n_jobs=1 and 2, the
workers of both being up. A B A B.

Printed as well: whether `mean_test_score` is equal to the last bit, and how often the
scaler was fitted on each fold (at most once per worker).
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from _busy import SlowScaler
from _timing import begin, in_turn, parser, ratio, report
from _workers import start_workers
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import Pipeline

from optunasearch import OptunaSearchCV

N_SPLITS = 5
X, y = load_digits(return_X_y=True)


def classifier_seconds() -> float:
    """Return how long the classifier takes to fit and score one fold."""
    cross_validate(RidgeClassifier(), X, y, cv=N_SPLITS)
    times = cross_validate(RidgeClassifier(), X, y, cv=N_SPLITS)
    return float(np.median(times["fit_time"] + times["score_time"]))


def pipeline(seconds: float, log: str) -> Pipeline:
    return Pipeline([("scale", SlowScaler(seconds=seconds, log=log)), ("ridge", RidgeClassifier())])


class Side:
    """One search, its last scores and its number of scaler fits on the folds."""

    def __init__(self, make_search, folder: str, name: str, seconds: float) -> None:
        self._make_search = make_search
        self._log = Path(folder, name)
        self._seconds = seconds

    def __call__(self) -> None:
        self._log.write_text("")
        search = self._make_search(pipeline(self._seconds, str(self._log))).fit(X, y)
        self.scores = search.cv_results_["mean_test_score"]
        self.n_fits = len(self._log.read_text().splitlines()) - 1  # the refit


def compare(n_jobs: int, seconds: float, rounds: int, n_trials: int) -> None:
    grid = {"ridge__alpha": list(np.logspace(-3, 5, n_trials))}
    both = {"cv": N_SPLITS, "n_jobs": n_jobs}
    with tempfile.TemporaryDirectory() as folder:
        ours = Side(
            partial(OptunaSearchCV, param_distributions=grid, n_trials=n_trials, **both),
            folder,
            "ours",
            seconds,
        )
        theirs = Side(partial(GridSearchCV, param_grid=grid, **both), folder, "theirs", seconds)
        print(f"n_jobs={n_jobs}")
        if n_jobs > 1:
            start_workers(n_jobs)
            GridSearchCV(RidgeClassifier(), {"alpha": [1, 2]}, **both).fit(X, y)  # joblib's
        runs = in_turn({"ours": ours, "GridSearchCV": theirs}, rounds, warm_up=False)
    measured = ratio(runs["GridSearchCV"], runs["ours"])
    report(f"prefix reuse, n_jobs={n_jobs}, GridSearchCV over ours", measured, 5, at_least=True)
    print(f"  same scores: {np.array_equal(ours.scores, theirs.scores)}")
    print(f"  fits of the scaler per fold: {theirs.n_fits / N_SPLITS:g} by GridSearchCV")
    report("  and by ours", ours.n_fits / N_SPLITS, n_jobs)


def main() -> None:
    args = begin(parser(__doc__, rounds=3))
    each = classifier_seconds()
    print(f"classifier {each * 1e3:.1f} ms, scaler {20 * each * 1e3:.0f} ms a fold")
    for n_jobs in (1, 2):
        compare(n_jobs, 20 * each, args.rounds, 5 if args.quick else 100)


if __name__ == "__main__":
    main()
