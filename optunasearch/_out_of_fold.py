"""Out-of-fold predictions: which are gathered, and what a finished search keeps of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.multiclass import type_of_target

from optunasearch._sklearn import response_methods
from optunasearch.calibration._ensemble import align_classes
from optunasearch.execution._predictions import Recorder
from optunasearch.execution._records import FoldPredictions
from optunasearch.selection._predictions import LabelledPredictions

RESPONSES = ("predict_proba", "decision_function")


def make_recorder(search: Any, scorer: Any, y: Any) -> Recorder | None:
    """Return what takes predictions along with scores; None if there is nothing to take."""
    if y is None:
        return None
    classes = known_classes(search.estimator, y)
    wanted: tuple[str, ...] = ()
    if classes is not None:
        if search.calibration not in (None, "auto") or search.decision_threshold is not None:
            wanted = RESPONSES
        elif search.calibration == "auto":
            wanted = RESPONSES[:1]
    heard = response_methods(scorer)
    return Recorder(heard, wanted, classes) if heard or wanted else None


def known_classes(estimator: Any, y: Any) -> np.ndarray | None:
    """Return the sorted classes of a classifier's target; None if it is no plain one."""
    if y is None or not is_classifier(estimator):
        return None
    try:
        labels = np.asarray(y)
        if labels.ndim == 2 and labels.shape[1] == 1:
            labels = labels[:, 0]
        if labels.ndim != 1 or type_of_target(labels) not in ("binary", "multiclass"):
            return None
        return np.unique(labels)
    except (TypeError, ValueError):  # the estimator itself will say what is wrong with it
        return None


@dataclass(frozen=True)
class Stacked:
    """Predictions of all folds, one under the other.

    Attributes
    ----------
    method : str
        What made them: "predict_proba", "decision_function" or "predict".
    values : ndarray of shape (n, ...)
    rows : ndarray of shape (n,)
        Which row of the data each is for; with repeated splits a row occurs repeatedly.
    folds : ndarray of shape (n,)
        The fold that each was predicted in.
    """

    method: str
    values: np.ndarray
    rows: np.ndarray
    folds: np.ndarray


@dataclass(frozen=True)
class OutOfFold:
    """What a search keeps of its out-of-fold predictions.

    Attributes
    ----------
    y : ndarray of shape (n_samples,), or (n_samples, n_outputs)
    classes : ndarray or None
    tests : list of ndarray
        The test rows of each fold.
    candidates : dict of int to tuple of FoldPredictions
        By row of `cv_results_`: complete trials, the best as far as they fit into memory.
    winner : tuple of FoldPredictions or None
    groups, sample_weight : ndarray of shape (n_samples,) or None
    problem : str or None
        Why predictions are missing.
    """

    y: np.ndarray
    classes: np.ndarray | None
    tests: list[np.ndarray]
    candidates: dict[int, tuple[FoldPredictions, ...]]
    winner: tuple[FoldPredictions, ...] | None
    groups: np.ndarray | None = None
    sample_weight: np.ndarray | None = None
    score_params: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None

    @property
    def codes(self) -> np.ndarray:
        """The target as positions among the classes."""
        return np.unique(self.y, return_inverse=True)[1]

    def stacked(self, methods: Sequence[str]) -> Stacked | None:
        """Return the winner's predictions by the first of these methods that all folds have."""
        if self.winner is None:
            return None
        for method in methods:
            if all(method in fold.responses for fold in self.winner):
                blocks = [self._aligned(fold, method) for fold in self.winner]
                if len({block.shape[1:] for block in blocks}) > 1:
                    continue
                sizes = [len(block) for block in blocks]
                return Stacked(
                    method,
                    np.concatenate(blocks),
                    np.concatenate(self.tests),
                    np.repeat(np.arange(len(blocks)), sizes),
                )
        return None

    @property
    def counts(self) -> np.ndarray:
        """How often each row was a test row."""
        return np.bincount(np.concatenate(self.tests), minlength=len(self.y))

    @property
    def is_even(self) -> bool:
        """Whether all rows that were tested were tested equally often."""
        return len(np.unique(self.counts[self.counts > 0])) == 1

    def averaged(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return one prediction for each row of the data, NaN for those that have none."""
        total = np.zeros((len(self.y), *values.shape[1:]), dtype=values.dtype)
        np.add.at(total, rows, values)
        counts = np.bincount(rows, minlength=len(self.y)).astype(values.dtype)
        with np.errstate(invalid="ignore"):
            return total / counts.reshape(-1, *[1] * (values.ndim - 1))

    def by_repeat(self, values: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return which rows were tested and their values, a line for each repeated test.

        Values have the shape (n_repeats, n_tested). Where rows were not tested equally
        often, each one's mean makes up the only line.
        """
        tested = np.flatnonzero(np.bincount(rows, minlength=len(self.y)))
        if not self.is_even:
            return tested, self.averaged(values, rows)[np.newaxis, tested]
        order = np.argsort(rows, kind="stable")
        return tested, values[order].reshape(len(tested), -1).T

    def weights(self, rows: np.ndarray) -> np.ndarray | None:
        """Return weights of stacked predictions: a row of the data counts 1 in the mean."""
        counts = self.counts[rows]
        if self.sample_weight is not None:
            return self.sample_weight[rows] / self.sample_weight[self.counts > 0].mean() / counts
        return None if (counts == 1).all() else 1 / counts

    def labelled(self, folds: Sequence[FoldPredictions]) -> list[LabelledPredictions]:
        """Return a candidate's predictions with a column for each of all classes."""
        return [
            LabelledPredictions(
                {name: self._aligned(fold, name) for name in fold.responses}, self.classes
            )
            for fold in folds
        ]

    def _aligned(self, fold: FoldPredictions, method: str) -> np.ndarray:
        """Return a fold's predictions with a column for each of all classes."""
        values = fold.responses[method]
        if fold.classes is None or self.classes is None or method == "predict":
            return values
        return align_classes(values, method, fold.classes, len(self.classes))
