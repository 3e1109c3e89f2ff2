"""What the pictures need of a search; the only module here that looks inside one."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from optunasearch._out_of_fold import OutOfFold, Stacked
from optunasearch._out_of_fold_results import OutOfFoldResults
from optunasearch._predicting import OutOfFoldPredictions
from optunasearch.calibration._calibrator import Sample
from optunasearch.calibration._choice import held_out
from optunasearch.calibration._fit import FittedCalibrator
from optunasearch.calibration._logits import as_logits
from optunasearch.decision._rows import Rows, checked_rows
from optunasearch.selection._corrected import CorrectionPath, correction_path


class NamedProbabilities(NamedTuple):
    """Probabilities of all classes, and what a legend calls them."""

    name: str
    values: NDArray[np.float64]


class OutOfFoldProbabilities(NamedTuple):
    """Out-of-fold probabilities before and after calibration.

    Attributes
    ----------
    curves : list of NamedProbabilities
        One or two, of shape (n, n_classes) each.
    classes : ndarray
    y : ndarray of shape (n,)
    rows : ndarray of shape (n,)
        Of the data, of each prediction.
    weights, groups : ndarray of shape (n,) or None
    """

    curves: list[NamedProbabilities]
    classes: NDArray[Any]
    y: NDArray[Any]
    rows: NDArray[np.intp]
    weights: NDArray[np.float64] | None
    groups: NDArray[Any] | None


def is_search(estimator: Any) -> bool:
    """Say whether an estimator is a search of this package."""
    return isinstance(estimator, OutOfFoldPredictions)


def results_of(search: Any) -> OutOfFoldResults:
    """Return what follows from a search's out-of-fold predictions, or raise."""
    if not is_search(search):
        raise TypeError(f"search must be a fitted OptunaSearchCV, got {search!r}.")
    check_is_fitted(search)
    if search._oof_results is None:
        raise AttributeError(
            "there are no out-of-fold predictions: neither the scorer nor the search asked for "
            "them. Give a scorer of scikit-learn, or calibration='auto'."
        )
    return search._oof_results


def positive_position(search: Any, classes: NDArray[Any], pos_label: Any) -> int | None:
    """Return which class is drawn; None for several classes of which none is named."""
    if pos_label is not None:
        found = np.flatnonzero(classes == pos_label)
        if len(found) == 0:
            raise ValueError(
                f"pos_label={pos_label!r} is not among the classes {classes.tolist()}."
            )
        return int(found[0])
    if len(classes) != 2:
        return None
    return results_of(search)._position if is_search(search) else 1


def out_of_fold_probabilities(search: Any) -> OutOfFoldProbabilities:
    """Return the winner's out-of-fold probabilities, and the calibrated ones if they are."""
    results = results_of(search)
    oof, calibrator = results.out_of_fold, results.calibrator
    if oof.classes is None:
        raise AttributeError(f"{search.estimator!r} has no probabilities: it is no classifier.")
    stacked = oof.stacked(("predict_proba",) if calibrator is None else (calibrator.kind,))
    if stacked is None:
        reason = oof.problem or (
            f"calibration={search.calibration!r} and scoring={search.scoring!r} ask for none, or "
            "the classifier has none. Set calibration='auto', or 'sigmoid' for decision values."
        )
        raise AttributeError(f"there are no out-of-fold probabilities: {reason}")
    curves = []
    if stacked.method == "predict_proba":
        values = stacked.values.astype(np.float64)
        curves.append(NamedProbabilities("uncalibrated", values))
    if calibrator is not None and calibrator.method != "identity":
        curves.append(_cross_calibrated(calibrator, stacked, oof))
    rows = stacked.rows
    return OutOfFoldProbabilities(
        curves,
        oof.classes,
        oof.y.ravel()[rows],
        rows,
        None if oof.sample_weight is None else oof.sample_weight[rows],
        None if oof.groups is None else oof.groups[rows],
    )


