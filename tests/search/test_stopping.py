"""What ends a search: budget, time, patience, callbacks, Ctrl-C."""

import time

import numpy as np
import pytest
from joblib import parallel_config
from optuna.distributions import FloatDistribution
from sklearn.exceptions import NotFittedError
from sklearn.naive_bayes import GaussianNB
from sklearn.utils.validation import check_is_fitted

from optunasearch import OptunaSearchCV
from optunasearch.exceptions import SearchTimeoutError
from optunasearch.tracking import Tracker
from tests.search.estimators import Adjustable, CountedNB

SMOOTHING = {"var_smoothing": FloatDistribution(1e-12, 1.0, log=True)}
VALUES = {"value": FloatDistribution(0.0, 1.0)}


def test_n_trials_is_the_number_of_candidates_and_counts_the_first(classification, n_fits):
    search = OptunaSearchCV(CountedNB(), SMOOTHING, n_trials=7, cv=3, random_state=0)
    search.fit(*classification)
    assert search.n_trials_ == len(search.cv_results_["params"]) == len(search.study_.trials) == 7
    assert n_fits() == 7 * 3 + 1
    assert search.cv_results_["params"][0] == {"var_smoothing": 1e-9}


def test_fifty_trials_are_the_default(classification, n_fits):
    search = OptunaSearchCV(CountedNB(), SMOOTHING, cv=2, sampler="random", refit=False)
    assert search.fit(*classification).n_trials_ == 50
    assert n_fits() == 100


def test_timeout_leaves_a_usable_search(classification):
    search = OptunaSearchCV(
        Adjustable(seconds=0.05), VALUES, n_trials=10_000, timeout=0.7, cv=2, random_state=0
    )
    start = time.monotonic()
    search.fit(*classification)
    assert 0.7 <= time.monotonic() - start < 5.0
    assert 1 <= search.n_trials_ < 15
    assert len(search.cv_results_["params"]) == search.n_trials_
    assert search.predict(classification[0]).shape == (60,)
    assert search.best_score_ == search.cv_results_["mean_test_score"].max()


def test_a_trial_that_timeout_left_unfinished_is_in_the_table_only(classification):
    # Two of five folds fit into the time of the second trial.
    search = OptunaSearchCV(Adjustable(seconds=0.1), VALUES, n_trials=50, timeout=0.75, cv=5)
    search.fit(*classification)
    assert search.n_trials_ == 1
    assert search.trials_["status"] == ["complete", "unfinished"]
    assert [t.state.name for t in search.study_.trials] == ["COMPLETE", "FAIL"]


def test_timeout_before_any_trial_has_finished_is_an_error(classification):
    search = OptunaSearchCV(Adjustable(seconds=0.1), VALUES, timeout=0.05, cv=3)
    with pytest.raises(SearchTimeoutError, match=r"timeout=0.05 s passed before any of the 1"):
        search.fit(*classification)
    with pytest.raises(NotFittedError):
        check_is_fitted(search)


@pytest.mark.parametrize("values", [[0.1, 0.5, 0.5, 0.4, 0.3, 0.9], [0.1, 0.5, 0.2, 0.6, 0.6, 0.1]])
@pytest.mark.parametrize("patience", [1, 2, 3])
def test_patience_counts_the_trials_without_improvement(classification, values, patience):
    search = OptunaSearchCV(Adjustable(), {"value": values}, cv=2, patience=patience)
    search.fit(*classification)
    best, since, n_expected = -np.inf, 0, 0
    while n_expected < len(values) and since < patience:
        value = values[n_expected]
        best, since = (value, 0) if value > best else (best, since + 1)
        n_expected += 1
    assert search.n_trials_ == n_expected
    assert search.best_score_ == best


def test_callbacks_see_every_trial_and_can_stop(classification):
    seen = []

    def stop_after_the_fourth(study, trial):
        seen.append(trial.number)
        assert study.trials[-1] == trial
        if len(seen) == 4:
            study.stop()

    search = OptunaSearchCV(
        GaussianNB(), SMOOTHING, n_trials=100, cv=2, callbacks=[stop_after_the_fourth]
    ).fit(*classification)
    assert seen == [0, 1, 2, 3]
    assert search.n_trials_ == 4
    assert hasattr(search, "best_estimator_")


