"""Whole scripts: without a guard, with classes of their own, several searches."""

import pytest

pytestmark = pytest.mark.slow
PLACES = {
    "in-process": ("loky", {"n_jobs": 1}),
    "threads": ("threading", {"n_jobs": 2}),
    "processes": ("loky", {"n_jobs": 2}),
    "isolated": ("loky", {"n_jobs": 2, "trial_timeout": 600}),
}

OWN_THINGS = """
class Value:
    def __init__(self, number):
        self.number = number

    def __repr__(self):
        return f"Value({self.number})"

def make_estimator(offset):
    class Closure(Mine):
        def score(self, X, y=None):
            return super().score(X, y) - offset
    return Closure(seconds=SECONDS)

def make_scorer(weight):
    return lambda model, X, y: weight * -abs(model.x.number - 3.2) + int(model.score_ok())

class WithValue(Mine):
    def score_ok(self):
        return isinstance(self.x, Value)

say("once", os.getpid())
with joblib.parallel_config(BACKEND):
    search = OptunaSearchCV(
        WithValue(seconds=SECONDS),
        {"x": [Value(number) for number in range(8)]},
        scoring=make_scorer(2.0),
        cv=2,
        **SETTINGS,
    ).fit(X, y)
    say("best", search.best_params_, round(search.best_score_, 6))
    other = OptunaSearchCV(make_estimator(10.0), {"x": [1, 2]}, cv=2, **SETTINGS).fit(X, y)
    say("best", other.best_params_, round(other.best_score_))
"""


@pytest.mark.parametrize("place", PLACES)
def test_things_of_the_script_itself_and_no_guard(start_script, place):
    backend, settings = PLACES[place]
    text = OWN_THINGS.replace("BACKEND", repr(backend)).replace("SETTINGS", repr(settings))
    script = start_script(text.replace("SECONDS", "0.3" if place == "processes" else "0.0"))
    assert script.wait() == 0, script.errors
    assert script.output.count("once") == 1
    assert script.output.splitlines()[1:] == [
        "best {'x': Value(3)} 0.6",
        "best {'x': 1} -11",
    ]
    assert script.errors == ""
    assert script.is_alone_within(10.0)


def test_searches_share_their_workers_and_the_exit_does_not_wait_for_them(start_script):
    script = start_script(
        """
        def search(**settings):
            return OptunaSearchCV(
                Mine(seconds=0.1),
                {"x": list(range(10))},
                scoring=lambda model, X, y: os.getpid(),
                cv=2,
                n_jobs=2,
                refit=False,
                **settings,
            ).fit(X, y)

        pids = set()
        for settings in ({"trial_timeout": 600}, {}, {"trial_timeout": 600}):
            results = search(**settings).cv_results_
            pids |= {*results["split0_test_score"], *results["split1_test_score"]}
        say(len(pids), "workers", os.getpid() in pids)
        say("end")
        """
    )
    script.wait_for("end")
    assert script.wait(10.0) == 0
    assert script.output.splitlines() == ["2 workers False", "end"]
    assert script.errors == ""
    assert script.is_alone_within(10.0)


def test_a_script_read_from_standard_input_can_search(start_script):
    script = start_script(
        """
        import subprocess
        import sys

        code = '''
        import numpy as np
        from sklearn.tree import DecisionTreeClassifier
        from optunasearch import OptunaSearchCV
        X, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
        space = {"max_depth": [1, 2, 3]}
        tree = DecisionTreeClassifier()
        search = OptunaSearchCV(tree, space, cv=2, n_jobs=2, trial_timeout=600).fit(X, y)
        print(search.n_trials_)
        '''
        import textwrap
        done = subprocess.run(
            [sys.executable, "-"], input=textwrap.dedent(code), text=True, capture_output=True
        )
        say(done.stdout.strip(), done.stderr.strip())
        """
    )
    assert script.wait() == 0, script.errors
    assert script.output.strip() == "3"


def test_an_exception_ends_a_script_at_once(start_script):
    script = start_script(
        """
        def stop(study, trial):
            raise LookupError("enough")

        OptunaSearchCV(
            Mine(seconds=1.0),
            {"x": list(range(100))},
            cv=2,
            n_jobs=2,
            trial_timeout=600,
            callbacks=[stop],
        ).fit(X, y)
        """
    )
    assert script.wait() == 1
    assert script.errors.rstrip().endswith("LookupError: enough")
    assert script.is_alone_within(10.0)
