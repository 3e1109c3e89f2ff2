"""A chosen decision threshold."""

from __future__ import annotations

from dataclasses import dataclass, field

from optunasearch.decision._estimate import Estimate


@dataclass(frozen=True)
class ThresholdChoice:
    """A decision threshold, and what the rows say of it.

    Attributes
    ----------
    threshold : float
        Rows are predicted positive where their score, in double precision, is at least this.
    is_met : bool
        Whether the requirements hold with the required confidence. Otherwise the threshold is
        the one whose bounds come nearest.
    sensitivity, specificity, precision : float
        The shares on the rows that the threshold was chosen on; NaN where undefined.
    bounds : dict
        The lower confidence bound of each required share, by name. That all requirements hold has
        the required confidence if `is_met`; otherwise each bound is one by itself.
    cost : Estimate or None
        The mean cost of a row, corrected for the choice of the threshold, with its two-sided
        interval. None without costs.
    n_positive, n_negative : int
        The number of rows of either class.
    message : str
        If the requirements are not met: what is possible, and what it would take. If they are
        met, but with every row on one side of the threshold: that. Else empty.
    """

    threshold: float
    is_met: bool
    sensitivity: float
    specificity: float
    precision: float
    bounds: dict[str, float] = field(default_factory=dict)
    cost: Estimate | None = None
    n_positive: int = 0
    n_negative: int = 0
    message: str = ""

    def __repr__(self) -> str:
        shown = [f"threshold={self.threshold:.4g}", f"is_met={self.is_met}"]
        shown += [
            f"{name}={getattr(self, name):.3f}"
            + (f" (>= {self.bounds[name]:.3f})" if name in self.bounds else "")
            for name in ("sensitivity", "specificity", "precision")
        ]
        shown += [] if self.cost is None else [f"cost={self.cost.value:.4g}"]
        return f"{type(self).__name__}({', '.join(shown)})"
