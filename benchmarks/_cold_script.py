"""One whole script: imports, data, one search or a bare loop, nothing printed.

Run by cold_start.py and overhead_against_bare.py as
``_cold_script.py SIDE N_TRIALS N_JOBS [SETTING]``.

`random_state` is searched: whatever the candidate, its fit takes as long.
"""

import sys

from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedKFold

HIGH = 10**6


def ours(forest, X, y, cv, n_trials, n_jobs, setting):
    from _timing import SETTINGS
    from optuna.distributions import IntDistribution

    from optunasearch import OptunaSearchCV

    space = {"random_state": IntDistribution(0, HIGH)}
    OptunaSearchCV(
        forest,
        space,
        n_trials=n_trials,
        sampler="random",
        cv=cv,
        n_jobs=n_jobs,
        refit=False,
        random_state=0,
        **SETTINGS[setting],
    ).fit(X, y)


def theirs(forest, X, y, cv, n_trials, n_jobs, setting):
    from scipy.stats import randint
    from sklearn.model_selection import RandomizedSearchCV

    space = {"random_state": randint(0, HIGH)}
    RandomizedSearchCV(
        forest, space, n_iter=n_trials, cv=cv, n_jobs=n_jobs, refit=False, random_state=0
    ).fit(X, y)


def bare(forest, X, y, cv, n_trials, n_jobs, setting):
    from multiprocessing import Process

    from _bare import loop

    splits = list(cv.split(X, y))
    candidates = [{"random_state": seed} for seed in range(n_trials)]
    if n_jobs == 1:
        loop(forest, candidates, X, y, splits)
        return
    processes = [
        Process(target=loop, args=(forest, candidates[share::n_jobs], X, y, splits))
        for share in range(n_jobs)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()


def main():
    side, n_trials, n_jobs, *setting = sys.argv[1:]
    X, y = load_digits(return_X_y=True)
    forest = RandomForestClassifier(n_estimators=10, random_state=0)
    cv = StratifiedKFold(5)
    {"ours": ours, "theirs": theirs, "bare": bare}[side](
        forest, X, y, cv, int(n_trials), int(n_jobs), *(setting or [None])
    )


if __name__ == "__main__":
    main()
