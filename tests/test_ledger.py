"""The public study: what became of every trial."""

import math
import pickle
from datetime import datetime

import numpy as np
import optuna
import pytest
import scipy.stats
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import FitFailedWarning
from sklearn.tree import DecisionTreeClassifier

from optunasearch import OptunaSearchCV
from optunasearch._ledger import Ledger, status_of
from optunasearch._scoring import ScoringPlan
from optunasearch._space import make_space
from optunasearch.execution._records import FoldResult, Status, TrialRecord

X, Y = load_breast_cancer(return_X_y=True)
X, Y = X[:150, :5], Y[:150]
TREE = DecisionTreeClassifier(random_state=0)
SPACE = make_space({"max_depth": [1, 2, None]}, TREE)
POINTS = list(SPACE.points())


def record(number, *scores, n_splits=2, **kwargs):
    results = {i: FoldResult(i, score, None, 1.0, 0.5, 10) for i, score in enumerate(scores)}
    return TrialRecord(number, POINTS[number % 3], n_splits, results, **kwargs)


def ledger(objectives=("score",), constraints=()):
    plan = ScoringPlan(None, None, True, list(objectives), dict(constraints))
    return Ledger(SPACE, plan, list(objectives))


def test_a_complete_trial():
    book = ledger()
    book.add(record(0, 0.5, 1.0, started=1000.0, finished=1004.5))
    (trial,) = book.study.trials
    assert (trial.number, trial.state, trial.value) == (0, TrialState.COMPLETE, 0.75)
    assert trial.params == {"max_depth": 1}
    assert trial.distributions == {"max_depth": CategoricalDistribution([1, 2, None])}
    assert trial.intermediate_values == {0: 0.5, 1: 1.0}
    assert trial.datetime_start == datetime.fromtimestamp(1000)
    assert trial.duration.total_seconds() == 4.5
    assert trial.user_attrs == {"status": "complete"}


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_trial_without_a_finite_score_has_failed(bad):
    book = ledger()
    book.add(record(0, 0.5, bad))
    (trial,) = book.study.trials
    assert (trial.state, trial.values) == (TrialState.FAIL, None)
    assert trial.intermediate_values == {0: 0.5}


def test_the_other_fates_of_a_trial():
    book = ledger()
    book.add(record(0, 0.5, 1.0))
    book.add(record(1, 0.5, 1.0, duplicate_of=0))
    book.add(record(2, math.nan, math.nan, error="took too long"))
    book.add_unfinished(record(3, 0.5))
    assert [(trial.number, trial.state) for trial in book.study.trials] == [
        (0, TrialState.COMPLETE),
        (1, TrialState.COMPLETE),
        (2, TrialState.FAIL),
        (3, TrialState.FAIL),
    ]
    assert [trial.user_attrs for trial in book.study.trials[1:]] == [
        {"status": "duplicate", "duplicate_of": 0},
        {"status": "complete", "error": "took too long"},
        {"status": "unfinished"},
    ]


def test_status():
    failed = FoldResult(1, math.nan, None, 1.0, 0.0, 10, "Traceback")
    one_failed = record(0, 0.5)
    one_failed.results[1] = failed
    found = [record(0, 0.5), one_failed, record(0, 0.5, 0.5), record(0, 0.5, 0.5, duplicate_of=3)]
    assert [status_of(r) for r in found] == [
        Status.UNFINISHED,
        Status.FAILED,
        Status.COMPLETE,
        Status.DUPLICATE,
    ]


def test_constraints_decide_the_best_trial():
    book = ledger(["a"], {"b": 0.5})
    book.add(record(0, {"a": 0.9, "b": 0.4}, {"a": 0.9, "b": 0.4}))
    book.add(record(1, {"a": 0.8, "b": 0.6}, {"a": 0.6, "b": 0.6}))
    assert [trial.constraints["b"] for trial in book.study.trials] == pytest.approx([0.1, -0.1])
    assert book.study.best_trial.number == 1
    assert book.study.trials[1].intermediate_values == {0: 0.8, 1: 0.6}


def test_several_objectives_have_no_intermediate_values():
    book = ledger(["a", "b"])
    book.add(record(0, {"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 4.0}))
    (trial,) = book.study.trials
    assert (trial.values, trial.intermediate_values) == ([2.0, 3.0], {})
    assert book.study.metric_names == ["mean_test_a", "mean_test_b"]
    assert book.study.directions == [optuna.study.StudyDirection.MAXIMIZE] * 2


def test_a_loss_is_maximised_in_scikit_learn_s_sign():
    search = OptunaSearchCV(TREE, {"max_depth": [1, 3]}, cv=2, scoring="neg_log_loss").fit(X, Y)
    assert search.study_.best_value == search.best_score_ < 0
    assert search.study_.direction.name == "MAXIMIZE"


# What it shows of a space


def shown(space):
    search = OptunaSearchCV(
        TREE, space, cv=2, n_trials=6, sampler="random", random_state=0, initial_params=None
    ).fit(X, Y)
    return search, search.study_.trials


@pytest.mark.parametrize("kind", ["dict", "callable"])
def test_scipy_s_distributions_are_shown_as_values(kind):
    given = {"ccp_alpha": scipy.stats.expon(scale=0.01), "max_depth": scipy.stats.poisson(5, loc=1)}
    search, trials = shown(
        given if kind == "dict" else lambda t: {n: t.suggest(n, d) for n, d in given.items()}
    )
    assert [trial.params for trial in trials] == search.cv_results_["params"]
    distributions = trials[0].distributions
    assert isinstance(distributions["ccp_alpha"], FloatDistribution)
    assert isinstance(distributions["max_depth"], IntDistribution)


def test_objects_are_shown_by_label():
    _, trials = shown(
        {"class_weight": [None, {0: 1, 1: 2}, "balanced"], "max_features": [1.0, 1, 2]}
    )
    assert {trial.params["class_weight"] for trial in trials} <= {
        "None",
        "{0: 1, 1: 2}",
        "balanced",
    }
    assert trials[0].distributions["max_features"].choices == ("1.0", "1", "2")


def test_the_ledger_of_a_search_agrees_with_its_results():
    class Sometimes(DecisionTreeClassifier):
        def fit(self, X, y):
            if self.max_depth == 2:
                raise RuntimeError("two")
            return super().fit(X, y)

    search = OptunaSearchCV(Sometimes(random_state=0), {"max_depth": [3, 2, 1]}, cv=2)
    with pytest.warns((FitFailedWarning, UserWarning)):
        search.fit(X, Y)
    values = [t.value if t.values else np.nan for t in search.study_.trials]
    np.testing.assert_array_equal(values, search.cv_results_["mean_test_score"])
    assert search.study_.best_trial.number == search.best_index_
    assert [t.user_attrs["status"] for t in search.study_.trials] == search.trials_["status"]
    assert search.trials_["status"] == ["complete", "failed", "complete"]


def test_optuna_reads_the_ledger():
    search, _ = shown(
        {"ccp_alpha": scipy.stats.expon(scale=0.01), "criterion": ["gini", "entropy"]}
    )
    importances = optuna.importance.get_param_importances(search.study_)
    assert set(importances) == {"ccp_alpha", "criterion"}
    copied = pickle.loads(pickle.dumps(search.study_))
    assert [t.params for t in copied.trials] == [t.params for t in search.study_.trials]
    assert search.study_.best_params == search.best_params_
