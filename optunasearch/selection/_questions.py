"""What is asked of the stored predictions, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from optunasearch.selection._predictions import LabelledPredictions
from optunasearch.selection._stand_in import check_scorer

__all__ = ["Questions", "ask"]


@dataclass(frozen=True)
class Questions:
    """What is asked of each candidate.

    Attributes
    ----------
    scorer : callable
    y : ndarray of shape (n_rows, ...)
    tests : list of ndarray
        Of each fold the positions of its test rows.
    units : ndarray of shape (n_rows,)
        Which rows are drawn together: numbers from 0, -1 for rows in no fold.
    params : dict
        What the scorer is given besides, for all rows.
    """

    scorer: Any
    y: np.ndarray
    tests: Sequence[np.ndarray]
    units: np.ndarray
    params: Mapping[str, Any]


def ask(
    candidates: Sequence[Sequence[LabelledPredictions]],
    scorer: Any,
    y: Any,
    splits: Sequence[tuple[Any, Any]],
    groups: Any,
    score_params: Mapping[str, Any] | None,
) -> Questions:
    """Return the questions if what was given fits together."""
    check_scorer(scorer)
    y = np.asarray(y)
    tests = [np.asarray(test) for _, test in splits]
    if not candidates:
        raise ValueError("There are no candidates: no trial was complete, or first=0.")
    for number, candidate in enumerate(candidates):
        if len(candidate) != len(tests):
            raise ValueError(
                f"Candidate {number} has predictions of {len(candidate)} folds, but there are "
                f"{len(tests)} splits. Pass those that the trials were scored on."
            )
        for fold, (of, test) in enumerate(zip(candidate, tests, strict=True)):
            lengths = {method: len(answer) for method, answer in of.responses.items()}
            if set(lengths.values()) != {len(test)}:
                raise ValueError(
                    f"Candidate {number} has answers of {lengths} rows for the {len(test)} test "
                    f"rows of fold {fold}. Pass the splits that the trials were scored on."
                )
    return Questions(scorer, y, tests, _units(tests, len(y), groups), score_params or {})


def _units(tests: Sequence[np.ndarray], n_rows: int, groups: Any) -> np.ndarray:
    """Number what is drawn, rows or groups of them; rows in no fold are -1."""
    names = np.arange(n_rows) if groups is None else np.asarray(groups)
    if len(names) != n_rows:
        raise ValueError(f"groups must name a group for each of {n_rows} rows, got {len(names)}.")
    is_tested = np.zeros(n_rows, dtype=bool)
    is_tested[np.concatenate(tests)] = True
    units = np.full(n_rows, -1)
    found, units[is_tested] = np.unique(names[is_tested], return_inverse=True)
    if len(found) < 2:
        what = "rows" if groups is None else "groups"
        raise ValueError(
            f"Resampling needs two {what} or more among the test rows, got {len(found)}. "
            "Use a splitter that tests more of them."
        )
    return units
