"""Small data and a comparison that the tests of the search share."""

import numpy as np
import pytest
from sklearn.datasets import make_classification, make_regression

from tests.search.estimators import CountedNB


@pytest.fixture(scope="session")
def classification():
    """60 rows, 4 columns, 2 classes that overlap."""
    return make_classification(60, 4, n_redundant=0, flip_y=0.2, random_state=0)


@pytest.fixture(scope="session")
def regression():
    return make_regression(60, 4, noise=20.0, random_state=0)


@pytest.fixture
def n_fits(monkeypatch):
    """Return a function that tells how often CountedNB was fitted in this test."""
    monkeypatch.setattr(CountedNB, "n_fits", 0)
    return lambda: CountedNB.n_fits


@pytest.fixture(scope="session")
def assert_same_results():
    """Compare two `cv_results_`: keys, order, types, masks and values; not the times."""

    def compare(ours, theirs):
        assert list(ours) == list(theirs)
        for name, expected in theirs.items():
            got = ours[name]
            assert type(got) is type(expected), name
            if name == "params":
                assert got == expected
                continue
            assert (got.dtype, got.shape) == (expected.dtype, expected.shape), name
            if name.endswith("_time"):
                assert np.all(got >= 0), name
                continue
            if isinstance(expected, np.ma.MaskedArray):
                np.testing.assert_array_equal(got.mask, expected.mask, err_msg=name)
                got, expected = got.compressed(), expected.compressed()
            np.testing.assert_array_equal(got, expected, err_msg=name)

    return compare
