"""Choice of the decision threshold on rows that the model has not seen."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optunasearch.decision._bounds import lower_bound, rows_needed
from optunasearch.decision._choice import ThresholdChoice
from optunasearch.decision._costs import cost_estimate, mean_costs
from optunasearch.decision._cuts import Cuts
from optunasearch.decision._estimate import Estimate
from optunasearch.decision._guarantee import Test, judge
from optunasearch.decision._requirement import DecisionThreshold
from optunasearch.decision._rows import Rows, checked_rows


def choose_threshold(
    is_positive: ArrayLike,
    score: ArrayLike,
    requirement: DecisionThreshold,
    *,
    sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    folds: ArrayLike | None = None,
    random_state: Any = 0,
) -> ThresholdChoice:
    """Choose the threshold that meets a requirement with its confidence.

    Parameters
    ----------
    is_positive : array-like of bool of shape (n_rows,)
    score : array-like of shape (n_rows,) or (n_repeats, n_rows)
        Rises with the evidence for the positive class. Of models that have not seen the rows.
        Those of repeated cross-validation are given as they are: the mean of several models'
        scores is distributed unlike the scores of one, which the threshold is for.
    requirement : DecisionThreshold
    sample_weight : array-like of shape (n_rows,), default=None
        Weights that make the rows a sample of the population. The bounds are then
        approximate: the rows count as Kish's effective number of rows. (A weight of 2 is not
        two rows.)
    groups : array-like of shape (n_rows,), default=None
        Rows of a group are dependent, as those of one patient are. The bounds are then
        approximate: the rows count as fewer by the design effect, which comes from the
        correlation of the scores within groups, that of the labels for a precision.
    folds : array-like of shape (n_rows,) or (n_repeats, n_rows), default=None
        Which fold each score comes from, to allow for models whose rows move together, as
        those in the leaves of a tree (see the notes at the top of ``_rows.py``).
    random_state : int, RandomState or None, default=0
        Of the bootstrap, for costs.

    Returns
    -------
    choice : ThresholdChoice

    Raises
    ------
    ValueError
        If there are no rows, shapes differ, a score is NaN, or weights are negative, not
        finite or all 0.
    """
    rows = checked_rows(is_positive, score, sample_weight, groups, folds)
    cuts = rows.cuts()
    if requirement.costs is not None:
        return _cheapest(rows, cuts, requirement, random_state)
    tests = judge(rows, cuts, requirement)
    met = np.all([test.passed for test in tests], axis=0)
    if met.any():
        cut = _best(cuts, met, tests)
        return _choice(rows, cuts, cut, tests=tests, message=_one_sided(cuts, cut))
    cut = _nearest(tests)
    message = _shortfall(rows, cuts, cut, tests)
    return _choice(rows, cuts, cut, tests=tests, is_met=False, message=message)


def _best(cuts: Cuts, met: NDArray[np.bool_], tests: list[Test]) -> int:
    """Return the best cut among those that meet everything."""
    found = np.flatnonzero(met)
    if len(tests) == 1:
        return int(found[-1] if tests[0].name == "sensitivity" else found[0])
    # Where a class is missing, nothing is met, or precision alone could be.
    return int(found[np.argmax((cuts.sensitivity + cuts.specificity)[found])])


def _nearest(tests: list[Test]) -> int:
    """Return the cut at which the largest shortfall is the smallest."""
    surplus = np.min([np.nan_to_num(t.bounds, nan=-1) - t.required for t in tests], axis=0)
    best = np.flatnonzero(surplus >= surplus.max() - 1e-12)
    return int(best[-1] if tests[0].name == "sensitivity" else best[0])


def _cheapest(
    rows: Rows, cuts: Cuts, requirement: DecisionThreshold, random_state: Any
) -> ThresholdChoice:
    """Return the choice of the least mean cost; of equals the most lenient."""
    cut = int(np.argmin(mean_costs(cuts, requirement.costs)))
    cost = cost_estimate(
        rows,
        np.searchsorted(cuts.scores, rows.score),
        cut,
        requirement.costs,
        confidence=requirement.confidence,
        random_state=random_state,
    )
    return _choice(rows, cuts, cut, cost=cost, message=_one_sided(cuts, cut))


def _choice(
    rows: Rows,
    cuts: Cuts,
    cut: int,
    *,
    tests: list[Test] | None = None,
    cost: Estimate | None = None,
    is_met: bool = True,
    message: str = "",
) -> ThresholdChoice:
    """Return the choice of a cut."""
    return ThresholdChoice(
        threshold=cuts.threshold(cut),
        is_met=is_met,
        sensitivity=float(cuts.sensitivity[cut]),
        specificity=float(cuts.specificity[cut]),
        precision=float(cuts.precision[cut]),
        bounds={test.name: float(test.bounds[cut]) for test in tests or ()},
        cost=cost,
        n_positive=rows.n_positive,
        n_negative=rows.n_negative,
        message=message,
    )


def _one_sided(cuts: Cuts, cut: int) -> str:
    """Say so if a cut leaves all rows on one side."""
    if 0 < cut < len(cuts.scores):
        return ""
    side = "positive" if cut == 0 else "negative"
    return f"At the threshold {cuts.threshold(cut):.4g} every row is predicted {side}."


def _shortfall(rows: Rows, cuts: Cuts, cut: int, tests: list[Test]) -> str:
    """Say why nothing meets the requirements, what is possible, and what it would take."""
    total_error = sum(test.error for test in tests)
    wanted = " and ".join(f"{test.name} >= {test.required:g}" for test in tests)
    told = [
        f"No threshold shows {wanted} with confidence {1 - total_error:g} on "
        f"{rows.n_positive} positive and {rows.n_negative} negative rows."
    ]
    told += [_too_few_rows(test, rows) for test in tests if not test.passed.any()]
    reached = ", ".join(
        f"{test.name} {getattr(cuts, test.name)[cut]:.3f} (at least {test.bounds[cut]:.3f})"
        for test in tests
    )
    told.append(f"The nearest is the threshold {cuts.threshold(cut):.4g}: {reached}.")
    told.append("More rows, less confidence or a lower requirement would help.")
    return " ".join(told)


def _too_few_rows(test: Test, rows: Rows) -> str:
    """Say how many rows a requirement takes that no threshold meets by itself."""
    needed = rows_needed(test.required, test.error)
    kind = {"sensitivity": "positive", "specificity": "negative"}.get(test.name)
    if kind is None:
        return (
            f"A precision of {test.required:g} takes {needed} rows predicted positive that are "
            "all positive, or more of them with a few errors."
        )
    there = rows.n_positive if kind == "positive" else rows.n_negative
    worth = ""
    if test.size < there - 0.05:
        worth = f" (worth {test.size:.1f} independent ones)"
    best = float(lower_bound(test.size, test.size, 1 - test.error))
    told = (
        f"A {test.name} of {test.required:g} takes at least {needed} {kind} rows; there are "
        f"{there}{worth}"
    )
    if not test.size > 0:
        return told + "."
    return (
        told + f", and if every one of them is predicted {kind}, the bound is {best:.3f}, or "
        f"{test.required:g} with confidence {1 - test.required**test.size:.3g}."
    )
