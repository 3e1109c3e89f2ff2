"""The context of a search, written once and opened once by each worker.

The context is pickled with its large buffers out of band (pickle protocol 5):
those go to the file as they are, aligned, and a worker maps them instead of
reading them, so that any number of workers share one copy of `X`. It holds for
whatever pickles its data in buffers: numpy, pandas, scipy.sparse, Arrow.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import pickle
import shutil
import tempfile
from io import BytesIO
from typing import Any

import cloudpickle

from optunasearch._joblib import resource_tracker
from optunasearch.exceptions import PicklingSearchError

# Smaller buffers are copied: a worker then has them writable, like its own.
_MAPPED_BYTES = 1 << 20
_ALIGNMENT = 64


class PickledContext:
    """A context in pickled form: small bytes, and references to large buffers."""

    def __init__(self, context: Any) -> None:
        self._buffers: list[memoryview] = []
        stream = BytesIO()
        pickler = cloudpickle.Pickler(stream, protocol=5, buffer_callback=self._take)
        try:
            pickler.dump(context)
        except Exception as error:
            raise PicklingSearchError(_explanation(context, error)) from error
        self._main = stream.getvalue()

    def _take(self, buffer: pickle.PickleBuffer) -> bool:
        """Keep a large buffer out of band; True leaves it in the stream."""
        raw = buffer.raw()
        if raw.nbytes < _MAPPED_BYTES:
            return True
        self._buffers.append(raw)
        return False

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return len(self._main) + sum(buffer.nbytes for buffer in self._buffers)

    def write(self, folder: str) -> str:
        """Write it to a file in `folder` and return the file's path."""
        path = os.path.join(folder, "context")
        spans = []
        with open(path, "wb") as file:
            for buffer in self._buffers:
                file.seek(-(-file.tell() // _ALIGNMENT) * _ALIGNMENT)
                spans.append((file.tell(), buffer.nbytes))
                file.write(buffer)
        with open(f"{path}.pickle", "wb") as file:
            pickle.dump((spans, self._main), file, protocol=5)
        return path


def open_context(path: str) -> Any:
    """Return the context of a file; its large arrays are read-only maps of it."""
    with open(f"{path}.pickle", "rb") as file:
        spans, main = pickle.load(file)
    buffers = []
    if spans:
        with open(path, "rb") as file:
            mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        buffers = [mapped[start : start + size] for start, size in spans]
    return pickle.loads(main, buffers=buffers)


class SearchFolder:
    """A temporary folder that goes away with the search, or with its process.

    Where joblib would put it: JOBLIB_TEMP_FOLDER, else shared memory if `nbytes`
    are given and there is room, else the system's temporary folder.
    """

    def __init__(self, nbytes: int | None = None) -> None:
        parent = _parent_folder(nbytes)
        if parent is not None:
            os.makedirs(parent, exist_ok=True)
        self.path = tempfile.mkdtemp(prefix=f"optunasearch-{os.getpid()}-", dir=parent)
        # loky's tracker removes the folder if this process is killed.
        resource_tracker.register(self.path, "folder")

    def remove(self) -> None:
        """Remove the folder and all that is in it."""
        if os.path.isdir(self.path):
            shutil.rmtree(self.path, ignore_errors=True)
            resource_tracker.unregister(self.path, "folder")


def _parent_folder(nbytes: int | None) -> str | None:
    chosen = os.environ.get("JOBLIB_TEMP_FOLDER")
    if chosen or nbytes is None:
        return chosen
    with contextlib.suppress(OSError):
        if shutil.disk_usage("/dev/shm").free > 2 * nbytes + (64 << 20):
            return "/dev/shm"
    return None


def _explanation(context: Any, error: Exception) -> str:
    """Name what cannot be pickled, as deep as it can be found."""
    for name, value in vars(context).items():
        if not _can_pickle(value):
            culprit = _culprit(name, value)
            return (
                f"{culprit} cannot be sent to a worker process: {error}. Use n_jobs=None, "
                "or threads (joblib.parallel_config(backend='threading')), or give it a "
                "__getstate__ that leaves out what cannot be pickled."
            )
    return str(error)


def _culprit(path: str, value: Any, depth: int = 0) -> str:
    inner: dict[str, Any] = {}
    if isinstance(value, dict):
        inner = {f"{path}[{key!r}]": item for key, item in value.items()}
    elif isinstance(value, list | tuple) and len(value) < 1000:
        inner = {f"{path}[{i}]": item for i, item in enumerate(value)}
    elif hasattr(value, "__dict__"):
        inner = {f"{path}.{key}": item for key, item in vars(value).items()}
    if depth < 8:
        for name, item in inner.items():
            if not _can_pickle(item):
                return _culprit(name, item, depth + 1)
    return f"{path} ({type(value).__name__})"


def _can_pickle(value: Any) -> bool:
    try:
        cloudpickle.dumps(value)
    except Exception:
        return False
    return True
