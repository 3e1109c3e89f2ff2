"""The winner's score, with and without its optimism, against the number of trials."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from optunasearch.decision._requirement import check_share
from optunasearch.plotting._matplotlib import BLUE, VERMILION, axes, line_style
from optunasearch.plotting._search_results import score_path
from optunasearch.selection._corrected import N_BOOTSTRAPS


class CorrectedScoreDisplay:
    """Best and corrected score against the number of trials.

    The best score can only rise with the number of trials; where the corrected one no longer
    rises with it, further trials find luck rather than better models.

    It is recommended to use `from_search`.

    Parameters
    ----------
    n_trials : ndarray of shape (n_points,)
        The number of finished trials.
    best_score : ndarray of shape (n_points,)
        The best mean score over the folds among them.
    corrected : ndarray of shape (n_points,)
        The same without the optimism of the choice.
    low, high : ndarray of shape (n_points,)
        The ends of the interval of `corrected`.
    score_name : str, default="score"
        What the score is called.
    confidence : float, default=0.95
        Of the interval.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    best_line_, corrected_line_ : matplotlib Line2D
    band_ : matplotlib FillBetweenPolyCollection

    Notes
    -----
    Each point is what `best_score_corrected_` would be, had the search ended there. Pruned trials
    count on the horizontal axis and take no other part. Of very many rows a search keeps the
    predictions of the best candidates only: then the curves begin later, and their early part
    is too high.

    Examples
    --------
    >>> from optunasearch import OptunaSearchCV
    >>> from optunasearch.plotting import CorrectedScoreDisplay
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> space = {"max_depth": [1, 2, 3], "min_samples_leaf": [1, 5]}
    >>> tree = DecisionTreeClassifier(random_state=0)
    >>> search = OptunaSearchCV(tree, space, random_state=0).fit(X, y)
    >>> display = CorrectedScoreDisplay.from_search(search)
    >>> display.n_trials
    array([1, 2, 3, 4, 5, 6])
    """

    def __init__(
        self,
        n_trials: NDArray[np.intp],
        best_score: NDArray[np.float64],
        corrected: NDArray[np.float64],
        low: NDArray[np.float64],
        high: NDArray[np.float64],
        *,
        score_name: str = "score",
        confidence: float = 0.95,
    ) -> None:
        self.n_trials = n_trials
        self.best_score = best_score
        self.corrected = corrected
        self.low = low
        self.high = high
        self.score_name = score_name
        self.confidence = confidence

    def plot(self, *, ax: Any = None, **kwargs: Any) -> Self:
        """Draw both scores.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **kwargs : dict
            For matplotlib's ``plot``, of both curves.

        Returns
        -------
        display : CorrectedScoreDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self.ax_ = axes(self, ax)
        self.figure_ = self.ax_.figure
        best = {"color": VERMILION, "linestyle": "--", "marker": "o", "markersize": 4}
        corrected = {"color": BLUE, "linestyle": "-", "marker": "s", "markersize": 4}
        (self.best_line_,) = self.ax_.plot(
            self.n_trials,
            self.best_score,
            **line_style(best | {"label": "best score"}, kwargs),
        )
        (self.corrected_line_,) = self.ax_.plot(
            self.n_trials,
            self.corrected,
            **line_style(corrected | {"label": "corrected score"}, kwargs),
        )
        self.band_ = self.ax_.fill_between(
            self.n_trials,
            self.low,
            self.high,
            color=self.corrected_line_.get_color(),
            alpha=0.2,
            linewidth=0,
            label=f"{100 * self.confidence:g} % interval",
        )
        self.ax_.xaxis.get_major_locator().set_params(integer=True)
        self.ax_.set(xlabel="Finished trials", ylabel=f"{self.score_name}, mean of the folds")
        self.ax_.legend(loc="best")
        return self

    @classmethod
    def from_search(
        cls,
        search: Any,
        *,
        n_points: int = 20,
        n_bootstraps: int = N_BOOTSTRAPS,
        confidence: float = 0.95,
        random_state: Any = 0,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw a search's scores as they were after fewer trials.

        Parameters
        ----------
        search : OptunaSearchCV
            Fitted.
        n_points : int, default=20
            At most so many numbers of trials, in about equal ratios.
        n_bootstraps : int, default=1000
            The number of resamples of the rows.
        confidence : float, default=0.95
            Of the interval.
        random_state : int, default=0
            Seed of the resampling.
        ax, **kwargs
            As of `plot`.

        Returns
        -------
        display : CorrectedScoreDisplay

        Raises
        ------
        AttributeError
            If the score cannot be corrected; it says why.
        TypeError, ValueError
            If an argument is not as described.
        """
        check_share("confidence", confidence)
        path = score_path(
            search,
            n_points=n_points,
            n_bootstraps=n_bootstraps,
            confidence=confidence,
            random_state=random_state,
        )
        return cls(
            path.n_trials,
            path.naive,
            path.corrected,
            path.low,
            path.high,
            score_name=_score_name(search),
            confidence=confidence,
        ).plot(ax=ax, **kwargs)


def _score_name(search: Any) -> str:
    """Return what the score that chose the winner is called."""
    if isinstance(search.refit, str):
        return search.refit
    if isinstance(search.scoring, str):
        return search.scoring
    return "Score"
