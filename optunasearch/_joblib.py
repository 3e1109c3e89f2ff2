"""The only module that leans on what joblib does not document.

`tests/test_joblib_private.py` asserts each of these names.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import joblib
from joblib._parallel_backends import SequentialBackend, ThreadingBackend
from joblib.externals.loky.backend import resource_tracker
from joblib.externals.loky.backend.context import get_context
from joblib.parallel import get_active_backend

__all__ = [
    "THREAD_LIMITS",
    "ActiveBackend",
    "active_backend",
    "get_context",
    "resource_tracker",
]

# What the numerical libraries read at their start; joblib sets the same.
THREAD_LIMITS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


@dataclass(frozen=True)
class ActiveBackend:
    """What `joblib.parallel_config` and `n_jobs` come to here.

    Attributes
    ----------
    kind : {"sequential", "threads", "processes", "other"}
    n_jobs : int
        Number of folds evaluated at once.
    inner_threads : int
        Threads that the numerical libraries may use in each of them.
    nested : dict
        Arguments of `joblib.parallel_config` for the parallelism inside a fit.
    """

    kind: str
    name: str
    n_jobs: int
    inner_threads: int
    nested: dict[str, Any]


def active_backend(n_jobs: int | None) -> ActiveBackend:
    """Read the active joblib backend the way `joblib.Parallel` does."""
    backend, default_n_jobs = get_active_backend()
    n_jobs = backend.effective_n_jobs(default_n_jobs if n_jobs is None else n_jobs)
    name = type(backend).__name__
    if n_jobs == 1 or isinstance(backend, SequentialBackend):
        return ActiveBackend("sequential", name, 1, joblib.cpu_count(), {})
    nested, nested_n_jobs = backend.get_nested_backend()
    kind = {"LokyBackend": "processes", "MultiprocessingBackend": "processes"}.get(name)
    if kind is None:
        kind = "threads" if isinstance(backend, ThreadingBackend) else "other"
    return ActiveBackend(
        kind,
        name,
        n_jobs,
        _inner_threads(backend, n_jobs),
        {"backend": nested, "n_jobs": nested_n_jobs},
    )


def thread_environment(inner_threads: int) -> dict[str, str]:
    """Return what the environment of a worker says about threads."""
    return dict.fromkeys(THREAD_LIMITS, str(inner_threads))


def _inner_threads(backend: Any, n_jobs: int) -> int:
    """Return how many threads a fit may use: one number, whoever evaluates it.

    What the user has set counts: `inner_max_num_threads` of `parallel_config`, else
    the least of the environment's limits and an even share of the cores.
    """
    explicit = getattr(backend, "inner_max_num_threads", None)
    if explicit is not None:
        return explicit
    chosen = (os.environ.get(name, "") for name in THREAD_LIMITS)
    share = max(joblib.cpu_count() // n_jobs, 1)
    return min([share, *(int(n) for n in chosen if n.isdecimal() and int(n) > 0)])
