"""Searches that stop trials between folds."""

import warnings

import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import TrialState
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_diabetes, load_iris, make_classification
from sklearn.linear_model import Ridge
from sklearn.metrics import make_scorer
from sklearn.model_selection import GroupKFold, KFold, RepeatedStratifiedKFold, TimeSeriesSplit
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from optunasearch import OptunaSearchCV
from optunasearch.pruning import Race

X, Y = make_classification(400, 10, n_informative=5, flip_y=0.05, random_state=0)
SPACE = {"max_depth": IntDistribution(1, 12), "ccp_alpha": FloatDistribution(1e-4, 1e-1, log=True)}
TREE = DecisionTreeClassifier(random_state=0)


def a_search(**kwargs):
    plain = dict(n_trials=30, sampler="random", random_state=0)
    return OptunaSearchCV(TREE, SPACE, **{**plain, **kwargs})


@pytest.fixture(scope="module")
def raced():
    return a_search(scoring="roc_auc").fit(X, Y)


@pytest.fixture(scope="module")
def full():
    return a_search(scoring="roc_auc", pruner=None).fit(X, Y)


def test_the_same_winner_for_fewer_fits(raced, full):
    assert full.n_fits_ >= 5 * len(set(map(str, full.cv_results_["params"])))
    assert raced.n_fits_ < 0.7 * full.n_fits_
    assert raced.best_params_ == full.best_params_
    assert raced.best_score_ == full.best_score_
    assert raced.cv_results_["params"] == full.cv_results_["params"]


def test_pruned_candidates_have_no_mean_and_the_last_rank(raced, full):
    results = raced.cv_results_
    is_pruned = results["status"] == "pruned"
    assert 5 < is_pruned.sum() < 30
    means = results["mean_test_score"]
    assert np.isnan(means[is_pruned]).all()
    np.testing.assert_array_equal(
        means[~is_pruned], full.cv_results_["mean_test_score"][~is_pruned]
    )
    assert (results["rank_test_score"][is_pruned] == (~is_pruned).sum() + 1).all()
    assert results["rank_test_score"].dtype == np.int32
    for fold in range(5):
        scores = results[f"split{fold}_test_score"]
        np.testing.assert_array_equal(np.isnan(scores), results["n_splits_run"] <= fold)
        ran = ~np.isnan(scores)
        np.testing.assert_array_equal(scores[ran], full.cv_results_[f"split{fold}_test_score"][ran])
    assert (results["n_splits_run"][~is_pruned] == 5).all()
    assert np.isfinite(results["mean_fit_time"]).all()


def test_an_estimate_is_no_score_and_below_the_best(raced):
    estimates = raced.cv_results_["estimated_test_score"]
    is_pruned = raced.cv_results_["status"] == "pruned"
    np.testing.assert_array_equal(np.isfinite(estimates), is_pruned)
    assert (estimates[is_pruned] < raced.best_score_).all()


def test_the_study_tells_the_truth(raced):
    states = [trial.state for trial in raced.study_.trials]
    pruned = raced.cv_results_["status"] == "pruned"
    assert [state == TrialState.PRUNED for state in states] == list(pruned)
    assert raced.study_.best_trial.number == raced.best_index_
    assert raced.study_.best_params == raced.best_params_
    trial = raced.study_.trials[int(np.flatnonzero(pruned)[0])]
    assert trial.value is None or trial.value == list(trial.intermediate_values.values())[-1]
    assert list(trial.intermediate_values) == list(range(trial.user_attrs["n_splits_run"]))
    assert trial.user_attrs["estimates"].keys() == {"score"}
    shown = optuna.visualization.plot_intermediate_values(raced.study_)
    assert len(shown.data) == 30


def test_the_trials_table(raced):
    table = raced.trials_
    assert "pruned" in table["status"]
    np.testing.assert_array_equal(table["n_splits_run"], raced.cv_results_["n_splits_run"])


def test_the_sampler_is_told_an_estimate_below_the_best():
    told = []

    class Watching(optuna.samplers.RandomSampler):
        def after_trial(self, study, trial, state, values):
            told.append((state, values))

    search = a_search(sampler=Watching(seed=0)).fit(X, Y)
    assert len(told) == 30
    assert {state for state, _ in told} == {TrialState.COMPLETE}
    values = np.array([value for _, (value,) in told])
    means = search.cv_results_["mean_test_score"]
    complete = np.isfinite(means)
    np.testing.assert_array_equal(values[complete], means[complete])
    assert (values[~complete] < search.best_score_).all()


