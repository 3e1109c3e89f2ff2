"""Fresh interpreters, which find the package as `pip install` would leave it."""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optunasearch


@contextmanager
def installed_package() -> Iterator[dict[str, str]]:
    """Yield an environment with a byte-compiled copy of the package.

    pip compiles what it installs. A working tree may have no bytecode (with
    ``PYTHONDONTWRITEBYTECODE`` it never gets any): each start would then compile
    our modules and those of nobody else.
    """
    with tempfile.TemporaryDirectory(prefix="optunasearch-benchmark-") as folder:
        copy = Path(folder, "optunasearch")
        shutil.copytree(
            Path(optunasearch.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__")
        )
        compileall.compile_dir(copy, quiet=1)
        inherited = os.environ.get("PYTHONPATH")
        path = os.pathsep.join([folder, *([inherited] if inherited else [])])
        yield {**os.environ, "PYTHONPATH": path}


def run(environment: dict[str, str], *arguments: str) -> str:
    """Run the interpreter to its end and return what it printed."""
    command = [sys.executable, *arguments]
    # In another folder, so that the working tree is not found first.
    done = subprocess.run(
        command,
        env=environment,
        cwd=tempfile.gettempdir(),
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    )
    return done.stdout
