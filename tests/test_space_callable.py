"""A space that is a function: define-by-run, conditional, any objects (`_space.CallableSpace`)."""

import pickle

import optuna
import pytest
import scipy.stats
from sklearn.datasets import load_iris
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from optunasearch import OptunaSearchCV
from optunasearch._space import make_space
from tests.estimators import CountedTree

X, Y = load_iris(return_X_y=True)
PIPELINE = Pipeline([("scaler", StandardScaler()), ("clf", SVC())])


def sampled_points(space, n_points):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    return [space.suggest(study.ask()) for _ in range(n_points)]


@pytest.fixture
def fit():
    """Fit a search over a space; `CountedTree.n_fits` counts the fits."""
    CountedTree.n_fits = 0
    return lambda space: OptunaSearchCV(CountedTree(random_state=0), space, n_trials=5).fit(X, Y)


def pipeline_space(trial):
    clf = trial.suggest_categorical("clf", [SVC(), DecisionTreeClassifier(random_state=0)])
    if isinstance(clf, SVC):
        return {"clf": clf, "clf__C": trial.suggest_float("C", 0.1, 10, log=True)}
    assert trial.params == {"clf": clf}
    return {"clf": clf, "clf__max_depth": trial.suggest_int("max_depth", 1, 9)}


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_callable_space_is_conditional_and_takes_objects(n_jobs):
    search = OptunaSearchCV(
        PIPELINE, pipeline_space, n_trials=10, n_jobs=n_jobs, max_pending=1, random_state=0
    ).fit(X, Y)
    is_svc = [isinstance(params["clf"], SVC) for params in search.cv_results_["params"]]
    assert 0 < sum(is_svc) < 10
    assert [not mask for mask in search.cv_results_["param_clf__C"].mask] == is_svc
    labels = [trial.params["clf"] for trial in search.study_.trials]
    assert [label.startswith("SVC") for label in labels] == is_svc
    assert search.score(X, Y) > 0.9
    assert pickle.loads(pickle.dumps(search)).best_params_.keys() == search.best_params_.keys()


def test_a_callable_space_has_every_kind_of_suggestion():
    def space(trial):
        return {
            "C": trial.suggest("C", scipy.stats.expon(scale=10)),
            "degree": trial.suggest_int("degree", 2, 4),
            "coef0": trial.suggest_float("coef0", 0.0, 1.0, step=0.1),
            "kernel": trial.suggest("kernel", ["poly", "rbf"]),
            "shrinking": False,
        }

    made = make_space(space, SVC())
    for point in sampled_points(made, 20):
        params = made.decode(point)
        assert params["C"] == scipy.stats.expon(scale=10).ppf(point.stored["C"])
        assert params["degree"] in (2, 3, 4)
        assert params["coef0"] in [i / 10 for i in range(11)]
        assert params["kernel"] in ("poly", "rbf")
        assert params["shrinking"] is False


def test_a_callable_space_with_an_unknown_name_fails_at_the_first_ask(fit):
    with pytest.raises(ValueError, match=r"Invalid parameter 'max_dept' .*'max_depth'"):
        fit(lambda trial: {"max_dept": trial.suggest_int("max_depth", 1, 5)})
    assert CountedTree.n_fits == 0


def test_an_unknown_name_in_a_branch_fails_when_the_branch_is_asked(fit):
    branches = iter([True, True, False])

    def space(trial):
        depth = trial.suggest_int("max_depth", 1, 50)
        return {"max_depth" if next(branches) else "depth": depth}

    with pytest.raises(ValueError, match="Invalid parameter 'depth'") as raised:
        fit(space)
    assert not hasattr(raised.value, "__notes__")  # not by a fold
    assert CountedTree.n_fits == 2 * 5


@pytest.mark.parametrize("answer", [None, 3, [("max_depth", 1)], {1: 2}])
def test_a_callable_space_must_return_a_dict(fit, answer):
    with pytest.raises(TypeError, match="must return a dict of parameter names and values, got"):
        fit(lambda trial: answer)
    assert CountedTree.n_fits == 0


@pytest.mark.parametrize(
    ("space", "error", "message"),
    [
        (lambda trial: {"a": 1 / 0}, ZeroDivisionError, "division"),
        (lambda trial: trial.suggest_float("C", 2, 1), ValueError, "low"),
        (
            lambda trial: trial.suggest_categorical("C", []),
            ValueError,
            "Parameter 'C': got an empty",
        ),
        (lambda trial: trial.suggest("C", 3), TypeError, "Parameter 'C': expected"),
        (lambda trial: trial.report(1, 0), AttributeError, "no 'report': it offers suggest_float"),
    ],
)
def test_an_error_inside_a_callable_space_keeps_its_type_and_gets_a_note(
    fit, space, error, message
):
    with pytest.raises(error, match=message) as raised:
        fit(space)
    assert raised.value.__notes__ == ["raised by param_distributions at trial 0"]
    assert CountedTree.n_fits == 0
