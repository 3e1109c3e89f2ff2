"""Iterative estimators of scikit-learn, followed from iteration to iteration.

A model is followed by itself only where the fit that is followed is the fit that it would
be without us (`tests/pruning/test_iterative.py` compares each to the last digit):
gradient boosting by the `monitor` of its ``fit``, logistic regression by scikit-learn's
callbacks, and histogram gradient boosting, forests and bagging by growing them with
``warm_start``. `MLPClassifier` and `SGDClassifier`, for instance, come out differently in
steps, so the user has to ask for them.
"""

from __future__ import annotations

import copy
import numbers
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import numpy as np
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning

from optunasearch._sklearn import first_iterations
from optunasearch.pruning._epochs import Epochs
from optunasearch.pruning._watch import Watch

FOREST_LIKE = {
    *("RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier"),
    *("ExtraTreesRegressor", "BaggingClassifier", "BaggingRegressor"),
}
# scikit-learn's early_stopping="auto" stops early with more training rows than this.
AUTO_EARLY_STOPPING = 10_000


class Steps(Protocol):
    """How one kind of model is followed."""

    def n_epochs(self, model: Any) -> int:
        """Return how many epochs a fit has, 0 if unknown."""

    def end_at(self, model: Any, epoch: int) -> None:
        """Set the number of epochs."""

    def attach(self, model: Any, watch: Watch) -> Callable[[], None]:
        """Let the watch see into the next fit; return a function that takes it out again."""


def replace_fit(model: Any, fit: Callable[..., Any]) -> Callable[[], None]:
    """Call `fit(model, X, y, **params)` where ``model.fit`` is called, until released.

    On the instance, so that a pipeline, its routing and its clones stay as they are.
    """
    vars(model)["fit"] = partial(fit, model)
    return partial(vars(model).pop, "fit", None)


def plain_fit(model: Any, *args: Any, **params: Any) -> Any:
    """Fit as the model's class does."""
    return type(model).fit(model, *args, **params)


class _Counted:
    """Steps whose number is a parameter of the model."""

    def __init__(self, name: str) -> None:
        self.name = name

    def n_epochs(self, model: Any) -> int:
        return int(getattr(model, self.name))

    def end_at(self, model: Any, epoch: int) -> None:
        model.set_params(**{self.name: epoch})


class MonitoredBoosting(_Counted):
    """GradientBoosting: `monitor` is called after each tree."""

    def attach(self, model: Any, watch: Watch) -> Callable[[], None]:
        def fit(model: Any, X: Any, y: Any, *args: Any, monitor: Any = None, **params: Any) -> Any:
            def see(i: int, growing: Any, local: dict[str, Any]) -> bool:
                so_far = copy.copy(growing)
                so_far.estimators_ = growing.estimators_[: i + 1]
                watch.see(i + 1, so_far)
                return monitor is not None and bool(monitor(i, growing, local))

            return plain_fit(model, X, y, *args, monitor=see, **params)

        return replace_fit(model, fit)


class WarmStarted(_Counted):
    """Fits again and again with ``warm_start=True`` and more iterations.

    Where ``shortened(model, epoch)`` can tell what the model was like before, it is paused
    only where the fit may be ended.
    """

    def __init__(self, name: str, shortened: Callable[[Any, int], Any] | None = None) -> None:
        super().__init__(name)
        self._shortened = shortened

    def attach(self, model: Any, watch: Watch) -> Callable[[], None]:
        return replace_fit(model, partial(self._fit, watch))

    def _fit(self, watch: Watch, model: Any, *args: Any, **params: Any) -> Any:
        n_epochs, shortened = self.n_epochs(model), self._shortened
        due = watch.due_epochs(n_epochs)
        pauses = [epoch for epoch in due if shortened is None or watch.may_end_at(epoch)]
        model.set_params(warm_start=True)
        try:
            begin = 0
            for epoch in pauses:
                self.end_at(model, epoch)
                self._fit_further(model, *args, **params)
                self._look_back(watch, model, [e for e in due if begin < e < epoch])
                watch.see(epoch, model)
                begin = epoch
            self.end_at(model, n_epochs)
            plain_fit(model, *args, **params)
            self._look_back(watch, model, [e for e in due if e > begin])
            watch.see(n_epochs, model)
        finally:
            model.set_params(warm_start=False, **{self.name: n_epochs})
        return model

    def _look_back(self, watch: Watch, model: Any, epochs: list[int]) -> None:
        """Let the watch see the model as it was."""
        for epoch in epochs:
            assert self._shortened is not None
            watch.see(epoch, self._shortened(model, epoch))

    def _fit_further(self, model: Any, *args: Any, **params: Any) -> None:
        if self._shortened is not None:
            plain_fit(model, *args, **params)
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # it is not meant to, yet
            plain_fit(model, *args, **params)


