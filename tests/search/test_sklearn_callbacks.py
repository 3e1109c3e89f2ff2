"""scikit-learn's own callbacks (`set_callbacks`)."""

import warnings

import pytest
from joblib import parallel_config
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from optunasearch import OptunaSearchCV
from tests.search.estimators import Adjustable

GRID = {"C": [0.1, 1.0]}


class Recorder:
    """Notes every hook of the search with its task, not those inside its estimator."""

    max_propagation_depth = 0

    def __init__(self):
        self.events = []

    def setup(self, estimator, context):
        self.events.append(("setup", context.task_name, context.task_id))

    def teardown(self, estimator, context):
        self.events.append(("teardown", context.task_name, context.task_id))

    def on_fit_task_begin(self, estimator, context, **arguments):
        self.events.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context, **arguments):
        self.events.append(("end", context.task_name, context.task_id))


def recorded(kind, classification, estimator, space, **arguments):
    recorder = Recorder()
    search = kind(estimator, space, cv=2, **arguments).set_callbacks(recorder)
    search.fit(*classification)
    return recorder.events


@pytest.mark.parametrize("refit", [True, False])
def test_the_hooks_are_those_of_gridsearchcv(classification, refit):
    ours, theirs = (
        recorded(kind, classification, LogisticRegression(), GRID, refit=refit)
        for kind in (OptunaSearchCV, GridSearchCV)
    )
    assert ours == theirs
    leaves = [event for event in ours if event[1] == "candidate-split-evaluation"]
    assert [task for hook, _, task in leaves if hook == "begin"] == [0, 1, 2, 3]


def test_every_task_that_begins_ends_also_around_failures(classification):
    space = {"error": [None, ValueError("no")]}
    with pytest.warns(FitFailedWarning, match="2 fits failed out of a total of 4"):
        events = recorded(OptunaSearchCV, classification, Adjustable(), space, error_score=0.0)
    began = [event[1:] for event in events if event[0] == "begin"]
    assert sorted(began) == sorted(event[1:] for event in events if event[0] == "end")
    assert len([task for task in began if task[0] == "candidate-split-evaluation"]) == 4
    assert [event[0] for event in events].count("teardown") == 1


def test_with_threads_every_fold_is_seen(classification):
    with parallel_config("threading"):
        events = recorded(OptunaSearchCV, classification, LogisticRegression(), GRID, n_jobs=2)
    ended = [task for hook, name, task in events if hook == "end" and name.startswith("candidate")]
    assert sorted(ended) == [0, 1, 2, 3]


def test_a_scoring_monitor_logs_the_same_scores(classification):
    logs = []
    for kind in (GridSearchCV, OptunaSearchCV):
        monitor = ScoringMonitor(scoring="accuracy")
        model = LogisticRegression(max_iter=5, tol=1e-12).set_callbacks(monitor)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # not converged
            kind(model, GRID, cv=2).fit(*classification)
        rows = [row for log in monitor.get_logs(select="all") for row in log.data]
        logs.append(sorted(row["accuracy"] for row in rows))
    assert len(logs[1]) > 5 * 5
    assert logs[0] == logs[1]


def test_a_progress_bar_shows_the_search(classification, capfd):
    pytest.importorskip("rich", reason="needs rich")
    search = OptunaSearchCV(LogisticRegression(), GRID, cv=2).set_callbacks(ProgressBar())
    search.fit(*classification)
    shown = capfd.readouterr().out
    assert "OptunaSearchCV" in shown
    assert "refit-with-best-params" in shown
