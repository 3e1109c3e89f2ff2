"""Same seed, same search."""

import numpy as np
import pytest
from joblib import parallel_config
from optuna.distributions import FloatDistribution, IntDistribution
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from optunasearch import OptunaSearchCV

SPACE = {
    "max_depth": IntDistribution(1, 20),
    "min_samples_leaf": FloatDistribution(0.01, 0.4),
    "criterion": ["gini", "entropy"],
}


def run(classification, *, backend="threading", **arguments):
    arguments = {"n_trials": 24, "cv": 2, "random_state": 0, **arguments}
    search = OptunaSearchCV(DecisionTreeClassifier(random_state=0), SPACE, **arguments)
    with parallel_config(backend):
        return search.fit(*classification)


def assert_same_search(one, other):
    assert one.cv_results_["params"] == other.cv_results_["params"]
    for name in ("split0_test_score", "split1_test_score", "mean_test_score", "rank_test_score"):
        np.testing.assert_array_equal(one.cv_results_[name], other.cv_results_[name])
    assert one.best_index_ == other.best_index_
    assert [t.params for t in one.study_.trials] == [t.params for t in other.study_.trials]


@pytest.mark.parametrize("sampler", [None, "random", "qmc", "nsga2"])
def test_the_same_seed_gives_the_same_search(classification, sampler):
    one = run(classification, sampler=sampler)
    assert_same_search(one, run(classification, sampler=sampler))
    other = run(classification, sampler=sampler, random_state=1)
    assert one.cv_results_["params"] != other.cv_results_["params"]


@pytest.mark.parametrize("n_jobs", [2, 3])
def test_the_same_max_pending_gives_the_same_search_on_any_number_of_jobs(classification, n_jobs):
    alone = run(classification, max_pending=4, n_jobs=1)
    assert_same_search(alone, run(classification, max_pending=4, n_jobs=n_jobs))


def test_the_same_search_on_processes(classification):
    alone = run(classification, max_pending=4, n_jobs=1)
    # A limit for trials keeps every fit out of this process.
    arguments = {"max_pending": 4, "n_jobs": 2, "trial_timeout": 300.0}
    assert_same_search(alone, run(classification, backend="loky", **arguments))


def test_what_is_pending_matters_to_a_sampler_that_learns(classification):
    one, other = (run(classification, max_pending=lag, n_trials=30) for lag in (1, 8))
    assert one.cv_results_["params"][:10] == other.cv_results_["params"][:10]
    assert one.cv_results_["params"] != other.cv_results_["params"]


def test_a_random_state_instance_moves_on(classification):
    state = np.random.RandomState(0)
    one, other = (run(classification, random_state=state, n_trials=5) for _ in range(2))
    assert one.cv_results_["params"] != other.cv_results_["params"]


def test_a_second_fit_repeats_the_first(classification):
    search = OptunaSearchCV(
        GaussianNB(),
        {"var_smoothing": FloatDistribution(1e-12, 1.0, log=True)},
        n_trials=6,
        cv=2,
        random_state=0,
    )
    tried = [search.fit(*classification).cv_results_["params"] for _ in range(2)]
    assert tried[0] == tried[1]
