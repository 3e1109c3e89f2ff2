"""Searches over iterative estimators: stopped inside a fit, kept at the best epoch."""

import numpy as np
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import TrialState
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedKFold,
    cross_val_score,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from optunasearch import OptunaSearchCV
from optunasearch.pruning import Epochs, Race

X, Y = load_diabetes(return_X_y=True)
CANCER = load_breast_cancer(return_X_y=True)
CV = KFold(3, shuffle=True, random_state=0)
N_TREES = 30
MODEL = GradientBoostingRegressor(n_estimators=N_TREES, random_state=0)
SPACE = {"learning_rate": FloatDistribution(0.0001, 2.0, log=True), "max_depth": [1, 2, 3, 4]}


def a_search(model=MODEL, space=SPACE, **changes):
    plain = dict(n_trials=15, cv=CV, sampler="random", random_state=0)
    return OptunaSearchCV(model, space, **{**plain, **changes})


@pytest.fixture(scope="module")
def best():
    space = {"learning_rate": FloatDistribution(0.2, 2.0, log=True)}
    return a_search(space=space, epochs="best").fit(X, Y)


def test_fits_are_stopped_inside():
    search = a_search().fit(X, Y)
    full = a_search(pruner=None).fit(X, Y)
    assert search.best_params_ == full.best_params_
    assert search.best_score_ == full.best_score_
    assert 0 in search.cv_results_["n_splits_run"]
    assert search.best_epoch_ is None
    assert full.n_epochs_ == 0 < search.n_epochs_
    stopped = [
        trial
        for trial, n_run in zip(search.study_.trials, search.trials_["n_splits_run"], strict=True)
        if n_run == 0
    ]
    for trial in stopped:
        assert trial.state == TrialState.PRUNED
        assert set(trial.intermediate_values) <= {1, 3, 10, 20}
    # The first fold has a curve, the others their scores at their last epochs.
    first = search.study_.trials[0]
    assert list(first.intermediate_values) == [1, 3, 10, 20, 30, 60, 90]
    assert first.user_attrs["steps_per_fold"] == N_TREES
    ends = [first.intermediate_values[step] for step in (30, 60, 90)]
    assert np.mean(ends) == pytest.approx(first.value)
    # Every epoch counts, also of the folds that nobody looked into.
    n_full = sum(search.trials_["n_splits_run"])
    n_inside = sum(max(trial.intermediate_values) for trial in stopped)
    assert search.n_epochs_ == n_full * N_TREES + n_inside


def test_complete_trials_score_what_they_would_without_us():
    model = HistGradientBoostingClassifier(max_iter=10, random_state=0)
    space = {"learning_rate": FloatDistribution(0.01, 1.0, log=True)}
    search = a_search(model, space, scoring="roc_auc").fit(*CANCER)
    full = a_search(model, space, scoring="roc_auc", pruner=None).fit(*CANCER)
    complete = search.cv_results_["status"] == "complete"
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"][complete],
        full.cv_results_["mean_test_score"][complete],
    )
    assert not complete.all()


def test_the_best_epoch_is_the_same_in_all_folds(best):
    results = best.cv_results_
    assert best.best_epoch_ == results["best_epoch"][best.best_index_]
    for row in np.flatnonzero(results["status"] == "complete")[:3]:
        epoch = int(results["best_epoch"][row])
        shorter = clone(MODEL).set_params(**results["params"][row], n_estimators=epoch)
        scores = cross_val_score(shorter, X, Y, cv=CV)
        found = [results[f"split{fold}_test_score"][row] for fold in range(3)]
        np.testing.assert_array_equal(found, scores)
        assert results["mean_test_score"][row] == pytest.approx(scores.mean())


def test_the_best_epoch_is_the_best_of_the_mean_curve(best):
    trial = best.study_.trials[best.best_index_]
    curves = np.reshape(list(trial.intermediate_values.values()), (3, -1))
    # One epoch for all folds, never the mean of each fold's best.
    assert trial.value == pytest.approx(curves.mean(axis=0).max())
    assert trial.value < curves.max(axis=1).mean()


