"""The chosen threshold against exact distributions, and what must not change it."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import beta, binom, norm

from optunasearch.decision import DecisionThreshold
from optunasearch.decision._threshold import choose_threshold

SEED = st.integers(0, 2**32 - 1)


def normal_rows(n, prevalence, seed, shift=1.5):
    """Return classes and scores: N(0, 1) of negatives, N(shift, 1) of positives."""
    rng = np.random.default_rng(seed)
    y = rng.uniform(size=n) < prevalence
    return y, rng.normal(size=n) + shift * y


def called(y, score, **required):
    """Return which rows are predicted positive at the chosen threshold."""
    return score >= choose_threshold(y, score, DecisionThreshold(**required)).threshold


@pytest.mark.parametrize(
    ("share", "confidence", "n"), [(0.95, 0.95, 59), (0.95, 0.8, 32), (0.9, 0.95, 29)]
)
@pytest.mark.parametrize("name", ["sensitivity", "specificity"])
def test_how_many_rows_it_takes(name, share, confidence, n):
    required = DecisionThreshold(**{name: share}, confidence=confidence)
    for n_rows, is_met in ((n, True), (n - 1, False)):
        y = np.repeat([True, False], [n_rows, 200])
        y = y if name == "sensitivity" else ~y
        score = np.random.default_rng(0).normal(size=len(y)) + y
        choice = choose_threshold(y, score, required)
        assert choice.is_met == is_met
        assert getattr(choice, name) == 1
        assert (choice.bounds[name] >= share) == is_met
        assert choice.message == "" or f"takes at least {n} " in choice.message
        # all of the class lie on its side, and no more than needed of the other
        own, others = score[y], score[~y]
        edge = own.min() if name == "sensitivity" else others.max()
        assert (choice.threshold <= edge) == (name == "sensitivity")


@given(
    n=st.integers(5, 400),
    share=st.floats(0.5, 0.98),
    confidence=st.sampled_from([0.5, 0.8, 0.95, 0.99]),
    seed=SEED,
)
def test_the_order_statistic_is_exact(n, share, confidence, seed):
    """P(Binomial(n, 1 - share) >= k) is the chance that the k-th smallest score will do."""
    rng = np.random.default_rng(seed)
    y = np.repeat([True, False], [n, 50])
    score = rng.normal(size=n + 50) + y
    choice = choose_threshold(y, score, DecisionThreshold(sensitivity=share, confidence=confidence))
    k = int((score[y] < choice.threshold).sum()) + 1
    chance = binom.sf(np.arange(1, n + 1) - 1, n, 1 - share)
    assume(np.abs(chance - confidence).min() > 1e-9)  # equal up to rounding
    assert choice.is_met == (chance[0] > confidence)
    if choice.is_met:
        assert chance[k - 1] > confidence
        assert not (chance[k:] > confidence).any()
        assert choice.bounds["sensitivity"] == pytest.approx(beta.ppf(1 - confidence, n - k + 1, k))
    else:
        assert k == 1


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize(
    ("name", "share"), [("sensitivity", 0.9), ("specificity", 0.8), ("precision", 0.6)]
)
def test_coverage_where_the_truth_is_known(name, share, confidence):
    required = DecisionThreshold(**{name: share}, confidence=confidence)
    n_runs, prevalence, shift = 300, 0.4, 1.5
    held = 0
    for seed in range(n_runs):
        y, score = normal_rows(200, prevalence, seed, shift)
        t = choose_threshold(y, score, required)
        sens, false = norm.sf(t.threshold - shift), norm.sf(t.threshold)
        truth = {
            "sensitivity": sens,
            "specificity": 1 - false,
            "precision": prevalence * sens / (prevalence * sens + (1 - prevalence) * false),
        }
        held += truth[name] >= share or not t.is_met
    error = 2 * math.sqrt(confidence * (1 - confidence) / n_runs)
    assert held / n_runs >= confidence - error
    if name != "precision":  # and no more cautious than 200 rows make it
        assert held / n_runs <= confidence + 0.04 + error


def test_two_requirements_hold_together():
    required = DecisionThreshold(sensitivity=0.8, specificity=0.8, confidence=0.8)
    held = met = 0
    for seed in range(200):
        y, score = normal_rows(200, 0.5, seed, 2.2)
        choice = choose_threshold(y, score, required)
        met += choice.is_met
        true = norm.sf(choice.threshold - 2.2) >= 0.8 and norm.cdf(choice.threshold) >= 0.8
        held += true or not choice.is_met
        assert min(choice.bounds.values()) >= 0.8 or not choice.is_met
    assert met > 100
    assert held >= 0.8 * 200


def test_where_it_is_impossible_it_is_rarely_claimed():
    required = DecisionThreshold(sensitivity=0.85, specificity=0.85, confidence=0.8)
    claims = 0
    for seed in range(200):
        y, score = normal_rows(200, 0.5, seed, 2.0)  # 0.841 of both at best
        claims += choose_threshold(y, score, required).is_met
    assert claims <= 0.2 * 200


@given(seed=SEED, share=st.floats(0.5, 0.95), levels=st.sampled_from([3, 10, 1000]))
@pytest.mark.parametrize("name", ["sensitivity", "specificity", "precision"])
def test_more_confidence_moves_it_to_the_safe_side(name, seed, share, levels):
    y, score = normal_rows(150, 0.5, seed)
    score = np.round(score * levels) / levels
    choices = [
        choose_threshold(y, score, DecisionThreshold(**{name: share}, confidence=confidence))
        for confidence in (0.6, 0.9, 0.99)
    ]
    met = [choice.is_met for choice in choices]
    if name != "precision":  # that one begins elsewhere with other confidence
        assert met == sorted(met, reverse=True)
        thresholds = [choice.threshold for choice in choices if choice.is_met]
        assert thresholds == sorted(thresholds, reverse=name == "sensitivity")
    for choice in choices:
        assert choice.is_met or choice.message
        assert not choice.is_met or choice.bounds[name] >= share - 1e-12


@given(seed=SEED, levels=st.sampled_from([3, 10, 1000]))
@pytest.mark.parametrize(
    "required",
    [
        {"sensitivity": 0.8},
        {"specificity": 0.8},
        {"precision": 0.6},
        {"sensitivity": 0.7, "specificity": 0.5},
    ],
    ids=str,
)
def test_only_the_order_of_the_scores_counts(required, seed, levels):
    y, score = normal_rows(120, 0.5, seed)
    score = np.round(score * levels) / levels
    same = called(y, score, **required)
    for transformed in (np.exp(score), 3 * score - 7, np.arctan(score)):
        assert np.array_equal(called(y, transformed, **required), same)
    order = np.random.default_rng(seed).permutation(len(y))
    assert np.array_equal(called(y[order], score[order], **required), same[order])


@given(seed=SEED, share=st.floats(0.3, 0.95), levels=st.sampled_from([3, 10, 1000]))
def test_classes_change_places(seed, share, levels):
    y, score = normal_rows(120, 0.5, seed)
    score = np.round(score * levels) / levels
    one = choose_threshold(y, score, DecisionThreshold(sensitivity=share))
    other = choose_threshold(~y, -score, DecisionThreshold(specificity=share))
    assert one.is_met == other.is_met
    assert np.array_equal(score >= one.threshold, -score < other.threshold)
    assert other.bounds["specificity"] == one.bounds["sensitivity"]


def test_tied_rows_stay_together():
    y = np.repeat([True, False], [100, 100])
    score = np.repeat([0.1, 0.5, 0.9], [3, 97, 100]) * 1.0
    choice = choose_threshold(y, score, DecisionThreshold(sensitivity=0.9))
    assert choice.threshold == pytest.approx(0.3)
    assert choice.sensitivity == 0.97
    constant = choose_threshold(y, np.ones(200), DecisionThreshold(sensitivity=0.9))
    assert (constant.sensitivity, constant.specificity) == (1, 0)
    assert constant.is_met
    assert constant.message == "At the threshold 1 every row is predicted positive."
    nothing = choose_threshold(y, np.ones(200), DecisionThreshold(specificity=0.9))
    assert (nothing.sensitivity, nothing.specificity) == (0, 1)
    assert nothing.threshold > 1


@pytest.mark.parametrize("extreme", [np.inf, 1e308])
def test_the_threshold_is_above_what_it_leaves_out(extreme):
    y = np.repeat([True, False], 100)
    score = np.where(y, extreme, -extreme)
    for required in ({"sensitivity": 0.9}, {"specificity": 0.9}, {"precision": 0.9}):
        assert np.array_equal(called(y, score, **required), y)
    one = 1.0
    tight = np.where(y, np.nextafter(one, 2), one)
    assert np.array_equal(called(y, tight, specificity=0.9), y)


def test_precision_takes_the_most_lenient_threshold_that_is_shown():
    y, score = normal_rows(2000, 0.3, 0, 2.5)
    strict, lenient = (
        choose_threshold(y, score, DecisionThreshold(precision=share)) for share in (0.9, 0.7)
    )
    assert strict.is_met
    assert lenient.is_met
    assert lenient.sensitivity > strict.sensitivity > 0.3
    assert 0.7 <= lenient.bounds["precision"] <= lenient.precision < strict.precision


def test_what_is_not_met_says_what_is_possible():
    y, score = normal_rows(300, 0.2, 0)
    n = int(y.sum())
    choice = choose_threshold(y, score, DecisionThreshold(sensitivity=0.99))
    assert not choice.is_met
    assert f"takes at least 299 positive rows; there are {n}" in choice.message
    assert f"the bound is {0.05 ** (1 / n):.3f}" in choice.message
    assert f"with confidence {1 - 0.99**n:.3g}" in choice.message
    both = choose_threshold(y, score, DecisionThreshold(sensitivity=0.9, specificity=0.9))
    assert not both.is_met
    assert "sensitivity >= 0.9 and specificity >= 0.9" in both.message
    assert "takes" not in both.message
    precise = choose_threshold(y, score, DecisionThreshold(precision=0.99))
    assert "takes 299 rows predicted positive" in precise.message
    assert precise.precision > 0.7


@pytest.mark.parametrize("positives", [0, 50])
def test_one_class_alone(positives):
    y = np.arange(50) < positives
    score = np.linspace(0, 1, 50)
    for name in ("sensitivity", "specificity", "precision"):
        choice = choose_threshold(y, score, DecisionThreshold(**{name: 0.9}))
        assert choice.is_met == ((positives == 0) == (name == "specificity"))
        assert math.isfinite(choice.threshold)
        assert math.isnan(choice.sensitivity) == (positives == 0)
    assert choose_threshold(y, score, DecisionThreshold(costs=[[0, 1], [1, 0]])).is_met


def test_least_cost_is_the_least():
    y, score = normal_rows(400, 0.3, 3)
    choice = choose_threshold(y, score, DecisionThreshold(costs=[[-0.5, 1], [10, 2]]))

    def cost(t):
        return np.where(y, np.where(score >= t, 2, 10), np.where(score >= t, 1, -0.5)).mean()

    costs = [cost(t) for t in [*np.unique(score), np.inf]]
    assert cost(choice.threshold) == pytest.approx(min(costs))
    assert choice.is_met
    assert choice.cost.low < choice.cost.value < choice.cost.high
    assert choice.cost.value > min(costs)  # corrected for the choice
    again = choose_threshold(y, score, DecisionThreshold(costs=[[-0.5, 1], [10, 2]]))
    assert again == choice
    stretched = choose_threshold(y, np.exp(score), DecisionThreshold(costs=[[-0.5, 1], [10, 2]]))
    assert np.array_equal(np.exp(score) >= stretched.threshold, score >= choice.threshold)


def test_the_cost_s_interval_covers_the_cost_on_new_rows():
    required = DecisionThreshold(costs=[[0, 1], [5, 0]], confidence=0.9)
    held, values, truths = 0, [], []
    for seed in range(60):
        y, score = normal_rows(150, 0.3, seed)
        choice = choose_threshold(y, score, required)
        t = choice.threshold
        truth = 0.3 * 5 * norm.cdf(t - 1.5) + 0.7 * norm.sf(t)
        held += choice.cost.low <= truth <= choice.cost.high
        values.append(choice.cost.value)
        truths.append(truth)
    assert held >= 60 * (0.9 - 2 * math.sqrt(0.09 / 60))
    assert np.mean(values) == pytest.approx(np.mean(truths), abs=0.03)


@pytest.mark.parametrize(
    "required", [{"sensitivity": 0.8}, {"precision": 0.6}, {"costs": [[0, 1], [5, 0]]}], ids=str
)
def test_equal_weights_change_nothing_and_rows_of_weight_0_count_nothing(required):
    y, score = normal_rows(200, 0.5, 1)
    required = DecisionThreshold(**required)
    plain = choose_threshold(y, score, required)
    assert choose_threshold(y, score, required, sample_weight=np.full(200, 0.3)) == plain
    weights = np.append(np.ones(200), np.zeros(200))
    twice = choose_threshold(
        np.append(y, ~y), np.append(score, score), required, sample_weight=weights
    )
    assert twice == plain


def test_unequal_weights_and_groups_count_as_fewer_rows():
    y, score = normal_rows(600, 0.5, 1)
    required = DecisionThreshold(sensitivity=0.9)
    plain = choose_threshold(y, score, required)
    weights = np.random.default_rng(0).exponential(size=600)
    weighted = choose_threshold(y, score, required, sample_weight=weights)
    assert weighted.is_met
    assert 0.9 < plain.sensitivity < weighted.sensitivity
    # each row four times: no more is known than from the rows
    y4, score4, group = np.repeat(y, 4), np.repeat(score, 4), np.repeat(np.arange(600), 4)
    again = choose_threshold(y4, score4, required, groups=group)
    assert again.threshold == plain.threshold
    assert choose_threshold(y4, score4, required).threshold > plain.threshold
    alone = choose_threshold(y, score, required, groups=np.arange(600))
    assert alone == plain


def test_coverage_of_rows_in_groups():
    """Of 40 patients with 5 rows each, half of the variance is between patients."""
    required = DecisionThreshold(sensitivity=0.8, confidence=0.9)
    n_runs = 200
    held = {True: 0, False: 0}
    for seed in range(n_runs):
        rng = np.random.default_rng(seed)
        group = np.repeat(np.arange(40), 5)
        y = group < 30
        score = (rng.normal(size=40)[group] + rng.normal(size=200)) / math.sqrt(2) + 1.5 * y
        for grouped in held:
            choice = choose_threshold(y, score, required, groups=group if grouped else None)
            held[grouped] += norm.sf(choice.threshold - 1.5) >= 0.8 or not choice.is_met
    least = 0.9 - 2 * math.sqrt(0.09 / n_runs)
    assert held[True] / n_runs >= least
    assert held[False] / n_runs < least


def test_repeats_are_rows_seen_again():
    y, score = normal_rows(200, 0.5, 1)
    required = DecisionThreshold(sensitivity=0.8)
    plain = choose_threshold(y, score, required)
    again = choose_threshold(y, np.tile(score, (3, 1)), required)
    assert again.threshold == plain.threshold
    assert (again.n_positive, again.n_negative) == (plain.n_positive, plain.n_negative)
    assert again.bounds["sensitivity"] == pytest.approx(plain.bounds["sensitivity"])


def test_leaves_count_as_fewer_rows_but_neighbours_do_not():
    rng = np.random.default_rng(0)
    y = np.repeat([True, False], [300, 100])
    folds = rng.integers(5, size=400)
    continuous = rng.normal(size=400) + y
    grid = np.round(continuous * 4) / 4
    leaves = grid + folds * 1e-3  # as coarse, and of no two folds the same
    required = DecisionThreshold(sensitivity=0.8)
    for score, fewer in ((continuous, False), (grid, False), (leaves, True)):
        plain = choose_threshold(y, score, required)
        folded = choose_threshold(y, score, required, folds=folds)
        assert (folded.bounds["sensitivity"] < plain.bounds["sensitivity"] - 1e-3) == fewer or (
            fewer and folded.sensitivity > plain.sensitivity
        )


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (dict(is_positive=np.ones(4)), TypeError, "array of bool, got dtype float64"),
        (dict(score=[0.1, np.nan, 0.2, 0.3]), ValueError, "1 of 4 scores are NaN"),
        (dict(score=[0.1, 0.2]), ValueError, r"n_rows=4; got shape \(1, 2\)"),
        (dict(folds=[0, 1]), ValueError, "folds must hold a value for each row"),
        (dict(sample_weight=[1, 1, -1, 1]), ValueError, "got values from -1 to 1"),
        (dict(sample_weight=np.zeros(4)), ValueError, "some above 0"),
        (dict(groups=[0, 1]), ValueError, "inconsistent numbers of samples"),
        (dict(is_positive=np.ones(0, bool), score=[]), ValueError, "no rows"),
    ],
)
def test_wrong_arguments(change, error, message):
    arguments = dict(is_positive=np.array([True, False] * 2), score=[0.1, 0.2, 0.3, 0.4])
    with pytest.raises(error, match=message):
        choose_threshold(**{**arguments, **change}, requirement=DecisionThreshold(sensitivity=0.8))


def test_repr_is_short():
    y, score = normal_rows(200, 0.5, 1)
    text = repr(choose_threshold(y, score, DecisionThreshold(sensitivity=0.8)))
    assert text.startswith("ThresholdChoice(threshold=")
    assert "sensitivity=0.8" in text
    assert len(text) < 140
