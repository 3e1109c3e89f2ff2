"""The trials of one fit: what a search's parameters come to, set up and run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from optuna.samplers import BaseSampler
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state

from optunasearch._callback_tree import CallbackTree
from optunasearch._ledger import Ledger
from optunasearch._observer import SearchObserver
from optunasearch._optuna import SearchStudy
from optunasearch._out_of_fold import OutOfFold, make_recorder
from optunasearch._out_of_fold_results import OutOfFoldResults
from optunasearch._prediction_store import PredictionStore
from optunasearch._progress import Progress
from optunasearch._refit import check_refit
from optunasearch._samplers import (
    DEFAULT_N_TRIALS,
    GridProposer,
    SamplerProposer,
    default_lag,
    initial_points,
    is_enumerated,
    make_sampler,
)
from optunasearch._scoring import ScoringPlan
from optunasearch._sklearn import _num_samples
from optunasearch.calibration._ensemble import FoldEnsemble
from optunasearch.calibration._options import as_calibration
from optunasearch.exceptions import OptunaSearchError
from optunasearch.execution._context_file import SearchFolder
from optunasearch.execution._driver import Driver, Limits
from optunasearch.execution._executors import choose_backend, make_executor
from optunasearch.execution._fold import FoldContext, error_scores
from optunasearch.execution._gpus import count_gpus
from optunasearch.execution._predictions import load_models
from optunasearch.execution._records import FoldResult, TrialRecord
from optunasearch.execution._reuse import TransformReuse
from optunasearch.execution._schedule import Schedule
from optunasearch.pruning._choice import PrunedSearch, Pruning, choose_pruning
from optunasearch.pruning._epochs import as_epochs
from optunasearch.pruning._following import last_model
from optunasearch.pruning._skorch import explain, is_net
from optunasearch.tracking import SearchEvent


class TrialRun:
    """The trials of one fit, ready to run.

    Parameters
    ----------
    search : OptunaSearchCV
        Its parameters are read, nothing is set.
    context : FoldContext
    plan : ScoringPlan
    tree : CallbackTree
    groups : array-like of shape (n_samples,) or None
        What the splitter was given.

    Attributes
    ----------
    study : SearchStudy
        The public study.
    records : list of TrialRecord
        By number; all trials that were asked, finished or not.
    predictions : PredictionStore
        What complete trials have predicted; to be closed.
    """

    def __init__(
        self,
        search: Any,
        context: FoldContext,
        plan: ScoringPlan,
        tree: CallbackTree,
        *,
        groups: Any,
    ) -> None:
        self._search = search
        self._context = context
        self._plan = plan
        self._tree = tree
        self._groups = groups
        self._n_splits = len(context.splits)
        names = context.space.parameter_names()
        check_refit(search.refit, names, plan.known_scores, self._n_splits)
        self._enumerated = is_enumerated(search.sampler, context.space, search.n_trials)
        self._n_trials = self._budget()
        self._pruning = self._choose_pruning()
        context.following = self._pruning.following
        n_jobs, (model, _) = search.n_jobs, last_model(context.estimator)
        if is_net(model):
            context.explain = explain
            context.n_gpus = count_gpus(model.device)
            if context.n_gpus and n_jobs is not None and n_jobs < 0:
                n_jobs = context.n_gpus  # "all" of what the fits wait for
        self._backend = choose_backend(n_jobs, search.trial_timeout)
        lag = default_lag(self._backend.n_jobs, search.sampler, enumerated=self._enumerated)
        self._schedule = Schedule(
            self._proposer(),
            n_trials=self._n_trials,
            n_splits=self._n_splits,
            lag=search.max_pending or lag,
            reuse_duplicates=search.reuse_duplicates,
            failed_fold=self._failed_fold,
            rule=self._pruning.rule,
        )
        self._ledger = Ledger(context.space, plan, plan.known_objectives)
        if not context.config["array_api_dispatch"]:
            context.recorder = make_recorder(search, plan.scorer, context.y)
        best_wins = not (callable(search.refit) or search.objectives or search.constraints)
        self.predictions = PredictionStore(self._score_of, best_wins=best_wins)
        calibration = as_calibration(search.calibration)
        if calibration is not None and calibration.ensemble:
            context.models_folder = self.predictions.folder

    @property
    def study(self) -> SearchStudy:
        """The public study."""
        return self._ledger.study

    @property
    def records(self) -> list[TrialRecord]:
        """All trials that were asked."""
        return self._schedule.records

    @property
    def start_event(self) -> SearchEvent:
        """What trackers are told at the start."""
        return SearchEvent(
            self._search, self.study, self._n_trials, self._n_splits, self._plan.objectives
        )

    @property
    def may_prune(self) -> bool:
        """Whether trials may be stopped before their last fold."""
        return self._pruning.rule is not None

    def run(self) -> None:
        """Evaluate the trials; on Ctrl-C pass on what has finished, then raise."""
        search = self._search
        # A thread of this process would train on a GPU that is a worker's.
        spread = self._context.n_gpus > 0 and self._backend.n_jobs > 1
        isolate = search.trial_timeout is not None or spread
        progress = Progress(search.verbose, self._n_trials, self._n_splits, self._context.space)
        progress.note(self._pruning.note)
        with (
            self._reusing_transforms(),
            self._tree.searching(self._n_trials, self._n_splits, is_open=self.may_prune),
        ):
            executor = make_executor(self._context, self._backend, isolate=isolate)
            driver = Driver(
                self._schedule,
                executor,
                self._observer(progress),
                Limits(search.timeout, search.trial_timeout),
                single_folds=self._tree.is_active,
            )
            is_complete = False
            try:
                driver.run()
                is_complete = not driver.timed_out
            except KeyboardInterrupt:
                executor.close(abort=True)
                driver.tell_what_finished()
                raise
            finally:
                progress.close()
                executor.close(abort=not is_complete)
            driver.tell_what_finished()
            progress.summarise(self.records)

    def out_of_fold_results(
        self, winner: int, metric: Any, best_score: float
    ) -> OutOfFoldResults | None:
        """Return what follows from the predictions of trials, given the winner's row."""
        context, search = self._context, self._search
        if context.recorder is None:
            return None
        rows = {record.number: row for row, record in enumerate(self.finished)}
        scorer = self._plan.public_scorer
        if isinstance(scorer, dict):
            scorer = scorer.get(metric)  # None if a callable `refit` chose
        y, weights = np.array(context.y), context.fit_params.get("sample_weight")
        return OutOfFoldResults(
            OutOfFold(
                y=y if context.recorder.classes is None else y.ravel(),
                classes=context.recorder.classes,
                tests=[np.arange(_num_samples(context.X))[test] for _, test in context.splits],
                candidates={rows[n]: folds for n, folds in self.predictions.best().items()},
                winner=self.predictions.of(self.finished[winner].number),
                groups=None if self._groups is None else np.asarray(self._groups),
                sample_weight=None if weights is None else np.asarray(weights, dtype=float),
                score_params=context.score_params,
                problem=self.predictions.problem,
            ),
            calibration=search.calibration,
            requirement=search.decision_threshold,
            scorer=None if callable(search.refit) else scorer,
            best_score=best_score,
        )

    def ensemble(self, winner: int) -> FoldEnsemble | None:
        """Return the fold models of a row as one classifier; None if they were not kept."""
        paths = self.predictions.models_of(self.finished[winner].number)
        return FoldEnsemble(load_models(paths)) if paths else None

    @property
    def finished(self) -> list[TrialRecord]:
        """The trials that have a row in `cv_results_`."""
        return [record for record in self.records if record.is_finished]

    def _budget(self) -> int:
        """Return the number of trials."""
        n_trials, n_points = self._search.n_trials, self._context.space.n_points
        if n_trials is None and self._enumerated and n_points is not None:
            return n_points
        return DEFAULT_N_TRIALS if n_trials is None else n_trials

    def _choose_pruning(self) -> Pruning:
        search, plan, space = self._search, self._plan, self._context.space
        named = [search.refit] if isinstance(search.refit, str) else ["score"]
        return choose_pruning(
            search.pruner,
            PrunedSearch(
                objectives=plan.objectives or named,
                scores=plan.known_scores,
                refit=search.refit,
                n_trials=self._n_trials,
                enumerated=self._enumerated,
                return_train_score=search.return_train_score,
                is_feasible=plan.is_feasible,
                splits=self._context.splits,
                estimator=self._context.estimator,
                searched=space.parameter_names(),
                epochs=as_epochs(search.epochs),
                has_groups=self._groups is not None,
            ),
        )

    def _proposer(self) -> GridProposer | SamplerProposer:
        """Return where trials come from: an enumeration or a sampler."""
        search, space = self._search, self._context.space
        points = initial_points(
            search.initial_params, space, search.estimator, enumerated=self._enumerated
        )
        if self._enumerated:
            return GridProposer(space, points)
        if search.initial_params == "estimator" and not points and search.verbose > 0:
            valid = search.estimator.get_params()
            searched = space.subspaces[0] if space.subspaces else ()
            own = {name: valid[name] for name in searched if name in valid}
            print(
                f"OptunaSearchCV: the estimator's own values{f' {own}' if own else ''} are not a "
                "point of param_distributions; they are not tried first."
            )
        objectives = self._plan.known_objectives
        return SamplerProposer(
            space,
            make_sampler(search.sampler, space, len(objectives)),
            objectives=objectives,
            values_of=self._plan.values,
            initial_points=points,
            seed=self._seed(),
        )

    def _seed(self) -> int | None:
        """Return the seed of every ask; None leaves a given sampler its own."""
        search = self._search
        if search.random_state is None and isinstance(search.sampler, BaseSampler):
            return None
        return int(check_random_state(search.random_state).randint(np.iinfo(np.int32).max))

    def _observer(self, progress: Progress) -> SearchObserver:
        return SearchObserver(
            space=self._context.space,
            plan=self._plan,
            ledger=self._ledger,
            tree=self._tree,
            progress=progress,
            callbacks=self._search.callbacks or (),
            patience=self._search.patience,
            predictions=self.predictions,
        )

    def _score_of(self, record: TrialRecord) -> float:
        """Return the first objective of a complete trial, minus infinity if it is infeasible."""
        values, violations = self._plan.values(record)
        is_feasible = all(violation <= 0 for violation in violations.values())
        return values[0] if is_feasible else -np.inf

    def _failed_fold(self, record: TrialRecord, fold: int, error: OptunaSearchError) -> FoldResult:
        """Return the result of a fold that the search itself gave up."""
        context = self._context
        if context.error_score == "raise":
            params = context.space.decode(record.point)
            error.add_note(f"trial {record.number}, fold {fold}, parameters {params!r}")
            raise error
        scores = error_scores(context.scorer, context.error_score)
        return FoldResult(
            fold,
            scores,
            scores if context.return_train_score else None,
            fit_time=0.0,
            score_time=0.0,
            n_test_samples=len(context.splits[fold][1]),
            fit_error=f"{type(error).__name__}: {error}",
        )

    @contextmanager
    def _reusing_transforms(self) -> Iterator[None]:
        """Let folds share the fitted leading steps of a pipeline."""
        context = self._context
        # Callbacks would not see the fits that are saved.
        if not (
            self._search.reuse_transforms
            and isinstance(context.estimator, Pipeline)
            and context.estimator.memory is None
            and not self._tree.is_active
        ):
            yield
            return
        folder = SearchFolder()
        try:
            varying = context.space.continuous_parameters()
            context.reuse = TransformReuse(folder.path, varying=varying)
            yield
        finally:
            folder.remove()
