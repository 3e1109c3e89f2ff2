"""Limits inside the first fit, without a fit."""

import math
from dataclasses import replace

import pytest

from optunasearch._space import Point
from optunasearch.execution._records import FoldResult, Stop, TrialRecord
from optunasearch.pruning import Race
from optunasearch.pruning._race import RaceRule
from optunasearch.pruning._rungs import RungRule, rung_epochs

NAN = float("nan")


def record(number, curve, *, was_stopped=False, n_folds=2, fit_error=None):
    made = TrialRecord(number, Point({"x": number}), 2)
    for fold in range(1 if was_stopped else n_folds):
        score = NAN if was_stopped else curve[-1]
        made.results[fold] = FoldResult(
            fold,
            score,
            None,
            fit_time=0.1,
            score_time=0.0,
            n_test_samples=10,
            fit_error=fit_error,
            curve=tuple(enumerate(curve, start=1)),
            was_stopped=was_stopped,
        )
    return made


def line(level, n_epochs=10):
    return [level + 0.01 * epoch for epoch in range(1, n_epochs + 1)]


@pytest.fixture
def rule():
    return RungRule(RaceRule(["score"], risk=0.1, n_splits=2), "score", rung_epochs(3))


def test_no_limits_before_there_are_enough_curves(rule):
    for number in range(6):
        assert rule.limits(number) == ()
        rule.settle(record(number, line(0.1 * number)))
    limits = dict(rule.limits(6))
    assert limits.keys() == {3, 9}
    # The best third of six: the second best.
    assert limits[3] == pytest.approx(0.43)
    assert limits[9] == pytest.approx(0.49)


def test_limits_are_those_of_the_past_that_is_asked_for(rule):
    for number in range(12):
        rule.settle(record(number, line(0.1 * number)))
    assert dict(rule.limits(6))[3] == pytest.approx(0.43)
    assert dict(rule.limits(12))[3] == pytest.approx(0.83)
    assert rule.limits(5) == ()


def test_only_those_who_came_so_far_count(rule):
    for number in range(6):
        rule.settle(record(number, line(0.1 * number)))
    for number in range(6, 12):
        stopped = record(number, line(0.0, 3), was_stopped=True)
        stopped.stop = Stop(1, {"score": 0.0})
        rule.settle(stopped)
    limits = dict(rule.limits(12))
    assert limits[3] == pytest.approx(0.23)  # the fourth of twelve
    assert limits[9] == pytest.approx(0.49)  # the second of six


def test_who_ended_by_itself_keeps_its_last_score(rule):
    for number in range(5):
        rule.settle(record(number, line(0.0)))
    rule.settle(record(5, line(0.7, 4)))
    assert dict(rule.limits(6))[9] == pytest.approx(0.09)
    rule.settle(record(6, line(0.8, 4)))
    assert dict(rule.limits(7))[9] == pytest.approx(0.74)


def test_failed_repeated_and_diverged_fits_do_not_count(rule):
    for number in range(6):
        rule.settle(record(number, line(0.1 * number)))
    before = rule.limits(6)
    rule.settle(record(6, line(5.0), fit_error="failed"))
    copy = record(7, line(5.0))
    copy.duplicate_of = 5
    rule.settle(copy)
    rule.settle(record(8, [NAN] * 10))
    assert rule.limits(9) == before


def test_a_stopped_fit_is_estimated_at_the_same_epoch(rule):
    rule.settle(record(0, line(0.5)))
    stop = rule.judge(record(1, line(0.3, 3), was_stopped=True), 1, 1)
    assert stop.n_folds == 1
    assert stop.estimates == {"score": pytest.approx(0.6 - 0.2)}
    better = rule.judge(record(2, line(0.9, 3), was_stopped=True), 1, 1)
    assert 0.59 < better.estimates["score"] < 0.6
    unknown = rule.judge(record(3, line(0.9, 3), was_stopped=True), 1, 0)
    assert unknown.estimates == {"score": pytest.approx(0.93)}


def test_an_estimate_in_the_unit_of_the_score():
    """A monitored loss is no score: the complete trial nearest to it stands in."""
    rule = RungRule(
        RaceRule(["score"], risk=0.1, n_splits=2), "score", rung_epochs(3), same_unit=False
    )
    for number, level in enumerate([0.5, 0.8, 0.9]):
        complete = record(number, line(level))
        loss = tuple((epoch, 100 * (score - 1)) for epoch, score in complete.results[0].curve)
        complete.results[0] = replace(complete.results[0], curve=loss)
        rule.settle(complete)
    stopped = record(3, line(-19, 3), was_stopped=True)
    assert rule.judge(stopped, 1, 3).estimates == {"score": pytest.approx(0.9)}
    assert math.isnan(rule.judge(stopped, 1, 0).estimates["score"])


def test_a_full_first_fold_is_left_to_the_race(rule):
    for number in range(6):
        rule.settle(record(number, line(0.9)))
    assert rule.judge(record(6, line(0.9)), 1, 6) is None


@pytest.mark.parametrize("factor", [1, 0, 2.5, "3"])
def test_a_factor_that_is_none(factor):
    with pytest.raises(ValueError, match="an integer above 1 or None, got"):
        Race(reduction_factor=factor)
