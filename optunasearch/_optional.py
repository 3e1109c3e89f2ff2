"""Import of packages that an installation may lack."""

from __future__ import annotations

import importlib
from types import ModuleType


def import_optional(module: str, *, feature: str, install: str) -> ModuleType:
    """Import `module`, or say which feature needs it and how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{feature} needs {module!r}, which is not installed; install it with: "
            f"pip install {install}"
        ) from error
