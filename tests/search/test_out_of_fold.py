"""Out-of-fold predictions of the best candidate, and what they are used for."""

import pickle

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_breast_cancer, load_iris, make_classification
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.metrics import get_scorer, log_loss, make_scorer, recall_score
from sklearn.model_selection import (
    KFold,
    PredefinedSplit,
    RepeatedStratifiedKFold,
    TimeSeriesSplit,
    cross_val_predict,
    train_test_split,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from optunasearch import OptunaSearchCV
from optunasearch.calibration import Calibration, SigmoidCalibration
from optunasearch.decision import decision_report
from optunasearch.exceptions import (
    CalibrationWarning,
    ThresholdNotMetError,
    ThresholdNotMetWarning,
)
from tests.search.estimators import CountedNB

SMOOTHING = {"var_smoothing": [1e-9, 1e-6, 1e-3]}
DEPTHS = {"max_depth": [1, 2, 5]}


@pytest.fixture(scope="module")
def cancer():
    return load_breast_cancer(return_X_y=True)


@pytest.fixture(scope="module")
def overlapping():
    """400 rows, 10 % positive, that no model can tell apart with certainty."""
    return make_classification(
        400, 6, n_informative=3, weights=[0.9], flip_y=0.1, class_sep=0.7, random_state=1
    )


@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("scoring", [None, "neg_log_loss", "balanced_accuracy"])
def test_they_are_what_cross_val_predict_returns(cancer, backend, n_jobs, scoring):
    X, y = cancer
    pipeline = make_pipeline(StandardScaler(), GaussianNB())
    with joblib.parallel_config(backend):
        search = OptunaSearchCV(
            pipeline, {"gaussiannb__var_smoothing": [1e-3, 1e-1]}, scoring=scoring, n_jobs=n_jobs
        ).fit(X, y)
    expected = cross_val_predict(search.best_estimator_, X, y, method="predict_proba")
    np.testing.assert_allclose(search.oof_predictions_, expected, rtol=1e-6)
    assert search.oof_counts_.tolist() == [1] * len(X)


def test_of_a_regressor_they_are_predicted_values(regression):
    search = OptunaSearchCV(Ridge(), {"alpha": [0.1, 1.0]}).fit(*regression)
    expected = cross_val_predict(search.best_estimator_, *regression)
    np.testing.assert_allclose(search.oof_predictions_, expected)


def test_of_a_margin_classifier_they_are_decision_values(classification):
    search = OptunaSearchCV(SVC(), {"C": [0.1, 1.0]}, calibration="sigmoid").fit(*classification)
    expected = cross_val_predict(
        search.best_estimator_, *classification, method="decision_function"
    )
    np.testing.assert_allclose(search.oof_predictions_, expected, rtol=1e-6)


def test_they_cost_no_fit(classification, n_fits):
    search = OptunaSearchCV(CountedNB(), SMOOTHING, cv=3).fit(*classification)
    assert n_fits() == 3 * 3 + 1
    search.predict_proba(classification[0])
    _ = search.best_score_corrected_
    assert n_fits() == 3 * 3 + 1


def test_repeated_splits_are_averaged(classification):
    X, y = classification
    cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0)
    search = OptunaSearchCV(GaussianNB(), SMOOTHING, cv=cv).fit(X, y)
    expected = np.zeros((60, 2))
    for train, test in cv.split(X, y):
        model = clone(search.best_estimator_).fit(X[train], y[train])
        expected[test] += model.predict_proba(X[test]) / 2
    np.testing.assert_allclose(search.oof_predictions_, expected, rtol=1e-5)
    assert set(search.oof_counts_) == {2}
    assert search.calibrator_.n_rows == 60


def test_rows_that_are_never_tested_are_nan_and_marked(classification):
    cv = PredefinedSplit(np.repeat([-1, 0, 1, 2], 15))
    search = OptunaSearchCV(GaussianNB(), SMOOTHING, cv=cv).fit(*classification)
    assert np.isnan(search.oof_predictions_[:15]).all()
    assert np.isfinite(search.oof_predictions_[15:]).all()
    assert search.oof_counts_.tolist() == [0] * 15 + [1] * 45


