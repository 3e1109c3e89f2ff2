"""
Swapping the steps of a pipeline
================================

Which scaler, which classifier, and how to set it: one search can answer all three. The steps of
a pipeline are parameters like any other, and the values to try may be estimators. What makes it
harder is that ``C`` exists only if the classifier is a support vector machine, and the number of
trees only if it is a forest. There are two ways to say so.
"""

# %%
# Data and pipeline
# -----------------
#
# The steps in the pipeline are places to be filled. ``"passthrough"`` is scikit-learn's word for
# leaving a step out.

from optuna.distributions import FloatDistribution, IntDistribution
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC

from optunasearch import OptunaSearchCV

X, y = load_wine(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
cv = StratifiedKFold(n_splits=5, shuffle=True, random_state=0)
pipeline = Pipeline([("scaler", StandardScaler()), ("classifier", SVC())])

# %%
# A list of dicts
# ---------------
#
# As in `GridSearchCV`, each dict is a space of its own and the search covers all of them. What
# both have in common, the scaler, is learned from the trials of both.

scalers = [StandardScaler(), MinMaxScaler(), "passthrough"]
union = [
    {
        "scaler": scalers,
        "classifier": [SVC()],
        "classifier__C": FloatDistribution(1e-2, 1e3, log=True),
        "classifier__gamma": FloatDistribution(1e-4, 1e0, log=True),
    },
    {
        "scaler": scalers,
        "classifier": [RandomForestClassifier(random_state=0)],
        "classifier__n_estimators": IntDistribution(20, 100),
        "classifier__max_features": FloatDistribution(0.1, 1.0),
    },
]
search = OptunaSearchCV(pipeline, union, n_trials=40, cv=cv, random_state=0, n_jobs=2)
search.fit(X_train, y_train)
print("best parameters:", search.best_params_)
print(f"CV accuracy {search.best_score_:.3f}, test accuracy {search.score(X_test, y_test):.3f}")

# %%
# ``cv_results_`` has a column for each parameter, masked where a candidate does not have it.

results = search.cv_results_
for name in ("SVC", "RandomForestClassifier"):
    rows = [
        i
        for i, classifier in enumerate(results["param_classifier"])
        if type(classifier).__name__ == name
    ]
    best = max(results["mean_test_score"][rows])
    print(f"{name}: {len(rows)} trials, best CV accuracy {best:.3f}")
print("trials without gamma:", results["param_classifier__gamma"].mask.sum())

# %%
# A callable
# ----------
#
# The same as a function of an Optuna trial. It suits spaces in which one choice decides about
# others: here the forest gets no scaler, as it does not need one. It returns the parameters as
# ``set_params`` takes them.


def space(trial):
    """Return the parameters of one candidate."""
    if trial.suggest_categorical("family", ["svc", "forest"]) == "svc":
        return {
            "scaler": trial.suggest_categorical("scaler", [StandardScaler(), MinMaxScaler()]),
            "classifier": SVC(
                C=trial.suggest_float("C", 1e-2, 1e3, log=True),
                gamma=trial.suggest_float("gamma", 1e-4, 1e0, log=True),
            ),
        }
    return {
        "scaler": "passthrough",
        "classifier": RandomForestClassifier(
            n_estimators=trial.suggest_int("n_estimators", 20, 100),
            max_features=trial.suggest_float("max_features", 0.1, 1.0),
            random_state=0,
        ),
    }


search = OptunaSearchCV(pipeline, space, n_trials=40, cv=cv, random_state=0, n_jobs=2)
search.fit(X_train, y_train)
print("best parameters:", search.best_params_)
print(f"CV accuracy {search.best_score_:.3f}, test accuracy {search.score(X_test, y_test):.3f}")

# %%
# The study knows the candidates by the names used in the function, which is what Optuna's plots
# show.

print("as the study has it:", search.study_.best_trial.params)
