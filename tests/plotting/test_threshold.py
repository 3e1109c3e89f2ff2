"""Sensitivity and specificity against the threshold: the numbers, and what shows them."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.datasets import load_breast_cancer, load_iris, make_classification
from sklearn.metrics import precision_score, recall_score
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC

from optunasearch import OptunaSearchCV
from optunasearch.decision import DecisionThreshold, decision_report
from optunasearch.exceptions import ThresholdNotMetWarning
from optunasearch.plotting import DecisionThresholdDisplay

SMOOTHING = {"var_smoothing": [1e-9, 1e-8]}
GRID = np.linspace(0, 1, 201)


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def cancer():
    return load_breast_cancer(return_X_y=True)


def fitted(data, **options):
    return OptunaSearchCV(GaussianNB(), SMOOTHING, **options).fit(*data)


@pytest.fixture(scope="module")
def sensitive(cancer):
    return fitted(cancer, decision_threshold={"sensitivity": 0.9, "pos_label": 0})


def calibrated(search, X):
    """Return the out-of-fold probabilities as the search's own calibrator has them."""
    calibrator = search.calibrator_
    return calibrator.predict_proba(search.oof_predictions_)


def at(display, name, threshold):
    """Read a drawn curve at a threshold."""
    line = display.lines_[name]
    assert line.get_drawstyle() == "steps-pre"
    return line.get_ydata()[np.searchsorted(line.get_xdata(), threshold)]


def band_at(display, name, threshold):
    """Read a drawn band at a threshold: its lower and its upper edge."""
    vertices = display.bands_[name].get_paths()[0].vertices
    # Steps: at a threshold between two corners the band is as high as at the later one.
    x = display.thresholds
    left, right = x[np.searchsorted(x, threshold) - 1], x[np.searchsorted(x, threshold)]
    inside = vertices[(vertices[:, 0] == right) | (vertices[:, 0] == left)]
    curve = display.curves[name]
    place = np.searchsorted(x, threshold)
    low, high = curve.low[place], curve.high[place]
    assert np.isclose(inside[:, 1], low).any()
    assert np.isclose(inside[:, 1], high).any()
    return low, high


# The numbers


def test_curves_are_the_shares_at_each_threshold(sensitive, cancer):
    _, y = cancer
    display = DecisionThresholdDisplay.from_search(
        sensitive, metrics=["sensitivity", "specificity", "precision"]
    )
    probability = calibrated(sensitive, cancer[0])[:, 0]
    for threshold in GRID:
        called = np.where(probability >= threshold, 0, 1)
        expected = recall_score(y, called, pos_label=0)
        assert at(display, "sensitivity", threshold) == pytest.approx(expected)
        expected = recall_score(y, called, pos_label=1)
        assert at(display, "specificity", threshold) == pytest.approx(expected)
        expected = precision_score(y, called, pos_label=0, zero_division=np.nan)
        assert at(display, "precision", threshold) == pytest.approx(expected, nan_ok=True)


def test_bands_are_one_sided_exact_bounds(sensitive, cancer):
    _, y = cancer
    probability = calibrated(sensitive, cancer[0])[:, 0]
    names = ["sensitivity", "specificity", "precision"]
    display = DecisionThresholdDisplay.from_predictions(y, probability, pos_label=0, metrics=names)
    for threshold in (0.04, 0.2, 0.5, 0.9):
        called = probability >= threshold
        of_rows = {"sensitivity": y == 0, "specificity": y == 1, "precision": called}
        right = {"sensitivity": called, "specificity": ~called, "precision": y == 0}
        for name in names:
            n, successes = of_rows[name].sum(), (right[name] & of_rows[name]).sum()
            expected = tuple(binomtest(int(successes), int(n)).proportion_ci(0.9))
            assert band_at(display, name, threshold) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    "asked",
    [
        {"sensitivity": 0.9, "pos_label": 0},
        {"specificity": 0.9, "confidence": 0.8},
        {"sensitivity": 0.85, "specificity": 0.85},
    ],
)
def test_the_lower_edge_is_the_bound_of_the_choice(cancer, asked):
    search = fitted(cancer, decision_threshold=asked)
    choice = search.threshold_choice_
    assert choice.is_met
    display = DecisionThresholdDisplay.from_search(search)
    for name, bound in choice.bounds.items():
        low, _ = band_at(display, name, choice.threshold)
        assert low == pytest.approx(bound)
        assert low >= asked[name]
    if len(choice.bounds) == 1:  # one threshold further the requirement is not shown
        (name,) = choice.bounds
        step = 1 if name == "sensitivity" else -1
        place = np.searchsorted(display.thresholds, choice.threshold) + step
        assert display.curves[name].low[place] < asked[name]


def test_repeats_and_trees_lower_the_bound_as_in_the_choice(cancer):
    cv = RepeatedStratifiedKFold(n_splits=5, n_repeats=2, random_state=0)
    search = fitted(cancer, cv=cv, decision_threshold={"sensitivity": 0.85, "pos_label": 0})
    display = DecisionThresholdDisplay.from_search(search)
    low, _ = band_at(display, "sensitivity", search.best_threshold_)
    assert low == pytest.approx(search.threshold_choice_.bounds["sensitivity"])


# What is marked


