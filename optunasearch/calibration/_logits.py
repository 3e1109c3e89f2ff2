"""Logits of what a classifier predicts: what every calibrator takes.

Calibrators that bend a probability itself (a sigmoid of p, say) cannot leave it alone; one that
works on log p can, and there a temperature is a factor. Zeros are what forests and neighbours
predict when they mean "seldom", so probabilities are first shrunk a little,
p <- (1 - eps) p + eps / C with eps = 1 / (n + 1): no prediction is surer than n rows can tell.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Kind = Literal["predict_proba", "decision_function"]
# scikit-learn fills in the least float (of float32, too) for a class that a fold has not seen.
_MISSING = -1e30
# Squares of decision values must stay finite.
_LARGEST = 1e30


def as_logits(values: Any, kind: Kind, n_rows: int) -> NDArray[np.float64]:
    """Turn predictions into finite logits of shape (n, n_classes).

    Parameters
    ----------
    values : array-like of shape (n, n_classes) or (n,)
        Probabilities, or decision values; a 1-d array holds those of a binary problem.
    kind : {"predict_proba", "decision_function"}
        Which method of the classifier they come from.
    n_rows : int
        How many rows the calibrator is fitted on. Probabilities are shrunk by 1 / (n_rows + 1).

    Returns
    -------
    logits : ndarray of shape (n, n_classes), float64
        Logarithms of the shrunk probabilities; or decision values, those of a binary problem
        as (-d / 2, d / 2). Where a decision value says that a class was not seen in training,
        it stands as far below the others of its row as these are apart.

    Raises
    ------
    ValueError
        If `kind` is unknown, the shape fits no classifier, or a value is NaN.
    """
    if kind not in get_args(Kind):
        raise ValueError(f"kind must be one of {list(get_args(Kind))}, got {kind!r}.")
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 1 and kind == "decision_function":
        array = np.column_stack([-array / 2, array / 2])
    if array.ndim != 2:
        raise ValueError(
            f"{kind} must give one column per class, got an array of shape {np.shape(values)}. "
            "Calibration is for classifiers with one target."
        )
    if np.isnan(array).any():
        raise ValueError(
            f"{kind} gave NaN in {int(np.isnan(array).any(axis=1).sum())} of {len(array)} rows, "
            "and these cannot be calibrated. Mend the classifier, or set calibration=None."
        )
    return _of_probabilities(array, n_rows) if kind == "predict_proba" else _of_margins(array)


def _of_probabilities(proba: NDArray[np.float64], n_rows: int) -> NDArray[np.float64]:
    """Logarithms of the shrunk probabilities."""
    eps, n_classes = 1 / (n_rows + 1), proba.shape[1]
    proba = proba.clip(0, 1)
    total = proba.sum(axis=1, keepdims=True)
    proba = np.divide(proba, total, out=np.full_like(proba, 1 / n_classes), where=total > 0)
    return np.log((1 - eps) * proba + eps / n_classes)


def _of_margins(margins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Decision values, with those of unseen classes filled in."""
    missing = margins < _MISSING
    margins = margins.clip(-_LARGEST, _LARGEST)
    if not missing.any():
        return margins
    least = np.where(missing, np.inf, margins).min(axis=1, keepdims=True)
    most = np.where(missing, -np.inf, margins).max(axis=1, keepdims=True)
    known = np.isfinite(least)  # else the row knows no class at all
    fill = np.subtract(2 * least, most, out=np.zeros_like(least), where=known)
    return np.where(missing, fill, margins)
