"""What each parameter of the search may be; checked at the start of `fit`."""

from __future__ import annotations

import numbers
from typing import Any

from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler

from optunasearch._samplers import SAMPLER_NAMES
from optunasearch._sklearn import BaseSearchCV, HasMethods, Interval, StrOptions
from optunasearch.calibration._options import METHODS, Calibration
from optunasearch.pruning._epochs import Epochs
from optunasearch.pruning._optuna_rule import PRUNER_NAMES
from optunasearch.pruning._race import Race

PARAMETER_CONSTRAINTS: dict[str, Any] = {
    **BaseSearchCV._parameter_constraints,
    "pre_dispatch": "no_validation",
    "param_distributions": "no_validation",
    "n_trials": [Interval(numbers.Integral, 1, None, closed="left"), None],
    "timeout": [Interval(numbers.Real, 0, None, closed="neither"), None],
    "random_state": ["random_state"],
    "sampler": [StrOptions(set(SAMPLER_NAMES)), BaseSampler, None],
    "pruner": [StrOptions({"auto", *PRUNER_NAMES}), Race, BasePruner, None],
    "epochs": [StrOptions({"last", "best"}), Epochs],
    "calibration": [
        StrOptions(set(METHODS)),
        Calibration,
        HasMethods(["fit", "predict_proba"]),
        None,
    ],
    "decision_threshold": "no_validation",  # `check_predictions` says more
    "initial_params": [StrOptions({"estimator"}), dict, list, tuple, None],
    "objectives": [list, tuple, None],
    "constraints": [dict, None],
    "trial_timeout": [Interval(numbers.Real, 0, None, closed="neither"), None],
    "patience": [Interval(numbers.Integral, 1, None, closed="left"), None],
    "callbacks": [list, tuple, None],
    "reuse_duplicates": ["boolean"],
    "reuse_transforms": ["boolean"],
    "max_pending": [Interval(numbers.Integral, 1, None, closed="left"), None],
}
