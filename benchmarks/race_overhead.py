"""Race overhead: what deciding between folds costs, as a share of the fits.

100 trials x 5 folds of fits of about 20 ms (a decision tree on breast_cancer and a loop
that takes 20 ms of CPU), n_jobs=1, TPE, our defaults. Two scores: the tree's accuracy, where
the race stops most trials early, and random numbers for each fold, where it decides more often.
Seconds inside the methods of the rule (`RaceRule.settle`, `limits`, `judge`) over the seconds
that the same search has spent in fits and scores. A round is a seed of the search.

Then the wall time of a race that never stops (risk=1e-9, random scores) against pruner=None
on the same trials, A B A B after one uncounted round, in % of the wall time of the latter. It
includes that folds are handed out one by one. "Outside the fits" is the same difference after
each side's own seconds in fits and scores are taken off, in % of the fits: what the machine
does to the fits does not enter.
"""

from __future__ import annotations

import random
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

from _busy import spin
from _timing import Ratio, begin, parser, ratio, report
from optuna.distributions import FloatDistribution, IntDistribution
from sklearn.datasets import load_breast_cancer
from sklearn.tree import DecisionTreeClassifier

from optunasearch import OptunaSearchCV
from optunasearch.pruning import Race
from optunasearch.pruning._race import RaceRule

FIT_SECONDS = 0.02
TARGET = 1.0
SPACE = {
    "max_depth": IntDistribution(1, 20),
    "min_samples_leaf": IntDistribution(1, 40, log=True),
    "ccp_alpha": FloatDistribution(1e-5, 1e-1, log=True),
}
X, y = load_breast_cancer(return_X_y=True)


class SlowTree(DecisionTreeClassifier):
    """A tree whose fit takes 20 ms more."""

    def fit(self, X, y):
        spin(FIT_SECONDS)
        return super().fit(X, y)


class LuckyTree(SlowTree):
    """Its score is a random number, another one for each candidate and fold."""

    def score(self, X, y):
        return random.Random(f"{self.ccp_alpha} {X[:, 0].sum()}").gauss(0, 1)


ESTIMATORS = {
    "scores of a tree": SlowTree(random_state=0),
    "random scores": LuckyTree(random_state=0),
}


@contextmanager
def timed_rule() -> Iterator[list[float]]:
    """Collect the seconds of each call of a method of the rule."""
    seconds: list[float] = []

    def timed(method: Any) -> Any:
        def call(*args: Any) -> Any:
            start = time.perf_counter()
            try:
                return method(*args)
            finally:
                seconds.append(time.perf_counter() - start)

        return call

    methods = {name: getattr(RaceRule, name) for name in ("settle", "limits", "judge")}
    for name, method in methods.items():
        setattr(RaceRule, name, timed(method))
    try:
        yield seconds
    finally:
        for name, method in methods.items():
            setattr(RaceRule, name, method)


def search(name: str, n_trials: int, seed: int, pruner: Any) -> OptunaSearchCV:
    return OptunaSearchCV(
        ESTIMATORS[name], SPACE, n_trials=n_trials, cv=5, pruner=pruner, random_state=seed
    ).fit(X, y)


def fit_seconds(done: OptunaSearchCV) -> float:
    """Return the seconds in fits and scores; a repeated candidate had none."""
    table = done.trials_
    return sum(
        seconds
        for seconds, first in zip(table["fit_seconds"], table["duplicate_of"], strict=True)
        if first is None
    )


def in_the_rule(name: str, n_trials: int, rounds: int) -> None:
    """Print the share of the fit time that goes into the rule's methods."""
    inside, fits = [], []
    for seed in range(rounds):
        with timed_rule() as seconds:
            done = search(name, n_trials, seed, "auto")
        inside.append(100 * sum(seconds))
        fits.append(fit_seconds(done))
        print(
            f"  seed {seed}: {done.n_fits_} of {5 * n_trials} fits, "
            f"{1e3 * fits[-1] / done.n_fits_:.1f} ms each; {len(seconds)} calls of the rule, "
            f"{1e6 * sum(seconds) / len(seconds):.0f} us each"
        )
    report(f"inside the rule, {name}, % of the fits", ratio(inside, fits), TARGET)


def handed_out(n_trials: int, rounds: int) -> None:
    """Print what a race that stops nothing adds to the wall time."""
    pruners = {"Race(risk=1e-9)": Race(risk=1e-9), "None": None}
    wall: dict[str, list[float]] = {side: [] for side in pruners}
    fits: dict[str, list[float]] = {side: [] for side in pruners}
    for number in range(rounds + 1):
        n_fits = set()
        for side, pruner in pruners.items():
            start = time.perf_counter()
            done = search("random scores", n_trials, number, pruner)
            seconds = time.perf_counter() - start - done.refit_time_
            n_fits.add((done.n_fits_, done.best_score_))
            if number > 0:
                wall[side].append(seconds)
                fits[side].append(fit_seconds(done))
        assert len(n_fits) == 1, f"not the same trials: {n_fits}"
    for side in pruners:
        print(f"  pruner={side}: median {median(wall[side]):.3f} s of {rounded(wall[side])}")
    outside = {
        side: [a - b for a, b in zip(wall[side], fits[side], strict=True)] for side in pruners
    }
    for of, seconds, whole in (
        ("wall", wall, wall["None"]),
        ("outside the fits", outside, fits["None"]),
    ):
        added = [
            100 * (a - b) / c
            for a, b, c in zip(*(seconds[side] for side in pruners), whole, strict=True)
        ]
        measured = Ratio(median(added), min(added), max(added))
        report(f"a race that never stops over pruner=None, {of}, % added", measured, TARGET)


def rounded(seconds: list[float]) -> list[float]:
    return [round(run, 3) for run in seconds]


def main() -> None:
    made = parser(__doc__, rounds=5)
    made.add_argument("--trials", type=int, default=100)
    args = begin(made)
    if args.quick:
        args.trials = 15
    warnings.simplefilter("ignore")
    for name in ESTIMATORS:
        print(name)
        in_the_rule(name, args.trials, args.rounds)
    print("wall time")
    handed_out(args.trials, args.rounds)


if __name__ == "__main__":
    main()