@pytest.mark.parametrize("pruner", ["auto", "median", "hyperband"])
def test_the_number_of_jobs_changes_nothing(pruner):
    def results(n_jobs, backend_pending=3):
        search = a_search(
            sampler="tpe", n_jobs=n_jobs, max_pending=backend_pending, pruner=pruner
        ).fit(X, Y)
        return {n: repr(c) for n, c in search.cv_results_.items() if "time" not in n}

    one = results(1)
    assert "'pruned'" in one["status"]
    assert results(2) == one


def test_a_grid_and_the_table_of_those_who_swap_it_in_are_full():
    grid = OptunaSearchCV(TREE, {"max_depth": range(1, 31)}, cv=3).fit(X, Y)
    assert grid.n_fits_ == 90
    assert "status" not in grid.cv_results_
    trained = a_search(return_train_score=True).fit(X, Y)
    assert "status" not in trained.cv_results_


def test_a_callable_refit_sees_complete_candidates_only():
    seen = []

    def first(results):
        seen.append(results)
        return len(results["params"]) - 1

    search = a_search(refit=first, pruner=Race(metric="score")).fit(X, Y)
    (results,) = seen
    complete = np.flatnonzero(search.cv_results_["status"] != "pruned")
    assert 0 < len(complete) < 30
    assert np.isfinite(results["mean_test_score"]).all()
    assert results["param_max_depth"].shape == complete.shape
    assert search.best_index_ == complete[-1]
    assert search.best_params_ == results["params"][-1]


def test_train_scores_with_an_explicit_pruner():
    search = a_search(return_train_score=True, pruner=Race()).fit(X, Y)
    pruned = search.cv_results_["status"] == "pruned"
    np.testing.assert_array_equal(np.isnan(search.cv_results_["mean_train_score"]), pruned)


def test_several_metrics_race_on_that_of_the_refit():
    search = a_search(scoring=["accuracy", "roc_auc"], refit="roc_auc").fit(X, Y)
    pruned = search.cv_results_["status"] == "pruned"
    assert pruned.any()
    assert np.isnan(search.cv_results_["mean_test_accuracy"][pruned]).all()
    assert "estimated_test_roc_auc" in search.cv_results_
    alone = a_search(scoring="roc_auc").fit(X, Y)
    assert search.n_fits_ == alone.n_fits_


def test_several_objectives_keep_the_front():
    both = dict(objectives=["recall", "specificity"])
    raced, full = a_search(**both).fit(X, Y), a_search(**both, pruner=None).fit(X, Y)
    assert raced.n_fits_ < full.n_fits_
    assert raced.pareto_front_["params"] == full.pareto_front_["params"]
    assert {t.state for t in raced.study_.trials} == {TrialState.COMPLETE, TrialState.PRUNED}


def test_constraints_race_against_the_best_feasible():
    kwargs = dict(constraints={"specificity": 0.8})
    raced, full = a_search(**kwargs).fit(X, Y), a_search(**kwargs, pruner=None).fit(X, Y)
    assert raced.best_params_ == full.best_params_
    assert raced.cv_results_["feasible"][raced.best_index_]
    assert raced.n_fits_ < full.n_fits_
    assert raced.study_.best_trial.number == raced.best_index_


@pytest.mark.parametrize(
    ("cv", "params"),
    [
        (GroupKFold(5), {"groups": np.arange(442) % 20}),
        (TimeSeriesSplit(6), {}),
        (KFold(10), {}),
    ],
)
def test_regressors_on_other_splitters(cv, params):
    X_r, y_r = load_diabetes(return_X_y=True)
    space = {"max_depth": IntDistribution(1, 20), "min_samples_leaf": IntDistribution(1, 60)}
    tree = DecisionTreeRegressor(random_state=0)
    found = {}
    for pruner in (None, "auto"):
        search = OptunaSearchCV(
            tree, space, n_trials=40, sampler="random", cv=cv, pruner=pruner, random_state=0
        )
        found[pruner] = search.fit(X_r, y_r, **params)
    assert found["auto"].best_score_ == pytest.approx(found[None].best_score_, rel=0.02)
    assert found["auto"].n_fits_ < found[None].n_fits_
    if isinstance(cv, TimeSeriesSplit):
        assert found["auto"].cv_results_["n_splits_run"].min() >= 3


def test_repeated_splits():
    cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=3, random_state=0)
    search = a_search(cv=cv).fit(X, Y)
    assert search.n_fits_ < 0.7 * 9 * 30


def test_sample_weights():
    weights = np.random.default_rng(0).uniform(0.2, 2, len(Y))
    search = a_search().fit(X, Y, sample_weight=weights)
    assert search.n_fits_ < 150


