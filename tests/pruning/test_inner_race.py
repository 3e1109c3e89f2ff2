"""The race inside the first fit, without a fit."""

import math
from dataclasses import replace

import numpy as np
import pytest

from optunasearch._space import Point
from optunasearch.execution._records import FoldResult, Stop, TrialRecord, epoch_at
from optunasearch.pruning import Race
from optunasearch.pruning._inner_race import SHARES, InnerRaceRule
from optunasearch.pruning._race import RaceRule

K = 4


def record(number, level, *, n_epochs=27, growth=0.0, n_folds=K, noise=0.01, curve_end=None):
    """Make a trial whose first curve rises by `growth` from its first share to its end."""
    random = np.random.default_rng(number)
    made = TrialRecord(number, Point({"x": number}), K)
    for fold in range(n_folds):
        score = level + noise * float(random.normal())
        curve = ()
        if fold == 0:
            epochs = [*(epoch_at(share, n_epochs) for share in SHARES), n_epochs]
            values = [score - growth * (1 - epoch / n_epochs) for epoch in epochs]
            curve = tuple(zip(epochs, values, strict=True))
        made.results[fold] = FoldResult(
            fold, score, None, 0.1, 0.0, 10, curve=curve, n_epochs=n_epochs
        )
    return made


@pytest.fixture
def rule():
    return InnerRaceRule(RaceRule(["score"], risk=0.1, n_splits=K), "score", risk=0.1)


def test_the_shares():
    assert [epoch_at(share, 27) for share in SHARES] == [1, 3, 9, 18]
    assert [epoch_at(share, 5) for share in SHARES] == [1, 1, 1, 3]
    assert [epoch_at(epoch / 49, 49) for epoch in range(1, 49)] == list(range(1, 49))
    assert epoch_at(9.0, 27) == 9


def test_no_limits_before_there_are_enough_curves(rule):
    for number in range(6):
        assert rule.limits(number) == ()
        rule.settle(record(number, 0.5 + 0.1 * number))
    assert [at for at, _ in rule.limits(6)] == list(SHARES)
    assert rule.limits(5) == ()


def test_limits_lie_below_the_best_at_the_same_share(rule):
    for number in range(8):
        rule.settle(record(number, 0.5 + 0.02 * number, growth=0.3))
    best = record(7, 0.64, growth=0.3).results[0]
    limits = dict(rule.limits(8))
    gaps = [best.value_at(share) - limits[share] for share in SHARES]
    # All curves rise alike, so little can change: only the other folds are not known.
    assert all(0 < gap < 0.1 for gap in gaps)
    assert gaps == pytest.approx([gaps[0]] * 4)


def test_limits_are_low_where_curves_cross(rule):
    """Slow starters, as with small learning rates, make the race careful."""
    alike = InnerRaceRule(RaceRule(["score"], risk=0.1, n_splits=K), "score", risk=0.1)
    for number in range(8):
        alike.settle(record(number, 0.8, growth=0.3))
        rule.settle(record(number, 0.8, growth=0.6 * (number % 2)))
    for (_, careful), (_, bold) in zip(rule.limits(8), alike.limits(8), strict=True):
        assert careful < bold - 0.1
    limits = [limit for _, limit in rule.limits(8)]
    assert limits == sorted(limits)


def test_fits_of_any_length_are_compared_at_their_share(rule):
    for number in range(8):
        rule.settle(record(number, 0.8, n_epochs=27 * (1 + number), growth=0.3))
    assert [at for at, _ in rule.limits(8)] == list(SHARES)
    limit = rule.limits(8)[0][1]
    assert limit == pytest.approx(0.8 - 0.3 * 26 / 27, abs=0.1)


def test_no_limits_for_a_time_series():
    race = RaceRule(["score"], risk=0.1, n_splits=K, first_fold=2)
    rule = InnerRaceRule(race, "score", risk=0.1)
    for number in range(8):
        rule.settle(record(number, 0.5))
    assert rule.limits(8) == ()


def test_less_risk_sets_lower_limits():
    def limit(risk):
        rule = InnerRaceRule(RaceRule(["score"], risk=risk, n_splits=K), "score", risk=risk)
        for number in range(8):
            rule.settle(record(number, 0.5 + 0.02 * number))
        return rule.limits(8)[0][1]

    assert limit(0.01) < limit(0.1) < limit(0.3)


