"""Contexts and slots for tests below the search itself."""

import pytest
from sklearn.metrics import check_scoring

from optunasearch._space import make_space
from optunasearch.execution._fold import FoldContext
from optunasearch.execution._slots import warm_slots
from tests.execution.estimators import LABELS, ROWS, Acting


@pytest.fixture
def no_slots():
    """Begin and end without a worker process."""
    warm_slots.kill_all()
    yield
    warm_slots.kill_all()


@pytest.fixture
def make_context():
    """Return a function that makes a context with two splits and a parameter x."""

    def make(action=None, **settings):
        estimator = Acting(action=action)
        space = make_space({"x": list(range(10))}, estimator)
        half = len(ROWS) // 2
        first, second = list(range(half)), list(range(half, len(ROWS)))
        return FoldContext(
            estimator,
            ROWS,
            LABELS,
            [(first, second), (second, first)],
            check_scoring(estimator),
            space,
            **settings,
        )

    return make
