"""Peers: time to the score that the slowest of them ends with.

OptunaSearchCV at its defaults against RandomizedSearchCV, HalvingRandomSearchCV,
optuna-integration's OptunaSearchCV and scikit-optimize's BayesSearchCV: the same
distributions, the same 5 shuffled folds, n_jobs=1, two tasks at a time on two cores. A round
is a seed of the search; within it the sides run in turn.

Each side has a curve: the best mean score of a whole candidate, against the seconds since
`fit` was called; no refit counts. The score to reach is the one that the slowest peer ends
with after `--trials` candidates. The others go on until they reach it, to at most twice as
many candidates, so that what counts is time. The time of a side is that of its first candidate
that is as good, "never" if there is none. For each task: the median over the rounds of each
side's time, and the ratio of the least median of a peer to ours. The ratio is 0 if ours is
"never".

The peers' folds are timed by their scorer, which writes a line to a file (some 25 us). Ours are
timed by a callback after each trial; those that were stopped before their last fold do not
count. The defaults include the estimator's own values as the first candidate if the space has
them, the race between folds, and leading steps of a pipeline that are not fitted again.

HalvingRandomSearchCV scores most candidates on fewer rows, which is another score. It starts
with as many candidates as the others have (min_resources="exhaust": its last round has nearly
all rows). Its curve is one point: when it ended, and the score of its `best_params_` on the
whole folds, evaluated afterwards and not timed.

The tasks are those of race_replay.py whose fits take about 20 ms or more; the other seven have
other data (OTHER_DATA), chosen before any search ran on them, by the time of a fit and the
spread of the scores of twelve random candidates. "In the median" is over the tasks.
BayesSearchCV thinks for some 0.4 s per candidate and so nearly always sets the score to reach.
Scores are compared to nine digits: as many errors, one of them in a smaller fold, may be
"never". Needs optuna-integration and scikit-optimize; a peer that cannot run is left out, and
the error shown.
"""

from __future__ import annotations

import json
import math
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import optuna
from _race_tasks import TASKS, Task
from _timing import begin, parser, report
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    IntDistribution,
)
from quality import scipy_distribution
from sklearn.base import clone
from sklearn.datasets import load_digits, make_classification, make_friedman1, make_regression
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.metrics import check_scoring
from sklearn.model_selection import HalvingRandomSearchCV, RandomizedSearchCV, cross_val_score
from threadpoolctl import threadpool_limits

from optunasearch import OptunaSearchCV

N_SPLITS = 5
# How many times the budget of candidates the others may go on.
FURTHER = 2
OURS = "ours"
Curve = list[tuple[float, float]]
Data = tuple[Any, Any]


def _many_features() -> Data:
    return make_classification(2500, 600, n_informative=20, flip_y=0.05, random_state=0)


def _balanced() -> Data:
    return make_classification(2000, 20, n_informative=6, flip_y=0.05, random_state=0)


def _digits() -> Data:
    X, y = load_digits(return_X_y=True)
    return X[:500], y[:500]


def _rare() -> Data:
    return make_classification(
        8000, 20, n_informative=6, weights=[0.9], flip_y=0.03, class_sep=0.8, random_state=0
    )


def _linear() -> Data:
    return make_regression(1500, 600, n_informative=60, noise=300.0, random_state=0)


def _friedman() -> Data:
    return make_friedman1(800, noise=2.0, random_state=0)


# What a task is called here, and the data that it has instead.
OTHER_DATA: dict[str, tuple[str, Callable[[], Data]]] = {
    "cancer, logistic, ROC AUC": ("2500 rows, logistic, ROC AUC", _many_features),
    "cancer, tree, log loss": ("2000 rows, tree, log loss", _balanced),
    "wine, kNN, accuracy": ("500 digits, kNN, accuracy", _digits),
    "rare class, logistic, average precision": (
        "rare class, 8000 rows, logistic, average precision",
        _rare,
    ),
    "rare class, SGD, balanced accuracy": (
        "rare class, 8000 rows, SGD, balanced accuracy",
        _rare,
    ),
    "diabetes, elastic net, R2": ("1500 rows, elastic net, R2", _linear),
    "diabetes, SVR, absolute error": ("Friedman, SVR, absolute error", _friedman),
}


def heavy_tasks() -> dict[str, Task]:
    found = {}
    for name, task in TASKS.items():
        if name in OTHER_DATA:
            name, data = OTHER_DATA[name]
            task = replace(task, data=data)
        found[name] = task
    return found


HEAVY = heavy_tasks()


def scipy_space(space: dict[str, Any]) -> dict[str, Any]:
    """Return the space as RandomizedSearchCV takes it."""
    return {
        name: values if isinstance(values, list) else scipy_distribution(values)
        for name, values in space.items()
    }


