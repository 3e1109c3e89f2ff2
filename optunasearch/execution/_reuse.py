"""Reuse of fitted leading transformers of a Pipeline across trials, per fold.

Pipeline passes the fit of each transformer through ``memory.cache(...)``, where
`memory` is anything with joblib.Memory's interface. For the evaluation of a fold
the search puts a `FoldMemory` there. It hands back what an earlier trial computed
for the same steps; also for the test rows, which joblib's memory does not keep.

**What is equal.** A step is known by a chain of digests: fold, steps before it,
its own pickled state before the fit (class, parameters, output configuration),
metadata, scikit-learn's configuration. The data are known by identity, never
hashed: the first step must be given the fold's rows, the next one the object
handed out by the step before. Anything else gets the plain computation.

**Results never depend on what is stored**, as that depends on timing. Steps that
draw without a seed, work in place or go on from an earlier fit end the prefix. A
call that changed its input (seen on a sample) or the fitted transformer, or whose
output shares memory with its input, is not stored; the sample is part of the key
of transformed rows. Strides are kept: BLAS and sums see them. Rows are read anew
each time, so that a step that works in place spoils nothing. As with joblib's
memory, a reused step repeats no warnings, messages and hooks of callbacks.

**Is it worth it?** A step is stored if it took 10 ms and twice the time of reading
it back; else a marker says so and later trials just compute. That costs 0.1 ms a
fold and 0.06 ms a step: a pickle's digest takes 6 µs, joblib.hash 100. A trial
took with and without, on two busy cores, KNNImputer on 3000 rows 5 and 700 ms,
TfidfVectorizer on 3000 texts 150 and 620 ms (rest: its RidgeClassifier),
StandardScaler on 16 MB 53 and 78 ms. Reading runs at 1 to 4 GB/s, writing at 0.3
to 0.5; a large vocabulary takes pickle 0.03 s and joblib.dump 0.44 s.
"""

from __future__ import annotations

import math
import os
import pickle
import time
from collections.abc import Callable, Collection
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from optunasearch.execution._transform_store import (
    Computed,
    TransformStore,
    content_digest,
)

__all__ = ["FoldMemory", "ReusedTransformer", "TransformReuse"]

_SEEDS = {"random_state", "random_seed", "seed"}
_GENERATORS = (np.random.RandomState, np.random.Generator, np.random.BitGenerator)
_UNSEEN = object()

Leading = list[tuple[Any, str]]  # transformers that can be reused, with their digests


class TransformReuse:
    """Reuse of the leading transformers of a search's pipelines; picklable.

    Parameters
    ----------
    directory : path-like
        Folder of this search alone: a fold's number stands for its data. It is
        created here and removed by the search.
    max_bytes : int, default=2**30
        Size cap; what was used least recently goes first.
    varying : collection of str, default=()
        Parameters of the pipeline that hardly ever repeat: a step that has one
        of them is not reused.
    """

    def __init__(self, directory: Any, *, max_bytes: int = 2**30, varying: Any = ()) -> None:
        os.makedirs(directory, exist_ok=True)
        self._store = TransformStore(os.fspath(directory), max_bytes)
        self._varying_steps = frozenset(name.partition("__")[0] for name in varying)
        # get_params takes longer than all the rest: it is asked once per content.
        self._known_pure: dict[str, bool] = {}

    def applies_to(self, estimator: Any) -> bool:
        """Tell whether it is a Pipeline without memory whose first step can be reused."""
        return bool(self._leading(estimator))

    def attach(self, estimator: Any, fold_index: int, X_train: Any, X_test: Any) -> Any:
        """Give a throw-away pipeline the memory of a fold, if it applies; return it."""
        leading = self._leading(estimator)
        if leading:
            rows = {"train": X_train, "test": X_test}
            estimator.memory = FoldMemory(self._store, fold_index, leading, rows)
        return estimator

    def _leading(self, estimator: Any) -> Leading:
        leading: Leading = []
        if not isinstance(estimator, Pipeline) or estimator.memory is not None:
            return leading
        for name, transformer in estimator.steps[:-1]:
            if transformer is None or isinstance(transformer, str):  # "passthrough"
                continue
            digest = None if name in self._varying_steps else content_digest(transformer)
            if digest is not None and digest not in self._known_pure:
                self._known_pure[digest] = _is_pure(transformer)
            if digest is None or not self._known_pure[digest]:
                break
            leading.append((transformer, digest))
        return leading


