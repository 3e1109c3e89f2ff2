"""The race between folds, replayed over stored results: fits saved, winners lost, regret.

Random candidates of each task are fitted on all folds once. A replay draws candidates in a
random order and races them with the real schedule and the real rule, looking results up
instead of fitting. So thousands of searches can be run, and both sides of each (with and
without the race) see the same candidates. "Workers" step in time: all folds take as long.

- fits: all folds of all candidates over those that ran (also those run ahead in vain).
- lost: searches that end with a lower score than without the race.
- regret: loss of the mean score, in % of the distance between the best and the median.
"""

from __future__ import annotations

import time

import numpy as np
from _race_tasks import HOSTILE, TASKS, Fitted, InOrder, fitted_tasks
from _timing import begin, parser

from optunasearch.execution._schedule import Schedule
from optunasearch.pruning._choice import _is_forward
from optunasearch.pruning._race import RaceRule


def replay(fitted: Fitted, order, *, risk: float, lag: int, n_workers: int):
    """Race the candidates in this order; return the fits that ran and the winner."""
    n_splits = len(fitted.splits)
    rule = RaceRule(
        ["score"],
        risk=risk,
        n_splits=n_splits,
        first_fold=-(-n_splits // 2) if _is_forward(fitted.splits) else 1,
    )
    schedule = Schedule(
        InOrder(),
        n_trials=len(order),
        n_splits=n_splits,
        lag=lag,
        reuse_duplicates=False,
        failed_fold=None,
        rule=rule,
    )
    n_fits = 0
    while True:
        tasks = []
        progress = True
        while progress:
            progress = False
            while len(tasks) < n_workers and (task := schedule.next_task(whole_trials=False)):
                tasks.append(task)
            if schedule.ask() is not None:
                progress = True
            elif (record := schedule.next_to_tell()) is not None:
                schedule.tell(record)
                progress = True
        while len(tasks) < n_workers:
            task = schedule.next_task(whole_trials=False, ahead=True)
            if task is None:
                break
            tasks.append(task)
        if not tasks:
            break
        n_fits += len(tasks)
        for task in tasks:
            candidate = fitted.results[order[task.number]]
            schedule.record(task, tuple(candidate[fold] for fold in task.folds))
    complete = [r.number for r in schedule.records if r.stop is None]
    means = fitted.means[order]
    return n_fits, max(complete, key=lambda number: (means[number], -number))


def summary(fitted: Fitted, n_races: int, n_trials: int, *, risk: float, lag: int, n_workers: int):
    """Return fits saved, share of winners lost, and mean regret in %."""
    random = np.random.default_rng(0)
    all_means = fitted.means
    gap = all_means.max() - np.median(all_means)
    saved, lost, regrets = [], 0, []
    for _ in range(n_races):
        order = random.permutation(len(all_means))[:n_trials]
        n_fits, winner = replay(fitted, order, risk=risk, lag=lag, n_workers=n_workers)
        means = all_means[order]
        saved.append(n_trials * len(fitted.splits) / n_fits)
        lost += means[winner] < means.max()
        regrets.append(100 * (means.max() - means[winner]) / gap)
    return np.mean(saved), lost / n_races, np.mean(regrets)


def main() -> None:
    made = parser(__doc__, rounds=100)
    made.add_argument("--candidates", type=int, default=200, help="fitted for each task")
    made.add_argument("--trials", type=int, default=100, help="of them in each race")
    made.add_argument("--splits", type=int, nargs="+", default=[5, 10])
    made.add_argument("--risks", type=float, nargs="+", default=[0.1, 0.05, 0.15, 0.2])
    made.add_argument("--lags", type=int, nargs="+", default=[1, 4, 8, 16])
    made.add_argument("--cache", help="folder in which fitted candidates are kept")
    args = begin(made)
    if args.quick:
        args.candidates, args.trials, args.rounds = 30, 20, 3
    for kind, tasks in {"shuffled": TASKS, "hostile": HOSTILE}.items():
        for n_splits in args.splits:
            totals: dict = {}
            for name, fitted in fitted_tasks(tasks, args.candidates, n_splits, args.cache):
                for risk in args.risks:
                    for lag in args.lags if risk == args.risks[0] else args.lags[:1]:
                        start = time.perf_counter()
                        found = summary(
                            fitted,
                            args.rounds,
                            args.trials,
                            risk=risk,
                            lag=lag,
                            n_workers=max(1, round(lag / 1.5)),
                        )
                        seconds = (time.perf_counter() - start) / args.rounds
                        totals.setdefault((risk, lag), []).append(found)
                        line(f"{name}, K={n_splits}", risk, lag, found, f", {seconds:.3f} s each")
            for (risk, lag), rows in totals.items():
                line(f"ALL {kind}, K={n_splits}", risk, lag, np.mean(rows, axis=0), "")


def line(name, risk, lag, found, note) -> None:
    saved, lost, regret = found
    print(
        f"{name}: risk {risk:g}, lag {lag}: {saved:.2f}x fewer fits, "
        f"lost {100 * lost:.1f} %, regret {regret:.3f} %{note}",
        flush=True,
    )


if __name__ == "__main__":
    main()
