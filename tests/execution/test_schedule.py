"""The policy, driven with completions in any order."""

import zlib
from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optunasearch._space import Point
from optunasearch.exceptions import TrialTimeoutError, WorkerDiedError
from optunasearch.execution._records import FoldResult, Stop
from optunasearch.execution._schedule import MAX_LOSSES, Schedule

FAILING = 0  # a point whose second fold fails


@dataclass
class Rumination:
    """A proposer whose next point depends on all it was told, in that order."""

    n_values: int
    n_points: int | None = None
    events: list = field(default_factory=list)

    def propose(self, number):
        if self.n_points is not None and number >= self.n_points:
            return None
        value = zlib.crc32(repr(self.events).encode()) % self.n_values
        self.events.append(("ask", number, value))
        return Point({"x": value})

    def tell(self, record):
        scores = [record.results[fold].test_scores for fold in sorted(record.results)]
        self.events.append(("tell", record.number, scores, record.duplicate_of))


def fold_result(value, fold):
    error = "failed" if (value, fold) == (FAILING, 1) else None
    return FoldResult(fold, 10.0 * value + fold, None, 0.1, 0.0, 1, error)


def failed_fold(record, fold, error):
    return FoldResult(fold, float("nan"), None, 0.0, 0.0, 1, str(error))


@dataclass
class Whim:
    """A rule whose decisions depend on all that it may use, and on nothing else."""

    one_in: int
    settled: list = field(default_factory=list)
    judged: list = field(default_factory=list)

    def settle(self, record):
        results = tuple(record.results[fold] for fold in sorted(record.results))
        self.settled.append((record.number, results, record.stop, record.duplicate_of))

    def limits(self, n_settled):
        assert len(self.settled[:n_settled]) == n_settled
        return ((n_settled, 0.5),)

    def judge(self, record, n_folds, n_settled):
        assert 0 < n_folds < record.n_splits
        assert len(self.settled[:n_settled]) == n_settled
        past = self.settled[:n_settled]
        own = [record.results[fold] for fold in range(n_folds)]
        digest = zlib.crc32(repr((past, record.number, n_folds, own)).encode())
        stops = digest % self.one_in == 0
        self.judged.append((record.number, n_folds, n_settled, stops))
        return Stop(n_folds, {"score": 0.0}) if stops else None


def make_schedule(proposer, *, n_trials=10, n_splits=3, lag=1, reuse_duplicates=True, rule=None):
    return Schedule(
        proposer,
        n_trials=n_trials,
        n_splits=n_splits,
        lag=lag,
        reuse_duplicates=reuse_duplicates,
        failed_fold=failed_fold,
        rule=rule,
    )


def evaluate(schedule, task):
    value = task.point.stored["x"]
    schedule.record(task, tuple(fold_result(value, fold) for fold in task.folds))


def advance(schedule):
    """Ask as soon as the rule allows it, tell otherwise; as the driver does."""
    while True:
        if schedule.ask() is None:
            record = schedule.next_to_tell()
            if record is None:
                return
            schedule.tell(record)


def play(schedule, n_workers=1, random=None):
    """Run a schedule; with `random`, complete, split and lose tasks in a random order.

    No trial loses so many tasks that it would fail. Returns the folds that were
    evaluated, as (trial, fold).
    """
    running, evaluated = [], []
    while True:
        advance(schedule)
        while len(running) < n_workers:
            whole = random is None or random.random() < 0.5
            whole = whole and not schedule.stops_trials
            task = schedule.next_task(whole_trials=whole)
            if task is None and random:
                task = schedule.next_task(whole_trials=whole, ahead=True)
            if task is None:
                break
            running.append(task)
        if not running:
            return evaluated
        task = running.pop(random.randrange(len(running)) if random else 0)
        losses = max(schedule.records[task.number].n_lost.values(), default=0)
        if random and losses < MAX_LOSSES - 1 and random.random() < 0.2:
            schedule.give_back(task, "worker gone")
            continue
        evaluate(schedule, task)
        evaluated += [(task.number, fold) for fold in task.folds]


@settings(max_examples=150, deadline=None)
@given(
    random=st.randoms(use_true_random=False),
    n_workers=st.integers(1, 6),
    n_trials=st.integers(1, 25),
    n_splits=st.integers(1, 4),
    n_values=st.integers(1, 12),
    lag=st.integers(1, 8),
    reuse_duplicates=st.booleans(),
)
def test_the_order_of_completions_changes_nothing(
    random, n_workers, n_trials, n_splits, n_values, lag, reuse_duplicates
):
    shape = dict(n_trials=n_trials, n_splits=n_splits, lag=lag, reuse_duplicates=reuse_duplicates)
    calm, wild = Rumination(n_values), Rumination(n_values)
    reference, schedule = make_schedule(calm, **shape), make_schedule(wild, **shape)
    play(reference)
    evaluated = play(schedule, n_workers, random)

    assert wild.events == calm.events
    assert [r.results for r in schedule.records] == [r.results for r in reference.records]
    assert schedule.n_told == len(schedule.records) == n_trials
    # Every fold of every trial that is no copy ran once.
    assert Counter(evaluated) == Counter(
        (record.number, fold)
        for record in schedule.records
        if record.duplicate_of is None
        for fold in range(n_splits)
    )
    # When trial t was asked, exactly the trials up to t - lag had been told.
    told = 0
    for kind, number, *_ in wild.events:
        if kind == "tell":
            assert number == told
            told += 1
        else:
            assert told == max(0, number - lag + 1)


