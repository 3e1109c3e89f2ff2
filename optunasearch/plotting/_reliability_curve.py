"""Predicted probability against observed share, in bins of about as many rows each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from optunasearch.decision._measures import Sample, share

# A bin of fewer rows tells nothing.
FEWEST_IN_BIN = 10
# Probabilities nearer to each other than this part of their range fall on one point.
_POINT = 0.001
_COUNT_EDGES = np.linspace(0, 1, 21)


@dataclass(frozen=True, eq=False)
class ReliabilityCurve:
    """Predicted probability against observed share.

    Attributes
    ----------
    name : str or None
        What the legend calls it.
    prob_pred : ndarray of shape (n_bins,)
        The mean predicted probability of the rows of a bin, rising.
    prob_true : ndarray of shape (n_bins,)
        The share of them that are positive (of confidences: predicted right).
    low, high : ndarray of shape (n_bins,)
        The ends of the interval of that share.
    n_rows : ndarray of shape (n_bins,)
        The number of rows in a bin; with repeated cross-validation each of a row's R
        predictions counts 1 / R.
    counts : ndarray of shape (20,)
        The number of rows by probability, in steps of 0.05.
    """

    name: str | None
    prob_pred: NDArray[np.float64]
    prob_true: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n_rows: NDArray[np.float64]
    counts: NDArray[np.float64]

    @property
    def edges(self) -> NDArray[np.float64]:
        """The edges of `counts`, (21,)."""
        return _COUNT_EDGES


def reliability_curve(
    name: str | None,
    is_positive: NDArray[np.bool_],
    probability: NDArray[np.float64],
    *,
    n_bins: int,
    confidence: float,
    weights: NDArray[np.float64] | None = None,
    groups: NDArray[Any] | None = None,
    rows: NDArray[Any] | None = None,
) -> ReliabilityCurve:
    """Bin the predictions.

    `rows` says which row of the data each prediction is of, where there are several of a row:
    they are one row's worth.
    """
    if weights is not None and not weights.all():
        kept = weights > 0
        is_positive, probability, weights = is_positive[kept], probability[kept], weights[kept]
        groups = None if groups is None else groups[kept]
        rows = None if rows is None else rows[kept]
    row_share = np.ones(len(probability))
    if rows is not None:
        row_share = 1 / np.bincount(rows)[rows]
        if groups is None and row_share.min() < 1:
            groups = rows
    bins = _quantile_bins(probability, n_bins, float(row_share.sum()))
    sample = Sample(is_positive, probability, weights, groups, confidence)
    masks = [bins == number for number in np.unique(bins)]
    observed = [share(sample, is_positive, mask) for mask in masks]
    row_weights = sample.row_weights
    counts, _ = np.histogram(probability, _COUNT_EDGES, weights=row_share)
    return ReliabilityCurve(
        name,
        np.array([np.average(probability[m], weights=row_weights[m]) for m in masks]),
        np.array([one.value for one in observed]),
        np.array([one.low for one in observed]),
        np.array([one.high for one in observed]),
        np.array([row_share[mask].sum() for mask in masks]),
        counts,
    )


def _quantile_bins(
    probability: NDArray[np.float64], n_bins: int, n_rows: float
) -> NDArray[np.intp]:
    """Return the number of each prediction's bin; ties stay together.

    By mean ranks, which treats zeros and ones alike; quantiles as edges would not.
    """
    n_bins = max(1, min(n_bins, int(n_rows // FEWEST_IN_BIN)))
    step = _POINT * float(np.ptp(probability)) or 1.0
    ranks = rankdata(np.round(probability / step)) - 0.5
    return np.floor(n_bins * ranks / len(ranks)).astype(np.intp)