def test_curves_without_a_value_do_not_count(rule):
    for number in range(8):
        made = record(number, 0.5)
        bad = tuple((epoch, math.nan) for epoch, _ in made.results[0].curve)
        if number % 2:
            made.results[0] = replace(made.results[0], curve=bad)
        rule.settle(made)
    assert rule.limits(8) == ()  # four curves are too few


def stopped(number, value, *, at=3, n_epochs=27):
    """Make a trial whose first fit was stopped."""
    made = TrialRecord(number, Point({"x": number}), K)
    made.results[0] = FoldResult(
        0, math.nan, None, 0.1, 0.0, 10, curve=((at, value),), n_epochs=n_epochs, was_stopped=True
    )
    return made


def test_failed_repeated_and_stopped_fits_do_not_teach(rule):
    for number in range(6):
        rule.settle(record(number, 0.5))
    before = rule.limits(6)
    failed = record(6, 5.0)
    failed.results[0] = replace(failed.results[0], fit_error="failed")
    copy = record(7, 5.0)
    copy.duplicate_of = 5
    pruned = stopped(8, 0.0)
    pruned.stop = Stop(1, {"score": 0.0})
    for made in (failed, copy, pruned):
        rule.settle(made)
    assert rule.limits(9) == before


def test_a_stopped_fit_is_estimated_by_those_that_went_on(rule):
    for number in range(6):
        rule.settle(record(number, 0.5 + 0.02 * number, noise=0.0, growth=0.27, n_epochs=54))
    # All of them rise by 0.27 * (1 - 1/9) = 0.24 from that share on.
    stop = rule.judge(stopped(6, 0.3), 1, 6)
    assert stop.n_folds == 1
    assert stop.estimates == {"score": pytest.approx(0.3 + 0.24)}
    # Not further than what has been seen.
    assert rule.judge(stopped(7, -9.0), 1, 6).estimates["score"] == pytest.approx(0.5)
    assert 0.59 < rule.judge(stopped(8, 0.9), 1, 6).estimates["score"] < 0.6
    assert rule.judge(stopped(9, 0.9), 1, 0).estimates == {"score": 0.9}


def test_an_estimate_counts_on_slow_starters(rule):
    """All begin alike and end apart: the value on the way says nothing."""
    for number in range(6):
        rule.settle(record(number, 0.5 + 0.06 * number, noise=0.0, growth=0.3 + 0.0675 * number))
    ends = [0.5 + 0.06 * number for number in range(6)]
    estimate = rule.judge(stopped(6, 0.2333), 1, 6).estimates["score"]
    assert estimate == pytest.approx(np.mean(ends), abs=0.02)


def test_a_full_first_fold_is_left_to_the_race_between_folds(rule):
    for number in range(6):
        rule.settle(record(number, 0.9))
    assert rule.judge(record(6, 0.9), 1, 6) is None
    assert rule.judge(record(6, 0.1), 1, 6).chance < 0.1


def test_curves_in_another_unit():
    """A monitored loss is no score: limits are in its unit, estimates in that of the score."""
    race = RaceRule(["score"], risk=0.1, n_splits=K)
    rule = InnerRaceRule(race, "score", risk=0.1, same_unit=False)
    plain = InnerRaceRule(RaceRule(["score"], risk=0.1, n_splits=K), "score", risk=0.1)
    for number in range(8):
        made = record(number, 0.5 + 0.05 * number, noise=0.02, growth=0.1)
        plain.settle(made)
        loss = tuple((epoch, 100 * (value - 1)) for epoch, value in made.results[0].curve)
        other = replace(made, results={**made.results, 0: replace(made.results[0], curve=loss)})
        rule.settle(other)
    for (_, limit), (_, expected) in zip(rule.limits(8), plain.limits(8), strict=True):
        assert limit == pytest.approx(100 * (expected - 1))
    levels = [record(n, 0.5 + 0.05 * n, noise=0.02) for n in range(8)]
    estimate = rule.judge(stopped(9, -1000.0), 1, 8).estimates["score"]
    means = [np.mean([r.test_scores for r in made.results.values()]) for made in levels]
    assert estimate == pytest.approx(means[0], abs=0.05)
    assert math.isnan(rule.judge(stopped(9, -1000.0), 1, 0).estimates["score"])


@pytest.mark.parametrize("inside", [1, None, "yes"])
def test_a_switch_that_is_none(inside):
    with pytest.raises(TypeError, match="inside_fits is True or False, got"):
        Race(inside_fits=inside)
