"""Worker processes of our own: started, reused, replaced, ended."""

import multiprocessing
import os
import signal
import sys
import warnings

import psutil
import pytest

from optunasearch._space import Point
from optunasearch.execution._context_file import PickledContext
from optunasearch.execution._records import TrialTask
from optunasearch.execution._slots import Slot, _WarmSlots, warm_slots
from tests.execution.estimators import At, Sleep, die, eventually

SETUP = (list(sys.path), {"n_jobs": 1}, [])


@pytest.fixture
def slots():
    """A collection of slots of the test's own."""
    slots = _WarmSlots()
    yield slots
    slots.kill_all()


@pytest.fixture(scope="module")
def shared_slot():
    """One slot for the tests that leave it usable."""
    slot = Slot({"OMP_NUM_THREADS": "1"})
    yield slot
    slot.kill()


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a context into a file of its own."""

    def write_context(context, name="first"):
        (tmp_path / name).mkdir()
        return PickledContext(context).write(str(tmp_path / name))

    return write_context


def next_reply(slot):
    assert slot.connection.poll(60)
    return slot.receive()


def task_at(x, folds=(0, 1)):
    return TrialTask(0, Point({"x": x}), folds)


def test_a_slot_opens_a_context_and_evaluates(shared_slot, write, make_context):
    path = write(make_context())
    shared_slot.open(path, SETUP, 0)
    assert next_reply(shared_slot) == ("ready", path)
    task = task_at(4)
    shared_slot.run(task)
    assert shared_slot.task is task
    kind, results = next_reply(shared_slot)
    assert kind == "done"
    assert [result.fold for result in results] == [0, 1]


def test_a_slot_opens_one_context_after_the_other(shared_slot, write, make_context):
    paths = [write(make_context(), name) for name in ("first", "second")]
    for path in paths:
        shared_slot.open(path, SETUP, 0)
    assert [next_reply(shared_slot) for _ in paths] == [("ready", path) for path in paths]
    shared_slot.forget()
    assert not shared_slot.is_idle


def test_a_worker_that_dies_in_a_fit_is_noticed(write, make_context):
    slot = Slot({})
    slot.open(write(make_context(At((4,), die))), SETUP, 0)
    next_reply(slot)
    slot.run(task_at(4))
    with pytest.raises(EOFError):
        next_reply(slot)
    assert f"worker process {slot.process.pid} ended with signal 9" in slot.exit_reason
    slot.kill()


def test_a_killed_slot_is_gone_even_in_the_middle_of_a_fit(write, make_context):
    slot = Slot({})
    slot.open(write(make_context(Sleep(600))), SETUP, 0)
    next_reply(slot)
    slot.run(task_at(4))
    slot.kill()
    assert not psutil.pid_exists(slot.process.pid)
    slot.kill()  # twice is harmless


def test_workers_leave_ctrl_c_to_the_driver(shared_slot, write, make_context):
    path = write(make_context())
    shared_slot.open(path, SETUP, 0)
    next_reply(shared_slot)
    os.kill(shared_slot.process.pid, signal.SIGINT)
    shared_slot.run(task_at(4))
    assert next_reply(shared_slot)[0] == "done"


def test_only_a_slot_with_the_same_environment_is_reused(slots):
    slot = slots.start({"OMP_NUM_THREADS": "1"})
    slots.give_back(slot)
    assert slots.take({"OMP_NUM_THREADS": "2"}) is None
    assert slots.take({"OMP_NUM_THREADS": "1"}) is slot
    assert slots.take({"OMP_NUM_THREADS": "1"}) is None  # never to two searches


def test_a_dead_slot_is_not_reused(slots):
    slot = slots.start({})
    slots.give_back(slot)
    os.kill(slot.process.pid, signal.SIGKILL)
    assert eventually(lambda: not slot.process.is_alive())
    assert slots.take({}) is None


def test_kill_all_ends_used_and_idle_slots(slots):
    used, idle = slots.start({}), slots.start({})
    slots.give_back(idle)
    slots.kill_all()
    assert not psutil.pid_exists(used.process.pid)
    assert not psutil.pid_exists(idle.process.pid)


def end_without_slots(connection):
    connection.send((warm_slots.take({}), len(warm_slots._slots)))
    warm_slots.kill_all()


def test_a_forked_child_leaves_its_parents_slots_alone(no_slots):
    slot = warm_slots.start({})
    warm_slots.give_back(slot)
    ours, theirs = multiprocessing.Pipe()
    with warnings.catch_warnings():
        # Python 3.12 warns about every fork of a process with threads.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = multiprocessing.get_context("fork").Process(
            target=end_without_slots, args=(theirs,)
        )
        child.start()
    assert ours.poll(60)
    assert ours.recv() == (None, 0)
    child.join()
    assert slot.process.is_alive()
    assert warm_slots.take({}) is slot
