"""Best and corrected score against the number of trials."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.datasets import make_classification, make_regression
from sklearn.linear_model import Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from optunasearch import OptunaSearchCV
from optunasearch.plotting import CorrectedScoreDisplay

SPACE = {"max_depth": list(range(1, 12)), "max_features": [1, 2, 3, 4, 5, 6]}


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def data():
    return make_classification(200, 6, n_informative=2, flip_y=0.4, random_state=1)


def searched(data, **options):
    options = {"n_trials": 30, "sampler": "random", "scoring": "roc_auc", "pruner": None} | options
    tree = DecisionTreeClassifier(random_state=0)
    return OptunaSearchCV(tree, SPACE, random_state=0, **options).fit(*data)


@pytest.fixture(scope="module")
def search(data):
    return searched(data)


def test_the_best_score_is_the_best_so_far(search):
    display = CorrectedScoreDisplay.from_search(search)
    so_far = np.maximum.accumulate(search.cv_results_["mean_test_score"])
    assert display.n_trials[0] == 1
    assert display.n_trials[-1] == 30
    np.testing.assert_allclose(display.best_score, so_far[display.n_trials - 1])
    np.testing.assert_array_equal(display.best_line_.get_xdata(), display.n_trials)
    np.testing.assert_array_equal(display.best_line_.get_ydata(), display.best_score)


def test_the_last_point_is_the_corrected_score(search):
    display = CorrectedScoreDisplay.from_search(search)
    low, high = search.best_score_interval_
    found = display.corrected[-1], display.low[-1], display.high[-1]
    assert found == pytest.approx((search.best_score_corrected_, low, high), abs=0.005)
    np.testing.assert_array_equal(display.corrected_line_.get_ydata(), display.corrected)
    heights = display.band_.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (display.low.min(), display.high.max())


def test_an_earlier_point_is_what_a_shorter_search_says(search, data):
    display = CorrectedScoreDisplay.from_search(search)
    point = len(display.n_trials) // 2
    shorter = searched(data, n_trials=int(display.n_trials[point]))
    assert shorter.best_score_ == pytest.approx(display.best_score[point])
    assert shorter.best_score_corrected_ == pytest.approx(display.corrected[point], abs=0.01)


def test_one_trial_has_nothing_to_correct_and_many_have(search):
    display = CorrectedScoreDisplay.from_search(search)
    assert display.corrected[0] == pytest.approx(display.best_score[0])
    assert display.corrected[-1] < display.best_score[-1]


def test_pruned_trials_count_on_the_axis(data):
    search = searched(data, pruner="auto", n_trials=40)
    pruned = np.isnan(search.cv_results_["mean_test_score"])
    assert pruned.any()
    display = CorrectedScoreDisplay.from_search(search)
    assert display.n_trials[-1] == search.n_trials_ == 40
    best = np.fmax.accumulate(search.cv_results_["mean_test_score"])
    np.testing.assert_allclose(display.best_score, best[display.n_trials - 1])
    assert display.corrected[-1] == pytest.approx(search.best_score_corrected_, abs=0.005)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"scoring": "roc_auc"}, "roc_auc"),
        ({"scoring": ["accuracy", "roc_auc"], "refit": "accuracy"}, "accuracy"),
        ({"scoring": None}, "Score"),
    ],
)
def test_the_axis_names_the_score(data, options, name):
    display = CorrectedScoreDisplay.from_search(searched(data, n_trials=5, **options))
    assert display.ax_.get_ylabel() == f"{name}, mean of the folds"
    assert display.ax_.get_xlabel() == "Finished trials"
    assert all(tick == int(tick) for tick in display.ax_.get_xticks())


def test_options(search):
    _, ax = plt.subplots()
    display = CorrectedScoreDisplay.from_search(
        search, n_points=4, n_bootstraps=200, confidence=0.5, ax=ax, lw=3
    )
    assert display.ax_ is ax
    assert len(display.n_trials) == 4
    assert display.best_line_.get_linewidth() == display.corrected_line_.get_linewidth() == 3
    wide = CorrectedScoreDisplay.from_search(search, n_points=4, n_bootstraps=200)
    assert (wide.high - wide.low)[-1] > 1.5 * (display.high - display.low)[-1]
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["best score", "corrected score", "50 % interval"]


def test_a_regression():
    data = make_regression(60, 4, noise=20.0, random_state=0)
    search = OptunaSearchCV(Ridge(), {"alpha": [0.1, 1.0, 10.0]}, scoring="r2").fit(*data)
    display = CorrectedScoreDisplay.from_search(search)
    assert display.best_score[-1] == pytest.approx(search.best_score_)


def test_errors(data, search):
    own = OptunaSearchCV(
        GaussianNB(), {"var_smoothing": [1e-9, 1e-8]}, scoring=lambda e, X, y: e.score(X, y)
    ).fit(*data)
    with pytest.raises(AttributeError, match="cannot be corrected"):
        CorrectedScoreDisplay.from_search(own)
    with pytest.raises(ValueError, match="confidence"):
        CorrectedScoreDisplay.from_search(search, confidence=95)
    with pytest.raises(TypeError, match="search must be"):
        CorrectedScoreDisplay.from_search(GaussianNB())
