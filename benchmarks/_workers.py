"""Workers that are up before anything is measured."""

from __future__ import annotations

import numpy as np
from _busy import RowMeans

from optunasearch import OptunaSearchCV


def start_workers(n_jobs: int) -> None:
    """Leave `n_jobs` worker processes warm for the next search."""
    # trial_timeout keeps fits out of this process, so that all workers start at once;
    # enough folds that none is left starting.
    OptunaSearchCV(
        RowMeans(seconds=0.2),
        {"value": [float(value) for value in range(5 * n_jobs)]},
        cv=2,
        n_jobs=n_jobs,
        refit=False,
        trial_timeout=600,
    ).fit(np.zeros((20, 2)), np.arange(20) % 2)
