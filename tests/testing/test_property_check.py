"""How checks are run: by name, always on the same examples, each as a test of its own."""

import functools
import importlib
import sys

import hypothesis
import numpy as np
import pytest
from sklearn.linear_model import Lasso, Ridge

from skalign.testing import (
    PropertyCheck,
    encoder_checks,
    parametrize_with_encoder_checks,
    parametrize_with_reorientation_checks,
    reorientation_checks,
    reorientation_formula,
)


def spy(seen):
    def measure(features, targets, weights):
        seen.append((features.tobytes(), targets.tobytes(), weights.tobytes()))
        return reorientation_formula(features, targets, weights)

    return measure


def examples(**options):
    seen = []
    reorientation_checks(spy(seen), **options)[0]()
    return seen


def test_examples_are_always_the_same():
    assert examples() == examples()
    assert len(set(examples())) > 15


def test_checks_differ_in_their_examples():
    seen = []
    checks = {check.name: check for check in reorientation_checks(spy(seen))}
    checks["check_one_value_per_target"]()
    first = set(seen)
    seen.clear()
    checks["check_inputs_are_left_alone"]()
    second = set(seen)
    assert len(first - second) > 5


def test_settings_are_the_callers():
    settings = hypothesis.settings(max_examples=7, deadline=None, derandomize=True)
    assert len(examples(settings=settings)) == 7


def test_names_are_unique_and_start_alike():
    for checks in (reorientation_checks(reorientation_formula), encoder_checks(Ridge())):
        names = [check.name for check in checks]
        assert len(set(names)) == len(names)
        assert all(name.startswith("check_") for name in names)
        assert all(isinstance(check, PropertyCheck) for check in checks)


def test_ids_name_the_subject_in_every_process():
    partial = functools.partial(functools.partial(reorientation_formula), center=True)

    class Theta:
        def __call__(self, features, targets, weights):
            return reorientation_formula(features, targets, weights)

    ids = [str(reorientation_checks(m)[1]) for m in (reorientation_formula, partial, Theta())]
    assert ids == [
        "reorientation_formula-check_range",
        "reorientation_formula-check_range",
        "Theta-check_range",
    ]
    long = Lasso(alpha=0.123456789, fit_intercept=False, max_iter=12345, positive=True, tol=1e-9)
    assert "\n" not in str(encoder_checks(long)[0])


def test_each_check_is_a_test_of_its_own():
    for mark, subjects, checks in [
        (
            parametrize_with_reorientation_checks(reorientation_formula, spy([])).mark,
            ["reorientation_formula", "measure"],
            reorientation_checks(reorientation_formula),
        ),
        (
            parametrize_with_encoder_checks(Ridge(), Ridge(alpha=2.0)).mark,
            ["Ridge()", "Ridge(alpha=2.0)"],
            encoder_checks(Ridge()),
        ),
    ]:
        name, parameters = mark.args
        assert name == "check"
        assert [parameter.id for parameter in parameters] == [
            f"{subject}-{check.name}" for subject in subjects for check in checks
        ]


def test_smallest_example_is_reported():
    def measure(features, targets, weights):
        return np.zeros(targets.shape[1])

    checks = {check.name: check for check in reorientation_checks(measure)}
    with pytest.raises(AssertionError, match="must equal the formula") as error:
        checks["check_formula"]()
    notes = "\n".join(error.value.__notes__)
    assert "check_formula" in notes
    assert "EncodingProblem(features=array([[" in notes


def without(monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    for name in [name for name in sys.modules if name.startswith(("skalign.testing", missing))]:
        if name != missing:
            monkeypatch.delitem(sys.modules, name)


def test_hypothesis_missing(monkeypatch):
    without(monkeypatch, "hypothesis")
    with pytest.raises(ImportError, match=r'needs hypothesis: pip install "skalign\[test\]"'):
        importlib.import_module("skalign.testing")


def test_pytest_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytest", None)
    with pytest.raises(ImportError, match=r'needs pytest: pip install "skalign\[test\]"'):
        parametrize_with_encoder_checks(Ridge())
