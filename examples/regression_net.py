"""
A regression net for diabetes
=============================

How far diabetes has progressed a year later is predicted from ten measurements of 442 patients.
Five hyperparameters of a small torch net are searched with 40 trials; the search scores the net
after each epoch, stops what falls behind, and keeps the best epoch. So few rows with so much
noise are the home ground of a linear model: a ridge regression stands beside the net.

Needs ``pip install "optunasearch[torch]" matplotlib``. Takes about half a minute.
"""

# %%
# Data
# ----
#
# torch wants float32, and the target of a regression as a column. The outputs of a net start near
# zero and would take long to reach a target in the hundreds, so it is scaled, by the training rows.
# (A `TransformedTargetRegressor` would do that in each fold, but it would hide the net from the
# search: a net is followed where it is the estimator or the last step of a pipeline.) A quarter of
# the patients is put aside for the test.

import matplotlib.pyplot as plt
import numpy as np
import torch
from optuna.distributions import FloatDistribution, IntDistribution
from sklearn.datasets import load_diabetes
from sklearn.linear_model import RidgeCV
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import KFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetRegressor

from optunasearch import OptunaSearchCV
from optunasearch.pruning import Epochs

N_EPOCHS = 60
torch.set_num_threads(1)  # these layers are too small to share among cores

X, y = load_diabetes(return_X_y=True)
X, y = X.astype(np.float32), y.astype(np.float32).reshape(-1, 1)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
target = StandardScaler().fit(y_train)
y_scaled = target.transform(y_train)

# %%
# The net
# -------
#
# The same seed for every fit makes the search repeatable. The folds are the validation, so the
# net needs no split of its own (``train_split=None``).


class Net(torch.nn.Module):
    """One hidden layer with dropout."""

    def __init__(self, n_units=32, dropout=0.0):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(10, n_units),
            torch.nn.ReLU(),
            torch.nn.Dropout(dropout),
            torch.nn.Linear(n_units, 1),
        )

    def forward(self, X):
        """Return the scaled progression."""
        return self.layers(X)


class SeededNet(NeuralNetRegressor):
    """Starts every fit from the same weights."""

    def initialize(self):
        """Seed torch before the weights are drawn."""
        torch.manual_seed(0)
        return super().initialize()


model = make_pipeline(
    StandardScaler(),
    SeededNet(
        Net,
        optimizer=torch.optim.AdamW,
        max_epochs=N_EPOCHS,
        batch_size=32,
        lr=0.001,
        train_split=None,
        iterator_train__shuffle=True,
        verbose=0,
    ),
)

# %%
# The search
# ----------
#
# ``keep="best"`` gives each candidate the scores of one epoch, the same in all folds, at which the
# mean of the learning curves is highest; the refit ends there. ``validation_fraction=0.2`` holds
# out a fifth of each fold's training rows and draws the curves from these. So the rows that score
# a candidate have no say in its epoch, nor in whether it is stopped inside its first fold; the
# price is a net trained on fewer rows. ``epochs="best"`` follows the test rows of the fold instead.

space = {
    "lr": FloatDistribution(1e-4, 1e-1, log=True),
    "optimizer__weight_decay": FloatDistribution(1e-3, 10.0, log=True),
    "batch_size": [16, 32, 64],
    "module__n_units": IntDistribution(4, 128, log=True),
    "module__dropout": FloatDistribution(0.0, 0.6),
}
search = OptunaSearchCV(
    model,
    {f"seedednet__{name}": values for name, values in space.items()},
    n_trials=40,
    scoring="neg_mean_absolute_error",
    cv=KFold(5, shuffle=True, random_state=0),
    epochs=Epochs(keep="best", validation_fraction=0.2),
    random_state=0,
)
search.fit(X_train, y_scaled)

print(f"{search.n_fits_} of {40 * search.n_splits_} fits were begun")
print(f"{search.n_epochs_} of {40 * search.n_splits_ * N_EPOCHS} epochs were trained")
print("best parameters:", search.best_params_)
print(f"best common epoch: {search.best_epoch_} of {N_EPOCHS}")
print("epochs of the refitted net:", len(search.best_estimator_[-1].history))

# %%
# The curves of the first fold, with a cross where a fit was stopped: at 1/27, 1/9, 1/3 and 2/3 of
# the epochs those end that can hardly lead to the best candidate any more.

figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
for trial in search.study_.trials:
    curve = {step: score for step, score in trial.intermediate_values.items() if step <= N_EPOCHS}
    is_stopped = max(curve) < N_EPOCHS
    color = "C1" if is_stopped else "C0"
    axes.plot(curve.keys(), curve.values(), color=color, alpha=0.5)
    if is_stopped:
        axes.plot(max(curve), curve[max(curve)], "x", color=color)
axes.axvline(search.best_epoch_, color="black", linestyle=":", label="best epoch of the winner")
axes.set(
    xlabel="epoch",
    ylabel="negative mean absolute error (scaled)",
    title="the first fold, on rows held out of the training",
    ylim=(-0.95, -0.45),
)
axes.legend()

# %%
# On new patients
# ---------------
#
# Mean absolute errors on the test patients, in the unit of the target: of the searched net, of the
# net as it was, of a ridge regression with its penalty by cross-validation, and of the median of
# the training targets.

untuned = model.fit(X_train, y_scaled)
ridge = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 3, 30)))
ridge.fit(X_train, y_train.ravel())
predictions = {
    "searched net": target.inverse_transform(search.predict(X_test)).ravel(),
    "untuned net": target.inverse_transform(untuned.predict(X_test)).ravel(),
    "ridge": ridge.predict(X_test),
    "median": np.full(len(y_test), np.median(y_train)),
}
truth = y_test.ravel()
for name, predicted in predictions.items():
    print(f"{name:<13} {mean_absolute_error(truth, predicted):>6.1f}")
print(f"in cross-validation the searched net had {-search.best_score_ * target.scale_[0]:.1f}")

# %%
# Patient by patient, because one who is hard to predict is so for all. A difference of less than
# two standard errors may be chance.

errors = {name: np.abs(truth - predicted) for name, predicted in predictions.items()}
for name in ("untuned net", "ridge"):
    gain = errors[name] - errors["searched net"]
    standard_error = gain.std(ddof=1) / np.sqrt(len(gain))
    verdict = "may be chance" if abs(gain.mean()) < 2 * standard_error else "hardly chance"
    print(
        f"error of {name} minus that of the searched net: {gain.mean():+.1f}, "
        f"standard error {standard_error:.1f}: {verdict}"
    )

# %%
# Predicted against true: on the dotted line a prediction is right.

figure, axes = plt.subplots(figsize=(5, 5), layout="constrained")
for name, marker in (("searched net", "o"), ("ridge", "x")):
    axes.scatter(truth, predictions[name], marker=marker, alpha=0.6, label=name)
axes.axline((150, 150), slope=1, color="black", linestyle=":")
axes.set(xlabel="true progression", ylabel="predicted progression", xlim=(0, 360), ylim=(0, 360))
axes.legend()
plt.show()
