"""Between which scores rows can be cut, and how many fall on either side."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optunasearch.decision._bounds import Floats


@dataclass(frozen=True)
class Cuts:
    """All ways to cut rows in two by their score, from the most lenient to the strictest.

    Cut j predicts the rows positive that have the j-th distinct score or a higher one; the
    last cut predicts none.

    Attributes
    ----------
    scores : ndarray of shape (n_cuts - 1,)
        The distinct scores, rising.
    true_positive, false_positive : ndarray of shape (n_cuts,)
        The weight of the rows of either class that are predicted positive.
    """

    scores: Floats
    true_positive: Floats
    false_positive: Floats

    @property
    def sensitivity(self) -> Floats:
        """The share of positives predicted positive, NaN without positives."""
        return _share(self.true_positive, self.true_positive[0])

    @property
    def specificity(self) -> Floats:
        """The share of negatives predicted negative, NaN without negatives."""
        total = self.false_positive[0]
        return _share(total - self.false_positive, total)

    @property
    def precision(self) -> Floats:
        """The share of positives in what is predicted positive, NaN for the last cut."""
        return _share(self.true_positive, self.true_positive + self.false_positive)

    def threshold(self, cut: int) -> float:
        """Return the threshold of a cut: midway between the scores on either side.

        Any place between them cuts the rows alike. The middle is robust to the rounding of
        scores, and treats the classes alike when they change places. No guarantee is lost:
        that of a sensitivity holds at the score above and thus below it too, that of a
        specificity just above the score below and thus anywhere higher.
        """
        if cut == 0:
            return float(self.scores[0])
        below = float(self.scores[cut - 1])
        if cut == len(self.scores):
            return math.nextafter(below, math.inf)
        above = float(self.scores[cut])
        middle = below / 2 + above / 2
        return middle if below < middle <= above else above


def make_cuts(is_positive: NDArray[np.bool_], score: Floats, weights: Floats | None) -> Cuts:
    """Count the rows above each distinct score."""
    scores, position = np.unique(score, return_inverse=True)
    counts = [
        np.bincount(
            position[rows],
            weights=None if weights is None else weights[rows],
            minlength=len(scores),
        )
        for rows in (is_positive, ~is_positive)
    ]
    true_positive, false_positive = (_at_or_above(count.astype(np.float64)) for count in counts)
    return Cuts(scores, true_positive, false_positive)


def _at_or_above(counts: Floats) -> Floats:
    """Return the sums over each position and those after it, and 0 at the end."""
    return np.append(np.cumsum(counts[::-1])[::-1], 0.0)


def _share(part: Floats, whole: Floats | float) -> Floats:
    """Divide; NaN by 0, and at most 1 whatever the rounding."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.clip(part / np.where(np.equal(whole, 0), np.nan, whole), 0.0, 1.0)
