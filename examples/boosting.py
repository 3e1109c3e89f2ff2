"""
Gradient boosting: stopped early, kept at its best iteration
============================================================

How many trees a boosted model needs depends on its learning rate and on the size of the trees,
so that all of them have to be searched together. Here the number of iterations is not searched:
the search looks into the fits instead. It stops those that can hardly lead to the best model any
more, and of the others it keeps the iteration that is best over all folds.

Needs matplotlib. Takes about a minute.
"""

# %%
# Data and model
# --------------
#
# scikit-learn's breast cancer data, scored by the log loss of the predicted probabilities. It shows
# what the accuracy hides: a model that is boosted for too long becomes too sure of itself. A third
# of the rows is put aside for the test.

import matplotlib.pyplot as plt
import numpy as np
from optuna.distributions import FloatDistribution, IntDistribution
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.model_selection import StratifiedKFold, train_test_split

from optunasearch import OptunaSearchCV

N_ITERATIONS = 80

X, y = load_breast_cancer(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=1 / 3, stratify=y, random_state=0
)
model = GradientBoostingClassifier(
    n_estimators=N_ITERATIONS, max_depth=None, max_leaf_nodes=8, random_state=0
)
space = {
    "learning_rate": FloatDistribution(1e-2, 1.0, log=True),
    "max_leaf_nodes": IntDistribution(2, 16, log=True),
    "min_samples_leaf": IntDistribution(1, 50, log=True),
    "subsample": FloatDistribution(0.3, 1.0),
    "max_features": FloatDistribution(0.1, 1.0),
}
settings = {
    "n_trials": 30,
    "scoring": "neg_log_loss",
    "cv": StratifiedKFold(5, shuffle=True, random_state=0),
    "random_state": 0,
}

# %%
# Fewer fits, shorter fits
# ------------------------
#
# The first search, with ``pruner=None``, fits every fold of every candidate to its end. The
# default stops a trial between folds, and inside its first fold after 1/27, 1/9, 1/3 and
# 2/3 of the iterations. ``n_fits_`` counts the folds that were begun, ``n_epochs_`` the iterations.

searches = {
    "pruner=None": OptunaSearchCV(model, space, pruner=None, **settings),
    "default": OptunaSearchCV(model, space, **settings),
    'epochs="best"': OptunaSearchCV(model, space, epochs="best", **settings),
}
for search in searches.values():
    search.fit(X_train, y_train)


def was_stopped_inside(search):
    """Return for each trial whether it was stopped before its first fold had ended."""
    is_pruned = np.array([status == "pruned" for status in search.trials_["status"]])
    return is_pruned & (np.array(search.trials_["n_splits_run"]) == 0)


for name in ("pruner=None", "default"):
    search = searches[name]
    # Without pruning nobody looks into the fits, and all run to their end.
    n_iterations = search.n_epochs_ or N_ITERATIONS * search.n_fits_
    print(
        f"{name:<12} {search.n_fits_:>4} fits, of which {was_stopped_inside(search).sum():>2} "
        f"stopped inside, {n_iterations:>6} iterations, CV score {search.best_score_:.4f}"
    )

# %%
# The best iteration
# ------------------
#
# With ``epochs="best"`` a candidate has the scores of one iteration, the same in all folds, at
# which their mean is highest. The refit ends there.

best = searches['epochs="best"']
print("best parameters:", best.best_params_)
print(f"best common iteration: {best.best_epoch_} of {N_ITERATIONS}")
print(f"iterations of the refitted model: {best.best_estimator_.n_estimators_}")

# %%
# The study has the learning curves as intermediate values, those of one fold after those of the
# other. These are of the first fold: a cross is where a trial was stopped. What counts of the
# others is their best common iteration, not where they end.


def learning_curve(trial, fold):
    """Return the score after each iteration at which this fold was scored."""
    first = fold * N_ITERATIONS
    return {
        step - first: score
        for step, score in trial.intermediate_values.items()
        if first < step <= first + N_ITERATIONS
    }


figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
for trial, is_stopped in zip(best.study_.trials, was_stopped_inside(best), strict=True):
    curve = learning_curve(trial, fold=0)
    color = "C1" if is_stopped else "C0"
    axes.plot(curve.keys(), curve.values(), color=color, alpha=0.6)
    if is_stopped:
        axes.plot(max(curve), curve[max(curve)], "x", color=color)
axes.set(
    xlabel="iteration",
    ylabel="negative log loss on the first fold",
    title=f"{was_stopped_inside(best).sum()} of {best.n_trials_} trials stopped inside a fit",
    ylim=(-0.7, 0),
)

# %%
# The winner, on each fold and in the mean. The iteration that is best in the mean need not be
# the best one of any fold. Choosing it for each fold by itself would make the score look better
# than a model can be that has to end somewhere.

winner = best.study_.best_trial
curves = [learning_curve(winner, fold) for fold in range(best.n_splits_)]
common = sorted(set.intersection(*map(set, curves)))
scores = np.array([[curve[epoch] for epoch in common] for curve in curves])

figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
axes.plot(common, scores.T, color="C0", alpha=0.3)
axes.plot(common, scores.mean(axis=0), color="C0", linewidth=2, label="mean of the folds")
axes.axvline(best.best_epoch_, color="black", linestyle=":", label="best common iteration")
axes.set(xlabel="iteration", ylabel="negative log loss", title="the winner, fold by fold")
axes.legend()
plt.show()

# %%
# On new rows
# -----------
#
# The CV score of a winner is the best of many, over candidates and with ``epochs="best"`` also over
# iterations. What it is worth the test rows say, beside the model as it was.

untuned = model.fit(X_train, y_train)


def losses(fitted):
    """Return the log loss of each test row (0 and 1 are the classes)."""
    return -np.log(fitted.predict_proba(X_test)[np.arange(len(y_test)), y_test])


print(f"{'':<14}{'CV score':>10}{'test score':>12}{'test accuracy':>15}")
for name, search in searches.items():
    accuracy = np.mean(search.predict(X_test) == y_test)
    print(f"{name:<14}{search.best_score_:>10.4f}{-losses(search).mean():>12.4f}{accuracy:>15.4f}")
accuracy = untuned.score(X_test, y_test)
print(f"{'untuned':<14}{'':>10}{-losses(untuned).mean():>12.4f}{accuracy:>15.4f}")

# %%
# The two models are compared row by row, because what makes a row hard is the same for both. A
# difference of less than two standard errors may be chance. A model that is too sure of itself can
# be nearer the truth in most rows and pay for it in a few, which is why the mean is compared.

gain = losses(untuned) - losses(best)
error = gain.std(ddof=1) / np.sqrt(len(gain))
verdict = "may be chance" if abs(gain.mean()) < 2 * error else "hardly chance"
print(f"log loss untuned minus tuned: {gain.mean():+.4f}, standard error {error:.4f}: {verdict}")
print(f"the tuned model is nearer the truth in {np.sum(gain > 0)} of {len(gain)} test rows")
only_tuned = np.sum((best.predict(X_test) == y_test) & (untuned.predict(X_test) != y_test))
only_untuned = np.sum((best.predict(X_test) != y_test) & (untuned.predict(X_test) == y_test))
print(f"right only when tuned: {only_tuned} rows, only when untuned: {only_untuned}")

# %%
# Other libraries
# ---------------
#
# LightGBM, XGBoost and CatBoost are followed in the same way (they come with
# ``pip install "optunasearch[boosting]"``), for instance:
#
# .. code-block:: python
#
#     OptunaSearchCV(
#         LGBMClassifier(n_estimators=100, verbose=-1),
#         {
#             "learning_rate": FloatDistribution(1e-2, 1.0, log=True),
#             "num_leaves": IntDistribution(2, 32, log=True),
#         },
#         epochs="best",
#     )
