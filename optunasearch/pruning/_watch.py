"""A watch: what is seen of one fit from inside, and the decision to end it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from optunasearch.execution._fold import FitStopped
from optunasearch.execution._records import FoldPredictions, Limit, Scores, epoch_at


class Watch:
    """Scores a model at some of its epochs; ends a fit that has not reached its limit.

    Parameters
    ----------
    score : callable
        ``score(model)`` are the scores on the rows that the fit is followed on.
    value_of : callable
        ``value_of(scores)`` is the value of the curve.
    keeps_scores : bool
        Whether the scores on the test rows are kept for each epoch of the curve.
    score_test : callable, default=None
        ``score_test(model)`` are those; None if the fit is followed on the test rows.
    predictions : callable, default=None
        ``predictions()`` are those that the last scoring of test rows was made from.
    limits : tuple of Limit
        Where a fit ends if it has not reached a score.
    n_epochs : int
        How many the fit has if nothing ends it, 0 if unknown.
    every : int or None
        Score after every so many epochs.
    also : sequence of float
        Score also at these epochs, or below 1 shares of `n_epochs`.

    Attributes
    ----------
    curve : list of (epoch, value)
    scores_along : list
        The scores on the test rows after each epoch of the curve.
    predictions_along : list
        The predictions of these rows, where they are taken along.
    """

    def __init__(
        self,
        score: Callable[[Any], Scores],
        value_of: Callable[[Any], float] = float,
        *,
        keeps_scores: bool = False,
        score_test: Callable[[Any], Scores] | None = None,
        predictions: Callable[[], FoldPredictions | None] = lambda: None,
        limits: tuple[Limit, ...] = (),
        n_epochs: int = 0,
        every: int | None = None,
        also: Sequence[float] = (),
    ) -> None:
        self._score = score
        self._value_of = value_of
        self._keeps_scores = keeps_scores
        self._score_test = score_test
        self._predictions = predictions
        self._limits = {epoch_at(at, n_epochs): needed for at, needed in limits}
        self._every = every
        self._also = {epoch_at(at, n_epochs) for at in also}
        self._last = 0
        self._monitored: float | None = None
        self.n_epochs = n_epochs
        self.curve: list[tuple[int, float]] = []
        self.scores_along: list[Scores] = []
        self.predictions_along: list[FoldPredictions | None] = []

    def is_due(self, epoch: int) -> bool:
        """Whether the model is to be scored after this epoch."""
        return epoch in self._also or (self._every is not None and epoch % self._every == 0)

    def due_epochs(self, n_epochs: int) -> list[int]:
        """Return the epochs before the last at which the model is to be scored."""
        return [epoch for epoch in range(1, n_epochs) if self.is_due(epoch)]

    def may_end_at(self, epoch: int) -> bool:
        """Whether the fit may be ended after this epoch."""
        return epoch in self._limits

    def see(self, epoch: int, model: Any, value: float | None = None) -> None:
        """Take note of a model after an epoch; a monitored `value` takes the place of scoring.

        Raises
        ------
        FitStopped
            If it has not reached the limit of this epoch.
        """
        self._last, self._monitored = epoch, value
        # The fold itself scores the finished fit.
        if epoch == self.n_epochs or not self.is_due(epoch):
            return
        self._look(epoch, model, value)
        needed = self._limits.get(epoch)
        # A model that has diverged to NaN stops here too.
        if needed is not None and not self.curve[-1][1] >= needed:
            raise FitStopped

    def end(
        self,
        model: Any,
        value: float | None,
        test_scores: Scores,
        predictions: FoldPredictions | None = None,
    ) -> None:
        """Note the scores of the finished fit; `value` is its point of the curve if known."""
        if not self._last:
            return
        if self.curve and self.curve[-1][0] == self._last:
            self.curve.pop()
            del self.scores_along[-1:], self.predictions_along[-1:]
        value = self._monitored if value is None else value
        value = self._value_of(self._score(model)) if value is None else value
        self.curve.append((self._last, value))
        if self._keeps_scores:
            self.scores_along.append(test_scores)
            self.predictions_along.append(predictions)

    def _look(self, epoch: int, model: Any, value: float | None) -> None:
        """Add a point to the curve."""
        if self._keeps_scores:
            is_test = self._score_test is None
            scores = (self._score if self._score_test is None else self._score_test)(model)
            self.scores_along.append(scores)
            self.predictions_along.append(self._predictions())
            value = self._value_of(scores) if value is None and is_test else value
        value = self._value_of(self._score(model)) if value is None else value
        self.curve.append((epoch, value))
