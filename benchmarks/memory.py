"""Private memory of all processes above what two folds in fit need: X of 400 MB, n_jobs=2.

The unique set size (USS, by psutil) of a process and its children, summed, sampled every
30 ms, at its peak, less what the process had before `fit` (its imports and X). The same
for two bare processes that fit and score the same folds, rows taken from a memory map of
X: each needs its interpreter, its imports, and its training and test rows (both taken
before the fit, as scikit-learn's searches do). Ours less that is what the search takes:
imports of its own, what it holds on to, a third fold in flight.

6 trials x 5 folds of an estimator that walks through its rows for 1 s and copies none; the
other parameters at our defaults; no refit. Each side in a fresh interpreter, in turn.

Pages of the shared copy of X count as private while one process alone has mapped them, for
instance until the second worker is up, though ending that process would not free them (they
are in /dev/shm or in the file cache). The figure is given with and without such pages; the
target is for the second.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import psutil
from _bare import Processes
from _busy import RowMeans
from _timing import begin, parser, report
from sklearn.model_selection import KFold

N_JOBS, N_SPLITS = 2, 5
MB = 1e6
SECONDS = 1.0  # of a fit
SHARED_COPIES = {"X.npy", "context"}  # the latter is ours


def make_data(n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    return np.random.default_rng(0).random((n_rows, 500)), np.arange(n_rows) % 2


def prepare_ours(n_rows: int, n_trials: int) -> Callable[[], None]:
    from optunasearch import OptunaSearchCV

    X, y = make_data(n_rows)
    search = OptunaSearchCV(
        RowMeans(seconds=SECONDS),
        {"value": [float(value) for value in range(n_trials)]},
        n_trials=n_trials,
        cv=KFold(N_SPLITS),
        n_jobs=N_JOBS,
        refit=False,
    )
    return lambda: search.fit(X, y)


def prepare_bare(n_rows: int, n_trials: int) -> Callable[[], None]:
    X, y = make_data(n_rows)
    shared = "/dev/shm" if os.path.isdir("/dev/shm") else None
    folder = tempfile.TemporaryDirectory(prefix="optunasearch-benchmark-", dir=shared)
    path = os.path.join(folder.name, "X.npy")
    np.save(path, X)
    folds = list(range(N_SPLITS)) * n_trials

    def run() -> None:
        with folder, Processes(N_JOBS, work, (path, y)) as processes:
            processes.run([folds[share::N_JOBS] for share in range(N_JOBS)])

    return run


def work(data: tuple[str, np.ndarray], folds: list[int]) -> None:
    """Run in each bare process."""
    X, y = np.load(data[0], mmap_mode="r"), data[1]
    splits = list(KFold(N_SPLITS).split(X))
    for fold in folds:
        train, test = splits[fold]
        X_train, X_test = X[train], X[test]
        RowMeans(seconds=SECONDS).fit(X_train, y[train]).score(X_test, y[test])
        del X_train, X_test


def private_bytes(process: psutil.Process) -> np.ndarray:
    """Return the USS of a process and its children, with and without maps of X."""
    total = np.zeros(2)
    for one in [process, *process.children(recursive=True)]:
        try:
            maps = one.memory_maps(grouped=True)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # it has just ended
        for mapped in maps:
            private = mapped.private_clean + mapped.private_dirty
            total += private, private * (os.path.basename(mapped.path) not in SHARED_COPIES)
    return total


def peak_growth(side: str, n_rows: int, n_trials: int) -> np.ndarray:
    """Run a side in a fresh interpreter; return by how many bytes it grew at its peaks."""
    command = [sys.executable, __file__, side, str(n_rows), str(n_trials)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None and child.stdin is not None
        assert child.stdout.readline() == "ready\n"
        process = psutil.Process(child.pid)
        before = peak = private_bytes(process)
        child.stdin.write("go\n")
        child.stdin.flush()
        while child.poll() is None:
            peak = np.maximum(peak, private_bytes(process))
            time.sleep(0.03)
        assert child.returncode == 0
    return peak - before


def be_a_side(side: str, n_rows: int, n_trials: int) -> None:
    run = {"ours": prepare_ours, "bare": prepare_bare}[side](n_rows, n_trials)
    print("ready", flush=True)
    sys.stdin.readline()
    run()


def main() -> None:
    args = begin(parser(__doc__, rounds=3))
    n_rows, n_trials = (10_000, 3) if args.quick else (100_000, 6)
    print(f"X of {n_rows * 500 * 8 / MB:.0f} MB; two folds hold {2 * n_rows * 500 * 8 / MB:.0f} MB")
    over_bare = []
    for _ in range(args.rounds):
        ours, bare = (peak_growth(side, n_rows, n_trials) / MB for side in ("ours", "bare"))
        for name, peaks in {"ours": ours, "two bare processes": bare}.items():
            print(f"  {name}: {peaks[0]:.0f} MB, {peaks[1]:.0f} MB without maps of X", flush=True)
        over_bare.append(ours - bare)
    with_maps, without = np.round(np.transpose(over_bare), 1).tolist()
    print(f"  over bare: {with_maps} MB with maps of X, {without} MB without")
    report("private memory over two bare processes, maps included, MB", median(with_maps), 50)
    report("private memory over two bare processes, MB", median(without), 50)


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] in ("ours", "bare"):
        be_a_side(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
