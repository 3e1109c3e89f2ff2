"""The corrected score of a winner."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_diabetes, make_classification
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import check_scoring, f1_score, get_scorer, make_scorer
from sklearn.model_selection import KFold, RepeatedKFold, StratifiedKFold, TimeSeriesSplit
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from optunasearch.selection._corrected import _draw, correct_score, correction_path
from optunasearch.selection._fold_scores import score_candidates
from optunasearch.selection._predictions import LabelledPredictions
from optunasearch.selection._questions import Questions
from tests.selection.stored import cross_predictions, labelled

ACCURACY = get_scorer("accuracy")
SPLITS = list(KFold(5, shuffle=True, random_state=0).split(np.zeros(100)))
TREES = [
    DecisionTreeClassifier(max_depth=depth, min_samples_leaf=leaf, random_state=0)
    for depth in (1, 2, 3, 5)
    for leaf in (1, 4)
]
X, Y = make_classification(120, flip_y=0.2, random_state=0)
FOLDS = list(StratifiedKFold(5).split(X, Y))
TREE_PREDICTIONS = cross_predictions(TREES, X, Y, FOLDS)


def guesses(n_candidates, share_right, n_rows=100, seed=0):
    """Return targets, and candidates that are right by chance so often."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n_rows)
    is_right = rng.random((n_candidates, n_rows)) < np.reshape(share_right, (-1, 1))
    return y, np.where(is_right, y, 1 - y)


def by_hand(y, codes, n_bootstraps, seed):
    """Return BBC-CV of the accuracy over equal folds, resample by resample."""
    hits = (codes == y).astype(float)
    _, rng = np.random.default_rng(seed).spawn(2)
    scores, of_best = [], []
    for counts in _draw(len(y), n_bootstraps, rng):
        winner = np.round(hits @ counts / len(y), 9).argmax()
        rows = counts == 0
        scores.append(hits[winner, rows].mean())
        of_best.append(hits[hits.mean(axis=1).argmax(), rows].mean())
    return np.array(scores), np.mean(of_best) - hits.mean(axis=1).max()


def test_is_bootstrap_bias_corrected_cross_validation():
    y, codes = guesses(30, 0.6)
    found = correct_score(labelled(codes, SPLITS), ACCURACY, y, SPLITS, n_bootstraps=200)
    scores, chance = by_hand(y, codes, 200, 0)
    assert found.value == pytest.approx(scores.mean() - chance)
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(scores, [2.5, 97.5])))
    assert found.best_score == pytest.approx((codes == y).mean(axis=1).max())
    assert (found.n_candidates, found.n_bootstraps) == (30, 200)
    narrow = correct_score(labelled(codes, SPLITS), ACCURACY, y, SPLITS, confidence=0.5)
    assert found.low < narrow.low < found.value < narrow.high < found.high


def test_optimism_of_luck_is_taken_away():
    errors = []
    for seed in range(20):
        y, codes = guesses(50, 0.6, seed=seed)
        found = correct_score(labelled(codes, SPLITS), ACCURACY, y, SPLITS, n_bootstraps=300)
        errors.append((found.best_score - 0.6, found.value - 0.6, found.low <= 0.6 <= found.high))
    naive, corrected, covered = np.mean(errors, axis=0)
    assert naive > 0.08
    assert abs(corrected) < 0.015
    assert covered >= 0.9


def test_a_clear_winner_keeps_its_score():
    y, codes = guesses(10, [0.5] * 9 + [0.95])
    found = correct_score(labelled(codes, SPLITS), ACCURACY, y, SPLITS)
    assert found.value == pytest.approx(found.best_score, abs=1e-3)


@pytest.mark.parametrize("codes", [guesses(1, 0.6)[1], np.repeat(guesses(1, 0.6)[1], 7, axis=0)])
def test_where_there_is_no_choice_there_is_no_optimism(codes):
    y, _ = guesses(1, 0.6)
    found = correct_score(labelled(codes, SPLITS), ACCURACY, y, SPLITS)
    assert found.value == pytest.approx(found.best_score)
    assert found.low < found.value < found.high


def test_the_first_of_equals_wins():
    y = np.arange(100) % 2
    mirrored = np.stack([np.where(np.arange(100) < 50, y, 1 - y)] * 3)
    found = correct_score(labelled(mirrored, SPLITS), ACCURACY, y, SPLITS)
    again = correct_score(labelled(mirrored[:1], SPLITS), ACCURACY, y, SPLITS)
    triples = [(c.value, c.low, c.high) for c in (found, again)]
    assert triples[0] == pytest.approx(triples[1])


