"""
A torch net on digits, stopped between epochs
=============================================

The digits of scikit-learn stand in for MNIST. Seven hyperparameters of a small net are
searched with 50 trials, four times: with the default pruner, which stops a fit after a
few epochs and a trial after a few folds, with Optuna's median and percentile pruners
between the folds, and without pruning. Compared are the epochs that were trained, the
score in cross-validation, and the score on test data, also of the net as it was before.

Needs ``pip install "optunasearch[torch]" matplotlib``. Takes about two minutes.
"""

import time
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import torch
from optuna.distributions import FloatDistribution, IntDistribution
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, cross_val_score, train_test_split
from skorch import NeuralNetClassifier

from optunasearch import OptunaSearchCV

N_EPOCHS = 27
torch.set_num_threads(1)  # these layers are too small to share among cores

X, y = load_digits(return_X_y=True)
# torch wants float32 features and int64 labels.
X, y = (X / 16).astype(np.float32), y.astype(np.int64)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)


class Net(torch.nn.Module):
    """One to three hidden layers with dropout."""

    def __init__(self, n_layers=1, n_units=32, dropout=0.0):
        super().__init__()
        sizes = [64] + n_layers * [n_units]
        layers = []
        for n_inputs, n_outputs in pairwise(sizes):
            layers += [
                torch.nn.Linear(n_inputs, n_outputs),
                torch.nn.ReLU(),
                torch.nn.Dropout(dropout),
            ]
        self.layers = torch.nn.Sequential(*layers, torch.nn.Linear(sizes[-1], 10))

    def forward(self, X):
        """Return a score for each digit."""
        return self.layers(X)


# %%
# The folds of the search are the validation, so the net needs no split of its own
# (``train_split=None``). The same seed for every fit makes the search repeatable.


class SeededNet(NeuralNetClassifier):
    """Starts every fit from the same weights."""

    def initialize(self):
        """Seed torch before the weights are drawn."""
        torch.manual_seed(0)
        return super().initialize()


net = SeededNet(
    Net,
    criterion=torch.nn.CrossEntropyLoss,
    optimizer=torch.optim.SGD,
    max_epochs=N_EPOCHS,
    batch_size=64,
    lr=0.01,
    train_split=None,
    iterator_train__shuffle=True,
    verbose=0,
)
space = {
    "lr": FloatDistribution(1e-3, 1.0, log=True),
    "batch_size": [64, 128, 256],
    "optimizer__momentum": FloatDistribution(0.0, 0.99),
    "optimizer__weight_decay": FloatDistribution(1e-6, 1e-2, log=True),
    "module__n_layers": IntDistribution(1, 3),
    "module__n_units": IntDistribution(8, 128, log=True),
    "module__dropout": FloatDistribution(0.0, 0.5),
}
cv = StratifiedKFold(3, shuffle=True, random_state=0)


def epochs_of(search):
    """Return the epochs that each trial has trained, over all of its folds."""
    if search.pruner == "auto":  # the score after each epoch is in the study
        return np.array([len(trial.intermediate_values) for trial in search.study_.trials])
    return N_EPOCHS * search.trials_["n_splits_run"]


searches = {}
print(f"{'pruner':<12}{'epochs':>8}{'seconds':>9}{'CV score':>10}{'test':>8}")
for pruner in ("auto", "median", "percentile", None):
    start = time.perf_counter()
    search = OptunaSearchCV(net, space, n_trials=50, cv=cv, pruner=pruner, random_state=0)
    search.fit(X_train, y_train)
    seconds = time.perf_counter() - start
    searches[str(pruner)] = search
    print(
        f"{pruner!s:<12}{epochs_of(search).sum():>8}{seconds:>9.1f}"
        f"{search.best_score_:>10.4f}{search.score(X_test, y_test):>8.4f}"
    )
untuned_score = cross_val_score(net, X_train, y_train, cv=cv).mean()
untuned = net.fit(X_train, y_train)
print(f"{'untuned':<29}{untuned_score:>10.4f}{untuned.score(X_test, y_test):>8.4f}")
print("best parameters:", searches["auto"].best_params_)

# %%
# The curves of the first fold. After 1, 3, 9 and 18 epochs a fit ends if it can hardly lead to
# the best candidate any more.

figure, axes = plt.subplots(figsize=(6, 4))
for trial in searches["auto"].study_.trials:
    curve = [score for step, score in trial.intermediate_values.items() if step <= N_EPOCHS]
    axes.plot(range(1, len(curve) + 1), curve, color="C0", alpha=0.4)
axes.set(xlabel="epoch", ylabel="accuracy on the first fold", title="50 trials, stopped early")
figure.tight_layout()

# %%
# What each search had found after so many epochs of training. Only complete trials count.

figure, axes = plt.subplots(figsize=(6, 4))
for name, search in searches.items():
    means = np.nan_to_num(search.cv_results_["mean_test_score"], nan=0.0)
    axes.step(np.cumsum(epochs_of(search)), np.maximum.accumulate(means), label=name, where="post")
axes.set(xlabel="epochs trained", ylabel="best CV score so far", ylim=(0.85, 1.0), xscale="log")
axes.legend(title="pruner")
figure.tight_layout()
plt.show()
