"""Calibration: class probabilities that come true as often as they say.

A search keeps the winner's out-of-fold predictions, so a calibrator costs no fit. The
calibrators here know nothing of a search: they map logits (logarithms of probabilities, or
decision values) to probabilities. `Calibration` says which one a search shall use, and
`Calibrator` is what one of your own has to offer.
"""

from optunasearch.calibration._calibrator import Calibrator, IdentityCalibration
from optunasearch.calibration._classifier import CalibratedClassifier, Decision
from optunasearch.calibration._ensemble import FoldEnsemble
from optunasearch.calibration._fit import FittedCalibrator
from optunasearch.calibration._isotonic import IsotonicCalibration
from optunasearch.calibration._one_vs_rest import BetaCalibration, SigmoidCalibration
from optunasearch.calibration._options import Calibration
from optunasearch.calibration._scaling import TemperatureScaling, VectorScaling

__all__ = [
    "BetaCalibration",
    "CalibratedClassifier",
    "Calibration",
    "Calibrator",
    "Decision",
    "FittedCalibrator",
    "FoldEnsemble",
    "IdentityCalibration",
    "IsotonicCalibration",
    "SigmoidCalibration",
    "TemperatureScaling",
    "VectorScaling",
]
