"""A figure and its interval."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A figure estimated on a sample, with its interval.

    Attributes
    ----------
    value : float
        The estimate; NaN if the rows leave it undefined.
    low, high : float
        The ends of the two-sided interval; NaN where it is undefined.

    Examples
    --------
    >>> from optunasearch.decision import Estimate
    >>> Estimate(0.9, 0.85, 0.94)
    Estimate(0.9, 0.85, 0.94)
    """

    value: float
    low: float
    high: float

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.value:.4g}, {self.low:.4g}, {self.high:.4g})"
