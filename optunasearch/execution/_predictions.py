"""What a fold's model says of its test rows, taken along with its scores.

A scorer predicts the test rows anyway. While it scores, the methods that it calls are
shadowed on the fitted estimator, which is thrown away afterwards, by ones that keep
their answer: several scorers, or a ``predict`` that calls ``predict_proba``, then
predict only once, and the answer travels home with the scores. The scorer itself is
left as it is. Only scikit-learn's own are listened to: others may pickle or copy the
estimator.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any

import cloudpickle
import numpy as np
from sklearn.pipeline import Pipeline

from optunasearch.execution._records import FoldPredictions


class Answers:
    """What a fitted estimator answers for the test rows while it is scored.

    Parameters
    ----------
    estimator : estimator
        Of a pipeline the last step is listened to: a pipeline's ``score`` does not call
        its own ``predict``.
    X : array-like
        The test rows.
    methods : tuple of str
    """

    def __init__(self, estimator: Any, X: Any, methods: tuple[str, ...]) -> None:
        self.by_method: dict[str, Any] = {}
        self._estimator = estimator
        self._model = _last_step(estimator)
        self._rows = X
        # How the rows come to the last step of a pipeline is seen at the first call.
        self._seen = X if self._model is estimator else None
        self._methods = methods

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Shadow the methods on the fitted model."""
        own = getattr(self._model, "__dict__", None)
        methods = {name: getattr(self._model, name, None) for name in self._methods}
        methods = {name: method for name, method in methods.items() if callable(method)}
        if own is None or any(name in own for name in methods):
            yield
            return
        own.update({name: self._asked(name, method) for name, method in methods.items()})
        try:
            yield
        finally:
            for name in methods:
                own.pop(name, None)

    def _asked(self, name: str, method: Any) -> Any:
        """Return a method that predicts the same rows only once."""

        @wraps(method)
        def asked(X: Any, *args: Any, **params: Any) -> Any:
            if self._seen is None:
                self._seen = X
            if X is not self._seen or args or params:
                return method(X, *args, **params)
            if name not in self.by_method:
                self.by_method[name] = method(X)
            return self.by_method[name]

        return asked

    def ask_first(self, methods: tuple[str, ...]) -> None:
        """Call the first of these methods that the estimator has, unless it was called."""
        name = next((name for name in methods if hasattr(self._estimator, name)), None)
        if name is None or name in self.by_method:
            return
        if self._seen is None:
            self.by_method[name] = getattr(self._estimator, name)(self._rows)
        else:
            self.by_method[name] = getattr(self._model, name)(self._seen)


@dataclass(frozen=True)
class Recorder:
    """Which predictions of the test rows are taken along.

    Attributes
    ----------
    heard : tuple of str
        Methods that the scorer calls; their answers are kept. Empty if the scorer is
        not to be listened to.
    wanted : tuple of str
        The first of these methods that a model has is called if the scorer has not.
    classes : ndarray or None
        All classes, sorted; None if the target has none.
    """

    heard: tuple[str, ...]
    wanted: tuple[str, ...]
    classes: np.ndarray | None

    def answers(self, estimator: Any, X: Any) -> Answers:
        """Return what keeps the answers of a fitted estimator for these rows."""
        # As `predict` may call `predict_proba`, what is wanted is listened to as well.
        names = (*self.heard, *self.wanted) if self.heard else ()
        return Answers(estimator, X, tuple(dict.fromkeys(names)))

    def collect(self, estimator: Any, answers: Answers) -> FoldPredictions | None:
        """Return the answers, and that of the first wanted method, in compact form."""
        problem = None
        try:
            answers.ask_first(self.wanted)
        except Exception as error:  # the fold has its score, as it would have without us
            problem = f"{type(error).__name__}: {error}"
        positions = self._positions(estimator)
        responses = {}
        for name, answer in answers.by_method.items():
            compact = self._compact(name, answer, positions)
            if compact is not None:
                responses[name] = compact
            elif name in self.wanted and positions is not None:
                shape = np.shape(answer)
                problem = f"{name} returned an array of shape {shape} for {len(positions)} classes"
        if not responses and problem is None:
            return None
        is_all = positions is None or len(positions) == len(self.classes)  # type: ignore[arg-type]
        return FoldPredictions(responses, None if is_all else positions, problem)

    def _positions(self, estimator: Any) -> tuple[int, ...] | None:
        """Return where the model's classes are among all."""
        if self.classes is None:
            return None
        fitted = getattr(estimator, "classes_", None)
        codes = None if fitted is None else _codes(fitted, self.classes)
        return tuple(range(len(self.classes))) if codes is None else tuple(codes.tolist())

    def _compact(
        self, name: str, answer: Any, positions: tuple[int, ...] | None
    ) -> np.ndarray | None:
        """Return an answer as a small array; None if it is none that is understood."""
        if name == "predict" and self.classes is not None:
            return _codes(answer, self.classes)
        values = np.asarray(answer)
        if values.dtype.kind != "f" or values.ndim > 2:
            return None
        is_wide = values.ndim == 2 and positions is not None
        if is_wide and values.shape[1] != len(positions):  # type: ignore[arg-type]
            return None  # as of an SVC with one column for each pair of classes
        return values if name == "predict" else _in_single_precision(values)


def _last_step(estimator: Any) -> Any:
    """Return the last step of a pipeline, the estimator itself if it is none."""
    model = estimator
    while isinstance(model, Pipeline):
        model = model.steps[-1][1]
    return estimator if model is None or isinstance(model, str) else model


def _codes(labels: Any, classes: np.ndarray) -> np.ndarray | None:
    """Return the positions of labels among the classes; None if one is not among them."""
    labels = np.asarray(labels)
    if labels.ndim != 1:
        return None
    try:
        codes = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
        if not (classes[codes] == labels).all():
            return None
    except TypeError:  # labels of another kind
        return None
    return codes.astype(np.min_scalar_type(len(classes) - 1))


def _in_single_precision(values: np.ndarray) -> np.ndarray:
    """Return values as float32 if none of them becomes equal to another."""
    if values.dtype.itemsize <= 4:
        return values
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    ordered = np.sort(values, axis=None)
    with np.errstate(over="ignore"):
        rounded = ordered.astype(np.float32)
    keeps_all = np.array_equal(ordered[1:] > ordered[:-1], rounded[1:] > rounded[:-1])
    return single if keeps_all else values


def save_model(estimator: Any, path: str) -> str:
    """Write a fitted model to a file and return its path."""
    with open(path, "wb") as file:
        cloudpickle.dump(estimator, file)
    return path


def load_models(paths: Sequence[str]) -> list[Any]:
    """Read what `save_model` has written."""
    models = []
    for path in paths:
        with open(path, "rb") as file:
            models.append(pickle.load(file))
    return models
