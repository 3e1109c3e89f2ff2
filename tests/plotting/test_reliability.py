"""The reliability diagram: its numbers, and the artists that show them."""

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.datasets import load_breast_cancer, load_iris, make_classification
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import RepeatedStratifiedKFold, train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from optunasearch import OptunaSearchCV
from optunasearch.plotting import ReliabilityDisplay
from optunasearch.plotting._reliability_curve import reliability_curve
from optunasearch.plotting._search_results import out_of_fold_probabilities

SMOOTHING = {"var_smoothing": [1e-9, 1e-8]}


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def cancer():
    return load_breast_cancer(return_X_y=True)


@pytest.fixture(scope="module")
def overlapping():
    return make_classification(400, 5, n_informative=3, n_redundant=0, flip_y=0.2, random_state=0)


@pytest.fixture(scope="module")
def search(cancer):
    return OptunaSearchCV(GaussianNB(), SMOOTHING).fit(*cancer)


@pytest.fixture(scope="module")
def plain(overlapping):
    """A search whose probabilities have no ties and are not calibrated."""
    model = LogisticRegression()
    return OptunaSearchCV(model, {"C": [0.1, 1.0]}, scoring="neg_log_loss", calibration=None).fit(
        *overlapping
    )


def exact(successes, n, confidence=0.95):
    return binomtest(int(successes), int(n)).proportion_ci(confidence)


# The numbers


def test_bins_are_quantiles_and_intervals_are_exact():
    rng = np.random.default_rng(0)
    probability = rng.permutation(np.linspace(0.02, 0.98, 400))
    y = (rng.uniform(size=400) < probability).astype(int)
    (curve,) = ReliabilityDisplay.from_predictions(y, probability).curves
    parts = np.array_split(np.argsort(probability), 10)
    np.testing.assert_allclose(curve.prob_pred, [probability[p].mean() for p in parts])
    np.testing.assert_allclose(curve.prob_true, [y[p].mean() for p in parts])
    assert curve.n_rows.tolist() == [40] * 10
    for part, low, high in zip(parts, curve.low, curve.high, strict=True):
        assert (low, high) == pytest.approx(tuple(exact(y[part].sum(), len(part))))


def test_artists_show_the_numbers(plain):
    display = ReliabilityDisplay.from_search(plain)
    (curve,), (line,) = display.curves, display.lines_
    np.testing.assert_array_equal(line.get_xdata(), curve.prob_pred)
    np.testing.assert_array_equal(line.get_ydata(), curve.prob_true)
    segments = np.array(display.intervals_[0].get_segments())
    np.testing.assert_allclose(segments[:, 0], np.column_stack([curve.prob_pred, curve.low]))
    np.testing.assert_allclose(segments[:, 1], np.column_stack([curve.prob_pred, curve.high]))
    values, edges, _ = display.counts_[0].get_data()
    expected, _ = np.histogram(plain.oof_predictions_[:, 1], bins=20, range=(0, 1))
    np.testing.assert_array_equal(values, expected)
    np.testing.assert_array_equal(edges, curve.edges)
    assert display.counts_ax_.get_xlabel() == "Predicted probability (positive class: 1)"
    assert display.ax_.get_ylabel() == "Observed share, 95 % interval"


@pytest.mark.parametrize(("n", "n_bins"), [(15, 1), (39, 3), (400, 10)])
def test_few_rows_make_few_bins(n, n_bins):
    y = np.arange(n) % 2
    display = ReliabilityDisplay.from_predictions(y, np.linspace(0.1, 0.9, n))
    assert len(display.curves[0].prob_pred) == n_bins
    assert display.curves[0].n_rows.min() >= 10


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=80),
    st.integers(1, 15),
)
def test_bins_lose_no_row(rows, n_bins):
    probability, positive = map(np.array, zip(*rows, strict=True))
    curve = reliability_curve(None, positive, probability, n_bins=n_bins, confidence=0.9)
    assert curve.n_rows.sum() == curve.counts.sum() == len(rows)
    assert curve.n_rows @ curve.prob_true == pytest.approx(positive.sum())
    assert curve.n_rows @ curve.prob_pred == pytest.approx(probability.sum(), abs=1e-9)
    assert (np.diff(curve.prob_pred) > 0).all()
    assert ((curve.low <= curve.prob_true) & (curve.prob_true <= curve.high)).all()


