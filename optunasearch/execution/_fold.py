"""Work: clone, set parameters, fit and score on one fold.

Module-level functions and a picklable context, run by whoever evaluates folds.
What `sklearn.model_selection.cross_validate` does for one split, without its
printing, so that pruning and out-of-fold predictions can enter between the
fit and the score.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from traceback import format_exc
from typing import Any, Protocol

import numpy as np
from sklearn import config_context, get_config
from sklearn.base import clone
from sklearn.utils import get_tags

from optunasearch._sklearn import (
    _check_method_params,
    _MultimetricScorer,
    _num_samples,
    _safe_split,
    _score,
    device,
    get_namespace,
)
from optunasearch._space import Params, SearchSpace
from optunasearch.execution._predictions import Answers, Recorder, save_model
from optunasearch.execution._records import FoldPredictions, FoldResult, Limit, Scores, TrialTask
from optunasearch.execution._reuse import TransformReuse

# X, y, and where they are in the data.
Rows = tuple[Any, Any, Any]


class FitStopped(Exception):
    """Raised inside a fit that is not worth its remaining epochs."""


class Watch(Protocol):
    """What is seen of one fit from inside.

    `curve` has (epoch, score) so far, `scores_along` all scores at the same epochs if
    they are wanted; `n_epochs` is how many the fit is to have.
    """

    curve: list[tuple[int, float]]
    scores_along: list[Scores]
    predictions_along: list[FoldPredictions | None]
    n_epochs: int


class Following(Protocol):
    """Who looks into fits from inside and may end them by raising `FitStopped`."""

    @property
    def keeps_scores(self) -> bool:
        """Whether the scores at every epoch are kept, so that the best can be chosen."""

    def split(self, train: Any, test: Any, estimator: Any, y: Any, fold: int) -> tuple[Any, Any]:
        """Return the rows to fit on and those to follow the fit on."""

    def watching(
        self,
        estimator: Any,
        fold: int,
        limits: tuple[Limit, ...],
        n_rows: int,
        watched: tuple[Any, Callable[[Any, Any], Scores]],
        tested: tuple[Any, Callable[[Any, Any], Scores]],
    ) -> AbstractContextManager[Any]:
        """Look into the fits of an estimator, whose rows are scored by ``score(model, X)``."""

    def end(
        self,
        watch: Any,
        estimator: Any,
        test_scores: Scores,
        predictions: FoldPredictions | None,
    ) -> None:
        """Note the scores and predictions of a finished fit."""

    def refitting(
        self, estimator: Any, epoch: int | None, n_rows: int
    ) -> AbstractContextManager[None]:
        """Fit as in the folds, up to an epoch."""


@dataclass
class FoldContext:
    """What every fold of a search shares.

    Attributes
    ----------
    estimator : estimator
        Unfitted; cloned for each fold.
    X, y : array-like of shape (n_samples, ...)
    splits : list of (train, test) index arrays
    caller : OptunaSearchCV or None
        For scikit-learn's callbacks; None if none are set.
    following : Following or None
        Looks into the fits; None if nobody does.
    recorder : Recorder or None
        Takes predictions of the test rows along; None if none are wanted.
    models_folder : str or None
        Where fitted models are written to; None if they are not kept.
    explain : callable or None
        ``explain(error, X, y)`` adds a note to what a fit has raised.
    n_gpus : int
        Over how many GPUs the workers are spread; 0 if none is used.
    config : dict
        scikit-learn's configuration where the search was started.
    """

    estimator: Any
    X: Any
    y: Any
    splits: Sequence[tuple[Any, Any]]
    scorer: Any
    space: SearchSpace
    fit_params: dict[str, Any] = field(default_factory=dict)
    score_params: dict[str, Any] = field(default_factory=dict)
    return_train_score: bool = False
    error_score: float | str = np.nan
    caller: Any = None
    reuse: TransformReuse | None = None
    following: Following | None = None
    recorder: Recorder | None = None
    models_folder: str | None = None
    explain: Callable[[Exception, Any, Any], None] | None = None
    n_gpus: int = 0
    config: dict[str, Any] = field(default_factory=get_config)


def evaluate_in_context(task: TrialTask, context: FoldContext) -> tuple[FoldResult, ...]:
    """Evaluate a task under the search's scikit-learn configuration."""
    with config_context(**context.config):
        return evaluate(task, context)


