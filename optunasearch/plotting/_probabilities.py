"""Labels and probabilities that were predicted by whatever means."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_consistent_length, column_or_1d

from optunasearch.decision._labels import positive_class, probability_of
from optunasearch.plotting._search_results import positive_position


def as_probabilities(
    y_true: ArrayLike, y_prob: ArrayLike, pos_label: Any
) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[Any], int | None]:
    """Return labels, probabilities of all classes, the classes, and which of these is drawn."""
    labels, values = column_or_1d(y_true), np.asarray(y_prob, dtype=np.float64)
    check_consistent_length(labels, values)
    classes = np.unique(labels)
    if values.ndim == 2 and values.shape[1] > 2:
        if len(classes) != values.shape[1]:
            raise ValueError(
                f"y_prob has {values.shape[1]} columns, y_true holds {len(classes)} classes: "
                "which is whose? Pass one column, and pos_label."
            )
        return labels, values, classes, positive_position(None, classes, pos_label)
    if len(classes) > 2:
        if pos_label is None or values.ndim != 1:
            raise ValueError(
                f"y_true holds {len(classes)} classes: pass pos_label and the probability of "
                "that class, (n_rows,), or the probabilities of all of them."
            )
        positive, probability = pos_label, probability_of(True, [False, True], values)
    else:
        positive = positive_class(pos_label, classes.tolist())
        probability = probability_of(positive, classes.tolist(), values)
    is_positive = labels == positive
    # One class against all others, under its own name.
    names = np.array([None, positive], dtype=object)
    return names[is_positive.astype(int)], np.column_stack([1 - probability, probability]), names, 1
