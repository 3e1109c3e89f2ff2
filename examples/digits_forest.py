"""
A random forest on handwritten digits
=====================================

A random forest is evaluated by K-fold cross-validation on scikit-learn's digits (1797 images of
8 x 8 pixels), then searched in three ways: by a full grid, by 10 trials of Optuna's TPE sampler
and by 50. Scores and times stand side by side at the end.
"""

# %%
# Data and folds
# --------------
#
# A fifth of the images is kept for the test. The folds are fixed once, with a seed, so that all
# searches below compare their candidates on the same rows.

from time import perf_counter

from optuna.distributions import IntDistribution
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_score, train_test_split

from optunasearch import OptunaSearchCV

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, stratify=y, random_state=0)
cv = StratifiedKFold(n_splits=5, shuffle=True, random_state=0)
forest = RandomForestClassifier(n_estimators=50, random_state=0)

# %%
# K-fold cross-validation by hand
# -------------------------------
#
# This is what a search does for one candidate: five forests, each tested on the fold it has not
# seen.

scores = cross_val_score(forest, X_train, y_train, cv=cv)
print("untuned forest, accuracy of each fold:", scores.round(3))
print(f"untuned forest, CV accuracy {scores.mean():.4f}")

# %%
# The full grid
# -------------
#
# ``sampler="grid"`` visits the points in the order of `GridSearchCV` and gives the same
# ``cv_results_``. There are 18 points, so 90 forests.

grid = {
    "n_estimators": [25, 50, 100],
    "max_depth": [5, 10, None],
    "max_features": ["sqrt", 0.25],
}


def timed_fit(search):
    """Fit a search; return it with the seconds it took."""
    start = perf_counter()
    search.fit(X_train, y_train)
    return search, perf_counter() - start


exhaustive, exhaustive_seconds = timed_fit(
    OptunaSearchCV(forest, grid, sampler="grid", cv=cv, n_jobs=2)
)
print(f"grid: {exhaustive.n_trials_} trials in {exhaustive_seconds:.1f} s")
print("best parameters of the grid:", exhaustive.best_params_)

# %%
# Ten trials of TPE
# -----------------
#
# TPE needs no grid: it takes ranges, and here also two parameters that the grid leaves out.
# The first trial is the estimator's own setting. Optuna's TPE draws its first ten trials at
# random, to have something to learn from. So this short search **is a random search**, with the
# untuned forest as one of its candidates; whatever it finds says nothing about TPE.

ranges = {
    "n_estimators": IntDistribution(25, 100),
    "max_depth": [5, 10, 15, 20, None],
    "max_features": ["sqrt", "log2", 0.25],
    "min_samples_leaf": IntDistribution(1, 5),
    "criterion": ["gini", "entropy"],
}
short, short_seconds = timed_fit(
    OptunaSearchCV(forest, ranges, n_trials=10, sampler="tpe", cv=cv, random_state=0, n_jobs=2)
)
print(f"TPE: {short.n_trials_} trials in {short_seconds:.1f} s")

# %%
# Fifty trials of TPE
# -------------------
#
# After its start-up TPE proposes candidates near those that scored well.

long, long_seconds = timed_fit(
    OptunaSearchCV(forest, ranges, n_trials=50, sampler="tpe", cv=cv, random_state=0, n_jobs=2)
)
print(f"TPE: {long.n_trials_} trials in {long_seconds:.1f} s")

# %%
# Side by side
# ------------
#
# The test score belongs to the forest that the search has fitted again on all training rows.
# On 360 test images one image is 0.0028, and the CV scores of the best candidates differ by
# about as little, so that the search with the best CV score need not have the best test score.
# Read the table for the price of each search, not for a ranking in the last digits.

print(f"{'search':<22}{'trials':>7}{'seconds':>9}{'CV score':>10}{'test score':>12}")
untuned_test = forest.fit(X_train, y_train).score(X_test, y_test)
print(f"{'untuned forest':<22}{1:>7}{'':>9}{scores.mean():>10.4f}{untuned_test:>12.4f}")
for name, search, seconds in [
    ("full grid", exhaustive, exhaustive_seconds),
    ("TPE, start-up only", short, short_seconds),
    ("TPE", long, long_seconds),
]:
    print(
        f"{name:<22}{search.n_trials_:>7}{seconds:>9.1f}{search.best_score_:>10.4f}"
        f"{search.score(X_test, y_test):>12.4f}"
    )

# %%
# The result
# ----------

print("best parameters of TPE with 50 trials:", long.best_params_)
print(f"CV score: {long.best_score_:.4f}")
print(f"test score: {long.score(X_test, y_test):.4f}")
