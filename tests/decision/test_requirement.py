"""What may be asked of a threshold, and what a dict stands for."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone

from optunasearch.decision import DecisionThreshold
from optunasearch.decision._requirement import as_decision_threshold


def test_a_dict_is_its_shorthand():
    made = as_decision_threshold({"sensitivity": 0.95, "confidence": 0.8, "pos_label": "ill"})
    assert made == DecisionThreshold(sensitivity=0.95, confidence=0.8, pos_label="ill")
    assert as_decision_threshold(made) is made
    assert made.required == {"sensitivity": 0.95}
    assert made.confidence == 0.8


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (DecisionThreshold(sensitivity=0.95), "DecisionThreshold(sensitivity=0.95)"),
        (
            DecisionThreshold(precision=0.9, specificity=0.8, pos_label=0),
            "DecisionThreshold(specificity=0.8, precision=0.9, pos_label=0)",
        ),
        (
            DecisionThreshold(costs=np.array([[0, 1], [10, -2]]), confidence=0.9),
            "DecisionThreshold(costs=((0.0, 1.0), (10.0, -2.0)), confidence=0.9)",
        ),
    ],
)
def test_repr_pickle_and_clone(made, text):
    assert repr(made) == text
    assert eval(text) == made
    assert pickle.loads(pickle.dumps(made)) == made
    assert clone(made, safe=False) == made
    assert hash(made) == hash(eval(text))


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ({"recall": 0.9}, ValueError, "got 'recall'. Write 'sensitivity'"),
        ({"sensitivit": 0.9}, ValueError, "got 'sensitivit'. Write 'sensitivity'"),
        ({"TPR": 0.9}, ValueError, "Write 'sensitivity'"),
        ({"ppv": 0.9}, ValueError, "Write 'precision'"),
        ({"cost_matrix": [[0, 1], [1, 0]]}, ValueError, "Write 'costs'"),
        ({"sensitivity": 0.9, "xyz": 1}, ValueError, r"pos_label; got 'xyz'\.$"),
        ({"sensitivity": 95}, ValueError, "write 0.95 for 95 %"),
        ({"sensitivity": 0.9, "confidence": 80}, ValueError, "confidence .* write 0.8 for 80 %"),
        ({"specificity": 1}, ValueError, "No number of rows"),
        ({"precision": 0}, ValueError, "both excluded, got 0"),
        ({"precision": -0.5}, ValueError, "got -0.5. It is a share"),
        ({"precision": float("nan")}, ValueError, "got nan"),
        ({"precision": "0.9"}, TypeError, "precision must be a number .* got '0.9'"),
        ({"precision": True}, TypeError, "got True"),
        ({}, ValueError, "needs something to meet"),
        ({"confidence": 0.9}, ValueError, "needs something to meet"),
        (
            {"costs": [[0, 1], [1, 0]], "precision": 0.9},
            ValueError,
            r"requirements \(precision\) exclude",
        ),
        ({"costs": [0, 1]}, ValueError, r"got shape \(2,\)"),
        ({"costs": [[0, 1], [1]]}, TypeError, "2 by 2 matrix of numbers"),
        ({"costs": "cheap"}, TypeError, "2 by 2 matrix of numbers"),
        ({"costs": [[0, np.inf], [1, 0]]}, ValueError, "must be finite"),
        ({"costs": [[1, 0], [0, 1]]}, ValueError, "An error must cost more"),
        (0.3, TypeError, "got 0.3. For .*FixedThresholdClassifier"),
        ("sensitivity", TypeError, "got 'sensitivity'.$"),
    ],
)
def test_wrong_requirements(value, error, message):
    with pytest.raises(error, match=message):
        as_decision_threshold(value)


def test_numbers_of_numpy_are_numbers():
    made = DecisionThreshold(sensitivity=np.float32(0.5), confidence=np.float64(0.9))
    assert made.required == {"sensitivity": 0.5}
