"""A small estimator whose fit does what a test wants, and a comparison of results."""

import os
import random
import signal
import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._openmp_helpers import _openmp_effective_n_threads
from sklearn.utils.parallel import Parallel, delayed
from threadpoolctl import threadpool_info

ROWS = np.random.default_rng(0).normal(size=(30, 3))
LABELS = np.arange(30) % 2


class Acting(BaseEstimator):
    """Does `action` in its fit; scores a function of `x`, of the training and test rows."""

    def __init__(self, x=0.0, action=None):
        self.x = x
        self.action = action

    def fit(self, X, y=None):
        if self.action is not None:
            self.action(self)
        self.mean_ = float(np.mean(X))
        return self

    def predict(self, X):
        return np.full(len(X), self.x)

    def score(self, X, y=None):
        return self.mean_ + 2 * float(np.mean(X)) - (self.x - 0.3) ** 2


@dataclass(frozen=True)
class At:
    """An action for some values of x only."""

    values: tuple[Any, ...]
    action: Any
    otherwise: Any = None

    def __call__(self, model):
        action = self.action if model.x in self.values else self.otherwise
        if action is not None:
            action(model)


@dataclass(frozen=True)
class Sleep:
    """Take some time."""

    seconds: float

    def __call__(self, model):
        time.sleep(self.seconds)


@dataclass(frozen=True)
class Note:
    """Append a line with the process and x to a file."""

    path: str

    def __call__(self, model):
        with open(self.path, "a") as file:
            file.write(f"{os.getpid()} {model.x}\n")


@dataclass(frozen=True)
class Both:
    """One action after the other."""

    first: Any
    second: Any

    def __call__(self, model):
        self.first(model)
        self.second(model)


@dataclass(frozen=True)
class Raise:
    """Raise an exception."""

    error_class: type[BaseException]
    arguments: tuple[Any, ...] = ()

    def __call__(self, model):
        raise self.error_class(*self.arguments)


@dataclass(frozen=True)
class LoadsOnlyIn:
    """Nothing to do; cannot be unpickled in another process."""

    pid: int

    def __call__(self, model):
        pass

    def __reduce__(self):
        return _load_only_in, (self.pid,)


def _load_only_in(pid):
    if os.getpid() != pid:
        raise ImportError("only at home")
    return LoadsOnlyIn(pid)


def jitter(model):
    """Take a time that no seed decides."""
    time.sleep(random.SystemRandom().uniform(0.0, 0.01))


def die(model):
    """End the process as the system's out-of-memory killer would."""
    os.kill(os.getpid(), signal.SIGKILL)


def warn(model):
    """Warn."""
    warnings.warn("the fit warns", UserWarning, stacklevel=2)


def blas_threads(model, X, y):
    """Score by the number of threads that BLAS would use."""
    return max(info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas")


def openmp_threads(model, X, y):
    """Score by the number of threads that scikit-learn's OpenMP loops would use."""
    return _openmp_effective_n_threads()


def count_processes(model):
    """A fit that is itself parallel."""
    pids = Parallel(n_jobs=2)(delayed(os.getpid)() for _ in range(4))
    model.n_processes_ = len({*pids, os.getpid()})


def n_processes(model, X, y):
    """Score by what `count_processes` has counted."""
    return model.n_processes_


def times_aside(results):
    """Return `cv_results_` without its times, for `numpy.testing.assert_equal`."""
    return {
        name: values if name == "params" else values.tolist()
        for name, values in results.items()
        if not name.endswith("_time")
    }


def eventually(condition, seconds=20.0):
    """Wait until a condition holds; whether it came to hold."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
