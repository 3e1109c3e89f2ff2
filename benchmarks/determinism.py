"""Twenty runs at n_jobs=2 with jittered fit times give one and the same `cv_results_`.

30 trials x 5 folds of an SVC on 600 digits with the default sampler (TPE), a seed, and a
sleep in each fit that is drawn anew each time (exponential, mean 10 ms). On processes, with
the workers ended before every second run, so that folds are evaluated in the driver's
process until the new ones are up; on threads; and in one job with the same max_pending.
Compared are all columns of `cv_results_` but the times, to the last bit, types included.
"""

from __future__ import annotations

import argparse

import numpy as np
from _busy import JitteredSVC
from _timing import begin
from joblib import parallel_config
from optuna.distributions import FloatDistribution
from sklearn.datasets import load_digits

from optunasearch import OptunaSearchCV
from optunasearch.execution._slots import warm_slots

X, y = (part[:600] for part in load_digits(return_X_y=True))
SPACE = {
    "C": FloatDistribution(1e-2, 1e3, log=True),
    "gamma": FloatDistribution(1e-5, 1e-1, log=True),
    "shrinking": [True, False],
}


def results(n_jobs: int, n_trials: int) -> dict[str, tuple]:
    """Return `cv_results_` without the times, in a form that == compares in full."""
    search = OptunaSearchCV(
        JitteredSVC(),
        SPACE,
        n_trials=n_trials,
        n_jobs=n_jobs,
        max_pending=3,  # what TPE gets by default with two jobs
        random_state=0,
        refit=False,
    ).fit(X, y)
    return {
        name: (str(np.asarray(column).dtype), repr(np.asarray(column).tolist()))
        for name, column in search.cv_results_.items()
        if "time" not in name
    }


def main() -> None:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--quick", action="store_true", help="a smoke run of 2 runs each")
    made.add_argument("--runs", type=int, default=20, help="of each kind")
    args = begin(made)
    n_runs, n_trials = (2, 10) if args.quick else (args.runs, 30)
    expected = results(1, n_trials)
    for backend in ("loky", "threading"):
        n_equal = 0
        for run in range(n_runs):
            if run % 2:
                warm_slots.kill_all()
            with parallel_config(backend=backend):
                n_equal += results(2, n_trials) == expected
        verdict = "reached" if n_equal == n_runs else "MISSED"
        print(f"{backend}: {n_equal} of {n_runs} runs identical, target all: {verdict}", flush=True)


if __name__ == "__main__":
    main()
