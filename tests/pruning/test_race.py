"""The race's statistics and its decisions, without a fit."""

import numpy as np
import pytest

from optunasearch._space import Point
from optunasearch.execution._records import FoldResult, TrialRecord
from optunasearch.pruning import Race, _race
from optunasearch.pruning._race import N_TEACHERS, RaceRule, _Lessons, first_errors

N_SPLITS, N_ROWS = 5, 100


def record(number, rows, n_folds=N_SPLITS, *, fit_error=None):
    """Return a trial whose folds have these rows right, an array (n_splits, n_rows)."""
    made = TrialRecord(number, Point({"x": number}), N_SPLITS)
    for fold in range(n_folds):
        score = float(rows[fold].mean())
        made.results[fold] = FoldResult(fold, score, None, 0.1, 0.0, N_ROWS, fit_error)
    return made


def right(rate, seed=0):
    """Return which rows are right: paired, those of a lower rate are a subset."""
    return (np.random.default_rng(seed).uniform(size=(N_SPLITS, N_ROWS)) < rate).astype(float)


def taught(rule, rates=(0.9, 0.88, 0.86, 0.84)):
    for number, rate in enumerate(rates):
        rule.settle(record(number, right(rate)))
    return len(rates)


def make_rule(**options):
    defaults = dict(risk=0.1, n_splits=N_SPLITS)
    return RaceRule(["score"], **{**defaults, **options})


def test_a_hopeless_trial_is_stopped_and_its_estimate_is_below_the_best():
    rule = make_rule()
    n = taught(rule)
    stop = rule.judge(record(n, right(0.3), 1), 1, n)
    best = right(0.9).mean()
    assert stop.n_folds == 1
    assert stop.chance < 1e-3
    difference = right(0.3)[0].mean() - right(0.9)[0].mean()
    assert stop.estimates == {"score": pytest.approx(best + difference)}
    assert stop.estimates["score"] < best


@pytest.mark.parametrize("rate", [0.9, 0.92, 0.95])
def test_a_trial_that_may_still_win_goes_on(rate):
    rule = make_rule()
    n = taught(rule)
    for n_folds in range(1, N_SPLITS):
        assert rule.judge(record(n, right(rate), n_folds), n_folds, n) is None


def test_no_race_before_there_is_somebody_to_learn_from():
    rule = make_rule()
    for number in range(N_TEACHERS):
        assert rule.judge(record(number, right(0.1), 1), 1, number) is None
        rule.settle(record(number, right(0.9, seed=number)))
    assert rule.judge(record(N_TEACHERS, right(0.1), 1), 1, N_TEACHERS) is not None


def test_only_the_settled_trials_of_the_past_count():
    rule = make_rule()
    n = taught(rule, (0.5, 0.49, 0.48, 0.47, 0.99))
    candidate = record(n, right(0.6), 1)
    assert rule.judge(candidate, 1, n - 1) is None  # against 0.5
    assert rule.judge(candidate, 1, n) is not None  # against 0.99


def test_no_race_while_no_two_trials_have_differed():
    rule = make_rule()
    for number in range(N_TEACHERS):
        rule.settle(record(number, right(0.9)))
    assert rule.judge(record(N_TEACHERS, right(0.1), 1), 1, N_TEACHERS) is None


def test_less_risk_needs_more_folds():
    def n_folds_run(risk):
        rule = make_rule(risk=risk)
        n = taught(rule)
        candidate = right(0.72)
        stopped = [
            k for k in range(1, N_SPLITS) if rule.judge(record(n, candidate, k), k, n) is not None
        ]
        return min(stopped, default=N_SPLITS)

    runs = [n_folds_run(risk) for risk in (0.3, 1e-2, 1e-9)]
    assert runs == sorted(runs)
    assert runs[0] < runs[-1]


def test_the_chance_of_every_stop_is_below_the_risk():
    rule = make_rule(risk=0.2)
    n = taught(rule)
    stops = [rule.judge(record(n, right(r, seed=2), 1), 1, n) for r in np.linspace(0.5, 0.9, 30)]
    chances = [stop.chance for stop in stops if stop is not None]
    assert 3 < len(chances) < 30
    assert max(chances) < 0.2