def test_classes_that_a_fold_has_not_seen_have_probability_zero():
    X, y = load_iris(return_X_y=True)  # in the order of the classes
    search = OptunaSearchCV(GaussianNB(), SMOOTHING, cv=KFold(3)).fit(X, y)
    oof = search.oof_predictions_
    assert oof.shape == (150, 3)
    np.testing.assert_allclose(oof[np.arange(150), y], 0.0)
    np.testing.assert_allclose(oof.sum(axis=1), 1.0, rtol=1e-6)
    # Nothing follows from such folds.
    with pytest.warns(CalibrationWarning, match="lack a class"):
        calibrator = search.calibrator_
    assert calibrator.method == "identity"


def test_a_fold_model_that_cannot_predict_does_not_cost_the_search(classification):
    class Shy(GaussianNB):
        def predict_proba(self, X):
            raise RuntimeError("no comment")

    search = OptunaSearchCV(Shy(), SMOOTHING).fit(*classification)
    assert search.best_score_ > 0.5
    with pytest.raises(AttributeError, match="RuntimeError: no comment"):
        _ = search.oof_predictions_


def test_a_pruned_trial_is_never_among_the_candidates(cancer):
    X, y = cancer
    space = {"max_depth": list(range(1, 11)), "min_samples_leaf": list(range(1, 30))}
    search = OptunaSearchCV(
        DecisionTreeClassifier(random_state=0), space, n_trials=25, random_state=0
    ).fit(X, y)
    status = search.cv_results_["status"]
    assert "pruned" in status
    rows = list(search._oof_results.out_of_fold.candidates)
    assert rows
    assert set(status[rows]) == {"complete"}
    assert search.best_index_ in rows


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_what_memory_does_not_hold_waits_in_files(classification, monkeypatch, tmp_path, n_jobs):
    # Room for two candidates of 60 rows and 2 classes in single precision.
    monkeypatch.setattr("optunasearch._prediction_store.MAX_BYTES", 2 * 60 * 3 * 4)
    monkeypatch.setenv("JOBLIB_TEMP_FOLDER", str(tmp_path))
    space = {"max_depth": [5, 4, 3, 2, 1]}
    model = RandomForestClassifier(5, random_state=0)
    worst = OptunaSearchCV(
        model, space, n_jobs=n_jobs, refit=lambda results: results["mean_test_score"].argmin()
    ).fit(*classification)
    expected = cross_val_predict(worst.best_estimator_, *classification, method="predict_proba")
    np.testing.assert_allclose(worst.oof_predictions_, expected, rtol=1e-6)
    assert 1 <= len(worst._oof_results.out_of_fold.candidates) <= 2
    assert list(tmp_path.glob("*/predictions-*")) == []


@pytest.mark.parametrize("refit", ["accuracy", lambda results: 2])
def test_the_winner_is_who_refit_says(classification, refit):
    search = OptunaSearchCV(
        DecisionTreeClassifier(random_state=0),
        DEPTHS,
        scoring=["accuracy", "roc_auc"],
        refit=refit,
    ).fit(*classification)
    expected = cross_val_predict(search.best_estimator_, *classification, method="predict_proba")
    np.testing.assert_allclose(search.oof_predictions_, expected, rtol=1e-6)


def test_they_are_there_after_ctrl_c(classification):
    def stop(study, trial):
        if trial.number == 1:
            raise KeyboardInterrupt

    search = OptunaSearchCV(GaussianNB(), SMOOTHING, callbacks=[stop])
    with pytest.raises(KeyboardInterrupt):
        search.fit(*classification)
    assert search.oof_predictions_.shape == (60, 2)


# Calibration


def test_probabilities_are_calibrated_and_labels_are_not_touched(cancer):
    X, y = cancer
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    search = OptunaSearchCV(GaussianNB(), SMOOTHING).fit(X_train, y_train)
    plain = search.best_estimator_
    np.testing.assert_array_equal(search.predict(X_test), plain.predict(X_test))
    calibrated = search.predict_proba(X_test)
    assert log_loss(y_test, calibrated) < 0.8 * log_loss(y_test, plain.predict_proba(X_test))
    np.testing.assert_allclose(calibrated.sum(axis=1), 1.0)
    np.testing.assert_allclose(search.predict_log_proba(X_test), np.log(calibrated))
    assert search.calibrator_.log_loss_after < search.calibrator_.log_loss_before


