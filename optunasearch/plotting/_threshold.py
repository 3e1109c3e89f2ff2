"""Sensitivity, specificity and precision against the decision threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_consistent_length, column_or_1d

from optunasearch.decision._bounds import lower_bound, upper_bound
from optunasearch.decision._cuts import Cuts
from optunasearch.decision._labels import positive_class, probability_of
from optunasearch.decision._requirement import as_decision_threshold, check_share
from optunasearch.decision._rows import Rows, checked_rows
from optunasearch.plotting._matplotlib import (
    BLUE,
    GREEN,
    VERMILION,
    axes,
    legend_above,
    line_style,
    of_positive_class,
)
from optunasearch.plotting._search_results import decision_rows, results_of

_STYLES = {
    "sensitivity": {"color": BLUE, "linestyle": "-"},
    "specificity": {"color": VERMILION, "linestyle": "--"},
    "precision": {"color": GREEN, "linestyle": "-."},
}
# More steps than can be seen, and fewer than matplotlib can fill.
_MOST_STEPS = 2000


class ShareCurve(NamedTuple):
    """A share at each threshold, and its band."""

    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


class DecisionThresholdDisplay:
    """Sensitivity and specificity against the decision threshold.

    Rows are predicted positive where their score is at least the threshold. The bands are
    pointwise: each edge is a one-sided bound with `confidence` (Clopper and Pearson), so that
    both edges together hold with 2 `confidence` - 1. The lower edge is the bound that a
    `DecisionThreshold` goes by: it chooses the place where that edge meets what is required.

    It is recommended to use `from_search` or `from_predictions`.

    Parameters
    ----------
    thresholds : ndarray of shape (n_thresholds,)
        Rising. A share is the one of its threshold and of those between it and the one before.
    curves : dict of str to ShareCurve
        Of "sensitivity", "specificity" and "precision": ``value``, ``low`` and ``high``, each an
        ndarray of shape (n_thresholds,), NaN where the rows leave it undefined.
    confidence : float, default=0.95
        Of each edge of the bands.
    threshold : float, default=None
        The one that was chosen.
    required : dict of str to float, default=None
        The shares that it has to reach, by name.
    is_met : bool, default=True
        Whether they are reached.
    pos_label : int, float, bool or str, default=None
        The positive class.
    is_probability : bool, default=True
        Whether thresholds are of probabilities, not of decision values.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : dict of str to matplotlib Line2D
        By name of the share.
    bands_ : dict of str to matplotlib FillBetweenPolyCollection
        By name of the share.
    threshold_line_ : matplotlib Line2D or None
    required_lines_ : dict of str to matplotlib Line2D

    See Also
    --------
    optunasearch.decision.decision_report : All figures at one threshold.

    Examples
    --------
    >>> from optunasearch import OptunaSearchCV
    >>> from optunasearch.plotting import DecisionThresholdDisplay
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.naive_bayes import GaussianNB
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> search = OptunaSearchCV(
    ...     GaussianNB(),
    ...     {"var_smoothing": [1e-9, 1e-8]},
    ...     decision_threshold={"sensitivity": 0.9, "pos_label": 0},
    ... ).fit(X, y)
    >>> display = DecisionThresholdDisplay.from_search(search)
    >>> display.threshold == search.best_threshold_
    True
    """

    def __init__(
        self,
        thresholds: NDArray[np.float64],
        curves: Mapping[str, ShareCurve],
        *,
        confidence: float = 0.95,
        threshold: float | None = None,
        required: Mapping[str, float] | None = None,
        is_met: bool = True,
        pos_label: Any = None,
        is_probability: bool = True,
    ) -> None:
        self.thresholds = thresholds
        self.curves = curves
        self.confidence = confidence
        self.threshold = threshold
        self.required = required
        self.is_met = is_met
        self.pos_label = pos_label
        self.is_probability = is_probability

    def plot(
        self,
        *,
        ax: Any = None,
        metrics: Sequence[str] = ("sensitivity", "specificity"),
        **kwargs: Any,
    ) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        metrics : sequence of str, default=("sensitivity", "specificity")
            Which curves to draw; "precision" is the third. A required one is always drawn.
        **kwargs : dict
            For matplotlib's ``plot``, of each curve.

        Returns
        -------
        display : DecisionThresholdDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If a metric is unknown.
        """
        required = dict(self.required or {})
        unknown = [name for name in metrics if name not in _STYLES]
        if isinstance(metrics, str) or unknown:
            raise ValueError(f"metrics must be a list of {list(_STYLES)}, got {metrics!r}.")
        self.ax_ = axes(self, ax)
        self.figure_ = self.ax_.figure
        self.lines_: dict[str, Any] = {}
        self.bands_: dict[str, Any] = {}
        self.required_lines_: dict[str, Any] = {}
        for name in dict.fromkeys((*metrics, *required)):
            self._draw(name, kwargs)
        for name, value in required.items():
            self.required_lines_[name] = self.ax_.axhline(
                value,
                color=self.lines_[name].get_color(),
                linestyle=":",
                label=f"required {name}: {value:g}",
            )
        self._mark_threshold()
        kind = "probability" if self.is_probability else "decision value"
        first, *others = self.lines_
        shares = ", ".join([first.capitalize(), *others])
        self.ax_.set(
            xlabel=f"Threshold on the {kind}{of_positive_class(self.pos_label)}",
            ylabel=shares,
            xlim=(self.thresholds[0], self.thresholds[-1]),
            ylim=(-0.02, 1.02),
        )
        legend_above(self.ax_, 2)
        return self

    def _draw(self, name: str, kwargs: Mapping[str, Any]) -> None:
        """Draw one curve and its band."""
        curve = self.curves[name]
        style = line_style(_STYLES[name] | {"label": name, "drawstyle": "steps-pre"}, kwargs)
        (line,) = self.ax_.plot(self.thresholds, curve.value, **style)
        self.lines_[name] = line
        self.bands_[name] = self.ax_.fill_between(
            self.thresholds,
            curve.low,
            curve.high,
            step="pre",
            color=line.get_color(),
            alpha=0.2,
            linewidth=0,
            label=None if self.bands_ else f"one-sided {100 * self.confidence:g} % bounds",
        )

    def _mark_threshold(self) -> None:
        """Draw where the threshold is, and what it gives."""
        self.threshold_line_ = None
        if self.threshold is None:
            return
        unmet = "" if self.is_met else " (not shown to do)"
        self.threshold_line_ = self.ax_.axvline(
            self.threshold,
            color="0.3",
            linewidth=1,
            label=f"threshold: {self.threshold:.3g}{unmet}",
        )
        at = min(int(np.searchsorted(self.thresholds, self.threshold)), len(self.thresholds) - 1)
        for name, line in self.lines_.items():
            value = self.curves[name].value[at]
            self.ax_.plot(self.threshold, value, "o", color=line.get_color(), markersize=5)
            line.set_label(f"{line.get_label()}: {value:.3f} at the threshold")

    @classmethod
    def from_search(
        cls,
        search: Any,
        *,
        pos_label: Any = None,
        confidence: float | None = None,
        ax: Any = None,
        metrics: Sequence[str] = ("sensitivity", "specificity"),
        **kwargs: Any,
    ) -> Self:
        """Draw what each threshold gives on a search's out-of-fold predictions.

        With `decision_threshold` the one that was chosen and what is required of it are marked.

        Parameters
        ----------
        search : OptunaSearchCV
            Fitted, of a target of two classes.
        pos_label : int, float, bool or str, default=None
            The positive class, None for the second. With `decision_threshold` it is the one
            that this names.
        confidence : float, default=None
            Of each edge of the bands. None: what `decision_threshold` requires, shared by its
            requirements if they are several; 0.95 without.
        ax, metrics, **kwargs
            As of `plot`.

        Returns
        -------
        display : DecisionThresholdDisplay

        Raises
        ------
        AttributeError
            If there are no out-of-fold predictions, or not two classes.
        TypeError, ValueError
            If an argument is not as described.
        """
        rows, positive, is_probability = decision_rows(search, pos_label)
        choice = getattr(search, "threshold_choice_", None)
        asked = results_of(search).requirement
        required = {}
        if choice is not None and asked is not None:
            required = asked.required
            if confidence is None and required:
                confidence = 1 - (1 - asked.confidence) / len(required)
        return cls._from_rows(
            rows,
            0.95 if confidence is None else confidence,
            threshold=None if choice is None else choice.threshold,
            required=required,
            is_met=choice is None or choice.is_met,
            pos_label=positive,
            is_probability=is_probability,
        ).plot(ax=ax, metrics=metrics, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_prob: ArrayLike,
        *,
        pos_label: Any = None,
        threshold: float | None = None,
        required: Mapping[str, float] | None = None,
        confidence: float = 0.95,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        ax: Any = None,
        metrics: Sequence[str] = ("sensitivity", "specificity"),
        **kwargs: Any,
    ) -> Self:
        """Draw what each threshold gives on rows that the model has not seen.

        Parameters
        ----------
        y_true : array-like of shape (n_rows,)
            True labels, of two classes.
        y_prob : array-like of shape (n_rows,) or (n_rows, 2)
            The probability of the positive class, or those of both in sorted order.
        pos_label : int, float, bool or str, default=None
            The positive class, None for the second.
        threshold : float, default=None
            A threshold to mark.
        required : dict of str to float, default=None
            Shares to mark, as ``{"sensitivity": 0.95}``.
        confidence : float, default=0.95
            Of each edge of the bands.
        sample_weight, groups : array-like of shape (n_rows,), default=None
            As of `decision_report`.
        ax, metrics, **kwargs
            As of `plot`.

        Returns
        -------
        display : DecisionThresholdDisplay

        Raises
        ------
        ValueError
            If an argument is not as described.
        """
        labels = column_or_1d(y_true)
        check_consistent_length(labels, y_prob)
        classes = np.unique(labels).tolist()
        positive = positive_class(pos_label, classes)
        probability = probability_of(positive, classes, y_prob)
        asked = as_decision_threshold(required).required if required else {}
        return cls._from_rows(
            checked_rows(labels == positive, probability, sample_weight, groups, None),
            confidence,
            threshold=threshold,
            required=asked,
            pos_label=positive,
        ).plot(ax=ax, metrics=metrics, **kwargs)

    @classmethod
    def _from_rows(cls, rows: Rows, confidence: float, **known: Any) -> Self:
        """Count the rows on either side of each threshold."""
        check_share("confidence", confidence)
        cuts = rows.cuts()
        scores = cuts.scores
        first, last = 0.0, 1.0
        if not known.get("is_probability", True):
            margin = 0.05 * float(np.ptp(scores)) or 1.0
            first, last = scores[0] - margin, scores[-1] + margin
        at = np.unique(np.linspace(0, len(scores), _MOST_STEPS).astype(int))
        thresholds = np.append(scores, max(last, scores[-1]))[at]
        curves = {
            name: ShareCurve(*(np.append(part[0], part[at]) for part in curve))
            for name, curve in _share_curves(rows, cuts, confidence).items()
        }
        return cls(
            np.append(min(first, thresholds[0]), thresholds),
            curves,
            confidence=confidence,
            **known,
        )


def _share_curves(rows: Rows, cuts: Cuts, confidence: float) -> dict[str, ShareCurve]:
    """Return the shares at each cut, and their bands by as many rows as these are worth."""
    score = rows.score.mean(axis=0)
    everything = np.ones(len(score), dtype=bool)
    called = cuts.true_positive + cuts.false_positive
    of_class = {"sensitivity": rows.is_positive, "specificity": ~rows.is_positive}
    worth: dict[str, Any] = {name: rows.worth(of, score) for name, of in of_class.items()}
    all_rows = rows.worth(everything, rows.is_positive.astype(np.float64))
    worth["precision"] = all_rows * called / called[0]
    curves = {}
    for name, size in worth.items():
        value = getattr(cuts, name)
        successes = np.nan_to_num(value) * size
        low = lower_bound(successes, size, confidence)
        high = upper_bound(successes, size, confidence)
        curves[name] = ShareCurve(value, low, high)
    return curves
