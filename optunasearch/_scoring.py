"""What is scored, what is optimised, and what is required.

`scoring` and `refit` mean what they mean in scikit-learn. `objectives` and
`constraints` may name further scorers, which are computed along with them. The
study maximises every objective in scikit-learn's sign.
"""

from __future__ import annotations

import inspect
import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import check_scoring, get_scorer

from optunasearch._sklearn import BaseSearchCV, _MultimetricScorer
from optunasearch.execution._records import TrialRecord
from optunasearch.metrics import sensitivity, specificity

_OWN_SCORERS = {"sensitivity": sensitivity, "specificity": specificity}
# `scoring` of these types names several scores.
_SEVERAL = Mapping | list | tuple | set


@dataclass
class ScoringPlan:
    """The scorers of one search.

    Attributes
    ----------
    scorer : callable
        What evaluates a fold: returns a float or a dict of floats.
    public_scorer : callable or dict
        The search's `scorer_`.
    objectives : list of str or None
        Keys of the scores to maximise; None if a callable `scoring` has yet to
        tell its keys.
    constraints : dict of str to float
        Least mean score of each key.
    """

    scorer: Any
    public_scorer: Any
    refit: Any
    objectives: list[str] | None
    constraints: dict[str, float]

    @property
    def known_objectives(self) -> list[str]:
        """The objectives; a single one without a key as long as they are not settled."""
        return self.objectives or ["score"]

    def is_feasible(self, record: TrialRecord) -> bool:
        """Whether a complete trial meets the constraints."""
        _, violations = self.values(record)
        return all(violation <= 0 for violation in violations.values())

    @property
    def known_scores(self) -> list[str] | None:
        """Keys of all scores; None if a callable `scoring` has yet to tell them."""
        if self.objectives is None:
            return None
        return list(getattr(self.scorer, "_scorers", ["score"]))

    def resolve_objectives(self, scores: Any) -> None:
        """Settle the objective of a callable `scoring` by its first answer."""
        if self.objectives is None:
            if isinstance(scores, dict):
                named = isinstance(self.refit, str) and self.refit in scores
                self.objectives = [self.refit if named else next(iter(scores))]
            else:
                self.objectives = ["score"]

    def values(self, record: TrialRecord) -> tuple[list[float], dict[str, float]]:
        """Return a trial's objectives and the violations of its constraints.

        Those of a stopped trial are what its first folds let expect.
        """
        if record.values is None:
            success = _first_success(record)
            if success is not None:
                self.resolve_objectives(success)
            violations = {
                name: least - mean_score(record, name) for name, least in self.constraints.items()
            }
            expected = {} if record.stop is None else record.stop.estimates
            values = [
                expected[name] if name in expected else mean_score(record, name)
                for name in self.known_objectives
            ]
            record.values = values, violations
        return record.values


def mean_score(record: TrialRecord, name: str) -> float:
    """Return the mean over the folds of one score; NaN if a fold lacks it."""
    scores = []
    for fold in sorted(record.results):
        test_scores = record.results[fold].test_scores
        if isinstance(test_scores, dict):
            test_scores = test_scores.get(name, np.nan)
        scores.append(test_scores)
    # The same reduction as for cv_results_, to the last digit.
    return float(np.average(np.array(scores, dtype=np.float64)))


def _first_success(record: TrialRecord) -> Any:
    """Return the first scores of a fit that did not fail, None if all failed."""
    results = [record.results[fold] for fold in sorted(record.results)]
    return next((r.test_scores for r in results if r.fit_error is None), None)


def plan_scoring(search: Any) -> ScoringPlan:
    """Settle what a search scores, optimises and requires."""
    given = search.scoring
    for one in given.values() if isinstance(given, Mapping) else [given]:
        if inspect.isfunction(one) and one.__module__ == sensitivity.__module__:
            raise TypeError(
                f"{one.__name__} makes a scorer and is none itself; call it, as in "
                f"scoring={one.__name__}({'0.95' if 'at' in one.__name__ else 'pos_label=1'})."
            )
    if search.objectives or search.constraints:
        return extended_scoring(search)
    scorer, metric = BaseSearchCV._get_scorers(search)
    public = getattr(scorer, "_scorers", scorer)
    objectives = None
    if not callable(search.scoring):
        objectives = [metric if isinstance(metric, str) else next(iter(public))]
    return ScoringPlan(scorer, public, search.refit, objectives, {})