def evaluate(task: TrialTask, context: FoldContext) -> tuple[FoldResult, ...]:
    """Evaluate the folds of a task.

    An exception that is not to be scored keeps its type and gets a note with
    the trial, the fold and the parameters.
    """
    params = context.space.decode(task.point)
    results = []
    for position, fold in enumerate(task.folds):
        callback_context = task.callback_contexts[position] if task.callback_contexts else None
        try:
            results.append(_evaluate_fold(fold, params, context, callback_context, task.limits))
        except Exception as error:
            error.add_note(f"trial {task.number}, fold {fold}, parameters {params!r}")
            raise
    return tuple(results)


def _evaluate_fold(
    fold: int,
    params: Params,
    context: FoldContext,
    callback_context: Any,
    limits: tuple[Limit, ...],
) -> FoldResult:
    train, test, watched = _fold_indices(fold, context)
    fit_params = _rows_of(context.fit_params, context.X, train)
    estimator = clone(context.estimator).set_params(**clone(params, safe=False))

    start = time.perf_counter()
    X_train, y_train = _rows(estimator, context, train)
    tested = *_rows(estimator, context, test, train), test
    if context.reuse is not None:
        estimator = context.reuse.attach(estimator, fold, X_train, tested[0])
    hooks = _FoldHooks(context.caller, callback_context, X_train, y_train, fit_params)
    empty, watch = _empty_result(fold, tested, context), None
    try:
        with (
            _watching(estimator, fold, context, limits, train, watched, tested) as watch,
            hooks.around(estimator),
        ):
            if y_train is None:
                estimator.fit(X_train, **fit_params)
            else:
                estimator.fit(X_train, y_train, **fit_params)
        fit_time = time.perf_counter() - start
    except FitStopped:
        result = replace(empty, was_stopped=True, fit_time=time.perf_counter() - start)
    except Exception as error:
        fit_time = time.perf_counter() - start
        if context.explain is not None:
            context.explain(error, X_train, y_train)
        if context.error_score == "raise":
            raise
        return _failed(empty, fit_time, format_exc(), context)
    else:
        result = _scored(replace(empty, fit_time=fit_time), estimator, tested, context)
        if context.return_train_score:
            scores = _scores(estimator, X_train, y_train, train, context)
            result = replace(result, train_scores=scores)
        if context.following is not None and watch is not None:
            context.following.end(watch, estimator, result.test_scores, result.predictions)
    finally:
        hooks.end()
    return result if watch is None else _with_curve(result, watch)


def _fold_indices(fold: int, context: FoldContext) -> tuple[Any, Any, Any]:
    """Return the rows to fit on, those to score and those that the fit is followed on."""
    train, test = context.splits[fold]
    watched = test
    if context.following is not None:
        estimator, y = context.estimator, context.y
        train, watched = context.following.split(train, test, estimator, y, fold)
    return _indices(context, train, test, watched)


def _empty_result(fold: int, tested: Rows, context: FoldContext) -> FoldResult:
    """Return the result of a fold that has no scores."""
    scores = error_scores(context.scorer, np.nan)
    train_scores = scores if context.return_train_score else None
    return FoldResult(fold, scores, train_scores, 0.0, 0.0, _num_samples(tested[0]))


def _failed(empty: FoldResult, fit_time: float, error: str, context: FoldContext) -> FoldResult:
    """Return the result of a fold whose fit raised."""
    scores = error_scores(context.scorer, context.error_score)
    train_scores = scores if context.return_train_score else None
    return replace(
        empty, test_scores=scores, train_scores=train_scores, fit_time=fit_time, fit_error=error
    )


def _scored(empty: FoldResult, estimator: Any, tested: Rows, context: FoldContext) -> FoldResult:
    """Score a fitted model, and take its predictions along."""
    X_test, y_test, test = tested
    start = time.perf_counter()
    answers = _answers(estimator, X_test, context)
    with nullcontext() if answers is None else answers.listening():
        test_scores = _scores(estimator, X_test, y_test, test, context)
    score_time = time.perf_counter() - start
    predictions = _predictions(estimator, answers, context)
    model = _saved(estimator, context) if predictions is not None else None
    return replace(
        empty,
        test_scores=test_scores,
        score_time=score_time,
        predictions=predictions,
        model=model,
    )


def _watching(
    estimator: Any,
    fold: int,
    context: FoldContext,
    limits: tuple[Limit, ...],
    train: Any,
    watched: Any,
    tested: Rows,
) -> AbstractContextManager[Watch | None]:
    """Let whoever looks into fits see this one."""
    if context.following is None:
        return nullcontext()
    X_test, y_test, test = tested
    keeps_all = context.following.keeps_scores
    on_test = on_watched = X_test, _RowsScorer(y_test, test, context, records=keeps_all)
    if watched is not test:
        X, y = _rows(estimator, context, watched, train)
        on_watched = X, _RowsScorer(y, watched, context, records=False)
    return context.following.watching(estimator, fold, limits, len(train), on_watched, on_test)


