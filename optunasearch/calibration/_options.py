"""`Calibration`: what a user asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from optunasearch.calibration._calibrator import Calibrator, IdentityCalibration
from optunasearch.calibration._isotonic import IsotonicCalibration
from optunasearch.calibration._one_vs_rest import BetaCalibration, SigmoidCalibration
from optunasearch.calibration._scaling import TemperatureScaling, VectorScaling

AUTO = "auto"
# The simplest first.
CALIBRATORS: dict[str, type] = {
    "identity": IdentityCalibration,
    "temperature": TemperatureScaling,
    "sigmoid": SigmoidCalibration,
    "vector": VectorScaling,
    "beta": BetaCalibration,
    "isotonic": IsotonicCalibration,
}
METHODS = (AUTO, *(name for name in CALIBRATORS if name != "identity"))


@dataclass(frozen=True)
class Calibration:
    """How a search calibrates the probabilities of its winner.

    Parameters
    ----------
    method : str or Calibrator, default="auto"
        - "auto": none, "temperature", "vector" or (two classes, 1000 rows or more) "beta" or
          (10,000 rows or more) "isotonic", whichever has the least log loss when fitted on
          some folds and judged on the others. Decision values are no probabilities, so for
          them "none" is not among the choices.
        - "temperature", "vector", "sigmoid", "beta", "isotonic": this one, also for estimators
          that have only a ``decision_function``.
        - An object with the methods of `Calibrator`.
    ensemble : bool, default=False
        Keep the models of the winner's folds and predict with all of them, instead of a model
        refitted on all rows. Each was fitted on fewer rows, but together they err less, most of
        all where single models vary much, like trees.

    Raises
    ------
    TypeError
        If `ensemble` is no bool, or `method` neither a str nor a calibrator.
    ValueError
        If `method` is an unknown name.

    See Also
    --------
    Calibrator : What an object of your own has to offer.

    Examples
    --------
    >>> from optunasearch.calibration import Calibration, TemperatureScaling
    >>> Calibration("beta")
    Calibration(method='beta', ensemble=False)
    >>> Calibration(TemperatureScaling(l2_slope=1.0), ensemble=True)
    Calibration(method=TemperatureScaling(l2_slope=1.0), ensemble=True)
    """

    method: Any = AUTO
    ensemble: bool = False

    def __post_init__(self) -> None:
        check_method(self.method)
        if not isinstance(self.ensemble, bool):
            raise TypeError(f"ensemble must be True or False, got {self.ensemble!r}.")


def as_calibration(calibration: Any) -> Calibration | None:
    """Return the `Calibration` that a search's argument stands for; None is none."""
    if calibration is None or isinstance(calibration, Calibration):
        return calibration
    return Calibration(calibration)


def check_method(method: Any) -> None:
    """Raise unless it is a known name or a calibrator."""
    if isinstance(method, str):
        if method not in METHODS:
            raise ValueError(
                f"Unknown calibration method {method!r}. Known are {list(METHODS)}; pass "
                "calibration=None for no calibration."
            )
    elif isinstance(method, type) or not isinstance(method, Calibrator):
        made = f" Pass an instance: {method.__name__}()." if isinstance(method, type) else ""
        raise TypeError(
            f"A calibration method is one of {list(METHODS)} or an object with fit(logits, y, "
            f"sample_weight=None) and predict_proba(logits), got {method!r}.{made}"
        )
