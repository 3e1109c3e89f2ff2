"""The report's figures against scikit-learn's, its intervals against definitions and the truth."""

import math
import pickle
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from scipy.stats import binomtest, norm
from sklearn import metrics
from sklearn.linear_model import LogisticRegression

from optunasearch.decision import DecisionReport, Estimate, decision_report
from optunasearch.decision._threshold import DecisionThreshold, choose_threshold

SHARES = (
    *("sensitivity", "specificity", "positive_predictive_value"),
    *("negative_predictive_value", "accuracy", "prevalence"),
)


def made(n, seed, *, slope=1.0, intercept=0.0):
    """Return classes and probabilities: the truth's log-odds are a + b times those stated."""
    rng = np.random.default_rng(seed)
    stated = rng.normal(size=n) * 1.5 - 0.5
    y = rng.uniform(size=n) < expit(intercept + slope * stated)
    return y.astype(int), expit(stated)


Y, P = made(300, 0)
WEIGHTS = np.random.default_rng(1).uniform(0.2, 3, 300)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("threshold", [0.2, 0.5])
def test_values_are_scikit_learn_s(weights, threshold):
    report = decision_report(Y, P, threshold=threshold, sample_weight=weights)
    called = np.greater_equal(P, threshold)
    args = dict(sample_weight=weights)
    expected = {
        "sensitivity": metrics.recall_score(Y, called, **args),
        "specificity": metrics.recall_score(Y, called, pos_label=0, **args),
        "positive_predictive_value": metrics.precision_score(Y, called, **args),
        "negative_predictive_value": metrics.precision_score(Y, called, pos_label=0, **args),
        "accuracy": metrics.accuracy_score(Y, called, **args),
        "prevalence": np.average(Y, weights=weights),
        "brier_score": metrics.brier_score_loss(Y, P, **args),
        "log_loss": metrics.log_loss(Y, P, **args),
        "roc_auc": metrics.roc_auc_score(Y, P, **args),
    }
    assert {name: report[name].value for name in expected} == pytest.approx(expected)
    x = logit(P)[:, None]
    fitted = LogisticRegression(C=np.inf, tol=1e-10).fit(x, Y, sample_weight=weights)
    assert report.calibration_slope.value == pytest.approx(fitted.coef_[0, 0], rel=1e-4)
    a = report.calibration_intercept.value
    residual = Y - expit(a + x[:, 0])  # the score equation of an intercept with slope 1
    assert np.average(residual, weights=weights) == pytest.approx(0, abs=1e-9)
    for found in report.values():
        assert found.low < found.value < found.high


def test_shares_have_clopper_and_pearson_s_interval():
    report = decision_report(Y, P, threshold=0.4, confidence=0.9)
    called = P >= 0.4
    counts = {
        "sensitivity": (called[Y == 1].sum(), (Y == 1).sum()),
        "specificity": ((~called)[Y == 0].sum(), (Y == 0).sum()),
        "positive_predictive_value": (Y[called].sum(), called.sum()),
        "accuracy": ((called == Y).sum(), len(Y)),
    }
    for name, (k, n) in counts.items():
        low, high = binomtest(int(k), int(n)).proportion_ci(0.9, method="exact")
        assert (report[name].low, report[name].high) == pytest.approx((low, high))


def test_the_bound_of_a_chosen_threshold_is_the_interval_s():
    choice = choose_threshold(Y == 1, P, DecisionThreshold(sensitivity=0.8))
    report = decision_report(Y, P, threshold=choice.threshold, confidence=0.9)
    assert report.sensitivity.value == choice.sensitivity
    assert report.sensitivity.low == pytest.approx(choice.bounds["sensitivity"])


def test_the_area_has_delong_s_variance():
    p = np.round(P, 1)  # with ties
    wins = (p[Y == 1][:, None] > p[Y == 0]) + 0.5 * (p[Y == 1][:, None] == p[Y == 0])
    variance = wins.mean(axis=1).var(ddof=1) / len(wins)
    variance += wins.mean(axis=0).var(ddof=1) / wins.shape[1]
    area = wins.mean()
    half = norm.ppf(0.975) * math.sqrt(variance) / (area * (1 - area))
    found = decision_report(Y, p).roc_auc
    expected = (area, expit(logit(area) - half), expit(logit(area) + half))
    assert (found.value, found.low, found.high) == pytest.approx(expected)


