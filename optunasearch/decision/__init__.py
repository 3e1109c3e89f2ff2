"""Decisions: a threshold that meets a requirement, and what the decisions are worth.

`DecisionThreshold` says what is required, with how much confidence. `decision_report` gives
the sensitivity, the calibration and whatever else describes a classifier's decisions, each
figure with its interval.
"""

from optunasearch.decision._choice import ThresholdChoice
from optunasearch.decision._estimate import Estimate
from optunasearch.decision._report import DecisionReport, decision_report
from optunasearch.decision._requirement import DecisionThreshold

__all__ = [
    "DecisionReport",
    "DecisionThreshold",
    "Estimate",
    "ThresholdChoice",
    "decision_report",
]
