"""The choice of a calibrator, its fallbacks, and the record that is left of it."""

import pickle

import numpy as np
import pytest
from scipy.special import expit, log_softmax, softmax
from sklearn.metrics import log_loss

from optunasearch.calibration import IdentityCalibration, TemperatureScaling, VectorScaling
from optunasearch.calibration._calibrator import check_sample
from optunasearch.calibration._choice import between_folds, unlike
from optunasearch.calibration._fit import fit_calibrator
from optunasearch.calibration._logits import as_logits
from optunasearch.calibration._options import METHODS

PROBA, MARGIN = "predict_proba", "decision_function"


def drawn(n, n_classes=2, *, slope=1.0, offset=0.0, seed=0):
    """Probabilities p, classes drawn from softmax(slope * log p + offset), and folds."""
    rng = np.random.default_rng(seed)
    logits = log_softmax(rng.normal(scale=2, size=(n, n_classes)), axis=1)
    truth = softmax(slope * logits + offset, axis=1)
    y = (rng.uniform(size=(n, 1)) > truth.cumsum(axis=1)).sum(axis=1).clip(max=n_classes - 1)
    return np.exp(logits), y, np.arange(n) % 5


def fitted(method, values, y, folds=None, *, kind=PROBA, **options):
    logits = as_logits(values, kind, options.get("n_rows", len(y)))
    return fit_calibrator(method, logits, y, folds=folds, kind=kind, **options)


def test_auto_leaves_calibrated_probabilities_alone():
    kept = 0
    for seed in range(10):
        p, y, folds = drawn(500, 3, seed=seed)
        found = fitted("auto", p, y, folds)
        kept += found.method == "identity"
        assert np.abs(found.predict_proba(p) - p).mean() < 0.04
    assert kept >= 5


@pytest.mark.parametrize(
    ("n", "n_classes", "slope", "offset", "expected"),
    [
        (300, 3, 0.5, 0, {"temperature"}),
        (1000, 4, 0.6, np.array([0, 0, 1, 2]), {"vector"}),
        (3000, 2, np.array([2.5, 0.2]), 0.0, {"beta"}),
        (20_000, 2, 1.0, "wave", {"isotonic"}),
    ],
)
def test_auto_finds_what_is_needed(n, n_classes, slope, offset, expected):
    if isinstance(offset, str):  # monotone, and far from any scaling
        p, _, folds = drawn(n, 2)
        truth = 0.1 + 0.4 * (p[:, 1] > 0.3) + 0.4 * (p[:, 1] > 0.6)
        y = (np.random.default_rng(1).uniform(size=n) < truth).astype(int)
    else:
        p, y, folds = drawn(n, n_classes, slope=slope, offset=offset)
    found = fitted("auto", p, y, folds)
    assert found.method in expected
    assert found.note is None
    assert found.log_loss_after < found.log_loss_before


def test_zeros_that_mean_seldom_get_a_floor():
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.05, 0.95, size=4000)
    share = rng.binomial(10, truth) / 10  # what 10 neighbours say
    y = (rng.uniform(size=4000) < truth).astype(int)
    p, folds = np.column_stack([1 - share, share]), np.arange(4000) % 5
    found = fitted("auto", p, y, folds)
    assert found.floor > 0
    assert found.log_loss_after < fitted("temperature", p, y, folds).log_loss_after - 0.01
    assert found.log_loss_after == pytest.approx(log_loss(y, found.predict_proba(p)), abs=0.003)
    smooth, y, folds = drawn(4000, 3, slope=0.7)
    assert fitted("auto", smooth, y, folds).floor == 0


