"""Rungs inside the first fold of a net, replayed over stored curves: epochs saved, regret.

Random candidates of a skorch net on digits (learning rate over three decades, batch size,
momentum, dropout, units) are trained for 27 epochs on each of K folds once, scored after
each. A replay draws candidates in a random order and runs the real schedule with the real
rules, as pruner="auto" does. Regret is the loss in the mean score of the winner, in % of
the distance from the best to the median candidate. Needs skorch and torch.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from _race_tasks import InOrder
from _timing import begin, parser
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.samplers import RandomSampler
from sklearn.datasets import load_digits
from sklearn.metrics import check_scoring
from sklearn.model_selection import StratifiedKFold
from skorch import NeuralNetClassifier

from optunasearch._samplers import SamplerProposer
from optunasearch._space import make_space
from optunasearch.execution._fold import FoldContext, evaluate
from optunasearch.execution._records import FoldResult, TrialTask
from optunasearch.execution._schedule import Schedule
from optunasearch.pruning._race import RaceRule
from optunasearch.pruning._rungs import RungRule
from optunasearch.pruning._skorch import follow_net

N_EPOCHS = 27
SPACE = {
    "lr": FloatDistribution(1e-3, 1.0, log=True),
    "batch_size": [32, 64, 128, 256],
    "optimizer__momentum": FloatDistribution(0.0, 0.99),
    "module__n_units": IntDistribution(8, 128, log=True),
    "module__dropout": FloatDistribution(0.0, 0.5),
}


class Net(torch.nn.Module):
    """One hidden layer, the same start for every fit."""

    def __init__(self, n_units=32, dropout=0.0):
        super().__init__()
        torch.manual_seed(0)
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(64, n_units),
            torch.nn.ReLU(),
            torch.nn.Dropout(dropout),
            torch.nn.Linear(n_units, 10),
        )

    def forward(self, X):
        return self.layers(X)


def fit(numbers: range, n_splits: int) -> list[dict[int, FoldResult]]:
    """Train the candidates of these numbers on all folds."""
    torch.set_num_threads(1)
    X, y = load_digits(return_X_y=True)
    X, y = (X / 16).astype(np.float32), y.astype(np.int64)
    net = NeuralNetClassifier(
        Net,
        criterion=torch.nn.CrossEntropyLoss,
        max_epochs=N_EPOCHS,
        train_split=None,
        iterator_train__shuffle=True,
        verbose=0,
    )
    space = make_space(SPACE, net)
    proposer = SamplerProposer(
        space, RandomSampler(), objectives=["score"], values_of=lambda record: ([0.0], {}), seed=0
    )
    points = [proposer.propose(number) for number in range(numbers.stop)]
    context = FoldContext(
        net,
        X,
        y,
        list(StratifiedKFold(n_splits, shuffle=True, random_state=0).split(X, y)),
        check_scoring(net),
        space,
        follow=partial(follow_net, metric="score"),
    )
    found = []
    for number in numbers:
        task = TrialTask(number, points[number], tuple(range(n_splits)))
        found.append({result.fold: result for result in evaluate(task, context)})
    return found


def replay(candidates, order, n_splits: int, factor: int | None) -> tuple[int, int]:
    """Return the epochs that were trained and the winner's place in the order."""
    race = RaceRule(["score"], risk=0.1, n_splits=n_splits)
    schedule = Schedule(
        InOrder(),
        n_trials=len(order),
        n_splits=n_splits,
        lag=1,
        reuse_duplicates=False,
        failed_fold=None,
        rule=race if factor is None else RungRule(race, "score", factor),
    )
    n_epochs = 0
    while True:
        while schedule.ask() is not None or schedule.next_to_tell() is not None:
            record = schedule.next_to_tell()
            if record is not None:
                schedule.tell(record)
        task = schedule.next_task(whole_trials=False)
        if task is None:
            break
        result = candidates[order[task.number]][task.folds[0]]
        for epoch, needed in task.limits:
            if not result.curve[epoch - 1] >= needed:
                curve = result.curve[:epoch]
                result = replace(result, curve=curve, was_stopped=True, test_scores=np.nan)
                break
        n_epochs += len(result.curve)
        schedule.record(task, (result,))
    complete = [r.number for r in schedule.records if r.stop is None]
    means = [np.mean([r.test_scores for r in candidates[order[n]].values()]) for n in complete]
    return n_epochs, complete[int(np.argmax(means))]


def main() -> None:
    made = parser(__doc__, rounds=100)
    made.add_argument("--candidates", type=int, default=120)
    made.add_argument("--trials", type=int, nargs="+", default=[50, 100])
    made.add_argument("--splits", type=int, default=5)
    args = begin(made)
    if args.quick:
        args.candidates, args.trials, args.rounds = 12, [10], 2
    half = args.candidates // 2
    with ProcessPoolExecutor(2) as pool:
        parts = [range(half), range(half, args.candidates)]
        fitted = pool.map(partial(fit, n_splits=args.splits), parts)
        candidates = [candidate for part in fitted for candidate in part]
    means = np.array([np.mean([r.test_scores for r in c.values()]) for c in candidates])
    gap = means.max() - np.median(means)
    for n_trials in args.trials:
        for factor in (None, 2, 3, 4):
            random = np.random.default_rng(0)
            saved, regrets = [], []
            for _ in range(args.rounds):
                order = random.permutation(len(candidates))[:n_trials]
                n_epochs, winner = replay(candidates, order, args.splits, factor)
                saved.append(n_trials * args.splits * N_EPOCHS / n_epochs)
                regrets.append(100 * (means[order].max() - means[order[winner]]) / gap)
            name = "race alone" if factor is None else f"reduction_factor={factor}"
            print(
                f"{n_trials} trials, K={args.splits}, {name}: {np.mean(saved):.2f}x fewer epochs, "
                f"regret {np.mean(regrets):.3f} %, lost {np.mean(np.greater(regrets, 0)):.0%}",
                flush=True,
            )


if __name__ == "__main__":
    main()
