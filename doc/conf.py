"""Sphinx configuration: `python -m sphinx -W doc doc/_build` in the top folder builds the site."""

import os
import sys

import skalign

sys.path.insert(0, os.path.abspath("."))  # for gallery_reset

project = "skalign"
author = "The skalign developers"
copyright = "The skalign developers"
version = release = skalign.__version__
language = "en"

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.extlinks",
    "sphinx.ext.mathjax",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_templates", "images"]
extlinks = {"doi": ("https://doi.org/%s", "doi:%s")}

templates_path = ["_templates"]
autosummary_generate = True
autodoc_typehints = "none"  # the docstrings name them
numpydoc_show_class_members = False
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"plot_",
    "ignore_pattern": r"nsd_",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "reset_modules": ("matplotlib", "gallery_reset.reset_scikit_learn"),
}

html_theme = "pydata_sphinx_theme"
html_title = "skalign"
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
}