def test_zeros_and_ones_stay_together():
    probability = np.repeat([0.0, 0.4, 1.0], [50, 20, 30])
    y = (np.arange(100) % 3 == 0).astype(int)
    (curve,) = ReliabilityDisplay.from_predictions(y, probability).curves
    assert curve.prob_pred.tolist() == [0.0, pytest.approx(0.4), 1.0]
    assert curve.n_rows.tolist() == [50, 20, 30]


# Before and after


@pytest.mark.parametrize(
    ("model", "space", "options"),
    [
        (GaussianNB(), SMOOTHING, {}),
        (
            GaussianNB(),
            SMOOTHING,
            {"cv": RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0)},
        ),
        (KNeighborsClassifier(), {"n_neighbors": [1, 3]}, {}),  # has a floor
        (SVC(), {"C": [1.0]}, {"calibration": "sigmoid"}),
        (GaussianNB(), SMOOTHING, {"calibration": "isotonic"}),
    ],
)
@pytest.mark.parametrize("data", [load_breast_cancer, load_iris])
def test_what_is_drawn_after_is_cross_fitted(model, space, options, data):
    X, y = data(return_X_y=True)
    search = OptunaSearchCV(model, space, random_state=0, **options).fit(X, y)
    if search.calibrator_.method == "identity":
        assert len(out_of_fold_probabilities(search).curves) == 1
        return
    found = out_of_fold_probabilities(search)
    loss = log_loss(found.y, found.curves[-1].values)
    assert loss == pytest.approx(search.calibrator_.log_loss_after, rel=1e-6)
    assert "cross-fitted" in found.curves[-1].name


def test_before_and_after(search):
    display = ReliabilityDisplay.from_search(search)
    assert [line.get_label() for line in display.lines_] == [
        "uncalibrated",
        f"calibrated ({search.calibrator_.method}, cross-fitted)",
    ]
    before, after = display.curves
    expected, _ = np.histogram(search.oof_predictions_[:, 1], bins=20, range=(0, 1))
    np.testing.assert_array_equal(before.counts, expected)
    gap = [abs(c.prob_true - c.prob_pred) @ c.n_rows / c.n_rows.sum() for c in (before, after)]
    assert gap[1] < gap[0]
    assert display.lines_[0].get_color() != display.lines_[1].get_color()


def test_before_is_the_same_from_predictions(search, cancer):
    before = ReliabilityDisplay.from_search(search, pos_label=0, n_bins=7).curves[0]
    (same,) = ReliabilityDisplay.from_predictions(
        cancer[1], search.oof_predictions_, pos_label=0, n_bins=7
    ).curves
    for name in ("prob_pred", "prob_true", "low", "high", "n_rows", "counts"):
        np.testing.assert_allclose(getattr(before, name), getattr(same, name), err_msg=name)


def test_a_test_set(cancer):
    X_train, X_test, y_train, y_test = train_test_split(*cancer, random_state=0)
    search = OptunaSearchCV(GaussianNB(), SMOOTHING).fit(X_train, y_train)
    display = ReliabilityDisplay.from_estimator(search, X_test, y_test)
    before, after = display.curves
    for curve, model in ((before, search.best_estimator_), (after, search)):
        mean = model.predict_proba(X_test)[:, 1].mean()
        assert curve.prob_pred @ curve.n_rows / len(y_test) == pytest.approx(mean)
    alone = ReliabilityDisplay.from_estimator(search.best_estimator_, X_test, y_test, name="NB")
    np.testing.assert_array_equal(alone.curves[0].prob_true, before.prob_true)
    assert alone.lines_[0].get_label() == "NB"


