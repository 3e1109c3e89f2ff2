"""Figures that describe decisions and probabilities, each with its interval.

- Shares (sensitivity and the like): Clopper and Pearson. Wilson's interval is shorter but
  covers less than its confidence for some shares, those near 0 and 1 among them, where a
  medical test should be; and the bound of a chosen threshold is Clopper and Pearson's too.
- Brier score and log loss: means over rows, with Student's t.
- Area under the ROC curve: DeLong [1]_, on the logit scale.
- Calibration: Wald intervals from the robust covariance, as the logistic model of the
  probabilities [2]_ is no more than an approximation.

The variances of the last three come from what each row (each group of rows) contributes to
the figure, which is how weights and groups enter.

References
----------
.. [1] E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, "Comparing the Areas under Two or
   More Correlated Receiver Operating Characteristic Curves", Biometrics 44, 1988.
.. [2] D. R. Cox, "Two further applications of a model for binary regression", Biometrika 45,
   1958.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtri, stdtrit

from optunasearch.decision._bounds import Floats, lower_bound, upper_bound
from optunasearch.decision._estimate import Estimate
from optunasearch.decision._rows import Rows

UNDEFINED = Estimate(np.nan, np.nan, np.nan)
# Probabilities of 0 and 1 are taken for these, as scikit-learn's log_loss does.
_EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Sample:
    """Rows, their probability of being positive, and how the rows hang together.

    Attributes
    ----------
    is_positive : ndarray of bool of shape (n_rows,)
    probability : ndarray of shape (n_rows,)
    weights : ndarray of shape (n_rows,) or None
        Above 0.
    groups : ndarray of shape (n_rows,) or None
    confidence : float
    folds : ndarray of shape (n_rows,) or None
    """

    is_positive: NDArray[np.bool_]
    probability: Floats
    weights: Floats | None
    groups: NDArray | None
    confidence: float
    folds: NDArray | None = None

    @property
    def row_weights(self) -> Floats:
        """The weights, ones if there are none."""
        return np.ones(len(self.probability)) if self.weights is None else self.weights

    def clusters(self, rows: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Return the number of each row's group; rows are their own without groups."""
        if self.groups is None:
            return np.arange(int(rows.sum()))
        return np.unique(self.groups[rows], return_inverse=True)[1]


def share(sample: Sample, successes: NDArray[np.bool_], rows: NDArray[np.bool_]) -> Estimate:
    """Estimate the share of successes among some rows."""
    n_rows = int(rows.sum())
    if n_rows == 0:
        return UNDEFINED
    hits = successes[rows]
    weights = None if sample.weights is None else sample.weights[rows]
    size = _as_rows(sample).worth(rows, successes.astype(np.float64))
    value = float(np.average(hits, weights=weights))
    one_sided = (1 + sample.confidence) / 2
    low, high = (bound(value * size, size, one_sided) for bound in (lower_bound, upper_bound))
    return Estimate(value, float(low), float(high))


def _as_rows(sample: Sample) -> Rows:
    """Return the rows as those that a threshold is chosen on."""
    return Rows(
        sample.is_positive,
        sample.probability[np.newaxis],
        sample.weights,
        sample.groups,
        None if sample.folds is None else sample.folds[np.newaxis],
    )


def mean(sample: Sample, values: Floats, most: float = np.inf) -> Estimate:
    """Estimate the mean of values between 0 and `most`."""
    everything = np.ones(len(values), dtype=bool)
    w = sample.row_weights
    value = float(np.average(values, weights=w))
    cluster = sample.clusters(everything)
    n_clusters = int(cluster.max()) + 1
    if n_clusters < 2:
        return Estimate(value, np.nan, np.nan)
    sums = np.bincount(cluster, weights=w * (values - value)) / w.sum()
    error = np.sqrt(n_clusters / (n_clusters - 1) * float(sums @ sums))
    half = float(stdtrit(n_clusters - 1, (1 + sample.confidence) / 2)) * error
    return Estimate(value, max(value - half, 0.0), min(value + half, most))


def brier_score(sample: Sample) -> Estimate:
    """Estimate the mean squared difference of probability and outcome."""
    return mean(sample, (sample.probability - sample.is_positive) ** 2, most=1.0)


def log_loss(sample: Sample) -> Estimate:
    """Estimate the mean negative logarithm of the probability of what came true."""
    p = np.clip(sample.probability, _EPSILON, 1 - _EPSILON)
    return mean(sample, -np.log(np.where(sample.is_positive, p, 1 - p)))


