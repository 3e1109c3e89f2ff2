"""What a search leaves behind: `cv_results_`, the best candidate, the study, the tables."""

import warnings

import numpy as np
import pytest
from optuna.trial import TrialState
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV, ShuffleSplit
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from optunasearch import OptunaSearchCV
from tests.search.estimators import Adjustable, CountedNB


def search_values(values, classification, **arguments):
    """Fit a search over candidates that score these values."""
    return OptunaSearchCV(Adjustable(), {"value": values}, cv=2, **arguments).fit(*classification)


def test_equal_scores_share_a_rank_and_the_first_is_best(classification):
    search = search_values([0.1, 0.7, 0.7, 0.3], classification)
    ranks = search.cv_results_["rank_test_score"]
    assert ranks.tolist() == [4, 1, 1, 3]
    assert ranks.dtype == np.int32
    assert search.best_index_ == 1


def test_parameters_that_a_candidate_lacks_are_masked(classification):
    space = [{"max_depth": [1]}, {"min_samples_leaf": [2, 3]}]
    results = OptunaSearchCV(DecisionTreeClassifier(), space, cv=2).fit(*classification).cv_results_
    assert results["param_max_depth"].mask.tolist() == [False, True, True]
    assert results["param_min_samples_leaf"].mask.tolist() == [True, False, False]


@pytest.mark.parametrize(
    "values",
    [["a", "bc"], [(1, 2), (3, 4)], [{"a": 1}, {}], [GaussianNB(), None], [np.ones(2), np.ones(2)]],
)
def test_values_of_any_type_keep_their_identity(classification, values):
    class Holder(Adjustable):
        def score(self, X, y=None):
            return 0.5

    search = OptunaSearchCV(Holder(), {"value": values}, cv=2).fit(*classification)
    column = search.cv_results_["param_value"]
    assert column.dtype == object
    for value, in_column, params in zip(values, column, search.cv_results_["params"], strict=True):
        assert in_column is value
        assert params["value"] is value


def test_candidates_without_a_score_come_last(classification):
    with pytest.warns(UserWarning, match="test scores are non-finite") as caught:
        search = search_values([np.nan, 0.2, np.nan, 0.4], classification)
    assert len(caught) == 1
    assert search.cv_results_["rank_test_score"].tolist() == [3, 2, 3, 1]
    assert search.best_index_ == 3
    assert np.isnan(search.cv_results_["mean_test_score"][[0, 2]]).all()


def test_one_warning_for_test_scores_and_one_for_train_scores(classification):
    with pytest.warns(UserWarning, match="non-finite") as caught:
        search_values([np.nan, 0.2, np.nan], classification, return_train_score=True)
    kinds = [str(warning.message).split(" scores")[0] for warning in caught]
    assert kinds == ["One or more of the test", "One or more of the train"]


def test_if_no_candidate_has_a_score_the_first_is_refitted(classification):
    with pytest.warns(UserWarning, match="non-finite"):
        search = search_values([np.nan, np.nan], classification)
    assert search.best_index_ == 0
    assert np.isnan(search.best_score_)
    assert search.best_estimator_.classes_.tolist() == [0, 1]


@pytest.mark.parametrize("infinity", [np.inf, -np.inf])
def test_an_infinite_score_is_best_only_if_none_is_finite(classification, infinity):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = search_values([infinity, 0.2, 0.4], classification)
        alone = search_values([infinity, infinity], classification)
    assert search.best_params_ == {"value": 0.4}
    assert search.study_.best_trial.number == search.best_index_
    assert alone.best_index_ == 0


def test_the_folds_are_split_once_also_without_a_seed(classification):
    X, y = classification
    search = OptunaSearchCV(
        DecisionTreeClassifier(random_state=0),
        {"max_depth": [2, 2, 2]},
        cv=ShuffleSplit(4, test_size=0.3),
        reuse_duplicates=False,
    ).fit(X, y)
    scores = np.column_stack([search.cv_results_[f"split{fold}_test_score"] for fold in range(4)])
    assert (scores == scores[0]).all()


def test_a_generator_of_splits_serves_every_candidate(classification):
    X, y = classification
    half = np.arange(len(X)) % 2 == 0
    splits = (pair for pair in [(half, ~half), (~half, half)])
    search = OptunaSearchCV(GaussianNB(), {"var_smoothing": [1e-9, 1e-3, 1e-1]}, cv=splits)
    search.fit(X, y)
    assert search.n_splits_ == 2
    assert np.isfinite(search.cv_results_["split1_test_score"]).all()


def test_a_splitter_that_miscounts_is_an_error(classification, n_fits):
    class Miscounting(ShuffleSplit):
        def get_n_splits(self, X=None, y=None, groups=None):
            return 3

    search = OptunaSearchCV(CountedNB(), {"var_smoothing": [1e-9]}, cv=Miscounting(2))
    with pytest.raises(ValueError, match=r"inconsistent results\. Expected 3 splits, got 2"):
        search.fit(*classification)
    assert n_fits() == 0


