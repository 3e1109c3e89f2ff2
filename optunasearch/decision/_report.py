"""The decision report: what decisions at a threshold are worth, on any rows."""

from __future__ import annotations

import numbers
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_consistent_length, column_or_1d

from optunasearch._optional import import_optional
from optunasearch.decision import _measures as measures
from optunasearch.decision._estimate import Estimate
from optunasearch.decision._labels import positive_class, probability_of
from optunasearch.decision._measures import Sample
from optunasearch.decision._requirement import check_share
from optunasearch.decision._rows import checked_weights

# A threshold just above a probability of 1 is one, too.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class DecisionReport(Mapping):
    """What a binary classifier's decisions and probabilities are worth.

    Also a mapping from the names of the estimates to the estimates.

    Attributes
    ----------
    sensitivity : Estimate
        The share of the positive rows that are predicted positive.
    specificity : Estimate
        The share of the negative rows that are predicted negative.
    positive_predictive_value : Estimate
        The share of positives in the rows predicted positive (precision), at this prevalence.
    negative_predictive_value : Estimate
        The share of negatives in the rows predicted negative.
    accuracy : Estimate
        The share of the rows predicted right.
    prevalence : Estimate
        The share of positive rows.
    brier_score : Estimate
        The mean squared error of the probabilities.
    log_loss : Estimate
        The mean negative logarithm of the probability of what came true, in nats.
    roc_auc : Estimate
        The area under the ROC curve.
    calibration_slope : Estimate
        Of the logistic regression of the outcome on the log-odds of the probability. Below 1,
        probabilities are too far from the prevalence.
    calibration_intercept : Estimate
        The same regression's intercept with the slope held at 1 (calibration in the large).
        Above 0, probabilities are too low.
    n_positive, n_negative : int
        The number of rows of either class.
    threshold : float
        Rows are predicted positive where the probability is at least this.
    confidence : float
        Of the intervals, each by itself.
    pos_label : int, float, bool or str
        The positive class.
    """

    sensitivity: Estimate
    specificity: Estimate
    positive_predictive_value: Estimate
    negative_predictive_value: Estimate
    accuracy: Estimate
    prevalence: Estimate
    brier_score: Estimate
    log_loss: Estimate
    roc_auc: Estimate
    calibration_slope: Estimate
    calibration_intercept: Estimate
    n_positive: int
    n_negative: int
    threshold: float
    confidence: float
    pos_label: Any

    def __getitem__(self, name: str) -> Estimate:
        found = getattr(self, name, None) if name in _NAMES else None
        if not isinstance(found, Estimate):
            raise KeyError(f"{name!r}; the report holds {', '.join(_NAMES)}")
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(_NAMES)

    def __len__(self) -> int:
        return len(_NAMES)

    def __repr__(self) -> str:
        lines = [
            f"Positive is {self.pos_label!r}, from {self.threshold:.4g} upwards; "
            f"{self.n_positive} positive and {self.n_negative} negative rows.",
            f"{'':25}  {'value':>7}  {100 * self.confidence:g} % interval",
        ]
        for name, found in self.items():
            interval = "undefined"
            if not np.isnan(found.low):
                interval = f"{found.low:.3f} to {found.high:.3f}"
            lines.append(f"{name.replace('_', ' '):25}  {found.value:7.3f}  {interval}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, dict[str, float]]:
        """Return plain numbers: of each name the value, and the ends of its interval.

        Returns
        -------
        figures : dict of dict
            ``{"sensitivity": {"value": ..., "low": ..., "high": ...}, ...}``.
        """
        return {
            name: {"value": found.value, "low": found.low, "high": found.high}
            for name, found in self.items()
        }

    def to_frame(self) -> Any:
        """Return a data frame with a row for each estimate.

        Returns
        -------
        frame : pandas.DataFrame
            Columns ``value``, ``low`` and ``high``; the index holds the names.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        pandas = import_optional("pandas", feature="DecisionReport.to_frame", install="pandas")
        return pandas.DataFrame.from_dict(self.to_dict(), orient="index")


_NAMES = tuple(name for name, kind in DecisionReport.__annotations__.items() if kind == "Estimate")


def decision_report(
    y_true: ArrayLike,
    y_prob: ArrayLike,
    *,
    threshold: float = 0.5,
    pos_label: Any = None,
    confidence: float = 0.95,
    sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    folds: ArrayLike | None = None,
) -> DecisionReport:
    """Say what a binary classifier's decisions and probabilities are worth.

    The probabilities must come from models that have not seen the rows: of a test set, or
    out-of-fold.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,)
        The true labels, of two classes at most.
    y_prob : array-like of shape (n_rows,) or (n_rows, 2)
        The probability of the positive class, or those of both classes in sorted order, as
        ``predict_proba`` returns them.
    threshold : float, default=0.5
        Rows are predicted positive where the probability is at least this.
    pos_label : int, float, bool or str, default=None
        The positive class. None is the second of the sorted labels; if there is one label
        only, 1 (or True).
    confidence : float, default=0.95
        Of the two-sided intervals, each by itself.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights that make the rows a sample of the population; rows of weight 0 are left out.
        (A weight of 2 is not two rows: unequal weights make intervals wider.)
    groups : array-like of shape (n_rows,), default=None
        Rows of a group are dependent, as those of one patient are; intervals become wider.
    folds : array-like of shape (n_rows,), default=None
        Which fold each probability comes from, if it is out-of-fold. Where rows of a fold move
        together, as those in the leaves of a tree, intervals of shares become wider.

    Returns
    -------
    report : DecisionReport
        What the rows leave undefined, as a sensitivity without positive rows, is NaN.

    Raises
    ------
    ValueError
        If there are no rows, lengths differ, there are more than two classes, `pos_label` is
        none of them or cannot be told, probabilities are outside [0, 1] or weights invalid.

    See Also
    --------
    DecisionThreshold : A threshold that meets a requirement.

    Notes
    -----
    Shares have the intervals of Clopper and Pearson [1]_, which cover at least with their
    confidence; with weights or groups, for the number of independent rows that these are
    worth. Brier score and log loss: Student's t; area under the ROC curve: DeLong's variance
    on the logit scale [2]_; calibration: Wald [3]_. Probabilities of 0 and 1 are taken for the
    next floating-point number in logarithms, as in scikit-learn's ``log_loss``.

    References
    ----------
    .. [1] C. J. Clopper, E. S. Pearson, "The use of confidence or fiducial limits illustrated
       in the case of the binomial", Biometrika 26, 1934.
    .. [2] E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, "Comparing the Areas under Two or
       More Correlated Receiver Operating Characteristic Curves", Biometrics 44, 1988.
    .. [3] B. Van Calster et al., "Calibration: the Achilles heel of predictive analytics",
       BMC Medicine 17, 2019.

    Examples
    --------
    In this data set the malignant tumours are class 0.

    >>> from optunasearch.decision import decision_report
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import cross_val_predict
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1))
    >>> y_prob = cross_val_predict(model, X, y, method="predict_proba")
    >>> report = decision_report(y, y_prob, pos_label=0, threshold=0.3)
    >>> report.sensitivity
    Estimate(0.967, 0.9332, 0.9866)
    """
    check_share("confidence", confidence)
    given: Any = threshold
    if not isinstance(given, numbers.Real):
        raise TypeError(f"threshold must be a number, got {threshold!r}.")
    if not -_ROUNDING <= float(threshold) <= 1 + _ROUNDING:
        raise ValueError(
            "threshold is compared with probabilities and must be between 0 and 1, got "
            f"{threshold!r}."
        )
    labels = column_or_1d(y_true)
    check_consistent_length(labels, y_prob, sample_weight, groups, folds)
    if len(labels) == 0:
        raise ValueError("A report needs rows, got none.")
    classes = np.unique(labels).tolist()
    positive = positive_class(pos_label, classes)
    probability = probability_of(positive, classes, y_prob)
    weights = None if sample_weight is None else checked_weights(sample_weight)
    kept = np.ones(len(labels), dtype=bool) if weights is None else weights > 0
    sample = Sample(
        (labels == positive)[kept],
        probability[kept],
        None if weights is None else weights[kept],
        None if groups is None else column_or_1d(groups)[kept],
        float(confidence),
        None if folds is None else column_or_1d(folds)[kept],
    )
    return _report(sample, float(threshold), positive)


def _report(sample: Sample, threshold: float, positive: Any) -> DecisionReport:
    """Estimate everything."""
    y = sample.is_positive
    called = sample.probability >= threshold
    everything = np.ones(len(y), dtype=bool)
    return DecisionReport(
        sensitivity=measures.share(sample, called, y),
        specificity=measures.share(sample, ~called, ~y),
        positive_predictive_value=measures.share(sample, y, called),
        negative_predictive_value=measures.share(sample, ~y, ~called),
        accuracy=measures.share(sample, called == y, everything),
        prevalence=measures.share(sample, y, everything),
        brier_score=measures.brier_score(sample),
        log_loss=measures.log_loss(sample),
        roc_auc=measures.roc_auc(sample),
        calibration_slope=measures.calibration_slope(sample),
        calibration_intercept=measures.calibration_intercept(sample),
        n_positive=int(y.sum()),
        n_negative=int((~y).sum()),
        threshold=threshold,
        confidence=sample.confidence,
        pos_label=positive,
    )
