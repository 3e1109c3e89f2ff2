"""What a search prints."""

import io
import logging
import re
import sys

import numpy as np
import optuna
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV
from sklearn.tree import DecisionTreeClassifier

from optunasearch import OptunaSearchCV
from optunasearch._dimensions import make_dimension
from optunasearch._progress import Progress
from optunasearch._space import DeclaredSpace
from optunasearch.execution._records import FoldResult, TrialRecord, TrialTask

X, Y = load_breast_cancer(return_X_y=True)
X, Y = X[:150, :5], Y[:150]
TREE = DecisionTreeClassifier(random_state=0)
GRID = {"max_depth": [1, 2, 3], "criterion": ["gini", "entropy"]}
SPACE = DeclaredSpace([{"b": make_dimension("b", [1, 2]), "a": make_dimension("a", ["x"])}])
POINT = next(SPACE.points())


def printed(capsys, **kwargs):
    OptunaSearchCV(TREE, GRID, cv=2, **kwargs).fit(X, Y)
    out, err = capsys.readouterr()
    assert err == ""
    return out.splitlines()


def result(fold=0, test=0.5, train=None):
    return FoldResult(fold, test, train, 1.0, 0.25, 10)


def without_times(lines):
    return [re.sub(r"\.*total time=.*|\.* ?$", "", line) for line in lines]


def scikit_learn_s(capsys, verbose, **kwargs):
    GridSearchCV(TREE, GRID, cv=2, verbose=verbose, **kwargs).fit(X, Y)
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("sampler", [None, "qmc", "gp", "cmaes", "nsga2"])
def test_silence(capfd, caplog, sampler, n_jobs):
    verbosity = optuna.logging.get_verbosity()
    with caplog.at_level(logging.DEBUG, "optuna"):
        OptunaSearchCV(TREE, GRID, cv=2, sampler=sampler, n_trials=3, n_jobs=n_jobs).fit(X, Y)
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []
    assert optuna.logging.get_verbosity() == verbosity


def test_lines_of_progress(capsys):
    first, note, *lines = printed(capsys, verbose=1, n_trials=6)
    assert "every point of the grid is wanted" in note
    assert first == "Fitting 2 folds for each of 6 candidates, totalling 12 fits"
    assert len(lines) == 6
    some_time = r"[\d.]+(s|min)"
    pattern = rf"1/6 trials, best 0\.\d+ \(trial 1\), {some_time}, {some_time} left"
    assert re.fullmatch(pattern, lines[0])
    assert re.fullmatch(rf"6/6 trials, best .*, {some_time}, 0\.0s left", lines[-1])


def test_a_long_search_prints_a_line_for_each_tenth(capsys):
    progress = Progress(1, 47, 1, SPACE)
    for number in range(47):
        progress.trial_ends(TrialRecord(number, POINT, 1, {0: result()}), number / 100)
    _, *lines = capsys.readouterr().out.splitlines()
    assert [line.split("/")[0] for line in lines] == [str(n) for n in (*range(4, 47, 4), 47)]
    assert "best 0.46 (trial 47)" in lines[-1]


def test_the_best_so_far_is_the_first_highest_finite_value(capsys):
    progress = Progress(2, 6, 1, SPACE)
    for number, value in enumerate([np.nan, 0.5, 0.7, np.inf, 0.7, 0.6]):
        progress.trial_ends(TrialRecord(number, POINT, 1, {0: result()}), value)
    bests = re.findall(r"best [^)]*\)|no score yet", capsys.readouterr().out)
    assert bests == ["no score yet", "best 0.5 (trial 2)"] + ["best 0.7 (trial 3)"] * 4


def test_a_line_for_each_trial(capsys):
    _, _, first, *lines = printed(capsys, verbose=2, n_trials=6)
    pattern = (
        r"\[trial 1/6\] score=0\.\d+, best 0\.\d+ \(trial 1\), \d+\.\d\d s: "
        r"criterion=gini, max_depth=1"
    )
    assert re.fullmatch(pattern, first)
    assert [line.split("]")[0] for line in lines] == [f"[trial {n}/6" for n in range(2, 7)]


def test_a_duplicate_is_marked(capsys):
    lines = printed(capsys, verbose=2, n_trials=7, sampler="random", random_state=0)
    assert any(re.search(r"\] score=0\.\d+ \(as trial \d\), best", line) for line in lines)


@pytest.mark.parametrize("verbose", [3, 4, 9, 10])
@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"return_train_score": True},
        {"scoring": ["recall", "f1"], "refit": "f1", "return_train_score": True},
    ],
    ids=["score", "train", "multimetric"],
)
def test_from_three_on_the_lines_are_scikit_learn_s(capsys, verbose, kwargs):
    theirs = scikit_learn_s(capsys, verbose, **kwargs)
    ours = printed(capsys, verbose=verbose, **kwargs)
    if verbose == 10:  # folds that travel together start together
        ours, theirs = sorted(ours), sorted(theirs)
    assert without_times(ours) == without_times(theirs)
    assert {len(line) for line in ours} == {len(line) for line in theirs}


def test_lines_name_parameters_in_order_and_every_score(capsys):
    progress = Progress(10, 5, 2, SPACE)
    capsys.readouterr()
    record = TrialRecord(3, POINT, 2)
    progress.task_starts(TrialTask(3, POINT, (0, 1)))
    progress.fold_ends(record, result(1, {"b": 0.5, "a": 0.25}, {"a": 1.0, "b": 0.75}))
    assert [line.rstrip(".") for line in capsys.readouterr().out.splitlines()] == [
        "[CV 1/2; 4/5] START a=x, b=1",
        "[CV 2/2; 4/5] START a=x, b=1",
        "[CV 2/2; 4/5] END a=x, b=1; a: (train=1.000, test=0.250) "
        "b: (train=0.750, test=0.500) total time=   1.2s",
    ]


def test_a_terminal_gets_a_bar(capsys, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    OptunaSearchCV(TREE, GRID, cv=2, verbose=1).fit(X, Y)
    assert (
        capsys.readouterr().out.count("\n") == 2
    )  # "Fitting 2 folds...", and why nothing is pruned
    assert re.search(r"100%.*6/6 .*trial.*best 0\.\d+ \(trial \d\)", terminal.getvalue())
    assert terminal.getvalue().endswith("\n")  # closed
