"""error_score="raise": the exception of the fit, and where it came from."""

import joblib
import pytest

from optunasearch import OptunaSearchCV
from tests.execution.estimators import LABELS, ROWS, Acting, At, Raise

PLACES = {
    "in-process": ("loky", {"n_jobs": 1}),
    "threads": ("threading", {"n_jobs": 2}),
    "processes": ("loky", {"n_jobs": 2}),
    "isolated": ("loky", {"n_jobs": 2, "trial_timeout": 600}),
}
# Each error ends the workers of a search, so that the next test starts others.
EVERYWHERE = pytest.mark.parametrize(
    "place",
    ["in-process", "threads", "processes", pytest.param("isolated", marks=pytest.mark.slow)],
)


class PickyError(Exception):
    """Cannot be unpickled, as many by accident."""

    def __init__(self, first, second):
        super().__init__(f"{first} {second}")


def make_error_class():
    class ClosureError(ValueError):
        pass

    return ClosureError


def raised(place, action, **settings):
    backend, how = PLACES[place]
    search = OptunaSearchCV(
        Acting(action=action),
        {"x": [0, 1, 2, 3]},
        sampler="grid",
        cv=2,
        error_score="raise",
        refit=False,
        **how,
        **settings,
    )
    with joblib.parallel_config(backend), pytest.raises(Exception) as caught:
        search.fit(ROWS, LABELS)
    return caught.value


def notes_of(error):
    return "\n".join(getattr(error, "__notes__", []))


@EVERYWHERE
def test_the_type_stays_and_the_notes_say_where(place):
    error = raised(place, At((2,), Raise(ZeroDivisionError, ("1/0",))))
    assert type(error) is ZeroDivisionError
    assert error.args == ("1/0",)
    assert "trial 2, fold 0, parameters {'x': 2}" in notes_of(error)


@EVERYWHERE
def test_classes_of_the_script_keep_their_type(place):
    error_class = make_error_class()
    error = raised(place, At((2,), Raise(error_class, ("boom",))))
    assert type(error) is error_class
    assert error.args == ("boom",)
    assert "trial 2, fold 0, parameters {'x': 2}" in notes_of(error)


@EVERYWHERE
def test_an_error_that_cannot_travel_is_told_in_words(place):
    error = raised(place, At((2,), Raise(PickyError, ("not", "loadable"))))
    text = f"{type(error).__name__} {error} {notes_of(error)}"
    assert "PickyError" in text
    assert "not loadable" in text
    assert "trial 2, fold 0, parameters {'x': 2}" in text


@EVERYWHERE
def test_errors_of_scorers_are_raised_too(place):
    def scoring(model, X, y):
        raise LookupError("no score")

    error = raised(place, None, scoring=scoring)
    assert type(error) is LookupError
    assert "trial 0, fold" in notes_of(error)


@EVERYWHERE
def test_a_scorer_that_returns_no_number_is_an_error(place):
    error = raised(place, None, scoring=lambda model, X, y: "high")
    assert type(error) is ValueError
    assert "scoring must return a number" in str(error)


@pytest.mark.parametrize("place", ["in-process", "threads", "processes"])
def test_the_traceback_leads_to_the_fit(place):
    error = raised(place, At((2,), Raise(ZeroDivisionError, ("1/0",))))
    frames, traceback = [], error.__traceback__
    while traceback is not None:
        frames.append(traceback.tb_frame.f_code.co_name)
        traceback = traceback.tb_next
    assert "_evaluate_fold" in frames or "_evaluate_fold" in notes_of(error)


@pytest.mark.parametrize("place", ["threads", "processes"])
@pytest.mark.parametrize("error_class", [SystemExit, KeyboardInterrupt])
@pytest.mark.timeout(30)
def test_a_fit_that_exits_does_not_hang_the_search(place, error_class):
    backend, how = PLACES[place]
    search = OptunaSearchCV(
        Acting(action=At((2,), Raise(error_class))), {"x": [1, 2, 3]}, cv=2, refit=False, **how
    )
    with joblib.parallel_config(backend), pytest.raises(error_class):
        search.fit(ROWS, LABELS)
