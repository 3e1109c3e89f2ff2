"""Files in one folder, each computed by one worker while others wait.

In the search's own folder: ``.item`` (the rows, then the fitted
transformer, read only if asked for: the open file outlives an eviction), ``.skip``
markers, and ``.lock``, a symbolic link whose target names the owner: making one is
exclusive and never half done. A lock of an ended process is taken over. A wrong
guess, or no locks (Windows), means that a step is computed twice; whatever the
disk refuses turns reuse off. An owner waits for no other lock: no deadlock.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import socket
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, BinaryIO

import cloudpickle
import numpy as np

# An item is stored if its computing took that long, and so many times the reading of it.
MIN_SECONDS = 0.01
MIN_GAIN = 2

Computed = tuple[Any, Any, float]  # rows, fitted transformer, seconds that storing them saves
Compute = Callable[[bool], Computed]  # told whether to find out what storing is worth


class FoundItem:
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
class TransformStore:
    """Files in one folder, each computed by one worker while others wait."""

    directory: str
    max_bytes: int

    def obtain(self, key: str, compute: Compute) -> FoundItem:
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
        return FoundItem(rows, False, fitted)

    def _compute(self, key: str, compute: Compute) -> FoundItem:
        rows, fitted, worth = compute(True)
        stored = False
        with suppress(OSError):  # a full disk may have room later: no marker
            stored = worth > MIN_SECONDS and self._write(key, rows, fitted, worth)
            if not stored:
                open(f"{self.directory}/{key}.skip", "wb").close()
        return FoundItem(rows, stored, fitted)

    def _read(self, key: str) -> FoundItem | None:
        path = f"{self.directory}/{key}.item"
        try:
            file = open(path, "rb")  # noqa: SIM115 - kept for the fitted transformer
        except OSError:
            return None
        try:
            with suppress(OSError):  # just evicted
                os.utime(path)
            return FoundItem(pickle.load(file), True, file=file)
        except Exception:  # damaged, or of a class that is unknown here: a miss
            file.close()
            return None

    def _write(self, key: str, rows: Any, fitted: Any, worth: float) -> bool:
        """Store an item if it fits, can be pickled, and is read faster than computed."""
        temporary = f"{self.directory}/{key}-{os.getpid()}-{threading.get_ident()}.tmp"
        try:
            with open(temporary, "wb") as file:
                capped = _CappedFile(file, self.max_bytes)
                for part in (rows, fitted):
                    StridesPickler(capped, protocol=5).dump(part)
            # Also proves that it can be read, while the original is still there.
            with open(temporary, "rb") as file:
                start = time.perf_counter()
                pickle.load(file)
                seconds = time.perf_counter() - start
                pickle.load(file)
            if MIN_GAIN * seconds <= worth:
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
            os.symlink(process_name(os.getpid()) or "", path)
            return True
        except FileExistsError:
            with suppress(OSError):
                owner = os.readlink(path)
                if owner != process_name(int(owner.partition("-")[0])):
                    os.unlink(path)
            return False
        except (OSError, NotImplementedError):
            return True

    def _unlock(self, key: str) -> None:
        with suppress(OSError):
            if os.readlink(path := f"{self.directory}/{key}.lock") == process_name(os.getpid()):
                os.unlink(path)


def process_name(pid: int) -> str | None:
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


def content_digest(content: Any) -> str | None:
    """Return a digest of the pickled content; None if it cannot be pickled."""
    for pickler in (pickle.Pickler, cloudpickle.Pickler):
        digest = hashlib.blake2b(digest_size=16)
        with suppress(Exception):  # a user's class may raise anything here
            pickler(SimpleNamespace(write=digest.update), protocol=5).dump(content)
            return digest.hexdigest()
    return None


class _CappedFile:
    """What pickle can write to, up to a size."""

    def __init__(self, file: BinaryIO, max_bytes: int) -> None:
        self._file, self._bytes_left = file, max_bytes

    def write(self, data: Any) -> int:
        self._bytes_left -= memoryview(data).nbytes
        if self._bytes_left < 0:
            raise ValueError("larger than the cap")
        return self._file.write(data)


class StridesPickler(cloudpickle.Pickler):
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
