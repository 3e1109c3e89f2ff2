"""The predictions of a search's trials, within bounds."""

import os

import numpy as np
import pytest

from optunasearch._prediction_store import PredictionStore
from optunasearch._space import Point
from optunasearch.execution._records import FoldPredictions, FoldResult, Stop, TrialRecord

N_BYTES = 2 * 100 * 4  # two folds of 100 rows in single precision


def make_record(number, score, *, model=None, **changes):
    record = TrialRecord(number, Point({"x": number}), 2, **changes)
    for fold in range(2):
        values = np.full(100, number + fold / 2, dtype=np.float32)
        predictions = FoldPredictions({"decision_function": values})
        path = None if model is None else str(model / f"{number}-{fold}")
        if path is not None:
            open(path, "w").close()
        record.results[fold] = FoldResult(
            fold, score, None, 0.1, 0.1, 100, predictions=predictions, model=path
        )
    return record


@pytest.fixture
def make_store():
    stores = []

    def make(max_bytes=10**6, *, best_wins=True):
        stores.append(
            PredictionStore(
                lambda record: record.results[0].test_scores,
                best_wins=best_wins,
                max_bytes=max_bytes,
            )
        )
        return stores[-1]

    yield make
    for store in stores:
        store.close()


def first_value(folds):
    return float(folds[0].responses["decision_function"][0])


def test_records_are_freed_of_their_predictions(make_store):
    record = make_record(3, 0.5)
    store = make_store()
    store.add(record)
    assert all(result.predictions is None for result in record.results.values())
    assert first_value(store.of(3)) == 3.0


@pytest.mark.parametrize("scores", [range(10), range(10, 0, -1), [3, 3, 3, 1, 7, 7, 2, 9, 0, 3]])
def test_memory_is_bounded_and_nothing_is_lost(make_store, scores):
    store = make_store(3 * N_BYTES)
    for number, score in enumerate(scores):
        store.add(make_record(number, float(score)))
        assert sum(p.nbytes for folds in store._held.values() for p in folds) <= 3 * N_BYTES
    for number in range(10):
        assert first_value(store.of(number)) == number
    best = sorted(range(10), key=lambda number: (-scores[number], number))[:3]
    assert sorted(store.best()) == sorted(best)


def test_the_temporary_folder_goes_away(make_store):
    store = make_store(N_BYTES)
    for number in range(3):
        store.add(make_record(number, 0.0))
    folder = store.folder
    assert len(os.listdir(folder)) == 2
    store.close()
    assert not os.path.exists(folder)


def test_one_that_is_larger_than_the_limit_is_still_held(make_store):
    store = make_store(1)
    store.add(make_record(0, 0.0))
    assert list(store.best()) == [0]


def test_a_duplicate_has_those_of_the_first(make_store):
    store = make_store()
    first = make_record(0, 0.5)
    store.add(first)
    copy = TrialRecord(1, first.point, 2, results=dict(first.results), duplicate_of=0)
    store.add(copy)
    assert first_value(store.of(1)) == 0.0
    assert list(store.best()) == [0]


def test_pruned_and_failed_trials_are_dropped(make_store, tmp_path):
    store = make_store()
    store.add(make_record(0, 0.5, stop=Stop(2, {"score": 0.5}), model=tmp_path))
    failed = make_record(1, 0.5)
    failed.results[1] = FoldResult(1, np.nan, None, 0.1, 0.0, 100, fit_error="ValueError")
    store.add(failed)
    assert store.of(0) is None
    assert store.of(1) is None
    assert os.listdir(tmp_path) == []


def test_models_of_who_cannot_win_are_removed(make_store, tmp_path):
    store = make_store()
    for number, score in enumerate([0.5, 0.4, 0.7, 0.7, np.nan]):
        store.add(make_record(number, score, model=tmp_path))
    assert sorted(os.listdir(tmp_path)) == ["2-0", "2-1"]
    assert [os.path.basename(path) for path in store.models_of(2)] == ["2-0", "2-1"]


def test_all_models_are_kept_where_any_may_win(make_store, tmp_path):
    store = make_store(best_wins=False)
    for number, score in enumerate([0.5, 0.4, 0.7]):
        store.add(make_record(number, score, model=tmp_path))
    assert len(os.listdir(tmp_path)) == 6
