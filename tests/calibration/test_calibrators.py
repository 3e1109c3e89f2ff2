"""Every calibrator: a contract that all keep, and what each of them claims."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import log_loss

from optunasearch.calibration import (
    BetaCalibration,
    Calibrator,
    IdentityCalibration,
    IsotonicCalibration,
    SigmoidCalibration,
    TemperatureScaling,
    VectorScaling,
    _newton,
)

SCALINGS = [TemperatureScaling(), VectorScaling()]
ALL = [
    IdentityCalibration(),
    *SCALINGS,
    SigmoidCalibration(),
    BetaCalibration(),
    IsotonicCalibration(),
]
each = pytest.mark.parametrize("calibrator", ALL, ids=lambda made: type(made).__name__)
each_size = pytest.mark.parametrize("n_classes", [2, 4])


def drawn(n, n_classes, *, slope=1.0, offset=0.0, seed=0):
    """Log-probabilities, and classes drawn from softmax(slope * them + offset)."""
    rng = np.random.default_rng(seed)
    logits = log_softmax(rng.normal(scale=2, size=(n, n_classes)), axis=1)
    truth = softmax(slope * logits + offset, axis=1)
    y = (rng.uniform(size=(n, 1)) > truth.cumsum(axis=1)).sum(axis=1).clip(max=n_classes - 1)
    return logits, y


def penalised(logits, y, theta, penalty):
    """Log loss of softmax(slopes * logits + offsets), written down plainly."""
    slopes, offsets = theta
    log_proba = log_softmax(logits * slopes + offsets, axis=1)
    return -log_proba[np.arange(len(y)), y].sum() + penalty


@each
@each_size
def test_contract(calibrator, n_classes):
    logits, y = drawn(200, n_classes)
    fitted = clone(calibrator).fit(logits, y)
    assert isinstance(calibrator, Calibrator)
    proba = fitted.predict_proba(logits)
    assert proba.shape == (200, n_classes)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert (proba > 0).all()
    np.testing.assert_array_equal(clone(fitted).fit(logits, y).predict_proba(logits), proba)
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(fitted)).predict_proba(logits[:9]),
        fitted.predict_proba(logits[:9]),
    )


@each
@each_size
def test_integer_weights_are_repeated_rows(calibrator, n_classes):
    logits, y = drawn(80, n_classes)
    weight = np.random.default_rng(1).integers(0, 4, len(y))
    weighted = clone(calibrator).fit(logits, y, sample_weight=weight).predict_proba(logits)
    repeated = clone(calibrator).fit(logits.repeat(weight, axis=0), y.repeat(weight))
    np.testing.assert_allclose(weighted, repeated.predict_proba(logits), atol=1e-6)


@each
@each_size
def test_perfect_predictions_stay_finite_and_get_surer(calibrator, n_classes):
    y = np.arange(60) % n_classes
    logits = np.log(0.9 * np.eye(n_classes)[y] + 0.1 / n_classes)
    proba = clone(calibrator).fit(logits, y).predict_proba(logits)
    assert (proba.argmax(axis=1) == y).all()
    of_truth = proba[np.arange(len(y)), y]
    assert (of_truth < 1).all()
    assert (of_truth >= np.exp(logits.max()) - 1e-12).all()


@each
@each_size
def test_constant_logits_and_missing_classes_do_not_fail(calibrator, n_classes):
    y = np.zeros(20, dtype=int)
    for logits in (np.zeros((20, n_classes)), drawn(20, n_classes)[0]):
        proba = clone(calibrator).fit(logits, y).predict_proba(logits)
        assert np.isfinite(np.log(proba)).all()


@each
def test_what_is_calibrated_is_hardly_changed(calibrator):
    for n_classes in (2, 4):
        logits, y = drawn(20_000, n_classes)
        proba = clone(calibrator).fit(logits, y).predict_proba(logits)
        assert np.abs(proba - np.exp(logits)).mean() < 0.015


@each
@each_size
def test_overconfidence_is_mended(calibrator, n_classes):
    logits, y = drawn(4000, n_classes, slope=0.4, offset=np.linspace(0, 0.3, n_classes))
    half = len(y) // 2
    fitted = clone(calibrator).fit(logits[:half], y[:half])
    before, best = (
        log_loss(y[half:], softmax(slope * logits[half:] + offset, axis=1))
        for slope, offset in [(1, 0), (0.4, np.linspace(0, 0.3, n_classes))]
    )
    after = log_loss(y[half:], fitted.predict_proba(logits[half:]))
    if isinstance(calibrator, IdentityCalibration):
        assert after == pytest.approx(before)
    else:
        assert after < before - 0.8 * (before - best)


@each_size
def test_temperature_agrees_with_a_plain_optimiser(n_classes):
    logits, y = drawn(150, n_classes, slope=0.5)
    grid = np.linspace(0.01, 2, 20_000)
    losses = [
        penalised(logits, y, (s, 0), 0.1 / 2 * (s - 1) ** 2) for s in grid[:: len(grid) // 400]
    ]
    fitted = TemperatureScaling().fit(logits, y)
    s = fitted.inverse_temperature_
    assert s == pytest.approx(grid[:: len(grid) // 400][np.argmin(losses)], abs=0.006)
    assert penalised(logits, y, (s, 0), 0.1 / 2 * (s - 1) ** 2) <= min(losses)


@each_size
def test_vector_agrees_with_a_plain_optimiser_over_its_own_parameters(n_classes):
    logits, y = drawn(150, n_classes, slope=0.5, offset=np.linspace(0, 1, n_classes))

    def loss(theta):  # with the common slope as a parameter of its own
        s, d, b = theta[0], theta[1 : 1 + n_classes], theta[1 + n_classes :]
        penalty = (0.1 * (s - 1) ** 2 + 10 * d @ d + 5 * b @ b) / 2
        return penalised(logits, y, (s + d, b), penalty)

    start = np.r_[1, np.zeros(2 * n_classes)]
    found = minimize(loss, start, method="BFGS", options={"gtol": 1e-6, "maxiter": 2000}).x
    fitted = VectorScaling().fit(logits, y)
    np.testing.assert_allclose(fitted.slopes_, found[0] + found[1 : 1 + n_classes], atol=1e-3)
    np.testing.assert_allclose(fitted.offsets_, found[1 + n_classes :], atol=1e-3)


def test_many_classes_take_another_optimiser_to_the_same_end(monkeypatch):
    logits, y = drawn(300, 4, slope=0.5, offset=np.linspace(0, 1, 4))
    few = VectorScaling().fit(logits, y)
    monkeypatch.setattr(_newton, "_MOST_PARAMETERS", 7)
    many = VectorScaling().fit(logits, y)
    np.testing.assert_allclose(many.slopes_, few.slopes_, atol=1e-3)
    np.testing.assert_allclose(many.offsets_, few.offsets_, atol=1e-3)
    assert not np.array_equal(many.slopes_, few.slopes_)


def test_beta_agrees_with_a_bounded_optimiser():
    logits, y = drawn(300, 2)
    for sign in (1, -1):  # with -1 the unconstrained slopes are negative
        log_p = log_softmax(sign * logits, axis=1)

        def loss(theta, log_p=log_p):
            odds = theta[0] * log_p[:, 1] - theta[1] * log_p[:, 0] + theta[2]
            signs = 2 * y - 1
            penalty = 0.1 / 2 * ((theta[0] - 1) ** 2 + (theta[1] - 1) ** 2 + theta[2] ** 2)
            return np.logaddexp(0, -signs * odds).sum() + penalty

        bounds = [(0, None), (0, None), (None, None)]
        options = {"ftol": 1e-14, "gtol": 1e-9}
        found = minimize(loss, [1, 1, 0], bounds=bounds, options=options).x
        fitted = BetaCalibration().fit(log_p, y)
        theta = np.array([fitted.a_[0], fitted.b_[0], fitted.c_[0]])
        np.testing.assert_allclose(theta, found, atol=2e-3)
        assert loss(theta) <= loss(found) + 1e-7
        assert theta[:2].min() >= 0


def test_sigmoid_of_margins_is_that_of_scikit_learn():
    margins, y = np.random.default_rng(0).normal(size=100), np.arange(100) % 2
    margins = margins + y

    class Margin(DummyClassifier):
        def decision_function(self, X):
            return np.asarray(X)[:, 0]

    model = FrozenEstimator(Margin().fit(margins[:, None], y))
    theirs = CalibratedClassifierCV(model, method="sigmoid", ensemble=False).fit(
        margins[:, None], y
    )
    ours = SigmoidCalibration().fit(np.column_stack([-margins / 2, margins / 2]), y)
    np.testing.assert_allclose(
        ours.predict_proba(np.column_stack([-margins / 2, margins / 2])),
        theirs.predict_proba(margins[:, None]),
        atol=1e-4,
    )


def test_isotonic_is_that_of_scikit_learn_shrunk():
    logits, y = drawn(99, 2)
    odds = logits[:, 1] - logits[:, 0]
    theirs = IsotonicRegression(out_of_bounds="clip").fit(odds, y).predict(odds)
    ours = IsotonicCalibration().fit(logits, y).predict_proba(logits)[:, 1]
    np.testing.assert_allclose(ours, 0.99 * theirs + 0.01 / 2)


@given(slope=st.floats(0.2, 3), offset=st.floats(-2, 2), seed=st.integers(0, 2**16))
@settings(max_examples=20, deadline=None)
def test_beta_and_sigmoid_are_monotone_and_temperature_keeps_the_order(slope, offset, seed):
    logits, y = drawn(60, 2, slope=slope, offset=[0, offset], seed=seed)
    p = np.linspace(0.001, 0.999, 50)
    line = np.log(np.column_stack([1 - p, p]))
    for made in (BetaCalibration(), TemperatureScaling()):
        assert (np.diff(made.fit(logits, y).predict_proba(line)[:, 1]) >= 0).all()


@pytest.mark.parametrize("shift", [-7.0, 1000.0])
def test_scalings_of_one_temperature_ignore_what_all_logits_share(shift):
    logits, y = drawn(100, 3, slope=0.5)
    plain, shifted = (
        TemperatureScaling().fit(logits, y),
        TemperatureScaling().fit(logits + shift, y),
    )
    assert plain.inverse_temperature_ == pytest.approx(shifted.inverse_temperature_, abs=1e-5)


def test_predictions_that_are_worse_than_chance_are_given_up_not_reversed():
    logits, y = drawn(500, 2)
    fitted = TemperatureScaling().fit(logits, 1 - y)
    assert fitted.inverse_temperature_ == 0


@pytest.mark.parametrize(
    ("calibrator", "arguments", "message"),
    [
        (TemperatureScaling(), (np.zeros(3), [0, 1, 0]), r"\(n, n_classes\) .* got \(3,\)"),
        (TemperatureScaling(), (np.zeros((0, 2)), []), r"got \(0, 2\)"),
        (TemperatureScaling(), ([[0.0, -np.inf]], [0]), "must be finite"),
        (TemperatureScaling(), (np.zeros((3, 2)), [0, 1]), r"y must have shape \(3,\)"),
        (TemperatureScaling(), (np.zeros((3, 2)), [0, 1, 2]), "integers from 0 to 1"),
        (TemperatureScaling(), (np.zeros((3, 2)), ["a", "b", "b"]), "np.unique"),
        (TemperatureScaling(), (np.zeros((2, 2)), [0, 1], [1]), "sample_weight must have shape"),
        (TemperatureScaling(), (np.zeros((2, 2)), [0, 1], [0, 0]), "some of it positive"),
        (TemperatureScaling(), (np.zeros((2, 2)), [0, 1], [1, -1]), "not negative"),
        (TemperatureScaling(l2_slope=0), (np.zeros((2, 2)), [0, 1]), "l2_slope must be a positive"),
        (VectorScaling(l2_offset="1"), (np.zeros((2, 2)), [0, 1]), "l2_offset must be a positive"),
        (BetaCalibration(l2=np.inf), (np.zeros((2, 2)), [0, 1]), "l2 must be a positive"),
    ],
)
def test_errors(calibrator, arguments, message):
    with pytest.raises(ValueError, match=message):
        calibrator.fit(*arguments)


@pytest.mark.parametrize("calibrator", ALL[1:], ids=lambda made: type(made).__name__)
def test_unfitted(calibrator):
    with pytest.raises(NotFittedError):
        clone(calibrator).predict_proba(np.zeros((2, 2)))
