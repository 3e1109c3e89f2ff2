"""scikit-learn's callbacks see a search as they see GridSearchCV."""

import os
import pickle
import signal
from collections import Counter
from pathlib import Path

import pytest
from sklearn.callback import CallbackContext, ProgressBar, ScoringMonitor
from sklearn.callback._callback_context import get_context_path
from sklearn.datasets import load_iris
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from optunasearch import OptunaSearchCV
from optunasearch._callback_tree import CallbackTree
from optunasearch._sklearn import detached

X, Y = load_iris(return_X_y=True)
TREE = DecisionTreeClassifier(random_state=0)
GRID = {"max_depth": [1, 2, 3]}
# A time limit for trials keeps every fit in the worker processes.
IN_WORKERS = {"n_jobs": 2, "trial_timeout": 300}
where = pytest.mark.parametrize("kwargs", [{}, IN_WORKERS], ids=["one process", "workers"])


class Recorder:
    """Appends a line for each hook to a file, from whatever process."""

    def __init__(self, path):
        self.path = path

    def setup(self, estimator, context):
        self._write("setup", context)

    def teardown(self, estimator, context):
        self._write("teardown", context)

    def on_fit_task_begin(self, estimator, context, *, X, y):
        self._write("begin", context, "-" if X is None else len(X))

    def on_fit_task_end(self, estimator, context, *, X, y):
        self._write("end", context, "-" if X is None else len(X))

    def _write(self, event, context, n_rows="-"):
        ids = "/".join(str(c.task_id) for c in get_context_path(context))
        with open(self.path, "a") as file:
            file.write(f"{event} {context.task_name} {ids} {context.max_subtasks} {n_rows}\n")


class Failing(DecisionTreeClassifier):
    """Does not fit at a depth of two."""

    def fit(self, X, y):
        if self.max_depth == 2:
            raise RuntimeError("two")
        return super().fit(X, y)


class Dying(DecisionTreeClassifier):
    """Takes its process with it, the first time that it is fitted."""

    def __init__(self, path=None, max_depth=None):
        super().__init__(max_depth=max_depth)
        self.path = path

    def fit(self, X, y):
        if not Path(self.path).exists():
            Path(self.path).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(X, y)


@pytest.fixture
def record(tmp_path):
    """Fit a search under a recorder and return its lines."""

    def fit(search):
        path = tmp_path / f"hooks {len(list(tmp_path.iterdir()))}"
        try:
            search.set_callbacks(Recorder(path)).fit(X, Y)
        finally:
            record.lines = path.read_text().splitlines()
        return record.lines

    record = fit
    return record


def events(lines, kind):
    return Counter(line.split(" ", 1)[1] for line in lines if line.startswith(f"{kind} "))


def leaves(lines, kind="begin"):
    ids = [line.split()[2] for line in lines if line.startswith(f"{kind} candidate-split")]
    return [int(path.rsplit("/", 1)[1]) for path in ids]


def assert_balanced(lines):
    assert events(lines, "begin") == events(lines, "end")
    assert events(lines, "setup").total() == events(lines, "teardown").total() == 1
    opened = Counter()
    for line in lines:
        event, task = line.split(" ", 1)
        opened[task] += {"begin": 1, "end": -1}.get(event, 0)
        assert opened[task] >= 0


# Hooks


@where
def test_the_hooks_are_those_of_grid_search(record, kwargs):
    ours = record(OptunaSearchCV(TREE, GRID, cv=2, **kwargs))
    theirs = record(GridSearchCV(TREE, GRID, cv=2))
    assert_balanced(ours)
    assert sorted(ours) == sorted(theirs)
    if not kwargs:
        assert ours == theirs
    assert sorted(leaves(ours)) == list(range(6))


def test_without_a_refit_it_has_no_context(record):
    ours = record(OptunaSearchCV(TREE, GRID, cv=2, refit=False))
    assert ours == record(GridSearchCV(TREE, GRID, cv=2, refit=False))
    assert not any("refit" in line for line in ours)


@where
def test_the_hooks_of_failed_fits_are_balanced(record, kwargs):
    search = OptunaSearchCV(Failing(), GRID, cv=2, **kwargs)
    with pytest.warns((FitFailedWarning, UserWarning)):
        lines = record(search)
    assert_balanced(lines)
    assert sorted(leaves(lines)) == list(range(6))