@given(random=st.randoms(use_true_random=False), reuse_duplicates=st.booleans())
def test_copies_are_of_the_first_success(random, reuse_duplicates):
    schedule = make_schedule(
        Rumination(3), n_trials=20, lag=6, n_splits=2, reuse_duplicates=reuse_duplicates
    )
    play(schedule, 4, random)
    successes = {}
    for record in schedule.records:
        value = record.point.stored["x"]
        if not reuse_duplicates or record.has_failed:
            assert record.duplicate_of is None
        else:
            assert record.duplicate_of == successes.get(value)
            successes.setdefault(value, record.number)
    assert any(record.duplicate_of is not None for record in schedule.records) is reuse_duplicates


def test_a_failed_trial_is_not_copied_but_run_again():
    schedule = make_schedule(Rumination(1), n_trials=3, lag=3)  # all at FAILING
    evaluated = play(schedule)
    assert [record.duplicate_of for record in schedule.records] == [None] * 3
    assert len(evaluated) == 9


def test_copies_wait_for_a_running_original():
    schedule = make_schedule(Rumination(1), n_trials=2, lag=2, n_splits=1)
    first, second = schedule.ask(), schedule.ask()
    task = schedule.next_task(whole_trials=True)
    assert task.number == 0
    assert schedule.next_task(whole_trials=True) is None
    assert not second.is_finished
    evaluate(schedule, task)
    assert first.is_finished
    assert second.is_finished
    assert second.duplicate_of == 0


def test_a_proposer_with_nothing_left_ends_the_search():
    schedule = make_schedule(Rumination(5, n_points=4), n_trials=10, lag=2)
    play(schedule)
    assert len(schedule.records) == schedule.n_told == 4
    assert schedule.n_folds_left == 0


def test_stop_lets_what_was_asked_run_to_its_end():
    schedule = make_schedule(Rumination(50), n_trials=10, lag=4)
    advance(schedule)
    schedule.stop()
    play(schedule)
    assert schedule.n_told == 4
    assert all(record.is_finished for record in schedule.records)


def test_folds_of_the_oldest_trial_go_first():
    schedule = make_schedule(Rumination(50), lag=2, n_splits=2)
    advance(schedule)
    tasks = [schedule.next_task(whole_trials=False) for _ in range(3)]
    assert [(t.number, t.folds) for t in tasks] == [(0, (0,)), (0, (1,)), (1, (0,))]
    schedule.give_back(tasks[0], "worker gone")
    assert schedule.next_task(whole_trials=False) == tasks[0]
    assert schedule.next_task(whole_trials=True).folds == (1,)
    assert not schedule.has_open_folds


def lose(schedule, times):
    for _ in range(times):
        schedule.give_back(schedule.next_task(whole_trials=True), "signal 9")


def test_three_losses_fail_a_trial():
    schedule = make_schedule(Rumination(50), lag=1)
    record = schedule.ask()
    lose(schedule, MAX_LOSSES - 1)
    assert not record.is_finished
    lose(schedule, 1)
    assert record.is_finished
    assert record.has_failed
    assert "signal 9" in record.error
    assert not schedule.has_open_folds
    assert schedule.next_to_tell() is record


def test_losses_of_different_folds_do_not_add_up():
    # A worker killed by somebody else is no fault of the trial.
    schedule = make_schedule(Rumination(50), n_trials=1, n_splits=MAX_LOSSES)
    record = schedule.ask()
    tasks = [schedule.next_task(whole_trials=False) for _ in range(MAX_LOSSES)]
    for task in tasks:
        schedule.give_back(task, "signal 9")
    play(schedule)
    assert record.error is None


def test_a_copy_of_a_trial_that_lost_its_workers_is_tried():
    schedule = make_schedule(Rumination(1), n_trials=2, lag=2, n_splits=1)
    schedule.ask()
    copy = schedule.ask()
    lose(schedule, MAX_LOSSES)
    assert schedule.next_task(whole_trials=True).number == copy.number


def test_failing_a_trial_keeps_what_came_back():
    schedule = make_schedule(Rumination(50), n_trials=1, n_splits=3)
    record = schedule.ask()
    done, running = (schedule.next_task(whole_trials=False) for _ in range(2))
    evaluate(schedule, done)
    kept = record.results[0]
    schedule.fail(record, TrialTimeoutError("too long"))
    evaluate(schedule, running)  # comes too late
    assert record.results[0] is kept
    assert [record.results[fold].fit_error for fold in (1, 2)] == ["too long"] * 2
    assert not schedule.has_open_folds
    schedule.give_back(running, "worker gone")
    assert not schedule.has_open_folds


