"""What a search is measured against: a loop of clone, fit and score, and nothing else."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from typing import Any

from sklearn.base import clone
from threadpoolctl import threadpool_limits


def evaluate(estimator, params, X, y, train, test) -> float:
    """Fit and score one candidate on one fold."""
    fitted = clone(estimator).set_params(**params).fit(X[train], y[train])
    return fitted.score(X[test], y[test])


def loop(estimator, candidates, X, y, splits) -> list[float]:
    """Return the mean score of each candidate."""
    return [
        sum(evaluate(estimator, params, X, y, *split) for split in splits) / len(splits)
        for params in candidates
    ]


class Processes:
    """Bare processes that are up and hold their data; each waits for its share.

    They pull nothing and are told nothing in between: ``work(data, share)`` runs in
    each of them, on one thread, as our workers do with as many jobs as cores.
    """

    def __init__(self, number: int, work: Callable[[Any, Any], Any], data: Any) -> None:
        # Spawned as loky's workers are: nothing is inherited.
        context = multiprocessing.get_context("spawn")
        self._pipes = []
        self._processes = []
        for _ in range(number):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, work, data))
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)
        for pipe in self._pipes:
            pipe.recv()

    def run(self, shares: Sequence[Any]) -> list[Any]:
        """Let each process work on its share and return all results."""
        for pipe, share in zip(self._pipes, shares, strict=True):
            pipe.send(share)
        return [pipe.recv() for pipe in self._pipes]

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join()


def _serve(pipe: Any, work: Callable[[Any, Any], Any], data: Any) -> None:
    with threadpool_limits(1):
        pipe.send("up")
        while True:
            try:
                share = pipe.recv()
            except EOFError:
                return
            pipe.send(work(data, share))
