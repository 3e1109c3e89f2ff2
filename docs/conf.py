"""Configuration of the documentation; it builds without a network."""

import os
import re
import sys

sys.path.insert(0, os.path.abspath(".."))

from optunasearch import __version__

project = "optunasearch"
author = "the optunasearch developers"
copyright = f"2026, {author}"
version = release = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "auto_examples/*.ipynb", "auto_examples/*.py"]
# `name` is a link where the name is documented here, and code anyway.
default_role = "py:obj"

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False

myst_heading_anchors = 3

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": "/",
    "download_all_examples": False,
    "plot_gallery": "True",
    "abort_on_example_error": True,
    # Its table would load scripts from elsewhere.
    "write_computation_times": False,
    "show_memory": False,
    "remove_config_comments": True,
    "within_subsection_order": "ExampleTitleSortKey",
}

html_theme = "pydata_sphinx_theme"
html_title = "optunasearch"
html_theme_options = {
    "show_prev_next": True,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_show_sourcelink = False


def _without_foreign_references(app, what, name, obj, options, lines):
    """Take out references that only scikit-learn's own documentation can resolve.

    Methods inherited from scikit-learn refer to its glossary and user guide.
    """
    for i, line in enumerate(lines):
        line = re.sub(r":term:`~?([^`<]+?)(?: *<[^`>]*>)?`", r"``\1``", line)
        lines[i] = re.sub(r":ref:`([^`<]+?) *<[^`>]*>`", r"\1", line)


def setup(app):
    # After numpydoc, which rewrites the sections at the default priority.
    app.connect("autodoc-process-docstring", _without_foreign_references, priority=900)
