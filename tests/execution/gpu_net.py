"""A net that scores as the number of the GPU it was told to train on, without a GPU."""

import threading
import time

import torch
from skorch import NeuralNet

current = threading.local()


class FakeGpuNet(NeuralNet):
    """Trains nothing."""

    def __setstate__(self, state):
        super().__setstate__(state)
        torch.cuda.set_device = set_device  # this is a worker

    def fit(self, X, y=None, **params):
        time.sleep(0.01)
        self.gpu_ = getattr(current, "gpu", None)
        return self

    def score(self, X, y=None):
        return -1.0 if self.gpu_ is None else float(self.gpu_)


def set_device(gpu):
    current.gpu = gpu
