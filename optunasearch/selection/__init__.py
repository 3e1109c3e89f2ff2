"""Selection: which candidate is taken, and how good it really is.

`OneStandardError` takes the simplest candidate that is not clearly worse than the best.
`diagnose_folds` says whether the folds differ by more than chance.
"""

from optunasearch.selection._diagnosis import FoldDiagnosis, diagnose_folds
from optunasearch.selection._one_standard_error import OneStandardError

__all__ = ["FoldDiagnosis", "OneStandardError", "diagnose_folds"]
