"""Ctrl-C in a running search."""

import time

import pytest

pytestmark = pytest.mark.slow
# The specification gives 2 s on processes; the rest is for a machine that is busy.
SECONDS = 2.0 + 3.0

SCRIPT = """
search = OptunaSearchCV(
    Mine(seconds={seconds}),
    {{"x": list(range(1000))}},
    n_trials=1000,
    cv=2,
    callbacks=[lambda study, trial: say("trial", trial.number)],
    **{settings},
)
try:
    with joblib.parallel_config({backend!r}):
        search.fit(X, y)
except KeyboardInterrupt:
    say("interrupted with", len(search.cv_results_["params"]), len(search.study_.trials))
    assert search.n_trials_ == len(search.cv_results_["params"]) > 0
    assert search.best_params_ in search.cv_results_["params"]
    assert search.trials_["status"].count("complete") == search.n_trials_
"""
PLACES = {
    "in-process": ("loky", {"n_jobs": 1}),
    "threads": ("threading", {"n_jobs": 2}),
    "processes": ("loky", {"n_jobs": 2}),
    "isolated": ("loky", {"n_jobs": 2, "trial_timeout": 600}),
}


@pytest.mark.parametrize("place", PLACES)
def test_what_finished_is_there_and_nothing_is_left_behind(start_script, place):
    backend, settings = PLACES[place]
    script = start_script(SCRIPT.format(seconds=0.3, settings=settings, backend=backend))
    script.wait_for("trial 20\n" if place == "processes" else "trial 3\n")
    script.press_ctrl_c()
    script.wait_for("interrupted", SECONDS)
    assert script.wait() == 0
    assert script.is_alone_within(SECONDS)
    assert script.errors == ""


def test_long_fits_are_ended(start_script):
    script = start_script(LONG_FITS)
    script.wait_for("trial 1\n")
    time.sleep(1.0)
    script.press_ctrl_c()
    script.wait_for("interrupted", SECONDS)
    assert script.wait() != 0
    assert script.is_alone_within(SECONDS)
    assert "KeyboardInterrupt" in script.errors


LONG_FITS = """
class Long(Mine):
    def fit(self, X, y=None):
        time.sleep(0.0 if self.x < 2 else 600.0)
        return super().fit(X)

search = OptunaSearchCV(
    Long(),
    {"x": list(range(100))},
    sampler="grid",
    cv=2,
    n_jobs=2,
    trial_timeout=1000,
    callbacks=[lambda study, trial: say("trial", trial.number)],
)
try:
    search.fit(X, y)
finally:
    say("interrupted with", len(search.cv_results_["params"]))
"""


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_it_is_ctrl_c_even_if_all_fits_failed(start_script, n_jobs):
    script = start_script(
        f"""
        class Failing(Mine):
            def fit(self, X, y=None):
                time.sleep(0.1)
                raise ValueError("never")

        try:
            OptunaSearchCV(
                Failing(),
                {{"x": list(range(1000))}},
                n_trials=1000,
                cv=2,
                n_jobs={n_jobs},
                callbacks=[lambda study, trial: say("trial", trial.number)],
            ).fit(X, y)
        except BaseException as error:
            say("raised", type(error).__name__)
        """
    )
    script.wait_for("trial 3\n")
    script.press_ctrl_c()
    script.wait_for("raised", 10.0)
    assert "raised KeyboardInterrupt" in script.output


@pytest.mark.parametrize("n_processes", [3, 4])  # two workers, joblib's tracker and Python's
def test_while_workers_start(start_script, n_processes):
    script = start_script(
        """
        try:
            OptunaSearchCV(
                Mine(), {"x": list(range(100))}, cv=2, n_jobs=2, trial_timeout=600
            ).fit(X, y)
        except KeyboardInterrupt:
            say("interrupted")
        """
    )
    script.wait_for(lambda: len(script.family()) >= n_processes)
    script.press_ctrl_c()
    script.wait_for("interrupted", SECONDS)
    script.wait()
    assert script.is_alone_within(SECONDS)
    assert script.errors == ""
