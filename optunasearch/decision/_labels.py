"""Which class is positive, and its probability."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optunasearch.decision._bounds import Floats


def positive_class(pos_label: Any, classes: list[Any]) -> Any:
    """Return which of the classes is positive, or raise."""
    if len(classes) > 2:
        raise ValueError(
            f"A decision report takes two classes, got {len(classes)}: {classes[:5]}. "
            "Make the target binary, e.g. y == 'ill'."
        )
    if pos_label is None:
        if len(classes) == 2:
            return classes[1]
        if classes[0] in (0, 1, -1):
            return type(classes[0])(1)
        raise ValueError(
            f"Cannot tell which class is positive from {classes} alone. Pass pos_label."
        )
    if len(classes) == 2 and pos_label not in classes:
        raise ValueError(
            f"pos_label={pos_label!r} is not among the classes {classes}. "
            "Pass the one that stands for a positive test."
        )
    return pos_label


def probability_of(positive: Any, classes: list[Any], y_prob: ArrayLike) -> Floats:
    """Return the probability of the positive class, (n_rows,)."""
    found: NDArray = np.asarray(y_prob, dtype=np.float64)
    if found.ndim == 2 and found.shape[1] == 2:
        if len(classes) == 2:
            found = found[:, classes.index(positive)]
        elif positive in (1, True):  # of 0 and 1, or -1 and 1, though only one is there
            found = found[:, 1]
        else:
            raise ValueError(
                f"y_true holds {classes} alone, and does not tell which column of y_prob is "
                f"that of {positive!r}. Pass that column, e.g. y_prob[:, 1]."
            )
    elif found.ndim != 1:
        raise ValueError(
            f"y_prob must be of shape (n_rows,) or (n_rows, 2), got shape {found.shape}."
        )
    if np.isnan(found).any():
        raise ValueError(
            f"{int(np.isnan(found).sum())} of {found.size} values of y_prob are NaN. Leave out the "
            "rows without a prediction."
        )
    if not (found >= 0).all() or not (found <= 1).all():
        raise ValueError(
            f"y_prob must be between 0 and 1, got values from {found.min():.4g} to "
            f"{found.max():.4g}. Decision values are no probabilities: calibrate them first."
        )
    return found