def test_the_positive_class_of_the_decision_threshold_is_drawn(cancer):
    asked = {"sensitivity": 0.9, "pos_label": 0}
    search = OptunaSearchCV(GaussianNB(), SMOOTHING, decision_threshold=asked).fit(*cancer)
    display = ReliabilityDisplay.from_search(search)
    assert display.pos_label == 0
    share = display.curves[0].prob_true @ display.curves[0].n_rows / len(cancer[1])
    assert share == pytest.approx((cancer[1] == 0).mean())


# Several classes, repeats, weights, groups


def test_several_classes_show_the_confidence_or_one_class():
    X, y = load_iris(return_X_y=True)
    search = OptunaSearchCV(GaussianNB(), SMOOTHING, scoring="neg_log_loss", calibration=None).fit(
        X, y
    )
    display = ReliabilityDisplay.from_search(search)
    (curve,) = display.curves
    right = accuracy_score(y, search.oof_predictions_.argmax(axis=1))
    assert curve.prob_true @ curve.n_rows / 150 == pytest.approx(right)
    mean = search.oof_predictions_.max(axis=1).mean()
    assert curve.prob_pred @ curve.n_rows / 150 == pytest.approx(mean)
    assert display.counts_ax_.get_xlabel() == "Probability of the predicted class"
    from_table = ReliabilityDisplay.from_predictions(y, search.oof_predictions_)
    np.testing.assert_allclose(from_table.curves[0].prob_true, curve.prob_true)
    (one,) = ReliabilityDisplay.from_search(search, pos_label=2).curves
    assert one.prob_true @ one.n_rows == pytest.approx((y == 2).sum())
    (same,) = ReliabilityDisplay.from_predictions(
        y, search.oof_predictions_[:, 2], pos_label=2
    ).curves
    np.testing.assert_allclose(same.prob_true, one.prob_true)


def test_a_row_predicted_repeatedly_is_worth_one_row(overlapping):
    X, y = overlapping
    cv = RepeatedStratifiedKFold(n_splits=5, n_repeats=4, random_state=0)
    search = OptunaSearchCV(
        GaussianNB(), SMOOTHING, cv=cv, scoring="neg_log_loss", calibration=None
    ).fit(X, y)
    (curve,) = ReliabilityDisplay.from_search(search, n_bins=1).curves
    assert curve.n_rows.tolist() == [pytest.approx(400)]
    assert curve.counts.sum() == pytest.approx(400)
    assert (curve.low[0], curve.high[0]) == pytest.approx(tuple(exact(y.sum(), 400)))


def test_groups_make_intervals_wider_and_weight_zero_is_no_row():
    rng = np.random.default_rng(0)
    y = np.repeat(rng.integers(0, 2, 40), 5)  # rows of a group are alike
    probability = rng.uniform(size=200)
    (curve,) = ReliabilityDisplay.from_predictions(y, probability, n_bins=1).curves
    groups = np.repeat(np.arange(40), 5)
    (wider,) = ReliabilityDisplay.from_predictions(y, probability, n_bins=1, groups=groups).curves
    assert (wider.low[0], wider.high[0]) == pytest.approx(tuple(exact(y.sum() / 5, 40)))
    assert wider.high - wider.low > 1.5 * (curve.high - curve.low)
    weights = np.repeat([1.0, 0.0], 100)
    (half,) = ReliabilityDisplay.from_predictions(y, probability, sample_weight=weights).curves
    (first,) = ReliabilityDisplay.from_predictions(y[:100], probability[:100]).curves
    np.testing.assert_allclose(half.prob_true, first.prob_true)
    assert half.n_rows.sum() == 100


# Axes