def _with_curve(result: FoldResult, watch: Watch) -> FoldResult:
    """Return a result with what was seen inside the fit."""
    result = replace(result, curve=tuple(watch.curve), n_epochs=watch.n_epochs)
    if result.was_stopped:
        return result
    predictions = () if result.predictions is None else tuple(watch.predictions_along)
    return replace(result, scores_along=tuple(watch.scores_along), predictions_along=predictions)


def _answers(estimator: Any, X: Any, context: FoldContext) -> Answers | None:
    """Return what keeps the predictions of these rows; None if none are wanted."""
    return None if context.recorder is None else context.recorder.answers(estimator, X)


def _predictions(
    estimator: Any, answers: Answers | None, context: FoldContext
) -> FoldPredictions | None:
    """Return the predictions that are taken along with the scores."""
    if context.recorder is None or answers is None:
        return None
    return context.recorder.collect(estimator, answers)


def _saved(estimator: Any, context: FoldContext) -> str | None:
    """Write a fitted model to its own file if models are kept."""
    if context.models_folder is None:
        return None
    return save_model(estimator, os.path.join(context.models_folder, uuid.uuid4().hex))


def error_scores(scorer: Any, error_score: Any) -> Scores:
    """Return what a failed fold scores."""
    if isinstance(scorer, _MultimetricScorer):
        return dict.fromkeys(scorer._scorers, error_score)
    return error_score


def _indices(context: FoldContext, *indices: Any) -> tuple[Any, ...]:
    """Return the indices in the array namespace of X, so that they can index it."""
    if not context.config["array_api_dispatch"]:
        return indices  # the same objects
    xp, _ = get_namespace(context.X)
    return tuple(xp.asarray(rows, device=device(context.X)) for rows in indices)


def _rows(estimator: Any, context: FoldContext, rows: Any, train: Any = None) -> Any:
    """Return the rows of X and y; for a pairwise X also only the columns of `train`."""
    X, y = context.X, context.y
    is_plain = type(X) is np.ndarray and (y is None or type(y) is np.ndarray)
    if (
        is_plain
        and not get_tags(estimator).input_tags.pairwise
        and not context.config["array_api_dispatch"]
    ):
        # What _safe_split comes to for plain arrays, 0.12 ms sooner: twice that is
        # 8 % of a fold of GaussianNB.
        return X[rows, ...], None if y is None else y[rows, ...]
    return _safe_split(estimator, X, y, rows, train)


def _rows_of(params: dict[str, Any], X: Any, indices: Any) -> dict[str, Any]:
    return _check_method_params(X, params=params, indices=indices) if params else {}


def _scores(estimator: Any, X: Any, y: Any, indices: Any, context: FoldContext) -> Scores:
    score_params = _rows_of(context.score_params, context.X, indices)
    return _score(estimator, X, y, context.scorer, score_params, context.error_score)


class _RowsScorer:
    """``score(model, X)`` for rows with these targets.

    `predictions` are those that the last scores were made from, where they are taken along.
    """

    def __init__(self, y: Any, indices: Any, context: FoldContext, *, records: bool) -> None:
        self._y = y
        self._indices = indices
        self._context = context
        self._records = records
        self.predictions: FoldPredictions | None = None

    def __call__(self, model: Any, X: Any) -> Scores:
        answers = _answers(model, X, self._context) if self._records else None
        with nullcontext() if answers is None else answers.listening():
            scores = _scores(model, X, self._y, self._indices, self._context)
        self.predictions = _predictions(model, answers, self._context)
        return scores


@dataclass
class _FoldHooks:
    """scikit-learn's callback hooks around the fit of one fold."""

    caller: Any
    callback_context: Any
    X: Any
    y: Any
    fit_params: dict[str, Any]

    @contextmanager
    def around(self, estimator: Any) -> Iterator[None]:
        """Let the callbacks see inside the fit."""
        if self.callback_context is None:
            yield
            return
        with self.callback_context.propagate_callback_context(estimator):
            self.callback_context.call_on_fit_task_begin(**self._arguments)
            yield

    def end(self) -> None:
        """Tell the callbacks that the fold is over, also after a failed fit."""
        if self.callback_context is not None:
            self.callback_context.call_on_fit_task_end(**self._arguments)

    @property
    def _arguments(self) -> dict[str, Any]:
        weights = self.fit_params.get("sample_weight")
        metadata = None if weights is None else {"sample_weight": weights}
        return {"estimator": self.caller, "X": self.X, "y": self.y, "metadata": metadata}
