"""Calibration: out-of-fold predictions put to work, against CalibratedClassifierCV.

Each data set x 6 families of models x `--seeds` seeds: log loss and Brier score (the sum over
the classes) on rows that no fit has seen, of the plain model, of calibration="auto" from the
out-of-fold predictions of 5 folds (for the refitted model, and for the pool of the fold models),
and of CalibratedClassifierCV, cv=5, with each method and each `ensemble`. Its default is
sigmoid, ensemble; its best is the one with the least mean, over all cases of this run. Figures
are means over the cases of the loss divided by that of the plain model, geometric means in
brackets. The constants of "auto" were chosen on data of the kinds marked with *, of other seeds.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from _timing import begin, parser, report
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
    make_classification,
    make_gaussian_quantiles,
    make_moons,
)
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

from optunasearch import OptunaSearchCV
from optunasearch.calibration import Calibration

N_TEST = 4000
MODELS: dict[str, Any] = {
    "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    "forest": RandomForestClassifier(50, random_state=0),
    "bayes": GaussianNB(),
    "boosting": HistGradientBoostingClassifier(max_iter=40, max_leaf_nodes=15, random_state=0),
    "neighbours": make_pipeline(StandardScaler(), KNeighborsClassifier(10)),
    "tree": DecisionTreeClassifier(min_samples_leaf=5, random_state=0),
}
PEERS = [(method, e) for method in ("sigmoid", "isotonic", "temperature") for e in (True, False)]
DEFAULT = ("sigmoid", True)
RAW, PLAIN, POOL = "raw", "refitted", "pool"


def made(n: int, n_classes: int, **options: Any) -> Callable[[int], Any]:
    """Return a maker of a classification problem with n rows to train on."""

    def make(seed: int) -> Any:
        X, y = make_classification(
            n + N_TEST,
            n_features=12,
            n_informative=7,
            n_redundant=2,
            n_classes=n_classes,
            random_state=seed,
            **options,
        )
        return train_test_split(X, y, train_size=n, random_state=seed, stratify=y)

    return make


def drawn(generator: Callable[..., Any], n: int, **options: Any) -> Callable[[int], Any]:
    """Return a maker of another problem with n rows to train on."""

    def make(seed: int) -> Any:
        X, y = generator(n_samples=n + N_TEST, random_state=seed, **options)
        return train_test_split(X, y, train_size=n, random_state=seed, stratify=y)

    return make


def bundled(
    load: Callable[..., Any], share: float, quantiles: Sequence[float] = ()
) -> Callable[[int], Any]:
    """Return a splitter of a real data set; a numeric target is cut at `quantiles`."""

    def make(seed: int) -> Any:
        X, y = load(return_X_y=True)
        y = np.digitize(y, np.quantile(y, quantiles)) if quantiles else y
        return train_test_split(X, y, train_size=share, random_state=seed, stratify=y)

    return make


DATA: dict[str, Callable[[int], Any]] = {
    "breast cancer *": bundled(load_breast_cancer, 0.6),
    "iris *": bundled(load_iris, 0.67),
    "wine": bundled(load_wine, 0.6),
    "digits": bundled(load_digits, 0.3),
    "diabetes, 2 classes *": bundled(load_diabetes, 0.6, [0.5]),
    "diabetes, 3 classes": bundled(load_diabetes, 0.6, [1 / 3, 2 / 3]),
    "moons, 400": drawn(make_moons, 400, noise=0.35),
    "quantiles, 6 classes, 2000": drawn(make_gaussian_quantiles, 2000, n_features=5, n_classes=6),
    "made, 100 *": made(100, 2),
    "made, 5 noisy classes, 500": made(500, 5, flip_y=0.15),
    "made, 7 % positive, 1000 *": made(1000, 2, weights=[0.93]),
    "made, 4 uneven classes, 1000": made(1000, 4, weights=[0.55, 0.25, 0.15, 0.05]),
    "made, 5000": made(5000, 2, flip_y=0.05, weights=[0.8]),
    "made, 20000": made(20_000, 2, flip_y=0.02, class_sep=0.8),
}


class Calibrated(NamedTuple):
    """Calibrated predictions of the test rows, and what it took."""

    refitted: np.ndarray
    pool: np.ndarray
    method: str
    seconds: float


def ours(model: Any, X: Any, y: Any, X_test: Any) -> Calibrated:
    """Calibrate a model by a search with one candidate."""
    search = OptunaSearchCV(model, {}, cv=5).fit(X, y)
    start = time.perf_counter()
    method = search.calibrator_.method
    seconds = time.perf_counter() - start
    pool = OptunaSearchCV(model, {}, cv=5, calibration=Calibration(ensemble=True)).fit(X, y)
    return Calibrated(search.predict_proba(X_test), pool.predict_proba(X_test), method, seconds)


def losses(y: np.ndarray, proba: np.ndarray) -> tuple[float, float]:
    """Return log loss and Brier score."""
    truth = np.eye(proba.shape[1])[y]
    return log_loss(y, proba), float(((proba - truth) ** 2).sum(axis=1).mean())


def case(data: str, name: str, seed: int) -> dict[str, Any]:
    """Measure one model on one data set."""
    warnings.simplefilter("ignore")
    with threadpool_limits(1):
        X, X_test, y, y_test = DATA[data](1000 + seed)
        model = MODELS[name]
        refitted = clone(model).fit(X, y)
        calibrated = ours(model, X, y, X_test)
        found: dict[Any, Any] = {
            RAW: losses(y_test, refitted.predict_proba(X_test)),
            PLAIN: losses(y_test, calibrated.refitted),
            POOL: losses(y_test, calibrated.pool),
        }
        for method, ensemble in PEERS:
            peer = CalibratedClassifierCV(model, method=method, ensemble=ensemble, cv=5)
            found[method, ensemble] = losses(y_test, peer.fit(X, y).predict_proba(X_test))
    return {"data": data, "n": len(y), "seconds": calibrated.seconds, "losses": found}


def ratios(cases: Sequence[dict[str, Any]], side: Any) -> np.ndarray:
    """Return the losses over those of the plain model, of shape (cases, 2)."""
    return np.array([np.divide(c["losses"][side], c["losses"][RAW]) for c in cases])


def shown(cases: Sequence[dict[str, Any]], side: Any, loss: int) -> str:
    """Format the mean ratio and the geometric one."""
    column = ratios(cases, side)[:, loss]
    return f"{column.mean():.3f} ({np.exp(np.log(column).mean()):.3f})"


def best(cases: Sequence[dict[str, Any]], loss: int) -> Any:
    """Return the peer with the least mean."""
    return min(PEERS, key=lambda peer: ratios(cases, peer)[:, loss].mean())


def line(name: str, cases: Sequence[dict[str, Any]], peers: Sequence[Any]) -> None:
    """Print the mean ratios of one data set."""
    sides = [PLAIN, POOL, DEFAULT]
    for loss, label in enumerate(["log loss", "Brier"]):
        figures = [f"{side} {shown(cases, side, loss)}" for side in [*sides, peers[loss]]]
        print(f"{name}, n={cases[0]['n']}, {label}: " + ", ".join(figures), flush=True)


def summary(cases: Sequence[dict[str, Any]]) -> None:
    """Print every side over all cases, and a line for each target."""
    for side in (PLAIN, POOL, *PEERS):
        worse = np.mean(ratios(cases, side)[:, 0] > 1.02)
        print(
            f"ALL {side}: log loss {shown(cases, side, 0)}, Brier {shown(cases, side, 1)}, "
            f"log loss more than 2 % worse than raw in {worse:.1%}"
        )
    of = {side: ratios(cases, side).mean(axis=0) for side in (PLAIN, POOL, *PEERS)}
    by_log_loss, by_brier = best(cases, 0), best(cases, 1)
    report("ALL log loss over its default's", of[PLAIN][0] / of[DEFAULT][0], 0.8)
    report(f"ALL log loss over its best's {by_log_loss}", of[PLAIN][0] / of[by_log_loss][0], 1.0)
    report("ALL log loss of the pool over its best's", of[POOL][0] / of[by_log_loss][0], 0.97)
    worse = float(np.mean(ratios(cases, PLAIN)[:, 0] > 1.02))
    report("ALL share of cases more than 2 % worse than raw", worse, 0.07)
    report(f"ALL Brier over its best's {by_brier}", of[PLAIN][1] / of[by_brier][1], 1.0)
    milliseconds = [1e3 * c["seconds"] for c in cases if c["n"] <= 1000]
    report("ALL milliseconds to calibrate, n <= 1000, median", np.median(milliseconds), 50)
    report("ALL the same, 95th percentile", np.quantile(milliseconds, 0.95), 50)


def main() -> None:
    made = parser(__doc__, rounds=1)
    made.add_argument("--seeds", type=int, default=5)
    made.add_argument("--data", nargs="+", default=list(DATA), choices=list(DATA))
    made.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    args = begin(made)
    if args.quick:
        args.seeds, args.data = 1, args.data[:3]
    cases: list[dict[str, Any]] = []
    with ProcessPoolExecutor(2) as pool:
        for data in args.data:
            runs = [(data, model, seed) for model in args.models for seed in range(args.seeds)]
            found = list(pool.map(case, *zip(*runs, strict=True)))
            line(data, found, [best(found, 0), best(found, 1)])
            cases += found
    summary(cases)


if __name__ == "__main__":
    main()
