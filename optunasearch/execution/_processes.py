"""Folds in worker processes; in this process too until those are up.

Most scripts run one search, and a worker takes one to several seconds to start
and import. As results do not depend on who evaluates a fold, a thread of this
process evaluates folds meanwhile, and no worker is started at all for a search
that would end before it is up. The thread retires when all workers are ready.
Nothing runs in this process when a trial must be killable (`trial_timeout`), with
large data, nor after a worker was lost: what killed a worker would kill the driver.
"""

from __future__ import annotations

import copy
import queue
import sys
import threading
import time
import warnings
from collections import deque
from multiprocessing import Pipe
from multiprocessing.connection import wait as wait_for_any
from typing import Any

from joblib import parallel_config

from optunasearch._joblib import ActiveBackend, thread_environment
from optunasearch.exceptions import PicklingSearchError, WorkerDiedError
from optunasearch.execution._context_file import PickledContext, SearchFolder
from optunasearch.execution._fold import FoldContext, evaluate_in_context
from optunasearch.execution._records import (
    Outcome,
    TaskDone,
    TaskLost,
    TaskRaised,
    TrialTask,
)
from optunasearch.execution._slots import Slot, warm_slots
from optunasearch.execution._thread_limits import blas_limits, limit_openmp

# A worker is started only if more work than this is left (in seconds of fitting);
# while nobody knows, once the first fold has taken a fifth of it.
START_SECONDS = 0.5
# The last worker only takes the thread's place, and its start takes a core from the
# others for a second or two: it has to pay by more work left than this.
LAST_START_SECONDS = 20.0
# With more data than this (in bytes) the thread is not used: folds are long then, and
# the copy of the data that workers share would have to lie beside the driver's at once.
THREAD_MAX_BYTES = 100 << 20
# While workers start, how often their start is reconsidered (in seconds).
_POLL_SECONDS = 0.05
# Workers in a row that may die before their first task.
_MAX_FAILED_STARTS = 3


