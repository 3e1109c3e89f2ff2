"""Cold: a whole script with one search at n_jobs=2, against RandomizedSearchCV(n_jobs=2).

Imports, data, start of workers, the search without a refit, and the end of the process:
the wall time of `_cold_script.py` in a fresh interpreter, which finds a byte-compiled copy
of the package. Forests of 10 trees on digits, 5 folds, `random_state` drawn at random (the
fits of all candidates take as long). The number of trials comes from the time of a fit
here, so that 0.5 s, 5 s and 60 s of fitting are at least one trial. A B C D A B C D.
The floor is the same script with two bare forked processes, which import nothing anew.
"Our defaults" tries the estimator's own value first and fits no candidate twice; "like for
like" sets initial_params=None, reuse_duplicates=False.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from _interpreter import installed_package, run
from _timing import SETTINGS, begin, in_turn, parser, ratio, report
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_score

TARGETS = {0.5: 0.5, 5.0: 0.8, 60.0: 0.95}
SCRIPT = str(Path(__file__).with_name("_cold_script.py"))


def seconds_of_a_trial() -> float:
    """Return how long the five fits and scores of one candidate take, warm."""
    X, y = load_digits(return_X_y=True)
    forest = RandomForestClassifier(n_estimators=10, random_state=0)
    seconds = []
    for _ in range(4):
        start = time.perf_counter()
        cross_val_score(forest, X, y, cv=5)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main() -> None:
    args = begin(parser(__doc__, rounds=5))
    seconds_each = seconds_of_a_trial()
    print(f"{seconds_each:.3f} s of fitting for each trial")
    with installed_package() as environment:

        def script(*arguments: str) -> None:
            run(environment, SCRIPT, *arguments)

        for fitting, target in TARGETS.items():
            if args.quick and fitting > 5:
                continue
            n_trials = str(max(1, round(fitting / seconds_each)))
            print(f"{fitting} s of fitting: {n_trials} trials")
            sides = {name: partial(script, "ours", n_trials, "2", name) for name in SETTINGS}
            sides["RandomizedSearchCV"] = partial(script, "theirs", n_trials, "2")
            sides["floor"] = partial(script, "bare", n_trials, "2")
            # The uncounted round fills the file system's cache.
            seconds = in_turn(sides, args.rounds, warm_up=fitting == 0.5)
            for name in SETTINGS:
                measured = ratio(seconds[name], seconds["RandomizedSearchCV"])
                report(f"cold, {fitting} s of fitting, {name}", measured, target)
            floor = ratio(seconds["floor"], seconds["RandomizedSearchCV"])
            print(f"cold, {fitting} s of fitting, floor: {floor}")


if __name__ == "__main__":
    main()
