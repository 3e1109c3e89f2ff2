"""What tests and doctests share."""

import os
import sys

import pytest

pytest_plugins = ["pytester"]
collect_ignore = ["docs/conf.py"]

# Figures are drawn, not shown.
os.environ.setdefault("MPLBACKEND", "agg")
# Hypothesis keeps its database in the virtual environment, not in the working tree.
if sys.prefix != sys.base_prefix:
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", os.path.join(sys.prefix, ".hypothesis"))


@pytest.fixture(autouse=True, scope="session")
def torch_cache(tmp_path_factory):
    """Give torch's compiler, which leaves an empty folder behind, one of pytest's."""
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(tmp_path_factory.mktemp("torch")))


def _fail_if_needed_in_ci(report):
    """Turn a skip for want of something ("needs a browser") into a failure on CI."""
    if os.environ.get("CI") != "true" or not report.skipped or hasattr(report, "wasxfail"):
        return
    _, _, message = report.longrepr
    reason = message.removeprefix("Skipped: ")
    if reason.startswith("needs "):
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} was skipped on CI, where it must run: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    _fail_if_needed_in_ci(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    report = yield
    _fail_if_needed_in_ci(report)
    return report