def roc_auc(sample: Sample) -> Estimate:
    """Estimate the chance that a positive row has a higher score than a negative one."""
    y, w = sample.is_positive, sample.row_weights
    n_positive, n_negative = int(y.sum()), int((~y).sum())
    if not n_positive or not n_negative:
        return UNDEFINED
    # Of each row, the share of the other class on its right side; ties count half.
    placed = np.empty(len(y))
    placed[y] = _share_below(sample.probability[y], sample.probability[~y], w[~y])
    placed[~y] = 1 - _share_below(sample.probability[~y], sample.probability[y], w[y])
    value = min(float(np.average(placed[y], weights=w[y])), 1.0)
    fewer = min(n_positive, n_negative)
    if value in (0.0, 1.0) or fewer < 2:
        # Pairs that share no row are independent, and each is in order with this chance.
        one_sided = (1 + sample.confidence) / 2
        low, high = (b(value * fewer, fewer, one_sided) for b in (lower_bound, upper_bound))
        return Estimate(value, float(low), float(high))
    influence = placed - value
    for rows, n in ((y, n_positive), (~y, n_negative)):
        influence[rows] *= w[rows] / w[rows].sum() * np.sqrt(n / (n - 1))
    sums = np.bincount(sample.clusters(np.ones(len(y), dtype=bool)), weights=influence)
    error = np.sqrt(float(sums @ sums)) / (value * (1 - value))
    half = float(ndtri((1 + sample.confidence) / 2)) * error
    centre = float(logit(value))
    return Estimate(value, float(expit(centre - half)), float(expit(centre + half)))


def _share_below(values: Floats, others: Floats, weights: Floats) -> Floats:
    """Return the weighted share of the others below each value, of those equal the half."""
    order = np.argsort(others)
    sums = np.concatenate([[0.0], np.cumsum(weights[order])])
    ranked = others[order]
    below = sums[np.searchsorted(ranked, values, "left")]
    up_to = sums[np.searchsorted(ranked, values, "right")]
    return (below + up_to) / 2 / sums[-1]


def calibration_slope(sample: Sample) -> Estimate:
    """Estimate b in logit P(positive) = a + b logit(p): 1 is ideal, below it p is extreme."""
    x = _logits(sample)
    y = sample.is_positive
    if not y.any() or y.all() or np.ptp(x) == 0:
        return UNDEFINED
    if x[y].min() >= x[~y].max() or x[y].max() <= x[~y].min():  # separated: b is infinite
        return UNDEFINED
    scale = float(x.std())
    design = np.column_stack([np.ones_like(x), (x - x.mean()) / scale])
    found = _logistic(sample, design, np.zeros_like(x))
    return Estimate(found.value / scale, found.low / scale, found.high / scale)


def calibration_intercept(sample: Sample) -> Estimate:
    """Estimate a in logit P(positive) = a + logit(p): 0 is ideal, above it p is too low."""
    y = sample.is_positive
    if not y.any() or y.all():
        return UNDEFINED
    x = _logits(sample)
    return _logistic(sample, np.ones((len(x), 1)), x)


def _logits(sample: Sample) -> Floats:
    """Return the log-odds of the probabilities, finite ones."""
    return logit(np.clip(sample.probability, _EPSILON, 1 - _EPSILON))


def _logistic(sample: Sample, design: Floats, offset: Floats) -> Estimate:
    """Fit a logistic regression by Newton's method; return the last coefficient."""
    w = sample.row_weights / sample.row_weights.mean()
    y = sample.is_positive.astype(np.float64)
    coefficients = np.zeros(design.shape[1])

    def loss(c: Floats) -> float:
        z = offset + design @ c
        return float(w @ (np.logaddexp(0, z) - y * z))

    for _ in range(100):
        chance = expit(offset + design @ coefficients)
        gradient = design.T @ (w * (y - chance))
        hessian = (design * (w * chance * (1 - chance))[:, None]).T @ design
        try:
            step = np.linalg.solve(hessian, gradient)
        except np.linalg.LinAlgError:
            return UNDEFINED
        now = loss(coefficients)
        while loss(coefficients + step) > now + 1e-12 * abs(now) and np.abs(step).max() > 1e-12:
            step /= 2
        coefficients = coefficients + step
        if np.abs(step).max() < 1e-10 * (1 + np.abs(coefficients).max()):
            break
    else:
        return UNDEFINED
    influence = np.linalg.solve(hessian, (design * (w * (y - chance))[:, None]).T)[-1]
    sums = np.bincount(sample.clusters(np.ones(len(y), dtype=bool)), weights=influence)
    n = len(sums)
    if n < 2:
        return Estimate(float(coefficients[-1]), np.nan, np.nan)
    error = np.sqrt(n / (n - 1) * float(sums @ sums))
    half = float(ndtri((1 + sample.confidence) / 2)) * error
    value = float(coefficients[-1])
    return Estimate(value, value - half, value + half)