class FoldMemory:
    """What a pipeline gets as `memory` for one fold; its copies and pickles are None."""

    # Says to Pipeline that steps are fitted in place, as without memory.
    location = None

    def __init__(
        self, store: TransformStore, fold: int, leading: Leading, rows: dict[str, Any]
    ) -> None:
        self.store = store
        self._fold = fold
        self._leading = leading
        self._rows = rows
        self._y: Any = _UNSEEN
        self._n_fits = 0
        # Which step the last transformed rows are for, their kind, and the rows.
        self._handed_out: tuple[int, str, Any] = (-1, "", None)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return type(None), ()

    def cache(self, func: Callable[..., Any], ignore: Collection[str] = (), **options: Any) -> Any:
        """Start a fit: return `func`, which fits and transforms one step, with reuse."""
        self._n_fits += 1
        self._position, self._key, self._config = 0, str(self._fold), get_config()
        self._next_rows = self._rows["train"]
        return partial(self._fit_transform, func, frozenset(ignore or ()))

    def _fit_transform(
        self, func: Any, ignore: Any, transformer: Any, X: Any, y: Any = None, **kwargs: Any
    ) -> Any:
        known = transformer if self._n_fits == 1 else None
        if type(transformer) is ReusedTransformer:
            known, transformer = transformer.before_fit()
        compute = partial(func, transformer, X, y, **kwargs)
        metadata = {name: value for name, value in kwargs.items() if name not in ignore}
        context = content_digest((metadata, self._config)) if self._expects(known, X, y) else None
        if context is None:
            self._position = len(self._leading)
            return compute()
        position, self._position = self._position, self._position + 1
        self._key = (
            f"{self._fold}-{content_digest((self._key, self._leading[position][1], context))}"
        )
        found = self.store.obtain(self._key, partial(_compute_fit, compute, X))
        rows, found.rows = found.rows, None
        is_last = self._position == len(self._leading)
        self._next_rows = None if is_last else rows
        if is_last and not found.stored:
            return rows, found.fitted()
        key = self._key if found.stored else None
        return rows, ReusedTransformer(self, position, key, transformer, found.fitted)

    def _expects(self, transformer: Any, X: Any, y: Any) -> bool:
        """Tell whether this is the call that the prefix goes on with."""
        if self._y is _UNSEEN:
            self._y = y
        return (
            self._position < len(self._leading)
            and transformer is self._leading[self._position][0]
            and X is self._next_rows
            and y is self._y
        )

    def kind_of(self, position: int, X: Any) -> str | None:
        """Return "train" or "test" if X holds these rows of the fold for that step."""
        if X is None or get_config() != self._config:
            return None
        if position == 0:
            return next((kind for kind, rows in self._rows.items() if X is rows), None)
        handed_to, kind, rows = self._handed_out
        return kind if handed_to == position and X is rows else None

    def hand_out(self, position: int, kind: str, rows: Any) -> None:
        """Remember what the step at `position` will be given."""
        self._handed_out = (position, kind, rows if position < len(self._leading) else None)