def test_a_search_that_raises_is_not_failed_quietly():
    def raising(record, fold, error):
        raise error

    schedule = make_schedule(Rumination(50))
    schedule._failed_fold = raising
    schedule.ask()
    with pytest.raises(WorkerDiedError, match="signal 9"):
        lose(schedule, MAX_LOSSES)


def test_folds_left_are_an_upper_bound_that_falls_to_zero():
    schedule = make_schedule(Rumination(4), n_trials=6, n_splits=2, lag=2)
    assert schedule.n_folds_left == 12
    advance(schedule)
    evaluate(schedule, schedule.next_task(whole_trials=True))
    advance(schedule)
    assert schedule.n_folds_left == 10
    play(schedule)
    assert schedule.n_folds_left == 0


@settings(max_examples=150, deadline=None)
@given(
    random=st.randoms(use_true_random=False),
    n_workers=st.integers(1, 6),
    n_trials=st.integers(1, 25),
    n_splits=st.integers(1, 5),
    n_values=st.integers(1, 12),
    lag=st.integers(1, 8),
    reuse_duplicates=st.booleans(),
    one_in=st.integers(1, 6),
)
def test_with_a_rule_the_order_of_completions_changes_nothing_either(
    random, n_workers, n_trials, n_splits, n_values, lag, reuse_duplicates, one_in
):
    shape = dict(n_trials=n_trials, n_splits=n_splits, lag=lag, reuse_duplicates=reuse_duplicates)
    calm, wild = Rumination(n_values), Rumination(n_values)
    calm_rule, wild_rule = Whim(one_in), Whim(one_in)
    reference = make_schedule(calm, **shape, rule=calm_rule)
    schedule = make_schedule(wild, **shape, rule=wild_rule)
    evaluated_calmly = play(reference)
    play(schedule, n_workers, random)

    assert wild.events == calm.events
    assert [r.results for r in schedule.records] == [r.results for r in reference.records]
    assert [r.stop for r in schedule.records] == [r.stop for r in reference.records]
    assert wild_rule.settled == calm_rule.settled
    assert sorted(wild_rule.judged) == sorted(calm_rule.judged)
    assert not schedule.has_open_folds
    # One worker alone never has to run a fold in vain.
    fitted = [r for r in reference.records if r.duplicate_of is None]
    assert len(evaluated_calmly) == sum(len(r.results) for r in fitted)


def test_the_past_moves_on_from_fold_to_fold():
    rule = Whim(one_in=10**9)
    play(make_schedule(Rumination(1000), n_trials=12, n_splits=4, lag=4, rule=rule))
    pasts = {(number, fold): n_settled for number, fold, n_settled, _ in rule.judged}
    assert [pasts[10, fold] for fold in (1, 2, 3)] == [8, 9, 10]
    assert pasts[2, 1] == 0


def test_the_limits_of_a_first_fit_are_those_of_the_past_when_it_was_asked():
    schedule = make_schedule(Rumination(1000), n_trials=6, n_splits=2, lag=2, rule=Whim(10**9))
    found = {}
    while True:
        advance(schedule)
        task = schedule.next_task(whole_trials=False)
        if task is None:
            break
        found[task.number, *task.folds] = task.limits
        evaluate(schedule, task)
    assert [found[number, 0] for number in range(6)] == [((max(n - 1, 0), 0.5),) for n in range(6)]
    assert all(found[number, 1] == () for number in range(6))


def test_with_one_pending_trial_every_trial_before_it_counts():
    rule = Whim(one_in=10**9)
    play(make_schedule(Rumination(1000), n_trials=5, n_splits=4, rule=rule))
    assert all(n_settled == number for number, _, n_settled, _ in rule.judged)


def test_folds_that_ran_ahead_of_a_stop_are_dropped():
    class StopAtOnce(Whim):
        def judge(self, record, n_folds, n_settled):
            return Stop(n_folds, {"score": 0.0})

    schedule = make_schedule(Rumination(1000), n_trials=2, lag=2, rule=StopAtOnce(1))
    advance(schedule)
    first, second = (schedule.next_task(whole_trials=False) for _ in range(2))
    ahead = schedule.next_task(whole_trials=False, ahead=True)
    assert (ahead.number, ahead.folds) == (0, (1,))
    evaluate(schedule, ahead)
    evaluate(schedule, first)
    assert schedule.records[0].results.keys() == {0}
    evaluate(schedule, second)
    assert [r.is_finished for r in schedule.records] == [True, True]
    evaluate(schedule, ahead)  # late: ignored
    schedule.give_back(ahead, "worker gone")
    assert schedule.records[0].results.keys() == {0}
    assert not schedule.has_open_folds
