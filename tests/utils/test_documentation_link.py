"""Diagrams of estimators link to the page that the site has for their class."""

import importlib
import inspect
import sys
import tomllib
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skalign
from skalign import SparsePositiveEncoder
from tests.test_public_api import MODULES

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "doc"))
import public_names  # noqa: E402

SITE = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Documentation"]
ESTIMATORS = sorted(
    {
        thing
        for module in map(importlib.import_module, MODULES)
        for thing in vars(module).values()
        if inspect.isclass(thing) and issubclass(thing, BaseEstimator)
        if thing.__module__.startswith("skalign.")
    },
    key=lambda thing: thing.__name__,
)


def bare(estimator):
    """An instance, whatever its parameters are."""
    return estimator.__new__(estimator)


def test_estimators_are_seen():
    names = {estimator.__name__ for estimator in ESTIMATORS}
    assert {"SparsePositiveEncoder", "SelectiveUnitLocalizer", "LayerActivations"} <= names


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: estimator.__name__)
def test_link_is_the_page_that_sphinx_writes(estimator):
    page = public_names.DOCUMENTED[estimator.__name__]
    assert bare(estimator)._get_doc_link() == f"{SITE}/api/generated/{page}.html"


def test_diagram_of_a_pipeline_links_to_both_sites():
    diagram = make_pipeline(StandardScaler(), SparsePositiveEncoder())._repr_html_()
    assert f'href="{SITE}/api/generated/skalign.SparsePositiveEncoder.html' in diagram
    assert "https://scikit-learn.org/" in diagram
    alone = SparsePositiveEncoder()._repr_html_()
    assert 'href="https://scikit-learn.org' not in alone
    assert alone.count(SITE) > 1  # the class, and its parameters


def test_classes_of_others_have_no_page_here():
    class Mine(SparsePositiveEncoder):
        pass

    assert Mine()._get_doc_link() == ""
    assert skalign.SparsePositiveEncoder()._get_doc_link()
