"""The simplest candidate that is not clearly worse than the best.

A callable for `refit` sees `cv_results_` only, so what is simple has to be read off the
parameters. Parameters cannot say it themselves (a large C is complex, a large alpha simple):
the user does, by names with directions or by a key.
"""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["OneStandardError"]

_DIRECTIONS = ("ascending", "descending")


@dataclass(frozen=True)
class OneStandardError:
    """Choose the simplest candidate within one standard error of the best.

    For ``refit`` of `OptunaSearchCV` and of scikit-learn's searches. The rule of Breiman et
    al. [1]_: among the candidates whose mean score is at least that of the best one less the
    standard error of that mean, take the simplest.

    Parameters
    ----------
    simplicity : str, dict, list of str, or callable
        What makes a candidate simple. The name of a parameter: the smaller its value, the
        simpler. A dict of names to 'ascending' (smaller values are simpler) or 'descending':
        the first name decides, the next one among equals, and so on. A list is a dict of
        'ascending'. Or a callable: ``simplicity(params)`` returns something that sorts, the
        simplest first.
    metric : str, default=None
        The score that is compared, a key of `scoring`. None is the only one there is.

    Raises
    ------
    TypeError
        If `simplicity` is none of these; when called, if a parameter's value is no number.
    ValueError
        For a direction other than the two; when called, if `cv_results_` has not the metric
        or the parameter, if there is only one fold, or if no candidate has a score.

    See Also
    --------
    optunasearch.OptunaSearchCV : With the default `refit` its `best_score_corrected_` is the
        honest score of the best.

    Notes
    -----
    The standard error is the standard deviation of the best candidate's scores over the K
    folds (with K - 1 in the denominator), over the square root of K. Folds share training
    rows, so that their scores are not independent, and the true standard error is mostly
    larger: the rule is a convention, not a test.

    A value of None counts as unlimited (as in ``max_depth=None``) and so as least simple in
    either direction, and so does a parameter that a candidate does not have. Candidates
    without a mean score (failed, pruned) are passed over, and so are those that do not meet
    the search's constraints as long as any does. Among equally simple ones the best score
    wins, among equal scores the first. As `refit` is a callable, ``pruner="auto"`` stops
    nothing, so that no candidate is missed, and there is no `best_score_`.

    References
    ----------
    .. [1] L. Breiman, J. Friedman, R. Olshen, C. Stone. Classification and Regression Trees.
       Wadsworth, 1984, section 3.4.3.

    Examples
    --------
    >>> from optunasearch import OptunaSearchCV
    >>> from optunasearch.selection import OneStandardError
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Lasso
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = OptunaSearchCV(
    ...     Lasso(),
    ...     {"alpha": [0.001, 0.01, 0.1, 0.3, 1, 3]},
    ...     refit=OneStandardError({"alpha": "descending"}),
    ...     pruner=None,
    ... ).fit(X, y)
    >>> search.best_params_
    {'alpha': 0.3}
    >>> search.cv_results_["mean_test_score"].round(2)
    array([ 0.48,  0.48,  0.48,  0.46,  0.34, -0.03])
    """

    simplicity: str | Mapping[str, str] | Sequence[str] | Callable[[dict[str, Any]], Any]
    metric: str | None = None

    def __post_init__(self) -> None:
        if not callable(self.simplicity):
            _directions(self.simplicity)

    def __call__(self, cv_results: Mapping[str, Any]) -> int:
        """Return the row of the chosen candidate.

        Parameters
        ----------
        cv_results : dict
            As `cv_results_`.

        Returns
        -------
        best_index : int
        """
        metric = _metric(cv_results, self.metric)
        means = np.asarray(cv_results[f"mean_test_{metric}"], dtype=float)
        rows = _eligible(cv_results, means)
        best = rows[np.argmax(means[rows])]
        least = means[best] - _standard_error(cv_results, metric, best)
        rows = rows[means[rows] >= least]
        candidates = [cv_results["params"][row] for row in rows]
        keys = self._keys(candidates)
        simplest = min(keys)
        ties = [row for row, key in zip(rows, keys, strict=True) if key == simplest]
        return int(max(ties, key=lambda row: means[row]))

    def check(
        self, parameters: Set[str] | None, metrics: Sequence[str] | None, n_splits: int
    ) -> None:
        """Raise what a call would raise, before a search has run.

        Parameters
        ----------
        parameters : set of str or None
            Names of what is searched; None if they are not known beforehand.
        metrics : sequence of str or None
            Keys of the scores, None likewise.
        n_splits : int

        Raises
        ------
        ValueError
            If a parameter or the metric is not among them, or there is only one fold.
        """
        if n_splits < 2:
            raise ValueError(_too_few(n_splits))
        if metrics is not None:
            _metric(dict.fromkeys(f"mean_test_{name}" for name in metrics), self.metric)
        if parameters is not None and not callable(self.simplicity):
            for name in _directions(self.simplicity):
                if name not in parameters:
                    raise ValueError(_unknown(name, sorted(parameters)))

    def _keys(self, candidates: list[dict[str, Any]]) -> list[Any]:
        """Return what the candidates are sorted by, the simplest first."""
        if callable(self.simplicity):
            return [self.simplicity(params) for params in candidates]
        directions = _directions(self.simplicity)
        for name in directions:
            if not any(name in params for params in candidates):
                known = sorted({known for params in candidates for known in params})
                raise ValueError(_unknown(name, known))
        return [
            tuple(_place(name, params.get(name), way) for name, way in directions.items())
            for params in candidates
        ]


