"""The rule that a test which needs something must run on CI."""

from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
TESTS = """
    import pytest

    def test_needs_something():
        pytest.skip("needs a browser")

    @pytest.mark.skipif(True, reason="needs a server")
    def test_needs_something_else():
        pass

    def test_skipped_for_another_reason():
        pytest.skip("only on Windows")

    @pytest.mark.xfail(run=False, reason="needs a decision")
    def test_expected_to_fail():
        assert False
"""


@pytest.fixture
def run(pytester):
    # Its plugin is active already in this process.
    source = CONFTEST.read_text().replace('pytest_plugins = ["pytester"]', "")
    pytester.makeconftest(source)
    pytester.makepyfile(TESTS)
    return lambda: pytester.runpytest("-p", "no:cacheprovider")


def test_skips_are_skips_at_home(run, monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    run().assert_outcomes(skipped=3, xfailed=1)


def test_skips_for_want_of_something_fail_on_ci(run, monkeypatch):
    monkeypatch.setenv("CI", "true")
    result = run()
    result.assert_outcomes(failed=1, errors=1, skipped=1, xfailed=1)
    result.stdout.fnmatch_lines(["*skipped on CI, where it must run: needs a browser"])


def test_a_module_skipped_for_want_of_something_fails_on_ci(run, pytester, monkeypatch):
    monkeypatch.setenv("CI", "true")
    pytester.makepyfile(
        test_module='import pytest; pytest.skip("needs torch", allow_module_level=True)'
    )
    run().assert_outcomes(errors=1)
