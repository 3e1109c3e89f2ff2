"""Nets are spread over the GPUs of a machine (as far as this can be seen without one)."""

import joblib
import numpy as np
import pytest

pytest.importorskip("skorch", reason="needs the extra 'torch'")

import torch
from optuna.distributions import FloatDistribution

from optunasearch import OptunaSearchCV
from optunasearch.execution._gpus import count_gpus
from tests.execution.gpu_net import FakeGpuNet, set_device

X, Y = np.zeros((40, 1), dtype=np.float32), np.zeros(40)
SPACE = {"lr": FloatDistribution(0.1, 1.0)}


@pytest.fixture(autouse=True)
def two_gpus(monkeypatch, no_slots):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", set_device)


def gpus_used(device="cuda", backend="loky", **changes):
    plain = dict(n_trials=20, cv=2, sampler="random", refit=False, pruner=None)
    search = OptunaSearchCV(FakeGpuNet(None, None, device=device), SPACE, **{**plain, **changes})
    with joblib.parallel_config(backend=backend):
        search.fit(X, Y)
    return {score for fold in range(2) for score in search.cv_results_[f"split{fold}_test_score"]}


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_each_worker_has_a_gpu(backend):
    used = set()
    for _ in range(20):  # the second worker may come when the first has done all
        used |= gpus_used(backend=backend, n_jobs=2)
        if used == {0, 1}:
            break
    assert used == {0, 1}


def test_more_workers_than_gpus_share_them():
    assert gpus_used(backend="threading", n_jobs=3) == {0, 1}


def test_all_jobs_are_all_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert gpus_used(backend="threading", n_jobs=-1) == {0, 1, 2}


def test_one_job_leaves_the_choice_to_torch():
    assert gpus_used(n_jobs=None) == {-1}


@pytest.mark.parametrize("device", ["cpu", "cuda:1"])
def test_a_net_that_names_its_device_keeps_it(device):
    assert count_gpus(device) == 0
    assert gpus_used(device, backend="threading", n_jobs=2) == {-1}