class ProcessExecutor:
    """Evaluates each task in one of `n_jobs` worker processes.

    Parameters
    ----------
    context : FoldContext
    backend : ActiveBackend
    isolate : bool
        Whether to keep every fit out of this process.
    """

    def __init__(self, context: FoldContext, backend: ActiveBackend, *, isolate: bool) -> None:
        pickled = PickledContext(context)
        self._pickled: PickledContext | None = pickled
        self._folder: SearchFolder | None = None
        self._path = ""
        self._n_jobs = backend.n_jobs
        self._environment = thread_environment(backend.inner_threads)
        self._setup = (list(sys.path), backend.nested, list(warnings.filters))
        self._failed_starts = 0
        self._began = time.monotonic()
        self._slots: list[Slot] = []
        self._local: LocalThread | None = None
        try:
            self._take_warm_slots()
            if isolate or pickled.nbytes > THREAD_MAX_BYTES:
                self._start_slots(self._n_jobs - len(self._slots))
            elif len(self._slots) < self._n_jobs:
                self._local = LocalThread(context, backend)
        except BaseException:  # Ctrl-C while workers start
            self.close(abort=True)
            raise

    @property
    def has_room(self) -> bool:
        """Whether a task submitted now would start at once."""
        # Never more than n_jobs folds in memory: the last worker waits for the thread.
        if len(self.running) >= self._n_jobs:
            return False
        return self._idle_slot() is not None or self._local_is_idle

    @property
    def has_room_behind(self) -> bool:
        """Whether a worker has one task, so that a second could wait there."""
        return self._slot_with_room_behind() is not None

    @property
    def running(self) -> list[tuple[TrialTask, float]]:
        """Tasks being evaluated, and since when."""
        workers: list[Slot | LocalThread] = [*self._slots]
        if self._local is not None:
            workers.append(self._local)
        return [(w.task, w.since) for w in workers if w.task is not None]

    def submit(self, task: TrialTask) -> None:
        """Start a task in an idle worker, else in the thread, else let it wait."""
        slot = self._idle_slot()
        if slot is None and self._local is not None and self._local_is_idle:
            self._local.run(task)
            return
        slot = slot or self._slot_with_room_behind()
        assert slot is not None
        slot.run(task)

    def wait(self, timeout: float | None) -> list[Outcome]:
        """Return the outcomes of what ended; may be empty."""
        sources: dict[Any, Slot | LocalThread] = {}
        for slot in self._slots:
            sources[slot.connection] = sources[slot.process.sentinel] = slot
        if self._local is not None:
            sources[self._local.signal] = self._local
        if self._is_starting:
            timeout = min(_POLL_SECONDS, timeout) if timeout is not None else _POLL_SECONDS
        ready = {id(sources[s]): sources[s] for s in wait_for_any(list(sources), timeout)}
        outcomes = [outcome for source in ready.values() for outcome in self._receive(source)]
        self._retire_thread()
        return outcomes

    def expect(self, seconds: float | None) -> None:
        """Start workers if the work that is left is worth it."""
        n_missing = self._n_jobs - len(self._slots)
        if not n_missing:
            return
        if seconds is None:
            waited = time.monotonic() - self._began
            seconds = 2 * START_SECONDS if waited > START_SECONDS / 5 else 0.0
        # The thread has a core of its own; it keeps that until the others are up.
        n_beside_thread = n_missing - 1 if self._local is not None else n_missing
        if n_beside_thread and seconds > START_SECONDS:
            self._start_slots(n_beside_thread)
        elif seconds > LAST_START_SECONDS and all(slot.is_ready for slot in self._slots):
            self._start_slots(n_missing)

    def kill(self, task: TrialTask) -> None:
        """End the worker of a task and start another."""
        for slot in self._slots:
            if slot.task is task:
                self._replace(slot)
                return

    def close(self, *, abort: bool) -> None:
        """Give the workers back; with `abort`, end them."""
        for slot in self._slots:
            if abort or slot.task is not None or not slot.process.is_alive():
                warm_slots.kill(slot)
            else:
                warm_slots.give_back(slot)
        self._slots = []
        if self._local is not None:
            self._local.stop()
            self._local = None
        if self._folder is not None:
            self._folder.remove()

    @property
    def _is_starting(self) -> bool:
        return len(self._slots) < self._n_jobs

    @property
    def _local_is_idle(self) -> bool:
        local = self._local
        return local is not None and local.task is None and not local.is_retiring

    def _idle_slot(self) -> Slot | None:
        return next((slot for slot in self._slots if slot.is_idle), None)

    def _slot_with_room_behind(self) -> Slot | None:
        slots = (slot for slot in self._slots if slot.is_ready and len(slot.tasks) == 1)
        return next(slots, None)

    def _take_warm_slots(self) -> None:
        while len(self._slots) < self._n_jobs:
            slot = warm_slots.take(self._environment)
            if slot is None:
                return
            self._open(slot)

    def _start_slots(self, number: int) -> None:
        for _ in range(number):
            self._open(warm_slots.start(self._environment))

    def _open(self, slot: Slot) -> None:
        if self._pickled is not None:
            self._folder = SearchFolder(self._pickled.nbytes)
            self._path = self._pickled.write(self._folder.path)
            self._pickled = None
        slot.tasks.clear()
        taken = {other.position for other in self._slots}
        position = next(p for p in range(self._n_jobs) if p not in taken)
        slot.open(self._path, self._setup, position)
        self._slots.append(slot)

    def _replace(self, slot: Slot) -> None:
        self._slots.remove(slot)
        warm_slots.kill(slot)
        self._start_slots(1)

    def _receive(self, source: Slot | LocalThread) -> list[Outcome]:
        if isinstance(source, LocalThread):
            return source.receive()
        kind: str
        payload: Any
        try:
            kind, payload = source.receive() if source.connection.poll() else ("gone", None)
        except EOFError:
            kind, payload = "gone", None
        if kind == "gone":
            return self._lost(source)
        if kind in ("ready", "failed"):
            self._opened(source, kind, payload)
            return []
        task = source.finish()
        return [TaskDone(task, payload) if kind == "done" else TaskRaised(task, payload)]

    def _opened(self, slot: Slot, kind: str, payload: Any) -> None:
        path, error = payload if kind == "failed" else (payload, None)
        if path != slot.path:
            return  # of the search before
        if error is not None:
            raise PicklingSearchError(
                "a worker process cannot load what the search sent it; is everything that "
                f"the estimator and the data need importable there?\n{error}"
            )
        slot.is_ready = True
        self._failed_starts = 0

    def _lost(self, slot: Slot) -> list[Outcome]:
        tasks, reason = list(slot.tasks), slot.exit_reason
        self._failed_starts += not tasks
        if self._failed_starts >= _MAX_FAILED_STARTS:
            raise WorkerDiedError(
                f"{reason} before its first task, the {self._failed_starts}th in a row; "
                "is there enough memory for n_jobs processes? n_jobs=None needs no worker."
            )
        self._replace(slot)
        if self._local is not None:
            self._local.is_retiring = True
            self._start_slots(self._n_jobs - len(self._slots))
        # The first took the worker with it; the others had not begun.
        return [TaskLost(task, reason, begun=task is tasks[0]) for task in tasks]

    def _retire_thread(self) -> None:
        local = self._local
        if local is None:
            return
        if not self._is_starting and all(slot.is_ready for slot in self._slots):
            local.is_retiring = True
        if local.is_retiring and local.task is None:
            local.stop()
            self._local = None


class LocalThread:
    """A thread of this process that evaluates tasks until the workers are up."""

    def __init__(self, context: FoldContext, backend: ActiveBackend) -> None:
        self.task: TrialTask | None = None
        self.since = 0.0
        self.is_retiring = False
        self.signal, self._bell = Pipe(duplex=False)
        self._context = context
        self._backend = backend
        self._tasks: queue.SimpleQueue[TrialTask | None] = queue.SimpleQueue()
        self._outcomes: deque[Outcome] = deque()
        blas_limits.enter(backend.inner_threads)
        # A daemon, so that a long fit does not keep an interrupted script alive.
        threading.Thread(target=self._serve, daemon=True).start()

    def run(self, task: TrialTask) -> None:
        """Evaluate a task."""
        self.task, self.since = task, time.monotonic()
        self._tasks.put(task)

    def receive(self) -> list[Outcome]:
        """Return what ended."""
        self.signal.recv_bytes()
        self.task = None
        return [self._outcomes.popleft()]

    def stop(self) -> None:
        """Let the thread end after what it is doing."""
        blas_limits.leave(self._backend.inner_threads)
        self._tasks.put(None)

    def _serve(self) -> None:
        limit_openmp(self._backend.inner_threads)
        with parallel_config(**copy.deepcopy(self._backend.nested)):
            while (task := self._tasks.get()) is not None:
                self._outcomes.append(run_task(task, self._context))
                self._bell.send_bytes(b"1")


def run_task(task: TrialTask, context: FoldContext) -> Outcome:
    """Evaluate a task in this process."""
    try:
        return TaskDone(task, evaluate_in_context(task, context))
    except BaseException as error:  # SystemExit too: a thread would just be gone
        return TaskRaised(task, error)