def test_log_losses_are_of_shrunk_and_of_cross_fitted_probabilities():
    p, y, folds = drawn(200, 3, slope=0.5)
    found = fitted("temperature", p, y, folds)
    shrunk = (1 - 1 / 201) * p + 1 / 201 / 3
    assert found.log_loss_before == pytest.approx(log_loss(y, shrunk))
    assert found.shrinkage == 1 / 201
    crossed = np.empty_like(p)
    for fold in range(5):
        held = folds == fold
        made = TemperatureScaling().fit(np.log(shrunk[~held]), y[~held])
        crossed[held] = made.predict_proba(np.log(shrunk[held]))
    assert found.log_loss_after == pytest.approx(log_loss(y, crossed))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", [PROBA, MARGIN])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_every_method_on_every_kind(method, kind, n_classes):
    p, y, folds = drawn(150, n_classes, slope=0.5)
    values = p if kind == PROBA else np.log(p)
    if kind == MARGIN and n_classes == 2:
        values = values[:, 1] - values[:, 0]
    found = fitted(method, values, y, folds, kind=kind)
    assert found.method == method or method == "auto"
    proba = found.predict_proba(values)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert log_loss(y, proba) < log_loss(y, p)
    assert np.isnan(found.log_loss_before) == (kind == MARGIN)
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.predict_proba(values), proba)
    np.testing.assert_array_equal(
        fitted(method, values, y, folds, kind=kind).predict_proba(values), proba
    )
    assert len(repr(found)) < 120
    assert all(not name.endswith("_") for name in found.parameters)


def test_parameters():
    p, y, folds = drawn(150, 3)
    assert set(fitted("vector", p, y, folds).parameters) == {"slopes", "offsets"}
    assert set(fitted("beta", p, y, folds).parameters) == {"a", "b", "c"}
    assert set(fitted("temperature", p, y, folds).parameters) == {"inverse_temperature"}


def test_margins_are_never_left_alone_and_their_unit_does_not_matter():
    p, y, folds = drawn(200)
    margin = np.log(p[:, 1] / p[:, 0])
    probas = []
    for unit in (1e-6, 1.0, 1e6):
        found = fitted("auto", unit * margin, y, folds, kind=MARGIN)
        assert found.method in {"temperature", "vector"}
        assert found.shrinkage == 0
        probas.append(found.predict_proba(unit * margin))
    np.testing.assert_allclose(probas[0], probas[1], atol=1e-6)
    np.testing.assert_allclose(probas[2], probas[1], atol=1e-6)
    assert np.abs(probas[1][:, 1] - expit(margin)).mean() < 0.05


def test_constant_margins():
    found = fitted("auto", np.ones(100), np.arange(100) % 2, np.arange(100) % 5, kind=MARGIN)
    np.testing.assert_allclose(found.predict_proba([1.0]), 0.5, atol=0.2)


