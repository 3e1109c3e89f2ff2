"""From trial records to `cv_results_`, the best candidate and the tables."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata

from optunasearch._ledger import status_of
from optunasearch._scoring import ScoringPlan, mean_score
from optunasearch._sklearn import _insert_error_scores, _warn_or_raise_about_fit_failures
from optunasearch._space import SearchSpace
from optunasearch.exceptions import InfeasibleWarning
from optunasearch.execution._records import Status, TrialRecord


def fold_outputs(search: Any, records: Sequence[TrialRecord]) -> list[dict[str, Any]]:
    """Return one dict for each fold of each candidate, as scikit-learn has them.

    Warns or raises about failed fits as scikit-learn does.
    """
    outputs = []
    for record in records:
        for fold in range(record.n_splits):
            # Of a fold that has not run the first stands in; `blank_pruned` blanks it.
            result = record.results.get(fold) or record.results[0]
            scores = result.test_scores
            if result.was_stopped:  # a number, so that nobody is warned of NaN
                scores = dict.fromkeys(scores, 0.0) if isinstance(scores, dict) else 0.0
            output = {
                "test_scores": scores,
                "fit_time": result.fit_time,
                "score_time": result.score_time,
                "n_test_samples": result.n_test_samples,
                "fit_error": result.fit_error,
            }
            if search.return_train_score:
                output["train_scores"] = scores if result.was_stopped else result.train_scores
            outputs.append(output)
    ran = [o for o, has_run in zip(outputs, _have_run(records), strict=True) if has_run]
    _warn_or_raise_about_fit_failures(ran, search.error_score)
    if callable(search.scoring):
        _insert_error_scores(outputs, search.error_score)
    return outputs


def _have_run(records: Sequence[TrialRecord]) -> list[bool]:
    """Return for each candidate and fold whether it was fitted to its end."""
    has_run = []
    for record in records:
        for fold in range(record.n_splits):
            result = record.results.get(fold)
            has_run.append(result is not None and not result.was_stopped)
    return has_run


def blank_pruned(
    results: dict[str, Any], records: Sequence[TrialRecord], objectives: Sequence[str]
) -> None:
    """Take the folds that have not run out of `cv_results_`, and say which they are.

    The means of a pruned candidate become NaN and its ranks the last. The columns
    `status`, `n_splits_run` and `estimated_test_<objective>` are added.
    """
    n_splits = records[0].n_splits
    has_run = np.array(_have_run(records)).reshape(len(records), n_splits)
    is_pruned = ~has_run.all(axis=1)
    for name in ("fit_time", "score_time"):
        times = np.array(
            [[getattr(r.results.get(f), name, np.nan) for f in range(n_splits)] for r in records]
        )
        results[f"mean_{name}"] = np.nanmean(times, axis=1)
        results[f"std_{name}"] = np.nanstd(times, axis=1)
    for key in [key for key in results if key.startswith("split")]:
        fold = int(key.removeprefix("split").split("_", 1)[0])
        results[key][~has_run[:, fold]] = np.nan
    for key in [key for key in results if key.startswith(("mean_test_", "std_test_"))]:
        results[key][is_pruned] = np.nan
    for key in [key for key in results if key.startswith(("mean_train_", "std_train_"))]:
        results[key][is_pruned] = np.nan
    for key in [key for key in results if key.startswith("rank_test_")]:
        means = results[f"mean_{key.removeprefix('rank_')}"]
        # As scikit-learn ranks: all that is not a number shares the last rank.
        lowest = np.nanmin(means, initial=np.inf) - 1
        results[key] = rankdata(-np.nan_to_num(means, nan=lowest), method="min").astype(np.int32)
    results["status"] = np.array([str(status_of(record)) for record in records])
    results["n_splits_run"] = has_run.sum(axis=1)
    estimates = [{} if r.stop is None else r.stop.estimates for r in records]
    for name in objectives:
        results[f"estimated_test_{name}"] = np.array([e.get(name, np.nan) for e in estimates])


def count_fits(records: Sequence[TrialRecord]) -> tuple[int, int]:
    """Return how many folds were fitted, and the epochs of those followed inside."""
    originals = [record for record in records if record.duplicate_of is None]
    fitted = [result for record in originals for result in record.results.values()]
    return len(fitted), sum(result.n_epochs_run for result in fitted)


def add_best_epochs(results: dict[str, Any], records: Sequence[TrialRecord]) -> None:
    """Add the column `best_epoch`, masked where a candidate's scores are of the last epochs."""
    epochs = [record.best_epoch for record in records]
    results["best_epoch"] = np.ma.MaskedArray(
        [epoch or 0 for epoch in epochs], mask=[epoch is None for epoch in epochs]
    )


def only_complete(
    results: dict[str, Any], records: Sequence[TrialRecord]
) -> tuple[np.ndarray, dict[str, Any]]:
    """Return the rows of candidates that were not pruned, and the table of only those."""
    rows = np.flatnonzero([record.stop is None for record in records])
    if len(rows) == len(records):
        return rows, results
    picked = {
        key: [column[row] for row in rows] if isinstance(column, list) else column[rows]
        for key, column in results.items()
    }
    return rows, picked


