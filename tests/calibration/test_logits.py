"""Predictions as logits: finite, shrunk, and in the order of the classes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit, softmax

from optunasearch.calibration._logits import as_logits

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def test_probabilities_are_shrunk_by_one_in_n_plus_one():
    p = np.array([[0.0, 0.25, 0.75], [1.0, 0.0, 0.0]])
    expected = 0.99 * p + 0.01 / 3
    np.testing.assert_allclose(np.exp(as_logits(p, "predict_proba", 99)), expected)


def test_binary_decision_values_are_the_difference_of_two_logits():
    d = np.array([-3.0, 0.0, 2.5])
    for values in (d, d[:, None]):
        logits = as_logits(values, "decision_function", 10)
        np.testing.assert_allclose(softmax(logits, axis=1)[:, 1], expit(d))


def test_the_logits_of_a_row_do_not_depend_on_the_others():
    rng = np.random.default_rng(0)
    d = rng.normal(size=(20, 4))
    d[3, 2] = -np.inf
    for kind, values in [("decision_function", d), ("predict_proba", softmax(d, axis=1))]:
        whole = as_logits(values, kind, 20)
        np.testing.assert_array_equal(as_logits(values[3:5], kind, 20), whole[3:5])


@pytest.mark.parametrize("unseen", [-np.inf, np.finfo("float32").min, np.finfo("float64").min])
def test_a_class_that_a_fold_has_not_seen_is_the_least_likely(unseen):
    logits = as_logits([[1.0, unseen, 3.0], [unseen, unseen, 2.0]], "decision_function", 10)
    np.testing.assert_allclose(logits, [[1, -1, 3], [2, 2, 2]])
    np.testing.assert_array_equal(as_logits([[unseen] * 3], "decision_function", 10), [[0, 0, 0]])
    probabilities = as_logits([[0.4, 0.0, 0.6]], "predict_proba", 9)
    assert probabilities.argmin() == 1


@given(arrays(np.float64, (3, 4), elements=FINITE), st.sampled_from([np.float32, np.float64]))
def test_finite_decision_values_have_finite_logits(values, dtype):
    values = values.clip(np.finfo(dtype).min, np.finfo(dtype).max).astype(dtype)
    logits = as_logits(values, "decision_function", 5)
    assert logits.dtype == np.float64
    assert np.isfinite(logits).all()


@given(arrays(np.float32, (3, 4), elements=st.floats(0, 1, width=32)), st.integers(1, 10**6))
def test_probabilities_have_finite_logits_in_their_order(values, n_rows):
    logits = as_logits(values, "predict_proba", n_rows)
    assert np.isfinite(logits).all()
    np.testing.assert_allclose(np.exp(logits).sum(axis=1), 1)
    assert (np.diff(np.take_along_axis(logits, values.argsort(axis=1), axis=1)) >= 0).all()


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        ([[0.1, 0.9]], "predict", "kind must be one of"),
        ([0.1, 0.9], "predict_proba", "one column per class"),
        (np.zeros((2, 2, 2)), "decision_function", "one target"),
        ([[0.1, np.nan], [0.5, 0.5]], "predict_proba", "NaN in 1 of 2 rows"),
    ],
)
def test_errors(values, kind, message):
    with pytest.raises(ValueError, match=message):
        as_logits(values, kind, 10)
