"""Growth: what a trial costs besides fitting, late in a search against early.

10,000 trials x 2 folds of an estimator with nothing to fit, 8 parameters, random sampler,
no refit, the rest at our defaults, at n_jobs=1 and n_jobs=2. From the time stamps of the
trials in `study_`: seconds of the last 1,000 trials over those of the first, after a short
search that has imported everything; at n_jobs=2 also one that has started the workers.

Then the pickle of a task: the largest of those sent to the worker processes in a search of
10,000 trials, without callbacks, and with one of scikit-learn's protocol set (whose
contexts know all their siblings).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import numpy as np
from _busy import FreeClassifier, SilentCallback
from _timing import begin, parser, ratio, report
from _workers import start_workers
from optuna.distributions import FloatDistribution

from optunasearch import OptunaSearchCV
from optunasearch.execution._slots import Slot

X, y = np.zeros((20, 2)), np.arange(20) % 2
SPACE = {name: FloatDistribution(0.0, 1.0) for name in "abcdefgh"}


def search(n_trials: int, n_jobs: int, callback: SilentCallback | None = None) -> OptunaSearchCV:
    made = OptunaSearchCV(
        FreeClassifier(),
        SPACE,
        n_trials=n_trials,
        sampler="random",
        cv=2,
        n_jobs=n_jobs,
        refit=False,
        random_state=0,
    )
    if callback is not None:
        made.set_callbacks(callback)
    return made.fit(X, y)


def early_and_late(n_trials: int, n_jobs: int) -> tuple[float, float]:
    """Return seconds per trial in the first and in the last tenth."""
    trials = search(n_trials, n_jobs).study_.trials
    tenth = n_trials // 10
    done = [trial.datetime_complete.timestamp() for trial in trials]
    early = done[tenth - 1] - trials[0].datetime_start.timestamp()
    return early / tenth, (done[-1] - done[-1 - tenth]) / tenth


@contextmanager
def sizes_of_tasks() -> Iterator[list[int]]:
    """Collect the length of each pickle that tells a worker to run a task."""
    sizes: list[int] = []
    send = Slot._send

    def counted(slot: Slot, kind: str, payload: bytes) -> None:
        if kind == "run":
            sizes.append(len(payload))
        send(slot, kind, payload)

    Slot._send = counted
    try:
        yield sizes
    finally:
        Slot._send = send


def main() -> None:
    args = begin(parser(__doc__, rounds=3))
    n_trials = 1000 if args.quick else 10_000
    search(100, 1)
    for n_jobs in (1, 2):
        if n_jobs == 2:
            start_workers(n_jobs)
        runs = [early_and_late(n_trials, n_jobs) for _ in range(args.rounds)]
        early, late = zip(*runs, strict=True)
        print(
            f"n_jobs={n_jobs}: {median(early) * 1e3:.2f} ms a trial early, "
            f"{median(late) * 1e3:.2f} ms late"
        )
        report(f"growth, n_jobs={n_jobs}, late over early", ratio(late, early), 1.3)
    for name, callback in {"no callback": None, "a callback": SilentCallback()}.items():
        with sizes_of_tasks() as sizes:
            search(n_trials, 2, callback)
        print(f"{len(sizes)} tasks sent")
        report(f"largest task, {name}, bytes", max(sizes, default=0), 10_000)


if __name__ == "__main__":
    main()
