"""Prediction cost: what carrying the out-of-fold predictions adds to a search.

The same search, random candidates, n_jobs=1, with predictions taken along (our defaults) and
with none at all (what makes the recorder is replaced by a function that makes none), A B A B
after one uncounted round: CPU time of ours over theirs, which with one job is the wall time of
a machine that does nothing else. The condition of the target is that probabilities cost at
most 5 % of a fit, or that the scorer needs them anyway; the last task meets neither and is
shown for what it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from _timing import begin, in_turn, parser, ratio, report
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from optunasearch import OptunaSearchCV

TARGET = 1.05
CANCER = load_breast_cancer(return_X_y=True)
DIGITS = load_digits(return_X_y=True)
SMOOTHING = {"var_smoothing": [10.0**-power for power in range(1, 101)]}
# Name: estimator, space, scoring, data, number of trials.
TASKS: dict[str, tuple[Any, dict[str, Any], str | None, Any, int]] = {
    "forest, accuracy": (
        RandomForestClassifier(30, random_state=0),
        {"min_samples_leaf": list(range(1, 13))},
        None,
        DIGITS,
        12,
    ),
    "pipeline of a logistic regression, accuracy": (
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=200)),
        {"logisticregression__C": [2.0**power for power in range(-5, 15)]},
        None,
        DIGITS,
        20,
    ),
    "tiny fits of naive Bayes, log loss": (GaussianNB(), SMOOTHING, "neg_log_loss", CANCER, 100),
    "tiny fits of naive Bayes, accuracy (no target)": (GaussianNB(), SMOOTHING, None, CANCER, 100),
}


def search(name: str, *, quick: bool) -> Callable[[], float]:
    """Return a function that runs the search of a task and returns CPU seconds."""
    estimator, space, scoring, (X, y), n_trials = TASKS[name]

    def run() -> float:
        start = time.process_time()
        OptunaSearchCV(
            estimator,
            space,
            n_trials=3 if quick else n_trials,
            sampler="random",
            scoring=scoring,
            pruner=None,
            random_state=0,
        ).fit(X, y)
        return time.process_time() - start

    return run


def main() -> None:
    args = begin(parser(__doc__, rounds=5))
    with threadpool_limits(1):
        for name in TASKS:
            run = search(name, quick=args.quick)

            def without(run: Callable[[], float] = run) -> float:
                with patch("optunasearch._trials.make_recorder", return_value=None):
                    return run()

            seconds = in_turn({"with": run, "without": without}, args.rounds)
            report(name, ratio(seconds["with"], seconds["without"]), TARGET)


if __name__ == "__main__":
    main()