class PartiallyFitted:
    """Calls ``partial_fit`` with all rows, once for each epoch."""

    def __init__(self, n_epochs: int | None) -> None:
        self._given = n_epochs

    def n_epochs(self, model: Any) -> int:
        if self._given is None and not hasattr(model, "max_iter"):
            raise ValueError(
                f"Epochs(step='partial_fit') does not know how often: {type(model).__name__} has "
                "no max_iter. Pass n_epochs, as in Epochs(step='partial_fit', n_epochs=20)."
            )
        return int(model.max_iter if self._given is None else self._given)

    def end_at(self, model: Any, epoch: int) -> None:
        self._given = epoch

    def attach(self, model: Any, watch: Watch) -> Callable[[], None]:
        return replace_fit(model, partial(self._fit, watch))

    def _fit(self, watch: Watch, model: Any, X: Any, y: Any = None, **params: Any) -> Any:
        if is_classifier(model):
            params["classes"] = np.unique(y)
        for epoch in range(1, self.n_epochs(model) + 1):
            model.partial_fit(X, y, **params)
            params.pop("classes", None)
            watch.see(epoch, model)
        return model


class CalledBack(_Counted):
    """Estimators that call scikit-learn's callbacks after each iteration."""

    def attach(self, model: Any, watch: Watch) -> Callable[[], None]:
        before = list(getattr(model, "_skl_callbacks", []))
        model.set_callbacks(*before, _IterationCallback(watch))
        return lambda: model.set_callbacks(*before)


class _IterationCallback:
    """scikit-learn's `FitCallback` that tells a watch of the iterations of a solver."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def setup(self, estimator: Any, context: Any) -> None:
        """Nothing to do."""

    def teardown(self, estimator: Any, context: Any) -> None:
        """Nothing to do."""

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Nothing to do."""

    def on_fit_task_end(self, estimator: Any, context: Any, *, fitted_estimator: Any) -> None:
        """See the model as it would be if the fit ended here."""
        if context.task_name.endswith("iter") and fitted_estimator is not None:
            self._watch.see(context.task_id + 1, fitted_estimator)


def _first_trees(model: Any, n_trees: int) -> Any:
    """Return a forest or a bag as it was when it had so many members."""
    shorter = copy.copy(model)
    shorter.n_estimators = n_trees
    for name in ("estimators_", "estimators_features_"):
        if hasattr(model, name):
            setattr(shorter, name, getattr(model, name)[:n_trees])
    return shorter


def steps_of(model: Any, epochs: Epochs, n_rows: int) -> Steps | None:
    """Return how a model of scikit-learn is followed, None if it is not."""
    if epochs.step == "partial_fit" and hasattr(model, "partial_fit"):
        return PartiallyFitted(epochs.n_epochs)
    own = _own_steps(model, n_rows)
    may_step = epochs.step == "warm_start" and hasattr(model, "warm_start")
    # What stops early would begin to wait anew with each step.
    if own is None and may_step and not _stops_early(model, n_rows):
        name = "max_iter" if hasattr(model, "max_iter") else "n_estimators"
        return WarmStarted(name)
    return own


def _stops_early(model: Any, n_rows: int) -> bool:
    stops = getattr(model, "early_stopping", False)
    return n_rows > AUTO_EARLY_STOPPING if stops == "auto" else bool(stops)


def _own_steps(model: Any, n_rows: int) -> Steps | None:
    """Return how a model is followed without being asked."""
    # Subclasses may fit in another way.
    name, module = type(model).__name__, type(model).__module__
    if name == "LogisticRegression" and module.startswith("sklearn.linear_model."):
        return CalledBack("max_iter") if model.solver == "lbfgs" else None
    if not module.startswith("sklearn.ensemble."):
        return None
    if name in ("GradientBoostingClassifier", "GradientBoostingRegressor"):
        return MonitoredBoosting("n_estimators")
    if model.warm_start or not isinstance(model.random_state, numbers.Integral | None):
        return None
    if name in ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"):
        return None if _stops_early(model, n_rows) else WarmStarted("max_iter", first_iterations)
    # With weights by name scikit-learn warns of a warm start; out-of-bag scores take time.
    if name in FOREST_LIKE and not (
        model.oob_score or isinstance(getattr(model, "class_weight", None), str)
    ):
        return WarmStarted("n_estimators", _first_trees)
    return None
