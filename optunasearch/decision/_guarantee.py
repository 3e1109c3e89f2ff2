"""Where required shares are shown: bounds that allow for the choice of the threshold.

One requirement, on sensitivity or specificity. Say that a sensitivity q is required. If the
threshold is the k-th smallest score of n positive rows, the sensitivity at it follows a
Beta(n - k + 1, k) distribution, or is larger where scores are tied. The largest k for which
P(Beta >= q) is at least the confidence is taken: this is where the lower bound of Clopper and
Pearson of the share of positives at or above the threshold is still at least q, so that bound,
order statistic and tolerance limit (Wilks) are one and the same. Specificity: the same, of the
negatives.

Precision. The rows above a threshold that is fixed beforehand are positive with one
probability, and the bound of Clopper and Pearson holds; but of many thresholds tried, some
pass by chance. They are therefore tried from strict to lenient, and the walk ends at the first
that fails (fixed-sequence testing, as in Learn then Test). Proof, for a precision that rises
with the threshold: let c be the largest threshold whose true precision is too small. To get as
far as c or below it the walk must pass the test on the rows at or above c, and c is no matter
of chance. The first few rows can pass no test, so the walk begins after a number of rows that
depends on n, precision and confidence alone. If fewer than that are above c, the first test is
made below c, and given how many are above, passing is less likely still.

Several requirements share the error evenly (Bonferroni), each with its exact bound. A
bootstrap of the pair was not taken: its bound is not one at 30 or 60 rows, where the
requirements bite (without a miss among the rows every resample has a sensitivity of 1), and
sharing the error costs little: the bounds of two at 0.95 are those of one at 0.975.

References
----------
.. [1] S. S. Wilks, "Determination of Sample Sizes for Setting Tolerance Limits", Annals of
   Mathematical Statistics 12, 1941.
.. [2] A. N. Angelopoulos, S. Bates, E. J. Candès, M. I. Jordan, L. Lei, "Learn then Test:
   Calibrating Predictive Algorithms to Achieve Risk Control", arXiv:2110.01052, 2021.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optunasearch.decision._bounds import Floats, is_shown, lower_bound, rows_needed
from optunasearch.decision._cuts import Cuts
from optunasearch.decision._requirement import DecisionThreshold
from optunasearch.decision._rows import Rows

# What share of the failures that a precision allows for may be found among the rows that the
# walk begins with, and the largest share of all rows that these may be. In simulations this
# found the highest sensitivity, against other shares, and against several beginnings.
_FAILURES, _BEGINNING = 0.5, 0.25


@dataclass(frozen=True)
class Test:
    """A required share over all cuts.

    Attributes
    ----------
    passed, bounds : ndarray of shape (n_cuts,)
        Where it is shown, and its lower bound.
    size : float
        The number of independent rows that it is judged by (of precision: all of them).
    error : float
        One minus the confidence of this test.
    """

    name: str
    required: float
    passed: NDArray[np.bool_]
    bounds: Floats
    size: float
    error: float


def judge(rows: Rows, cuts: Cuts, requirement: DecisionThreshold) -> list[Test]:
    """Judge each requirement at each cut, all of them with the same share of the error."""
    error = (1 - requirement.confidence) / len(requirement.required)
    tests = []
    for name, required in requirement.required.items():
        if name == "precision":
            tests.append(_precision_test(rows, cuts, required, error))
            continue
        of_class = rows.is_positive if name == "sensitivity" else ~rows.is_positive
        size = rows.worth(of_class, rows.score.mean(axis=0))
        shares = cuts.sensitivity if name == "sensitivity" else cuts.specificity
        successes = _successes(shares, size, whole=rows.are_counted)
        passed = is_shown(successes, size, required, error)
        bounds = lower_bound(successes, size, 1 - error)
        tests.append(Test(name, required, passed, bounds, size, error))
    return tests


def _precision_test(rows: Rows, cuts: Cuts, required: float, error: float) -> Test:
    """Walk from the strictest cut to more lenient ones, until one fails."""
    everything = np.ones(len(rows.is_positive), dtype=bool)
    size = rows.worth(everything, rows.is_positive.astype(np.float64))
    called = cuts.true_positive + cuts.false_positive
    worth = _successes(called / called[0], size, whole=rows.are_counted)
    successes = _successes(np.nan_to_num(cuts.precision), worth, whole=rows.are_counted)
    is_tried = worth >= _walk_begins(size, required, error)
    shown = is_shown(successes, worth, required, error)
    strict_first = np.flatnonzero(is_tried)[::-1]
    n_passed = int(np.argmin(np.append(shown[strict_first], False)))
    passed = np.zeros_like(shown)
    passed[strict_first[:n_passed]] = True
    bounds = lower_bound(successes, worth, 1 - error)
    return Test("precision", required, passed, bounds, size, error)


def _walk_begins(size: float, required: float, error: float) -> int:
    """Return with how many rows a walk along the precision begins."""
    least = rows_needed(required, error)
    most = max(least, math.floor(_BEGINNING * size))
    n = np.arange(least, most + 1)
    successes = np.ceil(n * (1 - _FAILURES * (1 - required)))
    enough = is_shown(successes, n, required, error)
    return int(n[np.argmax(enough)]) if enough[1:].any() else most


def _successes(shares: Floats, size: Floats | float, *, whole: bool) -> Floats:
    """Return the number of successes; 57 of 59 as a share of 59 is 57.00000000000001."""
    successes = shares * size
    near = np.rint(successes)
    is_near = np.abs(successes - near) < 1e-9 * np.maximum(near, 1)
    return np.where(is_near, near, successes) if whole else successes
