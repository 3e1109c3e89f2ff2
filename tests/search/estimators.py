"""Small estimators that the tests of the search share."""

import time

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.naive_bayes import GaussianNB


class CountedNB(GaussianNB):
    """GaussianNB that counts the fits in this process."""

    n_fits = 0

    def fit(self, X, y, sample_weight=None):
        CountedNB.n_fits += 1
        return super().fit(X, y, sample_weight)


class Adjustable(ClassifierMixin, BaseEstimator):
    """A classifier that scores what it is told to, or raises what it is told to."""

    def __init__(self, value=0.0, error=None, seconds=0.0):
        self.value = value
        self.error = error
        self.seconds = seconds

    def fit(self, X, y=None):
        if self.error is not None:
            raise self.error
        time.sleep(self.seconds)
        self.classes_ = np.unique(y) if y is not None else np.array([0])
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])

    def score(self, X, y=None):
        return self.value


class FrameDemander(TransformerMixin, BaseEstimator):
    """A transformer that fails on anything but a pandas DataFrame."""

    def fit(self, X, y=None):
        if type(X).__module__.partition(".")[0] != "pandas":
            raise TypeError(f"expected a DataFrame, got {type(X)}")
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return np.asarray(X)
