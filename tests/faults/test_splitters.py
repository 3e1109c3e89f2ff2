"""Splitters that do not say the same twice, or that contradict themselves."""

import joblib
import numpy as np
import pytest
from sklearn.model_selection import KFold, RepeatedKFold, ShuffleSplit

from optunasearch import OptunaSearchCV
from tests.execution.estimators import LABELS, ROWS, Acting

PLACES = {"in-process": ("loky", 1), "threads": ("threading", 2), "processes": ("loky", 2)}


class Fickle:
    """Gives other folds each time it is asked, and counts."""

    def __init__(self):
        self.n_calls = 0

    def split(self, X, y=None, groups=None):
        self.n_calls += 1
        rng = np.random.default_rng(self.n_calls)
        for _ in range(3):
            rows = rng.permutation(len(X))
            yield rows[:20], rows[20:]

    def get_n_splits(self, X=None, y=None, groups=None):
        return 3


class Boastful(Fickle):
    """Promises more folds than it gives."""

    def get_n_splits(self, X=None, y=None, groups=None):
        return 5


def search(cv, place="in-process", **settings):
    backend, n_jobs = PLACES[place]
    settings = {"refit": False, "reuse_duplicates": False, "n_jobs": n_jobs} | settings
    with joblib.parallel_config(backend):
        return OptunaSearchCV(Acting(), {"x": [1] * 6}, sampler="grid", cv=cv, **settings).fit(
            ROWS, LABELS
        )


def fold_scores(found):
    return np.array(
        [found.cv_results_[f"split{fold}_test_score"] for fold in range(found.n_splits_)]
    )


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "make_cv",
    [
        lambda: ShuffleSplit(3),
        lambda: KFold(3, shuffle=True),
        lambda: RepeatedKFold(n_splits=2, n_repeats=2),
        Fickle,
        lambda: ((train, test) for train, test in KFold(3).split(ROWS)),
        lambda: iter(list(Fickle().split(ROWS))),
    ],
    ids=["ShuffleSplit", "KFold", "RepeatedKFold", "fickle", "generator", "iterator"],
)
def test_every_trial_sees_the_same_folds(place, make_cv):
    scores = fold_scores(search(make_cv(), place))
    assert scores.shape[1] == 6
    assert (scores == scores[:, :1]).all()
    assert len(np.unique(scores[:, 0])) == len(scores)  # the folds do differ


def test_a_splitter_is_asked_once():
    cv = Fickle()
    search(cv)
    assert cv.n_calls == 1


@pytest.mark.parametrize("place", PLACES)
def test_a_splitter_that_contradicts_itself_is_an_error(place):
    with pytest.raises(ValueError, match="inconsistent results. Expected 5 splits, got 3"):
        search(Boastful(), place)


@pytest.mark.parametrize("cv", [[], iter(())], ids=["list", "iterator"])
def test_no_folds_are_an_error(cv):
    with pytest.raises(ValueError, match="Was the CV iterator empty"):
        search(cv)


def test_a_shuffling_search_repeats_itself_only_with_a_seed():
    def scores(seed):
        return fold_scores(search(ShuffleSplit(3, random_state=seed)))

    assert (scores(0) == scores(0)).all()
    assert (scores(None) != scores(None)).any()