def test_without_calibration_all_is_the_best_estimators(cancer):
    X, y = cancer
    search = OptunaSearchCV(GaussianNB(), SMOOTHING, calibration=None).fit(X, y)
    for method in ("predict", "predict_proba", "predict_log_proba"):
        expected = getattr(search.best_estimator_, method)(X)
        np.testing.assert_array_equal(getattr(search, method)(X), expected)
    with pytest.raises(AttributeError, match="calibration=None"):
        _ = search.calibrator_


def test_recall_under_class_weights_does_not_move(overlapping):
    X, y = overlapping
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)
    search = OptunaSearchCV(
        LogisticRegression(class_weight="balanced"), {"C": [0.1, 1.0]}, scoring="balanced_accuracy"
    ).fit(X_train, y_train)
    plain = search.best_estimator_
    assert recall_score(y_test, search.predict(X_test)) == recall_score(
        y_test, plain.predict(X_test)
    )
    before = log_loss(y_test, plain.predict_proba(X_test))
    assert log_loss(y_test, search.predict_proba(X_test)) < before


@pytest.mark.parametrize("estimator", [SVC(), RidgeClassifier()])
@pytest.mark.parametrize("method", ["temperature", "vector", "sigmoid", "beta", "isotonic"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_an_explicit_method_gives_margins_probabilities(estimator, method, n_classes):
    X, y = load_iris(return_X_y=True)
    X, y = X[y < n_classes], np.array(["a", "b", "c"])[y[y < n_classes]]
    space = {"C": [0.1, 1.0]} if isinstance(estimator, SVC) else {"alpha": [0.1, 1.0]}
    search = OptunaSearchCV(estimator, space, calibration=method).fit(X, y)
    proba = search.predict_proba(X)
    assert proba.shape == (len(X), n_classes)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    assert np.mean(search.classes_[proba.argmax(axis=1)] == y) > 0.8


def test_margins_of_pairs_of_classes_are_none_of_classes():
    X, y = load_iris(return_X_y=True)
    X, y = np.r_[X, X + 3], np.r_[y, y + 3]
    search = OptunaSearchCV(SVC(decision_function_shape="ovo"), {"C": [1.0]}, calibration="sigmoid")
    with pytest.warns(CalibrationWarning, match=r"\(60, 15\) for 6 classes"):
        assert not hasattr(search.fit(X, y), "calibrator_")
    assert search.best_score_corrected_ == pytest.approx(search.best_score_, abs=0.02)


def test_auto_gives_margins_none(classification):
    search = OptunaSearchCV(SVC(), {"C": [0.1, 1.0]}).fit(*classification)
    assert not hasattr(search, "predict_proba")
    assert hasattr(OptunaSearchCV(SVC(), {"C": [1]}, calibration="sigmoid"), "predict_proba")


def test_a_calibrator_of_ones_own(classification):
    class Even:
        def fit(self, logits, y, sample_weight=None):
            self.n_classes = logits.shape[1]
            return self

        def predict_proba(self, logits):
            return np.full(logits.shape, 1 / self.n_classes)

    search = OptunaSearchCV(GaussianNB(), SMOOTHING, calibration=Even()).fit(*classification)
    assert search.predict_proba(classification[0][:2]).tolist() == [[0.5, 0.5]] * 2
    given = SigmoidCalibration()
    search = OptunaSearchCV(GaussianNB(), SMOOTHING, calibration=given).fit(*classification)
    assert search.calibrator_.method == "SigmoidCalibration"
    assert not [name for name in vars(given) if name.endswith("_")]  # it was copied


@pytest.mark.parametrize("calibration", ["auto", "isotonic"])
def test_what_is_shipped_knows_nothing_of_the_search(cancer, calibration, tmp_path):
    X, y = cancer
    search = OptunaSearchCV(GaussianNB(), SMOOTHING, calibration=calibration).fit(X, y)
    joblib.dump(search.calibrated_estimator_, tmp_path / "model")
    shipped = joblib.load(tmp_path / "model")
    np.testing.assert_array_equal(shipped.predict_proba(X), search.predict_proba(X))
    np.testing.assert_array_equal(shipped.predict(X), search.predict(X))
    assert shipped.fit(X, y) is shipped
    assert clone(shipped) is shipped
    assert shipped.theta_.shape == (2, 30)  # attributes are the estimator's


def test_an_ensemble_keeps_the_models_of_the_folds(cancer, n_fits):
    X, y = cancer
    search = OptunaSearchCV(CountedNB(), SMOOTHING, cv=3, calibration=Calibration(ensemble=True))
    search.fit(X, y)
    assert n_fits() == 3 * 3  # no refit
    models = search.best_estimator_.estimators
    assert len(models) == 3
    for model, (train, _) in zip(models, search._checked_cv_orig.split(X, y), strict=True):
        expected = clone(model).fit(X[train], y[train]).predict_proba(X)
        np.testing.assert_array_equal(model.predict_proba(X), expected)
    expected = search.calibrator_.pool([model.predict_proba(X) for model in models])
    np.testing.assert_array_equal(search.predict_proba(X), expected)
    assert set(search.predict(X)) == {0, 1}


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_ensemble_of_pipelines_that_share_transformers(cancer, n_jobs):
    X, y = cancer
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    search = OptunaSearchCV(
        pipeline,
        {"logisticregression__C": [0.01, 0.1, 1.0]},
        n_jobs=n_jobs,
        calibration=Calibration(ensemble=True),
    ).fit(X, y)
    again = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(again.predict_proba(X), search.predict_proba(X))
    assert again.score(X, y) > 0.95


def test_score_scores_what_the_search_predicts(cancer):
    X, y = cancer
    search = OptunaSearchCV(GaussianNB(), SMOOTHING, scoring="neg_log_loss").fit(X, y)
    assert search.score(X, y) == pytest.approx(-log_loss(y, search.predict_proba(X)))
    search = OptunaSearchCV(GaussianNB(), SMOOTHING).fit(X, y)
    assert search.score(X, y) == search.best_estimator_.score(X, y)

    def own(estimator, X, y):
        assert isinstance(estimator, GaussianNB)
        assert estimator.get_params()["var_smoothing"] in SMOOTHING["var_smoothing"]
        return -log_loss(y, estimator.predict_proba(X))

    search = OptunaSearchCV(GaussianNB(), SMOOTHING, scoring=own).fit(X, y)
    assert search.score(X, y) == pytest.approx(-log_loss(y, search.predict_proba(X)))


def test_sample_weights_count(overlapping):
    X, y = overlapping
    weights = np.where(y == 1, 5.0, 1.0)
    space = {"min_samples_leaf": [20, 50]}
    model = RandomForestClassifier(10, random_state=0)
    plain = OptunaSearchCV(model, space).fit(X, y)
    weighted = OptunaSearchCV(model, space).fit(X, y, sample_weight=weights.tolist())
    # Five times the weight is about five times the odds, also after calibration.
    mean = weighted.predict_proba(X)[:, 1].mean()
    assert mean > 2 * plain.predict_proba(X)[:, 1].mean()
    assert mean == pytest.approx(np.average(y, weights=weights), abs=0.1)


def test_folds_that_cover_little_are_not_built_upon(classification):
    X, y = classification
    search = OptunaSearchCV(GaussianNB(), SMOOTHING, cv=TimeSeriesSplit(2, test_size=12)).fit(X, y)
    with pytest.warns(CalibrationWarning, match="24") as caught:
        search.predict_proba(X)
    assert len(caught) == 1
    np.testing.assert_array_equal(search.predict_proba(X), search.best_estimator_.predict_proba(X))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"calibration": "platt"}, "calibration"),
        ({"calibration": 3}, "calibration"),
        ({"decision_threshold": 0.3}, "FixedThresholdClassifier"),
        ({"decision_threshold": {"recall": 0.9}}, "sensitivity"),
        ({"decision_threshold": {"sensitivity": 95}}, "0.95"),
        ({"decision_threshold": {"sensitivity": 0.9, "pos_label": "ill"}}, "'ill'"),
    ],
)
def test_bad_arguments_are_named_before_the_first_fit(classification, n_fits, arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        OptunaSearchCV(CountedNB(), SMOOTHING, **arguments).fit(*classification)
    assert n_fits() == 0


def test_what_needs_a_classifier_says_so(regression, classification):
    with pytest.raises(ValueError, match="is for classifiers.*continuous"):
        OptunaSearchCV(Ridge(), {"alpha": [1.0]}, calibration="sigmoid").fit(*regression)
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="needs two classes, got 3"):
        OptunaSearchCV(GaussianNB(), SMOOTHING, decision_threshold={"sensitivity": 0.9}).fit(X, y)

    class Mute(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            return self

    with pytest.raises(ValueError, match="has neither"):
        OptunaSearchCV(Mute(), {}, scoring=make_scorer(lambda y, z: 0), calibration="sigmoid").fit(
            *classification
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"epochs": "best"}, "last epoch"), ({"refit": False}, "nothing predicts")],
)
def test_an_ensemble_takes_the_place_of_a_refit(classification, arguments, message):
    calibration = Calibration(ensemble=True)
    with pytest.raises(ValueError, match=message):
        OptunaSearchCV(
            LogisticRegression(), {"C": [1.0]}, calibration=calibration, **arguments
        ).fit(*classification)


