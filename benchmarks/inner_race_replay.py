"""Stopping inside the first fold, replayed over stored curves: epochs saved, regret.

Random candidates of each task (a skorch net, LightGBM, scikit-learn's gradient boosting and
histogram gradient boosting, a forest, logistic regression; learning rates over decades) are
fitted on each of K folds once and scored on the way. A replay draws candidates in a random
order and runs the real schedule with the race between folds alone, with the race inside the
first fit too (as pruner="auto" does), and instead with successive halving after 3, 9, 27, ...
epochs. Regret is the
loss in the mean score of the winner, in % of the distance from the best to the median
candidate. Needs skorch, torch and lightgbm.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _race_tasks import TASKS, InOrder
from _timing import begin, parser
from lightgbm import LGBMClassifier, LGBMRegressor
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.samplers import RandomSampler
from sklearn.base import is_classifier
from sklearn.datasets import load_digits
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import check_scoring
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier
from threadpoolctl import threadpool_limits

from optunasearch._samplers import SamplerProposer
from optunasearch._space import make_space
from optunasearch.execution._fold import FoldContext, evaluate
from optunasearch.execution._records import FoldResult, TrialTask, epoch_at
from optunasearch.execution._schedule import Schedule, StoppingRule
from optunasearch.pruning import Epochs
from optunasearch.pruning._following import Following
from optunasearch.pruning._inner_race import SHARES, InnerRaceRule
from optunasearch.pruning._race import RaceRule

RISK = 0.1
RUNGS = (3, 9, 27, 81, 243)
LOG = partial(FloatDistribution, log=True)


@dataclass(frozen=True)
class Task:
    """An iterative estimator, a space, data, a metric."""

    estimator: Any
    space: dict[str, Any]
    data: Callable[[], tuple[Any, Any]]
    scoring: str | None


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


def _digits() -> tuple[Any, Any]:
    X, y = load_digits(return_X_y=True)
    return (X / 16).astype(np.float32), y.astype(np.int64)


_BOOSTING = {
    "learning_rate": LOG(1e-2, 1.0),
    "num_leaves": IntDistribution(2, 64, log=True),
    "min_child_samples": IntDistribution(2, 50, log=True),
    "colsample_bytree": FloatDistribution(0.2, 1.0),
    "reg_lambda": LOG(1e-3, 1e2),
}
_rare, _diabetes, _friedman = (
    next(task.data for name, task in TASKS.items() if name.startswith(start))
    for start in ("rare", "diabetes", "Friedman")
)

RUNG_TASKS = {
    "net, digits, accuracy": Task(
        NeuralNetClassifier(
            Net,
            criterion=torch.nn.CrossEntropyLoss,
            max_epochs=27,
            train_split=None,
            iterator_train__shuffle=True,
            verbose=0,
        ),
        {
            "lr": LOG(1e-3, 1.0),
            "batch_size": [32, 64, 128, 256],
            "optimizer__momentum": FloatDistribution(0.0, 0.99),
            "module__n_units": IntDistribution(8, 128, log=True),
            "module__dropout": FloatDistribution(0.0, 0.5),
        },
        _digits,
        None,
    ),
    "LightGBM, rare class, ROC AUC": Task(
        LGBMClassifier(n_estimators=100, n_jobs=1, verbose=-1, random_state=0),
        _BOOSTING,
        _rare,
        "roc_auc",
    ),
    "LightGBM with 20 to 500 trees, Friedman, squared error": Task(
        LGBMRegressor(n_jobs=1, verbose=-1, random_state=0),
        {**_BOOSTING, "n_estimators": IntDistribution(20, 500, log=True)},
        _friedman,
        "neg_mean_squared_error",
    ),
    "gradient boosting, diabetes, R2": Task(
        GradientBoostingRegressor(n_estimators=100, random_state=0),
        {
            "learning_rate": LOG(1e-3, 1.0),
            "max_depth": IntDistribution(1, 6),
            "subsample": FloatDistribution(0.3, 1.0),
        },
        _diabetes,
        None,
    ),
    "histogram boosting, rare class, log loss": Task(
        HistGradientBoostingClassifier(max_iter=100, random_state=0),
        {
            "learning_rate": LOG(1e-2, 1.0),
            "max_leaf_nodes": IntDistribution(2, 64, log=True),
            "min_samples_leaf": IntDistribution(2, 50, log=True),
            "l2_regularization": LOG(1e-3, 1e2),
        },
        _rare,
        "neg_log_loss",
    ),
    "forest, digits, accuracy": Task(
        RandomForestClassifier(100, random_state=0),
        {
            "max_depth": IntDistribution(2, 20),
            "max_features": FloatDistribution(0.05, 1.0),
            "min_samples_leaf": IntDistribution(1, 20, log=True),
        },
        _digits,
        None,
    ),
    "logistic, digits, log loss": Task(
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=200)),
        {"logisticregression__C": LOG(1e-4, 1e3), "standardscaler__with_std": [True, False]},
        _digits,
        "neg_log_loss",
    ),
}


def fit(name: str, numbers: range, n_splits: int) -> list[dict[int, FoldResult]]:
    """Fit the candidates of these numbers on all folds."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    task = RUNG_TASKS[name]
    X, y = task.data()
    splitter = StratifiedKFold if is_classifier(task.estimator) else KFold
    space = make_space(task.space, task.estimator)
    proposer = SamplerProposer(
        space, RandomSampler(), objectives=["score"], values_of=lambda record: ([0.0], {}), seed=0
    )
    points = [proposer.propose(number) for number in range(numbers.stop)]
    context = FoldContext(
        task.estimator,
        X,
        y,
        list(splitter(n_splits, shuffle=True, random_state=0).split(X, y)),
        check_scoring(task.estimator, scoring=task.scoring),
        space,
        following=Following("score", Epochs(), (*SHARES, *RUNGS)),
    )
    found = []
    with threadpool_limits(1):
        for number in numbers:
            todo = TrialTask(number, points[number], tuple(range(n_splits)))
            found.append({result.fold: result for result in evaluate(todo, context)})
    return found


