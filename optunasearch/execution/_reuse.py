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

**Is it worth it?** MEASURED

**On disk**, in a folder of the search's own: ``.item`` (the rows, then the fitted
transformer, read only if asked for: the open file outlives an eviction), ``.skip``
markers, and ``.lock``, a symbolic link whose target names the owner: making one is
exclusive and never half done. A lock of an ended process is taken over. A wrong
guess, or no locks (Windows), means that a step is computed twice; whatever the
disk refuses turns reuse off. An owner waits for no other lock: no deadlock.
"""

from __future__ import annotations

import hashlib
import math
import os
import pickle
import socket
import threading
import time
import weakref
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from numbers import Integral
from types import SimpleNamespace
from typing import Any, BinaryIO

import cloudpickle
import numpy as np
from sklearn import get_config
from sklearn.base import clone
from sklearn.pipeline import Pipeline

__all__ = ["FoldMemory", "ReusedTransformer", "TransformReuse"]

# A step is stored if its fit took that long, and so many times the reading of it.
_MIN_SECONDS = 0.01
_MIN_GAIN = 2
_SEEDS = {"random_state", "random_seed", "seed"}
_GENERATORS = (np.random.RandomState, np.random.Generator, np.random.BitGenerator)
_UNSEEN = object()

Leading = list[tuple[Any, str]]  # transformers that can be reused, with their digests
Computed = tuple[Any, Any, float]  # rows, fitted transformer, seconds that storing them saves
Compute = Callable[[bool], Computed]  # told whether to find out what storing is worth


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
        self._store = _Store(os.fspath(directory), max_bytes)
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
            digest = None if name in self._varying_steps else _digest(transformer)
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

    def __init__(self, store: _Store, fold: int, leading: Leading, rows: dict[str, Any]) -> None:
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
        context = _digest((metadata, self._config)) if self._expects(known, X, y) else None
        if context is None:
            self._position = len(self._leading)
            return compute()
        position, self._position = self._position, self._position + 1
        self._key = f"{self._fold}-{_digest((self._key, self._leading[position][1], context))}"
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
            key = f"{self._key}-{kind}-{_digest(sample)}"
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
    state = _digest(fitted) if judge else None
    rows = fitted.transform(X)
    unchanged = state is not None and state == _digest(fitted) and sample == _sample(X)
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


class _Found:
    """Rows, and the fitted transformer: at hand, or still in an open file."""

    def __init__(self, rows: Any, stored: bool, fitted: Any = None, file: Any = None) -> None:
        self.rows, self.stored = rows, stored
        self._fitted, self._file = fitted, file
        self._lock = threading.Lock()
        if file is not None:
            weakref.finalize(self, file.close)

    def fitted(self) -> Any:
        """Return the fitted transformer."""
        with self._lock:
            if self._file is not None:
                with self._file as file:
                    self._fitted = pickle.load(file)
                self._file = None
            return self._fitted


@dataclass(frozen=True)
class _Store:
    """Files in one folder, each computed by one worker while others wait."""

    directory: str
    max_bytes: int

    def obtain(self, key: str, compute: Compute) -> _Found:
        """Return what is stored under a key, else what `compute` returns."""
        pause = 0.01
        while not os.path.exists(f"{self.directory}/{key}.skip"):
            if (found := self._read(key)) is not None:
                return found
            if self._lock(key):
                try:
                    return self._read(key) or self._compute(key, compute)
                finally:
                    self._unlock(key)
            time.sleep(pause)
            pause = min(2 * pause, 0.05)
        rows, fitted, _ = compute(False)
        return _Found(rows, False, fitted)

    def _compute(self, key: str, compute: Compute) -> _Found:
        rows, fitted, worth = compute(True)
        stored = False
        with suppress(OSError):  # a full disk may have room later: no marker
            stored = worth > _MIN_SECONDS and self._write(key, rows, fitted, worth)
            if not stored:
                open(f"{self.directory}/{key}.skip", "wb").close()
        return _Found(rows, stored, fitted)

    def _read(self, key: str) -> _Found | None:
        path = f"{self.directory}/{key}.item"
        try:
            file = open(path, "rb")  # noqa: SIM115 - kept for the fitted transformer
        except OSError:
            return None
        try:
            with suppress(OSError):  # just evicted
                os.utime(path)
            return _Found(pickle.load(file), True, file=file)
        except Exception:  # damaged, or of a class that is unknown here: a miss
            file.close()
            return None

    def _write(self, key: str, rows: Any, fitted: Any, worth: float) -> bool:
        """Store an item if it fits, can be pickled, and is read faster than computed."""
        temporary = f"{self.directory}/{key}-{os.getpid()}-{threading.get_ident()}.tmp"
        try:
            with open(temporary, "wb") as file:
                for part in (rows, fitted):
                    _Pickler(_capped(file, self.max_bytes), protocol=5).dump(part)
            # Also proves that it can be read, while the original is still there.
            with open(temporary, "rb") as file:
                start = time.perf_counter()
                pickle.load(file)
                seconds = time.perf_counter() - start
                pickle.load(file)
            if _MIN_GAIN * seconds <= worth:
                os.replace(temporary, f"{self.directory}/{key}.item")
                self._evict()
                return True
        except OSError:
            raise
        except Exception:  # what cannot be pickled raises whatever its class likes to
            pass
        finally:
            with suppress(OSError):
                os.unlink(temporary)
        return False

    def _evict(self) -> None:
        """Remove what was used least recently, down to the cap."""
        items = []
        for entry in os.scandir(self.directory):
            if entry.name.endswith(".item"):
                with suppress(OSError):
                    status = entry.stat()
                    items.append((status.st_mtime_ns, status.st_size, entry.path))
        excess = sum(size for _, size, _ in items) - self.max_bytes
        for _, size, path in sorted(items):
            if excess <= 0:
                break
            with suppress(OSError):
                os.unlink(path)
            excess -= size

    def _lock(self, key: str) -> bool:
        """Take the lock of a key; True also if there are no locks here."""
        path = f"{self.directory}/{key}.lock"
        try:
            os.symlink(_process_name(os.getpid()) or "", path)
            return True
        except FileExistsError:
            with suppress(OSError):
                owner = os.readlink(path)
                if owner != _process_name(int(owner.partition("-")[0])):
                    os.unlink(path)
            return False
        except (OSError, NotImplementedError):
            return True

    def _unlock(self, key: str) -> None:
        with suppress(OSError):
            if os.readlink(path := f"{self.directory}/{key}.lock") == _process_name(os.getpid()):
                os.unlink(path)


def _process_name(pid: int) -> str | None:
    """Name a process by pid, start (pids come again) and host; None if it has ended."""
    start, alive = "", pid == os.getpid()
    try:
        with open(f"/proc/{pid}/stat") as file:
            state, *fields = file.read().rpartition(")")[2].split()
        start, alive = fields[18], state not in "XZ"
    except OSError:
        # Not Linux. On Windows os.kill would end it: there, all others count as ended.
        if not alive and os.name != "nt" and not os.path.exists("/proc/self/stat"):
            with suppress(ProcessLookupError):
                os.kill(pid, 0)
                alive = True
    return f"{pid}-{start}-{socket.gethostname()}" if alive else None


def _digest(content: Any) -> str | None:
    """Return a digest of the pickled content; None if it cannot be pickled."""
    for pickler in (pickle.Pickler, cloudpickle.Pickler):
        digest = hashlib.blake2b(digest_size=16)
        with suppress(Exception):  # a user's class may raise anything here
            pickler(SimpleNamespace(write=digest.update), protocol=5).dump(content)
            return digest.hexdigest()
    return None


def _capped(file: BinaryIO, max_bytes: int) -> Any:
    """Return what pickle can write to, up to a size."""

    def write(data: Any) -> int:
        if file.tell() + memoryview(data).nbytes > max_bytes:
            raise ValueError("larger than the cap")
        return file.write(data)

    return SimpleNamespace(write=write)


class _Pickler(cloudpickle.Pickler):
    """Keeps the strides of arrays, also inside objects: SVD leaves gaps, pickle closes them."""

    def reducer_override(self, obj: Any) -> Any:
        has_gaps = type(obj) is np.ndarray and not (obj.flags.forc or obj.dtype.hasobject)
        if has_gaps or isinstance(obj, np.memmap):
            return _with_strides, (np.ascontiguousarray(obj), obj.strides)
        return super().reducer_override(obj)


def _with_strides(dense: np.ndarray, strides: tuple[int, ...]) -> np.ndarray:
    ends = [(n - 1) * stride for n, stride in zip(dense.shape, strides, strict=True)]
    first = -sum(end for end in ends if end < 0)
    buffer = np.empty(sum(map(abs, ends)) + dense.itemsize, np.uint8)
    array: np.ndarray = np.ndarray(dense.shape, dense.dtype, buffer, first, strides)
    array[...] = dense
    return array
