"""Optuna's pruners between folds: what they are shown, and when."""

import warnings

import optuna
import pytest
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, PatientPruner, WilcoxonPruner

from optunasearch._space import Point
from optunasearch.execution._records import FoldResult, Stop, TrialRecord
from optunasearch.pruning._optuna_rule import PRUNER_NAMES, OptunaRule, make_pruner


class Watching(BasePruner):
    """Remembers what it is shown and stops nothing."""

    def __init__(self):
        self.seen = []

    def prune(self, study, trial):
        others = {t.number: (t.state.name, t.intermediate_values) for t in study.get_trials(False)}
        self.seen.append((trial.number, dict(trial.intermediate_values), others))
        return False


def record(number, scores, stop=None):
    results = {f: FoldResult(f, s, None, 0.1, 0.0, 10) for f, s in enumerate(scores)}
    return TrialRecord(number, Point({"x": number}), 3, results, stop=stop)


def test_a_pruner_is_shown_running_means_from_step_1():
    pruner = Watching()
    rule = OptunaRule(pruner, "score", 3)
    candidate = record(0, [0.2, 0.4])
    rule.judge(candidate, 1, 0)
    rule.judge(candidate, 2, 0)
    assert [seen for _, seen, _ in pruner.seen] == [
        {1: 0.2},
        {1: 0.2, 2: pytest.approx(0.3)},
    ]


def test_it_sees_the_settled_trials_and_no_others():
    pruner = Watching()
    rule = OptunaRule(pruner, "score", 3)
    rule.settle(record(0, [0.2, 0.4, 0.6]))
    rule.settle(record(1, [0.1], stop=Stop(1, {"score": 0.1})))
    rule.settle(record(2, [0.1, float("nan"), 0.1]))
    rule.judge(record(4, [0.5]), 1, 2)
    (number, _, others) = pruner.seen[0]
    assert number == 4
    assert others == {
        0: ("COMPLETE", {1: 0.2, 2: pytest.approx(0.3), 3: pytest.approx(0.4)}),
        1: ("PRUNED", {1: 0.1}),
    }


def test_hyperband_asks_a_study_of_its_own_and_sees_no_others_either():
    pruner = HyperbandPruner(min_resource=1, max_resource=3)
    rule = OptunaRule(pruner, "score", 3)
    for number in range(6):
        rule.settle(record(number, [0.2, 0.4, 0.6]))
    rule.judge(record(6, [0.5]), 1, 6)  # it makes its brackets at the first call
    watching = Watching()
    pruner._pruners = [watching] * len(pruner._pruners)
    rule.judge(record(7, [0.5]), 1, 2)
    ((_, _, others),) = watching.seen
    assert set(others) <= {0, 1}


@pytest.mark.parametrize("wrap", [False, True])
def test_the_wilcoxon_pruner_is_shown_raw_scores_by_fold(wrap):
    class Raw(WilcoxonPruner):
        seen = None

        def prune(self, study, trial):
            Raw.seen = dict(trial.intermediate_values)
            return super().prune(study, trial)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        pruner = PatientPruner(Raw(), patience=0) if wrap else Raw()
    rule = OptunaRule(pruner, "score", 3)
    rule.settle(record(0, [0.9, 0.9, 0.9]))
    rule.judge(record(1, [0.2, 0.4]), 2, 1)
    assert wrap or Raw.seen == {0: 0.2, 1: 0.4}
    values = rule._trials[1].storage.get_trial(rule._trials[1]._trial_id).intermediate_values
    assert values == {0: 0.2, 1: 0.4}


def test_the_median_pruner_stops_what_is_below_the_median():
    rule = OptunaRule(MedianPruner(n_startup_trials=3), "score", 3)
    for number, score in enumerate([0.5, 0.6, 0.7]):
        assert rule.judge(record(number, [score]), 1, number) is None
        rule.settle(record(number, [score] * 3))
    assert rule.judge(record(3, [0.65]), 1, 3) is None
    stop = rule.judge(record(4, [0.4]), 1, 3)
    assert stop == Stop(1, {"score": 0.4})


def test_a_score_that_is_not_finite_is_not_judged():
    pruner = Watching()
    rule = OptunaRule(pruner, "score", 3)
    assert rule.judge(record(0, [float("nan")]), 1, 0) is None
    assert pruner.seen == []


def test_one_of_several_scores():
    pruner = Watching()
    rule = OptunaRule(pruner, "f1", 3)
    rule.judge(record(0, [{"accuracy": 0.9, "f1": 0.3}]), 1, 0)
    assert pruner.seen[0][1] == {1: 0.3}


@pytest.mark.parametrize("name", sorted(PRUNER_NAMES))
def test_every_name_makes_a_pruner_that_judges(name):
    rule = OptunaRule(make_pruner(name, 5), "score", 5)
    stops = []
    for number in range(40):
        trial = TrialRecord(number, Point({"x": number}), 5)
        for fold in range(5):
            score = (number * 7919 % 40) / 40 + fold / 1000
            trial.results[fold] = FoldResult(fold, score, None, 0.1, 0.0, 10)
        for n_folds in range(1, 5):
            trial.stop = rule.judge(trial, n_folds, number)
            if trial.stop is not None:
                trial.results = {f: r for f, r in trial.results.items() if f < n_folds}
                break
        stops.append(trial.stop)
        rule.settle(trial)
    assert any(stops)
    assert not all(stops)


def test_an_instance_is_copied():
    given = MedianPruner()
    assert make_pruner(given, 5) is not given