def test_the_refit_ends_at_the_best_epoch(best):
    assert best.best_estimator_.n_estimators_ == best.best_epoch_ < N_TREES
    again = clone(best.best_estimator_).fit(X, Y)
    np.testing.assert_array_equal(best.predict(X), again.predict(X))


@pytest.mark.parametrize("pruner", ["median", Race(risk=1e-9)])
def test_the_best_epoch_with_any_pruner(pruner):
    full = a_search(epochs="best", pruner=None).fit(X, Y)
    assert not full.cv_results_["best_epoch"].mask.any()
    search = a_search(epochs="best", pruner=pruner).fit(X, Y)
    complete = search.cv_results_["status"] == "complete"
    for name in ("mean_test_score", "best_epoch"):
        np.testing.assert_array_equal(
            search.cv_results_[name][complete], full.cv_results_[name][complete]
        )


def test_the_best_epoch_of_a_grid():
    search = OptunaSearchCV(MODEL, {"learning_rate": [0.05, 0.5]}, epochs="best", cv=CV).fit(X, Y)
    assert search.cv_results_["best_epoch"][0] > search.cv_results_["best_epoch"][1]


def test_all_scores_are_those_of_the_best_epoch():
    scoring = ["r2", "neg_mean_absolute_error"]
    search = a_search(epochs="best", scoring=scoring, refit="r2", n_trials=5).fit(X, Y)
    params = {**search.best_params_, "n_estimators": search.best_epoch_}
    shorter = clone(MODEL).set_params(**params)
    for name in scoring:
        expected = cross_val_score(shorter, X, Y, cv=CV, scoring=name).mean()
        assert search.cv_results_[f"mean_test_{name}"][search.best_index_] == pytest.approx(
            expected
        )


def test_workers_find_the_same(best):
    one = a_search(epochs="best", max_pending=3).fit(X, Y)
    two = a_search(epochs="best", max_pending=3, n_jobs=2).fit(X, Y)
    for name in ("mean_test_score", "best_epoch", "n_splits_run", "estimated_test_score"):
        np.testing.assert_array_equal(one.cv_results_[name], two.cv_results_[name])


def test_every_says_which_epochs_are_looked_at():
    epochs = Epochs(keep="best", every=7)
    search = a_search(epochs=epochs, pruner=None, n_trials=2).fit(X, Y)
    assert list(search.study_.trials[0].intermediate_values)[:5] == [7, 14, 21, 28, 30]
    assert set(search.cv_results_["best_epoch"]) <= {7, 14, 21, 28, 30}


def test_an_inner_split_leaves_the_test_rows_alone():
    epochs = Epochs(keep="best", every=1, validation_fraction=0.25)
    search = a_search(epochs=epochs, pruner=None, n_trials=1).fit(X, Y)
    train, test = next(CV.split(X))
    fitted, held_out = train_test_split(train, test_size=0.25, random_state=0)
    model = clone(MODEL).fit(X[np.sort(fitted)], Y[np.sort(fitted)])
    curve = list(search.study_.trials[0].intermediate_values.values())[:N_TREES]
    expected = [
        1 - ((y - Y[held_out]) ** 2).mean() / Y[held_out].var()
        for y in model.staged_predict(X[held_out])
    ]
    np.testing.assert_allclose(curve, expected)
    # The score of the fold is on its test rows, at the epoch that the inner rows chose.
    y = list(model.staged_predict(X[test]))[search.best_epoch_ - 1]
    score = 1 - ((y - Y[test]) ** 2).mean() / Y[test].var()
    assert search.cv_results_["split0_test_score"][0] == pytest.approx(score)


