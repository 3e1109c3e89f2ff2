"""What a search says while it runs.

``verbose=0`` nothing; 1 a progress line (a bar in a terminal); 2 a line per trial;
3 a line per fold, as scikit-learn's; above 9 also where each fold starts.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from typing import Any

from joblib.logger import short_format_time
from tqdm import tqdm

from optunasearch._space import Params, SearchSpace
from optunasearch.execution._records import FoldResult, TrialRecord, TrialTask


class Progress:
    """Prints the progress of one search."""

    def __init__(self, verbose: int, n_trials: int, n_splits: int, space: SearchSpace) -> None:
        self._verbose = verbose
        self._decode = space.decode
        self._n_trials = n_trials
        self._n_splits = n_splits
        self._n_done = 0
        self._best: tuple[float, int] | None = None
        self._start = time.monotonic()
        self._bar: Any = None
        if verbose > 0:
            print(
                f"Fitting {n_splits} folds for each of {n_trials} candidates,"
                f" totalling {n_trials * n_splits} fits"
            )
        if verbose == 1 and sys.stderr.isatty():
            self._bar = tqdm(total=n_trials, unit="trial")

    def note(self, text: str | None) -> None:
        """Say something at the start; not among scikit-learn's lines."""
        if text is not None and self._verbose in (1, 2):
            print(f"OptunaSearchCV: {text}")

    def task_starts(self, task: TrialTask) -> None:
        """Print scikit-learn's START lines."""
        if self._verbose > 9:
            for fold in task.folds:
                listing = _listing(self._decode(task.point))
                message = f"[CV{self._position(task.number, fold)}] START {listing}"
                print(f"{message}{(80 - len(message)) * '.'}")

    def fold_ends(self, record: TrialRecord, result: FoldResult) -> None:
        """Print scikit-learn's END line."""
        if self._verbose <= 2:
            return
        listing = _listing(self._decode(record.point))
        message = listing + (";" if listing else "") + _scores(result)
        message += f" total time={short_format_time(result.fit_time + result.score_time)}"
        head = f"[CV{self._position(record.number, result.fold)}] END "
        print(f"{head}{'.' * (80 - len(head) - len(message))}{message}")

    def trial_ends(self, record: TrialRecord, value: float) -> None:
        """Print the progress after a trial."""
        self._n_done += 1
        if math.isfinite(value) and (self._best is None or value > self._best[0]):
            self._best = (value, record.number)
        if self._bar is not None:
            self._bar.set_postfix_str(self._best_so_far, refresh=False)
            self._bar.update()
        elif self._verbose == 1 and self._is_due:
            print(f"{self._n_done}/{self._n_trials} trials, {self._best_so_far}{self._time_left}")
        elif self._verbose == 2:
            seconds = record.fit_seconds
            note = "" if record.duplicate_of is None else f" (as trial {record.duplicate_of})"
            result = f"score={value:.5g}"
            if record.stop is not None:
                result = f"pruned after {record.n_full_folds} of {self._n_splits} folds"
                first = record.results[0]
                if first.was_stopped:
                    result = (
                        f"pruned in fold 1 after {first.n_epochs_run} of {first.n_epochs} epochs"
                    )
            print(
                f"[trial {record.number + 1}/{self._n_trials}] {result}{note}, "
                f"{self._best_so_far}, {seconds:.2f} s: "
                f"{_listing(self._decode(record.point))}"
            )

    def close(self) -> None:
        """Finish the bar."""
        if self._bar is not None:
            self._bar.close()

    def summarise(self, records: Sequence[TrialRecord]) -> None:
        """Say what pruning has saved."""
        finished = [record for record in records if record.is_finished]
        n_pruned = sum(record.stop is not None for record in finished)
        if self._verbose in (1, 2) and n_pruned:
            fitted = [record for record in finished if record.duplicate_of is None]
            n_fits, n_all = sum(len(r.results) for r in fitted), len(fitted) * self._n_splits
            stopped = [x for r in fitted for x in r.results.values() if x.was_stopped]
            n_saved = sum(result.n_epochs - result.n_epochs_run for result in stopped)
            inside = f"; {len(stopped)} of these stopped inside, {n_saved} epochs saved"
            print(
                f"{n_pruned} of {len(finished)} trials pruned: {n_fits} fits instead of {n_all}"
                f"{inside if stopped else ''}"
            )

    @property
    def _best_so_far(self) -> str:
        if self._best is None:
            return "no score yet"
        return f"best {self._best[0]:.5g} (trial {self._best[1] + 1})"

    @property
    def _time_left(self) -> str:
        seconds = time.monotonic() - self._start
        left = seconds / self._n_done * (self._n_trials - self._n_done)
        return f", {short_format_time(seconds).strip()}, {short_format_time(left).strip()} left"

    @property
    def _is_due(self) -> bool:
        """Whether a tenth of the trials has passed since the last line."""
        tenth = max(self._n_trials // 10, 1)
        return self._n_done % tenth == 0 or self._n_done == self._n_trials

    def _position(self, number: int, fold: int) -> str:
        position = f" {fold + 1}/{self._n_splits}"
        return position + (f"; {number + 1}/{self._n_trials}" if self._verbose > 9 else "")


def _listing(params: Params) -> str:
    return ", ".join(f"{name}={params[name]}" for name in sorted(params))


def _scores(result: FoldResult) -> str:
    test, train = result.test_scores, result.train_scores
    if isinstance(test, dict):
        trains = train if isinstance(train, dict) else {}
        return "".join(
            f" {name}: ("
            + (f"train={trains[name]:.3f}, " if name in trains else "")
            + f"test={test[name]:.3f})"
            for name in sorted(test)
        )
    if train is None:
        return f", score={test:.3f}"
    return f", score=(train={train:.3f}, test={test:.3f})"
