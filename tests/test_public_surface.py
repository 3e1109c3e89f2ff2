"""The public names, the constructor's signature, and what an import brings along."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import optunasearch
import optunasearch.calibration
import optunasearch.decision
import optunasearch.exceptions
import optunasearch.metrics
import optunasearch.plotting
import optunasearch.pruning
import optunasearch.selection
import optunasearch.tracking
from optunasearch import OptunaSearchCV

ROOT = Path(optunasearch.__file__).parents[1]
EXTRAS = {
    *("catboost", "cmaes", "dask", "distributed", "greenlet", "hydra", "IPython", "lightgbm"),
    *("matplotlib", "mlflow", "optuna_dashboard", "optuna_integration", "pandas", "plotly"),
    *("polars", "ray", "rich", "skorch", "torch", "wandb", "xgboost"),
}


def run(code):
    """Run a script in a new interpreter, warnings being errors, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("module", "names"),
    [
        (optunasearch, ["OptunaSearchCV", "__version__"]),
        (optunasearch.metrics, ["sensitivity", "specificity", "specificity_at_sensitivity"]),
        (optunasearch.pruning, ["Epochs", "PruningCallback", "Race"]),
        (
            optunasearch.calibration,
            [
                "BetaCalibration",
                "CalibratedClassifier",
                "Calibration",
                "Calibrator",
                "Decision",
                "FittedCalibrator",
                "FoldEnsemble",
                "IdentityCalibration",
                "IsotonicCalibration",
                "SigmoidCalibration",
                "TemperatureScaling",
                "VectorScaling",
            ],
        ),
        (
            optunasearch.decision,
            [
                "DecisionReport",
                "DecisionThreshold",
                "Estimate",
                "ThresholdChoice",
                "decision_report",
            ],
        ),
        (
            optunasearch.plotting,
            [
                "CorrectedScoreDisplay",
                "DecisionThresholdDisplay",
                "ReliabilityCurve",
                "ReliabilityDisplay",
            ],
        ),
        (
            optunasearch.selection,
            ["FoldDiagnosis", "OneStandardError", "diagnose_folds"],
        ),
        (optunasearch.tracking, ["FoldEvent", "SearchEvent", "Tracker"]),
        (
            optunasearch.exceptions,
            [
                "CalibrationWarning",
                "InfeasibleWarning",
                "OptunaSearchError",
                "PicklingSearchError",
                "SearchTimeoutError",
                "ThresholdNotMetError",
                "ThresholdNotMetWarning",
                "TrialTimeoutError",
                "WorkerDiedError",
            ],
        ),
    ],
)
def test_public_names(module, names):
    assert module.__all__ == names
    assert all(hasattr(module, name) for name in names)


def test_every_other_module_is_underscored():
    package = Path(optunasearch.__file__).parent
    public = {
        str(path.relative_to(package).with_suffix(""))
        for path in package.rglob("*.py")
        if not path.name.startswith("_")
    }
    assert public == {"exceptions", "metrics"}
    folders = {path.parent.name for path in package.rglob("__init__.py")}
    assert folders == {
        *("optunasearch", "calibration", "decision", "execution", "plotting", "pruning"),
        *("selection", "tracking"),
    }


def test_the_constructor_s_signature():
    assert str(inspect.signature(OptunaSearchCV)) == (
        "(estimator, param_distributions, *, n_trials=None, timeout=None, scoring=None, "
        "n_jobs=None, refit=True, cv=None, verbose=0, pre_dispatch='2*n_jobs', error_score=nan, "
        "return_train_score=False, random_state=None, sampler=None, pruner='auto', "
        "epochs='last', calibration='auto', decision_threshold=None, "
        "initial_params='estimator', objectives=None, constraints=None, "
        "trial_timeout=None, patience=None, callbacks=None, reuse_duplicates=True, "
        "reuse_transforms=True, max_pending=None)"
    )


@pytest.mark.parametrize(
    ("error", "kinds"),
    [
        ("PicklingSearchError", (TypeError,)),
        ("SearchTimeoutError", (TimeoutError,)),
        ("ThresholdNotMetError", (ValueError,)),
        ("TrialTimeoutError", (TimeoutError,)),
        ("WorkerDiedError", (RuntimeError,)),
    ],
)
def test_the_tree_of_errors(error, kinds):
    exception = getattr(optunasearch.exceptions, error)
    assert exception.__bases__ == (optunasearch.exceptions.OptunaSearchError, *kinds)
    assert f"{error}({exception.__bases__[0].__name__}" in optunasearch.exceptions.__doc__


def test_a_search_runs_without_any_extra():
    script = f"""
import sys

class Missing:
    def find_spec(name, path=None, target=None):
        if name.split(".")[0] in {EXTRAS!r}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Missing)
from optunasearch import OptunaSearchCV
import optunasearch.exceptions, optunasearch.metrics, optunasearch.tracking
import optunasearch.plotting
import optunasearch.pruning
import optunasearch.selection
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier
space = {{"max_depth": range(1, 60), "criterion": ["gini", "entropy"]}}
search = OptunaSearchCV(DecisionTreeClassifier(), space, n_trials=12, cv=2, n_jobs=2)
print(search.fit(*load_iris(return_X_y=True)).n_trials_)
"""
    assert run(script) == ["12"]


def test_importing_it_imports_little_else():
    script = """
import sys
import optuna, sklearn.model_selection
before = {name.split(".")[0] for name in sys.modules}
import optunasearch, optunasearch.exceptions, optunasearch.metrics, optunasearch.tracking
print(*sorted({name.split(".")[0] for name in sys.modules} - before - sys.stdlib_module_names))
"""
    assert run(script) == ["optunasearch"]