def test_a_perfect_ranking_has_an_interval_too():
    y = np.repeat([0, 1], [10, 30])
    report = decision_report(y, np.where(y, 0.9, 0.1))
    assert report.roc_auc == Estimate(1.0, pytest.approx(0.025 ** (1 / 10)), 1.0)
    assert math.isnan(report.calibration_slope.value)  # infinite
    assert math.isfinite(report.calibration_intercept.value)
    reverse = decision_report(y, np.where(y, 0.1, 0.9)).roc_auc
    assert (reverse.value, reverse.low) == (0, 0)


@pytest.mark.parametrize(
    ("slope", "intercept"), [(1.0, 0.0), (0.6, 0.5)], ids=["calibrated", "not calibrated"]
)
def test_coverage(slope, intercept):
    """Each interval covers the figure of 200,000 rows as often as it says."""
    y, p = made(200_000, 0, slope=slope, intercept=intercept)
    truth = decision_report(y, p, threshold=0.4)
    n_runs, confidence = 200, 0.9
    held = dict.fromkeys(truth, 0)
    for seed in range(n_runs):
        y, p = made(250, seed + 1, slope=slope, intercept=intercept)
        report = decision_report(y, p, threshold=0.4, confidence=confidence)
        for name, found in report.items():
            held[name] += found.low <= truth[name].value <= found.high
    least = confidence - 3 * math.sqrt(confidence * (1 - confidence) / n_runs)
    assert {name: n for name, n in held.items() if n / n_runs < least} == {}


@given(scale=st.floats(0.01, 100), seed=st.integers(0, 1000))
def test_the_scale_of_the_weights_does_not_count(scale, seed):
    y, p = made(60, seed)
    one, other = (decision_report(y, p, sample_weight=np.full(60, w)) for w in (1.0, scale))
    assert all(one[name].value == pytest.approx(other[name].value, nan_ok=True) for name in one)
    assert all(one[name].low == pytest.approx(other[name].low, nan_ok=True) for name in one)


def test_rows_of_weight_0_count_nothing():
    weights = np.append(np.ones(300), np.zeros(300))
    twice = decision_report(np.append(Y, 1 - Y), np.append(P, P), sample_weight=weights)
    assert twice == decision_report(Y, P, sample_weight=np.ones(300))


def test_groups_make_intervals_wider():
    plain = decision_report(Y, P)
    alone = decision_report(Y, P, groups=np.arange(300))
    for name in plain:
        assert alone[name].high == pytest.approx(plain[name].high)
    # each row three times: no more is known than from the rows
    again = decision_report(np.repeat(Y, 3), np.repeat(P, 3), groups=np.repeat(np.arange(300), 3))
    for name in plain:
        assert again[name].value == pytest.approx(plain[name].value)
        assert again[name].low == pytest.approx(plain[name].low, rel=0.005)


def test_classes_change_places():
    one = decision_report(Y, P, threshold=0.37)
    names = np.where(Y == 1, "ill", "well")
    other = decision_report(names, 1 - P, threshold=1 - 0.37, pos_label="well")
    assert other.sensitivity.value == pytest.approx(one.specificity.value)
    assert other.negative_predictive_value.low == pytest.approx(one.positive_predictive_value.low)
    assert other.roc_auc.low == pytest.approx(one.roc_auc.low)
    assert other.calibration_slope.high == pytest.approx(one.calibration_slope.high)
    assert other.calibration_intercept.low == pytest.approx(-one.calibration_intercept.high)
    both = np.column_stack([P, 1 - P])  # in sorted order: ill, well
    assert decision_report(names, both, threshold=1 - 0.37, pos_label="well") == other
    assert decision_report(names, both, threshold=1 - 0.37) == other
    assert decision_report(names, both, pos_label="ill").n_positive == one.n_positive


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_alone(label):
    y = np.full(20, label)
    report = decision_report(y, np.linspace(0, 1, 20))
    assert (report.n_positive, report.n_negative) == ((20, 0) if label else (0, 20))
    missing = "specificity" if label else "sensitivity"
    for name in (missing, "roc_auc", "calibration_slope", "calibration_intercept"):
        assert all(map(math.isnan, (report[name].value, report[name].low, report[name].high)))
    assert report.accuracy.value == 0.5
    assert "undefined" in repr(report)
    columns = np.column_stack([np.linspace(1, 0, 20), np.linspace(0, 1, 20)])
    assert repr(decision_report(y, columns)) == repr(report)


