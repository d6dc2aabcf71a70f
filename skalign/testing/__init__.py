"""Hypothesis strategies and property checks for your own encoders and measures.

A measure that claims to be tuning reorientation, and an encoder that claims to be one, are held
against what must be true of them, for plain and for degenerate data, in one line of pytest::

    from skalign.testing import check_encoder, check_reorientation

    def test_my_measure():
        check_reorientation(my_measure)  # my_measure(features, targets, weights) -> (n_targets,)

    def test_my_encoder():
        check_encoder(MyEncoder(alpha=0.1, positive=True), penalty="lasso")

Matches of units and other measures beside theta are checked by their kind::

    def test_my_matching():
        check_measure("soft_matching", my_matching)  # (X, Y, X_test, Y_test) -> float

or with one test per property, which ``pytest -k`` selects by name::

    @parametrize_with_encoder_checks(MyEncoder(), MyEncoder(positive=True), penalty="ridge")
    def test_my_encoder(check):
        check()

A known failure is left out of the list::

    checks = [c for c in encoder_checks(MyEncoder()) if c.name != "check_single_precision"]

    @pytest.mark.parametrize("check", checks, ids=str)
    def test_my_encoder(check):
        check()

The checks draw from the strategies :func:`encoding_problems`, :func:`features`, :func:`targets`
and :func:`weights`, which tests of other properties can draw from too. Examples are always the
same ones unless other ``settings=hypothesis.settings(...)`` are given.

Needs hypothesis, and pytest where tests are parametrized: ``pip install "skalign[test]"``.
"""

try:
    from skalign.testing._encoder import (
        check_encoder,
        encoder_checks,
        parametrize_with_encoder_checks,
    )
    from skalign.testing._formula import reorientation_formula
    from skalign.testing._measure_checks import (
        check_measure,
        measure_checks,
        parametrize_with_measure_checks,
    )
    from skalign.testing._problems import EncodingProblem, encoding_problems
    from skalign.testing._property_check import PropertyCheck
    from skalign.testing._reorientation_checks import (
        check_reorientation,
        parametrize_with_reorientation_checks,
        reorientation_checks,
    )
    from skalign.testing._strategies import features, targets, weights
except ModuleNotFoundError as error:
    if error.name != "hypothesis":
        raise
    from skalign.utils import install_hint as _install_hint

    raise ImportError(f"skalign.testing needs hypothesis: {_install_hint('test')}") from error

__all__ = [
    "EncodingProblem",
    "PropertyCheck",
    "check_encoder",
    "check_measure",
    "check_reorientation",
    "encoder_checks",
    "encoding_problems",
    "features",
    "measure_checks",
    "parametrize_with_encoder_checks",
    "parametrize_with_measure_checks",
    "parametrize_with_reorientation_checks",
    "reorientation_checks",
    "reorientation_formula",
    "targets",
    "weights",
]
