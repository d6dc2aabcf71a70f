"""Missing responses in inference: fits take them, scores refuse them and say what to do."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skalign import SparsePositiveEncoder, SparsePositiveEncoderCV
from skalign.inference import (
    alignment_against_control,
    alignment_baselines,
    alignment_multiverse,
    alignment_null,
    bootstrap_alignment,
    bootstrap_alignment_difference,
    mutual_alignment,
    price_of_sign,
    refit_intervals,
    reorientation_floor,
    selection_stability,
    variance_partition,
)
from skalign.metrics import alignment, correct_reorientation_by_halves

RNG = np.random.default_rng(0)
X, CONTROL = RNG.standard_normal((2, 60, 5))
Y = X @ RNG.uniform(0, 1, (5, 4)) + 0.5 * RNG.standard_normal((60, 4))
TRAIN, TEST = slice(0, 40), slice(40, 60)
MISSING = np.where(np.isin(np.arange(40), [3, 17])[:, None] & [False, True, False, True], np.nan, 1)
INCOMPLETE = Y[TRAIN] * MISSING
LESS = Y[TEST].copy()
LESS[5, 2] = np.nan

FIXED = SparsePositiveEncoder(alpha=0.05, missing="mask")
CHOOSING = SparsePositiveEncoderCV(cv=3, alphas=[0.1, 0.03], missing="mask")
SCALED = make_pipeline(StandardScaler(), FIXED)
ENCODERS = [FIXED, CHOOSING, SCALED]


def split(features):
    return {"first": features[:, :2], "second": features[:, 2:]}


# Calls of an encoder, responses to fit and responses to score.
FITTING = {
    "control": lambda encoder, y, y_test: alignment_against_control(
        encoder,
        X[TRAIN],
        y,
        X[TEST],
        y_test,
        X_control=CONTROL[TRAIN],
        X_control_test=CONTROL[TEST],
    ),
    "multiverse": lambda encoder, y, y_test: alignment_multiverse(
        encoder, X[TRAIN], y, X[TEST], y_test
    ),
    "rotations": lambda encoder, y, y_test: alignment_null(
        encoder, X[TRAIN], y, X[TEST], y_test, n_resamples=4, random_state=0
    ),
    "shuffled images": lambda encoder, y, y_test: alignment_null(
        encoder, X[TRAIN], y, X[TEST], y_test, null="images", n_resamples=4, random_state=0
    ),
    "price of sign": lambda encoder, y, y_test: price_of_sign(
        encoder, X[TRAIN], y, X[TEST], y_test
    ),
    "refits": lambda encoder, y, y_test: refit_intervals(
        encoder, X[TRAIN], y, X[TEST], y_test, n_resamples=4, random_state=0
    ),
    "partition": lambda encoder, y, y_test: variance_partition(
        encoder, split(X[TRAIN]), y, split(X[TEST]), y_test, random_state=0
    ),
    "bootstrap": lambda encoder, y, y_test: bootstrap_alignment(
        clone(encoder).fit(X[TRAIN], y), X[TEST], y_test, n_resamples=9, random_state=0
    ),
    "difference": lambda encoder, y, y_test: bootstrap_alignment_difference(
        {
            "one": (clone(encoder).fit(X[TRAIN], y), X[TEST]),
            "other": (clone(FIXED).fit(CONTROL[TRAIN], y), CONTROL[TEST]),
        },
        y_test,
        n_resamples=9,
        random_state=0,
    ),
    "floor": lambda encoder, y, y_test: reorientation_floor(
        clone(encoder).fit(X[TRAIN], y), X[TEST], y_test, n_resamples=4, random_state=0
    ),
    "halves": lambda encoder, y, y_test: correct_reorientation_by_halves(
        clone(encoder).fit(X[TRAIN], y), X[TEST], y_test, Y[TEST]
    ),
}
pytestmark = [
    pytest.mark.filterwarnings("ignore:. of . targets were left empty"),
    pytest.mark.filterwarnings("ignore:.*intervals.*few"),
]


@pytest.mark.parametrize("name", FITTING)
@pytest.mark.parametrize("encoder", ENCODERS, ids=["fixed", "choosing", "scaled"])
def test_fits_take_missing_responses(name, encoder):
    assert FITTING[name](encoder, INCOMPLETE, Y[TEST]) is not None


@pytest.mark.parametrize("name", FITTING)
def test_scores_refuse_missing_responses(name):
    with pytest.raises(
        ValueError, match=r"got NaN in 1 of 4 targets, .*: drop the images or the t"
    ):
        FITTING[name](FIXED, Y[TRAIN], LESS)


@pytest.mark.parametrize("name", ["control", "rotations", "price of sign", "multiverse"])
def test_default_encoder_refuses_missing_responses_to_fit(name):
    with pytest.raises(ValueError, match=r"got NaN in 2 of 4 targets, .*missing=.mask."):
        FITTING[name](SparsePositiveEncoder(alpha=0.05), INCOMPLETE, Y[TEST])


def test_baselines_refuse_missing_responses():
    for y, y_test in ((INCOMPLETE, Y[TEST]), (Y[TRAIN], LESS)):
        with pytest.raises(ValueError, match="drop the images or the targets concerned"):
            alignment_baselines(FIXED, X[TRAIN], y, X[TEST], y_test)


def test_systems_that_predict_each_other_refuse_missing_responses():
    systems, test = {"x": X[TRAIN], "y": INCOMPLETE}, {"x": X[TEST], "y": Y[TEST]}
    with pytest.raises(ValueError, match="NaN"):
        mutual_alignment(FIXED, systems, test)


def test_control_and_price_of_sign_score_what_every_target_alone_gives():
    fitted = clone(FIXED).fit(X[TRAIN], INCOMPLETE)
    expected = alignment(fitted, X[TEST], Y[TEST])
    control = FITTING["control"](FIXED, INCOMPLETE, Y[TEST])
    price = FITTING["price of sign"](FIXED, INCOMPLETE, Y[TEST])
    null = FITTING["rotations"](FIXED, INCOMPLETE, Y[TEST])
    for found in (control["encoder"], price["positive"]):
        assert_allclose(found.r, expected.r)
        assert_allclose(found.theta, expected.theta)
    assert_allclose(null.encoder.r, expected.r)


def test_null_of_an_observed_target_does_not_depend_on_the_missing_ones():
    """Through the images, where others take the moments that all fits share."""
    whole = FITTING["rotations"](FIXED, Y[TRAIN], Y[TEST])
    found = FITTING["rotations"](FIXED, INCOMPLETE, Y[TEST])
    for target in (0, 2):
        assert_allclose(found.null_r[:, target], whole.null_r[:, target], atol=1e-10)
        assert np.abs(found.null_r[:, target + 1] - whole.null_r[:, target + 1]).max() > 0


def test_stability_refits_every_target_to_its_own_images():
    found, whole = (
        selection_stability(FIXED, X[TRAIN], y, n_resamples=10, random_state=0).frequency
        for y in (INCOMPLETE, Y[TRAIN])
    )
    for target in (0, 2):
        assert_allclose(found[target].toarray(), whole[target].toarray())
