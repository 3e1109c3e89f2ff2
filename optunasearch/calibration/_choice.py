"""Which calibrators may be tried on the rows there are, and why not the others.

Out-of-fold predictions teach something about the refitted model only if they are many enough,
cover the data and come from folds that are alike. Where they do not, "auto" falls back to no
calibration (of margins, which are no probabilities: to a temperature).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtri

from optunasearch.calibration._calibrator import Floats, Sample
from optunasearch.calibration._logits import Kind
from optunasearch.calibration._options import AUTO

# No calibration on fewer rows, and no parameter of its own for a class that has fewer.
FEWEST_ROWS, FEWEST_OF_CLASS = 30, 5
# "auto" tries beta and isotonic calibration from so many rows on, the vector up to so many classes.
ROWS_FOR_BETA, ROWS_FOR_ISOTONIC = 1000, 10_000
MOST_CLASSES_FOR_VECTOR = 50
# The least share of the rows that must have been predicted.
LEAST_COVERAGE = 0.5
# The largest share of the logits' variance that may lie between folds. Stratified folds of
# like rows stay below 0.04, the worst of real data seen was 0.1; Cohen calls 0.14 large.
MOST_BETWEEN_FOLDS = 0.14


class Choice(NamedTuple):
    """The methods to try, simplest first, and the reason where these are not all."""

    methods: tuple[Any, ...]
    note: str | None


def choose(
    method: Any,
    sample: Sample,
    folds: NDArray[Any] | None,
    n_rows: int,
    n_total: int,
    kind: Kind,
    *,
    labels: Any = None,
    doubt: str | None = None,
) -> Choice:
    """Return the methods to try."""
    simplest = "identity" if kind == "predict_proba" else "temperature"
    if not isinstance(method, str):
        return Choice((method,), doubt or unlike(sample, folds, n_rows, n_total))
    rare = _rare_class(sample, n_rows, labels)
    if method != AUTO:
        if n_rows < FEWEST_ROWS and method != "temperature":
            return Choice(("temperature",), _too_few(n_rows))
        if rare and method != "temperature":
            return Choice(("temperature",), rare)
        return Choice((method,), doubt or unlike(sample, folds, n_rows, n_total))
    if n_rows < FEWEST_ROWS:
        return Choice((simplest,), _too_few(n_rows))
    reason = doubt or unlike(sample, folds, n_rows, n_total)
    if reason:
        return Choice((simplest,), reason)
    basic = ("identity", "temperature") if kind == "predict_proba" else ("temperature",)
    if rare:
        return Choice(basic, rare)
    return Choice((*basic, *_richer(sample.logits.shape[1], n_rows)), None)


def unlike(sample: Sample, folds: NDArray[Any] | None, n_rows: int, n_total: int) -> str | None:
    """Say why the predictions may not speak for those of a model fitted on all rows."""
    if n_rows < LEAST_COVERAGE * n_total:
        return (
            f"the folds predict only {n_rows} of {n_total} rows, less than "
            f"{LEAST_COVERAGE:.0%}, and not a sample of all"
        )
    if folds is None:
        return None
    share = between_folds(sample, folds)
    if share > max(MOST_BETWEEN_FOLDS, _by_chance(len(np.unique(folds)), sample.weight.sum())):
        return (
            f"the predictions differ from fold to fold ({share:.1%} of their variance lies "
            f"between folds, more than {MOST_BETWEEN_FOLDS:.1%}), as they do with groups or a trend"
        )
    return None


def between_folds(sample: Sample, folds: NDArray[Any]) -> float:
    """Return the share of the logits' variance that lies between folds, for the worst class.

    It is omega squared of a one-way analysis of variance, which is 0 in expectation where the
    folds are alike.
    """
    centred = sample.logits - sample.logits.mean(axis=1, keepdims=True)
    _, fold = np.unique(folds, return_inverse=True)
    weight = sample.weight
    n_folds, n = int(fold.max()) + 1, float(weight.sum())
    if n_folds < 2 or n <= n_folds:
        return 0.0
    sizes = np.bincount(fold, weight, n_folds)
    shares = []
    for column in (centred - weight @ centred / n).T:
        means = np.bincount(fold, weight * column, n_folds) / np.where(sizes > 0, sizes, 1)
        total, between = weight @ column**2, sizes @ means**2
        within = (total - between) / (n - n_folds)
        if total > 0:
            shares.append(float((between - (n_folds - 1) * within) / (total + within)))
    return max(shares, default=0.0)


def _by_chance(n_folds: int, n: float) -> float:
    """Return the omega squared that an F test exceeds in one case of a thousand.

    With some dozen rows it is above `MOST_BETWEEN_FOLDS`.
    """
    if n_folds < 2 or n <= n_folds:
        return 1.0
    above = (n_folds - 1) * (fdtri(n_folds - 1, n - n_folds, 0.999) - 1)
    return float(above / (above + n))


def held_out(sample: Sample, folds: NDArray[Any] | None, n_groups: int = 5) -> list[Floats]:
    """Return masks of the rows that a cross-fitted calibrator is judged on.

    They are the search's folds, put together where there are more than `n_groups`; or, where
    there are not two, as many parts with the same classes.
    """
    if folds is None or len(np.unique(folds)) < 2:
        group = np.empty(len(sample.y), dtype=np.intp)
        group[np.argsort(sample.y, kind="stable")] = np.arange(len(sample.y)) % n_groups
    else:
        group = np.unique(folds, return_inverse=True)[1] % n_groups
    masks = [group == k for k in np.unique(group)]
    useful = [mask for mask in masks if 0 < sample.weight[mask].sum() < sample.weight.sum()]
    return useful if len(useful) == len(masks) else []


def _richer(n_classes: int, n_rows: int) -> tuple[str, ...]:
    """List the methods with more than one parameter that the rows allow."""
    methods = ["vector"] if n_classes <= MOST_CLASSES_FOR_VECTOR else []
    if n_classes == 2 and n_rows >= ROWS_FOR_BETA:
        methods.append("beta")
    if n_rows >= ROWS_FOR_ISOTONIC:
        methods.append("isotonic")
    return tuple(methods)


def _too_few(n_rows: int) -> str:
    return f"there are only {n_rows} out-of-fold rows, fewer than {FEWEST_ROWS}"


def _rare_class(sample: Sample, n_rows: int, labels: Any) -> str | None:
    """Say which class has too few rows; those of repeated CV are counted once."""
    counts = np.bincount(sample.y, minlength=sample.logits.shape[1]) * (n_rows / len(sample.y))
    rarest = int(counts.argmin())
    if counts[rarest] >= FEWEST_OF_CLASS - 0.5:
        return None
    label = rarest if labels is None else np.asarray(labels).tolist()[rarest]
    return (
        f"the class {label!r} has {counts[rarest]:.0f} out-of-fold rows, fewer than "
        f"{FEWEST_OF_CLASS}"
    )
