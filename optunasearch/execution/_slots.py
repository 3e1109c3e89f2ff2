"""Process slots: worker processes of our own, one task at a time each.

Neither joblib's shared executor nor `concurrent.futures`: a slot knows its
process, so that a death or a kill touches one task, and the driver waits on the
pipes themselves without a thread in between (400 trials of 5 GaussianNB folds on
two cores: 4.0 s, where an executor with its threads took 4.5-5.0 s). The process
comes from loky, which needs no ``if __name__ == "__main__"`` in the script.

Slots are kept warm between searches and never shared by two running ones.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pickle
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from multiprocessing import resource_tracker
from multiprocessing.util import Finalize
from typing import Any

import cloudpickle

from optunasearch._joblib import get_context
from optunasearch._sklearn import detached
from optunasearch.exceptions import PicklingSearchError
from optunasearch.execution import _worker
from optunasearch.execution._records import TrialTask


class Slot:
    """One worker process and what it is doing.

    Attributes
    ----------
    is_ready : bool
        Whether the current search's context is open in the worker.
    position : int
        Which of the search's workers it is, from 0.
    tasks : deque of TrialTask
        What it is evaluating, since `since` (`time.monotonic`), and what waits behind.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        context = get_context("loky")
        self.environment = environment
        self.connection, workers_end = context.Pipe(duplex=True)
        lifeline, self._lifeline = context.Pipe(duplex=False)
        self.process = context.Process(
            target=_worker.main, args=(workers_end, lifeline), env=environment
        )
        with _sigint_held_back():
            self.process.start()
        workers_end.close()
        lifeline.close()
        self.path: str | None = None
        self.is_ready = False
        self.position = 0
        self.tasks: deque[TrialTask] = deque()
        self.since = 0.0

    @property
    def task(self) -> TrialTask | None:
        """What it is evaluating."""
        return self.tasks[0] if self.tasks else None

    @property
    def is_idle(self) -> bool:
        """Whether a task submitted now would start at once."""
        return self.is_ready and not self.tasks

    def open(self, path: str, setup: tuple[Any, ...], position: int) -> None:
        """Let the worker open a context; it replies when it has."""
        self.path, self.is_ready, self.position = path, False, position
        self._send("open", cloudpickle.dumps((path, position, *setup)))

    def run(self, task: TrialTask) -> None:
        """Let the worker evaluate a task, after those that it has."""
        if not self.tasks:
            self.since = time.monotonic()
        self.tasks.append(task)
        if task.callback_contexts:
            contexts = tuple(map(detached, task.callback_contexts))
            task = dataclasses.replace(task, callback_contexts=contexts)
        # Values of a callable space may be objects of the user's own script.
        self._send("run", _pickled(task))

    def finish(self) -> TrialTask:
        """Return the task of which the worker has sent the result."""
        self.since = time.monotonic()
        return self.tasks.popleft()

    def forget(self) -> None:
        """Let the worker drop its context."""
        self.path, self.is_ready = None, False
        self._send("close", b"")

    def receive(self) -> tuple[str, Any]:
        """Return the worker's reply; EOFError if the worker is gone."""
        try:
            return pickle.loads(self.connection.recv_bytes())
        except OSError as error:
            raise EOFError from error

    @property
    def exit_reason(self) -> str:
        """Say how the process ended."""
        self.process.join(1.0)
        code = self.process.exitcode
        how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        return f"worker process {self.process.pid} ended with {how}"

    def kill(self) -> None:
        """End the process now."""
        if self.process.is_alive():
            if hasattr(signal, "SIGKILL"):  # loky's processes have no kill() of their own
                os.kill(self.process.pid, signal.SIGKILL)
            else:
                self.process.terminate()
        self.process.join()
        self.connection.close()
        self._lifeline.close()

    def _send(self, kind: str, payload: bytes) -> None:
        # A worker that is gone is noticed when its reply is read.
        with contextlib.suppress(OSError):
            self.connection.send((kind, payload))


def _pickled(task: TrialTask) -> bytes:
    if task.point.params is None and not task.callback_contexts:
        return pickle.dumps(task)
    try:  # values of a callable space may be objects of the user's own script
        return cloudpickle.dumps(task)
    except Exception as error:
        raise PicklingSearchError(
            f"trial {task.number} cannot be sent to a worker process: {error}. Its parameters "
            f"are {task.point.params!r}; use n_jobs=None, or threads "
            "(joblib.parallel_config(backend='threading')), or values that can be pickled."
        ) from error


@contextlib.contextmanager
def _sigint_held_back() -> Iterator[None]:
    """Let a process start with SIGINT blocked, until it ignores it (`_worker.main`).

    A terminal sends Ctrl-C to all; a worker that is still importing would print a
    traceback. Python's own resource tracker unblocks the signal for the thread that
    starts it (to 3.13), so it is started before.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _WarmSlots:
    """Idle slots of this process, waiting for the next search."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slots: list[Slot] = []
        self._used: set[Slot] = set()
        self._ends_with_process = False

    def take(self, environment: dict[str, str]) -> Slot | None:
        """Return a living slot with this environment, None if there is none."""
        with self._lock:
            for slot in list(self._slots):
                if not slot.process.is_alive():
                    self._slots.remove(slot)
                    slot.kill()
                elif slot.environment == environment:
                    self._slots.remove(slot)
                    self._used.add(slot)
                    return slot
        return None

    def start(self, environment: dict[str, str]) -> Slot:
        """Return a slot whose process has just been started."""
        if not self._ends_with_process:
            # Before multiprocessing's own end, which would wait for idle workers; atexit
            # is not called in a child of multiprocessing.
            Finalize(None, self.kill_all, exitpriority=100)
            self._ends_with_process = True
        slot = Slot(environment)
        with self._lock:
            others = [s for s in self._slots if s.environment != environment]
            self._slots = [s for s in self._slots if s.environment == environment]
            self._used.add(slot)
        for other in others:
            other.kill()
        return slot

    def give_back(self, slot: Slot) -> None:
        """Keep a slot for the next search."""
        slot.forget()
        with self._lock:
            self._used.discard(slot)
            self._slots.append(slot)

    def kill(self, slot: Slot) -> None:
        """End a slot's process."""
        with self._lock:
            self._used.discard(slot)
        slot.kill()

    def kill_all(self) -> None:
        """End every process, used or not."""
        with self._lock:
            slots, self._slots, self._used = [*self._slots, *self._used], [], set()
        for slot in slots:
            slot.kill()

    def abandon(self) -> None:
        """In a forked child: the slots belong to the parent."""
        self.__init__()  # type: ignore[misc]


warm_slots = _WarmSlots()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=warm_slots.abandon)
