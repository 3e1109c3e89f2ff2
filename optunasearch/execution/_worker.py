"""The worker's side of a process slot: open a context, evaluate tasks, reply.

A worker lives for several searches. It leaves Ctrl-C to the driver, ends when it
has been idle for long, and ends at once when its driver dies, even in the middle
of a fit.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
import threading
import traceback
import warnings
from multiprocessing.connection import Connection
from typing import Any

import cloudpickle
from joblib import parallel_config

# joblib's workers wait as long before they free their memory.
IDLE_SECONDS = 300.0


def main(connection: Connection, lifeline: Connection) -> None:
    """Serve one driver until it closes the connection, is idle, or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):  # the driver started us with it blocked
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_driver, args=(lifeline,), daemon=True).start()
    opened = _Opened()
    while connection.poll(IDLE_SECONDS):
        try:
            kind, payload = connection.recv()
        except EOFError:
            return
        reply = getattr(opened, kind)(payload)
        if reply is not None:
            connection.send_bytes(reply)


def _set_filters(filters: list[Any]) -> None:
    """Set the filters of warnings."""
    warnings.filters[:] = filters  # type: ignore[index]
    with warnings.catch_warnings():
        pass  # entering tells the interpreter that the filters have changed


class _Opened:
    """The context that is open, and what can be asked of it."""

    def __init__(self) -> None:
        self._context: Any = None
        self._nested: dict[str, Any] = {}
        self._own_filters = list(warnings.filters)

    def open(self, payload: bytes) -> bytes:
        """Map a search's context; reply with its path."""
        from optunasearch.execution._context_file import open_context
        from optunasearch.execution._gpus import use_gpu

        path, position, sys_path, nested, filters = pickle.loads(payload)
        self.close()
        _set_filters(self._own_filters)  # not those of the search before
        try:
            sys.path[:] = sys_path
            self._context = open_context(path)
            use_gpu(position, self._context.n_gpus)
        except Exception:
            return pickle.dumps(("failed", (path, traceback.format_exc())))
        self._nested = nested
        _set_filters(filters)
        # What was imported stays: the collector need not walk it again and again.
        gc.collect()
        gc.freeze()
        return pickle.dumps(("ready", path))

    def run(self, payload: bytes) -> bytes:
        """Evaluate a task; reply with its results, or with what it raised."""
        from optunasearch.execution._fold import evaluate_in_context

        task = pickle.loads(payload)
        try:
            with parallel_config(**self._nested):
                results = evaluate_in_context(task, self._context)
            return pickle.dumps(("done", results))
        except Exception as error:
            error.add_note(f"in a worker process:\n{traceback.format_exc()}")
            return _pickled_error(error)

    def close(self, payload: bytes | None = None) -> None:
        """Forget the context, and with it the search's data."""
        self._context = None
        gc.unfreeze()
        gc.collect()


def _pickled_error(error: Exception) -> bytes:
    """Pickle an exception with its notes; one that cannot be becomes its text."""
    for dumps in (pickle.dumps, cloudpickle.dumps):  # the latter for classes of a script
        try:
            pickled = dumps(("raised", error))
            pickle.loads(pickled)
        except Exception:  # whatever the exception's own class raises
            continue
        return pickled
    text = "".join(traceback.format_exception_only(error))
    return pickle.dumps(("raised", RuntimeError(text)))


def _end_with_driver(lifeline: Connection) -> None:
    """Wait for the end of the driver, which closes the other end by dying."""
    try:
        lifeline.poll(None)
    finally:
        os._exit(1)