def test_failed_and_repeated_trials_teach_nothing():
    rule = make_rule()
    taught(rule, (0.9, 0.89))
    rule.settle(record(2, right(0.99), fit_error="failed"))
    copy = record(3, right(0.9))
    copy.duplicate_of = 0
    rule.settle(copy)
    assert rule.judge(record(4, right(0.1), 1), 1, 4) is None  # two teachers only
    rule.settle(record(4, right(0.88)))
    assert rule.judge(record(5, right(0.1), 1), 1, 5) is not None
    assert rule.judge(record(5, right(0.1), 1, fit_error="failed"), 1, 5) is None


def test_an_infeasible_trial_is_no_incumbent():
    rule = make_rule(is_feasible=lambda record: record.number != 0)
    n = taught(rule, (0.99, 0.6, 0.59, 0.58))
    assert rule.judge(record(n, right(0.62), 1), 1, n) is None
    nobody = make_rule(is_feasible=lambda record: False)
    n = taught(nobody)
    assert nobody.judge(record(n, right(0.1), 1), 1, n) is None


def test_first_folds_that_do_not_speak_for_the_others_are_learned():
    def inflation(trend):
        random = np.random.default_rng(0)
        differences = 0.1 * random.normal(size=(50, N_SPLITS))
        # Half of the pairs gain from fold to fold what the others lose.
        signs = np.resize([1, -1], 50)[:, None]
        differences += trend * signs * (np.arange(N_SPLITS) - 2)
        lessons = _Lessons()
        lessons.add(differences)
        return lessons.variance(N_SPLITS) / differences.var(axis=1, ddof=1).mean()

    assert 0.8 < inflation(0.0) < 1.4
    assert inflation(1.0) > 1.5


def test_pairs_of_equal_means_say_how_much_a_rival_may_vary():
    random = np.random.default_rng(0)
    near = 0.01 * random.normal(size=(20, N_SPLITS))
    far = 0.5 + 0.1 * random.normal(size=(20, N_SPLITS))
    lessons = _Lessons()
    lessons.add(np.concatenate([near, far]))
    assert 0.01**2 < lessons.variance(N_SPLITS) < 0.1 * 0.1**2


def test_the_last_pairs_are_remembered(monkeypatch):
    monkeypatch.setattr(_race, "MOST_PAIRS", 3)
    lessons, last = _Lessons(), _Lessons()
    differences = np.random.default_rng(0).normal(size=(5, N_SPLITS))
    lessons.add(differences[:2])
    lessons.add(differences[2:])
    last.add(differences[2:])
    assert lessons.variance(N_SPLITS) == last.variance(N_SPLITS)


def test_several_objectives_stop_only_what_is_dominated():
    def both(number, first, second, n_folds=N_SPLITS):
        made = TrialRecord(number, Point({"x": number}), N_SPLITS)
        for fold in range(n_folds):
            scores = {
                "a": float(right(first)[fold].mean()),
                "b": float(right(second, seed=1)[fold].mean()),
            }
            made.results[fold] = FoldResult(fold, scores, None, 0.1, 0.0, N_ROWS)
        return made

    rule = RaceRule(["a", "b"], risk=0.1, n_splits=N_SPLITS)
    for number, pair in enumerate([(0.9, 0.5), (0.5, 0.9), (0.7, 0.7), (0.6, 0.6)]):
        rule.settle(both(number, *pair))
    assert rule._snapshots[-1].front == (0, 1, 2)
    stop = rule.judge(both(4, 0.3, 0.3, 1), 1, 4)
    assert stop.estimates.keys() == {"a", "b"}
    assert rule.judge(both(4, 0.95, 0.05, 1), 1, 4) is None  # the best in one
    assert rule.judge(both(4, 0.8, 0.55, 1), 1, 4) is None  # between two of the front


def test_errors_are_the_variance_in_expectation():
    random = np.random.default_rng(0)
    differences = 0.3 + 0.2 * random.normal(size=(20_000, 5))
    assert first_errors(differences).mean() == pytest.approx(0.04, rel=0.03)


@pytest.mark.parametrize("risk", [0, -1, 0.5, None, "much", float("nan")])
def test_a_risk_that_is_none(risk):
    with pytest.raises(ValueError, match=r"between 0 and 0.5, got .*pruner=None"):
        Race(risk=risk)


def test_a_metric_that_is_no_name():
    with pytest.raises(TypeError, match="a key of scoring"):
        Race(metric=len)
