"""Calibrated probabilities of nets."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from optunasearch import OptunaSearchCV
from optunasearch.calibration import Calibration

torch = pytest.importorskip("torch")
skorch = pytest.importorskip("skorch")


class Net(torch.nn.Module):
    def __init__(self, n_hidden=8):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(30, n_hidden), torch.nn.ReLU(), torch.nn.Linear(n_hidden, 2)
        )

    def forward(self, X):
        return self.layers(X)


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data():
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X).astype(np.float32), y


def make_net(**arguments):
    return skorch.NeuralNetClassifier(
        Net,
        criterion=torch.nn.CrossEntropyLoss,
        max_epochs=8,
        lr=0.5,
        train_split=None,
        verbose=0,
        torch_load_kwargs={"weights_only": True},
        **arguments,
    )


@pytest.mark.parametrize("in_pipeline", [False, True])
@pytest.mark.parametrize("calibration", ["auto", Calibration("temperature", ensemble=True)])
def test_a_net_is_calibrated(data, in_pipeline, calibration):
    X, y = data
    net, prefix = make_net(), ""
    if in_pipeline:
        net, prefix = make_pipeline("passthrough", net), "neuralnetclassifier__"
    torch.manual_seed(0)
    search = OptunaSearchCV(
        net, {f"{prefix}module__n_hidden": [4, 8]}, cv=3, calibration=calibration
    ).fit(X, y)
    assert search.oof_predictions_.shape == (569, 2)
    assert log_loss(y, search.oof_predictions_) < 0.3
    proba = search.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    assert log_loss(y, proba) < 0.3
    assert search.best_score_corrected_ == pytest.approx(search.best_score_, abs=0.02)


def test_predictions_are_those_of_the_net_that_was_scored(data):
    X, y = data
    net = make_net(callbacks=[("seed", Seeded())])
    search = OptunaSearchCV(net, {"lr": [0.1, 0.5]}, cv=3, pruner=None).fit(X, y)
    expected = cross_val_predict(search.best_estimator_, X, y, cv=3, method="predict_proba")
    np.testing.assert_allclose(search.oof_predictions_, expected, rtol=1e-5)


class Seeded(skorch.callbacks.Callback):
    """Draws the weights of every fit from the same seed."""

    def initialize(self):
        torch.manual_seed(0)
        return self
