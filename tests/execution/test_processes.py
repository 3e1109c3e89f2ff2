"""The executor with worker processes, and the thread that helps while they start."""

import os
import signal
import warnings

import psutil
import pytest

from optunasearch._joblib import active_backend
from optunasearch._space import Point
from optunasearch.exceptions import PicklingSearchError, WorkerDiedError
from optunasearch.execution._processes import ProcessExecutor
from optunasearch.execution._records import TaskDone, TaskLost, TaskRaised, TrialTask
from optunasearch.execution._slots import warm_slots
from tests.execution.estimators import At, Both, LoadsOnlyIn, Note, Raise, Sleep, die, eventually


@pytest.fixture
def make_executor():
    """Return a function that makes an executor, closed at the end of the test."""
    executors = []

    def make(context, *, n_jobs=2, isolate=False):
        executor = ProcessExecutor(context, active_backend(n_jobs), isolate=isolate)
        executors.append(executor)
        return executor

    yield make
    for executor in executors:
        executor.close(abort=False)


@pytest.fixture
def warm(no_slots, make_executor, make_context):
    """Return a function that leaves a number of idle workers."""

    def warm_up(number):
        executor = make_executor(make_context(), isolate=True)
        wait_for_workers(executor, 2)
        executor.close(abort=False)
        for slot in list(warm_slots._slots)[number:]:
            os.kill(slot.process.pid, signal.SIGKILL)
            assert eventually(lambda slot=slot: not slot.process.is_alive())

    return warm_up


def wait_for_workers(executor, number):
    def are_ready():
        executor.wait(0.05)
        return sum(slot.is_ready for slot in executor._slots) == number

    assert eventually(are_ready, 60)


def outcome(executor):
    """Wait for the next thing that happens to a task."""
    outcomes = []
    assert eventually(lambda: outcomes.extend(executor.wait(0.1)) or outcomes, 30)
    (only,) = outcomes
    return only


def task_at(x, number=0):
    return TrialTask(number, Point({"x": x}), (0,))


def notes(path):
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def test_short_searches_start_no_worker(no_slots, make_executor, make_context):
    executor = make_executor(make_context())
    for x in range(5):
        executor.submit(task_at(x))
        assert isinstance(outcome(executor), TaskDone)
        executor.expect(0.5)
    assert executor._slots == []
    assert executor._folder is None


def test_long_searches_start_workers_and_the_thread_retires(
    no_slots, make_executor, make_context, tmp_path
):
    executor = make_executor(make_context(Note(str(tmp_path / "notes"))))
    executor.submit(task_at(0))
    outcome(executor)
    executor.expect(100.0)
    wait_for_workers(executor, 1)
    executor.expect(100.0)
    wait_for_workers(executor, 2)
    for x in (1, 2):
        executor.submit(task_at(x))
    assert not executor.has_room
    done = []
    assert eventually(lambda: done.extend(executor.wait(0.1)) or len(done) == 2)
    pids = {int(pid) for pid, _ in notes(tmp_path / "notes")}
    assert os.getpid() in pids
    assert pids - {os.getpid()} <= {slot.process.pid for slot in executor._slots}


def test_a_long_first_fold_starts_workers(no_slots, make_executor, make_context):
    executor = make_executor(make_context(At((0,), Sleep(5.0))))
    executor.submit(task_at(0))

    def has_started_one():
        executor.expect(None)  # nobody knows how long folds take
        executor.wait(0.05)
        return len(executor._slots) == 1

    assert eventually(has_started_one, 4.0)


def test_with_isolation_nothing_runs_in_this_process(make_executor, make_context, tmp_path):
    executor = make_executor(make_context(Note(str(tmp_path / "notes"))), isolate=True)
    assert not executor.has_room
    wait_for_workers(executor, 2)
    for x in range(4):
        executor.submit(task_at(x))
        outcome(executor)
    pids = {int(pid) for pid, _ in notes(tmp_path / "notes")}
    assert pids <= {slot.process.pid for slot in executor._slots}


def test_a_lost_worker_is_replaced_and_its_task_reported(make_executor, make_context):
    executor = make_executor(make_context(At((1,), die)), isolate=True)
    wait_for_workers(executor, 2)
    pids = {slot.process.pid for slot in executor._slots}
    task = task_at(1)
    executor.submit(task)
    lost = outcome(executor)
    assert isinstance(lost, TaskLost)
    assert lost.task is task
    assert "signal 9" in lost.reason
    wait_for_workers(executor, 2)
    assert len(pids & {slot.process.pid for slot in executor._slots}) == 1


def test_a_second_task_waits_in_a_worker_and_is_not_blamed_for_its_death(
    make_executor, make_context
):
    executor = make_executor(make_context(At((1,), Sleep(60))), n_jobs=1, isolate=True)
    wait_for_workers(executor, 1)
    assert not executor.has_room_behind  # an idle worker has room, and nothing to wait for
    running, waiting = task_at(1), task_at(2, number=1)
    executor.submit(running)
    assert executor.has_room_behind
    executor.submit(waiting)
    assert not executor.has_room_behind
    assert [task for task, _ in executor.running] == [running]
    os.kill(executor._slots[0].process.pid, signal.SIGKILL)
    lost = []
    assert eventually(lambda: lost.extend(executor.wait(0.1)) or lost, 30)
    assert [(o.task, o.begun) for o in lost] == [(running, True), (waiting, False)]


