"""Estimators whose fit takes a known time."""

from __future__ import annotations

import math
import random
import time
from statistics import NormalDist

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

MEDIAN_SECONDS = math.sqrt(0.05 * 0.5)


def spin(seconds: float) -> None:
    """Compute in pure Python, holding the GIL, for so many seconds of CPU time.

    CPU time and not wall time: who waits for a core or for the GIL gets nothing done.
    """
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(range(1000))


class LogNormalClassifier(ClassifierMixin, BaseEstimator):
    """Its fit takes a log-normal time: `quantile` 0.5 takes the median, sigma is 1.

    With `by_fold` the folds of a candidate draw from the same distribution instead of
    taking as long as each other.
    """

    def __init__(self, quantile=0.5, by_fold=False, scale=1.0):
        self.quantile = quantile
        self.by_fold = by_fold
        self.scale = scale

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        spin(fold_seconds(self, X))
        return self

    def score(self, X, y):
        return -abs(self.quantile - 0.5)


def fold_seconds(estimator: LogNormalClassifier, X_train) -> float:
    """Return how long a fit takes; the first column of `X_train` tells folds apart."""
    quantile = estimator.quantile
    if estimator.by_fold:
        quantile = random.Random(f"{quantile} {X_train[:, 0].sum()}").uniform(0.01, 0.99)
    return estimator.scale * MEDIAN_SECONDS * math.exp(NormalDist().inv_cdf(quantile))


class SlowScaler(StandardScaler):
    """A `StandardScaler` whose fit takes `seconds` more and leaves a line in a file."""

    def __init__(self, *, seconds=0.0, log=None, copy=True, with_mean=True, with_std=True):
        super().__init__(copy=copy, with_mean=with_mean, with_std=with_std)
        self.seconds = seconds
        self.log = log

    def fit(self, X, y=None, sample_weight=None):
        spin(self.seconds)
        if self.log is not None:
            with open(self.log, "a") as file:
                file.write("fit\n")
        return super().fit(X, y, sample_weight)


class JitteredSVC(SVC):
    """An `SVC` whose fit takes a while longer, another while each time."""

    def fit(self, X, y, sample_weight=None):
        time.sleep(random.SystemRandom().expovariate(100))
        return super().fit(X, y, sample_weight)


class FreeClassifier(ClassifierMixin, BaseEstimator):
    """Nothing to fit; its score is the mean of its parameters."""

    def __init__(self, a=0.5, b=0.5, c=0.5, d=0.5, e=0.5, f=0.5, g=0.5, h=0.5):
        self.a = a
        self.b = b
        self.c = c
        self.d = d
        self.e = e
        self.f = f
        self.g = g
        self.h = h

    def fit(self, X, y):
        self.classes_ = np.array([0, 1])
        return self

    def score(self, X, y):
        return (self.a + self.b + self.c + self.d + self.e + self.f + self.g + self.h) / 8


class SilentCallback:
    """A callback in scikit-learn's protocol that does nothing."""

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context, **_):
        pass

    def on_fit_task_end(self, estimator, context, **_):
        pass


class RowMeans(ClassifierMixin, BaseEstimator):
    """Walks through its rows for `seconds` and copies none of them."""

    def __init__(self, seconds=0.0, value=0.0):
        self.seconds = seconds
        self.value = value

    def fit(self, X, y):
        self.classes_ = np.array([0, 1])
        start = time.perf_counter()
        while True:
            self.means_ = np.zeros(X.shape[1])
            for first in range(0, len(X), 1000):
                self.means_ += X[first : first + 1000].sum(axis=0)
            self.means_ /= len(X)
            if time.perf_counter() - start > self.seconds:
                return self

    def score(self, X, y):
        return float(X[:1000].sum()) * 0 + self.value
