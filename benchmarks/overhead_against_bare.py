"""What a search costs above a bare loop of clone, fit and score.

Warm: 400 trials x 5 folds of GaussianNB on breast_cancer, `var_smoothing` log-uniform,
random sampler, no refit. At n_jobs=1 against the loop in this process, at n_jobs=2 against
two processes that are up, hold the data and get half of the candidates each. The workers
of the search are up as well. A B C A B C after one uncounted round.

Cold: the whole scripts of cold_start.py with 5 s of fitting (forests on digits), against a
whole script that imports only what the loop needs; for two processes it starts them with
multiprocessing's default start method (fork on Linux before Python 3.14: they inherit all
imports and the data, at no cost).

"Our defaults" tries the estimator's own value first and fits no candidate twice; "like for
like" sets initial_params=None, reuse_duplicates=False.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from _bare import Processes, loop
from _interpreter import installed_package, run
from _timing import SETTINGS, begin, in_turn, parser, ratio, report
from _workers import start_workers
from cold_start import seconds_of_a_trial
from optuna.distributions import FloatDistribution
from scipy.stats import loguniform
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import ParameterSampler, StratifiedKFold
from sklearn.naive_bayes import GaussianNB

from optunasearch import OptunaSearchCV

TARGETS = {1: 1.10, 2: 1.25}
SCRIPT = str(Path(__file__).with_name("_cold_script.py"))
X, y = load_breast_cancer(return_X_y=True)


def ours(n_trials: int, n_jobs: int, setting: dict) -> None:
    OptunaSearchCV(
        GaussianNB(),
        {"var_smoothing": FloatDistribution(1e-12, 0.1, log=True)},
        n_trials=n_trials,
        sampler="random",
        cv=5,
        n_jobs=n_jobs,
        refit=False,
        random_state=0,
        **setting,
    ).fit(X, y)


def candidates_and_splits(n_trials: int) -> tuple[list, list]:
    space = {"var_smoothing": loguniform(1e-12, 0.1)}
    candidates = list(ParameterSampler(space, n_trials, random_state=0))
    return candidates, list(StratifiedKFold(5).split(X, y))


def bare_loop(n_trials: int) -> None:
    candidates, splits = candidates_and_splits(n_trials)
    loop(GaussianNB(), candidates, X, y, splits)


def bare_processes(processes: Processes, n_trials: int) -> None:
    candidates, splits = candidates_and_splits(n_trials)
    processes.run([(candidates[share::2], splits) for share in range(2)])


def work(data: tuple, share: tuple) -> list[float]:
    """Run in each of the bare processes."""
    return loop(GaussianNB(), share[0], *data, share[1])


def warm(n_trials: int, rounds: int) -> None:
    with Processes(2, work, (X, y)) as processes:
        bare = {1: partial(bare_loop, n_trials), 2: partial(bare_processes, processes, n_trials)}
        for n_jobs, target in TARGETS.items():
            print(f"warm, n_jobs={n_jobs}, {n_trials} trials")
            if n_jobs > 1:
                start_workers(n_jobs)
            sides = {name: partial(ours, n_trials, n_jobs, SETTINGS[name]) for name in SETTINGS}
            seconds = in_turn({**sides, "bare": bare[n_jobs]}, rounds)
            for name in SETTINGS:
                measured = ratio(seconds[name], seconds["bare"])
                report(f"over bare, warm, n_jobs={n_jobs}, {name}", measured, target)


def cold(fitting: float, rounds: int) -> None:
    n_trials = str(max(2, round(fitting / seconds_of_a_trial())))
    with installed_package() as environment:

        def script(*arguments: str) -> None:
            run(environment, SCRIPT, *arguments)

        for n_jobs, target in TARGETS.items():
            print(f"cold, n_jobs={n_jobs}, {n_trials} trials")
            sides = {
                name: partial(script, "ours", n_trials, str(n_jobs), name) for name in SETTINGS
            }
            sides["bare"] = partial(script, "bare", n_trials, str(n_jobs))
            seconds = in_turn(sides, rounds)
            for name in SETTINGS:
                measured = ratio(seconds[name], seconds["bare"])
                report(f"over bare, cold, n_jobs={n_jobs}, {name}", measured, target)


def main() -> None:
    made = parser(__doc__, rounds=7)
    made.add_argument("--seconds", type=float, default=5.0, help="of fitting in a cold script")
    args = begin(made)
    warm(40 if args.quick else 400, args.rounds)
    cold(0.5 if args.quick else args.seconds, args.rounds)


if __name__ == "__main__":
    main()
