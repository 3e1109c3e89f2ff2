"""Both sides in one run: measured in turn, compared round by round."""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from statistics import median
from typing import Any

# How OptunaSearchCV is set against another search, besides what a script says. The timing
# scripts compare fits that are all run; what pruning saves has scripts of its own.
SETTINGS: dict[str, dict[str, Any]] = {
    "our defaults": {"pruner": None},
    "like for like": {
        "pruner": None,
        "calibration": None,
        "initial_params": None,
        "reuse_duplicates": False,
    },
}
_PACKAGES = ("optuna", "scikit-learn", "joblib", "numpy")


@dataclass(frozen=True)
class Ratio:
    """Ours over theirs: the median over the rounds, the least and the greatest."""

    median: float
    least: float
    greatest: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.least:.2f} to {self.greatest:.2f})"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Compare what was measured in the same round: a slow minute slows both."""
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    return Ratio(median(ratios), min(ratios), max(ratios))


def parser(doc: str | None, *, rounds: int) -> argparse.ArgumentParser:
    """Return a parser with the options that every timing script has."""
    made = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--quick", action="store_true", help="a smoke run; its figures mean nothing")
    made.add_argument("--rounds", type=int, default=rounds, help="times that each side runs")
    return made


def begin(made: argparse.ArgumentParser) -> argparse.Namespace:
    """Parse, and print what is measured, where and when."""
    args = made.parse_args()
    if args.quick and hasattr(args, "rounds"):
        args.rounds = 1
    print(made.description)
    versions = ", ".join(f"{package} {version(package)}" for package in _PACKAGES)
    print(f"{date.today()}, Python {platform.python_version()}, {versions}")
    print(f"{os.cpu_count()} cores, {platform.platform()}")
    print(f"{vars(args)}\n", flush=True)
    return args


def in_turn(
    sides: Mapping[str, Callable[[], Any]], rounds: int, *, warm_up: bool = True
) -> dict[str, list[float]]:
    """Run the sides A B A B ... and return the seconds of each run.

    A side that returns seconds (a float) has measured itself. With `warm_up`, a first round
    is not counted: it imports, and fills caches.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for counted in [False] * warm_up + [True] * rounds:
        for name, side in sides.items():
            start = time.perf_counter()
            own = side()
            elapsed = own if isinstance(own, float) else time.perf_counter() - start
            if counted:
                seconds[name].append(elapsed)
    for name, runs in seconds.items():
        print(f"  {name}: median {median(runs):.3f} s of {[round(run, 3) for run in runs]}")
    return seconds


def report(name: str, measured: Ratio | float, target: float, *, at_least: bool = False) -> None:
    """Print a figure and its target."""
    value = measured.median if isinstance(measured, Ratio) else measured
    is_reached = value >= target if at_least else value <= target
    shown = measured if isinstance(measured, Ratio) else f"{measured:.4g}"
    sign = ">=" if at_least else "<="
    verdict = "reached" if is_reached else "MISSED"
    print(f"{name}: {shown}, target {sign} {target:g}: {verdict}", flush=True)