def test_callbacks_are_called_in_order_with_several_jobs(classification):
    seen = []
    search = OptunaSearchCV(
        GaussianNB(),
        SMOOTHING,
        n_trials=20,
        cv=2,
        n_jobs=2,
        callbacks=[lambda study, trial: seen.append((trial.number, len(study.trials)))],
    )
    with parallel_config("threading"):
        search.fit(*classification)
    assert seen == [(number, number + 1) for number in range(20)]


def test_what_a_callback_raises_ends_the_search(classification):
    def fail(study, trial):
        raise LookupError("from the callback")

    search = OptunaSearchCV(GaussianNB(), SMOOTHING, n_trials=5, cv=2, callbacks=[fail])
    with pytest.raises(LookupError, match="from the callback"):
        search.fit(*classification)


class Log(Tracker):
    def __init__(self):
        self.events = []

    def on_search_start(self, event):
        self.events.append(("start", event.n_trials, event.n_splits, event.objectives))

    def on_fold_end(self, event):
        self.events.append(("fold", event.number, event.fold, event.scores))

    def on_trial_end(self, study, trial):
        self.events.append(("trial", trial.number, trial.value))

    def on_refit_end(self, search):
        self.events.append(("refit", search.best_index_))

    def on_failure(self, error):
        self.events.append(("failure", type(error)))

    def on_search_end(self, search):
        self.events.append(("end",))


def test_a_tracker_hears_of_everything(classification):
    log = Log()
    search = OptunaSearchCV(Adjustable(), {"value": [0.25, 0.5]}, cv=2, callbacks=[log])
    search.fit(*classification)
    assert log.events == [
        ("start", 2, 2, ["score"]),
        ("fold", 0, 0, {"score": 0.25}),
        ("fold", 0, 1, {"score": 0.25}),
        ("trial", 0, 0.25),
        ("fold", 1, 0, {"score": 0.5}),
        ("fold", 1, 1, {"score": 0.5}),
        ("trial", 1, 0.5),
        ("refit", 1),
        ("end",),
    ]


def test_a_tracker_hears_of_a_failure(classification):
    log = Log()
    search = OptunaSearchCV(
        Adjustable(error=OSError("disk")), VALUES, cv=2, callbacks=[log], error_score="raise"
    )
    with pytest.raises(OSError, match="disk"):
        search.fit(*classification)
    assert log.events[-2:] == [("failure", OSError), ("end",)]


@pytest.mark.parametrize("raised_by", ["fit", "callback"])
def test_ctrl_c_keeps_what_has_finished(classification, raised_by):
    error = KeyboardInterrupt() if raised_by == "fit" else None

    def interrupt(study, trial):
        if raised_by == "callback" and trial.number == 1:
            raise KeyboardInterrupt

    search = OptunaSearchCV(
        Adjustable(),
        {"error": [None, error], "value": [0.25, 0.5]},
        cv=2,
        callbacks=[interrupt],
        reuse_duplicates=False,
    )
    with pytest.raises(KeyboardInterrupt):
        search.fit(*classification)
    assert search.cv_results_["mean_test_score"].tolist() == [0.25, 0.5]
    assert search.best_params_["value"] == 0.5
    assert len(search.study_.trials) >= 2
    assert not hasattr(search, "best_estimator_")
    with pytest.raises(NotFittedError):
        search.predict(classification[0])


def test_ctrl_c_before_anything_has_finished_leaves_an_unfitted_search(classification):
    search = OptunaSearchCV(Adjustable(error=KeyboardInterrupt()), VALUES, cv=2)
    with pytest.raises(KeyboardInterrupt):
        search.fit(*classification)
    assert not hasattr(search, "cv_results_")


def test_a_callback_that_raises_costs_nothing_that_was_computed(classification):
    def fail(study, trial):
        if trial.number == 2:
            raise RuntimeError("the disk of the log is full")

    search = OptunaSearchCV(Adjustable(), VALUES, cv=2, n_trials=4, callbacks=[fail])
    with pytest.raises(RuntimeError, match="disk of the log"):
        search.fit(*classification)
    assert len(search.cv_results_["params"]) == 3
    assert search.best_params_ in search.cv_results_["params"]
    assert not hasattr(search, "best_estimator_")
