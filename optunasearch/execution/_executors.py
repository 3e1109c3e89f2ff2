"""Executors that stay in this process, and the choice among all of them.

Which one runs is read from the active joblib backend (`joblib.parallel_config`),
as for every estimator of scikit-learn.
"""

from __future__ import annotations

import copy
import queue
import threading
import time

from joblib import parallel_config
from sklearn.utils.parallel import Parallel, delayed

from optunasearch._joblib import ActiveBackend, active_backend
from optunasearch.execution._driver import Executor
from optunasearch.execution._fold import FoldContext, evaluate
from optunasearch.execution._gpus import use_gpu
from optunasearch.execution._processes import ProcessExecutor, run_task
from optunasearch.execution._records import Outcome, TaskDone, TrialTask
from optunasearch.execution._thread_limits import blas_limits, limit_openmp


class InProcessExecutor:
    """One task after the other, in the thread of `fit`."""

    def __init__(self, context: FoldContext) -> None:
        self._context = context
        self._task: TrialTask | None = None

    @property
    def has_room(self) -> bool:
        """Whether no task waits to be evaluated."""
        return self._task is None

    has_room_behind = False

    @property
    def running(self) -> list[tuple[TrialTask, float]]:
        """The task that the next `wait` evaluates."""
        return [] if self._task is None else [(self._task, time.monotonic())]

    def submit(self, task: TrialTask) -> None:
        """Take a task."""
        self._task = task

    def wait(self, timeout: float | None) -> list[Outcome]:
        """Evaluate the task; a timeout is looked at between tasks."""
        task, self._task = self._task, None
        assert task is not None
        # Not run_task: an error keeps the traceback of the fit.
        return [TaskDone(task, evaluate(task, self._context))]

    def expect(self, seconds: float | None) -> None:
        """Nothing to prepare."""

    def kill(self, task: TrialTask) -> None:
        """Not possible without a process of its own; refused before the search."""
        raise NotImplementedError

    def close(self, *, abort: bool) -> None:
        """Nothing to free."""


class ThreadExecutor:
    """Each task in one of `n_jobs` threads (for fits that release the GIL)."""

    def __init__(self, context: FoldContext, backend: ActiveBackend) -> None:
        self._context = context
        self._backend = backend
        self._tasks: queue.SimpleQueue[TrialTask | None] = queue.SimpleQueue()
        self._outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._running: dict[int, tuple[TrialTask, float]] = {}
        blas_limits.enter(backend.inner_threads)
        self._is_open = True
        for position in range(backend.n_jobs):
            threading.Thread(target=self._serve, args=(position,), daemon=True).start()

    @property
    def has_room(self) -> bool:
        """Whether a thread is idle."""
        return len(self._running) < self._backend.n_jobs

    has_room_behind = False

    @property
    def running(self) -> list[tuple[TrialTask, float]]:
        """Tasks being evaluated, and since when."""
        return list(self._running.values())

    def submit(self, task: TrialTask) -> None:
        """Hand a task to an idle thread."""
        self._running[id(task)] = (task, time.monotonic())
        self._tasks.put(task)

    def wait(self, timeout: float | None) -> list[Outcome]:
        """Return one outcome, or none when the time is over."""
        try:
            outcome = self._outcomes.get(timeout=timeout)
        except queue.Empty:
            return []
        del self._running[id(outcome.task)]
        return [outcome]

    def expect(self, seconds: float | None) -> None:
        """Nothing to prepare."""

    def kill(self, task: TrialTask) -> None:
        """Threads cannot be ended; refused before the search."""
        raise NotImplementedError

    def close(self, *, abort: bool) -> None:
        """Let the threads end; a running fit ends by itself, its result is dropped."""
        if self._is_open:
            self._is_open = False
            blas_limits.leave(self._backend.inner_threads)
            for _ in range(self._backend.n_jobs):
                self._tasks.put(None)

    def _serve(self, position: int) -> None:
        limit_openmp(self._backend.inner_threads)
        use_gpu(position, self._context.n_gpus)
        with parallel_config(**copy.deepcopy(self._backend.nested)):
            while (task := self._tasks.get()) is not None:
                self._outcomes.put(run_task(task, self._context))


class BatchExecutor:
    """Batches of `n_jobs` tasks through `joblib.Parallel`, for any other backend."""

    def __init__(self, context: FoldContext, n_jobs: int) -> None:
        self._context = context
        self._n_jobs = n_jobs
        self._tasks: list[tuple[TrialTask, float]] = []

    @property
    def has_room(self) -> bool:
        """Whether the next batch is not full."""
        return len(self._tasks) < self._n_jobs

    has_room_behind = False

    @property
    def running(self) -> list[tuple[TrialTask, float]]:
        """The tasks of the next batch."""
        return self._tasks

    def submit(self, task: TrialTask) -> None:
        """Add a task to the next batch."""
        self._tasks.append((task, time.monotonic()))

    def wait(self, timeout: float | None) -> list[Outcome]:
        """Evaluate the batch."""
        tasks, self._tasks = [task for task, _ in self._tasks], []
        results = Parallel(n_jobs=self._n_jobs)(
            delayed(evaluate)(task, self._context) for task in tasks
        )
        return [TaskDone(task, result) for task, result in zip(tasks, results, strict=True)]

    def expect(self, seconds: float | None) -> None:
        """Nothing to prepare."""

    def kill(self, task: TrialTask) -> None:
        """Not possible through joblib; refused before the search."""
        raise NotImplementedError

    def close(self, *, abort: bool) -> None:
        """Nothing to free."""


def choose_backend(n_jobs: int | None, trial_timeout: float | None) -> ActiveBackend:
    """Return where folds will run.

    Raises
    ------
    ValueError
        If `trial_timeout` is set where a running trial cannot be ended.
    """
    backend = active_backend(n_jobs)
    if trial_timeout is not None and backend.kind in ("threads", "other"):
        raise ValueError(
            f"trial_timeout={trial_timeout!r} needs worker processes, which can be ended; "
            f"the active joblib backend is {backend.name}. Use the loky backend, or set "
            "trial_timeout=None."
        )
    return backend


def make_executor(context: FoldContext, backend: ActiveBackend, *, isolate: bool) -> Executor:
    """Return the executor for a backend; `isolate` keeps fits out of this process."""
    if backend.kind == "processes" or (backend.kind == "sequential" and isolate):
        return ProcessExecutor(context, backend, isolate=isolate)
    if backend.kind == "sequential":
        return InProcessExecutor(context)
    if backend.kind == "threads":
        return ThreadExecutor(context, backend)
    return BatchExecutor(context, backend.n_jobs)