def test_two_displays_share_axes(cancer, search):
    X, y = cancer
    first = ReliabilityDisplay.from_estimator(search.best_estimator_, X, y)
    second = ReliabilityDisplay.from_estimator(
        search.calibrated_estimator_, X, y, ax=first.ax_, name="after"
    )
    assert second.ax_ is first.ax_
    assert second.counts_ax_ is first.counts_ax_
    assert len(first.figure_.axes) == 2
    assert first.lines_[0].get_color() != second.lines_[0].get_color()
    labels = [text.get_text() for text in first.ax_.get_legend().get_texts()]
    assert labels == ["ideal", "GaussianNB", "after"]


def test_axes_of_one_s_own(search):
    figure = plt.figure()
    ax = figure.add_axes([0.1, 0.1, 0.8, 0.8])
    display = ReliabilityDisplay.from_search(search, ax=ax)
    assert display.ax_ is ax
    upper, lower = ax.get_position(), display.counts_ax_.get_position()
    assert lower.y0 == pytest.approx(0.1)
    assert lower.y1 < upper.y0
    assert upper.y1 == pytest.approx(0.9)
    without = ReliabilityDisplay.from_search(search, show_counts=False, ref_line=False, lw=3)
    assert without.counts_ax_ is None
    assert len(without.figure_.axes) == 1
    assert without.lines_[0].get_linewidth() == 3
    assert without.ax_.get_xlabel().startswith("Predicted probability")


def test_nothing_overlaps_at_640_pixels(search):
    display = ReliabilityDisplay.from_search(search)
    figure = display.figure_
    figure.draw_without_rendering()
    legend = display.ax_.get_legend().get_window_extent()
    assert legend.y0 >= display.ax_.get_window_extent().y1 - 1
    assert legend.x1 <= figure.bbox.x1
    label = display.counts_ax_.yaxis.label.get_window_extent()
    assert not label.overlaps(display.ax_.yaxis.label.get_window_extent())


# What cannot be drawn


def test_errors(search, cancer, overlapping):
    y, probability = cancer[1], search.oof_predictions_[:, 1]
    with pytest.raises(TypeError, match="GaussianNB"):
        ReliabilityDisplay.from_search(GaussianNB())
    with pytest.raises(ValueError, match="pos_label=7"):
        ReliabilityDisplay.from_search(search, pos_label=7)
    with pytest.raises(ValueError, match="n_bins"):
        ReliabilityDisplay.from_search(search, n_bins=0)
    with pytest.raises(ValueError, match="confidence"):
        ReliabilityDisplay.from_search(search, confidence=95)
    with pytest.raises(ValueError, match="between 0 and 1"):
        ReliabilityDisplay.from_predictions(y, probability + 1)
    with pytest.raises(ValueError, match="inconsistent"):
        ReliabilityDisplay.from_predictions(y[1:], probability)
    three = np.arange(len(y)) % 3
    with pytest.raises(ValueError, match="pass pos_label"):
        ReliabilityDisplay.from_predictions(three, probability)
    with pytest.raises(ValueError, match="4 columns"):
        ReliabilityDisplay.from_predictions(three, np.full((len(y), 4), 0.25))
    margins = OptunaSearchCV(SVC(), {"C": [1.0]}).fit(*overlapping)
    with pytest.raises(AttributeError, match="no out-of-fold probabilities"):
        ReliabilityDisplay.from_search(margins)
    regression = OptunaSearchCV(Ridge(), {"alpha": [1.0]}).fit(*overlapping)
    with pytest.raises(AttributeError, match="no classifier"):
        ReliabilityDisplay.from_search(regression)


def test_matplotlib_is_asked_for_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"ReliabilityDisplay.plot.*optunasearch\[plot\]"):
        ReliabilityDisplay.from_predictions([0, 1], [0.2, 0.7])


def test_importing_the_pictures_does_not_import_matplotlib():
    code = "import sys, optunasearch.plotting; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
