"""Nets of skorch, followed from epoch to epoch.

skorch is not imported: a callback is whatever has the methods that a net calls, and a
net is known by the name of its class.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import optuna
from sklearn.base import BaseEstimator
from sklearn.metrics import check_scoring
from sklearn.pipeline import Pipeline

from optunasearch._sklearn import _MultimetricScorer
from optunasearch.execution._fold import FitStopped


def net_of(estimator: Any) -> Any:
    """Return the net that an estimator is, or that a pipeline ends with; else None."""
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    is_net = any(
        base.__name__ == "NeuralNet" and base.__module__.startswith("skorch.")
        for base in type(estimator).__mro__
    )
    return estimator if is_net else None


def explain(error: Exception, X: Any, y: Any) -> None:
    """Add a remedy to what torch says about the types of the data."""
    text = str(error)
    if not isinstance(error, RuntimeError | TypeError):
        return
    found = [getattr(array, "dtype", None) for array in (X, y)]
    if "dtype" in text or "scalar type" in text or "expected" in text.lower():
        error.add_note(
            f"X has dtype {found[0]} and y has dtype {found[1]}. Layers of torch have float32 "
            "weights, and its losses for classes need int64 labels: pass "
            "X.astype('float32') and, for a classifier, y.astype('int64'); a regressor needs y "
            "in float32, of shape (n_samples, 1) if that is the shape of its output."
        )


class _NetCallback(BaseEstimator):
    """What skorch asks of a callback."""

    def initialize(self) -> Any:
        """Start anew."""
        return self

    def _ignore(self, net: Any, *args: Any, **kwargs: Any) -> None:
        pass

    on_train_begin = on_train_end = on_epoch_begin = on_epoch_end = _ignore
    on_batch_begin = on_batch_end = on_grad_computed = _ignore


class PruningCallback(_NetCallback):
    """Report each epoch of a skorch net to a trial of Optuna, and stop where it says so.

    For objective functions of your own. `OptunaSearchCV` follows nets by itself.

    Parameters
    ----------
    trial : optuna.Trial
    monitor : str, default='valid_loss'
        Key of the net's history that is reported; unused if `X` is given. The study's
        direction must be that of the value: "minimize" for a loss.
    X, y : array-likes, default=None
        Test data to score after each epoch instead, as with ``train_split=None``.
    scoring : str or callable, default=None
        How to score `X`; None is the net's own ``score``. Higher is better.
    fold : int, default=0
        Number of the fold if the objective fits several, so that no two of them report
        the same step: the step is ``fold * max_epochs + epoch``.

    Raises
    ------
    optuna.TrialPruned
        From within ``fit``, when the study's pruner says so.
    ValueError
        If the net's history has no `monitor`.

    Examples
    --------
    >>> def objective(trial):  # doctest: +SKIP
    ...     net = NeuralNetClassifier(Net, lr=trial.suggest_float("lr", 1e-3, 1, log=True))
    ...     net.set_params(callbacks=[("pruning", PruningCallback(trial))])
    ...     return net.fit(X, y).history[-1, "valid_loss"]
    """

    def __init__(self, trial, monitor="valid_loss", X=None, y=None, scoring=None, fold=0):
        self.trial = trial
        self.monitor = monitor
        self.X = X
        self.y = y
        self.scoring = scoring
        self.fold = fold

    def on_epoch_end(self, net, *args, **kwargs):
        """Report, and ask whether to go on."""
        epoch = len(net.history)
        self.trial.report(self._value(net), self.fold * net.max_epochs + epoch)
        if self.trial.should_prune():
            raise optuna.TrialPruned(f"after epoch {epoch} of fold {self.fold}")

    def _value(self, net: Any) -> float:
        if self.X is not None:
            scorer = check_scoring(net, scoring=self.scoring)
            with _unnoticed():
                return float(scorer(net, self.X, self.y))
        if self.monitor not in net.history[-1]:
            known = sorted(key for key in net.history[-1] if key != "batches")
            raise ValueError(
                f"monitor={self.monitor!r} is not in the net's history, which has {known}. With "
                "train_split=None there is no valid_loss: pass X and y to score instead."
            )
        return float(net.history[-1, self.monitor])


class FollowedNet(_NetCallback):
    """Scores the test rows after each epoch; ends a fit that has not reached its limit.

    Attributes
    ----------
    curve : list of float
        Score after each epoch.
    """

    def __init__(self, owner, X, y, scorer, limits):
        self.owner = owner
        self.X = X
        self.y = y
        self.scorer = scorer
        self.limits = limits
        self.curve: list[float] = []
        self._transformed: Any = None

    def on_epoch_end(self, net, *args, **kwargs):
        """Score, and compare with the limit of this epoch if it has one."""
        if self._transformed is None:
            is_alone = self.owner is net
            self._transformed = self.X if is_alone else self.owner[:-1].transform(self.X)
        with _unnoticed():
            self.curve.append(float(self.scorer(net, self._transformed, self.y)))
        needed = dict(self.limits).get(len(self.curve))
        # A net that has diverged to NaN stops here too.
        if needed is not None and not self.curve[-1] >= needed:
            _remove_checkpoints(net)
            raise FitStopped


def follow_net(
    estimator: Any, X: Any, y: Any, scorer: Any, limits: tuple[tuple[int, float], ...], metric: str
) -> FollowedNet | None:
    """Put a callback into the net of an unfitted estimator; None if it has no net."""
    net = net_of(estimator)
    if net is None or net.callbacks == "disable":
        return None
    if isinstance(scorer, _MultimetricScorer):
        scorer = scorer._scorers[metric]
    followed = FollowedNet(estimator, X, y, scorer, limits)
    net.callbacks = [*(net.callbacks or []), ("optunasearch", followed)]
    return followed


@contextlib.contextmanager
def _unnoticed() -> Iterator[None]:
    """Score without moving torch's random state: a loader draws from it."""
    torch = sys.modules["torch"]
    state = torch.get_rng_state()
    try:
        yield
    finally:
        torch.set_rng_state(state)


def _remove_checkpoints(net: Any) -> None:
    """Remove the files that the checkpoints of a stopped net have written."""
    for _, callback in net.callbacks_:
        files: Callable[[Any], dict[str, Any]] | None
        files = getattr(callback, "get_formatted_files", None)
        if files is None:
            continue
        for path in files(net).values():
            if isinstance(path, str):
                with contextlib.suppress(FileNotFoundError):
                    os.remove(path)
