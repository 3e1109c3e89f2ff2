"""The worker's side of a slot, served by this process."""

import gc
import pickle
import sys
import warnings
import weakref

import cloudpickle
import numpy as np
import pytest

from optunasearch._space import Point
from optunasearch.execution._context_file import PickledContext
from optunasearch.execution._records import TrialTask
from optunasearch.execution._worker import _Opened
from tests.execution.estimators import At, Raise

PLAIN_SETUP = ([], {"n_jobs": 1}, [])


@pytest.fixture(autouse=True)
def restored(monkeypatch):
    """Undo what a worker does to its own process."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    with warnings.catch_warnings():
        yield
    gc.unfreeze()


@pytest.fixture
def opened(tmp_path):
    """Return a function that opens a context as a worker does; it returns worker, reply."""

    def open_in_worker(context, filters=()):
        path = PickledContext(context).write(str(tmp_path))
        worker = _Opened()
        setup = (path, 0, list(sys.path), {"n_jobs": 1}, list(filters) or list(warnings.filters))
        return worker, pickle.loads(worker.open(cloudpickle.dumps(setup)))

    return open_in_worker


def run(worker, task):
    return pickle.loads(worker.run(pickle.dumps(task)))


def task_at(x, folds=(0, 1)):
    return TrialTask(3, Point({"x": x}), folds)


def test_a_task_comes_back_with_its_results(opened, make_context):
    worker, (kind, _) = opened(make_context())
    assert kind == "ready"
    kind, results = run(worker, task_at(4))
    assert kind == "done"
    assert [result.fold for result in results] == [0, 1]
    assert all(np.isfinite(result.test_scores) for result in results)


def test_a_reply_names_the_context_it_is_about(opened, make_context, tmp_path):
    _, (kind, path) = opened(make_context())
    assert (kind, path) == ("ready", str(tmp_path / "context"))


def test_a_context_that_is_gone_is_reported(tmp_path):
    payload = cloudpickle.dumps((str(tmp_path / "gone"), 0, *PLAIN_SETUP))
    kind, (path, text) = pickle.loads(_Opened().open(payload))
    assert kind == "failed"
    assert path == str(tmp_path / "gone")
    assert "FileNotFoundError" in text


def test_what_a_fit_raises_comes_back_with_its_notes(opened, make_context):
    action = At((4,), Raise(ZeroDivisionError, ("1/0",)))
    worker, _ = opened(make_context(action, error_score="raise"))
    kind, error = run(worker, task_at(4, (1,)))
    assert kind == "raised"
    assert type(error) is ZeroDivisionError
    notes = "\n".join(error.__notes__)
    assert "trial 3, fold 1, parameters {'x': 4}" in notes
    assert "in fit" in notes  # the worker's traceback
    assert run(worker, task_at(5))[0] == "done"  # and the worker lives on


def make_error_class():
    class ClosureError(Exception):
        pass

    return ClosureError


class PickyError(Exception):
    """An exception that cannot be unpickled, as many are by accident."""

    def __init__(self, first, second):
        super().__init__(f"{first} {second}")


class RefusingError(Exception):
    def __reduce__(self):
        raise TypeError("not me")


def test_an_error_class_of_the_users_script_keeps_its_type(opened, make_context):
    error_class = make_error_class()
    worker, _ = opened(make_context(Raise(error_class, ("boom",)), error_score="raise"))
    _, error = run(worker, task_at(4))
    assert type(error) is error_class
    assert str(error) == "boom"


@pytest.mark.parametrize(
    ("error_class", "arguments"),
    [(PickyError, ("not", "loadable")), (RefusingError, ("refused",))],
)
def test_an_error_that_cannot_travel_is_told_in_words(error_class, arguments, opened, make_context):
    worker, _ = opened(make_context(Raise(error_class, arguments), error_score="raise"))
    kind, told = run(worker, task_at(4, (1,)))
    assert kind == "raised"
    text = "".join([str(told), *getattr(told, "__notes__", [])])
    assert error_class.__name__ in text
    assert " ".join(arguments) in text
    assert "trial 3, fold 1, parameters {'x': 4}" in text


def test_warning_filters_are_the_drivers(opened, make_context):
    with warnings.catch_warnings():
        warnings.resetwarnings()
        warnings.filterwarnings("error", message="some text")
        filters = list(warnings.filters)
    opened(make_context(), filters)
    assert warnings.filters == filters
    with pytest.raises(UserWarning, match="some text"):
        warnings.warn("some text", UserWarning, stacklevel=1)


def test_a_context_is_not_loaded_under_the_filters_of_the_search_before(tmp_path, make_context):
    class Loud:
        def __reduce__(self):
            return warnings.warn, ("I am being loaded",)

    errors = [("error", None, Warning, None, 0)]
    plain = list(warnings.filters)
    warnings.filters[:] = [("ignore", None, Warning, None, 0)]
    worker = _Opened()
    for name, action, filters in (("one", None, errors), ("two", Loud(), plain)):
        folder = tmp_path / name
        folder.mkdir()
        path = PickledContext(make_context(action)).write(str(folder))
        setup = (path, 0, list(sys.path), {"n_jobs": 1}, filters)
        kind, reply = pickle.loads(worker.open(cloudpickle.dumps(setup)))
        assert kind == "ready", reply


class Knot:
    """An object in a reference cycle, as classes of a script are."""

    def __init__(self):
        self.myself = self

    def __call__(self, model):
        pass


def test_a_closed_context_is_freed(opened, make_context):
    worker, _ = opened(make_context(Knot()))
    run(worker, task_at(1))
    knot = weakref.ref(worker._context.estimator.action)
    worker.close()
    assert knot() is None
