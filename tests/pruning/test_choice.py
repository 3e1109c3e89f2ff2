"""What `pruner` comes to."""

import numpy as np
import pytest
from optuna.pruners import HyperbandPruner, NopPruner

from optunasearch.pruning import Race
from optunasearch.pruning._choice import PrunedSearch, choose_pruning
from optunasearch.pruning._optuna_rule import OptunaRule
from optunasearch.pruning._race import RaceRule

SPLITS = [(np.arange(10, 30), np.arange(10)), (np.arange(10), np.arange(10, 30))]
FORWARD = [(np.arange(10 * n), np.arange(10 * n, 10 * n + 10)) for n in range(1, 6)]


def a_search(**changes):
    plain = dict(
        objectives=["score"],
        refit=True,
        n_trials=10,
        enumerated=False,
        return_train_score=False,
        is_feasible=lambda record: True,
        splits=SPLITS,
    )
    return PrunedSearch(**{**plain, **changes})


def test_auto_races():
    pruning = choose_pruning("auto", a_search())
    assert isinstance(pruning.rule, RaceRule)
    assert pruning.following is None
    assert pruning.note is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"enumerated": True}, "every point of the grid"),
        ({"return_train_score": True}, "a full table"),
        ({"refit": len}, "callable refit"),
        ({"refit": False}, "refit=False"),
        ({"n_trials": 9}, "fewer than 10"),
        ({"splits": SPLITS[:1]}, None),
    ],
)
def test_auto_stops_nothing_where_a_full_table_is_expected(changes, reason):
    pruning = choose_pruning("auto", a_search(**changes))
    assert pruning.rule is pruning.following is None
    assert reason is None or reason in pruning.note


@pytest.mark.parametrize(
    "changes", [{"enumerated": True}, {"return_train_score": True}, {"n_trials": 5}]
)
@pytest.mark.parametrize("pruner", ["median", HyperbandPruner(), Race()])
def test_an_explicit_pruner_always_acts(pruner, changes):
    assert choose_pruning(pruner, a_search(**changes)).rule is not None


@pytest.mark.parametrize("pruner", [None, NopPruner()])
def test_none(pruner):
    assert choose_pruning(pruner, a_search()).rule is None


@pytest.mark.parametrize("pruner", ["median", Race(), "auto"])
def test_one_fold_is_never_stopped(pruner):
    assert choose_pruning(pruner, a_search(splits=SPLITS[:1])).rule is None


@pytest.mark.parametrize("refit", [False, len])
def test_a_race_without_a_best_candidate_needs_a_metric(refit):
    with pytest.raises(ValueError, match=r"name a score, as in Race\(metric='score'\)"):
        choose_pruning(Race(), a_search(refit=refit))
    rule = choose_pruning(Race(metric="f1"), a_search(refit=refit)).rule
    assert rule._metrics == ["f1"]


def test_a_metric_must_be_one_of_the_scores():
    known = a_search(scores=["accuracy", "f1"])
    assert choose_pruning(Race(metric="f1"), known).rule._metrics == ["f1"]
    with pytest.raises(ValueError, match=r"not there; the scores are \['accuracy', 'f1'\]"):
        choose_pruning(Race(metric="score"), known)
    # A callable scoring has yet to tell its keys.
    assert choose_pruning(Race(metric="a"), a_search(scores=None)).rule._metrics == ["a"]


def test_several_objectives():
    several = a_search(objectives=["recall", "specificity"])
    assert choose_pruning("auto", several).rule._metrics == ["recall", "specificity"]
    with pytest.raises(ValueError, match="compares one score, but objectives are"):
        choose_pruning("median", several)


def test_a_time_series_is_not_judged_before_half_of_its_folds():
    assert choose_pruning("auto", a_search(splits=FORWARD)).rule._first_fold == 3
    assert choose_pruning("auto", a_search()).rule._first_fold == 1


def test_a_pruner_of_optuna():
    pruning = choose_pruning("median", a_search())
    assert isinstance(pruning.rule, OptunaRule)
    assert pruning.following is None