def test_the_best_epoch_has_predictions_too(cancer):
    X, y = cancer
    model = make_pipeline(StandardScaler(), GradientBoostingClassifier(n_estimators=30))
    search = OptunaSearchCV(
        model,
        {"gradientboostingclassifier__learning_rate": [0.5, 1.0]},
        scoring="neg_log_loss",
        epochs="best",
        cv=3,
    ).fit(X, y)
    row = search.best_index_
    assert 0 < search.best_epoch_ < 30
    for fold, (_, test) in enumerate(search._checked_cv_orig.split(X, y)):
        score = -log_loss(y[test], search.oof_predictions_[test])
        assert score == pytest.approx(search.cv_results_[f"split{fold}_test_score"][row], rel=1e-5)


# Decisions


@pytest.mark.parametrize("calibration", ["auto", None])
def test_predict_follows_the_threshold(cancer, calibration):
    X, y = cancer
    search = OptunaSearchCV(
        GaussianNB(),
        SMOOTHING,
        calibration=calibration,
        decision_threshold={"sensitivity": 0.95, "pos_label": 0},
    ).fit(X, y)
    choice = search.threshold_choice_
    assert choice.is_met
    assert choice.bounds["sensitivity"] >= 0.95
    assert search.best_threshold_ == choice.threshold
    is_positive = search.predict_proba(X)[:, 0] >= search.best_threshold_
    np.testing.assert_array_equal(search.predict(X) == 0, is_positive)
    assert search.score(X, y) == np.mean(is_positive == (y == 0))
    shipped = search.calibrated_estimator_
    np.testing.assert_array_equal(shipped.predict(X), search.predict(X))
    report = search.decision_report_
    assert report.sensitivity.value == pytest.approx(choice.sensitivity)


