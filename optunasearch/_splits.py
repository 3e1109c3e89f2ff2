"""Cross-validation splits, made once for a whole search."""

from __future__ import annotations

from typing import Any

from sklearn.base import is_classifier
from sklearn.model_selection import check_cv


def split_once(
    search: Any, X: Any, y: Any, split_params: dict[str, Any]
) -> tuple[Any, list[tuple[Any, Any]]]:
    """Return the splitter and its splits: every trial sees the same folds.

    Raises
    ------
    ValueError
        If there are none, or not as many as the splitter says.
    """
    cv = check_cv(search.cv, y, classifier=is_classifier(search.estimator))
    n_splits = cv.get_n_splits(X, y, **split_params)
    splits = list(cv.split(X, y, **split_params))
    if len(splits) != n_splits:
        raise ValueError(
            "cv.split and cv.get_n_splits return inconsistent results. "
            f"Expected {n_splits} splits, got {len(splits)}"
        )
    if not splits:
        raise ValueError(
            "No fits were performed. Was the CV iterator empty? Were there no candidates?"
        )
    return cv, splits