def _too_few(n_folds: int) -> str:
    return (
        f"A standard error needs the scores of two folds or more, got {n_folds}. Use a splitter "
        "with more folds, e.g. cv=5."
    )


def _unknown(name: str, known: list[str]) -> str:
    return (
        f"simplicity names the parameter {name!r}, which no candidate has: they have {known}. In "
        "a pipeline it is the name with the step's, as in 'svc__C'."
    )


def _directions(simplicity: Any) -> dict[str, str]:
    """Return the direction of each parameter that is named."""
    if isinstance(simplicity, str):
        simplicity = [simplicity]
    if isinstance(simplicity, Mapping):
        directions = dict(simplicity)
    elif isinstance(simplicity, list | tuple):
        directions = dict.fromkeys(simplicity, "ascending")
    else:
        directions = {}
    if not directions or not all(isinstance(name, str) for name in directions):
        raise TypeError(
            "simplicity must be the name of a parameter, a list of names, a dict of names to "
            f"'ascending' or 'descending', or a callable key(params); got {simplicity!r}."
        )
    for name, way in directions.items():
        if way not in _DIRECTIONS:
            raise ValueError(
                f"simplicity[{name!r}] must be 'ascending' (smaller values are simpler) or "
                f"'descending', got {way!r}."
            )
    return directions


def _place(name: str, value: Any, way: str) -> float:
    """Return a number that is smaller the simpler a parameter's value is."""
    if value is None:
        return math.inf
    if not isinstance(value, numbers.Real | np.bool_) or math.isnan(value):
        raise TypeError(
            f"simplicity by {name!r} needs numbers (or None, the least simple), got {value!r}. "
            "Pass a callable for other values, e.g. OneStandardError(lambda params: "
            f"['linear', 'rbf'].index(params[{name!r}]))."
        )
    return float(value) if way == "ascending" else -float(value)


def _metric(cv_results: Mapping[str, Any], metric: str | None) -> str:
    """Return the score that is compared."""
    known = [key.removeprefix("mean_test_") for key in cv_results if key.startswith("mean_test_")]
    if metric is None and len(known) == 1:
        return known[0]
    if metric not in known:
        raise ValueError(
            f"OneStandardError needs to know which score to compare, got metric={metric!r}, and "
            f"cv_results_ has {known}. Pass one of them as metric."
        )
    return metric


def _eligible(cv_results: Mapping[str, Any], means: np.ndarray) -> np.ndarray:
    """Return the rows of candidates with a score, of the feasible ones if there are any."""
    eligible = np.isfinite(means)
    if not eligible.any():
        raise ValueError(
            f"None of the {len(means)} candidates has a finite mean score, so none is the best. "
            "Pass error_score='raise' to see why fits fail."
        )
    feasible = eligible & np.asarray(cv_results.get("feasible", True), dtype=bool)
    return np.flatnonzero(feasible if feasible.any() else eligible)


def _standard_error(cv_results: Mapping[str, Any], metric: str, row: int) -> float:
    """Return the standard error of a candidate's mean score."""
    is_fold = re.compile(rf"split\d+_test_{re.escape(metric)}").fullmatch
    scores = np.array([cv_results[key][row] for key in cv_results if is_fold(key)], dtype=float)
    if len(scores) < 2:
        raise ValueError(_too_few(len(scores)))
    return float(scores.std(ddof=1) / math.sqrt(len(scores)))