def extended_scoring(search: Any) -> ScoringPlan:
    """Return the plan of a search that names objectives or constraints.

    Raises
    ------
    TypeError, ValueError
        For a name that is neither a key of `scoring` nor a scorer, a constraint that
        is no number, or a `refit` that is not among the scores.
    """
    objectives = list(search.objectives or [])
    constraints = dict(search.constraints or {})
    _check_objectives_and_constraints(objectives, constraints)
    scorers = _named_scorers(search.estimator, search.scoring, single=not objectives)
    is_single = not isinstance(search.scoring, _SEVERAL) and not objectives
    for name in [*objectives, *constraints]:
        if name not in scorers:
            scorers[name] = _scorer_by_name(name, search.scoring)
    if not is_single and search.refit is True and not objectives:
        search._check_refit_for_multimetric(scorers)
    if isinstance(search.refit, str) and not is_single and search.refit not in scorers:
        search._check_refit_for_multimetric(scorers)
    if not objectives:
        named = isinstance(search.refit, str) and search.refit in scorers and not is_single
        objectives = [search.refit if named else next(iter(scorers))]
    scorer = _MultimetricScorer(scorers=scorers, raise_exc=search.error_score == "raise")
    return ScoringPlan(
        scorer,
        scorers["score"] if is_single else scorers,
        search.refit,
        objectives,
        constraints,
    )


def refit_metric(search: Any, plan: ScoringPlan) -> str:
    """Return the key of the score that `best_index_` is chosen by."""
    if search.objectives:
        return search.refit if isinstance(search.refit, str) else next(iter(search.objectives))
    return search.refit if isinstance(plan.public_scorer, dict) else "score"


def _check_objectives_and_constraints(objectives: list[Any], constraints: dict[Any, Any]) -> None:
    for name in [*objectives, *constraints]:
        if not isinstance(name, str):
            raise TypeError(
                "objectives and constraints name keys of scoring or scorers of "
                f"scikit-learn, got {name!r} of type {type(name).__name__}; give a scorer of "
                "your own a name, as in scoring={'name': scorer}."
            )
    if len(set(objectives)) < len(objectives):
        raise ValueError(f"objectives must differ from each other, got {objectives!r}")
    for name, least in constraints.items():
        if not isinstance(least, numbers.Real) or not math.isfinite(least):
            raise ValueError(
                f"constraints[{name!r}] must be a finite number, the least mean score that "
                f"is accepted, got {least!r}"
            )
        if name in _OWN_SCORERS and not 0 <= float(least) <= 1:
            raise ValueError(
                f"constraints[{name!r}] is a share between 0 and 1, got {least!r}; 95 % is 0.95."
            )


def _named_scorers(estimator: Any, scoring: Any, *, single: bool) -> dict[str, Any]:
    """Return the scorers of `scoring` by the keys they have in `cv_results_`."""
    if isinstance(scoring, _SEVERAL):
        names = dict(scoring) if isinstance(scoring, Mapping) else {n: n for n in scoring}
        return {name: check_scoring(estimator, scoring=given) for name, given in names.items()}
    if single:
        return {"score": check_scoring(estimator, scoring=scoring)}
    if scoring is None:
        return {}
    name = scoring if isinstance(scoring, str) else "score"
    return {name: check_scoring(estimator, scoring=scoring)}


def _scorer_by_name(name: str, scoring: Any) -> Any:
    if name in _OWN_SCORERS:
        return _OWN_SCORERS[name]()
    try:
        return get_scorer(name)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{name!r} in objectives or constraints is neither a key of scoring="
            f"{scoring!r}, nor 'sensitivity' or 'specificity', nor a scorer of "
            "scikit-learn (sklearn.metrics.get_scorer_names()). Pass a scorer of your own "
            f"as scoring={{{name!r}: scorer, ...}}."
        ) from error
