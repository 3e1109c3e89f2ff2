"""Who may import whom, read from the source."""

import ast
import configparser
import re
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import optunasearch

PACKAGE = Path(optunasearch.__file__).parent
ROOT = PACKAGE.parent
EXTRAS = {
    *("catboost", "cmaes", "dask", "distributed", "hydra", "lightgbm", "matplotlib", "mlflow"),
    *("optuna_dashboard", "optuna_integration", "pandas", "plotly", "polars", "ray", "rich"),
    *("skorch", "torch", "wandb", "xgboost"),
}
# The only modules that may use what these packages do not document.
PRIVATE = {"sklearn": "_sklearn", "optuna": "_optuna", "joblib": "_joblib"}


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(tree):
    """Return (module, name) for each import anywhere in a module; name is None for `import`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from ((node.module, alias.name) for alias in node.names)


SOURCES = {module_name(path): path.read_text() for path in PACKAGE.rglob("*.py")}
IMPORTS = {name: set(imported(ast.parse(source))) for name, source in SOURCES.items()}


def targets(module):
    """Return the modules of this package that a module imports."""
    found = set()
    for source, name in IMPORTS[module]:
        if source.split(".")[0] == "optunasearch":
            inner = f"{source}.{name}"
            found.add(inner if inner in IMPORTS else source)
    return found


def packages(module):
    """Return the top-level packages that a module imports."""
    return {source.split(".")[0] for source, _ in IMPORTS[module]}


def short(module):
    return module.removeprefix("optunasearch.")


def found_in(modules, offences):
    """Return what `offences(module)` returns where that is not empty."""
    found = {short(module): offences(module) for module in modules}
    return {module: what for module, what in found.items() if what}


def test_there_are_modules():
    assert {"optunasearch._search", "optunasearch.execution._driver"} <= IMPORTS.keys()


def test_private_names_of_others_are_imported_in_one_module_each():
    def private_names(module):
        return {
            f"{source}.{name}"
            for source, name in IMPORTS[module]
            if (package := source.split(".")[0]) in PRIVATE
            and f"{source}.{name or ''}".count("._")
            and short(module) != PRIVATE[package]
        }

    assert found_in(IMPORTS, private_names) == {}
    assert any("._" in f".{source}" for source, _ in IMPORTS["optunasearch._sklearn"])


def test_no_extra_is_imported():
    assert found_in(IMPORTS, lambda module: packages(module) & EXTRAS) == {}


def test_what_is_imported_is_declared():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    requirements = re.findall(r"^[a-z-]+", setup["options"]["install_requires"], re.MULTILINE)
    known = {name.replace("scikit-learn", "sklearn") for name in requirements}
    known |= {"optunasearch"} | sys.stdlib_module_names
    assert found_in(IMPORTS, lambda module: packages(module) - known) == {}


def test_modules_stay_below_500_lines():
    lengths = found_in(IMPORTS, lambda module: SOURCES[module].count("\n"))
    assert {module: n_lines for module, n_lines in lengths.items() if n_lines >= 500} == {}


def test_modules_say_what_they_are_for():
    assert found_in(IMPORTS, lambda m: not ast.get_docstring(ast.parse(SOURCES[m]))) == {}


def test_imports_have_no_cycle():
    graph = {module: targets(module) for module in IMPORTS}
    # A folder's __init__ is run with any of its modules.
    order = list(TopologicalSorter(graph).static_order())
    assert order.index("optunasearch._search") > order.index("optunasearch.execution._driver")


@pytest.mark.parametrize("module", ["_driver", "_schedule", "_records"])
def test_policy_knows_no_library(module):
    known = packages(f"optunasearch.execution.{module}")
    assert known <= {"optunasearch"} | sys.stdlib_module_names
    assert "numpy" not in known


@pytest.mark.parametrize("module", ["_schedule", "_records"])
def test_the_schedule_looks_at_no_clock(module):
    assert not packages(f"optunasearch.execution.{module}") & {"time", "datetime", "threading"}


def test_execution_knows_neither_the_study_nor_the_search():
    execution = {module for module in IMPORTS if module.startswith("optunasearch.execution")}
    allowed = {f"optunasearch.{name}" for name in ("_joblib", "_sklearn", "_space", "exceptions")}
    assert found_in(execution, lambda module: targets(module) - allowed - execution) == {}
    assert found_in(execution, lambda module: packages(module) & {"optuna"}) == {}


def test_only_three_modules_make_or_read_studies():
    def uses(module):
        return any(
            source.startswith(("optuna.study", "optuna.storages")) or name == "new_study"
            for source, name in IMPORTS[module]
        )

    assert found_in(IMPORTS, uses).keys() <= {"_ledger", "_samplers", "_optuna"}


def test_the_core_knows_no_integration():
    tracking = {module for module in IMPORTS if module.startswith("optunasearch.tracking")}
    inside = tracking - {"optunasearch.tracking"}
    assert found_in(IMPORTS.keys() - tracking, lambda module: targets(module) & inside) == {}


@pytest.mark.parametrize(
    ("module", "users"),
    [
        ("_search", {"optunasearch"}),
        ("_dimensions", {"_space"}),
        ("execution._processes", {"execution._executors"}),
        ("execution._slots", {"execution._processes"}),
    ],
)
def test_who_uses(module, users):
    found = {short(m) for m in IMPORTS if f"optunasearch.{module}" in targets(m)}
    assert found == users