@pytest.mark.parametrize(("kind", "simplest"), [(PROBA, "identity"), (MARGIN, "temperature")])
def test_fallbacks_of_auto(kind, simplest):
    p, y, folds = drawn(200, 3, slope=0.4)
    values = p if kind == PROBA else np.log(p)
    few = fitted("auto", values[:29], y[:29], folds[:29], kind=kind)
    assert few.method == simplest
    assert "only 29 out-of-fold rows" in few.note
    little = fitted("auto", values, y, folds, kind=kind, n_total=401)
    assert little.method == simplest
    assert "only 200 of 401 rows" in little.note
    drifting = np.log(p) + np.linspace(0, 6, 200)[:, None] * [1, 0, 0]
    drifting = softmax(drifting, axis=1) if kind == PROBA else drifting
    trend = fitted("auto", drifting, y, np.arange(200) // 40, kind=kind)
    assert trend.method == simplest
    assert "from fold to fold" in trend.note


def test_a_rare_class_gets_no_parameter_of_its_own():
    p, y, folds = drawn(1000, 3, slope=0.5, offset=np.array([2.0, 2.0, 0.0]))
    y[y == 2] = 0
    y[:4] = 2
    for method in METHODS:
        found = fitted(method, p, y, folds)
        assert found.method == "temperature"
        if method != "temperature":
            assert "the class 2 has 4 out-of-fold rows" in found.note
    y[:5] = 2
    assert fitted("isotonic", p, y, folds).note is None


def test_an_explicit_method_is_kept_where_folds_differ_and_the_note_says_so():
    p, y, _ = drawn(200)
    p = softmax(np.log(p) + np.linspace(0, 8, 200)[:, None] * [1, 0], axis=1)
    found = fitted("beta", p, y, np.arange(200) // 40)
    assert found.method == "beta"
    assert "from fold to fold" in found.note
    assert fitted("beta", p[:20], y[:20]).method == "temperature"


def test_folds_that_are_alike_share_no_variance():
    p, y, folds = drawn(2000, 3)
    assert abs(between_folds(check_sample(np.log(p), y), folds)) < 0.01
    assert between_folds(check_sample(np.log(p), y), np.zeros(2000)) == 0
    sorted_by_class = np.argsort(np.argsort(y, kind="stable")) // 400
    assert between_folds(check_sample(np.log(p), y), sorted_by_class) > 0.14


def test_small_folds_do_not_differ_by_chance():
    notes = []
    for seed in range(200):
        p, y, folds = drawn(40, 3, seed=seed)
        notes.append(unlike(check_sample(np.log(p), y), folds, 40, 40))
    assert sum(note is not None for note in notes) <= 3


def test_repeats_count_once():
    p, y, folds = drawn(100, 2, slope=0.5)
    once = fitted("temperature", p, y, folds)
    thrice = fitted(
        "temperature",
        np.tile(p, (3, 1)),
        np.tile(y, 3),
        np.concatenate([folds, folds + 5, folds + 10]),
        sample_weight=np.full(300, 1 / 3),
        n_rows=100,
        n_total=100,
    )
    assert thrice.n_rows == 100
    assert thrice.log_loss_before == pytest.approx(once.log_loss_before)
    assert thrice.parameters["inverse_temperature"] == pytest.approx(
        once.parameters["inverse_temperature"], abs=1e-6
    )
    rare = np.r_[np.ones(3, dtype=int), np.zeros(97, dtype=int)]
    noted = fitted("auto", np.tile(p, (3, 1)), np.tile(rare, 3), n_rows=100)
    assert "the class 1 has 3" in noted.note


@pytest.mark.parametrize("folds", [None, np.zeros(300)])
def test_without_folds_it_is_cross_fitted_all_the_same(folds):
    p, y, _ = drawn(300, 3, slope=0.5)
    found = fitted("auto", p, y, folds)
    assert found.method == "temperature"
    assert found.log_loss_after > log_loss(y, found.predict_proba(p))


def test_weights_of_zero_take_a_row_out():
    p, y, folds = drawn(300, 3, slope=0.5)
    weight = np.ones(300)
    weight[200:] = 0
    wrong = y.copy()
    wrong[200:] = 0
    found, expected = (
        fitted("vector", p, codes, folds, sample_weight=weight).predict_proba(p)
        for codes in (wrong, y)
    )
    np.testing.assert_allclose(found, expected)


def test_a_calibrator_of_ones_own():
    class Frequencies:
        def fit(self, logits, y, sample_weight=None):
            counts = np.bincount(y, weights=sample_weight, minlength=logits.shape[1])
            self.frequencies_ = counts / counts.sum()
            return self

        def predict_proba(self, logits):
            return np.tile(self.frequencies_, (len(logits), 1))

    p, y, folds = drawn(100, 3)
    own = Frequencies()
    found = fitted(own, p, y, folds)
    assert found.method == "Frequencies"
    assert not hasattr(own, "frequencies_")
    np.testing.assert_allclose(found.parameters["frequencies"], np.bincount(y) / 100)
    strong = fitted(VectorScaling(l2_slope=1e9, l2_deviation=1e9, l2_offset=1e9), p, y, folds)
    assert strong.method == "VectorScaling"
    np.testing.assert_allclose(strong.log_loss_after, strong.log_loss_before, rtol=1e-6)
    assert fitted(IdentityCalibration(), p, y, folds).method == "IdentityCalibration"


def test_a_pool_of_equal_models_is_one_of_them_and_opposites_cancel():
    p, y, folds = drawn(200, 2, slope=0.5)
    found = fitted("temperature", p, y, folds)
    np.testing.assert_allclose(found.pool([p, p, p]), found.predict_proba(p))
    np.testing.assert_allclose(found.pool([p, p[:, ::-1]]), 0.5)
    with pytest.raises(ValueError, match="one model at least"):
        found.pool([])


def test_errors():
    p, y, folds = drawn(100, 3)
    found = fitted("auto", p, y, folds)
    with pytest.raises(ValueError, match="fitted to 3 classes, got predictions for 2"):
        found.predict_proba(p[:, :2])
    with pytest.raises(ValueError, match=r"folds must have shape \(100,\)"):
        fitted("auto", p, y, folds[:-1])
    with pytest.raises(ValueError, match="Unknown calibration method 'none'"):
        fitted("none", p, y, folds)