def test_tasks_of_a_worker_come_back_in_their_order(make_executor, make_context):
    executor = make_executor(make_context(), n_jobs=1, isolate=True)
    wait_for_workers(executor, 1)
    tasks = [task_at(1.0), task_at(2.0, number=1)]
    for task in tasks:
        executor.submit(task)
    assert [outcome(executor).task for _ in tasks] == tasks
    assert executor.running == []


@pytest.mark.slow
def test_what_killed_a_worker_does_not_get_to_this_process(
    warm, make_executor, make_context, tmp_path
):
    # One worker and the thread: the second worker is not worth its start.
    warm(1)
    note = Note(str(tmp_path / "notes"))
    executor = make_executor(make_context(Both(note, At((1,), die, Sleep(0.2)))))
    executor.expect(1.5)
    wait_for_workers(executor, 1)
    executor.submit(task_at(1))
    assert isinstance(outcome(executor), TaskLost)
    executor.expect(1.5)

    # The task is handed out again: a driver submits wherever there is room.
    assert eventually(lambda: executor.has_room or executor.wait(0.1), 60)
    executor.submit(task_at(2))
    outcome(executor)
    assert [pid for pid, x in notes(tmp_path / "notes") if x == "2"] != [str(os.getpid())]


@pytest.mark.slow
def test_a_killed_task_leaves_the_other_alone(make_executor, make_context):
    executor = make_executor(make_context(At((1,), Sleep(600), Sleep(0.5))), isolate=True)
    wait_for_workers(executor, 2)
    slow, other = task_at(1), task_at(2, number=1)
    executor.submit(slow)
    executor.submit(other)
    executor.kill(slow)
    assert [task for task, _ in executor.running] == [other]
    assert outcome(executor).task is other
    wait_for_workers(executor, 2)


@pytest.mark.parametrize("isolate", [False, True])
def test_what_a_task_raises_is_an_outcome(request, make_executor, make_context, isolate):
    if not isolate:
        request.getfixturevalue("no_slots")
    context = make_context(Raise(ZeroDivisionError, ("1/0",)), error_score="raise")
    executor = make_executor(context, isolate=isolate)
    if isolate:
        wait_for_workers(executor, 2)
    executor.submit(task_at(1))
    raised = outcome(executor)
    assert isinstance(raised, TaskRaised)
    assert isinstance(raised.error, ZeroDivisionError)


@pytest.mark.parametrize("error_class", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("isolate", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_fit_that_exits_is_an_outcome_too(
    no_slots, make_executor, make_context, isolate, error_class
):
    executor = make_executor(make_context(Raise(error_class)), isolate=isolate)
    if isolate:
        wait_for_workers(executor, 2)
    executor.submit(task_at(1))
    assert isinstance(outcome(executor), TaskRaised | TaskLost)


def test_workers_that_cannot_start_end_the_search(make_executor, make_context):
    executor = make_executor(make_context(), n_jobs=1, isolate=True)

    def is_given_up():
        for slot in executor._slots:
            os.kill(slot.process.pid, signal.SIGKILL)
        try:
            executor.wait(0.05)
        except WorkerDiedError as error:
            assert "before its first task" in str(error)
            return True
        return False

    assert eventually(is_given_up, 60)


@pytest.mark.slow
def test_idle_workers_that_die_are_just_replaced(make_executor, make_context):
    executor = make_executor(make_context(), n_jobs=1, isolate=True)
    for _ in range(4):
        wait_for_workers(executor, 1)
        os.kill(executor._slots[0].process.pid, signal.SIGKILL)
        assert eventually(lambda: executor.wait(0.05) or not executor.has_room, 60)
    wait_for_workers(executor, 1)


def test_a_context_that_workers_cannot_load_is_an_error_that_says_so(make_executor, make_context):
    executor = make_executor(make_context(LoadsOnlyIn(os.getpid())), isolate=True)
    with pytest.raises(PicklingSearchError, match="cannot load.*(?s:.)*only at home"):
        wait_for_workers(executor, 2)


@pytest.mark.parametrize("abort", [False, True])
def test_closing_frees_everything(make_executor, make_context, abort):
    executor = make_executor(make_context(), isolate=True)
    wait_for_workers(executor, 2)
    folder, pids = executor._folder.path, [s.process.pid for s in executor._slots]
    executor.close(abort=abort)
    assert not os.path.exists(folder)
    assert all(psutil.pid_exists(pid) is not abort for pid in pids)
    executor.close(abort=True)  # twice is harmless


@pytest.mark.slow
def test_a_search_takes_the_workers_of_the_one_before(warm, make_executor, make_context):
    warm(2)
    pids = {slot.process.pid for slot in warm_slots._slots}
    first = make_executor(make_context())
    assert {slot.process.pid for slot in first._slots} == pids
    second = make_executor(make_context())  # while the first still runs
    assert second._slots == []


@pytest.mark.slow
def test_workers_given_back_while_starting_serve_the_next_search(
    no_slots, make_executor, make_context
):
    make_executor(make_context(), isolate=True).close(abort=False)
    executor = make_executor(make_context(), isolate=True)
    wait_for_workers(executor, 2)
    executor.submit(task_at(3))
    assert isinstance(outcome(executor), TaskDone)


def test_nothing_is_left_open(make_executor, make_context):
    process = psutil.Process()
    make_executor(make_context(), isolate=True).close(abort=True)
    before = process.num_fds()
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        for isolate in (True, False):
            make_executor(make_context(), isolate=isolate).close(abort=True)
    assert eventually(lambda: process.num_fds() <= before + 2)
