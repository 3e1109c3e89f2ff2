"""Pruning: stop a trial as soon as it is very unlikely to become the best.

`Race` compares a trial with the best one so far, fold by fold.
The pruners of Optuna are taken as they are, fed with the scores of the folds. Nets of
skorch, boosted models and forests are also stopped inside a fit; `Epochs` says how they
are followed. `PruningCallback` follows nets in objectives of your own.
"""

from optunasearch.pruning._epochs import Epochs
from optunasearch.pruning._race import Race
from optunasearch.pruning._skorch import PruningCallback

__all__ = ["Epochs", "PruningCallback", "Race"]
