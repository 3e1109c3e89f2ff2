"""Whether the folds of a search differ by more than chance.

If rows are exchangeable, folds are random samples of them, and nothing may differ between folds
by more than such samples do: neither the target, nor what the models of the folds predict, nor
their losses. Ranks are compared (Kruskal and Wallis), as losses have heavy tails. Each part sees
something else: of rows sorted by class every fold's loss is the same, namely bad, and only the
target tells; stratified folds have the same target whatever the order of the rows.

The rows of a fold share a model, so that what comes of it differs between folds a little more
than rows do. The mean over a fold has the variance of its rows and, in the order of n_test /
n_train of that, the model's (Nadeau and Bengio's argument): H is divided by
1 + n_test / n_train. Measured at the level 0.01: without that, up to 0.037 of random folds
were found different (naive Bayes, 300 rows); with it, 0.01 at most. With very many rows the
little that is left would be found significant, too; what counts must therefore also be a share of
the variance worth speaking of.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc
from scipy.stats import rankdata

__all__ = ["FoldDiagnosis", "diagnose_folds"]

# The least share of the ranks' variance between folds that counts: small, as Cohen has it.
LEAST_SHARE = 0.01
_LEAST_PROBABILITY = np.finfo(np.float64).eps


@dataclass(frozen=True)
class FoldDiagnosis:
    """Whether the folds of a search differ by more than chance.

    Attributes
    ----------
    differs : bool
        Whether they do, at the level asked for and by an amount that matters.
    p_value : float
        The probability of such a difference, or a larger one, between random folds; corrected
        for the number of comparisons.
    statistic : float
        Kruskal and Wallis's H of the comparison that differs most, less what is the models'.
    quantity : {"target", "predictions", "losses"}
        What that comparison is of.
    share : float
        The share of the variance of its ranks that lies between folds, less what chance puts
        there (epsilon squared); about 0 for random folds.
    n_folds : int
    message : str
        The same in words, with what to do about it.
    """

    differs: bool
    p_value: float
    statistic: float
    quantity: str
    share: float
    n_folds: int
    message: str = field(repr=False)

    def __str__(self) -> str:
        return self.message


def diagnose_folds(search: Any, *, level: float = 0.01) -> FoldDiagnosis:
    """Say whether the folds of a search differ by more than chance.

    If they do, rows are probably grouped, sorted, or drift in time. Scores then vary more between
    folds than the number of rows explains, and a cross-validated score may not be what new rows
    will give. Compared are the target, the out-of-fold predictions of the best candidate, and
    their losses, row by row (by groups where the search was given `groups`).

    Parameters
    ----------
    search : OptunaSearchCV
        Fitted, with two folds or more.
    level : float, default=0.01
        How often random folds may be taken for different ones.

    Returns
    -------
    diagnosis : FoldDiagnosis

    Raises
    ------
    AttributeError
        If the search has no out-of-fold predictions.
    ValueError
        If there is one fold only, or `level` is not between 0 and 1.
    TypeError
        If `search` is no search.

    Notes
    -----
    The test is that of Kruskal and Wallis [1]_, for each class or output, at a level divided by
    their number (Bonferroni). As the rows of a fold share a model, H of predictions and losses
    is divided by 1 + n_test / n_train [2]_, and folds that differ by less than a hundredth of
    the variance pass. Losses are negative log probabilities of the true class, decision values
    on the wrong side where there are no probabilities, or absolute errors of a regressor.

    References
    ----------
    .. [1] W. H. Kruskal, W. A. Wallis, "Use of Ranks in One-Criterion Variance Analysis",
       Journal of the American Statistical Association 47, 1952.
    .. [2] C. Nadeau, Y. Bengio, "Inference for the Generalization Error", Machine Learning 52,
       2003.

    Examples
    --------
    Rows in the order of their classes, and folds cut from that order:

    >>> from optunasearch import OptunaSearchCV
    >>> from optunasearch.selection import diagnose_folds
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import KFold
    >>> from sklearn.naive_bayes import GaussianNB
    >>> X, y = load_iris(return_X_y=True)
    >>> space = {"var_smoothing": [1e-9, 1e-8]}
    >>> diagnose_folds(OptunaSearchCV(GaussianNB(), space, cv=KFold(5)).fit(X, y)).differs
    True
    >>> shuffled = KFold(5, shuffle=True, random_state=0)
    >>> diagnose_folds(OptunaSearchCV(GaussianNB(), space, cv=shuffled).fit(X, y)).differs
    False
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, got {level!r}; 1 % is 0.01.")
    oof = _out_of_fold(search)
    stacked = oof.stacked(("predict_proba", "decision_function", "predict"))
    if stacked is None:
        reason = oof.problem or "neither the scorer nor the search asked for them"
        raise AttributeError(f"there are no out-of-fold predictions: {reason}")
    quantities = _quantities(oof, stacked)
    groups = None if oof.groups is None else np.asarray(oof.groups)[stacked.rows]
    return _diagnose(quantities, stacked.folds, len(oof.y), groups, level)


def _out_of_fold(search: Any) -> Any:
    """Return the out-of-fold predictions of a search, or raise."""
    # By attribute: the search's modules import this package.
    if not hasattr(search, "_oof_results"):
        raise TypeError(f"search must be a fitted OptunaSearchCV, got {search!r}.")
    if search._oof_results is None:
        raise AttributeError(
            "there are no out-of-fold predictions: the search is not fitted, or neither its scorer "
            "nor itself asked for them."
        )
    return search._oof_results.out_of_fold


