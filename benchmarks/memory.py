"""Private memory of all processes above what two folds in fit need: X of 400 MB, n_jobs=2.

The unique set size (USS, by psutil) of a process and its children, summed, sampled every
30 ms, at its peak, less what the process had before `fit` (its imports and X). The same
for two bare processes that fit and score the same folds, rows taken from a memory map of
X: each needs its interpreter, its imports, and its training and test rows. Ours less that
is what the search takes: workers' imports, what folds hold on to, a third fold in flight.

4 trials x 5 folds of an estimator that walks through its rows for 0.5 s and copies none;
the other parameters at our defaults; no refit. Each side in a fresh interpreter, in turn.
Not in the figure: the shared copy of X (in /dev/shm if there is room), and pages of it
while one process alone maps them, which count for that process on both sides.
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
from _bare import Processes, evaluate
from _busy import RowMeans
from _timing import begin, parser, report
from sklearn.model_selection import KFold

N_JOBS, N_SPLITS = 2, 5
MB = 1e6


def make_data(n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    return np.random.default_rng(0).random((n_rows, 500)), np.arange(n_rows) % 2


def prepare_ours(n_rows: int, n_trials: int) -> Callable[[], None]:
    from optunasearch import OptunaSearchCV

    X, y = make_data(n_rows)
    search = OptunaSearchCV(
        RowMeans(seconds=0.5),
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
        evaluate(RowMeans(seconds=0.5), {}, X, y, *splits[fold])


def private_bytes(process: psutil.Process) -> int:
    """Return the USS of a process and its children."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += one.memory_full_info().uss
        except psutil.NoSuchProcess:
            continue
    return total


def peak_growth(side: str, n_rows: int, n_trials: int) -> float:
    """Run a side in a fresh interpreter; return by how many bytes it grew at its peak."""
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
            peak = max(peak, private_bytes(process))
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
    n_rows, n_trials = (10_000, 2) if args.quick else (100_000, 4)
    print(f"X of {n_rows * 500 * 8 / MB:.0f} MB; two folds hold {2 * n_rows * 500 * 8 / MB:.0f} MB")
    extra = []
    for _ in range(args.rounds):
        ours, bare = (peak_growth(side, n_rows, n_trials) for side in ("ours", "bare"))
        print(f"  ours {ours / MB:.0f} MB, two bare processes {bare / MB:.0f} MB", flush=True)
        extra.append((ours - bare) / MB)
    print(f"  over bare {[round(value, 1) for value in extra]}")
    report("private memory over what two folds need, MB", median(extra), 50)


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] in ("ours", "bare"):
        be_a_side(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