def optuna_space(space: dict[str, Any]) -> dict[str, BaseDistribution]:
    """Return the space as optuna-integration takes it."""
    return {
        name: CategoricalDistribution(values) if isinstance(values, list) else values
        for name, values in space.items()
    }


def skopt_space(space: dict[str, Any]) -> dict[str, Any]:
    """Return the space as BayesSearchCV takes it."""
    from skopt.space import Categorical, Integer, Real

    found = {}
    for name, values in space.items():
        if isinstance(values, list):
            found[name] = Categorical(values)
            continue
        kind = Integer if isinstance(values, IntDistribution) else Real
        prior = "log-uniform" if values.log else "uniform"
        found[name] = kind(values.low, values.high, prior=prior)
    return found


@dataclass(frozen=True)
class Recorder:
    """A scorer that notes what it has scored, and when, in a file for all processes."""

    scorer: Any
    names: tuple[str, ...]
    path: str

    def __call__(self, estimator: Any, X: Any, y: Any) -> float:
        score = self.scorer(estimator, X, y)
        candidate = repr([value_of(estimator, name) for name in self.names])
        with open(self.path, "a") as file:
            file.write(json.dumps([time.monotonic(), candidate, float(score)]) + "\n")
        return score

    def curve(self, start: float) -> Curve:
        """Return when each candidate had its last fold, and its mean score."""
        scores = defaultdict(list)
        points = []
        for line in Path(self.path).read_text().splitlines():
            moment, candidate, score = json.loads(line)
            scores[candidate].append(score)
            if len(scores[candidate]) == N_SPLITS:
                mean = float(np.mean(scores.pop(candidate)))
                if math.isfinite(mean):
                    points.append((moment - start, mean))
        return points


def value_of(estimator: Any, name: str) -> Any:
    """Return a parameter; `get_params` of a pipeline would take longer."""
    *steps, last = name.split("__")
    for step in steps:
        estimator = estimator[step]
    return getattr(estimator, last)


@dataclass(frozen=True)
class Run:
    """What came of a search: its curve, and what it had after its budget of candidates."""

    curve: Curve
    budget: int

    @property
    def best(self) -> float:
        return max((score for _, score in self.curve[: self.budget]), default=-math.inf)

    @property
    def seconds(self) -> float:
        return self.curve[: self.budget][-1][0]

    def time_to(self, target: float) -> float:
        """Return the seconds until the target is reached, inf if it never is."""
        for seconds, score in self.curve:
            if score >= target or math.isclose(score, target, rel_tol=1e-9):
                return seconds
        return math.inf


