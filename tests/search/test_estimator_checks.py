"""scikit-learn's own checks of an estimator."""

import pytest
from optuna.distributions import FloatDistribution
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

from optunasearch import OptunaSearchCV

# The one that GridSearchCV fails, too (in scikit-learn's own list).
EXPECTED_FAILURES = {
    "check_supervised_y_2d": "a search leaves y 2-d, and Ridge takes it without a warning",
}
SEARCHES = [
    OptunaSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2, error_score="raise"),
    OptunaSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2, error_score="raise"),
    OptunaSearchCV(
        Ridge(),
        {"alpha": FloatDistribution(0.1, 1.0)},
        n_trials=3,
        cv=2,
        random_state=0,
        error_score="raise",
    ),
]


def expected_failures(search):
    return EXPECTED_FAILURES if isinstance(search.estimator, Ridge) else {}


# Checks with y that is infinite, or too large for integers, end in an error after this.
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
# They have too few rows to calibrate on, or sorted ones.
@pytest.mark.filterwarnings("ignore::optunasearch.exceptions.CalibrationWarning")
@parametrize_with_checks(SEARCHES, expected_failed_checks=expected_failures)
def test_scikit_learns_checks(estimator, check):
    check(estimator)
