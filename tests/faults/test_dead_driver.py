"""The process that searches is killed."""

import signal

import pytest

pytestmark = pytest.mark.slow
# The specification gives 5 s; the rest is for a machine that is busy.
SECONDS = 5.0 + 3.0

SCRIPT = """
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

X = np.random.default_rng(0).normal(size=(30000, 10))

class Long(Mine):
    def fit(self, X, y=None):
        say("fit in", os.getpid())
        time.sleep(600.0)

OptunaSearchCV(
    make_pipeline(StandardScaler(), Long()),
    {"long__x": list(range(100))},
    cv=2,
    n_jobs=2,
    **{settings},
).fit(X)
"""


@pytest.mark.parametrize("settings", [{"trial_timeout": 1000}, {}], ids=["isolated", "cold"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_in_the_middle_of_a_fit_and_files_go(start_script, number, settings):
    script = start_script(SCRIPT.replace("{settings}", repr(settings)))
    script.wait_for(lambda: script.output.count("fit in") == 2)
    assert script.temporary_files()
    assert len(script.family()) >= (3 if settings else 2)
    script.process.send_signal(number)
    script.process.wait()
    assert script.is_alone_within(SECONDS), (script.family(), script.temporary_files())
