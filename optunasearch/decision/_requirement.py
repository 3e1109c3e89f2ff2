"""What is asked of a decision threshold."""

from __future__ import annotations

import difflib
import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

# What the shares go by in other places.
_OTHER_NAMES = {
    **dict.fromkeys(("recall", "tpr", "true_positive_rate", "min_sensitivity"), "sensitivity"),
    **dict.fromkeys(("tnr", "true_negative_rate", "min_specificity"), "specificity"),
    **dict.fromkeys(("ppv", "positive_predictive_value", "min_precision"), "precision"),
    **dict.fromkeys(("cost", "cost_matrix", "loss", "losses"), "costs"),
    **dict.fromkeys(("confidence_level", "level"), "confidence"),
    **dict.fromkeys(("positive", "positive_class", "pos"), "pos_label"),
}
_SHARES = ("sensitivity", "specificity", "precision")


@dataclass(frozen=True)
class DecisionThreshold:
    """What is required of a classifier's decisions, and with how much confidence.

    Rows are predicted positive where their score is at least the threshold. With one
    requirement the threshold is the one that is best in the other direction, among those
    whose lower confidence bound meets it:

    - `sensitivity`: the highest threshold, thus the highest specificity,
    - `specificity`: the lowest threshold, thus the highest sensitivity,
    - `precision`: the lowest threshold, thus the highest sensitivity.

    With several, all of them hold together with `confidence`, and of the thresholds that
    are left the one is taken that has the largest sum of sensitivity and specificity on
    the rows. With `costs` it is the threshold with the least cost on the rows.

    Parameters
    ----------
    sensitivity : float, default=None
        The least share of the positive rows that are predicted positive (recall), between
        0 and 1.
    specificity : float, default=None
        The least share of the negative rows that are predicted negative.
    precision : float, default=None
        The least share of the rows predicted positive that are positive, at the prevalence
        of the rows.
    costs : array-like of shape (2, 2), default=None
        What a row costs, ``costs[i][j]`` if it is of class i and is predicted to be of class
        j, where 0 is negative and 1 positive: ``[[tn, fp], [fn, tp]]``, as in scikit-learn's
        ``confusion_matrix``. Gains are negative costs. Instead of requirements.
    confidence : float, default=0.95
        The probability, over samples of training rows, that the requirements are met on
        new rows; for `costs` that of the cost's interval.
    pos_label : int, float, bool or str, default=None
        The positive class. A search takes None only where the classes are 0 and 1 (or -1 and 1).

    Raises
    ------
    TypeError
        If a share or `confidence` is no number, or `costs` none of numbers.
    ValueError
        If a share or `confidence` is not between 0 and 1, nothing is required, requirements
        and `costs` are both given, `costs` is not 2 by 2, or an error costs no more than
        being right.

    See Also
    --------
    decision_report : What such decisions are worth, each figure with its interval.

    Notes
    -----
    To show a sensitivity of 0.95 with confidence 0.95 takes at least 59 positive rows, and
    32 with confidence 0.8: so many must all be predicted positive. A share of 1 can be shown
    by no number of rows. Rows that move together when the model is fitted anew count as fewer:
    those of a group, and those in the same leaf of a single tree.

    References
    ----------
    .. [1] C. J. Clopper, E. S. Pearson, "The use of confidence or fiducial limits illustrated
       in the case of the binomial", Biometrika 26, 1934.
    .. [2] S. S. Wilks, "Determination of Sample Sizes for Setting Tolerance Limits", Annals of
       Mathematical Statistics 12, 1941 (the same bound at an order statistic).

    Examples
    --------
    >>> from optunasearch.decision import DecisionThreshold
    >>> DecisionThreshold(sensitivity=0.95, confidence=0.8)
    DecisionThreshold(sensitivity=0.95, confidence=0.8)

    A missed case costs as much as ten false alarms:

    >>> DecisionThreshold(costs=[[0, 1], [10, 0]])
    DecisionThreshold(costs=((0.0, 1.0), (10.0, 0.0)))
    """

    sensitivity: float | None = None
    specificity: float | None = None
    precision: float | None = None
    costs: Any = None
    confidence: float = 0.95
    pos_label: Any = None

    def __post_init__(self) -> None:
        for name in _SHARES:
            if getattr(self, name) is not None:
                check_share(name, getattr(self, name))
        check_share("confidence", self.confidence)
        if self.costs is None and not self.required:
            raise ValueError(
                "A decision threshold needs something to meet: one or more of sensitivity, "
                "specificity and precision, e.g. {'sensitivity': 0.95}, or costs."
            )
        if self.costs is not None:
            if self.required:
                raise ValueError(
                    f"costs and requirements ({', '.join(self.required)}) exclude each other: "
                    "the threshold of least cost meets no requirement but by chance. "
                    "Give one or the other."
                )
            object.__setattr__(self, "costs", _checked_costs(self.costs))

    def __repr__(self) -> str:
        given = [
            f"{field.name}={getattr(self, field.name)!r}"
            for field in fields(self)
            if getattr(self, field.name) != field.default
        ]
        return f"{type(self).__name__}({', '.join(given)})"

    @property
    def required(self) -> dict[str, float]:
        """The required shares by name, without those that are None."""
        values = {name: getattr(self, name) for name in _SHARES}
        return {name: float(value) for name, value in values.items() if value is not None}


