"""Two choices about what the sampler is asked and told, on functions that cost nothing.

1. The lag: with ``n_jobs=n`` a trial is asked before the last ``lag - 1`` are known.
   Printed: the best value after 50 trials of TPE at each lag, as a fraction of the
   way from random search's (0) to that of TPE at lag 1 (1).
2. What a failed trial is told as: the worst value so far, or failed (which Optuna's
   samplers ignore). Printed: the share of trials that fail, and the best value.

Run: ``python benchmarks/sampler_policy.py [--quick]``
"""

from __future__ import annotations

import argparse
import math

import numpy as np
from optuna.distributions import FloatDistribution
from optuna.samplers import RandomSampler, TPESampler
from optuna.trial import TrialState

from optunasearch._dimensions import NumericDimension
from optunasearch._samplers import SamplerProposer
from optunasearch._space import DeclaredSpace
from optunasearch.execution._records import FoldResult, TrialRecord
from optunasearch.execution._schedule import Schedule

N_TRIALS = 50


def sphere(x: np.ndarray) -> float:
    return -float(np.sum((x - 0.3) ** 2))


def rosenbrock(x: np.ndarray) -> float:
    z = 4 * x - 2
    return -math.log1p(float(np.sum(100 * (z[1:] - z[:-1] ** 2) ** 2 + (1 - z[:-1]) ** 2)))


def ackley(x: np.ndarray) -> float:
    z = 10 * (x - 0.4)
    first = 20 * math.exp(-0.2 * math.sqrt(float(np.mean(z**2))))
    return first + math.exp(float(np.mean(np.cos(2 * np.pi * z)))) - 20 - math.e


def ridge(x: np.ndarray) -> float:
    return -abs(float(x[0] - 0.7)) - 0.1 * float(np.sum(np.abs(x[1:] - 0.5)))


FUNCTIONS = (sphere, rosenbrock, ackley, ridge)


class IgnoringProposer(SamplerProposer):
    """Tells a failed trial as failed."""

    def tell(self, record: TrialRecord) -> None:
        values, _ = self._values_of(record)
        if math.isfinite(values[0]):
            super().tell(record)
        else:
            self._study.tell(self._open.pop(record.number), state=TrialState.FAIL)


def search(function, sampler, *, lag, seed, fails=lambda x: False, kind=SamplerProposer):
    """Return the best value and the number of failed trials."""
    space = DeclaredSpace(
        [{f"x{i}": NumericDimension(FloatDistribution(0.0, 1.0)) for i in range(5)}]
    )

    def values_of(record):
        return [record.results[0].test_scores], {}

    proposer = kind(space, sampler, objectives=["score"], values_of=values_of, seed=seed)
    schedule = Schedule(
        proposer,
        n_trials=N_TRIALS,
        n_splits=1,
        lag=lag,
        reuse_duplicates=False,
        failed_fold=None,
    )
    while True:
        while schedule.ask() is not None:
            pass
        task = schedule.next_task(whole_trials=True)
        if task is None:
            break
        x = np.array(list(space.decode(task.point).values()))
        value = math.nan if fails(x) else function(x)
        schedule.record(task, (FoldResult(0, value, None, 0.0, 0.0, 1),))
        while (record := schedule.next_to_tell()) is not None:
            schedule.tell(record)
            schedule.ask()
    values = [r.results[0].test_scores for r in schedule.records]
    return np.nanmax(values), int(np.sum(np.isnan(values)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    n_seeds = 3 if parser.parse_args().quick else 30
    seeds = range(n_seeds)
    print(f"{N_TRIALS} trials, {n_seeds} seeds, 5 parameters, {len(FUNCTIONS)} functions")

    base = {
        f: np.mean([search(f, RandomSampler(), lag=1, seed=s)[0] for s in seeds]) for f in FUNCTIONS
    }
    gains: dict[int, list[float]] = {}
    for function in FUNCTIONS:
        for lag in (1, 2, 4, 8, 16):
            best = np.mean([search(function, TPESampler(), lag=lag, seed=s)[0] for s in seeds])
            gains.setdefault(lag, []).append(best - base[function])
    for lag, gain in gains.items():
        fraction = np.mean(np.array(gain) / np.array(gains[1]))
        print(f"lag {lag:2d}: {fraction:.2f} of the gain over random search at lag 1")

    def upper_half(x):
        return x[0] > 0.5

    for kind in (SamplerProposer, IgnoringProposer):
        best, failed = [], []
        for function in FUNCTIONS:
            runs = [
                search(function, TPESampler(), lag=1, seed=s, fails=upper_half, kind=kind)
                for s in seeds
            ]
            best.append(np.mean([run[0] for run in runs]) - base[function])
            failed.append(np.mean([run[1] for run in runs]) / N_TRIALS)
        gain = np.mean(np.array(best) / np.array(gains[1]))
        told = "worst so far" if kind is SamplerProposer else "failed"
        print(f"failures told as {told}: {np.mean(failed):.0%} of trials fail, gain {gain:.2f}")


if __name__ == "__main__":
    main()
