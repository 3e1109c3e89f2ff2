"""Hyperparameter search for scikit-learn, driven by Optuna.

:class:`OptunaSearchCV` takes the place of `GridSearchCV`: it takes distributions
and a cross-validation splitter, and finds good parameters in fewer fits.
"""

from optunasearch._search import OptunaSearchCV
from optunasearch._version import __version__

__all__ = ["OptunaSearchCV", "__version__"]
