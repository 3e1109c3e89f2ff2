"""OptunaSearchCV: parameters, documentation, and `fit` as an outline of named steps."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import indexable

from optunasearch._callback_tree import CallbackTree
from optunasearch._observer import check_callbacks
from optunasearch._parameters import PARAMETER_CONSTRAINTS
from optunasearch._predicting import OutOfFoldPredictions, check_predictions
from optunasearch._refit import fit_best
from optunasearch._results import (
    add_best_epochs,
    add_feasibility,
    best_index,
    blank_pruned,
    count_fits,
    fold_outputs,
    only_complete,
    pareto_front,
    trials_table,
)
from optunasearch._scoring import ScoringPlan, plan_scoring, refit_metric
from optunasearch._sklearn import _check_method_params, _fit_context
from optunasearch._space import SearchSpace, make_space
from optunasearch._splits import split_once
from optunasearch._trials import TrialRun
from optunasearch.exceptions import SearchTimeoutError
from optunasearch.execution._fold import FoldContext
from optunasearch.pruning._epochs import as_epochs
from optunasearch.tracking import Tracker


class OptunaSearchCV(OutOfFoldPredictions):
    """Search for the best parameters of an estimator, driven by Optuna.

    Takes the place of :class:`~sklearn.model_selection.GridSearchCV` and
    :class:`~sklearn.model_selection.RandomizedSearchCV`. Candidates are scored by
    cross-validation on the same folds. Optuna proposes each of them from the scores
    seen so far. The best is refitted on all data, and the search then predicts as it.

    Parameters
    ----------
    estimator : estimator object
        Cloned for every fit, never fitted itself. Needs a ``score`` method unless
        `scoring` is given.
    param_distributions : dict, list of dict or callable
        The search space. A dict maps parameter names (``step__name`` for nested ones)
        to Optuna distributions, lists or arrays of any objects, or frozen scipy
        distributions. A list of dicts is a union of spaces. A callable
        ``space(trial) -> dict`` is called for each trial and calls ``trial.suggest_*``.
    n_trials : int, default=None
        Number of candidates. Failed and repeated ones count. None means all points if
        ``sampler="grid"``, otherwise 50, or fewer if a finite space is visited in full.
    timeout : float, default=None
        Seconds after which the search stops, the refit not included. Trials that are
        unfinished then are dropped. With ``n_jobs=1`` it is looked at between folds.
    scoring : str, callable, list, tuple or dict, default=None
        As in `GridSearchCV`. None uses the estimator's ``score`` method.
    n_jobs : int, default=None
        Number of folds evaluated at the same time; -1 uses all cores. Processes or
        threads are chosen by :func:`joblib.parallel_config`. See `max_pending`.
    refit : bool, str or callable, default=True
        Whether to fit the best candidate on all data. With several metrics the name of
        the one that decides. A callable gets `cv_results_` and returns `best_index_`;
        then there is no `best_score_`. With `objectives`, True means the first one.
    cv : int, cross-validation generator or iterable, default=None
        As in `GridSearchCV`; None means 5 folds. Split once for each ``fit``.
    verbose : int, default=0
        0 prints nothing, 1 a progress line, or a bar in a terminal, 2 a line for each
        trial, 3 and more what `GridSearchCV` prints for each fold.
    pre_dispatch : object, default="2*n_jobs"
        Without effect. Accepted for those who come from `GridSearchCV`.
    error_score : 'raise' or float, default=np.nan
        Score of a fold whose fit or scorer raises. There is one warning for the whole
        search. With 'raise' the error ends the search.
    return_train_score : bool, default=False
        Whether `cv_results_` has training scores.
    random_state : int, RandomState instance or None, default=None
        Seeds the sampler, not the estimator and not `cv`. A sampler instance keeps its
        own seed if this is None.
    sampler : str, optuna.samplers.BaseSampler or None, default=None
        What proposes candidates: "tpe", "random", "grid", "gp", "cmaes", "qmc", "nsga2",
        "nsga3", "bruteforce", or a sampler of Optuna, which is copied. "grid" visits
        each point once, in the order of ``ParameterGrid``. None means "grid" for a
        finite space of at most `n_trials` points, otherwise "tpe".
    pruner : 'auto', str, Race, optuna.pruners.BasePruner or None, default='auto'
        Which trials are stopped before their last fold. 'auto' is
        :class:`optunasearch.pruning.Race`, but stops nothing in a grid, with a callable
        `refit` or ``refit=False``, with ``return_train_score=True`` and with fewer than
        10 trials. A pruner of Optuna or its name ("median", "percentile", "hyperband",
        "successive_halving", "wilcoxon") sees the mean of the folds so far as the value
        of each step ("wilcoxon" the fold's own score). None runs every fold.
    epochs : {'last', 'best'} or Epochs, default='last'
        Which epoch of a net, a boosted model or a forest is scored: the last, or the one
        common to all folds at which their mean score is highest; the refit then ends
        there. :class:`optunasearch.pruning.Epochs` says more.
    calibration : 'auto', str, Calibration, object or None, default='auto'
        How ``predict_proba`` is calibrated, from the out-of-fold predictions of the best
        candidate and without a further fit. 'auto' does it for classifiers that have
        ``predict_proba``; "temperature", "vector", "sigmoid", "beta" and "isotonic" also
        for those that only have ``decision_function``. None leaves probabilities as they
        are. :class:`optunasearch.calibration.Calibration` says more. Labels stay those of
        `best_estimator_`.
    decision_threshold : dict or DecisionThreshold, default=None
        What the labels of a two-class problem have to meet, e.g.
        ``{"sensitivity": 0.95, "confidence": 0.95, "pos_label": "ill"}``: ``predict``
        then follows the threshold that shows it on the out-of-fold predictions.
        :class:`optunasearch.decision.DecisionThreshold` says more.
    initial_params : 'estimator', dict, list of dict or None, default='estimator'
        What is tried first. 'estimator' is the estimator's own values; they are skipped
        if the space does not admit all of them, is visited in full or is a callable.
        What a dict leaves open is chosen by the sampler. A grid point that was tried
        first is not visited again.
    objectives : list of str, default=None
        Several scores to optimise at once: keys of `scoring`, "sensitivity",
        "specificity", or names of scikit-learn's scorers. Sets `pareto_front_`.
    constraints : dict of str to float, default=None
        Least mean score that a candidate must reach, by the same names. Adds the
        column `feasible`. The best candidate is the best feasible one. If there is
        none, it is the one with the least violation, with an `InfeasibleWarning`.
    trial_timeout : float, default=None
        Seconds after which a trial is ended and counts as failed. It needs worker
        processes: one is used with ``n_jobs=1``, and threads are refused.
    patience : int, default=None
        Stop after this many trials in a row without improvement. With `objectives` a
        new point of the Pareto front is one.
    callbacks : list of callable, default=None
        Called as ``callback(study, trial)`` after each trial, in the order of trials.
        ``study.stop()`` ends the search: no further trial is proposed. An
        :class:`optunasearch.tracking.Tracker` hears of more. (scikit-learn's own
        callbacks are set by ``set_callbacks``.)
    reuse_duplicates : bool, default=True
        Whether a repeated candidate takes the scores of the first without a fit.
    reuse_transforms : bool, default=True
        Whether the leading steps of a `Pipeline` are fitted only once per fold as long
        as their parameters do not change. The scores are the same.
    max_pending : int, default=None
        Most trials proposed and not yet told to the sampler. None means 1 with one
        job, otherwise 1.5 times the number of jobs, or 4 times if the sampler does not
        learn from scores ("random", "qmc", "grid").

    Attributes
    ----------
    cv_results_ : dict of numpy (masked) ndarrays
        A row for each finished trial, in the format of `GridSearchCV`. If trials may be
        pruned there are also `status`, `n_splits_run` and `estimated_test_<objective>`; a
        pruned candidate has NaN for the folds that did not run and for its mean.
    best_estimator_ : estimator
        Fitted on all data with `best_params_`. Only with `refit`.
    best_score_ : float
        Mean test score of the best candidate. Not with a callable `refit`.
    best_params_ : dict
        Parameters of the best candidate.
    best_index_ : int
        Its row of `cv_results_`. With several metrics and ``refit=False`` there is no
        best candidate.
    scorer_ : callable or dict of str to callable
        The scorers in use; a dict with several metrics.
    n_splits_ : int
        Number of folds.
    refit_time_ : float
        Seconds that the refit took. Only with `refit`.
    multimetric_ : bool
        Whether there are several metrics.
    classes_ : ndarray of shape (n_classes,)
        Of `best_estimator_`, if it has them.
    n_features_in_ : int
        Of `best_estimator_`, if it has them.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Of `best_estimator_`, if it has them.
    study_ : optuna.Study
        What became of each trial. All plots of :mod:`optuna.visualization` take it.
        With one objective and `refit` not callable, its best trial is that of
        `best_index_`.
    trials_ : dict of lists and arrays
        A table of all trials, unfinished ones included: number, status, params, mean
        score of each objective, fit_seconds, duplicate_of and error.
    n_trials_ : int
        Number of finished trials, failed, pruned and repeated ones included.
    n_fits_ : int
        Number of folds that were fitted for them, stopped ones included.
    n_epochs_ : int
        Number of epochs in those of these fits that were followed inside.
    best_epoch_ : int or None
        The epoch that the scores of the best candidate are of; None for the last of
        each fit.
    oof_predictions_ : ndarray of shape (n_samples,) or (n_samples, n_classes)
        What models of the best candidate that have not seen a row say of it: probabilities,
        decision values, or a regressor's values. A mean if it was tested repeatedly, NaN
        if it never was.
    oof_counts_ : ndarray of shape (n_samples,)
        How often each row was tested.
    calibrator_ : FittedCalibrator
        Its method, parameters, size, and the log loss before and after.
    calibrated_estimator_ : CalibratedClassifier
        `best_estimator_` with calibrated ``predict_proba`` and decision threshold, to ship.
    best_threshold_ : float
        What the probability (or decision value) of the positive class has to reach. Only
        with `decision_threshold`.
    threshold_choice_ : ThresholdChoice
        What that meets out of fold, with bounds. Only with `decision_threshold`.
    decision_report_ : DecisionReport
        Sensitivity, specificity, predictive values, calibration and more for two classes,
        out of fold, with intervals. The threshold is `best_threshold_`, or 0.5.
    best_score_corrected_ : float
        `best_score_` without the optimism of having been chosen as the best.
    best_score_interval_ : tuple of float
        The 95 % confidence interval of `best_score_corrected_`.
    pareto_front_ : dict
        The feasible candidates that no other beats in every objective: `index` in
        `cv_results_`, `params` and the mean scores. Only with `objectives`.

    See Also
    --------
    sklearn.model_selection.GridSearchCV : Visits every point of a grid.
    sklearn.model_selection.RandomizedSearchCV : Draws points at random.
    optunasearch.tracking.Tracker : Follows a search.

    Notes
    -----
    The metric that `refit` names is optimised. If `refit` is a callable or False it is
    the first metric. The study always maximises in scikit-learn's sign. A loss is thus
    negative in `study_` and in its plots: the search with
    ``scoring="neg_mean_squared_error"`` maximises a number below 0.

    When trial t is proposed, exactly the trials up to t − `max_pending` have been told
    to the sampler. So a seeded search does not depend on timing or on the number of
    jobs, as long as `max_pending` is the same. Without it, the result of ``n_jobs=-1``
    depends on the number of cores of the machine.

    Ctrl-C raises `KeyboardInterrupt`. Before that, as before the error of a callback,
    `cv_results_`, `best_params_`, `study_` and `trials_` are set from what has finished.

    Differences from `GridSearchCV`: `calibration` and, in a space that is not visited in
    full, `pruner` and `initial_params`; repeated candidates and unchanged leading steps are
    not fitted again; an infinite mean is never the best as long as another is finite.

    References
    ----------
    .. [1] T. Akiba, S. Sano, T. Yanase, T. Ohta, M. Koyama, "Optuna: A Next-generation
       Hyperparameter Optimization Framework", KDD 2019.
    .. [2] J. Bergstra, R. Bardenet, Y. Bengio, B. Kégl, "Algorithms for
       Hyper-Parameter Optimization", NeurIPS 2011 (the "tpe" sampler).

    Examples
    --------
    >>> from optuna.distributions import FloatDistribution
    >>> from optunasearch import OptunaSearchCV
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.svm import SVC
    >>> X, y = load_iris(return_X_y=True)
    >>> space = {"C": FloatDistribution(0.01, 100, log=True), "kernel": ["linear", "rbf"]}
    >>> search = OptunaSearchCV(SVC(), space, n_trials=15, random_state=0).fit(X, y)
    >>> bool(search.best_score_ > 0.97)
    True
    >>> search.predict(X[:2])
    array([0, 0])

    A small grid is visited in full, as `GridSearchCV` does:

    >>> search = OptunaSearchCV(SVC(), {"C": [0.1, 1, 10]}).fit(X, y)
    >>> search.cv_results_["params"]
    [{'C': 0.1}, {'C': 1}, {'C': 10}]
    """

    _parameter_constraints = PARAMETER_CONSTRAINTS

    def __init__(
        self,
        estimator,
        param_distributions,
        *,
        n_trials=None,
        timeout=None,
        scoring=None,
        n_jobs=None,
        refit=True,
        cv=None,
        verbose=0,
        pre_dispatch="2*n_jobs",
        error_score=np.nan,
        return_train_score=False,
        random_state=None,
        sampler=None,
        pruner="auto",
        epochs="last",
        calibration="auto",
        decision_threshold=None,
        initial_params="estimator",
        objectives=None,
        constraints=None,
        trial_timeout=None,
        patience=None,
        callbacks=None,
        reuse_duplicates=True,
        reuse_transforms=True,
        max_pending=None,
    ):
        super().__init__(
            estimator=estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.param_distributions = param_distributions
        self.n_trials = n_trials
        self.timeout = timeout
        self.random_state = random_state
        self.sampler = sampler
        self.pruner = pruner
        self.epochs = epochs
        self.calibration = calibration
        self.decision_threshold = decision_threshold
        self.initial_params = initial_params
        self.objectives = objectives
        self.constraints = constraints
        self.trial_timeout = trial_timeout
        self.patience = patience
        self.callbacks = callbacks
        self.reuse_duplicates = reuse_duplicates
        self.reuse_transforms = reuse_transforms
        self.max_pending = max_pending

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, **params):
        """Search for the best parameters and refit the estimator with them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, n_samples)
            Training data; for a precomputed kernel or distance matrix the second
            shape. Lists, sparse matrices, DataFrames and n-d arrays are handed on
            to the estimator as they are.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Target; None for unsupervised learning.
        **params : dict of str -> object
            Parameters passed to the ``fit`` of the estimator, to the scorer and to
            the splitter, as in :class:`~sklearn.model_selection.GridSearchCV`:
            `sample_weight` and other array-likes of length `n_samples` are split
            with the data, `groups` goes to the splitter.

        Returns
        -------
        self : OptunaSearchCV
            The fitted search.

        Raises
        ------
        ValueError, TypeError
            For wrong arguments, before the first fit; if all fits failed.
        SearchTimeoutError
            If `timeout` passed before any trial had finished.
        KeyboardInterrupt
            On Ctrl-C, after the results of the finished trials have been stored.
        """
        plan = plan_scoring(self)
        check_callbacks(self.callbacks)
        X, y = indexable(X, y)
        check_predictions(self, y)
        params = _check_method_params(X, params=params)
        routed = self._get_routed_params_for_fit(params)
        tree = CallbackTree(self, X, y, params)
        self._checked_cv_orig, splits = split_once(self, X, y, routed.splitter.split)
        self.n_splits_ = len(splits)
        space = make_space(self.param_distributions, self.estimator)
        context = FoldContext(
            clone(self.estimator),
            X,
            y,
            splits,
            plan.scorer,
            space,
            fit_params=routed.estimator.fit,
            score_params=routed.scorer.score,
            return_train_score=self.return_train_score,
            error_score=self.error_score,
            caller=self if tree.is_active else None,
        )
        run = TrialRun(self, context, plan, tree, groups=routed.splitter.split.get("groups"))
        self._forget_results()
        self.study_ = run.study
        try:
            self._notify("on_search_start", run.start_event)
            self._search(run, space, plan)
            self._refit(run, context, tree)
            self._choose_threshold()
        except BaseException as error:
            self._notify("on_failure", error)
            raise
        finally:
            run.predictions.close()
            self._notify("on_search_end", self)
        tree.end()
        return self

    def _get_scorers(self):
        """Return scorers and refit metric (used for metadata routing)."""
        plan = plan_scoring(self)
        return plan.scorer, refit_metric(self, plan)

    def _search(self, run: TrialRun, space: SearchSpace, plan: ScoringPlan) -> None:
        """Run the trials and store what came out."""
        try:
            run.run()
        except BaseException:  # Ctrl-C, a callback that raises, error_score="raise"
            with suppress(Exception):  # nothing may hide it
                self._store(run, space, plan)
            raise
        self._store(run, space, plan)

    def _store(self, run: TrialRun, space: SearchSpace, plan: ScoringPlan) -> None:
        """Turn the records into the fitted attributes, up to `best_params_`."""
        records = run.records
        self.trials_ = trials_table(records, space, plan)
        finished = run.finished
        self.n_trials_ = len(finished)
        self.n_fits_, self.n_epochs_ = count_fits(finished)
        if not finished:
            raise SearchTimeoutError(
                f"timeout={self.timeout} s passed before any of the {len(records)} started "
                "trials had finished; give it more time, fewer folds or less data."
            )
        outputs = fold_outputs(self, finished)
        results = self._format_results(
            [space.decode(record.point) for record in finished], self.n_splits_, outputs
        )
        if run.may_prune:
            blank_pruned(results, finished, plan.known_objectives)
        if as_epochs(self.epochs).keep == "best":
            add_best_epochs(results, finished)
        self.scorer_ = plan.public_scorer
        self.multimetric_ = isinstance(plan.public_scorer, dict)
        metric = refit_metric(self, plan)
        first_scores = outputs[0]["test_scores"]
        is_extended = bool(self.objectives or self.constraints)
        if callable(self.scoring) and not is_extended and isinstance(first_scores, dict):
            self.multimetric_ = True
            self._check_refit_for_multimetric(first_scores)
            metric = self.refit
        violations = None
        if plan.constraints:
            violations = add_feasibility(results, plan.constraints)
        if self.objectives:
            self.pareto_front_ = pareto_front(results, self.objectives, violations)
        self.cv_results_ = results
        if not self.refit and self.multimetric_:
            return
        if callable(self.refit):
            rows, complete = only_complete(results, finished)
            self.best_index_ = rows[self._select_best_index(self.refit, metric, complete)]
        else:
            self.best_index_ = best_index(results, metric, violations)
            self.best_score_ = results[f"mean_test_{metric}"][self.best_index_]
        self.best_params_ = results["params"][self.best_index_]
        self.best_epoch_ = finished[self.best_index_].best_epoch
        best_score = getattr(self, "best_score_", np.nan)
        self._oof_results = run.out_of_fold_results(self.best_index_, metric, best_score)

    def _refit(self, run: TrialRun, context: FoldContext, tree: CallbackTree) -> None:
        """Fit the estimator with the best parameters on all data."""
        if not self.refit:
            return
        start = time.time()
        estimator = run.ensemble(self.best_index_)
        if estimator is None:
            estimator = fit_best(context, tree, self.best_params_, self.best_epoch_)
        self.refit_time_ = time.time() - start
        self.best_estimator_ = estimator
        if hasattr(estimator, "feature_names_in_"):
            self.feature_names_in_ = estimator.feature_names_in_
        self._notify("on_refit_end", self)

    def _notify(self, event: str, argument: Any) -> None:
        for callback in self.callbacks or ():
            if isinstance(callback, Tracker):
                getattr(callback, event)(argument)

    def _forget_results(self) -> None:
        """Drop what an earlier fit left, so that an interrupted one does not mix."""
        kept = {"n_splits_"}
        for name in [n for n in vars(self) if n.endswith("_") and not n.startswith("_")]:
            if name not in kept:
                delattr(self, name)
        self._oof_results = None

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "best_estimator_" if self.refit else "cv_results_")
