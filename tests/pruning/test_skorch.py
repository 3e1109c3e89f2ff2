"""Nets of skorch, stopped between epochs."""

import optuna
import pytest

pytest.importorskip("skorch", reason="needs the extra 'torch'")

import numpy as np
import torch
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState
from sklearn.datasets import load_diabetes, load_digits
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier, NeuralNetRegressor
from skorch.callbacks import Checkpoint, EarlyStopping, EpochScoring, LRScheduler
from skorch.dataset import ValidSplit

from optunasearch import OptunaSearchCV
from optunasearch.pruning import Epochs, PruningCallback, Race

X, Y = load_digits(n_class=4, return_X_y=True)
X = (X / 16).astype(np.float32)
N_EPOCHS = 9


class Layers(torch.nn.Module):
    """One hidden layer with dropout."""

    def __init__(self, n_inputs=64, n_outputs=4, n_hidden=12, dropout=0.1, squeeze=False):
        super().__init__()
        torch.manual_seed(0)  # the same start for every fit
        self.squeeze = squeeze
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(n_inputs, n_hidden),
            torch.nn.ReLU(),
            torch.nn.Dropout(dropout),
            torch.nn.Linear(n_hidden, n_outputs),
        )

    def forward(self, X):
        out = self.layers(X)
        return out.squeeze(-1) if self.squeeze else out


def a_net(kind=NeuralNetClassifier, **kwargs):
    if kind is NeuralNetClassifier:
        kwargs.setdefault("criterion", torch.nn.CrossEntropyLoss)
    plain = dict(max_epochs=N_EPOCHS, batch_size=64, train_split=None, verbose=0)
    return kind(Layers, **{**plain, **kwargs})


LR = {"lr": FloatDistribution(1e-4, 1.0, log=True)}


def a_search(net=None, space=LR, **kwargs):
    plain = dict(n_trials=15, cv=3, sampler="random", random_state=0)
    return OptunaSearchCV(net or a_net(), space, **{**plain, **kwargs})


def n_epochs(search):
    return sum(len(t.intermediate_values) for t in search.study_.trials)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Let torch use one thread: layers this small spend more on sharing than on work."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture(scope="module")
def fitted():
    return a_search().fit(X, Y)


def test_fits_are_stopped_and_the_winner_is_that_of_a_full_search(fitted):
    full = a_search(pruner=None).fit(X, Y)
    assert fitted.best_params_ == full.best_params_
    assert fitted.best_score_ == full.best_score_
    assert n_epochs(fitted) < 0.6 * 15 * 3 * N_EPOCHS


def test_a_stopped_fold_has_no_score(fitted):
    results = fitted.cv_results_
    stopped = (results["status"] == "pruned") & (results["n_splits_run"] == 0)
    assert stopped.any()
    for name in ("split0_test_score", "mean_test_score"):
        assert np.isnan(results[name][stopped]).all()
    assert np.isfinite(results["estimated_test_score"][stopped]).all()
    assert (results["mean_fit_time"][stopped] > 0).all()
    assert np.isfinite(results["mean_test_score"][results["status"] == "complete"]).all()


def test_curves_are_intermediate_values_without_a_step_twice(fitted):
    for trial, n_run in zip(fitted.study_.trials, fitted.trials_["n_splits_run"], strict=True):
        steps = list(trial.intermediate_values)
        if trial.state == TrialState.COMPLETE:
            assert steps == list(range(1, 3 * N_EPOCHS + 1))
            # The CV score is at the last epoch.
            ends = [trial.intermediate_values[N_EPOCHS * (fold + 1)] for fold in range(3)]
            assert np.mean(ends) == pytest.approx(trial.value)
        elif n_run == 0:
            # At a share of its epochs: 1/9, 1/3 or 2/3 of nine.
            assert steps == list(range(1, len(steps) + 1))
            assert len(steps) in (1, 3, 6)


def test_the_fit_is_what_it_would_be_without_us():
    """Dropout and shuffling draw from torch's global state; scoring must not."""
    kwargs = dict(iterator_train__shuffle=True)
    net = a_net(**kwargs)
    raced = a_search(net, n_trials=10, pruner=Race(risk=1e-9)).fit(X, Y)
    full = a_search(net, n_trials=10, pruner=None).fit(X, Y)
    complete = raced.cv_results_["status"] == "complete"
    assert complete.sum() > 1
    for fold in range(3):
        name = f"split{fold}_test_score"
        np.testing.assert_array_equal(
            raced.cv_results_[name][complete], full.cv_results_[name][complete]
        )
    assert [name for name, _ in raced.best_estimator_.callbacks_] == [
        name for name, _ in full.best_estimator_.callbacks_
    ]