def run_ours(task: Task, data: Data, n_trials: int, seed: int) -> Run:
    curve: Curve = []

    def note(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        if trial.state == optuna.trial.TrialState.COMPLETE:
            curve.append((time.monotonic() - start, trial.value))

    search = OptunaSearchCV(
        task.estimator,
        task.space,
        n_trials=FURTHER * n_trials,
        scoring=task.scoring,
        cv=task.splitter(N_SPLITS),
        random_state=seed,
        callbacks=[note],
    )
    start = time.monotonic()
    search.fit(*data)
    # Its best score is of a complete trial: nothing better was left out of the curve.
    assert math.isclose(search.best_score_, max(score for _, score in curve), rel_tol=1e-9)
    return Run(curve, len(curve))


def run_peer(make: Callable[..., Any], task: Task, data: Data, n_trials: int, **both: Any) -> Run:
    both |= {"cv": task.splitter(N_SPLITS), "refit": False}
    with tempfile.TemporaryDirectory() as folder:
        scorer = check_scoring(task.estimator, scoring=task.scoring)
        recorder = Recorder(scorer, tuple(task.space), f"{folder}/scores")
        search = make(task, n_trials, scoring=recorder, **both)
        start = time.monotonic()
        search.fit(*data)
        curve = recorder.curve(start)
    assert math.isclose(search.best_score_, max(score for _, score in curve), rel_tol=1e-9)
    return Run(curve, n_trials)


def random_search(task: Task, n_trials: int, **both: Any) -> Any:
    n_iter = FURTHER * n_trials
    return RandomizedSearchCV(task.estimator, scipy_space(task.space), n_iter=n_iter, **both)


def integration(task: Task, n_trials: int, **both: Any) -> Any:
    from optuna_integration import OptunaSearchCV as Integration

    further = FURTHER * n_trials
    return Integration(task.estimator, optuna_space(task.space), n_trials=further, **both)


def bayes_search(task: Task, n_trials: int, **both: Any) -> Any:
    """Return the slowest, which goes no further."""
    from skopt import BayesSearchCV

    return BayesSearchCV(task.estimator, skopt_space(task.space), n_iter=n_trials, **both)


def run_halving(task: Task, data: Data, n_trials: int, random_state: int) -> Run:
    cv = task.splitter(N_SPLITS)
    search = HalvingRandomSearchCV(
        task.estimator,
        scipy_space(task.space),
        n_candidates=n_trials,
        min_resources="exhaust",
        scoring=task.scoring,
        cv=cv,
        refit=False,
        random_state=random_state,
    )
    start = time.monotonic()
    search.fit(*data)
    seconds = time.monotonic() - start
    best = clone(task.estimator).set_params(**search.best_params_)
    score = float(cross_val_score(best, *data, scoring=task.scoring, cv=cv).mean())
    return Run([(seconds, score)], 1)


def run_side(side: str, task: Task, data: Data, n_trials: int, seed: int) -> Run:
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        if side == OURS:
            return run_ours(task, data, n_trials, seed)
        if side == "HalvingRandomSearchCV":
            return run_halving(task, data, n_trials, random_state=seed)
        return run_peer(MAKERS[side], task, data, n_trials, random_state=seed)


MAKERS = {
    "RandomizedSearchCV": random_search,
    "optuna-integration": integration,
    "BayesSearchCV": bayes_search,
}
PEERS = ("RandomizedSearchCV", "HalvingRandomSearchCV", "optuna-integration", "BayesSearchCV")


def usable_sides() -> list[str]:
    """Run each side once, uncounted: it imports, and shows whether it works."""
    task = TASKS["wine, kNN, accuracy"]
    found = []
    for side in (OURS, *PEERS):
        try:
            run_side(side, task, task.data(), 12, seed=0)
        except Exception as error:
            if side == OURS:
                raise
            print(f"{side} is left out: {error!r}")
        else:
            found.append(side)
    return found


def seconds_to_target(runs: dict[str, Run]) -> dict[str, float]:
    """Return the time of each side to the score that the slowest peer ends with."""
    peers = [side for side in runs if side != OURS]
    slowest = max(peers, key=lambda side: runs[side].seconds)
    return {side: run.time_to(runs[slowest].best) for side, run in runs.items()}


def shown(seconds: float) -> str:
    return "never" if math.isinf(seconds) else f"{seconds:.2f} s"


def race(name: str, sides: list[str], args: Any) -> tuple[float, str]:
    """Run a task; return the ratio of the best peer to ours, and what to print."""
    task = HEAVY[name]
    data = task.data()
    lines = [name]
    times: dict[str, list[float]] = {side: [] for side in sides}
    for seed in range(args.rounds):
        # The first of a round is another one each time.
        order = sides[seed % len(sides) :] + sides[: seed % len(sides)]
        runs = {s: run_side(s, task, data, args.trials, seed) for s in order}
        found = seconds_to_target({side: runs[side] for side in sides})
        for side, seconds in found.items():
            times[side].append(seconds)
    medians = {side: median(seconds) for side, seconds in times.items()}
    peer = min((side for side in sides if side != OURS), key=medians.__getitem__)
    ratio = 0.0 if math.isinf(medians[OURS]) else medians[peer] / medians[OURS]
    for side, seconds in times.items():
        rounds = ", ".join(shown(s) for s in seconds)
        lines.append(f"  {side}: median {shown(medians[side])} of [{rounds}]")
    theirs = zip(*(times[side] for side in sides if side != OURS), strict=True)
    n_first = sum(own < min(others) for own, others in zip(times[OURS], theirs, strict=True))
    lines.append(f"  {peer} over ours: {ratio:.2f}; ours first in {n_first} of {args.rounds}")
    return ratio, "\n".join(lines)


def main() -> None:
    made = parser(__doc__, rounds=3)
    made.add_argument("--trials", type=int, default=50)
    made.add_argument("--tasks", nargs="+", default=list(HEAVY), choices=list(HEAVY))
    args = begin(made)
    if args.quick:
        args.trials, args.tasks = 12, args.tasks[:2]
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sides = usable_sides()
    ratios = {}
    with ProcessPoolExecutor(2) as pool:
        running = {name: pool.submit(race, name, sides, args) for name in args.tasks}
        for name, future in running.items():
            ratios[name], text = future.result()
            print(text, flush=True)
    print("\nbest peer over ours")
    for name, value in ratios.items():
        print(f"  {name:<52}{value:>8.2f}")
    setting = f"{len(ratios)} tasks, {len(sides) - 1} peers"
    report(f"peers, {setting}: median", median(ratios.values()), 3.0, at_least=True)
    n_first = sum(value > 1 for value in ratios.values())
    report(f"peers, {setting}: tasks where ours is first", n_first, len(ratios), at_least=True)


if __name__ == "__main__":
    main()
