"""The score of every candidate, and what each row, or group of rows, adds to it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn import config_context

from optunasearch._sklearn import _check_method_params
from optunasearch.selection._influence import Answers, Influence, closed_form
from optunasearch.selection._predictions import LabelledPredictions
from optunasearch.selection._questions import Questions
from optunasearch.selection._stand_in import stand_in

__all__ = ["Scored", "score_candidates"]

# Of a metric without a closed form: at most so many blocks of a fold's rows are left out in
# turn, for so many of the best candidates.
N_BLOCKS = 20
N_CONTENDERS = 30
_SAME = 1e-8

Candidate = Sequence[LabelledPredictions]
Form = Callable[[Answers], Influence | None]


@dataclass(frozen=True)
class Scored:
    """The candidates that can win, in order.

    Attributes
    ----------
    rows : ndarray of shape (n_candidates,)
        Which candidates these are.
    scores : ndarray of shape (n_candidates,)
        Means over the folds.
    influences : ndarray of shape (n_candidates, n_units)
        What each unit adds to the score; the sum over the units is 0.
    sizes : ndarray of shape (n_units,)
        The units' shares in the rows of a fold, averaged over the folds; the sum is 1.
    n_scored : int
        The number of candidates with a score, more than these if some are far behind.
    """

    rows: np.ndarray
    scores: np.ndarray
    influences: np.ndarray
    sizes: np.ndarray
    n_scored: int


def score_candidates(
    candidates: Sequence[Candidate],
    questions: Questions,
    rng: np.random.Generator,
    *,
    along: bool = False,
    closed: bool = True,
) -> Scored:
    """Return scores and influences of the candidates that can win.

    With `along`, those who could win at any time, among the candidates up to them. Without
    `closed`, every metric is asked as if it were unknown.
    """
    folds = [_Fold(questions, number, rng) for number in range(len(questions.tests))]
    with config_context(skip_parameter_validation=True):
        form = _trusted_form(questions.scorer, folds, candidates[0]) if closed else None
        answers = [
            [fold.answer(form, of) for fold, of in zip(folds, candidate, strict=True)]
            for candidate in candidates
        ]
        scores = np.array([[score for score, _ in row] for row in answers])
        used = np.flatnonzero(np.isfinite(scores).any(axis=0))
        means = scores[:, used].mean(axis=1) if len(used) else scores[:, 0]
        if not np.isfinite(means).any():
            raise _no_score(questions, folds)
        rows = _contenders(means, None if form else N_CONTENDERS, along)
        influences = np.zeros((len(rows), questions.units.max() + 1))
        for position, row in enumerate(rows):
            for number in map(int, used):
                score, of_rows = answers[row][number]
                if of_rows is None:
                    of_rows = folds[number].jackknife(candidates[row][number], score)
                # Folds count by the rows that are drawn of them.
                of_fold = folds[number].shares * (score - means[row])
                influences[position] += folds[number].by_unit(of_rows + of_fold)
    sizes = np.mean([folds[number].by_unit(folds[number].shares) for number in used], axis=0)
    n_scored = int(np.isfinite(means).sum())
    return Scored(rows, means[rows], influences / len(used), sizes, n_scored)


class _Fold:
    """The test rows of a fold, about which each candidate's model is asked."""

    def __init__(self, questions: Questions, number: int, rng: np.random.Generator) -> None:
        self._scorer = questions.scorer
        self._params = dict(questions.params)
        self._n_rows = len(questions.y)
        self._n_units = questions.units.max() + 1
        self._rows = questions.tests[number]
        self._y = questions.y[self._rows]
        self._units = questions.units[self._rows]
        self.shares = np.full(len(self._rows), 1 / len(self._rows))
        self._blocks = _blocks(self._units, rng)
        self.error: ValueError | None = None

    def answer(self, form: Form | None, of: LabelledPredictions) -> tuple[float, np.ndarray | None]:
        """Return a score and the rows' influences, None if they have no closed form."""
        known = None if form is None else form(Answers(of, self._y, self._weights()))
        return (self.ask(of), None) if known is None else known

    def ask(self, of: LabelledPredictions, rows: np.ndarray | None = None) -> float:
        """Return the score of some of the test rows, NaN if it is undefined."""
        positions = np.arange(len(self._rows)) if rows is None else rows
        params = self._params_of(positions)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the search has shown them
            try:
                X = positions[:, np.newaxis]
                return float(self._scorer(stand_in(of), X, self._y[positions], **params))
            except ValueError as error:  # of metrics of rows that lack a class
                self.error = error
                return np.nan

    def jackknife(self, of: LabelledPredictions, score: float) -> np.ndarray:
        """Return the rows' influences by leaving some of them out.

        A score of labels is the same whichever of the rows with one true and one predicted
        label is left out: once for each such pair. Otherwise blocks of rows are left out.
        """
        pairs = self._pairs(of)
        if pairs is not None:
            influences = np.zeros(len(self._rows))
            for pair in range(pairs.max() + 1):
                rows = np.flatnonzero(pairs == pair)
                influences[rows] = self._influence_of(rows[:1], of, score)
        else:
            influences = self._by_blocks(of, score)
        return influences - self.shares * influences.sum()

    def _by_blocks(self, of: LabelledPredictions, score: float) -> np.ndarray:
        influences = np.zeros(len(self._rows))
        for block in self._blocks:
            _, unit, sizes = np.unique(self._units[block], return_inverse=True, return_counts=True)
            # Units are drawn one by one: what a block does is spread over them so that the
            # sum of squares is kept.
            of_unit = self._influence_of(block, of, score) / np.sqrt(len(sizes))
            influences[block] = of_unit / sizes[unit]
        return influences

    def _influence_of(self, rows: np.ndarray, of: LabelledPredictions, score: float) -> float:
        """Return what rows add to the score, 0 if it is undefined without them."""
        others = np.setdiff1d(np.arange(len(self._rows)), rows, assume_unique=True)
        if len(others) == 0:
            return 0.0
        change = (score - self.ask(of, others)) * len(others) / len(self._rows)
        return change if np.isfinite(change) else 0.0

    def _pairs(self, of: LabelledPredictions) -> np.ndarray | None:
        """Number the pairs of true and predicted label, if the score is one of labels."""
        is_of_labels = getattr(self._scorer, "_response_method", None) == "predict"
        if not is_of_labels or of.classes is None or self._params or self._y.ndim != 1:
            return None
        predicted = of.responses["predict"]
        if predicted.ndim != 1:
            return None
        _, truth = np.unique(self._y, return_inverse=True)
        _, pairs = np.unique(truth * len(of.classes) + predicted, return_inverse=True)
        return pairs if pairs.max() < N_BLOCKS else None

    def by_unit(self, of_rows: np.ndarray) -> np.ndarray:
        """Return sums over the rows of each unit."""
        return np.bincount(self._units, of_rows, minlength=self._n_units)

    def _params_of(self, positions: np.ndarray) -> dict[str, Any]:
        everything = np.empty(self._n_rows)
        return _check_method_params(everything, self._params, indices=self._rows[positions])

    def _weights(self) -> np.ndarray:
        given = self._params_of(np.arange(len(self._rows))).get("sample_weight")
        if given is None:
            return self.shares
        weights = np.asarray(given, dtype=float)
        total = weights.sum()
        return weights / total if total > 0 else np.full_like(weights, np.nan)