def test_workers_stop_the_same_fits():
    one = a_search(max_pending=3).fit(X, Y)
    two = a_search(max_pending=3, n_jobs=2).fit(X, Y)
    for name in ("n_splits_run", "mean_test_score", "estimated_test_score"):
        np.testing.assert_array_equal(one.cv_results_[name], two.cv_results_[name])


def test_a_pipeline_that_ends_with_a_net():
    pipeline = make_pipeline(StandardScaler(), a_net())
    search = a_search(pipeline, {"neuralnetclassifier__lr": LR["lr"]}).fit(X, Y)
    assert 0 in search.cv_results_["n_splits_run"]


def test_no_fit_is_stopped_if_not_wanted():
    search = a_search(pruner=Race(inside_fits=False)).fit(X, Y)
    assert search.cv_results_["n_splits_run"].min() == 1


@pytest.mark.parametrize("kind", [NeuralNetBinaryClassifier, NeuralNetRegressor])
def test_the_other_nets(kind):
    if kind is NeuralNetRegressor:
        X_used, y = load_diabetes(return_X_y=True)
        X_used = X_used.astype(np.float32)
        y = ((y - y.mean()) / y.std()).astype(np.float32)[:, None]
        net = a_net(kind, module__n_inputs=10, module__n_outputs=1)
    else:
        X_used, y = X[Y < 2], Y[Y < 2].astype(np.float32)
        net = a_net(kind, module__n_outputs=1, module__squeeze=True)
    search = a_search(net).fit(X_used, y)
    assert 0 in search.cv_results_["n_splits_run"]
    assert search.predict(X_used).shape[0] == len(y)


def test_callbacks_of_the_user_stay():
    callbacks = [
        ("stopping", EarlyStopping(monitor="train_loss", patience=3, threshold=10.0)),
        ("rate", LRScheduler(step_size=2, policy="StepLR")),
    ]
    net = a_net(callbacks=callbacks, max_epochs=30)
    search = a_search(net).fit(X, Y)
    lengths = [len(t.intermediate_values) for t in search.study_.trials]
    assert max(lengths) < 3 * 30  # stopped early
    names = [name for name, _ in search.best_estimator_.callbacks_]
    assert {"stopping", "rate"} <= set(names)
    assert "optunasearch" not in names


def test_checkpoints_of_a_stopped_fit_are_removed(tmp_path):
    files = dict(monitor=None, f_optimizer=None, f_history=None, f_criterion=None, fn_prefix="a-")
    search = a_search(
        a_net(callbacks=[("keep", Checkpoint(dirname=str(tmp_path), **files))]),
        n_trials=12,
        refit=False,
        pruner=Race(metric="score"),
    )
    seen = []

    def look(study, trial):
        if trial.state == TrialState.PRUNED and trial.user_attrs["n_splits_run"] == 0:
            seen.append(list(tmp_path.iterdir()))

    search.set_params(callbacks=[look]).fit(X, Y)
    assert seen
    assert all(left == [] for left in seen)


@pytest.mark.parametrize(("X_given", "y_given"), [(X.astype(float), Y), (X, Y.astype(np.int32))])
def test_wrong_types_get_the_remedy(X_given, y_given):
    search = a_search(n_trials=2, n_jobs=1)
    with pytest.raises(ValueError, match=r"X.astype\('float32'\).*y.astype\('int64'\)"):
        search.fit(X_given, y_given)


def fit_by_hand(trial, **kwargs):
    net = a_net(lr=trial.suggest_float("lr", 1e-4, 1.0, log=True), **kwargs.pop("net", {}))
    for fold in range(2):
        callback = PruningCallback(trial, fold=fold, **kwargs)
        net.set_params(callbacks=[("pruning", callback)]).fit(X[fold::2], Y[fold::2])
    return net.score(X, Y)


def test_by_hand_in_an_objective():
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.RandomSampler(seed=0),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=3),
    )
    study.optimize(lambda trial: fit_by_hand(trial, X=X[::5], y=Y[::5]), n_trials=12)
    states = {t.state for t in study.trials}
    assert states == {TrialState.COMPLETE, TrialState.PRUNED}
    complete = next(t for t in study.trials if t.state == TrialState.COMPLETE)
    assert list(complete.intermediate_values) == list(range(1, 2 * N_EPOCHS + 1))