def test_threshold_and_requirement_are_marked(sensitive):
    display = DecisionThresholdDisplay.from_search(sensitive)
    assert display.threshold_line_.get_xdata()[0] == sensitive.best_threshold_
    assert display.required_lines_["sensitivity"].get_ydata()[0] == 0.9
    assert set(display.required_lines_) == {"sensitivity"}
    choice = sensitive.threshold_choice_
    for name in ("sensitivity", "specificity"):
        value = getattr(choice, name)
        assert at(display, name, choice.threshold) == pytest.approx(value)
        assert display.lines_[name].get_label() == f"{name}: {value:.3f} at the threshold"
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert "required sensitivity: 0.9" in texts
    assert "one-sided 95 % bounds" in texts
    assert display.ax_.get_xlabel() == "Threshold on the probability (positive class: 0)"


def test_without_a_requirement_nothing_is_marked(cancer):
    search = fitted(cancer)
    display = DecisionThresholdDisplay.from_search(search, pos_label=0)
    assert display.threshold_line_ is None
    assert display.required_lines_ == {}
    other = DecisionThresholdDisplay.from_search(search)
    assert (display.pos_label, other.pos_label) == (0, 1)
    for threshold in GRID[1:-1]:  # what is positive for one is negative for the other
        sensitivity = at(display, "sensitivity", threshold)
        assert at(other, "specificity", 1 - threshold) == pytest.approx(sensitivity, abs=1e-12)


def test_costs_mark_the_threshold_only(cancer):
    search = fitted(cancer, decision_threshold={"costs": [[0, 1], [10, 0]]})
    display = DecisionThresholdDisplay.from_search(search)
    assert display.threshold_line_.get_xdata()[0] == search.best_threshold_
    assert display.required_lines_ == {}


def test_what_is_not_met_says_so():
    data = make_classification(60, 4, n_redundant=0, flip_y=0.2, random_state=0)
    with pytest.warns(ThresholdNotMetWarning):
        search = fitted(data, decision_threshold={"precision": 0.95})
    display = DecisionThresholdDisplay.from_search(search)
    assert "not shown" in display.threshold_line_.get_label()
    assert set(display.lines_) == {"sensitivity", "specificity", "precision"}


def test_decision_values(cancer):
    data = cancer[0], cancer[1]
    search = OptunaSearchCV(
        SVC(), {"C": [1.0]}, decision_threshold={"sensitivity": 0.9}, calibration=None
    ).fit(*data)
    display = DecisionThresholdDisplay.from_search(search)
    assert display.ax_.get_xlabel().startswith("Threshold on the decision value")
    values = search.oof_predictions_
    for threshold in np.linspace(values.min(), values.max(), 20):
        expected = np.mean(values[data[1] == 1] >= threshold)
        assert at(display, "sensitivity", threshold) == pytest.approx(expected)
    first, last = display.ax_.get_xlim()
    assert first < values.min()
    assert last > values.max()


# Predictions of whatever kind


def test_from_predictions_agrees_with_the_report(cancer):
    _, y = cancer
    rng = np.random.default_rng(0)
    probability = np.clip(0.5 + 0.4 * (y - 0.5) + 0.2 * rng.normal(size=len(y)), 0, 1)
    display = DecisionThresholdDisplay.from_predictions(
        y, probability, threshold=0.6, required={"specificity": 0.9}, confidence=0.975
    )
    report = decision_report(y, probability, threshold=0.6)
    for name in ("sensitivity", "specificity"):
        estimate = report[name]
        assert at(display, name, 0.6) == pytest.approx(estimate.value)
        assert band_at(display, name, 0.6) == pytest.approx((estimate.low, estimate.high))
    assert display.required_lines_["specificity"].get_ydata()[0] == 0.9
    same = DecisionThresholdDisplay.from_predictions(
        y, probability, required=DecisionThreshold(specificity=0.9)
    )
    assert same.required == {"specificity": 0.9}


def test_many_rows_are_drawn_in_fewer_steps():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 20_000)
    probability = rng.beta(1 + y, 2 - y)
    display = DecisionThresholdDisplay.from_predictions(y, probability)
    assert len(display.thresholds) <= 2001
    for threshold in GRID:
        expected = np.mean(probability[y == 1] >= threshold)
        assert at(display, "sensitivity", threshold) == pytest.approx(expected, abs=0.002)
    display.figure_.canvas.draw()


def test_axes_and_style_of_one_s_own(sensitive):
    _, ax = plt.subplots()
    display = DecisionThresholdDisplay.from_search(sensitive, ax=ax, lw=3)
    assert display.ax_ is ax
    assert display.lines_["sensitivity"].get_linewidth() == 3
    again = display.plot(metrics=["specificity"])
    assert set(again.lines_) == {"sensitivity", "specificity"}  # the required one stays


def test_errors(sensitive):
    with pytest.raises(ValueError, match=r"for the class .*0"):
        DecisionThresholdDisplay.from_search(sensitive, pos_label=1)
    with pytest.raises(ValueError, match="metrics"):
        DecisionThresholdDisplay.from_search(sensitive, metrics=["recall"])
    with pytest.raises(ValueError, match="metrics"):
        DecisionThresholdDisplay.from_search(sensitive, metrics="precision")
    with pytest.raises(ValueError, match="confidence"):
        DecisionThresholdDisplay.from_predictions([0, 1], [0.1, 0.8], confidence=95)
    with pytest.raises(AttributeError, match="two classes"):
        DecisionThresholdDisplay.from_search(fitted(load_iris(return_X_y=True)))
