"""What workers are given: written once, opened once, shared where it is large."""

import os
import pickle
import subprocess
import sys
import textwrap
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from optunasearch.exceptions import PicklingSearchError
from optunasearch.execution._context_file import PickledContext, SearchFolder, open_context

LARGE = 200_000  # float64 numbers; more than a mapped buffer needs


@pytest.fixture
def reopened(tmp_path):
    """Return a function that writes a context and opens it again."""

    def reopen(**context):
        return open_context(PickledContext(SimpleNamespace(**context)).write(str(tmp_path)))

    return reopen


def is_mapped(array):
    """Whether an array is a view of a memory map."""
    base = array
    while isinstance(base, np.ndarray) and base.base is not None:
        base = base.base
    return isinstance(base, memoryview) and base.readonly


@pytest.mark.parametrize("order", ["C", "F"])
def test_large_arrays_are_mapped_and_read_only(reopened, order):
    X = np.asarray(np.random.default_rng(0).normal(size=(LARGE // 4, 4)), order=order)
    opened = reopened(X=X).X
    np.testing.assert_array_equal(opened, X)
    assert opened.flags[f"{order}_CONTIGUOUS"]
    assert is_mapped(opened)
    with pytest.raises(ValueError, match="read-only"):
        opened[0, 0] = 1.0


def test_small_arrays_are_copies_that_can_be_written(reopened):
    opened = reopened(y=np.arange(10)).y
    opened[0] = 5
    assert opened[0] == 5


def test_buffers_are_aligned_whatever_is_before_them(reopened):
    opened = reopened(
        flags=np.ones(LARGE * 8 + 3, dtype=bool), X=np.arange(LARGE, dtype=np.float64)
    )
    assert opened.X.ctypes.data % 64 == 0
    assert opened.flags.all()


def test_slices_arrive_with_their_values(reopened):
    X = np.arange(2.0 * LARGE).reshape(-1, 4)
    np.testing.assert_array_equal(reopened(X=X[:, ::2]).X, X[:, ::2])


def test_one_array_under_two_names_is_written_once(tmp_path):
    X = np.zeros(LARGE)
    pickled = PickledContext(SimpleNamespace(X=X, weights=X))
    assert X.nbytes < pickled.nbytes < 1.1 * X.nbytes
    path = pickled.write(str(tmp_path))
    assert os.path.getsize(path) == X.nbytes
    opened = open_context(path)
    assert opened.X is opened.weights


def test_sparse_matrices_are_mapped(reopened):
    X = sparse.random_array((4000, 1000), density=0.1, format="csr", rng=0)
    opened = reopened(X=X).X
    assert is_mapped(opened.data)
    assert (opened != X).nnz == 0
    np.testing.assert_array_equal(opened[[3, 5]].toarray(), X[[3, 5]].toarray())


def test_data_frames_keep_types_and_index_and_share_their_numbers(reopened):
    pd = pytest.importorskip("pandas", reason="needs pandas")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(LARGE, 2)), columns=["a", "b"])
    frame["when"] = pd.date_range("2020", periods=LARGE, freq="h")
    frame["kind"] = pd.Categorical(["u", "v"] * (LARGE // 2))
    frame.index = pd.Index(np.arange(LARGE) * 3)
    opened = reopened(X=frame).X
    pd.testing.assert_frame_equal(opened, frame)
    assert is_mapped(opened["a"].to_numpy())


@pytest.mark.parametrize(
    "X",
    [
        [[1.0, 2.0], [3.0, 4.0]],
        ["some", "texts"],
        np.array([{"a": 1}, None], dtype=object),
        np.array(["words", "of", "text"]),
        np.zeros((2, 3, 4)),
        np.zeros((0, 3)),
    ],
    ids=["lists", "texts", "objects", "strings", "n-d", "empty"],
)
def test_other_data_arrive_as_they_are(reopened, X):
    opened = reopened(X=X).X
    assert type(opened) is type(X)
    np.testing.assert_array_equal(opened, X)


def test_polars_frames_arrive(reopened):
    pl = pytest.importorskip("polars", reason="polars is not among the test requirements")
    frame = pl.DataFrame({"a": [1.0, 2.0], "b": ["u", "v"]})
    assert reopened(X=frame).X.equals(frame)


def test_functions_and_classes_of_the_script_arrive(tmp_path):
    # Written by a script, opened by this process, which cannot import them.
    script = """
        import sys
        from types import SimpleNamespace
        from sklearn.base import BaseEstimator
        from optunasearch.execution._context_file import PickledContext

        class Mine(BaseEstimator):
            def __init__(self, power=2):
                self.power = power

            def compute(self, number):
                return number ** self.power

        def adder(summand):
            return lambda number: number + summand

        context = SimpleNamespace(estimator=Mine(power=3), scorer=adder(10))
        PickledContext(context).write(sys.argv[1])
    """
    code = textwrap.dedent(script)
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    opened = open_context(str(tmp_path / "context"))
    assert opened.estimator.compute(2) == 8
    assert opened.scorer(1) == 11


class Lockable:
    def __init__(self):
        self.lock = threading.Lock()


def test_the_error_names_the_attribute_that_cannot_be_pickled():
    estimator = LogisticRegression()
    estimator.tools = {"database": [None, Lockable()]}
    with pytest.raises(PicklingSearchError) as caught:
        PickledContext(SimpleNamespace(X=np.zeros(3), estimator=estimator))
    message = str(caught.value)
    assert message.startswith("estimator.tools['database'][1].lock (lock) cannot be sent")
    assert "n_jobs=None" in message
    assert isinstance(caught.value.__cause__, TypeError)


def test_the_error_copes_with_cycles():
    estimator = Lockable()
    estimator.myself = estimator
    with pytest.raises(PicklingSearchError, match=r"^estimator\.lock"):
        PickledContext(SimpleNamespace(estimator=estimator))


class Unpicklable:
    def __reduce__(self):
        raise ValueError("I stay here")


def test_an_object_that_refuses_is_named():
    with pytest.raises(PicklingSearchError, match=r"^X \(Unpicklable\).*I stay here"):
        PickledContext(SimpleNamespace(X=Unpicklable()))


def test_a_folder_is_removed_with_all_that_is_in_it():
    folder = SearchFolder(nbytes=10)
    PickledContext(SimpleNamespace(X=np.zeros(LARGE))).write(folder.path)
    folder.remove()
    assert not os.path.exists(folder.path)
    folder.remove()  # twice is harmless


def test_maps_outlive_their_folder(tmp_path):
    folder = SearchFolder(nbytes=10)
    path = PickledContext(SimpleNamespace(X=np.ones(LARGE))).write(folder.path)
    X = open_context(path).X
    folder.remove()
    assert X.sum() == LARGE


@pytest.mark.parametrize("name", ["there", "not/yet/there"])
def test_the_folder_is_where_joblib_would_put_it(tmp_path, monkeypatch, name):
    (tmp_path / "there").mkdir()
    monkeypatch.setenv("JOBLIB_TEMP_FOLDER", str(tmp_path / name))
    folder = SearchFolder(nbytes=10)
    try:
        assert os.path.dirname(folder.path) == str(tmp_path / name)
    finally:
        folder.remove()


def test_a_pickle_of_spans_is_all_that_travels_besides(tmp_path):
    path = PickledContext(SimpleNamespace(X=np.zeros(LARGE))).write(str(tmp_path))
    with open(f"{path}.pickle", "rb") as file:
        spans, main = pickle.load(file)
    assert spans == [(0, LARGE * 8)]
    assert len(main) < 1000
