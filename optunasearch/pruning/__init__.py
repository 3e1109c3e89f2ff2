"""Pruning: stop a trial as soon as it is very unlikely to become the best.

`Race` compares a trial with the best one so far, fold by fold, on the same test rows.
The pruners of Optuna are taken as they are, fed with the scores of the folds.
"""

from optunasearch.pruning._race import Race

__all__ = ["Race"]
