"""What one fold's model says of its test rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class LabelledPredictions:
    """What one fold's model says of its test rows.

    Attributes
    ----------
    responses : dict of str to ndarray
        For each method ("predict", "predict_proba", "decision_function") its answer, with
        one row for each test row. "predict" of classifiers holds positions in `classes`.
    classes : ndarray or None
        The classes that the model knows; None for regressors.
    """

    responses: dict[str, np.ndarray]
    classes: np.ndarray | None
