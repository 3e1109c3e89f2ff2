"""scikit-learn's callback contexts of a search: one search, its folds, the refit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class CallbackTree:
    """The tree of tasks that scikit-learn's callbacks see.

    The same as that of `GridSearchCV`, except that the leaf of a fold is made just
    before the fold is handed out, not for all trials ahead: folds that are not run
    open no leaf.

    Attributes
    ----------
    is_active : bool
        Whether a callback is set anywhere, so that folds must carry their leaves.
    """

    def __init__(self, search: Any, X: Any, y: Any, fit_params: dict[str, Any]) -> None:
        self.is_active = _has_callbacks(search)
        weights = fit_params.get("sample_weight")
        metadata = None if weights is None else {"sample_weight": weights}
        self._search = search
        self._arguments = {"estimator": search, "X": X, "y": y, "metadata": metadata}
        self._root = search._init_callback_context(
            max_subtasks=1 + (search.refit is not False)
        ).call_on_fit_task_begin(**self._arguments)
        self._folds: Any = None

    @contextmanager
    def searching(self, n_trials: int, n_splits: int, *, is_open: bool = False) -> Iterator[None]:
        """Open the context of the search around its trials.

        With `is_open`, nobody knows how many folds will run.
        """
        self._n_splits = n_splits
        self._leaves: dict[tuple[int, int], Any] = {}
        self._folds = self._root.subcontext(
            task_name="search",
            max_subtasks=None if is_open else n_trials * n_splits,
            sequential_subtasks=False,
        ).call_on_fit_task_begin(estimator=self._search)
        yield
        self._folds.call_on_fit_task_end(estimator=self._search)

    def leaf(self, number: int, fold: int) -> Any:
        """Return the context of a fold; the same one if it is tried again."""
        key = (number, fold)
        if key not in self._leaves:
            self._leaves[key] = self._folds.subcontext(
                task_name="candidate-split-evaluation",
                task_id=number * self._n_splits + fold,
            )
        return self._leaves[key]

    def close_leaf(self, number: int, fold: int) -> None:
        """End a fold whose worker is gone and cannot do it."""
        self._leaves[number, fold].call_on_fit_task_end(estimator=self._search)

    @contextmanager
    def refitting(self, estimator: Any) -> Iterator[None]:
        """Let the callbacks see inside the refit."""
        context = self._root.subcontext(task_name="refit-with-best-params")
        with context.propagate_callback_context(estimator):
            context.call_on_fit_task_begin(**self._arguments)
            yield
        context.call_on_fit_task_end(**self._arguments)

    def end(self) -> None:
        """End the whole fit."""
        self._root.call_on_fit_task_end(**self._arguments)


def _has_callbacks(search: Any) -> bool:
    estimators = [search, search.estimator]
    estimators += search.estimator.get_params(deep=True).values()
    return any(getattr(estimator, "_skl_callbacks", None) for estimator in estimators)