def test_an_inner_split_of_a_classifier_is_stratified():
    model = GradientBoostingClassifier(n_estimators=3)
    y = np.array([0] * 57 + [1] * 12)
    rows = np.random.default_rng(0).normal(size=(69, 2))
    epochs = Epochs(every=1, validation_fraction=0.25)
    search = a_search(
        model, {"max_depth": [1]}, epochs=epochs, cv=StratifiedKFold(3), scoring="roc_auc"
    ).fit(rows, y)
    assert all(np.isfinite(list(search.study_.trials[0].intermediate_values.values())))


def test_a_model_at_the_end_of_nested_pipelines():
    model = make_pipeline(StandardScaler(), make_pipeline(PCA(3), clone(MODEL)))
    name = "pipeline__gradientboostingregressor__"
    space = {name + key: value for key, value in SPACE.items()}
    search = a_search(model, space, epochs="best").fit(X, Y)
    shorter = clone(model).set_params(
        **{**search.best_params_, f"{name}n_estimators": search.best_epoch_}
    )
    assert search.best_score_ == pytest.approx(cross_val_score(shorter, X, Y, cv=CV).mean())
    assert 0 in search.cv_results_["n_splits_run"]


def test_a_step_that_is_searched_is_raced_between_folds_only():
    model = make_pipeline(StandardScaler(), clone(MODEL))
    space = {
        "gradientboostingregressor": [MODEL, clone(MODEL).set_params(n_estimators=5)],
        "gradientboostingregressor__learning_rate": FloatDistribution(0.01, 2.0, log=True),
    }
    search = a_search(model, space, n_trials=12).fit(X, Y)
    assert search.n_epochs_ == 0


def test_epochs_that_are_searched():
    space = {**SPACE, "n_estimators": IntDistribution(2, 40)}
    search = a_search(space=space, n_trials=25).fit(X, Y)
    full = a_search(space=space, n_trials=25, pruner=None).fit(X, Y)
    scores = np.sort(full.cv_results_["mean_test_score"])
    assert search.best_score_ >= scores[-3]
    assert 0 in search.cv_results_["n_splits_run"]


def test_steps_that_were_asked_for_are_taken_by_the_refit():
    model = SGDClassifier(loss="log_loss", random_state=0)
    space = {"alpha": FloatDistribution(1e-5, 1.0, log=True)}
    epochs = Epochs(step="partial_fit", n_epochs=7)
    rows = StandardScaler().fit_transform(CANCER[0])
    search = a_search(model, space, epochs=epochs).fit(rows, CANCER[1])
    by_hand = clone(model).set_params(**search.best_params_)
    for _ in range(7):
        by_hand.partial_fit(rows, CANCER[1], classes=[0, 1])
    np.testing.assert_array_equal(search.best_estimator_.coef_, by_hand.coef_)


def test_scikit_learns_callbacks_and_ours():
    class Counting:
        n_tasks = 0

        def setup(self, estimator, context):
            pass

        teardown = setup

        def on_fit_task_begin(self, estimator, context):
            pass

        def on_fit_task_end(self, estimator, context):
            Counting.n_tasks += 1

    model = LogisticRegression(max_iter=300).set_callbacks(Counting())
    space = {"C": FloatDistribution(1e-4, 1e2, log=True)}
    rows = StandardScaler().fit_transform(CANCER[0])
    search = a_search(model, space, epochs="best").fit(rows, CANCER[1])
    assert Counting.n_tasks > search.n_epochs_ > 0
    assert [type(c) for c in search.best_estimator_._skl_callbacks] == [Counting]


def test_the_summary_tells_the_epochs(capsys):
    search = a_search(verbose=1).fit(X, Y)
    curves = [trial.intermediate_values for trial in search.study_.trials]
    n_run = search.cv_results_["n_splits_run"]
    stopped = [max(curve) for curve, n in zip(curves, n_run, strict=True) if n == 0]
    n_saved = sum(N_TREES - epoch for epoch in stopped)
    assert stopped
    assert (
        f"{search.n_fits_} fits instead of 45; {len(stopped)} of these stopped inside, "
        f"{n_saved} epochs saved\n"
    ) in capsys.readouterr().out


