"""The difference of two candidates on the same test rows, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class FoldScores:
    """One metric of one candidate on its first folds.

    Attributes
    ----------
    scores : ndarray of shape (n_folds,)
    rows : list of ndarrays of shape (n_test_rows,), or None
        For each fold one value per test row, whose mean is the fold's score; None for
        a metric that gives none.
    """

    scores: np.ndarray
    rows: list[np.ndarray] | None

    @property
    def nbytes(self) -> int:
        """Size of the row values in bytes."""
        return sum(values.nbytes for values in self.rows or ())


class RowGroups:
    """The groups of a fold's test rows, which vary together."""

    def __init__(self, groups: np.ndarray) -> None:
        self._order = np.argsort(groups, kind="stable")
        ordered = np.asarray(groups)[self._order]
        self._starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])

    @property
    def n_groups(self) -> int:
        """Number of different groups."""
        return len(self._starts)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Return the sum over each group, along the last axis."""
        return np.add.reduceat(values[..., self._order], self._starts, axis=-1)


def row_variance(differences: np.ndarray, groups: RowGroups | None = None) -> np.ndarray:
    """Return the variance of the mean of the last axis.

    Parameters
    ----------
    differences : ndarray of shape (..., n_rows)
        What two candidates differ by on each row.
    groups : RowGroups, optional
        Then the groups' sums and not the rows are taken as independent.

    Returns
    -------
    variance : ndarray of shape (...)
        NaN for fewer than two independent parts.
    """
    n_rows = differences.shape[-1]
    deviations = differences - differences.mean(axis=-1, keepdims=True)
    if groups is not None:
        deviations = groups.sums(deviations)
    n_parts = deviations.shape[-1]
    if n_parts < 2:
        return np.full(differences.shape[:-1], np.nan)
    # The largest once more: a metric of zeros and ones may have seen no difference in
    # one direction yet, and a heavy tail shows itself late.
    squares = np.square(deviations).sum(axis=-1) + np.square(differences).max(axis=-1)
    return squares * n_parts / ((n_parts - 1) * n_rows**2)


def fold_variance(
    one: FoldScores,
    other: FoldScores,
    n_folds: int,
    groups: Sequence[RowGroups | None],
) -> float:
    """Return the variance of the difference on one fold, NaN if rows do not tell it."""
    if one.rows is None or other.rows is None:
        return float("nan")
    variances = [
        row_variance(one.rows[fold] - other.rows[fold], groups[fold]) for fold in range(n_folds)
    ]
    return float(np.mean(variances))


def squared_surprises(differences: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """Return how far off the first folds of pairs were, in units of their variance.

    Parameters
    ----------
    differences : ndarray of shape (n_pairs, n_splits)
        What the two of each pair differ by on each fold.
    variances : ndarray of shape (n_pairs, n_splits)
        The variance on one fold as seen from the first 1, 2, ... folds.

    Returns
    -------
    surprises : ndarray of shape (n_pairs,)
        The mean over k < n_splits of (D_K - D_k)^2 / ((1/k - 1/K) variance), 1 in
        expectation if the variances are right.
    """
    n_splits = differences.shape[1]
    n_folds = np.arange(1, n_splits)
    so_far = np.cumsum(differences, axis=1)[:, :-1] / n_folds
    errors = differences.mean(axis=1, keepdims=True) - so_far
    return np.mean(errors**2 / ((1 / n_folds - 1 / n_splits) * variances[:, :-1]), axis=1)