def test_an_empty_splitter_is_an_error(classification):
    search = OptunaSearchCV(CountedNB(), {"var_smoothing": [1e-9]}, cv=iter([]))
    with pytest.raises(ValueError, match="No fits were performed"):
        search.fit(*classification)


@pytest.mark.parametrize("reuse", [True, False])
def test_repeated_candidates_cost_fits_only_if_wanted(classification, n_fits, reuse):
    search = OptunaSearchCV(
        CountedNB(),
        {"var_smoothing": [1e-9, 1e-2]},
        cv=3,
        n_trials=8,
        sampler="random",
        random_state=0,
        refit=False,
        reuse_duplicates=reuse,
    ).fit(*classification)
    assert n_fits() == 3 * (2 if reuse else 8)
    assert len(search.cv_results_["params"]) == search.n_trials_ == 8
    first = search.cv_results_["params"].index({"var_smoothing": 1e-9})
    for row, params in enumerate(search.cv_results_["params"]):
        if params == {"var_smoothing": 1e-9}:
            expected = first if reuse and row != first else None
            assert search.trials_["duplicate_of"][row] == expected
            score = search.cv_results_["mean_test_score"]
            assert score[row] == score[first]


def test_a_repeated_failure_is_tried_again(classification):
    search = OptunaSearchCV(
        Adjustable(),
        {"error": [ValueError("no")], "value": [0.5]},
        cv=2,
        n_trials=2,
        sampler="random",
        initial_params={"value": 0.5},
        error_score=0.0,
    )
    with pytest.raises(ValueError, match="All the 4 fits failed"):
        search.fit(*classification)


def test_the_study_tells_what_became_of_each_trial(classification):
    with pytest.warns(UserWarning, match="non-finite"):
        search = search_values([0.3, np.nan, 0.6], classification)
    trials = search.study_.trials
    assert [t.number for t in trials] == [0, 1, 2]
    assert [t.state for t in trials] == [
        TrialState.COMPLETE,
        TrialState.FAIL,
        TrialState.COMPLETE,
    ]
    # A list with NaN, which equals nothing, is shown as labels.
    assert [t.params["value"] for t in trials] == ["0.3", "nan", "0.6"]
    assert trials[2].value == search.cv_results_["mean_test_score"][2]
    assert trials[2].intermediate_values == {0: 0.6, 1: 0.6}
    assert search.study_.metric_names == ["mean_test_score"]
    assert search.study_.direction.name == "MAXIMIZE"
    assert all(t.datetime_start <= t.datetime_complete for t in trials)


@pytest.mark.parametrize("values", [[0.5, 0.5, 0.1], [0.1, 0.5, 0.5], [-3.0, -1.0, -2.0]])
def test_the_studys_best_trial_is_the_best_candidate(classification, values):
    search = search_values(values, classification)
    assert search.study_.best_trial.number == search.best_index_
    assert search.study_.best_value == search.best_score_


def test_the_table_of_trials_has_failed_and_repeated_ones(classification):
    search = OptunaSearchCV(
        Adjustable(), {"error": [None, ValueError("no"), None]}, cv=2, error_score=-1.0
    )
    with pytest.warns(FitFailedWarning, match="2 fits failed out of a total of 6"):
        search.fit(*classification)
    table = search.trials_
    assert table["number"].tolist() == [0, 1, 2]
    assert table["status"] == ["complete", "failed", "complete"]
    assert table["params"] == search.cv_results_["params"]
    assert table["mean_test_score"].tolist() == [0.0, -1.0, 0.0]
    assert "ValueError: no" in table["error"][1]
    assert table["error"][0] is None
    assert (table["fit_seconds"] >= 0).all()


def test_what_an_earlier_fit_left_does_not_stay(classification):
    search = OptunaSearchCV(GaussianNB(), {"var_smoothing": [1e-9, 1e-2]}, cv=2)
    search.fit(*classification)
    search.set_params(refit=False, scoring=["accuracy", "f1"]).fit(*classification)
    for name in ("best_estimator_", "best_score_", "best_params_", "best_index_", "refit_time_"):
        assert not hasattr(search, name), name
    assert search.multimetric_


def test_the_fitted_attributes_are_those_of_gridsearchcv_and_six_more(classification):
    theirs = GridSearchCV(GaussianNB(), {"var_smoothing": [1e-9]}, cv=2).fit(*classification)
    ours = OptunaSearchCV(GaussianNB(), {"var_smoothing": [1e-9]}, cv=2).fit(*classification)
    public = {name for name in vars(theirs) if name.endswith("_")}
    more = {"study_", "trials_", "n_trials_", "n_fits_", "n_epochs_", "best_epoch_"}
    assert public | more == {name for name in vars(ours) if name.endswith("_")}
