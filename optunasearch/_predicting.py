"""What a fitted search predicts and says from its out-of-fold predictions.

A base class of `OptunaSearchCV` beside scikit-learn's: the attributes are documented
there, what is behind them is in `_out_of_fold_results`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted

from optunasearch._out_of_fold import RESPONSES, known_classes
from optunasearch._out_of_fold_results import OutOfFoldResults, warn_user
from optunasearch._sklearn import BaseSearchCV, response_methods
from optunasearch.calibration._classifier import CalibratedClassifier
from optunasearch.calibration._ensemble import FoldEnsemble
from optunasearch.calibration._options import as_calibration
from optunasearch.decision._report import DecisionReport
from optunasearch.decision._requirement import as_decision_threshold
from optunasearch.exceptions import CalibrationWarning, ThresholdNotMetWarning
from optunasearch.pruning._epochs import as_epochs


def _has(method: str) -> Callable[[Any], bool]:
    """Return a check whether a search has a method of its estimator, with the reason if not."""

    def check(search: Any) -> bool:
        if not search.refit:
            raise AttributeError(
                f"This {type(search).__name__} instance was initialized with `refit=False`. "
                f"{method} is available only after refitting on the best parameters. You can "
                "refit an estimator manually using the `best_params_` attribute"
            )
        estimator = getattr(search, "best_estimator_", search.estimator)
        is_calibrated = method != "predict" and search.calibration not in (None, "auto")
        if not (is_calibrated and hasattr(estimator, "decision_function")):
            getattr(estimator, method)  # its own AttributeError
        return True

    return check


def check_predictions(search: Any, y: Any) -> None:
    """Raise ValueError if probabilities or decisions are asked for that cannot be had."""
    asked = []
    if search.calibration not in (None, "auto"):
        asked.append(f"calibration={search.calibration!r}")
    if search.decision_threshold is not None:
        asked.append(f"decision_threshold={search.decision_threshold!r}")
    if not asked:
        return
    named = " and ".join(asked)
    classes = known_classes(search.estimator, y)
    if classes is None:
        raise ValueError(
            f"{named} is for classifiers and a target of one label for each row; got "
            f"estimator={search.estimator!r} and a target of type {_kind(y)!r}. Leave it out."
        )
    if not any(hasattr(search.estimator, method) for method in RESPONSES):
        raise ValueError(
            f"{named} takes predict_proba or decision_function, and {search.estimator!r} has "
            "neither. Take another classifier, or leave it out."
        )
    calibration = as_calibration(search.calibration)
    if calibration is not None and calibration.ensemble:
        _check_ensemble(search)
    if search.decision_threshold is None:
        return
    _check_decision(search, classes)


def _check_decision(search: Any, classes: np.ndarray) -> None:
    """Raise ValueError if labels cannot follow a decision threshold."""
    named = f"decision_threshold={search.decision_threshold!r}"
    pos_label = as_decision_threshold(search.decision_threshold).pos_label
    if len(classes) != 2:
        raise ValueError(
            f"{named} needs two classes, got {len(classes)}: {classes[:10].tolist()}. Make the "
            "target binary, e.g. y == 'ill'."
        )
    if pos_label is None and classes.tolist() not in ([0, 1], [-1, 1]):
        raise ValueError(
            f"{named} does not say which of the classes {classes.tolist()} is positive. Add "
            f"pos_label, as in {{..., 'pos_label': {classes.tolist()[1]!r}}}."
        )
    if pos_label is not None and pos_label not in classes.tolist():
        raise ValueError(
            f"pos_label={pos_label!r} of decision_threshold is not among the classes "
            f"{classes.tolist()}."
        )


def _kind(y: Any) -> str:
    return "none" if y is None else type_of_target(y)


def _check_ensemble(search: Any) -> None:
    """Raise ValueError if the models of the folds cannot take the place of a refit."""
    if not search.refit:
        raise ValueError(
            "Calibration(ensemble=True) predicts with the models of the folds in place of a "
            f"refit; with refit={search.refit!r} nothing predicts. Set refit=True."
        )
    if as_epochs(search.epochs).keep == "best":
        raise ValueError(
            "Calibration(ensemble=True) keeps the models of the folds as they are at their "
            f"last epoch, and epochs={search.epochs!r} scores them at another. Use "
            "epochs='last', or ensemble=False."
        )


class OutOfFoldPredictions(BaseSearchCV):
    """What a search says that comes from its out-of-fold predictions."""

    # Set by `fit` as soon as trials have finished.
    _oof_results: OutOfFoldResults | None = None

    @available_if(_has("predict_proba"))
    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probabilities of the classes, calibrated as `calibration` says.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`. The largest may be of another class than
            ``predict`` returns: labels are the best estimator's own.
        """
        check_is_fitted(self)
        if self._calibrator is None:
            return super().predict_proba(X)
        call = self.calibrated_estimator_.predict_proba
        return self._wrap_namespace_error("predict_proba", call, X)

    @available_if(_has("predict_log_proba"))
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the logarithms of ``predict_proba``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
        """
        check_is_fitted(self)
        if self._calibrator is None:
            return super().predict_log_proba(X)
        return np.log(self.predict_proba(X))

    @available_if(_has("predict"))
    def predict(self, X: Any) -> np.ndarray:
        """Return what the best estimator predicts, or labels by `decision_threshold`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        predictions : ndarray of shape (n_samples,) or (n_samples, n_outputs)

        Raises
        ------
        ThresholdNotMetError
            If no threshold meets what `decision_threshold` requires.
        """
        check_is_fitted(self)
        if self.decision_threshold is None:
            return super().predict(X)
        return self._wrap_namespace_error("predict", self.calibrated_estimator_.predict, X)

    def score(self, X: Any, y: Any = None, **params: Any) -> float:
        """Score what the search predicts.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Test data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            True targets.
        **params : dict
            Parameters for the scorer; only with metadata routing enabled.

        Returns
        -------
        score : float
            By `scoring` where it is given, otherwise by the estimator's own
            ``score``; with several metrics that of `refit`, or of the first
            objective. Of calibrated probabilities and of labels by
            `decision_threshold`, where these are in use.
        """
        scored = copy.copy(self)
        if self.objectives and not isinstance(self.refit, str):
            scored.refit = self.refit and self.objectives[0]
        if hasattr(self, "best_estimator_") and is_classifier(self):
            scored.best_estimator_ = self._scored_estimator(scored.refit)
        return BaseSearchCV.score(scored, X, y, **params)

    def _scored_estimator(self, metric: Any) -> Any:
        """Return who predicts for the scorer of a metric."""
        scorer = self.scorer_[metric] if isinstance(self.scorer_, dict) else self.scorer_
        methods = response_methods(scorer)
        sees_labels = methods == ("predict",)
        if self.decision_threshold is None and (sees_labels or self._calibrator is None):
            return self.best_estimator_
        if methods:
            return self.calibrated_estimator_
        # A scorer of one's own may look at the estimator: it gets one of the same class.
        shown, calibrated = copy.copy(self.best_estimator_), self.calibrated_estimator_
        names = ("predict", "predict_proba", "predict_log_proba")
        own = {name: getattr(calibrated, name) for name in names if hasattr(calibrated, name)}
        vars(shown).update(own)
        return shown

    @property
    def oof_predictions_(self) -> np.ndarray:
        """Out-of-fold predictions of the best candidate."""
        return self._results_for("oof_predictions_").predictions

    @property
    def oof_counts_(self) -> np.ndarray:
        """How often each row of the data was a test row."""
        return self._results_for("oof_counts_").out_of_fold.counts

    @property
    def calibrator_(self) -> Any:
        """What turns predictions into calibrated probabilities."""
        results = self._results_for("calibrator_")
        if results.calibrator is None:
            raise AttributeError(f"there is no calibrator_: {results.uncalibrated}")
        return results.calibrator

    @property
    def calibrated_estimator_(self) -> CalibratedClassifier:
        """The best estimator with calibrated probabilities."""
        results = self._results_for("calibrated_estimator_")
        if not (hasattr(self, "best_estimator_") and is_classifier(self)):
            raise AttributeError(
                "calibrated_estimator_ is there for a classifier that was refitted, "
                f"not with estimator={self.estimator!r} and refit={self.refit!r}"
            )
        return CalibratedClassifier(self.best_estimator_, self._calibrator, results.decision)

    @property
    def decision_report_(self) -> DecisionReport:
        """What decisions are worth on the out-of-fold predictions."""
        return self._results_for("decision_report_").report

    @property
    def best_score_corrected_(self) -> float:
        """`best_score_` without the winner's optimism."""
        return self._results_for("best_score_corrected_").corrected.value

    @property
    def best_score_interval_(self) -> tuple[float, float]:
        """Interval of `best_score_corrected_`."""
        corrected = self._results_for("best_score_interval_").corrected
        return corrected.low, corrected.high

    def _choose_threshold(self) -> None:
        """Choose the decision threshold from the out-of-fold predictions."""
        decision = None if self._oof_results is None else self._oof_results.decision
        if self._oof_results is None or decision is None:
            return
        self.best_threshold_ = decision.threshold
        with suppress(AttributeError):
            self.threshold_choice_ = self._oof_results.choice
        doubt = self._oof_results.doubt
        if decision.problem is not None:
            named = f"decision_threshold={self.decision_threshold!r} is not met"
            warn_user(f"{named}: {decision.problem}", ThresholdNotMetWarning)
        elif doubt is not None:
            warn_user(
                f"best_threshold_ counts on folds that are alike and enough rows, but {doubt}: "
                "its confidence may not hold.",
                CalibrationWarning,
            )

    @property
    def _calibrator(self) -> Any:
        """The calibrator in use, None if probabilities are the estimator's own."""
        calibrator = None if self._oof_results is None else self._oof_results.calibrator
        if calibrator is None or isinstance(self.best_estimator_, FoldEnsemble):
            return calibrator
        return None if calibrator.method == "identity" else calibrator

    def _results_for(self, attribute: str) -> OutOfFoldResults:
        if self._oof_results is None:
            why = "before it is fitted"
            if hasattr(self, "cv_results_"):
                why = "as nothing was predicted out of fold, or no best candidate was chosen"
            raise AttributeError(f"{type(self).__name__} has no {attribute} {why}")
        return self._oof_results