@pytest.mark.parametrize(
    "scoring",
    [None, "accuracy", "roc_auc", "balanced_accuracy", "neg_log_loss", "f1", "average_precision"],
)
def test_best_score_is_the_search_s(scoring):
    models = [GaussianNB(var_smoothing=s) for s in (1e-9, 1e-1, 10)]
    scorer = check_scoring(models[0], scoring=scoring)
    candidates = cross_predictions(models, X, Y, FOLDS)
    means = [np.mean([scorer(m.fit(X[a], Y[a]), X[b], Y[b]) for a, b in FOLDS]) for m in models]
    found = correct_score(candidates, scorer, Y, FOLDS)
    assert found.best_score == pytest.approx(max(means))
    assert found.low < found.value <= found.best_score + 1e-9


def scored(closed, scorer, candidates, y, splits, units=None, params=None):
    units = np.arange(len(y)) if units is None else units
    questions = Questions(scorer, y, [test for _, test in splits], units, params or {})
    return score_candidates(candidates, questions, np.random.default_rng(0), closed=closed)


@pytest.mark.parametrize("scoring", ["accuracy", "neg_brier_score"])
def test_of_a_mean_the_jackknife_row_by_row_is_the_closed_form(scoring):
    splits = list(StratifiedKFold(6).split(X, Y))  # 20 rows each: as many blocks
    candidates = cross_predictions(TREES, X, Y, splits)
    known, asked = (scored(c, get_scorer(scoring), candidates, Y, splits) for c in (True, False))
    np.testing.assert_allclose(asked.scores, known.scores)
    np.testing.assert_allclose(asked.influences, known.influences, atol=1e-12)
    np.testing.assert_array_equal(asked.rows, known.rows)


@pytest.mark.parametrize("scoring", ["accuracy", "balanced_accuracy", "roc_auc", "neg_log_loss"])
def test_blocks_and_closed_forms_come_to_the_same_spread_and_value(scoring):
    data = make_classification(400, flip_y=0.3, random_state=1)
    splits = list(StratifiedKFold(5).split(*data))
    models = [GaussianNB(var_smoothing=1), *[LogisticRegression(C=c) for c in (1e-3, 1e-2, 1)]]
    candidates = cross_predictions(models, *data, splits)
    known, asked = (
        scored(c, get_scorer(scoring), candidates, data[1], splits) for c in (True, False)
    )
    differences = [s.influences - s.influences[0] for s in (known, asked)]
    for of_known, of_asked in zip(*differences, strict=True):
        spread = np.linalg.norm(of_known)
        assert np.linalg.norm(of_asked) == pytest.approx(spread, rel=0.4)
    assert np.linalg.norm(asked.influences) == pytest.approx(
        np.linalg.norm(known.influences), rel=0.2
    )
    known, asked = (
        correct_score(candidates, scorer, data[1], splits)
        for scorer in (get_scorer(scoring), _hidden(get_scorer(scoring)))
    )
    width = known.high - known.low
    assert asked.best_score == pytest.approx(known.best_score)
    assert asked.value == pytest.approx(known.value, abs=0.1 * width)
    assert asked.high - asked.low == pytest.approx(width, rel=0.3)


def _hidden(scorer):
    """Return the same scorer, such that its metric is not known."""

    def metric(y, answers, **kwargs):
        return scorer._score_func(y, answers, **kwargs)

    return make_scorer(
        metric,
        response_method=scorer._response_method,
        greater_is_better=scorer._sign > 0,
    )


def test_r2_of_few_rows_is_not_dragged_down():
    # Scored by themselves, the seven rows out of the bag in a fold of 20 have a far lower R².
    data = load_diabetes(return_X_y=True)
    some = np.random.default_rng(0).permutation(442)[:100]
    features, y = data[0][some], data[1][some]
    candidates = cross_predictions([Ridge(a) for a in (0.1, 1)], features, y, SPLITS)
    found = correct_score(candidates, get_scorer("r2"), y, SPLITS)
    assert found.best_score - 0.03 < found.value <= found.best_score + 1e-9


