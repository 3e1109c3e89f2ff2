"""Packages that an installation may lack."""

import sys

import pytest

from optunasearch._optional import import_optional


def test_an_installed_package_is_imported():
    assert import_optional("json.decoder", feature="a", install="b").__name__ == "json.decoder"


@pytest.mark.parametrize("module", ["no_such_package", "no_such_package.inside", "json"])
def test_a_missing_package_is_named_with_feature_and_remedy(module, monkeypatch):
    monkeypatch.setitem(sys.modules, "json", None)
    expected = (
        f"sampler='x' needs '{module}', which is not installed; "
        r"install it with: pip install 'optunasearch\[x\]'"
    )
    with pytest.raises(ImportError, match=expected) as raised:
        import_optional(module, feature="sampler='x'", install="'optunasearch[x]'")
    assert isinstance(raised.value.__cause__, ImportError)


def test_a_package_that_is_broken_otherwise_says_so(tmp_path, monkeypatch):
    (tmp_path / "broken_package.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ZeroDivisionError):
        import_optional("broken_package", feature="a", install="b")
