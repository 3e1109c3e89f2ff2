"""The driver over an executor that evaluates plain records in a time of its own."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optunasearch._space import Point
from optunasearch.exceptions import TrialTimeoutError
from optunasearch.execution._driver import Driver, Limits
from optunasearch.execution._records import FoldResult, TaskLost, TaskRaised
from optunasearch.execution._schedule import MAX_LOSSES, Schedule
from tests.execution.fake_time import Witness, Workers


class Counting:
    """A proposer of ever new points that notes what it was told."""

    def __init__(self):
        self.told = []

    def propose(self, number):
        return Point({"x": number})

    def tell(self, record):
        self.told.append(record.number)


def failed_fold(record, fold, error):
    return FoldResult(fold, float("nan"), None, 0.0, 0.0, 1, repr(error))


def make_driver(
    workers, *, witness=None, n_trials=4, n_splits=2, lag=1, single_folds=False, **limits
):
    schedule = Schedule(
        Counting(),
        n_trials=n_trials,
        n_splits=n_splits,
        lag=lag,
        reuse_duplicates=True,
        failed_fold=failed_fold,
    )
    driver = Driver(
        schedule,
        workers,
        witness or Witness(),
        Limits(**limits),
        single_folds=single_folds,
        clock=workers.clock,
    )
    return driver, schedule


@settings(max_examples=100, deadline=None)
@given(
    random=st.randoms(use_true_random=False),
    n_workers=st.integers(1, 5),
    n_trials=st.integers(1, 15),
    lag=st.integers(1, 6),
)
def test_no_fold_is_lost_or_repeated_whatever_the_durations(random, n_workers, n_trials, lag):
    def seconds(number, fold):
        return random.choice([1e-4, 0.01, 1.0, 30.0])

    cache = {}
    workers = Workers(n_workers, lambda *key: cache.setdefault(key, seconds(*key)))
    witness = Witness()
    driver, schedule = make_driver(workers, witness=witness, n_trials=n_trials, n_splits=3, lag=lag)
    driver.run()
    assert not driver.timed_out
    assert witness.numbers("trial") == list(range(n_trials))
    handed_out = [(task.number, fold) for task in workers.tasks for fold in task.folds]
    assert sorted(handed_out) == list(itertools.product(range(n_trials), range(3)))
    assert workers.most_at_once <= n_workers
    assert schedule._proposer.told == list(range(n_trials))
    # No fold of a trial is heard of after the trial.
    for position, event in enumerate(witness.events):
        if event[0] == "trial":
            assert ("fold", event[1]) not in [e[:2] for e in witness.events[position:]]


def folds_of(workers):
    return [(task.number, task.folds) for task in workers.tasks]


def test_long_folds_are_handed_out_one_by_one():
    workers = Workers(seconds=lambda number, fold: 0.5)
    make_driver(workers, n_trials=2)[0].run()
    assert folds_of(workers) == [(0, (0,)), (0, (1,)), (1, (0,)), (1, (1,))]


def test_short_folds_travel_together_once_their_length_is_known():
    workers = Workers(seconds=lambda number, fold: 0.001)
    make_driver(workers, n_trials=3, n_splits=3)[0].run()
    assert folds_of(workers) == [(0, (0,)), (0, (1, 2)), (1, (0, 1, 2)), (2, (0, 1, 2))]


def test_single_folds_never_travel_together():
    workers = Workers(seconds=lambda number, fold: 0.001)
    make_driver(workers, n_trials=2, single_folds=True)[0].run()
    assert all(len(task.folds) == 1 for task in workers.tasks)


def test_only_short_tasks_wait_behind_others():
    for seconds, most in ((0.001, 2), (0.5, 1)):
        workers = Workers(seconds=lambda number, fold, s=seconds: s, queues=True)
        make_driver(workers, n_trials=6, lag=4)[0].run()
        assert workers.most_at_once == most
    workers = Workers(seconds=lambda number, fold: 0.001, queues=True)
    make_driver(workers, n_trials=6, lag=4, trial_timeout=9.0)[0].run()
    assert workers.most_at_once == 1


def test_idle_workers_take_folds_of_the_oldest_trial():
    workers = Workers(n_workers=3, seconds=lambda number, fold: 1.0)
    make_driver(workers, n_trials=2, n_splits=2, lag=2)[0].run()
    assert folds_of(workers)[:3] == [(0, (0,)), (0, (1,)), (1, (0,))]


def test_at_lag_one_a_long_trial_is_waited_for():
    workers = Workers(n_workers=4, seconds=lambda number, fold: 1.0)
    make_driver(workers, n_trials=5, n_splits=1, lag=1)[0].run()
    assert workers.most_at_once == 1
    assert workers.now == 105.0


def test_the_timeout_ends_the_search_while_a_trial_runs():
    workers, witness = Workers(seconds=lambda number, fold: 2.0), Witness()
    driver, schedule = make_driver(workers, witness=witness, n_trials=10, timeout=9.0)
    driver.run()
    assert driver.timed_out
    assert workers.now == pytest.approx(109.0, abs=0.01)
    driver.tell_what_finished()
    assert witness.numbers("trial") == [0, 1]
    assert witness.numbers("left") == [2]
    assert len(schedule.records) == 3


def test_what_finished_behind_an_unfinished_trial_is_passed_on():
    workers = Workers(n_workers=2, seconds=lambda number, fold: 50.0 if number == 0 else 1.0)
    witness = Witness()
    driver, _ = make_driver(workers, witness=witness, n_trials=10, n_splits=1, lag=4, timeout=10.0)
    driver.run()
    assert witness.numbers("trial") == []  # trial 0 holds them up
    driver.tell_what_finished()
    assert witness.numbers("left") == [0]
    assert witness.numbers("trial") == [1, 2, 3]


def test_a_search_that_ends_just_in_time_has_not_timed_out():
    workers = Workers(seconds=lambda number, fold: 1.0)
    driver, schedule = make_driver(workers, n_trials=2, timeout=1000.0)
    driver.run()
    assert not driver.timed_out
    assert schedule.n_told == 2


def test_trial_timeout_fails_the_late_trial_alone():
    workers = Workers(n_workers=2, seconds=lambda number, fold: 60.0 if number == 1 else 2.0)
    witness = Witness()
    driver, schedule = make_driver(
        workers, witness=witness, n_trials=6, n_splits=2, lag=3, trial_timeout=10.0
    )
    driver.run()
    assert [record.has_failed for record in schedule.records] == [
        number == 1 for number in range(6)
    ]
    assert {number for number, *_ in workers.killed} == {1}
    assert TrialTimeoutError.__name__ in schedule.records[1].results[0].fit_error
    assert sorted(witness.numbers("lost")) == [1, 1]
    assert witness.numbers("trial") == list(range(6))


def test_trial_timeout_counts_all_folds_of_a_trial():
    workers = Workers(seconds=lambda number, fold: 4.0)
    driver, schedule = make_driver(workers, n_trials=1, n_splits=5, trial_timeout=10.0)
    driver.run()
    (killed,) = workers.killed
    assert killed[1] == (2,)
    assert killed[2] == pytest.approx(110.0, abs=0.01)
    errors = [schedule.records[0].results[fold].fit_error for fold in range(5)]
    assert [error is None for error in errors] == [True, True, False, False, False]


def test_a_trial_within_its_limit_is_left_alone():
    workers = Workers(seconds=lambda number, fold: 4.0)
    driver, schedule = make_driver(workers, n_trials=3, n_splits=2, trial_timeout=8.5)
    driver.run()
    assert workers.killed == []
    assert not any(record.has_failed for record in schedule.records)


def test_what_a_task_raises_ends_the_search():
    error = ZeroDivisionError("1/0")

    def ending(task):
        return TaskRaised(task, error) if task.number == 2 else None

    workers = Workers(ending=ending)
    driver, _ = make_driver(workers, n_trials=5)
    with pytest.raises(ZeroDivisionError) as caught:
        driver.run()
    assert caught.value is error


def test_lost_tasks_are_tried_again():
    losses = itertools.count()

    def ending(task):
        return TaskLost(task, "signal 9") if task.number == 1 and next(losses) < 2 else None

    workers, witness = Workers(ending=ending), Witness()
    driver, schedule = make_driver(workers, witness=witness, n_trials=3)
    driver.run()
    assert not any(record.has_failed for record in schedule.records)
    assert len(witness.numbers("lost")) == 2


def test_a_task_that_always_takes_its_worker_along_fails_its_trial_alone():
    def ending(task):
        return TaskLost(task, "signal 9") if task.number == 1 else None

    workers, witness = Workers(n_workers=2, ending=ending), Witness()
    driver, schedule = make_driver(workers, witness=witness, n_trials=4, lag=3)
    driver.run()
    assert [record.has_failed for record in schedule.records] == [False, True, False, False]
    assert "signal 9" in schedule.records[1].error
    assert len(witness.numbers("lost")) >= MAX_LOSSES


def test_no_fold_of_a_trial_is_reported_after_its_end():
    # Fold 1 of trial 0 dies again and again while fold 0 is still running.
    def ending(task):
        return TaskLost(task, "signal 9") if task.folds == (1,) else None

    workers = Workers(2, lambda number, fold: 10.0 if fold == 0 else 1.0, ending)
    witness = Witness()
    make_driver(workers, witness=witness, n_trials=1)[0].run()
    assert witness.events.index(("trial", 0)) == len(witness.events) - 1


def test_an_observer_stops_the_search_and_what_runs_is_finished():
    workers, witness = Workers(n_workers=2), Witness(stop_after=3)
    driver, schedule = make_driver(workers, witness=witness, n_trials=50, lag=4)
    driver.run()
    assert not driver.timed_out
    assert witness.numbers("trial") == list(range(len(schedule.records)))
    assert len(schedule.records) == 2 + 4  # the lag's worth had been asked


def test_executors_hear_how_much_work_is_left():
    workers = Workers(seconds=lambda number, fold: 2.0)
    driver, _ = make_driver(workers, n_trials=3, n_splits=2, timeout=9.0)
    driver.run()
    assert workers.expected[0] is None
    # Six folds of 2 s at most, no more than the time that is left.
    assert workers.expected[1:] == pytest.approx([7.0, 5.0, 3.0, 1.0])


def test_records_know_when_their_trials_ran():
    driver, schedule = make_driver(Workers(), n_trials=2)
    driver.run()
    for record in schedule.records:
        assert record.started <= record.finished