class ReusedTransformer:
    """A fitted transformer that knows its fold's rows; for all else the real one."""

    __slots__ = ("__weakref__", "_changed", "_key", "_memory", "_position", "_real", "_template")

    def __init__(
        self, memory: FoldMemory, position: int, key: str | None, template: Any, real: Any
    ) -> None:
        self._memory = memory
        self._position = position
        self._key = key  # None: it was not stored
        self._template = template  # the same before its fit
        self._real = real  # returns the fitted transformer
        self._changed = False

    def transform(self, X: Any, *args: Any, **params: Any) -> Any:
        """Transform X, or hand out what is stored if X are the fold's rows."""
        plain = args or params or self._changed
        kind = None if plain else self._memory.kind_of(self._position, X)
        if kind is None:
            return self._real().transform(X, *args, **params)
        sample = None if self._key is None else _sample(X)
        if sample is None:
            rows = self._real().transform(X)
        else:
            compute = partial(_compute_transform, self._real, X, sample)
            key = f"{self._key}-{kind}-{content_digest(sample)}"
            rows = self._memory.store.obtain(key, compute).rows
        self._memory.hand_out(self._position + 1, kind, rows)
        return rows

    def fit(self, X: Any, y: Any = None, **params: Any) -> ReusedTransformer:
        """Fit the real one anew; nothing stored is used from now on."""
        self._changed = True
        self._real().fit(X, y, **params)
        return self

    def before_fit(self) -> tuple[Any, Any]:
        """Return, for another fit, what it is known by, None if it has changed, and what to fit."""
        return (None, self._real()) if self._changed else (self._template, self._template)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"{type(self._template).__name__!r} has no attribute {name!r}")
        if name.startswith(("fit_", "partial_fit", "set_")):
            self._changed = True
        return getattr(self._real(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ReusedTransformer.__slots__:
            return object.__setattr__(self, name, value)
        self._changed = True
        return setattr(self._real(), name, value)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self._template)

    def __getitem__(self, item: Any) -> Any:
        return self._real()[item]

    def __repr__(self) -> str:
        return repr(self._real())

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _itself, (self._real(),)

    def __sklearn_clone__(self) -> Any:
        return clone(self._real())

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        return self._template.__sklearn_tags__()


def _itself(fitted: Any) -> Any:
    return fitted


def _is_pure(transformer: Any) -> bool:
    """Tell whether no parameter lets it draw unseeded, work in place or continue a fit."""
    if not hasattr(transformer, "transform") or not hasattr(transformer, "get_params"):
        return False
    for path, value in transformer.get_params(deep=True).items():
        name = path.rpartition("__")[2]
        is_false = isinstance(value, bool | np.bool_) and not value
        # A splitter that shuffles has a seed that get_params does not show.
        seed = getattr(value, "random_state", 0) if getattr(value, "shuffle", True) else 0
        if (
            (name in _SEEDS and not isinstance(value, Integral))
            or not isinstance(seed, Integral)
            or isinstance(value, _GENERATORS)
            or (name.startswith("copy") and is_false)
            or (name == "warm_start" and not is_false)
        ):
            return False
    return True


def _compute_fit(compute: Callable[[], Any], X: Any, judge: bool) -> Computed:
    """Fit and transform; worth nothing if that changed the input."""
    sample = _sample(X) if judge else None
    start = time.perf_counter()
    rows, fitted = compute()
    seconds = time.perf_counter() - start
    unchanged = sample is not None and sample == _sample(X)
    return rows, fitted, seconds if unchanged and not _shares(rows, X) else 0.0


def _compute_transform(real: Callable[[], Any], X: Any, sample: bytes, judge: bool) -> Computed:
    """Transform; worth nothing if that changed the transformer or its input."""
    fitted = real()
    state = content_digest(fitted) if judge else None
    rows = fitted.transform(X)
    unchanged = state is not None and state == content_digest(fitted) and sample == _sample(X)
    return rows, None, math.inf if unchanged and not _shares(rows, X) else 0.0


def _sample(X: Any) -> bytes | None:
    """Return some 256 rows, fewer of wide ones, in pickled form; None if it has no rows."""
    try:
        shape = getattr(X, "shape", None) or (len(X),)
        n_rows = min(shape[0], 256, max(16, 100_000 // max(1, math.prod(shape[1:]))))
        places = np.unique(np.linspace(0, shape[0] - 1, n_rows).astype(int))
        if isinstance(X, list | tuple):
            rows: Any = [X[place] for place in places]
        else:
            rows = X.iloc[places] if hasattr(X, "iloc") else X[places]
        return pickle.dumps((shape, rows), protocol=5)
    except Exception:  # any array-like may refuse in its own way; then it is not reused
        return None


def _shares(rows: Any, X: Any) -> bool:
    arrays = isinstance(rows, np.ndarray) and isinstance(X, np.ndarray)
    return rows is X or (arrays and np.may_share_memory(rows, X))
