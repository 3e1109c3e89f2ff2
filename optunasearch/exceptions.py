"""Errors and warnings of optunasearch.

Wrong arguments raise ``ValueError`` and ``TypeError`` as everywhere in
scikit-learn. What only a search can run into has a type of its own::

    OptunaSearchError(Exception)
    ├── PicklingSearchError(OptunaSearchError, TypeError)
    ├── SearchTimeoutError(OptunaSearchError, TimeoutError)
    ├── ThresholdNotMetError(OptunaSearchError, ValueError)
    ├── TrialTimeoutError(OptunaSearchError, TimeoutError)
    └── WorkerDiedError(OptunaSearchError, RuntimeError)

    CalibrationWarning(UserWarning)
    InfeasibleWarning(UserWarning)
    ThresholdNotMetWarning(UserWarning)
"""

__all__ = [
    "CalibrationWarning",
    "InfeasibleWarning",
    "OptunaSearchError",
    "PicklingSearchError",
    "SearchTimeoutError",
    "ThresholdNotMetError",
    "ThresholdNotMetWarning",
    "TrialTimeoutError",
    "WorkerDiedError",
]


class OptunaSearchError(Exception):
    """Base class of this package's errors."""


class PicklingSearchError(OptunaSearchError, TypeError):
    """The estimator, the data or a scorer cannot be sent to a worker process."""


class SearchTimeoutError(OptunaSearchError, TimeoutError):
    """`timeout` passed before any trial had finished."""


class ThresholdNotMetError(OptunaSearchError, ValueError):
    """No decision threshold meets what `decision_threshold` requires."""


class TrialTimeoutError(OptunaSearchError, TimeoutError):
    """A trial took longer than `trial_timeout` and ``error_score="raise"``."""


class WorkerDiedError(OptunaSearchError, RuntimeError):
    """A trial ended its worker process three times and ``error_score="raise"``."""


class CalibrationWarning(UserWarning):
    """Out-of-fold predictions do not support the calibration or the threshold asked for."""


class InfeasibleWarning(UserWarning):
    """No candidate meets the constraints; the least violation was taken."""


class ThresholdNotMetWarning(UserWarning):
    """No decision threshold meets what is required; the nearest one was kept."""