def _blocks(units: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Share out a fold's rows, whole units, at random."""
    found, inverse = np.unique(units, return_inverse=True)
    n_blocks = min(N_BLOCKS, len(found))
    block_of_unit = rng.permutation(np.arange(len(found)) % n_blocks)
    return [np.flatnonzero(block_of_unit[inverse] == block) for block in range(n_blocks)]


def _trusted_form(scorer: Any, folds: list[_Fold], first: Candidate) -> Form | None:
    """Return the closed form if there is one and it agrees with the scorer."""
    form = closed_form(scorer, first[0])
    if form is None:
        return None
    known = np.array([fold.answer(form, of)[0] for fold, of in zip(folds, first, strict=True)])
    asked = np.array([fold.ask(of) for fold, of in zip(folds, first, strict=True)])
    return form if np.allclose(known, asked, _SAME, _SAME, equal_nan=True) else None


def _contenders(means: np.ndarray, most: int | None, along: bool) -> np.ndarray:
    """Return the candidates with a score, the best of them only if it is dear to ask."""
    finite = np.flatnonzero(np.isfinite(means))
    if most is None:
        return finite
    scores = means[finite]
    n_better = np.array(
        [
            np.sum(scores[:i] >= score) + (0 if along else np.sum(scores[i + 1 :] > score))
            for i, score in enumerate(scores)
        ]
    )
    return finite[n_better < most]


def _no_score(questions: Questions, folds: list[_Fold]) -> ValueError:
    error = ValueError(
        f"{questions.scorer!r} is not a finite number for any candidate, so there is no winner "
        "to score. A stratified splitter puts rows of each class into every fold."
    )
    error.__cause__ = next((fold.error for fold in folds if fold.error is not None), None)
    return error
