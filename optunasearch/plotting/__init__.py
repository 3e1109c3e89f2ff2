"""Pictures of a finished search, drawn by matplotlib.

They are displays in scikit-learn's manner: `from_search` computes and draws, the numbers are kept
as attributes, and `plot` draws them again. None of them fits anything.
"""

from optunasearch.plotting._corrected import CorrectedScoreDisplay
from optunasearch.plotting._reliability import ReliabilityDisplay
from optunasearch.plotting._reliability_curve import ReliabilityCurve
from optunasearch.plotting._threshold import DecisionThresholdDisplay

__all__ = [
    "CorrectedScoreDisplay",
    "DecisionThresholdDisplay",
    "ReliabilityCurve",
    "ReliabilityDisplay",
]
