"""Scripts that run as a user runs them, in processes of their own."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from optunasearch.execution._slots import warm_slots
from tests.execution.estimators import eventually

ROOT = Path(__file__).parents[2]
PREAMBLE = """
import os
import threading
import time
import joblib
import numpy as np
from sklearn.base import BaseEstimator
from optunasearch import OptunaSearchCV

X = np.random.default_rng(0).normal(size=(30, 3))
y = np.arange(30) % 2


def say(*words):
    print(*words, flush=True)


class Mine(BaseEstimator):
    # A class of the script itself, which no other process can import.
    def __init__(self, x=0.0, seconds=0.0):
        self.x = x
        self.seconds = seconds

    def fit(self, X, y=None):
        time.sleep(self.seconds)
        self.mean_ = float(np.mean(X))
        return self

    def predict(self, X):
        return np.full(len(X), self.x)

    def score(self, X, y=None):
        return self.mean_ - self.x

"""


class Script:
    """A running script."""

    def __init__(self, text, folder):
        self.temp_folder = folder / "temp"
        self.temp_folder.mkdir()
        path = folder / "script.py"
        path.write_text(PREAMBLE + textwrap.dedent(text))
        self._output, self._errors = folder / "output", folder / "errors"
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "JOBLIB_TEMP_FOLDER": str(self.temp_folder),
        }
        with open(self._output, "wb") as output, open(self._errors, "wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, str(path)],
                stdout=output,
                stderr=errors,
                env=environment,
                start_new_session=True,
            )
        self._family = {}

    @property
    def output(self):
        return self._output.read_text()

    @property
    def errors(self):
        return self._errors.read_text()

    def wait_for(self, condition, seconds=120.0):
        """Wait for a text in the output, or for a condition; fail if the script ends."""
        if isinstance(condition, str):
            text = condition
            condition = lambda: text in self.output  # noqa: E731

        def holds():
            self.family()
            done = self.process.poll() is not None
            assert condition() or not done, f"ended:\n{self.output}\n{self.errors}"
            return condition()

        assert eventually(holds, seconds), f"timed out:\n{self.output}\n{self.errors}"

    def wait(self, seconds=120.0):
        """Wait for the script's end and return its exit status."""
        assert eventually(lambda: (self.family(), self.process.poll())[1] is not None, seconds), (
            f"does not end:\n{self.output}\n{self.errors}"
        )
        return self.process.returncode

    def family(self):
        """Return all processes it has or had below it that are still there."""
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.process.pid).children(recursive=True):
                self._family[child.pid, child.create_time()] = child
        return [child for child in self._family.values() if is_there(child)]

    def press_ctrl_c(self):
        """Signal the whole foreground group, as a terminal does."""
        os.killpg(self.process.pid, signal.SIGINT)

    def is_alone_within(self, seconds):
        """Whether no process and no temporary file is left in time."""
        return eventually(lambda: not self.family() and not self.temporary_files(), seconds)

    def temporary_files(self):
        return list(self.temp_folder.iterdir())

    def end(self):
        for process in [self.process, *self.family()]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()


def is_there(process):
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def start_script(tmp_path):
    """Return a function that starts a script; it and its family end with the test."""
    scripts = []

    def start(text):
        folder = tmp_path / f"script{len(scripts)}"
        folder.mkdir()
        scripts.append(Script(text, folder))
        return scripts[-1]

    yield start
    for script in scripts:
        script.end()


@pytest.fixture
def no_slots():
    """Begin and end without a worker process."""
    warm_slots.kill_all()
    yield
    warm_slots.kill_all()