def test_by_hand_on_a_key_of_the_history():
    study = optuna.create_study(pruner=optuna.pruners.NopPruner())
    trial = study.ask()
    fit_by_hand(trial, monitor="train_loss")
    values = study.trials[0].intermediate_values
    assert len(values) == 2 * N_EPOCHS
    with pytest.raises(
        ValueError, match=r"monitor='valid_loss' is not in the net's history.*X and"
    ):
        fit_by_hand(study.ask())


def values_of(trial, fold=0):
    """Return the curve of a fold from the intermediate values of a complete trial."""
    return list(trial.intermediate_values.values())[fold * N_EPOCHS : (fold + 1) * N_EPOCHS]


def test_the_best_common_epoch():
    search = a_search(epochs="best", pruner=None, n_trials=6).fit(X, Y)
    full = a_search(pruner=None, n_trials=6).fit(X, Y)
    assert (search.cv_results_["mean_test_score"] >= full.cv_results_["mean_test_score"]).all()
    for trial, epoch in zip(search.study_.trials, search.cv_results_["best_epoch"], strict=True):
        means = np.mean([values_of(trial, fold) for fold in range(3)], axis=0)
        assert epoch == 1 + np.argmax(means)
        assert trial.value == pytest.approx(means[epoch - 1])
    assert len(search.best_estimator_.history) == search.best_epoch_
    assert search.best_estimator_.max_epochs == search.best_epoch_


def test_a_key_of_the_history_is_followed():
    """Losses fall, so their curves are negated; scores of folds stay those of the metric."""
    net = a_net(train_split=ValidSplit(4))
    search = a_search(net, epochs=Epochs(monitor="valid_loss")).fit(X, Y)
    full = a_search(net, pruner=None).fit(X, Y)
    complete = search.cv_results_["status"] == "complete"
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"][complete],
        full.cv_results_["mean_test_score"][complete],
    )
    assert 0 in search.cv_results_["n_splits_run"]
    assert all(value < 0 for value in values_of(search.study_.trials[0]))
    estimates = search.cv_results_["estimated_test_score"][~complete]
    assert ((estimates >= 0) & (estimates < search.best_score_)).all()  # an accuracy, no loss


def test_a_scoring_callback_of_the_user_is_followed():
    net = a_net(
        train_split=ValidSplit(4),
        callbacks=[("auc", EpochScoring("roc_auc_ovr", lower_is_better=False, name="auc"))],
    )
    search = a_search(net, epochs=Epochs(monitor="auc"), n_trials=3, pruner=None).fit(X, Y)
    assert all(0 <= value <= 1 for value in values_of(search.study_.trials[0]))


def test_a_key_that_is_not_there():
    search = a_search(epochs=Epochs(monitor="valid_loss"))
    with pytest.raises(ValueError, match="but the net has train_split=None"):
        search.fit(X, Y)
    search = a_search(epochs=Epochs(monitor="f1"), error_score="raise")
    with pytest.raises(ValueError, match="monitor='f1' is not in the net's history, which has"):
        search.fit(X, Y)


def test_every_n_epochs():
    search = a_search(epochs=Epochs(every=4), pruner=None, n_trials=1).fit(X, Y)
    assert list(search.study_.trials[0].intermediate_values)[:3] == [4, 8, 9]


def test_an_inner_split():
    epochs = Epochs(keep="best", validation_fraction=0.2)
    search = a_search(epochs=epochs, pruner=None, n_trials=2).fit(X, Y)
    trial = search.study_.trials[0]
    # The curve is on the inner rows, the score on the test rows.
    means = np.mean([values_of(trial, fold) for fold in range(3)], axis=0)
    assert search.cv_results_["best_epoch"][0] == 1 + np.argmax(means)
    assert trial.value != pytest.approx(means.max())


def test_a_net_within_nested_pipelines():
    pipeline = make_pipeline(StandardScaler(), make_pipeline(PCA(10), a_net(module__n_inputs=10)))
    search = a_search(pipeline, {"pipeline__neuralnetclassifier__lr": LR["lr"]}).fit(X, Y)
    assert 0 in search.cv_results_["n_splits_run"]
