"""Newton's method for the convex losses of calibrators, which have few parameters."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy.optimize import minimize

from optunasearch.calibration._calibrator import Floats

# Newton's method doubles the digits in each of its last steps.
_TOLERANCE = 1e-10
_MOST_STEPS = 100
# A step must bring this share of what its slope promises (Armijo).
_SHARE = 1e-4
# Beyond, a matrix of second derivatives costs more than it saves.
_MOST_PARAMETERS = 200


class Loss(Protocol):
    """A convex function with its derivatives."""

    def value_and_gradient(self, theta: Floats) -> tuple[float, Floats]:
        """Return the loss and its gradient."""

    def hessian(self, theta: Floats) -> Floats:
        """Return the matrix of second derivatives."""


def minimise(loss: Loss, start: Floats) -> Floats:
    """Return where a convex function is least."""
    if len(start) > _MOST_PARAMETERS:
        options = {"maxiter": 1000, "ftol": 1e-12, "gtol": 1e-8}
        found = minimize(
            loss.value_and_gradient, start, jac=True, method="L-BFGS-B", options=options
        )
        return np.asarray(found.x)
    theta = start
    value, gradient = loss.value_and_gradient(theta)
    for _ in range(_MOST_STEPS):
        step = -_solve(loss.hessian(theta), gradient)
        promise = float(-gradient @ step)
        if promise <= _TOLERANCE * (1 + abs(value)):
            break
        size = 1.0
        while size > 1e-10:
            trial = theta + size * step
            new, slope = loss.value_and_gradient(trial)
            if new <= value - _SHARE * size * promise:
                break
            size /= 2
        else:  # rounding errors hide what is left to gain
            break
        theta, value, gradient = trial, new, slope
    return theta


def _solve(hessian: Floats, gradient: Floats) -> Floats:
    """Solve for the Newton step; parameters that do not matter stay where they are."""
    ridge = 1e-12 * (np.trace(hessian) + 1e-300) / len(hessian)
    return np.asarray(np.linalg.solve(hessian + ridge * np.eye(len(hessian)), gradient))
