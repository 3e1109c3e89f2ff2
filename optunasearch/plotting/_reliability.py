"""Reliability diagram."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_consistent_length, column_or_1d

from optunasearch.decision._requirement import check_share
from optunasearch.decision._rows import checked_weights
from optunasearch.plotting._matplotlib import (
    BLUE,
    GREEN,
    GREY,
    VERMILION,
    axes,
    counts_axes,
    legend_above,
    line_style,
    of_positive_class,
)
from optunasearch.plotting._probabilities import as_probabilities
from optunasearch.plotting._reliability_curve import ReliabilityCurve, reliability_curve
from optunasearch.plotting._search_results import (
    NamedProbabilities,
    out_of_fold_probabilities,
    positive_position,
    probabilities_of,
)

# In turn. The first of two is what calibration starts from.
_STYLES = (
    {"color": VERMILION, "marker": "o", "linestyle": "--"},
    {"color": BLUE, "marker": "s", "linestyle": "-"},
    {"color": GREEN, "marker": "^", "linestyle": "-."},
    {"color": GREY, "marker": "D", "linestyle": ":"},
)
_COUNTS_SHARE = 0.24


class ReliabilityDisplay:
    """Reliability diagram: whether probabilities come true as often as they say.

    Rows are sorted by their predicted probability and cut into bins of about as many rows each.
    Of each bin the mean prediction is drawn against the share of the rows that are positive, with
    that share's interval [1]_; on the diagonal both are equal. A histogram below shows how many
    rows have which probability.

    It is recommended to use `from_search`, `from_estimator` or `from_predictions`.

    Parameters
    ----------
    curves : sequence of ReliabilityCurve
        What is drawn.
    pos_label : int, float, bool or str, default=None
        The class whose probability is drawn. None: the confidence in the predicted class.
    confidence : float, default=0.95
        Of the intervals, each by itself.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The diagram.
    counts_ax_ : matplotlib Axes or None
        The histogram.
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D
        Of each curve.
    intervals_ : list of matplotlib LineCollection
        Of each curve.
    counts_ : list of matplotlib StepPatch
        Of each curve, its histogram.

    See Also
    --------
    sklearn.calibration.CalibrationDisplay : Without intervals and counts.

    Notes
    -----
    Probabilities that lie within a thousandth of their range are one point of the picture and
    stay in one bin. With repeated cross-validation all predictions of a row are drawn, but are
    worth one row together.

    References
    ----------
    .. [1] C. J. Clopper, E. S. Pearson, "The use of confidence or fiducial limits illustrated
       in the case of the binomial", Biometrika 26, 1934.

    Examples
    --------
    >>> from optunasearch import OptunaSearchCV
    >>> from optunasearch.plotting import ReliabilityDisplay
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.naive_bayes import GaussianNB
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> search = OptunaSearchCV(GaussianNB(), {"var_smoothing": [1e-9, 1e-8]}).fit(X, y)
    >>> display = ReliabilityDisplay.from_search(search)
    >>> [curve.name for curve in display.curves]
    ['uncalibrated', 'calibrated (temperature, cross-fitted)']
    """

    def __init__(
        self,
        curves: Sequence[ReliabilityCurve],
        *,
        pos_label: Any = None,
        confidence: float = 0.95,
    ) -> None:
        self.curves = curves
        self.pos_label = pos_label
        self.confidence = confidence

    def plot(
        self, *, ax: Any = None, ref_line: bool = True, show_counts: bool = True, **kwargs: Any
    ) -> Self:
        """Draw the diagram.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; the histogram takes the lowest part of its room. On the axes of
            another display curves and histogram are added to it. None: a new figure.
        ref_line : bool, default=True
            Whether to draw the diagonal.
        show_counts : bool, default=True
            Whether to draw the histogram.
        **kwargs : dict
            For matplotlib's ``plot``, of each curve.

        Returns
        -------
        display : ReliabilityDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self.ax_ = axes(self, ax)
        self.figure_ = self.ax_.figure
        n_there = sum(line.get_gid() == "reliability" for line in self.ax_.lines)
        self.lines_: list[Any] = []
        self.intervals_: list[Any] = []
        self.counts_: list[Any] = []
        self.counts_ax_ = counts_axes(self.ax_, _COUNTS_SHARE) if show_counts else None
        if ref_line and not any(line.get_gid() == "ideal" for line in self.ax_.lines):
            self.ax_.plot([0, 1], [0, 1], ":", color="0.3", label="ideal", gid="ideal")
        for number, curve in enumerate(self.curves, start=n_there):
            style = line_style(_STYLES[number % len(_STYLES)] | {"markersize": 5}, kwargs)
            self._draw(curve, style)
        self._label()
        return self

    def _draw(self, curve: ReliabilityCurve, style: dict[str, Any]) -> None:
        """Draw one curve, its intervals and its histogram."""
        style = {"label": curve.name, "gid": "reliability", **style}
        (line,) = self.ax_.plot(curve.prob_pred, curve.prob_true, **style)
        colour = line.get_color()
        intervals = self.ax_.vlines(
            curve.prob_pred, curve.low, curve.high, color=colour, alpha=0.6, linewidth=1.5
        )
        self.lines_.append(line)
        self.intervals_.append(intervals)
        if self.counts_ax_ is not None:
            counts = self.counts_ax_.stairs(
                curve.counts, curve.edges, color=colour, linestyle=line.get_linestyle()
            )
            self.counts_.append(counts)

    def _label(self) -> None:
        """Write to the axes what they show."""
        label = f"Predicted probability{of_positive_class(self.pos_label)}"
        observed = "Observed share"
        if self.pos_label is None:
            label, observed = "Probability of the predicted class", "Share predicted right"
        self.ax_.set(
            ylabel=f"{observed}, {100 * self.confidence:g} % interval",
            xlim=(-0.02, 1.02),
            ylim=(-0.02, 1.02),
        )
        legend_above(self.ax_, 3)
        if self.counts_ax_ is not None:
            self.counts_ax_.set(xlabel=label, ylabel="Rows", ylim=(0, None))
        elif self.ax_.xaxis.get_tick_params().get("labelbottom", True):
            self.ax_.set_xlabel(label)

    @classmethod
    def from_search(
        cls,
        search: Any,
        *,
        pos_label: Any = None,
        n_bins: int = 10,
        confidence: float = 0.95,
        ax: Any = None,
        ref_line: bool = True,
        show_counts: bool = True,
        **kwargs: Any,
    ) -> Self:
        """Draw a search's out-of-fold probabilities, before and after calibration.

        Each calibrated probability comes from a calibrator fitted on the other folds, with the
        method that the search chose. Where the folds do not allow that, it comes from the
        search's own calibrator, and the legend says so. If nothing is calibrated there is one
        curve.

        Parameters
        ----------
        search : OptunaSearchCV
            Fitted.
        pos_label : int, float, bool or str, default=None
            The class whose probability is drawn. None: of two classes that of
            `decision_threshold`, or the second; of more classes none, but the confidence in
            the predicted one.
        n_bins : int, default=10
            At most so many bins; there are fewer if these would hold fewer than 10 rows.
        confidence : float, default=0.95
            Of the intervals.
        ax, ref_line, show_counts, **kwargs
            As of `plot`.

        Returns
        -------
        display : ReliabilityDisplay

        Raises
        ------
        AttributeError
            If there are no out-of-fold probabilities.
        TypeError, ValueError
            If an argument is not as described.
        """
        found = out_of_fold_probabilities(search)
        return cls._from_probabilities(
            found.curves,
            found.y,
            found.classes,
            positive_position(search, found.classes, pos_label),
            confidence=confidence,
            binning={
                "n_bins": n_bins,
                "rows": found.rows,
                "weights": found.weights,
                "groups": found.groups,
            },
        ).plot(ax=ax, ref_line=ref_line, show_counts=show_counts, **kwargs)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        pos_label: Any = None,
        n_bins: int = 10,
        confidence: float = 0.95,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        name: str | None = None,
        ax: Any = None,
        ref_line: bool = True,
        show_counts: bool = True,
        **kwargs: Any,
    ) -> Self:
        """Draw a fitted classifier's probabilities for rows that it has not seen.

        Of a search that calibrates, the best estimator's probabilities are drawn too.

        Parameters
        ----------
        estimator : classifier or OptunaSearchCV
            Fitted, with ``predict_proba``.
        X : array-like of shape (n_samples, n_features)
            Test data.
        y : array-like of shape (n_samples,)
            True labels.
        pos_label, n_bins, confidence
            As of `from_search`.
        sample_weight, groups : array-like of shape (n_samples,), default=None
            As of `from_predictions`.
        name : str, default=None
            What the legend calls the curve, if it is one; None is the name of the class.
        ax, ref_line, show_counts, **kwargs
            As of `plot`.

        Returns
        -------
        display : ReliabilityDisplay

        Raises
        ------
        ValueError
            If an argument is not as described.
        """
        curves = probabilities_of(estimator, X)
        if name is not None and len(curves) == 1:
            curves = [curves[0]._replace(name=name)]
        labels, classes = column_or_1d(y), np.asarray(estimator.classes_)
        return cls._from_probabilities(
            curves,
            labels,
            classes,
            positive_position(estimator, classes, pos_label),
            confidence=confidence,
            binning={"n_bins": n_bins, **_checked(labels, sample_weight, groups)},
        ).plot(ax=ax, ref_line=ref_line, show_counts=show_counts, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_prob: ArrayLike,
        *,
        pos_label: Any = None,
        n_bins: int = 10,
        confidence: float = 0.95,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        name: str | None = None,
        ax: Any = None,
        ref_line: bool = True,
        show_counts: bool = True,
        **kwargs: Any,
    ) -> Self:
        """Draw probabilities that were predicted by whatever means.

        Parameters
        ----------
        y_true : array-like of shape (n_rows,)
            True labels.
        y_prob : array-like of shape (n_rows,) or (n_rows, n_classes)
            The probability of the positive class, or those of all classes in sorted order.
        pos_label : int, float, bool or str, default=None
            The class whose probability is drawn. None: the second of two; of more, the
            confidence in the predicted class.
        n_bins, confidence
            As of `from_search`.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights that make the rows a sample of the population.
        groups : array-like of shape (n_rows,), default=None
            Rows of a group are dependent; intervals become wider.
        name : str, default=None
            What the legend calls the curve.
        ax, ref_line, show_counts, **kwargs
            As of `plot`.

        Returns
        -------
        display : ReliabilityDisplay

        Raises
        ------
        ValueError
            If an argument is not as described.
        """
        labels, values, classes, position = as_probabilities(y_true, y_prob, pos_label)
        return cls._from_probabilities(
            [NamedProbabilities("predicted" if name is None else name, values)],
            labels,
            classes,
            position,
            confidence=confidence,
            binning={"n_bins": n_bins, **_checked(labels, sample_weight, groups)},
        ).plot(ax=ax, ref_line=ref_line, show_counts=show_counts, **kwargs)

    @classmethod
    def _from_probabilities(
        cls,
        curves: Sequence[NamedProbabilities],
        y: NDArray[Any],
        classes: NDArray[Any],
        position: int | None,
        *,
        confidence: float,
        binning: dict[str, Any],
    ) -> Self:
        """Bin the probabilities of one class, or of the predicted one."""
        check_share("confidence", confidence)
        n_bins = binning["n_bins"]
        if not isinstance(n_bins, numbers.Integral) or n_bins < 1:
            raise ValueError(f"n_bins must be an integer from 1 upwards, got {n_bins!r}.")
        binned = []
        for name, values in curves:
            of_row = np.arange(len(values))
            column = values.argmax(axis=1) if position is None else np.full(len(values), position)
            probability = values[of_row, column].clip(0, 1)
            is_positive = y == classes[column]
            binned.append(
                reliability_curve(name, is_positive, probability, confidence=confidence, **binning)
            )
        return cls(
            binned, pos_label=None if position is None else classes[position], confidence=confidence
        )


def _checked(
    labels: NDArray[Any], sample_weight: ArrayLike | None, groups: ArrayLike | None
) -> dict[str, Any]:
    """Return weights and groups as arrays, or raise."""
    weights = None if sample_weight is None else checked_weights(sample_weight)
    grouped = None if groups is None else column_or_1d(groups)
    check_consistent_length(labels, weights, grouped)
    return {"weights": weights, "groups": grouped}