def as_decision_threshold(value: Any) -> DecisionThreshold:
    """Return `value`, or the `DecisionThreshold` that a dict of its arguments stands for."""
    if isinstance(value, DecisionThreshold):
        return value
    if not isinstance(value, Mapping):
        hint = ""
        if isinstance(value, numbers.Real):
            hint = (
                " For a threshold that is known beforehand wrap the estimator in "
                "sklearn.model_selection.FixedThresholdClassifier."
            )
        raise TypeError(
            "decision_threshold must be a DecisionThreshold or a dict of its arguments, e.g. "
            f"{{'sensitivity': 0.95}}, got {value!r}.{hint}"
        )
    known = [field.name for field in fields(DecisionThreshold)]
    for key in value:
        if key not in known:
            raise ValueError(_unknown(key, known))
    return DecisionThreshold(**value)


def _unknown(key: Any, known: list[str]) -> str:
    """Say which key was meant."""
    near = difflib.get_close_matches(str(key), known, 1)
    meant = _OTHER_NAMES.get(str(key).lower(), near[0] if near else None)
    hint = f" Write {meant!r}." if meant else ""
    return f"decision_threshold knows {', '.join(known)}; got {key!r}.{hint}"


def check_share(name: str, value: Any) -> None:
    """Raise unless the value is a number between 0 and 1."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number between 0 and 1, got {value!r}.")
    if 0 < float(value) < 1:
        return
    remedy = "It is a share: write 0.95 for 95 %."
    if 1 < float(value) < 100:
        remedy = f"It is a share: write {float(value) / 100:g} for {float(value):g} %."
    elif float(value) == 1:
        remedy = "No number of rows can show that nothing ever fails: write e.g. 0.99."
    raise ValueError(f"{name} must be between 0 and 1, both excluded, got {value!r}. {remedy}")


def _checked_costs(costs: Any) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the costs as floats, or raise."""
    layout = "[[true negative, false positive], [false negative, true positive]]"
    try:
        found = np.asarray(costs, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"costs must be a 2 by 2 matrix of numbers, {layout}, got {costs!r}."
        ) from error
    if found.shape != (2, 2):
        raise ValueError(
            f"costs must be of shape (2, 2), {layout}, got shape {found.shape}: {costs!r}."
        )
    (tn, fp), (fn, tp) = found.tolist()
    if not all(map(math.isfinite, (tn, fp, fn, tp))):
        raise ValueError(f"costs must be finite, got {costs!r}.")
    if fp <= tn or fn <= tp:
        raise ValueError(
            f"An error must cost more than being right; got costs={costs!r}, which reads as "
            f"{layout}. Rows are true classes and columns predictions, negative first."
        )
    return (tn, fp), (fn, tp)
