"""Decision thresholds: whether a bound made on fold models holds for the refit.

For each family of models and each of `--runs` samples of `--rows` rows: out-of-fold scores
from 5 stratified folds, a threshold chosen on them, a refit on all rows, and its true
sensitivity (specificity, precision) on `--truth` rows made alike. Held is the share of the
samples in which nothing was claimed that is not so; it should be the confidence or more,
and is judged to two standard errors. Pooled is the same without knowing the folds. Met is how
often the requirement could be shown, and the last figures are the means of the true
sensitivity and specificity where it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from _timing import begin, parser
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

from optunasearch.decision import DecisionThreshold
from optunasearch.decision._threshold import choose_threshold

PREVALENCE = 0.3
FAMILIES: dict[str, Callable[[], Any]] = {
    "logistic regression": LogisticRegression,
    "naive Bayes": GaussianNB,
    "forest": lambda: RandomForestClassifier(50, random_state=0),
    "15 neighbours": lambda: KNeighborsClassifier(15),
    "gradient boosting": lambda: GradientBoostingClassifier(n_estimators=50, random_state=0),
    "hist. gradient boosting": lambda: HistGradientBoostingClassifier(max_iter=40),
    "tree, 10 a leaf": lambda: DecisionTreeClassifier(min_samples_leaf=10, random_state=0),
    "tree, 25 a leaf": lambda: DecisionTreeClassifier(min_samples_leaf=25, random_state=0),
}
REQUIREMENTS: list[dict[str, float]] = [
    {"sensitivity": 0.95},
    {"sensitivity": 0.8},
    {"specificity": 0.9},
    {"precision": 0.6},
    {"sensitivity": 0.7, "specificity": 0.5},
]
CONFIDENCES = (0.8, 0.95)


def made(n_rows: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return features and classes: shifts, one of them to either side, and a wider spread."""
    y = rng.uniform(size=n_rows) < PREVALENCE
    X = rng.normal(size=(n_rows, 8))
    X[:, 0] += 1.2 * y
    X[:, 1] += 0.8 * y
    X[:, 2] *= np.where(y, 1.5, 1.0)
    X[:, 3] += np.where(rng.uniform(size=n_rows) < 0.5, 1.5, -1.5) * y
    return X, y


def one_sample(name: str, n_rows: int, n_truth: int, seed: int) -> list[tuple[float, ...]]:
    """Return (held, held pooled, met, sensitivity, specificity) of each requirement."""
    X, y = made(n_rows, np.random.default_rng([1, seed]))
    score, folds = np.empty(n_rows), np.empty(n_rows, dtype=int)
    with threadpool_limits(1):
        splitter = StratifiedKFold(5, shuffle=True, random_state=seed)
        for fold, (train, test) in enumerate(splitter.split(X, y)):
            model = FAMILIES[name]().fit(X[train], y[train])
            score[test], folds[test] = model.predict_proba(X[test])[:, 1], fold
        model = FAMILIES[name]().fit(X, y)
        X_new, y_new = made(n_truth, np.random.default_rng([2, seed]))
        new = model.predict_proba(X_new)[:, 1]
    found = []
    for confidence in CONFIDENCES:
        for required in REQUIREMENTS:
            wanted = DecisionThreshold(**required, confidence=confidence)
            pooled = choose_threshold(y, score, wanted)
            choice = choose_threshold(y, score, wanted, folds=folds)
            truth = shares(y_new, new >= choice.threshold)
            held = not choice.is_met or holds(required, truth)
            truth_pooled = shares(y_new, new >= pooled.threshold)
            held_pooled = not pooled.is_met or holds(required, truth_pooled)
            means = (truth["sensitivity"], truth["specificity"])
            found.append((held, held_pooled, choice.is_met, *means))
    return found


def shares(y: np.ndarray, called: np.ndarray) -> dict[str, float]:
    right = float((called & y).sum())
    return {
        "sensitivity": right / y.sum(),
        "specificity": float((~called & ~y).sum() / (~y).sum()),
        "precision": right / max(float(called.sum()), 1.0),
    }


def holds(required: dict[str, float], truth: dict[str, float]) -> bool:
    return all(truth[name] >= least for name, least in required.items())


def main() -> None:
    asked = parser(__doc__, rounds=1)
    asked.add_argument("--runs", type=int, default=150)
    asked.add_argument("--rows", type=int, default=500)
    asked.add_argument("--truth", type=int, default=100_000)
    asked.add_argument("--families", nargs="+", default=list(FAMILIES))
    args = begin(asked)
    if args.quick:
        args.runs, args.truth, args.families = 4, 5_000, args.families[:2]
    with ProcessPoolExecutor(2) as pool:
        for name in args.families:
            work = partial(one_sample, name, args.rows, args.truth)
            report(name, np.array(list(pool.map(work, range(args.runs))), dtype=float))


def report(name: str, found: np.ndarray) -> None:
    """Print what held in (n_runs, n_requirements, 5) results."""
    print(name)
    wanted = [(c, r) for c in CONFIDENCES for r in REQUIREMENTS]
    for (confidence, required), results in zip(wanted, found.swapaxes(0, 1), strict=True):
        held, pooled, met = results[:, :3].mean(axis=0)
        least = confidence - 2 * math.sqrt(confidence * (1 - confidence) / len(results))
        is_met = results[:, 2] == 1
        means = results[is_met, 3:].mean(axis=0) if is_met.any() else np.full(2, np.nan)
        text = " and ".join(f"{share} {value:g}" for share, value in required.items())
        print(
            f"  {text}, confidence {confidence:g}: held {held:.3f} (pooled {pooled:.3f}), "
            f"least {least:.3f}: {'reached' if held >= least else 'MISSED'}; met {met:.2f}, "
            f"sensitivity {means[0]:.3f}, specificity {means[1]:.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