def _cross_calibrated(
    calibrator: FittedCalibrator, stacked: Stacked, oof: OutOfFold
) -> NamedProbabilities:
    """Calibrate each prediction by what is fitted on the other folds.

    Fitted on the rows it is drawn with, any calibrator would look better than it is. Method
    and floor are those chosen on all folds.
    """
    values = stacked.values
    if calibrator.floor:  # drawn towards the mean class before the logarithm, as it will be
        values = (1 - calibrator.floor) * values + calibrator.floor / calibrator.n_classes
    logits = as_logits(values, calibrator.kind, calibrator.n_rows) / calibrator.scale
    weights = oof.weights(stacked.rows)
    sample = Sample(
        logits, oof.codes[stacked.rows], np.ones(len(logits)) if weights is None else weights
    )
    masks = held_out(sample, stacked.folds)
    if not masks:
        name = f"calibrated ({calibrator.method}, fitted on these rows)"
        return NamedProbabilities(name, calibrator.predict_proba(stacked.values))
    found = np.empty(logits.shape)
    for mask in masks:
        others = sample.part(np.logical_not(mask))
        fresh = copy.deepcopy(calibrator.calibrator)
        fresh.fit(others.logits, others.y, sample_weight=others.weight)
        found[mask] = fresh.predict_proba(logits[mask])
    return NamedProbabilities(f"calibrated ({calibrator.method}, cross-fitted)", found)


def probabilities_of(estimator: Any, X: Any) -> list[NamedProbabilities]:
    """Return an estimator's probabilities; of a search that calibrates, those before too."""
    if is_search(estimator) and estimator._calibrator is not None:
        after = NamedProbabilities(
            f"calibrated ({estimator._calibrator.method})", estimator.predict_proba(X)
        )
        plain = estimator.best_estimator_
        if not hasattr(plain, "predict_proba"):
            return [after]
        return [NamedProbabilities("uncalibrated", plain.predict_proba(X)), after]
    name = type(estimator.best_estimator_ if is_search(estimator) else estimator).__name__
    return [NamedProbabilities(name, estimator.predict_proba(X))]


def decision_rows(search: Any, pos_label: Any) -> tuple[Rows, Any, bool]:
    """Return the rows that a threshold is chosen on, the positive class, and if by probability."""
    results = results_of(search)
    oof, scores = results.out_of_fold, results._positive_scores
    classes = np.asarray(oof.classes)
    is_probability = scores.method == "predict_proba"
    position = positive_position(search, classes, pos_label)
    values = scores.values
    if position != results._position:
        if results.requirement is not None:
            raise ValueError(
                f"pos_label={pos_label!r}, but the decision threshold is for the class "
                f"{classes[results._position]!r}. Leave pos_label out."
            )
        values = 1 - values if is_probability else -values
    rows, score = oof.by_repeat(values, scores.rows)
    folds = oof.by_repeat(scores.folds, scores.rows)[1] if oof.is_even else None
    chosen = checked_rows(
        oof.codes[rows] == position,
        score,
        _rows_of(oof.sample_weight, rows),
        _rows_of(oof.groups, rows),
        folds,
    )
    return chosen, classes[position], is_probability


def score_path(search: Any, **options: Any) -> CorrectionPath:
    """Return best and corrected score after so many trials, by their number in `cv_results_`."""
    results = results_of(search)
    _ = results.corrected  # its AttributeError says why there is none
    oof = results.out_of_fold
    rows: Sequence[int] = sorted(oof.candidates)
    path = correction_path(
        [oof.labelled(oof.candidates[row]) for row in rows],
        results._scorer,
        oof.y,
        [((), test) for test in oof.tests],
        groups=oof.groups,
        score_params=oof.score_params,
        **options,
    )
    finished = np.asarray(rows)[path.n_trials - 1] + 1
    points = np.arange(len(finished))
    if finished[-1] < search.n_trials_:  # the last were pruned
        finished, points = np.append(finished, search.n_trials_), np.append(points, points[-1])
    return CorrectionPath(finished, *(values[points] for values in path[1:]))


def _rows_of(values: NDArray[Any] | None, rows: NDArray[np.intp]) -> NDArray[Any] | None:
    return None if values is None else values[rows]
