"""Who is followed inside a fit, on which rows, and for what.

What goes to the workers with the context of a search: given an unfitted estimator it
returns a `Watch` that looks into its fit, or nothing.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline

from optunasearch.execution._records import FoldPredictions, Limit, Scores
from optunasearch.pruning._boosters import booster_steps
from optunasearch.pruning._epochs import Epochs
from optunasearch.pruning._iterative import Steps, steps_of
from optunasearch.pruning._skorch import NetSteps, net_steps
from optunasearch.pruning._watch import Watch

# Epochs at which estimators other than nets are scored to find the best one.
N_SCORED_EPOCHS = 20

ScoreRows = Callable[[Any, Any], Scores]
"""``score(model, X)``: the scores of a model on rows whose targets it knows."""


def last_model(estimator: Any) -> tuple[Any, str]:
    """Return the estimator, or the last step of a pipeline and the prefix of its parameters."""
    path = ""
    while isinstance(estimator, Pipeline):
        name, estimator = estimator.steps[-1]
        path += f"{name}__"
    return estimator, path


def how_to_follow(
    model: Any, epochs: Epochs, n_rows: int, *, searched: Set[str] = frozenset()
) -> Steps | None:
    """Return how a model is followed from epoch to epoch, None if it is not.

    The parameters that are `searched` are taken as set.
    """
    steps: Steps | None = net_steps(model, epochs)
    if steps is None and epochs.monitor is None:
        steps = booster_steps(model, searched) or steps_of(model, epochs, n_rows)
    return steps


@dataclass(frozen=True)
class Following:
    """Follows the fits of a search.

    Attributes
    ----------
    metric : str
        Key of the score that curves are made of.
    epochs : Epochs
    shares : tuple of float
        Of the epochs of a fit, at which it may be stopped in the first fold.
    """

    metric: str
    epochs: Epochs
    shares: tuple[float, ...] = ()

    @property
    def keeps_scores(self) -> bool:
        """Whether the scores at every epoch are kept, so that the best can be chosen."""
        return self.epochs.keep == "best"

    def split(self, train: Any, test: Any, estimator: Any, y: Any, fold: int) -> tuple[Any, Any]:
        """Return the rows to fit on and those to follow the fit on.

        Raises
        ------
        ValueError
            If the rows are too few to hold some out.
        """
        fraction = self.epochs.validation_fraction
        if fraction is None:
            return train, test
        is_stratified = is_classifier(estimator) and np.ndim(y) == 1
        try:
            fitted, held_out = train_test_split(
                np.asarray(train),
                test_size=fraction,
                random_state=fold,
                stratify=np.asarray(y)[train] if is_stratified else None,
            )
        except ValueError as error:
            raise ValueError(
                f"validation_fraction={fraction} cannot be held out of the {len(train)} training "
                f"rows of fold {fold}: {error} Follow the fits on the test rows (None) instead."
            ) from error
        return np.sort(fitted), np.sort(held_out)

    @contextlib.contextmanager
    def watching(
        self,
        estimator: Any,
        fold: int,
        limits: tuple[Limit, ...],
        n_rows: int,
        watched: tuple[Any, ScoreRows],
        tested: tuple[Any, ScoreRows],
    ) -> Iterator[Watch | None]:
        """Let a watch see into the fits of an unfitted estimator, if they can be followed.

        It sees nothing where there is nothing to decide. `watched` and `tested` are rows
        of X and the function that scores a model on them.
        """
        model, _ = last_model(estimator)
        steps = how_to_follow(model, self.epochs, n_rows)
        if steps is None:
            yield None
            return
        n_epochs = steps.n_epochs(model)
        followed = _Rows(estimator, *watched)
        of_test = followed if watched is tested else _Rows(estimator, *tested)
        watch = Watch(
            followed.score,
            self._value_of,
            keeps_scores=self.keeps_scores,
            score_test=None if of_test is followed else of_test.score,
            predictions=of_test.predictions,
            limits=limits,
            n_epochs=n_epochs,
            every=self._every(steps, n_epochs),
            also=self.shares if fold == 0 else (),
        )
        if not self._is_followed(steps, fold):
            yield watch
            return
        detach = steps.attach(model, watch)
        try:
            yield watch
        finally:
            detach()

    def end(
        self,
        watch: Watch,
        estimator: Any,
        test_scores: Scores,
        predictions: FoldPredictions | None = None,
    ) -> None:
        """Note the scores and predictions of a finished fit."""
        is_test = self.epochs.monitor is None and self.epochs.validation_fraction is None
        value = self._value_of(test_scores) if is_test else None
        watch.end(last_model(estimator)[0], value, test_scores, predictions)

    @contextlib.contextmanager
    def refitting(self, estimator: Any, epoch: int | None, n_rows: int) -> Iterator[None]:
        """Fit an estimator as in the folds, up to this epoch, without scoring it."""
        model, _ = last_model(estimator)
        if epoch is not None and getattr(model, "early_stopping", None) == "auto":
            # With all rows it might stop early, which it has not in the folds.
            model.set_params(early_stopping=False)
        steps = how_to_follow(model, self.epochs, n_rows)
        if steps is None:
            yield
            return
        if epoch is not None:
            steps.end_at(model, epoch)
        detach = None
        if self.epochs.step is not None:
            detach = steps.attach(model, Watch(lambda model: np.nan))
        try:
            with warnings.catch_warnings():
                if epoch is not None:  # it is meant to end before it converges
                    warnings.simplefilter("ignore", ConvergenceWarning)
                yield
        finally:
            if detach is not None:
                detach()

    def _value_of(self, scores: Scores) -> float:
        """Return the score that curves are made of."""
        return float(scores[self.metric] if isinstance(scores, dict) else scores)

    def _is_followed(self, steps: Steps, fold: int) -> bool:
        """Whether there is something to see in this fold."""
        epochs = self.epochs
        if epochs.step or epochs.every or epochs.keep == "best" or isinstance(steps, NetSteps):
            return True
        return fold == 0 and bool(self.shares)

    def _every(self, steps: Steps, n_epochs: int) -> int | None:
        if self.epochs.every is not None:
            return self.epochs.every
        if isinstance(steps, NetSteps):
            return 1
        return max(n_epochs // N_SCORED_EPOCHS, 1) if self.epochs.keep == "best" else None


class _Rows:
    """Rows to score a model on, as they come to the last step of a pipeline."""

    def __init__(self, estimator: Any, X: Any, score: ScoreRows) -> None:
        self._estimator = estimator
        self._X = X
        self._score = score
        self._transformed: Any = None

    def score(self, model: Any) -> Scores:
        if self._transformed is None:
            self._transformed = self._transform()
        return self._score(model, self._transformed)

    def predictions(self) -> FoldPredictions | None:
        """Return the predictions that the last scores were made from, if they were taken."""
        return getattr(self._score, "predictions", None)

    def _transform(self) -> Any:
        X, estimator = self._X, self._estimator
        while isinstance(estimator, Pipeline):
            if len(estimator.steps) > 1:
                X = estimator[:-1].transform(X)
            estimator = estimator.steps[-1][1]
        return X
