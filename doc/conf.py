"""Sphinx configuration: `python -m sphinx -W doc doc/_build` in the top folder builds the site."""

import importlib
import inspect
import os
import sys
import tomllib
from pathlib import Path

import skalign

HERE = Path(__file__).parent
sys.path.insert(0, os.path.abspath("."))  # for the modules beside this file

import gallery  # noqa: E402
import inventories  # noqa: E402

URLS = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]["urls"]

project = "skalign"
author = "The skalign developers"
copyright = "The skalign developers"
version = release = skalign.__version__
language = "en"

extensions = [
    "mathml",
    "myst_parser",
    "numpydoc",
    "peers_figure",
    "scaling_figure",
    "public_names",
    "site_links",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.extlinks",
    "sphinx.ext.intersphinx",
    "sphinx.ext.linkcode",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_templates", "images"]
extlinks = {"doi": ("https://doi.org/%s", "doi:%s")}
html_math_renderer = "mathml"

nitpicky = True
nitpick_ignore = [
    # inherited docstrings of scikit-learn link to its user guide, which no inventory here lists
    ("std:term", "metadata routing"),
]
nitpick_ignore_regex = [
    ("std:ref", "metadata_routing|callbacks.*"),  # as above
]
intersphinx_mapping = inventories.mapping(HERE / "inventories")
suppress_warnings = ["intersphinx.external"]

templates_path = ["_templates"]
autosummary_generate = True
autodoc_typehints = "none"  # the docstrings name them
numpydoc_show_class_members = False
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3


def linkcode_resolve(domain, info):
    """Lines of a name's source on the site that `project.urls` names."""
    if domain != "py" or not info["module"]:
        return None
    found = importlib.import_module(info["module"])
    for part in info["fullname"].split("."):
        found = getattr(found, part, None)
    found = inspect.unwrap(found.fget if isinstance(found, property) else found)
    try:
        file = Path(inspect.getsourcefile(found)).resolve()
        lines, first = inspect.getsourcelines(found)
    except (OSError, TypeError):
        return None
    package = Path(skalign.__file__).resolve().parent
    if not file.is_relative_to(package):
        return None
    tag = "main" if "dev" in version else f"v{version}"
    path = f"skalign/{file.relative_to(package).as_posix()}"
    return f"{URLS['Source']}/blob/{tag}/{path}#L{first}-L{first + len(lines) - 1}"


sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"plot_|nsd_",
    "reset_argv": gallery.Arguments(),
    "within_subsection_order": "gallery.by_difficulty",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "write_computation_times": False,
    "capture_repr": ("_repr_html_",),
    "doc_module": ("skalign",),
    "backreferences_dir": "api/generated/backreferences",
    "reference_url": {"skalign": None},
    "reset_modules": ("matplotlib", "gallery.reset_scikit_learn"),
}

html_theme = "pydata_sphinx_theme"
html_title = f"skalign {version}"
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/favicon.svg"
html_theme_options = {
    "logo": {
        "text": "skalign",
        "image_light": "_static/favicon.svg",
        "image_dark": "_static/favicon.svg",
    },
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_end": ["theme-version"],
    "icon_links": [
        {"name": name, "url": URLS[key], "icon": icon}
        for name, key, icon in [
            ("Source", "Source", "fa-brands fa-github"),
            ("Issues", "Issues", "fa-solid fa-bug"),
        ]
    ],
}