class Halving(InnerRaceRule):
    """Successive halving: at each rung a fit goes on if it is among the best third so far."""

    def limits(self, n_settled: int) -> tuple[tuple[float, float], ...]:
        """Return the scores that are among the best third."""
        known = [first for first in self._first[:n_settled] if first is not None]
        longest = max((first.n_epochs_run for first in known), default=0)
        found = []
        for epoch in (rung for rung in RUNGS if rung < longest):
            came = [f for f in known if f.n_epochs_run >= epoch or not f.was_stopped]
            scores = sorted((f.value_at(epoch) for f in came), reverse=True)
            if len(scores) >= 6:
                found.append((epoch, scores[len(scores) // 3 - 1]))
        return tuple(found)


RULES: dict[str, Callable[[RaceRule], StoppingRule]] = {
    "race between folds alone": lambda race: race,
    "race inside too": lambda race: InnerRaceRule(race, "score", risk=RISK),
    "successive halving inside": lambda race: Halving(race, "score", risk=RISK),
}


def replay(candidates, order, n_splits: int, rule_of) -> tuple[int, int]:
    """Return the epochs that were trained and the winner's place in the order."""
    race = RaceRule(["score"], risk=RISK, n_splits=n_splits)
    schedule = Schedule(
        InOrder(),
        n_trials=len(order),
        n_splits=n_splits,
        lag=1,
        reuse_duplicates=False,
        failed_fold=None,
        rule=rule_of(race),
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
        candidate = candidates[order[task.number]]
        result = candidate[task.folds[0]]
        n_run = planned(candidate)
        for at, needed in task.limits:
            epoch = epoch_at(at, result.n_epochs)
            if epoch < n_run and not result.value_at(epoch) >= needed:
                curve = tuple(point for point in result.curve if point[0] <= epoch)
                result = replace(result, curve=curve, was_stopped=True, test_scores=np.nan)
                n_run = epoch
                break
        n_epochs += n_run
        schedule.record(task, (result,))
    complete = [r.number for r in schedule.records if r.stop is None]
    means = [np.mean([r.test_scores for r in candidates[order[n]].values()]) for n in complete]
    return n_epochs, complete[int(np.argmax(means))]


def planned(candidate: dict[int, FoldResult]) -> int:
    """Return the epochs of a whole fit, as seen in the first fold."""
    return candidate[0].n_epochs_run


def fitted(name: str, n_candidates: int, n_splits: int, cache: str | None):
    """Return the candidates of a task, read from the cache if they are there."""
    path = Path(cache, f"{name} {n_candidates} {n_splits}.pickle") if cache else None
    if path is not None and path.exists():
        return pickle.loads(path.read_bytes())
    half = n_candidates // 2
    with ProcessPoolExecutor(2) as pool:
        halves = [
            pool.submit(fit, name, numbers, n_splits)
            for numbers in (range(half), range(half, n_candidates))
        ]
        candidates = [candidate for found in halves for candidate in found.result()]
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(candidates))
    return candidates


def main() -> None:
    made = parser(__doc__, rounds=100)
    made.add_argument("--candidates", type=int, default=120)
    made.add_argument("--trials", type=int, nargs="+", default=[50, 100])
    made.add_argument("--splits", type=int, default=5)
    made.add_argument("--tasks", nargs="+", default=list(RUNG_TASKS))
    made.add_argument("--cache", help="folder in which fitted candidates are kept")
    args = begin(made)
    if args.quick:
        args.candidates, args.trials, args.rounds, args.tasks = 12, [10], 2, args.tasks[:2]
    for name in args.tasks:
        candidates = fitted(name, args.candidates, args.splits, args.cache)
        means = np.array([np.mean([r.test_scores for r in c.values()]) for c in candidates])
        gap = means.max() - np.median(means)
        for n_trials in args.trials:
            for name_of_rule, rule_of in RULES.items():
                random = np.random.default_rng(0)
                saved, regrets = [], []
                for _ in range(args.rounds):
                    order = random.permutation(len(candidates))[:n_trials]
                    n_epochs, winner = replay(candidates, order, args.splits, rule_of)
                    full = args.splits * sum(planned(candidates[i]) for i in order)
                    saved.append(full / n_epochs)
                    regrets.append(100 * (means[order].max() - means[order[winner]]) / gap)
                print(
                    f"{name}, {n_trials} trials, K={args.splits}, {name_of_rule}: "
                    f"{np.mean(saved):.2f}x fewer epochs, regret {np.mean(regrets):.3f} %, "
                    f"lost {np.mean(np.greater(regrets, 0)):.0%}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