def test_groups_are_drawn_as_groups():
    y, codes = guesses(20, 0.6)
    alone = correct_score(labelled(codes, SPLITS), ACCURACY, y, SPLITS)
    many, groups = np.repeat(codes, 5, axis=1), np.repeat(np.arange(100), 5)
    splits = [(None, (5 * test[:, np.newaxis] + np.arange(5)).ravel()) for _, test in SPLITS]
    candidates = labelled(many, splits)
    grouped = correct_score(candidates, ACCURACY, np.repeat(y, 5), splits, groups=groups)
    named = correct_score(
        candidates, ACCURACY, np.repeat(y, 5), splits, groups=[f"{g:03}" for g in groups]
    )
    blind = correct_score(candidates, ACCURACY, np.repeat(y, 5), splits)
    for field in ("value", "low", "high", "best_score"):
        assert getattr(grouped, field) == pytest.approx(getattr(alone, field), abs=0.01)
        assert getattr(grouped, field) == getattr(named, field)
    assert blind.high - blind.low < 0.6 * (grouped.high - grouped.low)


@pytest.mark.parametrize("scoring", ["accuracy", "f1", None])
def test_rows_of_weight_zero_do_not_count(scoring):
    weights = np.ones(len(Y))
    weights[::3] = 0
    scorer = check_scoring(TREES[0], scoring=scoring)
    params = {"sample_weight": weights}
    found = correct_score(TREE_PREDICTIONS[:3], scorer, Y, FOLDS, score_params=params)
    spoilt = np.where(weights > 0, Y, 1 - Y)
    again = correct_score(TREE_PREDICTIONS[:3], scorer, spoilt, FOLDS, score_params=params)
    assert found == again
    assert found != correct_score(TREE_PREDICTIONS[:3], scorer, Y, FOLDS)


def test_repeated_folds_count_each_row_once():
    splits = list(RepeatedKFold(n_splits=5, n_repeats=4, random_state=0).split(X))
    candidates = cross_predictions(TREES, X, Y, splits)
    repeated = correct_score(candidates, ACCURACY, Y, splits)
    once = correct_score([c[:5] for c in candidates], ACCURACY, Y, splits[:5])
    assert repeated.high - repeated.low > 0.7 * (once.high - once.low)
    assert scored(True, ACCURACY, candidates, Y, splits).influences.shape == (len(TREES), len(Y))


def test_rows_that_are_never_tested_do_not_matter():
    splits = list(TimeSeriesSplit(4).split(X))
    candidates = cross_predictions(TREES, X, Y, splits)
    found = correct_score(candidates, ACCURACY, Y, splits)
    other = Y.copy()
    other[: splits[0][1][0]] = 1 - other[: splits[0][1][0]]
    assert correct_score(candidates, ACCURACY, other, splits) == found


def test_a_fold_without_a_score_is_left_out():
    y = Y.copy()
    y[FOLDS[2][1]] = 0
    candidates = cross_predictions([GaussianNB(), GaussianNB(var_smoothing=1)], X, Y, FOLDS)
    keep = [0, 1, 3, 4]
    found = correct_score(candidates, get_scorer("roc_auc"), y, FOLDS)
    four = [[candidate[k] for k in keep] for candidate in candidates]
    fewer = correct_score(four, get_scorer("roc_auc"), y, [FOLDS[k] for k in keep])
    assert found.best_score == pytest.approx(fewer.best_score)
    assert np.isfinite([found.value, found.low, found.high]).all()


def test_a_candidate_without_a_score_takes_no_part():
    candidates = cross_predictions([GaussianNB(), GaussianNB(var_smoothing=1)], X, Y, FOLDS)
    bad = [
        LabelledPredictions({"predict_proba": np.full((len(test), 2), np.nan)}, np.array([0, 1]))
        for _, test in FOLDS
    ]
    for scoring in ("neg_log_loss", "roc_auc"):
        scorer = get_scorer(scoring)
        found = correct_score([*candidates, bad], scorer, Y, FOLDS)
        assert found == correct_score(candidates, scorer, Y, FOLDS)
        assert found.n_candidates == 2


