"""LightGBM, XGBoost and CatBoost, followed from iteration to iteration.

None of them is imported: a model is known by the names of its classes. LightGBM and
XGBoost call back after each iteration. CatBoost's callbacks see no model, so it is
fitted in steps that resume from a snapshot; with `learning_rate` given the result is that
of one fit (otherwise CatBoost derives it from the number of iterations).
"""

from __future__ import annotations

import copy
import os
import sys
import tempfile
from collections.abc import Callable, Set
from typing import Any

from sklearn.base import clone

from optunasearch.pruning._iterative import Steps, plain_fit, replace_fit
from optunasearch.pruning._watch import Watch

# Other names of `n_estimators`, which LightGBM prefers where they are given.
_LIGHTGBM_ITERATIONS = (
    *("num_iterations", "num_iteration", "n_iter", "num_tree", "num_trees", "num_round"),
    *("num_rounds", "nrounds", "num_boost_round", "max_iter"),
)
_CATBOOST_ITERATIONS = ("iterations", "n_estimators", "num_boost_round", "num_trees")


class LightGBM:
    """LGBMClassifier, LGBMRegressor: a callback of ``fit``."""

    def n_epochs(self, model: Any) -> int:
        return int(getattr(model, self._name(model)))

    def end_at(self, model: Any, epoch: int) -> None:
        model.set_params(**{self._name(model): epoch})

    def _name(self, model: Any) -> str:
        given = model.get_params()
        return next((name for name in _LIGHTGBM_ITERATIONS if name in given), "n_estimators")

    def attach(self, model: Any, watch: Watch) -> Callable[[], None]:
        def fit(model: Any, *args: Any, callbacks: Any = None, **params: Any) -> Any:
            def see(env: Any) -> None:
                watch.see(env.iteration + 1, _with_booster(model, env.model))

            return plain_fit(model, *args, callbacks=[*(callbacks or ()), see], **params)

        return replace_fit(model, fit)


def _with_booster(model: Any, booster: Any) -> Any:
    """Return the LightGBM model as it would be if its fit ended with this booster."""
    so_far = copy.copy(model)
    so_far._Booster, so_far.fitted_ = booster, True
    so_far._n_features = booster.num_feature()
    return so_far


class XGBoost:
    """XGBClassifier, XGBRegressor: a callback in its parameters."""

    def n_epochs(self, model: Any) -> int:
        return int(model.get_num_boosting_rounds())

    def end_at(self, model: Any, epoch: int) -> None:
        model.set_params(n_estimators=epoch)

    def attach(self, model: Any, watch: Watch) -> Callable[[], None]:
        class See(sys.modules["xgboost"].callback.TrainingCallback):  # type: ignore[misc]
            def after_iteration(self, booster: Any, epoch: int, log: Any) -> bool:
                so_far = copy.copy(model)
                so_far.get_booster = lambda: booster
                watch.see(epoch + 1, so_far)
                return False

        before = model.callbacks
        model.callbacks = [*(before or ()), See()]

        def detach() -> None:
            model.callbacks = before

        return detach


class CatBoost:
    """CatBoostClassifier, CatBoostRegressor: a snapshot to go on from."""

    def n_epochs(self, model: Any) -> int:
        return int(model.get_params().get(self._name(model), 1000))

    def end_at(self, model: Any, epoch: int) -> None:
        model.set_params(**{self._name(model): epoch})

    def _name(self, model: Any) -> str:
        given = model.get_params()
        return next((name for name in _CATBOOST_ITERATIONS if name in given), "iterations")

    def attach(self, model: Any, watch: Watch) -> Callable[[], None]:
        def fit(model: Any, *args: Any, **params: Any) -> Any:
            n_epochs = self.n_epochs(model)
            with tempfile.TemporaryDirectory(prefix="optunasearch-") as folder:
                params = {
                    **params,
                    "save_snapshot": True,
                    "snapshot_file": os.path.join(folder, "snapshot"),
                    "snapshot_interval": 10**6,  # seconds; it is also written at the end
                }
                for epoch in watch.due_epochs(n_epochs):
                    so_far = clone(model).set_params(allow_writing_files=True, train_dir=folder)
                    self.end_at(so_far, epoch)
                    so_far.fit(*args, **params)
                    watch.see(epoch, so_far)
                model.set_params(allow_writing_files=True, train_dir=folder)
                plain_fit(model, *args, **params)
            watch.see(n_epochs, model)
            return model

        return replace_fit(model, fit)


def booster_steps(model: Any, searched: Set[str]) -> Steps | None:
    """Return how a model of these packages is followed, None if it is not one."""
    names = {(base.__module__.split(".")[0], base.__name__) for base in type(model).__mro__}
    if ("lightgbm", "LGBMModel") in names:
        return LightGBM()
    if ("xgboost", "XGBModel") in names and not any("XGBRF" in name for _, name in names):
        return XGBoost()
    if ("catboost", "CatBoost") in names and not model.is_fitted():
        given = {*model.get_params(), *searched}
        stops = any(name in given for name in ("early_stopping_rounds", "od_type", "od_wait"))
        return CatBoost() if "learning_rate" in given and not stops else None
    return None
