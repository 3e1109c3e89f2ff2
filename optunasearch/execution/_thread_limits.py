"""Limits on the threads of the numerical libraries, for fits that share a process.

BLAS libraries have one limit for the whole process, so searches that run at the
same time share it: the smallest holds, and the last one out restores what was
there. It is set from the thread that called `fit`: once the main thread has set it,
OpenBLAS ignores all others (seen with scipy-openblas 0.3, not documented). OpenMP
has a limit for each thread that starts a parallel region, so each thread of ours
sets its own, which ends with it.
"""

from __future__ import annotations

import threading
from typing import Any

from threadpoolctl import threadpool_limits


class _BlasLimits:
    """The limits of all searches that run in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted: list[int] = []
        self._applied: tuple[int, Any] | None = None

    def enter(self, limit: int) -> None:
        """Hold the BLAS libraries to `limit` threads until `leave`."""
        with self._lock:
            self._wanted.append(limit)
            self._apply()

    def leave(self, limit: int) -> None:
        """Give up a limit."""
        with self._lock:
            self._wanted.remove(limit)
            self._apply()

    def _apply(self) -> None:
        smallest = min(self._wanted, default=None)
        if self._applied is not None and self._applied[0] != smallest:
            self._applied[1].restore_original_limits()
            self._applied = None
        if self._applied is None and smallest is not None:
            self._applied = (smallest, threadpool_limits(smallest, user_api="blas"))


blas_limits = _BlasLimits()


def limit_openmp(limit: int) -> None:
    """Hold parallel regions started by the current thread to `limit` threads."""
    threadpool_limits(limit, user_api="openmp")