def add_feasibility(results: dict[str, Any], constraints: Mapping[str, float]) -> np.ndarray:
    """Add the column `feasible` and return each candidate's total violation."""
    violations = np.zeros(len(results["params"]))
    for name, least in constraints.items():
        violations += np.maximum(least - results[f"mean_test_{name}"], 0.0)
    violations[np.isnan(violations)] = np.inf
    results["feasible"] = violations == 0.0
    return violations


def best_index(results: Mapping[str, Any], metric: str, violations: np.ndarray | None) -> np.intp:
    """Return the best candidate's row: feasible, finite, highest mean, first of equals.

    Infinite means are passed over (scikit-learn takes them); only if no mean is
    finite its rank decides alone. If no candidate is feasible, the least violation
    wins, with a warning.
    """
    means = results[f"mean_test_{metric}"]
    eligible = np.isfinite(means)
    if "status" in results and (results["status"] == Status.PRUNED).all():
        raise ValueError(
            f"All {len(means)} trials were pruned, so none has a score over all folds. Use a "
            "more forgiving pruner, pruner='auto', or None."
        )
    if not eligible.any():
        return results[f"rank_test_{metric}"].argmin()
    if violations is not None:
        least = violations[eligible].min()
        if least > 0:
            warnings.warn(
                "No candidate meets the constraints; the one with the least total violation "
                f"({least:.4g}) was taken. Loosen the constraints, search longer, or score "
                "with optunasearch.metrics.specificity_at_sensitivity instead of "
                "constraining at the 0.5 cut-off.",
                InfeasibleWarning,
                stacklevel=6,  # the call of fit: _store, _search, fit, its wrapper
            )
        eligible &= violations == least
    return np.where(eligible, means, -np.inf).argmax()


def pareto_front(
    results: Mapping[str, Any], objectives: Sequence[str], violations: np.ndarray | None
) -> dict[str, Any]:
    """Return the candidates that no other beats in every objective.

    Infeasible candidates and those with a score that is not finite are left out;
    the front is sorted by the first objective, best first.
    """
    scores = np.column_stack([results[f"mean_test_{name}"] for name in objectives])
    eligible = np.isfinite(scores).all(axis=1)
    if violations is not None:
        eligible &= violations == 0.0
    rivals = scores[eligible]
    rows = [r for r in np.flatnonzero(eligible) if not dominate(rivals, scores[r]).any()]
    index = np.array(sorted(rows, key=lambda row: (*-scores[row], row)), dtype=np.intp)
    front: dict[str, Any] = {"index": index, "params": [results["params"][i] for i in index]}
    for position, name in enumerate(objectives):
        front[f"mean_test_{name}"] = scores[index, position]
    return front


def dominate(ones: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Whether scores (in the last axis) are nowhere lower and somewhere higher."""
    return np.all(ones >= other, axis=-1) & np.any(ones > other, axis=-1)


class Improvement:
    """Counts trials since the last that improved on all before (for `patience`).

    With several objectives an improvement is a new point of the Pareto front. A
    feasible trial improves on any infeasible one.
    """

    def __init__(self) -> None:
        self.n_trials_since = 0
        self._front: np.ndarray | None = None
        self._least_violation = math.inf

    def add(self, values: Sequence[float], violations: Mapping[str, float]) -> None:
        """Take note of a trial."""
        self.n_trials_since += 1
        violation = sum(max(v, 0.0) for v in violations.values())
        if not all(map(math.isfinite, [*values, violation])):
            return
        scores = np.array(values)
        if self._front is None or violation < self._least_violation:
            self._front, self._least_violation = scores[np.newaxis], violation
        elif violation > self._least_violation or (self._front >= scores).all(axis=1).any():
            return
        else:
            beaten = dominate(scores, self._front)
            self._front = np.vstack([self._front[~beaten], scores])
        self.n_trials_since = 0


def trials_table(
    records: Sequence[TrialRecord], space: SearchSpace, plan: ScoringPlan
) -> dict[str, Any]:
    """Return a column-wise table of all trials, unfinished ones included."""
    table: dict[str, Any] = {
        "number": np.array([r.number for r in records], dtype=np.int64),
        "status": [str(status_of(r)) for r in records],
        "params": [space.decode(r.point) for r in records],
    }
    for name in plan.objectives or []:
        table[f"mean_test_{name}"] = np.array(
            [mean_score(r, name) if len(r.results) == r.n_splits else np.nan for r in records]
        )
    table["n_splits_run"] = np.array([r.n_full_folds for r in records])
    table["fit_seconds"] = np.array([r.fit_seconds for r in records])
    table["duplicate_of"] = [r.duplicate_of for r in records]
    table["error"] = [_error(r) for r in records]
    return table


def _error(record: TrialRecord) -> str | None:
    if record.error is not None:
        return record.error
    errors = (result.fit_error for _, result in sorted(record.results.items()))
    return next((error for error in errors if error is not None), None)
