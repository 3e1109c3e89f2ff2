"""What trackers and callbacks hear of a search, and in which order."""

import os

import numpy as np
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState
from sklearn.datasets import load_iris
from sklearn.exceptions import FitFailedWarning
from sklearn.tree import DecisionTreeClassifier

from optunasearch import OptunaSearchCV
from optunasearch._observer import check_callbacks
from optunasearch.tracking import FoldEvent, SearchEvent, Tracker

X, Y = load_iris(return_X_y=True)
TREE = DecisionTreeClassifier(random_state=0)
GRID = {"max_depth": [1, 2, 3]}
# A time limit for trials keeps every fit in the worker processes.
IN_WORKERS = {"n_jobs": 2, "trial_timeout": 300}
where = pytest.mark.parametrize("kwargs", [{}, IN_WORKERS], ids=["one process", "workers"])


class Diary(Tracker):
    """Notes every event, and does `action` at one of them."""

    def __init__(self, event=None, action=None):
        self.entries = []
        self.processes = set()
        self.event, self.action = event, action

    def _note(self, name, *arguments):
        self.entries.append((name, *arguments))
        self.processes.add(os.getpid())
        if name == self.event:
            self.action()

    @property
    def names(self):
        return [entry[0] for entry in self.entries]

    def of(self, name):
        return [entry[1] for entry in self.entries if entry[0] == name]

    def on_search_start(self, event):
        self._note("start", event, len(event.study.trials))

    def on_fold_end(self, event):
        self._note("fold", event)

    def on_trial_end(self, study, trial):
        self._note("trial", trial, len(study.trials))

    def on_refit_end(self, search):
        self._note("refit", search, hasattr(search, "best_estimator_"))

    def on_failure(self, error):
        self._note("failure", error)

    def on_search_end(self, search):
        self._note("end", search)


class Failing(DecisionTreeClassifier):
    """Does not fit at a depth of two."""

    def fit(self, X, y):
        if self.max_depth == 2:
            raise RuntimeError("two")
        return super().fit(X, y)


def raiser(error):
    def raise_it(*arguments):
        raise error

    return raise_it


def fit(*callbacks, space=GRID, estimator=TREE, **kwargs):
    search = OptunaSearchCV(estimator, space, cv=2, callbacks=list(callbacks), **kwargs)
    return search.fit(X, Y)


# Order and content


@where
def test_the_order_of_events(kwargs):
    diary = Diary()
    search = fit(diary, **kwargs)
    names = diary.names
    assert names[0] == "start"
    assert names[-2:] == ["refit", "end"]
    assert sorted(names[1:-2]) == ["fold"] * 6 + ["trial"] * 3
    for number in range(3):
        position = next(
            i for i, e in enumerate(diary.entries) if e[0] == "trial" and e[1].number == number
        )
        before = [e[1] for e in diary.entries[:position] if e[0] == "fold"]
        assert {e.fold for e in before if e.number == number} == {0, 1}
    assert [trial.number for trial in diary.of("trial")] == [0, 1, 2]
    assert [entry[2] for entry in diary.entries if entry[0] == "trial"] == [1, 2, 3]
    assert diary.entries[-2] == ("refit", search, True)
    assert diary.of("end") == [search]
    assert diary.processes == {os.getpid()}  # never in a worker


def test_the_start_event():
    diary = Diary()
    search = fit(diary, n_trials=2, objectives=["accuracy", "recall_macro"])
    (event,) = diary.of("start")
    assert isinstance(event, SearchEvent)
    assert event.search is search
    assert event.study is search.study_
    assert (event.n_trials, event.n_splits) == (2, 2)
    assert event.objectives == ["accuracy", "recall_macro"]
    assert diary.entries[0][2] == 0  # the study is empty


@where
def test_fold_events_hold_what_cv_results_holds(kwargs):
    diary = Diary()
    results = fit(diary, scoring=["accuracy", "f1_macro"], refit=False, **kwargs).cv_results_
    events = diary.of("fold")
    assert all(isinstance(event, FoldEvent) and event.error is None for event in events)
    for event in events:
        assert event.params == results["params"][event.number]
        for name, score in event.scores.items():
            assert score == results[f"split{event.fold}_test_{name}"][event.number]
    for column in ("fit_time", "score_time"):
        means = np.zeros(3)
        for event in events:
            means[event.number] += getattr(event, column) / 2
        np.testing.assert_allclose(means, results[f"mean_{column}"])


