"""Exact bounds of a share, and how many independent rows a sample is worth.

The bounds are those of Clopper and Pearson [1]_: never less than the nominal coverage. A
sample with unequal weights or with groups is taken for a smaller one of independent rows of
equal weight, of the size at which the variance of a mean would be the same (Kish [2]_; with
these bounds, Korn and Graubard [3]_).

References
----------
.. [1] C. J. Clopper, E. S. Pearson, "The use of confidence or fiducial limits illustrated in
   the case of the binomial", Biometrika 26, 1934.
.. [2] L. Kish, Survey Sampling, Wiley 1965.
.. [3] E. L. Korn, B. I. Graubard, "Confidence Intervals for Proportions with Small Expected
   Number of Positive Counts Estimated from Survey Data", Survey Methodology 24, 1998.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaincinv
from scipy.stats import rankdata

Floats = NDArray[np.float64]


def lower_bound(successes: ArrayLike, n: ArrayLike, confidence: float) -> Floats:
    """Return the one-sided lower bound of a share; NaN where n is 0."""
    x, n = np.broadcast_arrays(np.asarray(successes, float), np.asarray(n, float))
    found = np.where(n > 0, 0.0, np.nan)
    some = (n > 0) & (x > 0)
    found[some] = betaincinv(x[some], n[some] - x[some] + 1, 1 - confidence)
    return found


def upper_bound(successes: ArrayLike, n: ArrayLike, confidence: float) -> Floats:
    """Return the one-sided upper bound of a share; NaN where n is 0."""
    n = np.asarray(n, float)
    return 1 - lower_bound(n - np.asarray(successes, float), n, confidence)


def is_shown(successes: ArrayLike, n: ArrayLike, required: float, error: float) -> NDArray:
    """Return where the lower bound of a share at confidence 1 - error is at least `required`.

    It is where the chance of so many successes or more, were the share smaller, is at most
    `error`. That is compared, not the bound, which is its rounded inverse.
    """
    x, n = np.broadcast_arrays(np.asarray(successes, float), np.asarray(n, float))
    found = np.zeros(x.shape, dtype=bool)
    some = x > 0
    found[some] = betainc(x[some], n[some] - x[some] + 1, required) <= error
    return found


def rows_needed(required: float, error: float) -> int:
    """Return how many rows without a failure show a share."""
    n = max(1, math.floor(math.log(error) / math.log(required)))
    return n if required**n <= error else n + 1


def effective_size(
    weights: Floats | None, groups: NDArray | None, correlation: float, n_rows: int
) -> float:
    """Return how many independent rows of equal weight these are worth, at most `n_rows`.

    Rows of a group have this correlation with each other, others have none.
    """
    if weights is None and groups is None:
        return float(n_rows)
    w = np.ones(n_rows) if weights is None else weights
    squares = float(w @ w)
    if squares == 0:
        return 0.0
    variance = squares
    if groups is not None:
        sums = np.bincount(np.unique(groups, return_inverse=True)[1], weights=w)
        variance = (1 - correlation) * squares + correlation * float(sums @ sums)
    return float(w.sum()) ** 2 / variance


def group_correlation(values: Floats, groups: NDArray | None) -> float:
    """Return the correlation, 0 to 1, of the ranks of two rows of a group.

    By analysis of variance. Ranks see all of a group's scores; whether a group's scores
    fall below a threshold near their end correlates less.
    """
    if groups is None or len(values) < 2:
        return 0.0
    ranks = rankdata(values)
    _, group = np.unique(groups, return_inverse=True)
    sizes = np.bincount(group)
    n, k = len(ranks), len(sizes)
    if k == n:
        return 0.0
    if k == 1:
        return 1.0
    means = np.bincount(group, weights=ranks) / sizes
    within = float(((ranks - means[group]) ** 2).sum()) / (n - k)
    between = float((sizes * (means - ranks.mean()) ** 2).sum()) / (k - 1)
    size = (n - float(sizes @ sizes) / n) / (k - 1)
    total = between + (size - 1) * within
    return min(max((between - within) / total, 0.0), 1.0) if total > 0 else 0.0
