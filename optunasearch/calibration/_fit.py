"""`fit_calibrator`: out-of-fold logits in, `FittedCalibrator` out.

Calibrators are compared, and the log loss after calibration is measured, by cross-fitting: the
calibrator is fitted on some folds and judged on the others. In-sample the richest would always
win. Margins are first divided by their standard deviation, so that the priors of the
calibrators, which draw slopes towards 1, mean the same for every classifier.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import clone

from optunasearch.calibration._calibrator import (
    Calibrator,
    Floats,
    IdentityCalibration,
    Sample,
    check_sample,
)
from optunasearch.calibration._choice import choose, held_out
from optunasearch.calibration._logits import Kind, as_logits
from optunasearch.calibration._options import CALIBRATORS, check_method

# A custom calibrator may return zeros, as scikit-learn's log loss clips them.
_LEAST = np.finfo(np.float64).eps
# A tenth is what one neighbour of ten is worth.
_FLOORS = (0.0, 0.003, 0.01, 0.03, 0.1)
# What a floor must gain: by chance the best of several gains a nat or two.
_NATS_FOR_FLOOR = 3.0


@dataclass(frozen=True, eq=False)
class FittedCalibrator:
    """A calibrator fitted to the out-of-fold predictions of a search's winner.

    Attributes
    ----------
    method : str
        What is used: "identity" if nothing is changed, "temperature", "vector", "sigmoid",
        "beta", "isotonic", or the class name of a calibrator of your own.
    calibrator : Calibrator
        The fitted object.
    n_rows : int
        The number of rows it was fitted on; those of repeated cross-validation count once.
    n_classes : int
        The number of classes.
    log_loss_before : float
        Weighted mean log loss of the out-of-fold probabilities, in nats, as they enter the
        calibrator: shrunk by 1 / (n_rows + 1), see `shrinkage`. NaN for decision values.
    log_loss_after : float
        The same of the calibrated ones, each calibrated by what was fitted on the other folds.
    note : str or None
        Why a simpler method than asked for is used, or what speaks against the one used.
    kind : {"predict_proba", "decision_function"}
        Which predictions it calibrates.
    scale : float
        What decision values are divided by; 1 for probabilities.
    floor : float
        What "auto" mixes in before it scales, p <- (1 - floor) p + floor / n_classes. It is 0
        but for classifiers whose zeros mean "seldom", such as neighbours and trees.
    """

    method: str
    calibrator: Calibrator = field(repr=False)
    n_rows: int
    n_classes: int
    log_loss_before: float
    log_loss_after: float
    note: str | None
    kind: Kind
    scale: float = field(repr=False)
    floor: float = field(default=0.0, repr=False)

    def __repr__(self) -> str:
        before = "" if np.isnan(self.log_loss_before) else f"{self.log_loss_before:.4g} -> "
        loss = f"log loss {before}{self.log_loss_after:.4g}"
        return f"<FittedCalibrator {self.method!r}, {self.n_rows} rows, {loss}>"

    @property
    def parameters(self) -> dict[str, Any]:
        """The fitted attributes of the calibrator, without their trailing underscore."""
        return {
            name.removesuffix("_"): value
            for name, value in vars(self.calibrator).items()
            if name.endswith("_") and not name.startswith("_")
        }

    @property
    def shrinkage(self) -> float:
        """How much probabilities are drawn towards 1 / n_classes before all else."""
        return 1 / (self.n_rows + 1) if self.kind == "predict_proba" else 0.0

    def predict_proba(self, values: Any) -> Floats:
        """Calibrate what the classifier predicts.

        Parameters
        ----------
        values : array-like of shape (n, n_classes) or (n,)
            What the classifier's method `kind` returned, columns in the order of the classes.

        Returns
        -------
        proba : ndarray of shape (n, n_classes)
            Rows sum to one.

        Raises
        ------
        ValueError
            If there are other than `n_classes` columns, or NaN.
        """
        logits = as_logits(values, self.kind, self.n_rows)
        if logits.shape[1] != self.n_classes:
            raise ValueError(
                f"The calibrator was fitted to {self.n_classes} classes, got predictions for "
                f"{logits.shape[1]}."
            )
        logits = _floored(logits / self.scale, self.floor)
        return np.asarray(self.calibrator.predict_proba(logits), dtype=np.float64)

    def pool(self, values: Sequence[Any]) -> Floats:
        """Calibrate what each of several models predicts for the same rows, and average.

        The average is geometric: the logarithms are averaged. For scalings this is to calibrate
        the averaged logits. An arithmetic mean of calibrated probabilities is too unsure [1]_,
        and a calibrator fitted to single models, applied to their mean, is worse still.

        Parameters
        ----------
        values : sequence of array-likes
            The predictions of each model, as in `predict_proba`.

        Returns
        -------
        proba : ndarray of shape (n, n_classes)

        References
        ----------
        .. [1] R. Ranjan, T. Gneiting. Combining probability forecasts. Journal of the Royal
           Statistical Society B 72:71-91, 2010.
        """
        if not len(values):
            raise ValueError("pool needs the predictions of one model at least, got none.")
        logs = [np.log(self.predict_proba(one).clip(_LEAST)) for one in values]
        return np.asarray(softmax(np.mean(logs, axis=0), axis=1))


def fit_calibrator(
    method: Any,
    logits: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    folds: Any = None,
    n_rows: int | None = None,
    n_total: int | None = None,
    kind: Kind = "predict_proba",
    labels: Any = None,
    doubt: str | None = None,
) -> FittedCalibrator:
    """Choose a calibrator and fit it to out-of-fold predictions.

    Parameters
    ----------
    method : str or Calibrator
        As `Calibration.method`.
    logits : ndarray of shape (n, n_classes)
        What `as_logits` made of the predictions.
    y : ndarray of shape (n,)
        The classes, numbered from 0.
    sample_weight : ndarray of shape (n,), default=None
        How many rows each one stands for: with R repeats, 1 / R. The priors count in the same
        unit, so weights of another scale should be divided by their mean first.
    folds : ndarray of shape (n,), default=None
        The fold that each row was predicted in.
    n_rows : int, default=None
        How many different rows these are, the number that `as_logits` was given. None: n.
    n_total : int, default=None
        How many rows the training data have. None: `n_rows`.
    kind : {"predict_proba", "decision_function"}, default="predict_proba"
        Where the logits come from.
    labels : array-like of shape (n_classes,), default=None
        What the classes are called in notes.
    doubt : str, default=None
        What the caller knows that speaks against building on these predictions.

    Returns
    -------
    fitted : FittedCalibrator

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.
    """
    check_method(method)
    sample = check_sample(logits, y, sample_weight)
    if folds is not None:
        folds = np.asarray(folds)
        if folds.shape != sample.y.shape:
            raise ValueError(f"folds must have shape {sample.y.shape}, got {folds.shape}.")
    n_rows = len(sample.y) if n_rows is None else n_rows
    scale = 1.0 if kind == "predict_proba" else _spread(sample)
    sample = sample._replace(logits=sample.logits / scale)
    methods, note = choose(
        method, sample, folds, n_rows, n_total or n_rows, kind, labels=labels, doubt=doubt
    )
    is_choice = kind == "predict_proba" and len(methods) > 1
    floor = _best_floor(sample) if is_choice else 0.0
    name, calibrator, after = _best(methods, sample, floor, folds)
    before = _log_loss(IdentityCalibration(), sample) if kind == "predict_proba" else np.nan
    return FittedCalibrator(
        method=name,
        calibrator=calibrator,
        n_rows=n_rows,
        n_classes=sample.logits.shape[1],
        log_loss_before=before,
        log_loss_after=after,
        note=note,
        kind=kind,
        scale=scale,
        floor=0.0 if name == "identity" else floor,
    )


def _best(
    methods: Sequence[Any], sample: Sample, floor: float, folds: NDArray[Any] | None
) -> tuple[str, Calibrator, float]:
    """Fit the method with the least cross-fitted log loss; of equal ones, the simplest."""
    masks = held_out(sample, folds)
    floored = sample._replace(logits=_floored(sample.logits, floor))
    samples = [sample if method == "identity" else floored for method in methods]
    pairs = list(zip(methods, samples, strict=True))
    losses = [_cross_fitted(method, rows, masks) for method, rows in pairs]
    best = int(np.argmin(losses))
    method, rows = pairs[best]
    calibrator = _fitted(method, rows)
    loss = losses[best] if masks else _log_loss(calibrator, rows)
    return method if isinstance(method, str) else type(method).__name__, calibrator, loss


def _best_floor(sample: Sample) -> float:
    """Return the floor with which a temperature fits best, if it is worth it."""
    total = sample.weight.sum()

    def cost(floor: float) -> float:
        rows = sample._replace(logits=_floored(sample.logits, floor))
        return total * _log_loss(_fitted("temperature", rows), rows) + _NATS_FOR_FLOOR * (floor > 0)

    return min(_FLOORS, key=cost)


def _floored(logits: Floats, floor: float) -> Floats:
    """Mix the uniform distribution into probabilities given as logits."""
    if not floor:
        return logits
    n_classes = logits.shape[1]
    return np.log((1 - floor) * softmax(logits, axis=1) + floor / n_classes)


def _cross_fitted(method: Any, sample: Sample, masks: Sequence[NDArray[Any]]) -> float:
    """Return the log loss of rows that the calibrator was not fitted on; 0 without folds."""
    if method == "identity":
        return _log_loss(IdentityCalibration(), sample)
    total = 0.0
    for mask in masks:
        held = sample.part(mask)
        total += _log_loss(_fitted(method, sample.part(~mask)), held) * held.weight.sum()
    return float(total / sample.weight.sum())


def _fitted(method: Any, sample: Sample) -> Calibrator:
    """Fit a fresh calibrator."""
    if isinstance(method, str):
        fresh = CALIBRATORS[method]()
    else:
        fresh = clone(method) if hasattr(method, "get_params") else copy.deepcopy(method)
    fresh.fit(sample.logits, sample.y, sample_weight=sample.weight)
    return fresh


def _log_loss(calibrator: Calibrator, sample: Sample) -> float:
    """Weighted mean log loss of calibrated probabilities."""
    proba = np.asarray(calibrator.predict_proba(sample.logits), dtype=np.float64)
    of_truth = proba[np.arange(len(sample.y)), sample.y].clip(_LEAST)
    return float(-(sample.weight @ np.log(of_truth)) / sample.weight.sum())


def _spread(sample: Sample) -> float:
    """Return the root mean square of margins, centred within rows; 1 if they are all equal."""
    centred = sample.logits - sample.logits.mean(axis=1, keepdims=True)
    spread = float(np.sqrt(sample.weight @ (centred**2).mean(axis=1) / sample.weight.sum()))
    return spread or 1.0