@pytest.mark.parametrize("scoring", ["accuracy", "f1"])
def test_path_ends_at_the_score_and_its_points_are_of_fewer_trials(scoring):
    y, codes = guesses(20, 0.6)
    candidates = labelled(codes, SPLITS)
    scorer = get_scorer(scoring)
    path = correction_path(candidates, scorer, y, SPLITS, n_points=3)
    assert path.n_trials.tolist() == [1, 4, 20]
    assert (np.diff(path.naive) >= 0).all()
    assert path.corrected[0] == pytest.approx(path.naive[0])
    for point, first in enumerate(path.n_trials):
        found = correct_score(candidates, scorer, y, SPLITS, first=first)
        assert path.naive[point] == found.best_score
        triple = (path.corrected[point], path.low[point], path.high[point])
        assert triple == pytest.approx((found.value, found.low, found.high))


def test_path_before_the_first_score():
    y, codes = guesses(3, 0.6)
    bad = [LabelledPredictions({"predict": np.full(20, np.inf)}, None) for _ in SPLITS]
    good = [LabelledPredictions({"predict": codes[0][test]}, None) for _, test in SPLITS]
    scorer = get_scorer("neg_mean_absolute_error")
    path = correction_path([bad, good, good], scorer, y, SPLITS)
    assert path.n_trials.tolist() == [1, 2, 3]
    assert np.isnan([path.naive[0], path.corrected[0], path.low[0], path.high[0]]).all()
    assert np.isfinite([path.naive[1:], path.corrected[1:], path.low[1:], path.high[1:]]).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(-3, 3), st.integers(0, 10**6))
def test_scores_in_another_unit(exponent, seed):
    rng = np.random.default_rng(seed)
    y, answers = rng.normal(size=100), rng.normal(size=(6, 100))
    unit = 10.0**exponent
    scorer = get_scorer("neg_mean_absolute_error")

    def found(unit):
        candidates = [
            [LabelledPredictions({"predict": unit * row[test]}, None) for _, test in SPLITS]
            for row in answers
        ]
        corrected = correct_score(candidates, scorer, unit * y, SPLITS, n_bootstraps=50)
        return np.array([corrected.value, corrected.low, corrected.high, corrected.best_score])

    np.testing.assert_allclose(found(unit), unit * found(1), rtol=1e-6)


@pytest.mark.parametrize("n_rows", [2, 3, 5])
def test_a_handful_of_rows(n_rows):
    y, codes = guesses(3, 0.6, n_rows)
    splits = [(None, np.array([row])) for row in range(n_rows)]
    found = correct_score(labelled(codes, splits), ACCURACY, y, splits)
    assert -1e-9 <= found.low <= found.high <= 1 + 1e-9
    assert np.isfinite(found.value)


def test_same_seed_same_score():
    y, codes = guesses(20, 0.6)
    first, same, other = (
        correct_score(labelled(codes, SPLITS), ACCURACY, y, SPLITS, random_state=seed)
        for seed in (0, 0, 1)
    )
    assert first == same != other
    assert first.value == pytest.approx(other.value, abs=0.01)


def test_errors():
    y, codes = guesses(2, 0.6)
    candidates = labelled(codes, SPLITS)

    def corrected(candidates=candidates, scorer=ACCURACY, splits=SPLITS, **options):
        return correct_score(candidates, scorer, y, splits, **options)

    with pytest.raises(TypeError, match="Use a scorer of scikit-learn"):
        corrected(scorer=lambda model, X, y: 0.0)
    with pytest.raises(ValueError, match="There are no candidates"):
        corrected([])
    with pytest.raises(ValueError, match="Candidate 0 has predictions of 5 folds, but there are 4"):
        corrected(splits=SPLITS[:4])
    wrong = [(None, test[:-1]) for _, test in SPLITS]
    with pytest.raises(ValueError, match=r"answers of \{'predict': 20\} rows for the 19 test rows"):
        corrected(splits=wrong)
    with pytest.raises(ValueError, match="a group for each of 100 rows, got 3"):
        corrected(groups=[1, 2, 3])
    with pytest.raises(ValueError, match="two groups or more among the test rows, got 1"):
        corrected(groups=np.zeros(100))
    with pytest.raises(ValueError, match="n_bootstraps must be 1 or more, got 0"):
        corrected(n_bootstraps=0)
    with pytest.raises(ValueError, match="95 % is 0.95"):
        corrected(confidence=95)
    with pytest.raises(AttributeError, match="predict_proba"):
        corrected(scorer=get_scorer("neg_log_loss"))
    with pytest.raises(ValueError, match="is not a finite number for any candidate") as caught:
        corrected(scorer=make_scorer(f1_score, pos_label="ill"))
    assert isinstance(caught.value.__cause__, ValueError)