def test_probabilities_of_0_and_1():
    y = np.array([0, 1] * 20)
    p = np.where(np.arange(40) < 4, 1 - y, np.where(y, 1.0, 0.0))
    report = decision_report(y, p)
    assert report.log_loss.value == pytest.approx(metrics.log_loss(y, p))
    assert 0 < report.calibration_slope.value < 0.2
    flat = decision_report(y, np.full(40, 0.5))
    assert math.isnan(flat.calibration_slope.value)
    assert flat.roc_auc.value == 0.5
    assert decision_report([0, 1], [0.2, 0.9]).accuracy.value == 1


def test_it_is_a_mapping_a_dict_and_a_frame():
    report = decision_report(Y, P)
    assert isinstance(report, Mapping)
    assert list(report)[:2] == ["sensitivity", "specificity"]
    assert len(report) == 11
    assert report["accuracy"] is report.accuracy
    with pytest.raises(KeyError, match="'recall'; the report holds sensitivity, "):
        report["recall"]
    assert "threshold" not in report
    assert report.to_dict()["accuracy"]["low"] == report.accuracy.low
    frame = report.to_frame()
    assert list(frame.columns) == ["value", "low", "high"]
    assert frame.loc["roc_auc", "value"] == report.roc_auc.value
    assert pickle.loads(pickle.dumps(report)) == report
    assert isinstance(report, DecisionReport)


def test_its_text_is_an_aligned_table():
    first, header, *lines = repr(decision_report(Y, P, threshold=0.25)).splitlines()
    counts = f"{Y.sum()} positive and {300 - Y.sum()} negative rows."
    assert first == f"Positive is 1, from 0.25 upwards; {counts}"
    assert header.split() == ["value", "95", "%", "interval"]
    assert len(lines) == 11
    assert {line.index(".") for line in lines} == {lines[0].index(".")}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (dict(y_prob=[0.1, 0.2, 0.3, -2.0]), ValueError, "got values from -2 to 0.3"),
        (dict(y_prob=[0.1, np.nan, 0.3, 0.4]), ValueError, "1 of 4 values of y_prob are NaN"),
        (dict(threshold=np.nan), ValueError, "between 0 and 1, got nan"),
        (dict(threshold=50), ValueError, "between 0 and 1, got 50"),
        (dict(y_prob=np.ones((4, 3))), ValueError, r"got shape \(4, 3\)"),
        (dict(y_prob=[0.1]), ValueError, "inconsistent numbers of samples"),
        (dict(y_true=[0, 1, 2, 1]), ValueError, "two classes, got 3"),
        (dict(y_true=["a"] * 4), ValueError, r"from \['a'\] alone"),
        (
            dict(y_true=["a"] * 4, pos_label="a", y_prob=np.full((4, 2), 0.5)),
            ValueError,
            "which column of y_prob",
        ),
        (dict(pos_label=2), ValueError, r"pos_label=2 is not among the classes \[0, 1\]"),
        (dict(confidence=95), ValueError, "write 0.95"),
        (dict(threshold="half"), TypeError, "threshold must be a number, got 'half'"),
        (dict(sample_weight=[1, 1, np.inf, 1]), ValueError, "sample_weight must be finite"),
        (dict(y_true=[], y_prob=[]), ValueError, "needs rows"),
    ],
)
def test_wrong_arguments(change, error, message):
    with pytest.raises(error, match=message):
        decision_report(**{"y_true": [0, 1, 0, 1], "y_prob": [0.1, 0.2, 0.3, 0.4], **change})