class Sometimes(ClassifierMixin, BaseEstimator):
    """Fails, or scores NaN, for some parameters."""

    def __init__(self, value=0.0):
        self.value = value

    def fit(self, X, y):
        if self.value > 0.7:
            raise ValueError("no")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        right = np.random.default_rng(int(self.value * 1e6)).uniform(size=len(X)) < self.value
        return np.where(right, self.truth(X), 1 - self.truth(X))

    @staticmethod
    def truth(X):
        return X[:, 0].astype(int)


def test_failing_fits_are_not_stopped_and_still_warned_about():
    y = np.arange(200) % 2
    search = OptunaSearchCV(
        Sometimes(),
        {"value": FloatDistribution(0.05, 1.0)},
        n_trials=40,
        sampler="random",
        random_state=0,
        initial_params=None,
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search.fit(y[:, None].astype(float), y)
    status = search.cv_results_["status"]
    assert {"failed", "pruned", "complete"} <= set(status)
    n_failed = 5 * (status == "failed").sum()
    kinds = [str(w.message) for w in caught]
    assert sum("test scores are non-finite" in text for text in kinds) == 1
    assert any(f"{n_failed} fits failed out of a total of {search.n_fits_}" in k for k in kinds)


def test_no_warning_for_pruned_rows():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search = a_search().fit(X, Y)
    assert "pruned" in search.cv_results_["status"]


def test_if_all_but_one_were_pruned_that_one_is_best():
    class AfterTheFirst(optuna.pruners.BasePruner):
        def prune(self, study, trial):
            return trial.number > 0

    search = a_search(pruner=AfterTheFirst()).fit(X, Y)
    assert search.best_index_ == 0
    assert search.n_fits_ == 5 + len({str(p) for p in search.cv_results_["params"][1:]})


def test_if_all_were_pruned_the_error_says_so():
    search = a_search(pruner=optuna.pruners.ThresholdPruner(lower=2.0))
    with pytest.raises(ValueError, match="All 30 trials were pruned"):
        search.fit(X, Y)
    assert (search.trials_["n_splits_run"] == 1).all()


def test_repeated_points_of_a_pruned_trial_are_pruned_without_a_fit():
    space = {"max_depth": [1, 2, 8], "criterion": ["gini", "entropy"]}
    search = OptunaSearchCV(
        TREE, space, n_trials=40, sampler="random", scoring="roc_auc", random_state=0
    ).fit(X, Y)
    table = search.trials_
    copies = [n for n, original in enumerate(table["duplicate_of"]) if original is not None]
    assert any(table["status"][n] == "pruned" for n in copies)
    for n in copies:
        original = table["duplicate_of"][n]
        assert table["n_splits_run"][n] == table["n_splits_run"][original]


@pytest.mark.parametrize("scoring", [None, "r2"])
def test_a_float_scorer_of_ones_own_races_on_fold_scores(scoring):
    X_r, y_r = load_diabetes(return_X_y=True)

    def fit(scoring):
        return OptunaSearchCV(
            Ridge(),
            {"alpha": FloatDistribution(1e-3, 1e4, log=True)},
            n_trials=40,
            sampler="random",
            scoring=scoring,
            random_state=0,
        ).fit(X_r, y_r)

    by_rows = fit(scoring)
    by_folds = fit(lambda estimator, X, y: estimator.score(X, y))
    assert by_rows.n_fits_ < 200
    assert by_folds.n_fits_ < 200
    assert by_rows.best_score_ == pytest.approx(by_folds.best_score_, abs=0.01)


def test_a_made_scorer_and_a_callable_of_several():
    made = make_scorer(lambda y, p: float(np.mean(y == p)))
    assert a_search(scoring=made).fit(X, Y).n_fits_ < 150

    def several(estimator, X, y):
        return {"a": estimator.score(X, y), "b": 0.0}

    search = a_search(scoring=several, refit="a").fit(X, Y)
    assert "pruned" in search.cv_results_["status"]


def test_patience_counts_pruned_trials():
    search = a_search(n_trials=200, patience=10).fit(X, Y)
    assert search.n_trials_ < 200


def test_what_was_saved_is_said(capfd):
    search = a_search(verbose=1).fit(X, Y)
    out = capfd.readouterr().out
    n_pruned = (search.cv_results_["status"] == "pruned").sum()
    assert f"{n_pruned} of 30 trials pruned: {search.n_fits_} fits instead of " in out
    a_search(verbose=2).fit(X, Y)
    assert "pruned after 1 of 5 folds" in capfd.readouterr().out


@pytest.mark.parametrize("pruner", ["best", 3, Race])
def test_a_pruner_that_is_none(pruner):
    with pytest.raises(ValueError, match="'pruner' parameter of OptunaSearchCV must be"):
        a_search(pruner=pruner).fit(*load_iris(return_X_y=True))
