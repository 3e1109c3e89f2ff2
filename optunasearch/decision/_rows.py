"""The rows that a threshold is chosen on, and how many independent ones they are worth.

Scores are out-of-fold, the threshold is for the refit. Pooling the folds' scores is no harm
where scores are continuous, or discrete in the same way in all folds (k neighbours): in
simulations (benchmarks/decision_threshold.py) the bound held for the refit of linear models,
naive Bayes, forests, neighbours and boosting. A single tree is another matter. All rows of a
leaf share one score, and move together above or below a threshold when the tree is grown
anew: at confidence 0.95 the bound held in 85 to 92 % of the simulations. This shows in the
scores: two rows of one fold are tied more often than two of different folds. With E for that
difference, if it is more than chance makes it, the variance of a share s is taken for

    s (1 - s) (1 / n + MOVING E),

so the rows are worth 1 / (1 / n + MOVING E) independent ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_consistent_length, column_or_1d

from optunasearch.decision._bounds import Floats, effective_size, group_correlation
from optunasearch.decision._cuts import Cuts, make_cuts

# Found by simulation, with trees of 5 to 25 rows a leaf.
MOVING = 0.1


@dataclass(frozen=True)
class Rows:
    """The rows that a threshold is chosen on.

    Attributes
    ----------
    is_positive : ndarray of bool of shape (n_rows,)
    score : ndarray of shape (n_repeats, n_rows)
    weights, groups : ndarray of shape (n_rows,) or None
    folds : ndarray of shape (n_repeats, n_rows) or None
    """

    is_positive: NDArray[np.bool_]
    score: Floats
    weights: Floats | None
    groups: NDArray | None
    folds: NDArray | None

    @property
    def n_positive(self) -> int:
        """The number of positive rows."""
        return int(self.is_positive.sum())

    @property
    def n_negative(self) -> int:
        """The number of negative rows."""
        return len(self.is_positive) - self.n_positive

    @property
    def are_counted(self) -> bool:
        """Whether shares are those of whole numbers of rows."""
        return self.weights is None and len(self.score) == 1

    def cuts(self) -> Cuts:
        """Return the ways to cut the rows in two; a repeated row is one row in all."""
        n_repeats = len(self.score)
        weights = self.weights
        if n_repeats > 1:
            weights = (np.ones(len(self.is_positive)) if weights is None else weights) / n_repeats
        return make_cuts(
            np.tile(self.is_positive, n_repeats),
            self.score.ravel(),
            None if weights is None else np.tile(weights, n_repeats),
        )

    def worth(self, rows: NDArray[np.bool_], values: Floats) -> float:
        """Return how many independent rows of equal weight some of the rows are worth.

        The correlation of `values`, of shape (n_rows,), within groups tells how dependent
        rows of a group are.
        """
        groups = None if self.groups is None else self.groups[rows]
        size = effective_size(
            None if self.weights is None else self.weights[rows],
            groups,
            group_correlation(values[rows], groups),
            int(rows.sum()),
        )
        if self.folds is None or size == 0:
            return size
        excess = np.mean(
            [_tie_excess(s[rows], f[rows]) for s, f in zip(self.score, self.folds, strict=True)]
        )
        return size if excess == 0 else float(1 / (1 / size + MOVING * excess))


def _tie_excess(score: Floats, folds: NDArray) -> float:
    """Return how much more often two rows of one fold are tied than two of different ones."""
    value = np.unique(score, return_inverse=True)[1]
    fold = np.unique(folds, return_inverse=True)[1]
    within = _pairs(np.unique(value * (int(fold.max()) + 1) + fold, return_counts=True)[1])
    pairs_within, pairs = _pairs(np.bincount(fold)), len(score) * (len(score) - 1)
    if pairs_within == 0 or pairs_within == pairs:
        return 0.0
    between = _pairs(np.bincount(value)) - within
    excess = within / pairs_within - between / (pairs - pairs_within)
    # Scores on one grid in all folds differ in this by chance; a pair is counted twice.
    by_chance = 2 * math.sqrt(2 * within) / pairs_within
    return excess if excess > by_chance else 0.0


def _pairs(counts: NDArray) -> int:
    """Return the number of ordered pairs of rows within the parts of these sizes."""
    return int((counts * (counts - 1)).sum())


def checked_rows(
    is_positive: ArrayLike,
    score: ArrayLike,
    sample_weight: ArrayLike | None,
    groups: ArrayLike | None,
    folds: ArrayLike | None,
) -> Rows:
    """Return the rows as arrays, without those of weight 0, or raise."""
    truth = column_or_1d(is_positive)
    if truth.dtype != bool:
        raise TypeError(f"is_positive must be an array of bool, got dtype {truth.dtype}.")
    if len(truth) == 0:
        raise ValueError("A threshold cannot be chosen on no rows.")
    scores = np.atleast_2d(np.asarray(score, dtype=np.float64))
    _check_shape("score", scores, (max(len(scores), 1), len(truth)))
    if np.isnan(scores).any():
        raise ValueError(
            f"{int(np.isnan(scores).sum())} of {scores.size} scores are NaN: every row needs "
            "the score of a model that has not seen it."
        )
    in_folds = None if folds is None else np.atleast_2d(np.asarray(folds))
    if in_folds is not None:
        _check_shape("folds", in_folds, scores.shape)
    weights = None if sample_weight is None else checked_weights(sample_weight)
    grouped = None if groups is None else column_or_1d(groups)
    check_consistent_length(truth, weights, grouped)
    kept = np.ones(len(truth), dtype=bool) if weights is None else weights > 0
    if weights is not None:
        weights = None if np.ptp(weights[kept]) == 0 else weights[kept]
    return Rows(
        truth[kept],
        scores[:, kept],
        weights,
        None if grouped is None else grouped[kept],
        None if in_folds is None else in_folds[:, kept],
    )


def checked_weights(sample_weight: ArrayLike) -> Floats:
    """Return the weights as floats, or raise."""
    weights = column_or_1d(np.asarray(sample_weight, dtype=np.float64))
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
        raise ValueError(
            "sample_weight must be finite and not negative, with some above 0; got values from "
            f"{weights.min(initial=np.inf):g} to {weights.max(initial=-np.inf):g}."
        )
    return weights


def _check_shape(name: str, found: NDArray, wanted: tuple[int, ...]) -> None:
    """Raise unless an array has the shape."""
    if found.shape != wanted:
        raise ValueError(
            f"{name} must hold a value for each row, (n_rows,) or (n_repeats, n_rows) with "
            f"n_rows={wanted[-1]}; got shape {found.shape}."
        )