def _quantities(oof: Any, stacked: Any) -> dict[str, NDArray[np.float64]]:
    """Return what is compared, each of shape (n, n_columns)."""
    if oof.classes is None:
        target = _columns(np.asarray(oof.y, dtype=np.float64)[stacked.rows])
        predictions = _columns(np.asarray(stacked.values, dtype=np.float64))
        return {
            "target": target,
            "predictions": predictions,
            "losses": np.abs(target - predictions),
        }
    codes, positions = oof.codes[stacked.rows], np.arange(len(oof.classes))
    of_row = np.arange(len(codes))
    target = (codes[:, np.newaxis] == positions).astype(np.float64)
    values = np.asarray(stacked.values, dtype=np.float64)
    if stacked.method == "predict_proba":
        predictions = values
        losses = -np.log(np.clip(values[of_row, codes], _LEAST_PROBABILITY, 1))
    elif stacked.method == "predict":
        predictions = (values[:, np.newaxis] == positions).astype(np.float64)
        losses = (values != codes).astype(np.float64)
    else:  # margins of one model are not on the scale of another's: how far on the right side
        predictions = _columns(values)
        if predictions.shape[1] == 1:
            losses = np.where(codes == 1, -values.ravel(), values.ravel())
        else:
            losses = -predictions[of_row, codes]
    if len(positions) == 2:  # the columns say the same
        target, predictions = target[:, 1:], predictions[:, -1:]
    return {"target": target, "predictions": predictions, "losses": losses[:, np.newaxis]}


def _columns(values: NDArray[Any]) -> NDArray[Any]:
    return values.reshape(len(values), -1)


def _diagnose(
    quantities: dict[str, NDArray[np.float64]],
    folds: NDArray[Any],
    n_rows: int,
    groups: NDArray[Any] | None,
    level: float,
) -> FoldDiagnosis:
    """Compare each column between folds, and tell the one that differs most."""
    fold = np.unique(folds, return_inverse=True)[1]
    n_folds = int(fold.max()) + 1
    if n_folds < 2:
        raise ValueError("Folds can be compared if there are two or more; the search has one.")
    n_test = len(fold) / n_folds
    of_model = 1 + n_test / max(n_rows - n_test, 1)
    if groups is not None:
        quantities, fold = _group_means(quantities, fold, groups)
    n = len(fold)
    found = [
        (kruskal_wallis(column, fold) / (1 if name == "target" else of_model), name)
        for name, block in quantities.items()
        for column in block.T
    ]
    statistic, quantity = max(found)
    p_value = min(1.0, float(chdtrc(n_folds - 1, statistic)) * len(found))
    share = (statistic - (n_folds - 1)) / (n - n_folds) if n > n_folds else 0.0
    differs = p_value <= level and share >= LEAST_SHARE
    message = _message(differs, p_value, quantity, groups is not None)
    return FoldDiagnosis(differs, p_value, statistic, quantity, share, n_folds, message)


def kruskal_wallis(values: NDArray[np.float64], fold: NDArray[np.intp]) -> float:
    """Return H, with ties; 0 for constant values. Under chance about chi-squared (folds - 1)."""
    ranks = rankdata(values) - (len(values) + 1) / 2
    total = float(ranks @ ranks)
    if total == 0:
        return 0.0
    sizes = np.bincount(fold)
    between = float((np.bincount(fold, weights=ranks) ** 2 / sizes).sum())
    return (len(values) - 1) * between / total


def _group_means(
    quantities: dict[str, NDArray[np.float64]], fold: NDArray[np.intp], groups: NDArray[Any]
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.intp]]:
    """Return the means of each group's rows in a fold: the groups are what chance deals out."""
    group = np.unique(groups, return_inverse=True)[1]
    n_groups = int(group.max()) + 1
    cells, cell = np.unique(fold * n_groups + group, return_inverse=True)
    sizes = np.bincount(cell)
    means = {
        name: np.column_stack([np.bincount(cell, weights=column) / sizes for column in block.T])
        for name, block in quantities.items()
    }
    return means, cells // n_groups


def _message(differs: bool, p_value: float, quantity: str, has_groups: bool) -> str:
    """Say what was found, and what to do about it."""
    chance = f"p = {p_value:.2g}" if p_value >= 1e-6 else "p < 1e-6"
    if not differs:
        return f"The folds do not differ by more than chance ({chance})."
    told = f"The folds differ by more than chance ({chance}, in their {quantity}): "
    if has_groups:
        return told + (
            "the groups are not alike from fold to fold; they are probably sorted, or drift in "
            "time. If they are merely sorted, shuffle them (StratifiedGroupKFold(shuffle=True)); "
            "rows that drift in time belong to TimeSeriesSplit, and its folds may differ."
        )
    return told + (
        "the rows are probably grouped, sorted or drift in time. If they are merely sorted, "
        "shuffle them (StratifiedKFold(shuffle=True)); rows that belong together, as those of "
        "one patient, need groups and a group splitter (StratifiedGroupKFold), or else shuffling "
        "makes the score too good; rows that drift in time belong to TimeSeriesSplit, and its "
        "folds may differ."
    )