def test_a_threshold_on_decision_values(classification):
    X, y = classification
    search = OptunaSearchCV(
        SVC(), {"C": [1.0]}, decision_threshold={"sensitivity": 0.7, "confidence": 0.8}
    ).fit(X, y)
    is_positive = search.decision_function(X) >= search.best_threshold_
    np.testing.assert_array_equal(search.predict(X) == 1, is_positive)
    with pytest.raises(AttributeError, match="sigmoid"):
        _ = search.decision_report_


def test_a_threshold_without_predictions_loses_nothing(classification):
    class Shy(GaussianNB):
        def predict_proba(self, X):
            raise RuntimeError("no comment")

    search = OptunaSearchCV(Shy(), SMOOTHING, decision_threshold={"sensitivity": 0.8})
    with (
        pytest.warns(ThresholdNotMetWarning, match="no comment"),
        pytest.warns(CalibrationWarning, match="no comment"),
    ):
        search.fit(*classification)
    assert search.best_score_ > 0.5
    with pytest.raises(ThresholdNotMetError, match="no comment"):
        search.predict(classification[0])


def test_what_cannot_be_met_loses_nothing(classification):
    X, y = classification
    search = OptunaSearchCV(
        GaussianNB(), SMOOTHING, decision_threshold={"sensitivity": 0.95, "pos_label": 1}
    )
    with pytest.warns(ThresholdNotMetWarning, match="59"):
        search.fit(X, y)
    assert not search.threshold_choice_.is_met
    assert search.best_score_ > 0.5
    assert search.predict_proba(X).shape == (60, 2)
    assert search.best_estimator_.predict(X).shape == (60,)
    with pytest.raises(ThresholdNotMetError, match="59"):
        search.predict(X)