@pytest.mark.parametrize(
    ("model", "changes", "message"),
    [
        (SVC(), {"epochs": "best"}, "SVC cannot be followed from epoch to epoch"),
        (MODEL, {"epochs": Epochs(monitor="valid_loss")}, "the history of a net of skorch, but"),
        (
            HistGradientBoostingClassifier(early_stopping=True),
            {"epochs": "best"},
            "without early stopping",
        ),
        (
            HistGradientBoostingClassifier(early_stopping=True),
            {"epochs": Epochs(step="warm_start")},
            "and no early stopping, can be followed in steps",
        ),
        (MODEL, {"epochs": "best", "return_train_score": True}, "after the last epoch, but epochs"),
        (
            MODEL,
            {"epochs": "best", "objectives": ["r2", "neg_max_error"]},
            "one score that decides which epoch",
        ),
        (MODEL, {"epochs": "best", "refit": lambda results: 0}, "one score that decides"),
        (MODEL, {"epochs": "first"}, "The 'epochs' parameter"),
    ],
)
def test_epochs_that_cannot_be_had(model, changes, message):
    with pytest.raises(ValueError, match=message):
        a_search(model, {"verbose": [0]}, **changes).fit(X, Y)


def test_groups_are_not_torn_apart():
    search = a_search(epochs=Epochs(validation_fraction=0.2), cv=GroupKFold(3))
    with pytest.raises(ValueError, match="would draw rows at random and tear"):
        search.fit(X, Y, groups=np.arange(len(X)) % 9)


def test_a_refit_with_more_rows_stops_at_the_best_epoch_too():
    """With more than 10,000 rows this estimator stops early by itself, unlike in the folds."""
    rows = np.random.default_rng(0).normal(size=(10_100, 2))
    y = rows[:, 0] + np.random.default_rng(1).normal(size=len(rows))
    model = HistGradientBoostingRegressor(max_iter=12, max_leaf_nodes=3, random_state=0)
    search = OptunaSearchCV(
        model, {"learning_rate": [0.5]}, epochs=Epochs(keep="best", every=1), cv=KFold(2)
    ).fit(rows, y)
    assert search.best_estimator_.n_iter_ == search.best_epoch_


def test_too_few_rows_to_hold_some_out():
    y = np.array([0] * 58 + [1] * 3)
    model = GradientBoostingClassifier(n_estimators=3)
    epochs = Epochs(validation_fraction=0.01)
    search = a_search(model, {"max_depth": [1]}, epochs=epochs, cv=StratifiedKFold(3))
    with pytest.raises(ValueError, match="validation_fraction=0.01 cannot be held out of the 40"):
        search.fit(np.zeros((61, 2)), y)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keep": "first"}, "keep must be 'last' or 'best', got 'first'"),
        ({"every": 0}, "every must be None or an integer of at least 1, got 0"),
        ({"every": 1.5}, "every must be None or an integer"),
        ({"validation_fraction": 1}, "a share between 0 and 1, got 1"),
        ({"step": "fit"}, "step must be None, 'partial_fit' or 'warm_start', got 'fit'"),
        ({"n_epochs": 3}, "it needs step='partial_fit', got step=None"),
        ({"monitor": "valid_loss", "validation_fraction": 0.5}, "give one of them"),
    ],
)
def test_epochs_that_make_no_sense(changes, message):
    with pytest.raises(ValueError, match=message):
        Epochs(**changes)


def test_forests_are_followed_too():
    model = RandomForestClassifier(30, random_state=0)
    space = {"max_depth": IntDistribution(1, 8), "max_features": FloatDistribution(0.05, 1.0)}
    search = a_search(model, space, n_trials=12).fit(*CANCER)
    assert search.n_epochs_ > 0
    assert search.best_estimator_.warm_start is False
