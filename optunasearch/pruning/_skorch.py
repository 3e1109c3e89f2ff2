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

from optunasearch.execution._fold import FitStopped
from optunasearch.pruning._epochs import Epochs
from optunasearch.pruning._watch import Watch


def is_net(model: Any) -> bool:
    """Whether a model is a net of skorch."""
    return any(
        base.__name__ == "NeuralNet" and base.__module__.startswith("skorch.")
        for base in type(model).__mro__
    )


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
        return _from_history(net, self.monitor)


class _EpochCallback(_NetCallback):
    """Tells a watch of the epochs of a net."""

    def __init__(self, watch, monitor):
        self.watch = watch
        self.monitor = monitor

    def on_epoch_end(self, net, *args, **kwargs):
        """Let the watch score the net, or give it the monitored value."""
        value = None if self.monitor is None else monitored(net, self.monitor)
        try:
            with _unnoticed():
                self.watch.see(len(net.history), net, value)
        except FitStopped:
            _remove_checkpoints(net)
            raise


class NetSteps:
    """Nets of skorch: a callback of ours behind those of the user."""

    def __init__(self, monitor: str | None) -> None:
        self._monitor = monitor

    def n_epochs(self, model: Any) -> int:
        return int(model.max_epochs)

    def end_at(self, model: Any, epoch: int) -> None:
        model.set_params(max_epochs=epoch)

    def attach(self, model: Any, watch: Watch) -> Callable[[], None]:
        before = model.callbacks
        callback = _EpochCallback(watch, self._monitor)
        model.callbacks = [*(before or []), ("optunasearch", callback)]

        def detach() -> None:
            model.callbacks = before
            fitted = getattr(model, "callbacks_", [])
            model.callbacks_ = [entry for entry in fitted if entry[1] is not callback]

        return detach


def net_steps(model: Any, epochs: Epochs) -> NetSteps | None:
    """Return how a net is followed, None if the model is no net or takes no callbacks."""
    if not is_net(model) or model.callbacks == "disable":
        return None
    return NetSteps(epochs.monitor)


def monitored(net: Any, key: str) -> float:
    """Return the last value of a key of the net's history; higher is better.

    Raises
    ------
    ValueError
        If the history has no such key.
    """
    value = _from_history(net, key)
    scorers = {getattr(c, "name_", None): c for _, c in net.callbacks_}
    lower = getattr(scorers.get(key), "lower_is_better", key.endswith("loss"))
    return -value if lower else value


def _from_history(net: Any, key: str) -> float:
    if key not in net.history[-1]:
        known = sorted(key for key in net.history[-1] if key != "batches")
        raise ValueError(
            f"monitor={key!r} is not in the net's history, which has {known}. With "
            "train_split=None there is no valid_loss: score rows instead (without monitor, "
            "or with X and y in a PruningCallback), or give the net a train_split."
        )
    return float(net.history[-1, key])


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
