"""The out-of-fold predictions of a running search, within bounds.

Each trial brings predictions for all rows: 50,000 rows of 10 classes are 2 MB, 200
trials of them 400 MB. Those of the best trials are held in memory up to a limit, the
others wait in a temporary folder, as a callable `refit` may choose any. In the end only
the winner's are kept, and of the others, which the corrected score needs, the best up to
the same limit.
"""

from __future__ import annotations

import math
import os
import pickle
from collections.abc import Callable

from optunasearch.execution._context_file import SearchFolder
from optunasearch.execution._records import FoldPredictions, TrialRecord

# 16 trials of 50,000 rows and 10 classes in single precision.
MAX_BYTES = 32 << 20

TrialPredictions = tuple[FoldPredictions, ...]


class PredictionStore:
    """Takes the predictions off finished trials and keeps those that may matter.

    Parameters
    ----------
    score_of : callable
        ``score_of(record)`` is the score of a complete trial, higher is better.
    best_wins : bool
        Whether the trial with the highest score, the first of equals, is the winner for
        sure: fold models of no other are kept then.
    max_bytes : int, default=None
        How much is held in memory; None is `MAX_BYTES`.
    """

    def __init__(
        self,
        score_of: Callable[[TrialRecord], float],
        *,
        best_wins: bool,
        max_bytes: int | None = None,
    ) -> None:
        self._score_of = score_of
        self._best_wins = best_wins
        self._max_bytes = MAX_BYTES if max_bytes is None else max_bytes
        self._folder: SearchFolder | None = None
        self._held: dict[int, TrialPredictions] = {}
        self._spilled: dict[int, str] = {}
        self._scores: dict[int, float] = {}
        self._models: dict[int, list[str]] = {}
        self._original: dict[int, int] = {}
        self._n_bytes = 0
        self.problem: str | None = None

    def add(self, record: TrialRecord) -> None:
        """Take over what a finished trial has predicted; its results are freed of it."""
        results = [record.results[fold] for fold in sorted(record.results)]
        predictions = tuple(r.predictions for r in results if r.predictions is not None)
        record.results = {result.fold: result.without_predictions() for result in results}
        if record.duplicate_of is not None:
            self._original[record.number] = record.duplicate_of
            return
        self.problem = self.problem or next((p.problem for p in predictions if p.problem), None)
        is_usable = record.stop is None and len(predictions) == record.n_splits
        if not is_usable or not all(p.responses for p in predictions):
            _remove([r.model for r in results if r.model is not None])
            return
        score = self._score_of(record)
        score = score if math.isfinite(score) else -math.inf
        self._keep_models(record.number, score, [r.model for r in results if r.model is not None])
        self._scores[record.number] = score
        self._held[record.number] = predictions
        self._n_bytes += sum(p.nbytes for p in predictions)
        while self._n_bytes > self._max_bytes and len(self._held) > 1:
            self._spill(min(self._held, key=lambda number: (self._scores[number], -number)))

    def of(self, number: int) -> TrialPredictions | None:
        """Return the predictions of a trial; None if there are none."""
        number = self._original.get(number, number)
        if number in self._spilled:
            with open(self._spilled[number], "rb") as file:
                return pickle.load(file)
        return self._held.get(number)

    def models_of(self, number: int) -> list[str]:
        """Return the files of a trial's fold models."""
        return self._models.get(self._original.get(number, number), [])

    def best(self) -> dict[int, TrialPredictions]:
        """Return the predictions of the best trials that fit into memory, by number."""
        numbers = sorted(self._scores, key=lambda number: (-self._scores[number], number))
        kept: dict[int, TrialPredictions] = {}
        n_bytes = 0
        for number in numbers:
            if number not in self._held:
                break
            n_bytes += sum(p.nbytes for p in self._held[number])
            if kept and n_bytes > self._max_bytes:
                break
            kept[number] = self._held[number]
        return dict(sorted(kept.items()))

    def close(self) -> None:
        """Remove what is on disk."""
        if self._folder is not None:
            self._folder.remove()
            self._folder = None

    @property
    def folder(self) -> str:
        """A folder of the search's own, made at the first use."""
        if self._folder is None:
            self._folder = SearchFolder()
        return self._folder.path

    def _keep_models(self, number: int, score: float, paths: list[str]) -> None:
        """Keep a trial's fold models if it may win, and drop those of who cannot any more."""
        if self._best_wins and self._models and score <= max(self._scores.values()):
            _remove(paths)
            return
        if self._best_wins:
            for number_before in list(self._models):
                _remove(self._models.pop(number_before))
        self._models[number] = paths

    def _spill(self, number: int) -> None:
        """Move the predictions of a trial from memory to a file."""
        predictions = self._held.pop(number)
        self._n_bytes -= sum(p.nbytes for p in predictions)
        path = os.path.join(self.folder, f"predictions-{number}")
        with open(path, "wb") as file:
            pickle.dump(predictions, file, protocol=5)
        self._spilled[number] = path


def _remove(paths: list[str]) -> None:
    for path in paths:
        os.remove(path)