@where
def test_an_exception_ends_the_leaf_and_tears_down(record, kwargs):
    search = OptunaSearchCV(Failing(), {"max_depth": [2]}, cv=2, error_score="raise", **kwargs)
    with pytest.raises(RuntimeError, match="two"):
        record(search)
    assert leaves(record.lines) == leaves(record.lines, "end")
    assert [line.split()[0] for line in record.lines[-2:]] == ["end", "teardown"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_the_leaf_of_a_lost_worker_is_ended(record, tmp_path):
    estimator = Dying(str(tmp_path / "died"))
    lines = record(OptunaSearchCV(estimator, GRID, cv=2, **IN_WORKERS))
    assert events(lines, "setup").total() == events(lines, "teardown").total() == 1
    begun, ended = Counter(leaves(lines)), Counter(leaves(lines, "end"))
    assert begun == ended
    assert sorted(begun) == list(range(6))
    assert begun.total() == 7  # the lost one twice


def test_folds_that_are_not_run_open_no_leaf(record):
    repeated = {"max_depth": [1] * 10}
    stopped = record(OptunaSearchCV(TREE, repeated, cv=2, patience=2))
    assert leaves(stopped) == list(range(6))
    space = {"max_depth": [1, 2]}
    search = OptunaSearchCV(TREE, space, cv=2, n_trials=6, sampler="random", random_state=0)
    lines = record(search)
    fitted = [i for i, status in enumerate(search.trials_["status"]) if status == "complete"]
    assert leaves(lines) == [2 * number + fold for number in fitted for fold in (0, 1)]
    assert len(fitted) == 2


def test_without_callbacks_tasks_carry_no_contexts():
    assert not CallbackTree(OptunaSearchCV(TREE, GRID), X, Y, {}).is_active
    inner = make_pipeline(StandardScaler().set_callbacks(Recorder("")), TREE)
    assert CallbackTree(OptunaSearchCV(inner, {}), X, Y, {}).is_active


# scikit-learn's own callbacks


@where
def test_scoring_monitor_logs_what_it_logs_in_grid_search(kwargs):
    def scores(search):
        monitor = ScoringMonitor(scoring="accuracy")
        search.estimator = LogisticRegression(max_iter=4).set_callbacks(monitor)
        with pytest.warns():  # not converged
            search.fit(X, Y)
        log = monitor.get_logs().data
        return sorted((*row["task_id_path"], row["accuracy"]) for row in log)

    ours = scores(OptunaSearchCV(None, {"C": [0.1, 1.0]}, cv=2, **kwargs))
    theirs = scores(GridSearchCV(None, {"C": [0.1, 1.0]}, cv=2))
    assert len(ours) >= (2 * 2 + 1) * 4
    assert [row[:-1] for row in ours] == [row[:-1] for row in theirs]
    assert [row[-1] for row in ours] == pytest.approx([row[-1] for row in theirs], abs=0.02)


@where
def test_progress_bar(capsys, kwargs):
    pytest.importorskip("rich", reason="needs rich")
    search = OptunaSearchCV(make_pipeline(StandardScaler(), TREE), {}, cv=2, **kwargs)
    search.set_callbacks(ProgressBar()).fit(X, Y)
    out = capsys.readouterr().out
    for task in ("OptunaSearchCV - fit", "OptunaSearchCV - search", "Pipeline - fit"):
        (line,) = [line for line in out.splitlines() if task in line][-1:]
        assert "100%" in line


# The size of what travels


def test_a_detached_leaf_is_small_and_knows_its_path():
    search = OptunaSearchCV(TREE, GRID).set_callbacks(Recorder("path"))
    root = CallbackContext._from_estimator(search, "fit", 0, 2, True)
    folds = root.subcontext("search", max_subtasks=2000, sequential_subtasks=False)
    all_leaves = [folds.subcontext("leaf", task_id=i) for i in range(2000)]
    alone = detached(all_leaves[1234])
    assert len(pickle.dumps(alone)) < 2_000 < 100_000 < len(pickle.dumps(all_leaves[1234]))
    path = [(c.task_name, c.task_id) for c in get_context_path(pickle.loads(pickle.dumps(alone)))]
    assert path == [("fit", 0), ("search", 0), ("leaf", 1234)]
    assert list(alone.parent._children_map.values()) == [alone]
    assert len(folds._children_map) == 2000  # the original keeps its children
