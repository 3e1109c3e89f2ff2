"""Every plot of optuna.visualization works on `study_`."""

import warnings

import matplotlib.pyplot as plt
import optuna.visualization
import optuna.visualization.matplotlib
import pytest
from optuna.distributions import FloatDistribution
from sklearn.svm import SVC

from optunasearch import OptunaSearchCV

PLOTS = [
    "contour",
    "edf",
    "intermediate_values",
    "optimization_history",
    "parallel_coordinate",
    "param_importances",
    "rank",
    "slice",
    "timeline",
]
SPACE = {
    "C": FloatDistribution(0.01, 10, log=True),
    "gamma": [0.1, 1.0, 10.0],
    "kernel": ["linear", "rbf"],
}
MODULES = {"plotly": optuna.visualization, "matplotlib": optuna.visualization.matplotlib}


@pytest.fixture(scope="module")
def study(classification):
    return (
        OptunaSearchCV(SVC(), SPACE, n_trials=15, cv=2, random_state=0).fit(*classification).study_
    )


@pytest.fixture(scope="module")
def front(classification):
    return (
        OptunaSearchCV(
            SVC(), SPACE, n_trials=10, cv=2, random_state=0, objectives=["recall", "specificity"]
        )
        .fit(*classification)
        .study_
    )


@pytest.fixture(params=MODULES)
def module(request):
    pytest.importorskip(request.param, reason=f"needs {request.param}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield MODULES[request.param]
    plt.close("all")


def is_drawn(figure):
    if hasattr(figure, "data"):  # plotly
        return len(figure.data) > 0
    axes = figure.flat if hasattr(figure, "flat") else [figure]
    return any(ax.has_data() for ax in axes)


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_of_one_objective(study, module, name):
    assert is_drawn(getattr(module, f"plot_{name}")(study))


def test_a_plot_of_the_pareto_front(front, module):
    assert is_drawn(module.plot_pareto_front(front))


def test_a_plot_of_one_of_several_objectives(front, module):
    figure = module.plot_optimization_history(
        front, target=lambda trial: trial.values[0], target_name=front.metric_names[0]
    )
    assert is_drawn(figure)