def test_a_single_score_is_called_score():
    diary = Diary()
    fit(diary, scoring="f1_macro")
    assert {tuple(event.scores) for event in diary.of("fold")} == {("score",)}


@where
def test_a_failed_fit_is_an_event_with_its_traceback(kwargs):
    diary = Diary()
    with pytest.warns((FitFailedWarning, UserWarning)):
        fit(diary, estimator=Failing(), **kwargs)
    failed = [event for event in diary.of("fold") if event.error]
    assert sorted((event.number, event.fold) for event in failed) == [(1, 0), (1, 1)]
    assert all(event.error.rstrip().endswith("RuntimeError: two") for event in failed)
    states = [trial.state for trial in diary.of("trial")]
    assert states == [TrialState.COMPLETE, TrialState.FAIL, TrialState.COMPLETE]
    assert "failure" not in diary.names


def test_a_duplicate_ends_a_trial_but_no_fold():
    diary = Diary()
    fit(diary, n_trials=8, sampler="random", random_state=0)
    duplicates = [t for t in diary.of("trial") if t.user_attrs["status"] == "duplicate"]
    assert duplicates
    assert len(diary.of("fold")) == 2 * (8 - len(duplicates))


def test_without_a_refit_there_is_no_refit_event():
    diary = Diary()
    fit(diary, refit=False)
    assert diary.names[-2:] == ["trial", "end"]


def test_trackers_and_callbacks_are_called_in_their_order():
    diary, seen = Diary(), []
    fit(diary, lambda study, trial: seen.append((len(diary.of("trial")), trial.number)))
    assert seen == [(1, 0), (2, 1), (3, 2)]


# Ends


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
@pytest.mark.parametrize("event", ["start", "fold", "trial", "refit"])
def test_an_exception_is_told_and_then_the_end(event, error):
    diary = Diary(event, raiser(error))
    with pytest.raises(type(error)) as raised:
        fit(diary)
    assert raised.value is error
    assert diary.of("failure") == [error]
    assert diary.names[-3:] == [event, "failure", "end"]


def test_a_failing_refit_is_told():
    class NotOnAll(DecisionTreeClassifier):
        def fit(self, X, y):
            if len(X) == 150:
                raise RuntimeError("all")
            return super().fit(X, y)

    diary = Diary()
    with pytest.raises(RuntimeError, match="all"):
        fit(diary, estimator=NotOnAll())
    assert diary.names[-3:] == ["trial", "failure", "end"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"space": {"depth": [1]}},
        {"objectives": ["no"]},
        {"cv": 1},
        {"n_trials": 0},
        {"space": {"ccp_alpha": FloatDistribution(0, 1)}, "sampler": "grid"},
        {"initial_params": {"max_depth": 9}},
    ],
)
def test_a_search_that_does_not_start_is_not_told(wrong):
    diary = Diary()
    arguments = {"param_distributions": wrong.pop("space", GRID), "cv": 2} | wrong
    with pytest.raises(ValueError):
        OptunaSearchCV(TREE, callbacks=[diary], **arguments).fit(X, Y)
    assert diary.entries == []


def test_study_stop_ends_the_search():
    diary = Diary()
    stop_after = 3
    search = fit(
        diary,
        lambda study, trial: study.stop() if trial.number == stop_after else None,
        space={"max_depth": list(range(1, 31))},
        max_pending=2,
    )
    # One more was pending; it runs to its end.
    assert search.n_trials_ == stop_after + 2
    assert [trial.number for trial in diary.of("trial")] == list(range(stop_after + 2))
    assert diary.names[-2:] == ["refit", "end"]


def test_a_tracker_need_not_override_anything():
    assert fit(Tracker()).n_trials_ == 3


@pytest.mark.parametrize("callback", [Tracker, 3])
def test_what_is_no_callback_is_refused(callback):
    with pytest.raises(TypeError):
        check_callbacks([callback])
    with pytest.raises(TypeError):
        fit(callback)


@where
def test_a_fit_that_raises_is_told(kwargs):
    diary = Diary()
    with pytest.raises(RuntimeError, match="two") as raised:
        fit(diary, estimator=Failing(), error_score="raise", **kwargs)
    assert diary.of("failure") == [raised.value]
    assert diary.names[-2:] == ["failure", "end"]
