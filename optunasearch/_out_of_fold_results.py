"""What follows from the out-of-fold predictions of a finished search.

Calibrator, decision threshold, report and corrected score: each is computed when it is
first asked for and then kept. None of it fits the estimator again.
"""

from __future__ import annotations

import inspect
import warnings
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from optunasearch._out_of_fold import RESPONSES, OutOfFold, Stacked
from optunasearch.calibration._classifier import Decision
from optunasearch.calibration._fit import FittedCalibrator, fit_calibrator
from optunasearch.calibration._logits import Kind, as_logits
from optunasearch.calibration._options import as_calibration
from optunasearch.decision._report import DecisionReport, decision_report
from optunasearch.decision._requirement import as_decision_threshold
from optunasearch.decision._threshold import ThresholdChoice, choose_threshold
from optunasearch.exceptions import CalibrationWarning
from optunasearch.selection._corrected import CorrectedScore, correct_score


class OutOfFoldResults:
    """What follows from out-of-fold predictions.

    Parameters
    ----------
    out_of_fold : OutOfFold
    calibration : object
        As the search has it.
    requirement : DecisionThreshold, dict or None
        What is asked of a decision threshold.
    scorer : callable or None
        Of the metric that chose the winner; None if there is no such.
    best_score : float
        The winner's.
    """

    def __init__(
        self,
        out_of_fold: OutOfFold,
        *,
        calibration: Any,
        requirement: Any,
        scorer: Any,
        best_score: float,
    ) -> None:
        self.out_of_fold = out_of_fold
        self._calibration = as_calibration(calibration)
        self.requirement = None if requirement is None else as_decision_threshold(requirement)
        self._scorer = scorer
        self._best_score = best_score
        self.uncalibrated = "calibration=None"

    @property
    def predictions(self) -> np.ndarray:
        """One prediction for each row, NaN for rows that were never tested.

        Raises
        ------
        AttributeError
            If there are none.
        """
        stacked = self._stacked(("predict",) if self.out_of_fold.classes is None else RESPONSES)
        means = self.out_of_fold.averaged(stacked.values.astype(np.float64), stacked.rows)
        if stacked.method == "predict_proba":  # single precision sums to 1 only nearly
            means /= means.sum(axis=1, keepdims=True)
        return means

    @cached_property
    def calibrator(self) -> FittedCalibrator | None:
        """What was fitted on the predictions; None if they stay as they are."""
        calibration, oof = self._calibration, self.out_of_fold
        if calibration is None:
            return None
        is_asked_for = calibration.method != "auto"
        if oof.classes is None or len(oof.classes) < 2:
            self.uncalibrated = "the target has no classes, or only one"
            return None
        n_rows = int(np.count_nonzero(oof.counts))
        try:
            stacked = self._stacked(RESPONSES if is_asked_for else RESPONSES[:1])
            kind: Kind = "predict_proba" if stacked.method == RESPONSES[0] else "decision_function"
            logits = as_logits(stacked.values, kind, n_rows)
        except (AttributeError, ValueError) as error:
            self.uncalibrated = str(error)
            if not is_asked_for and oof.stacked(RESPONSES[1:]) is not None:
                self.uncalibrated = (
                    "'auto' does not calibrate decision values; name a method, as in "
                    "calibration='sigmoid'"
                )
            elif is_asked_for or oof.problem is not None or isinstance(error, ValueError):
                warn_user(f"Probabilities are not calibrated: {error}", CalibrationWarning)
            return None
        found = fit_calibrator(
            calibration.method,
            logits,
            oof.codes[stacked.rows],
            sample_weight=oof.weights(stacked.rows),
            folds=stacked.folds,
            n_rows=n_rows,
            n_total=len(oof.y),
            kind=kind,
            labels=oof.classes,
            doubt=self._unseen_classes,
        )
        if found.note is not None:
            done = "left as they are"
            if found.method != "identity":
                done = f"calibrated by {found.method!r} all the same"
            warn_user(
                f"Probabilities are {done}, but {found.note}. calibrator_.note keeps this.",
                CalibrationWarning,
            )
        return found

    @property
    def _unseen_classes(self) -> str | None:
        """Say that models of folds do not know all classes."""
        if all(fold.classes is None for fold in self.out_of_fold.winner or ()):
            return None
        return (
            "the training rows of some folds lack a class, as with rows sorted by it; "
            "shuffle them, as in cv=StratifiedKFold(5, shuffle=True)"
        )

    @property
    def doubt(self) -> str | None:
        """What speaks against building decisions on the predictions."""
        note = None if self.calibrator is None else self.calibrator.note
        return self._unseen_classes or note

    @cached_property
    def choice(self) -> ThresholdChoice:
        """The decision threshold that meets what is required, or comes next to it."""
        if self.requirement is None:
            raise AttributeError("no decision_threshold was asked for")
        oof, scores = self.out_of_fold, self._positive_scores
        rows, values = oof.by_repeat(scores.values, scores.rows)
        folds = oof.by_repeat(scores.folds, scores.rows)[1] if oof.is_even else None
        return choose_threshold(
            oof.codes[rows] == self._position,
            values,
            self.requirement,
            sample_weight=_rows_of(oof.sample_weight, rows),
            groups=_rows_of(oof.groups, rows),
            folds=folds,
        )

    @property
    def decision(self) -> Decision | None:
        """How scores become labels; None if the estimator's own labels are taken."""
        if self.requirement is None:
            return None
        try:
            choice, method = self.choice, self._positive_scores.method
        except (AttributeError, ValueError) as error:  # only labels cannot be had then
            return Decision("predict_proba", np.nan, problem=str(error))
        return Decision(
            method, choice.threshold, self._position, None if choice.is_met else choice.message
        )

    @cached_property
    def report(self) -> DecisionReport:
        """What the decisions are worth on the out-of-fold predictions."""
        oof, scores = self.out_of_fold, self._positive_scores
        if scores.method != "predict_proba":
            raise AttributeError(
                "decision_report_ needs probabilities; calibration='sigmoid' makes some of "
                "decision values."
            )
        means = oof.averaged(scores.values, scores.rows)
        rows, folds = oof.by_repeat(scores.folds, scores.rows)
        return decision_report(
            oof.y[rows],
            means[rows],
            threshold=0.5 if self.requirement is None else self.choice.threshold,
            pos_label=self._pos_label,
            sample_weight=_rows_of(oof.sample_weight, rows),
            groups=_rows_of(oof.groups, rows),
            folds=folds[0] if oof.is_even and len(folds) == 1 else None,
        )

    @cached_property
    def corrected(self) -> CorrectedScore:
        """The winner's score without its optimism."""
        oof = self.out_of_fold
        if self._scorer is None:
            raise AttributeError("there is no best_score_ to correct, as no metric chose the best")
        if not oof.candidates:
            raise AttributeError(self._why_none())
        try:
            corrected = correct_score(
                [oof.labelled(folds) for folds in oof.candidates.values()],
                self._scorer,
                oof.y,
                [((), test) for test in oof.tests],
                groups=oof.groups,
                score_params=oof.score_params,
            )
        except (TypeError, ValueError) as error:
            raise AttributeError(f"the score cannot be corrected: {error}") from error
        if not np.isclose(corrected.best_score, self._best_score, rtol=1e-4):
            raise AttributeError(
                "the score cannot be corrected: from its predictions the best candidate scores "
                f"{corrected.best_score:.6g}, not {self._best_score:.6g}; the estimator's own "
                "score method seems to be another than accuracy or R2. Set scoring."
            )
        return corrected

    @property
    def _position(self) -> int:
        """Position of the positive class."""
        label = None if self.requirement is None else self.requirement.pos_label
        return 1 if label is None else int(np.flatnonzero(self.out_of_fold.classes == label)[0])

    @property
    def _pos_label(self) -> Any:
        """The positive class, as a plain Python object where it is one."""
        classes = self.out_of_fold.classes
        return None if classes is None else classes.tolist()[self._position]

    @cached_property
    def _positive_scores(self) -> Stacked:
        """The winner's scores of the positive class, calibrated if they are."""
        oof = self.out_of_fold
        if oof.classes is None or len(oof.classes) != 2:
            raise AttributeError("decisions need a target of two classes")
        calibrator = self.calibrator
        stacked = self._stacked(RESPONSES if calibrator is None else (calibrator.kind,))
        values, method = stacked.values, stacked.method
        if calibrator is not None and calibrator.method != "identity":
            values, method = calibrator.predict_proba(values), "predict_proba"
        if method == "predict_proba":
            values = values[:, self._position]
        elif self._position == 0:
            values = -values
        return replace(stacked, method=method, values=values)

    def _stacked(self, methods: tuple[str, ...]) -> Stacked:
        """Return the winner's predictions, or raise AttributeError."""
        stacked = self.out_of_fold.stacked(methods)
        if stacked is None:
            raise AttributeError(self._why_none())
        return stacked

    def _why_none(self) -> str:
        """Say why there are no predictions."""
        reason = self.out_of_fold.problem or (
            "neither the scorer nor the search asked the best candidate for any that can be "
            "used. Give a scorer of scikit-learn's, or name a method as calibration, as in "
            "calibration='temperature'"
        )
        return f"there are no out-of-fold predictions: {reason}"


def warn_user(message: str, category: type[Warning]) -> None:
    """Warn at the line of the user's that asked."""
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_back is not None:
        module = frame.f_globals.get("__name__", "").partition(".")[0]
        if module not in ("optunasearch", "sklearn", "functools"):
            break
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def _rows_of(values: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
    return None if values is None else values[rows]