def test_a_threshold_from_folds_that_lack_a_class_is_doubted(cancer):
    X, y = cancer
    order = np.argsort(y, kind="stable")
    search = OptunaSearchCV(
        GaussianNB(), SMOOTHING, cv=KFold(2), decision_threshold={"sensitivity": 0.9}
    )
    with pytest.warns(CalibrationWarning, match="lack a class") as caught:
        search.fit(X[order], y[order])
    assert any("its confidence may not hold" in str(each.message) for each in caught)
    assert all(each.filename == __file__ for each in caught)


def test_the_positive_class_is_named_where_it_is_no_number(cancer, n_fits):
    X, y = cancer
    names = np.array(["malignant", "benign"])[y]
    search = OptunaSearchCV(CountedNB(), SMOOTHING, decision_threshold={"sensitivity": 0.9})
    with pytest.raises(ValueError, match="'pos_label': 'malignant'"):
        search.fit(X, names)
    assert n_fits() == 0


def test_the_rows_of_a_leaf_count_as_fewer_in_the_report_too(cancer):
    X, y = cancer
    search = OptunaSearchCV(
        DecisionTreeClassifier(max_depth=2, random_state=0),
        {"min_samples_leaf": [5]},
        decision_threshold={"sensitivity": 0.6, "confidence": 0.8, "pos_label": 0},
    ).fit(X, y)
    choice, report = search.threshold_choice_, search.decision_report_
    plain = decision_report(
        y,
        search.calibrator_.predict_proba(search.oof_predictions_)[:, 0],
        threshold=search.best_threshold_,
        pos_label=0,
    )
    assert report.sensitivity.value == choice.sensitivity
    assert report.sensitivity.low < plain.sensitivity.low - 0.05


# An honest score


def test_the_corrected_score_is_below_the_best_of_many(overlapping):
    X, y = overlapping
    search = OptunaSearchCV(
        DecisionTreeClassifier(random_state=0),
        {"max_depth": list(range(1, 12)), "max_features": [1, 2, 3, 4, 5, 6]},
        n_trials=40,
        sampler="random",
        scoring="roc_auc",
        random_state=0,
        pruner=None,
    ).fit(X, y)
    low, high = search.best_score_interval_
    assert low < search.best_score_corrected_ < search.best_score_
    assert search.best_score_corrected_ < high


def test_the_corrected_score_needs_a_scorer_that_is_known(classification):
    search = OptunaSearchCV(GaussianNB(), SMOOTHING, scoring=lambda e, X, y: e.score(X, y))
    with pytest.raises(AttributeError, match="corrected"):
        _ = search.fit(*classification).best_score_corrected_
    search = OptunaSearchCV(GaussianNB(), SMOOTHING, refit=lambda results: 0).fit(*classification)
    with pytest.raises(AttributeError, match="no metric"):
        _ = search.best_score_corrected_


@pytest.mark.parametrize("scoring", ["neg_log_loss", "f1", "average_precision", None])
def test_labels_that_are_words(cancer, scoring):
    X, y = cancer
    names = np.array(["malignant", "benign"])[y]
    scorer = scoring
    if scoring in ("f1", "average_precision"):
        own = get_scorer(scoring)
        scorer = make_scorer(
            own._score_func, response_method=own._response_method, pos_label="malignant"
        )
    search = OptunaSearchCV(GaussianNB(), SMOOTHING, scoring=scorer).fit(X, names)
    assert search.best_score_corrected_ == pytest.approx(search.best_score_, abs=0.05)
    assert set(search.predict(X)) == {"malignant", "benign"}


def test_it_pickles_with_all_of_it(cancer):
    X, y = cancer
    search = OptunaSearchCV(
        GaussianNB(), SMOOTHING, decision_threshold={"specificity": 0.9, "pos_label": 0}
    ).fit(X, y)
    again = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(again.predict(X), search.predict(X))
    assert again.best_score_corrected_ == search.best_score_corrected_
    assert repr(again.decision_report_) == repr(search.decision_report_)


def test_a_second_fit_forgets_the_first(classification, cancer):
    search = OptunaSearchCV(GaussianNB(), SMOOTHING).fit(*cancer)
    first = search.calibrator_
    search.fit(*classification)
    assert search.calibrator_ is not first
    assert search.calibrator_.n_rows == 60
