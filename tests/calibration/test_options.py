"""`Calibration`: what may be asked for."""

import pickle

import pytest
from sklearn.base import clone

from optunasearch.calibration import Calibration, TemperatureScaling
from optunasearch.calibration._options import METHODS, as_calibration


@pytest.mark.parametrize("method", METHODS)
def test_names(method):
    made = Calibration(method, ensemble=True)
    assert repr(made) == f"Calibration(method={method!r}, ensemble=True)"
    assert pickle.loads(pickle.dumps(made)) == made
    assert clone(made, safe=False) == made


def test_what_a_search_is_given():
    assert as_calibration(None) is None
    assert as_calibration("beta") == Calibration("beta")
    made = Calibration(ensemble=True)
    assert as_calibration(made) is made
    own = TemperatureScaling()
    assert as_calibration(own).method is own


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"method": "platt"}, ValueError, "Unknown calibration method 'platt'.*'sigmoid'"),
        ({"method": None}, TypeError, "got None"),
        ({"method": 3}, TypeError, r"fit\(logits, y"),
        ({"method": TemperatureScaling}, TypeError, r"Pass an instance: TemperatureScaling\(\)"),
        ({"ensemble": 1}, TypeError, "True or False, got 1"),
    ],
)
def test_errors(arguments, error, message):
    with pytest.raises(error, match=message):
        Calibration(**arguments)
