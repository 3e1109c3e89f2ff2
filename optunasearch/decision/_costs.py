"""The threshold of least cost, and what it may be expected to cost.

The least cost on the rows is too good to be true: the threshold was chosen for it. By how
much is estimated as Harrell does, with the bootstrap: a threshold chosen on a resample costs
more on the rows than on the resample. The interval of the cost is that of the resamples at
the chosen threshold, moved by that amount [1]_.

References
----------
.. [1] H. Noma et al., "Confidence intervals of prediction accuracy measures for multivariable
   prediction models based on the bootstrap-based optimism correction methods", Statistics in
   Medicine 40, 2021.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from optunasearch.decision._bounds import Floats
from optunasearch.decision._cuts import Cuts
from optunasearch.decision._estimate import Estimate
from optunasearch.decision._rows import Rows

N_RESAMPLES = 500

Costs = tuple[tuple[float, float], tuple[float, float]]


def mean_costs(cuts: Cuts, costs: Costs) -> Floats:
    """Return the mean cost of a row at each cut."""
    (tn, fp), (fn, tp) = costs
    n_positive, n_negative = cuts.true_positive[0], cuts.false_positive[0]
    total = (
        tp * cuts.true_positive
        + fn * (n_positive - cuts.true_positive)
        + fp * cuts.false_positive
        + tn * (n_negative - cuts.false_positive)
    )
    return total / (n_positive + n_negative)


def cost_estimate(
    rows: Rows,
    position: NDArray[np.intp],
    cut: int,
    costs: Costs,
    *,
    confidence: float,
    random_state: Any,
) -> Estimate:
    """Return the cost of a row at the chosen cut, corrected for the choice.

    `position`, of shape (n_repeats, n_rows), is the number of each score among the distinct
    ones, rising. Groups are resampled whole, and rows with all their repeats.
    """
    rng = check_random_state(random_state)
    (tn, fp), (fn, tp) = costs
    if_called = np.where(rows.is_positive, tp, fp)
    if_not = np.where(rows.is_positive, fn, tn)
    n_repeats, n_rows = position.shape
    n_cuts = int(position.max()) + 2
    weights = np.ones(n_rows) if rows.weights is None else rows.weights
    unit = np.arange(n_rows)
    if rows.groups is not None:
        unit = np.unique(rows.groups, return_inverse=True)[1]
    n_units = int(unit.max()) + 1
    flat = position.ravel()

    def mean_cost(w: Floats) -> Floats:
        called, left = (
            np.bincount(flat, weights=np.tile(w * cost, n_repeats), minlength=n_cuts)
            for cost in (if_called, if_not)
        )
        below = np.concatenate([[0.0], np.cumsum(left)[:-1]])
        return (below + np.cumsum(called[::-1])[::-1]) / (n_repeats * w.sum())

    apparent = mean_cost(weights)
    optimism, resampled = [], []
    for _ in range(N_RESAMPLES):
        times = np.bincount(rng.randint(n_units, size=n_units), minlength=n_units)
        found = mean_cost(weights * times[unit])
        optimism.append(apparent[np.argmin(found)] - found.min())
        resampled.append(found[cut])
    shift = max(float(np.mean(optimism)), 0.0)
    low, high = np.quantile(resampled, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(float(apparent[cut]) + shift, float(low) + shift, float(high) + shift)
