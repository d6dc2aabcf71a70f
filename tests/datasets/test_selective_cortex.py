"""The simulated cortex: its ground truth is found again, and the paper's picture appears."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skalign import SelectiveUnitLocalizer, SparsePositiveEncoder
from skalign.datasets import make_selective_cortex
from skalign.metrics import (
    NoiseCeiling,
    alignment,
    noise_ceiling,
    noise_ceiling_snr,
    normalize_scores,
    pearson_r,
    variance_components,
)

CEILINGS = {"FFA": [0.54, 0.60, 0.58, 0.52], "PPA": [0.54, 0.60, 0.62, 0.51]}
PENALTIES = ["ols", "ridge", "lasso", "elasticnet"]
SMALL = {"n_units": 60, "n_selective": 8, "n_localizer": 5, "n_voxels": 4, "n_subjects": 2}
SMALL |= {"n_train": 30, "n_validation": 20, "n_test": 10}


@pytest.fixture(scope="module", params=[True, False], ids=["rectified", "signed"])
def cortex(request):
    return make_selective_cortex(
        n_voxels=40, rectified=request.param, return_trials=True, random_state=0
    )


def standardized(train, test):
    mean, scale = train.mean(axis=0), train.std(axis=0)
    return (train - mean) / scale, (test - mean) / scale


def test_default_sizes():
    cortex = make_selective_cortex(random_state=0)
    assert cortex.X_localizer.shape == (11 * 144, 1000)
    assert cortex.y_train.keys() == {(f"S{i}", region) for i in range(1, 5) for region in CEILINGS}
    for part, n_images in [("train", 1000), ("validation", 1000), ("test", 515)]:
        assert cortex[f"X_{part}"].shape == (n_images, 1000)
        assert cortex[f"trials_{part}"] is None
        assert all(y.shape == (n_images, 100) for y in cortex[f"y_{part}"].values())
        assert all(y.dtype == np.float64 for y in cortex[f"y_{part}"].values())


def test_localizer_set_is_that_of_the_paper(cortex):
    counts = dict(zip(*np.unique(cortex.category, return_counts=True), strict=True))
    assert counts.pop("scrambled") == 144
    assert counts == dict.fromkeys(["faces", "bodies", "objects", "scenes", "characters"], 288)
    assert set(cortex.subcategory[cortex.category == "faces"]) == {"adult", "child"}
    assert np.unique(cortex.subcategory).size == 11


@pytest.mark.parametrize("category", ["faces", "bodies", "objects", "scenes", "characters"])
def test_localizer_finds_the_planted_units(cortex, category):
    planted = cortex.selectivity == category
    assert planted.sum() == 100
    top = SelectiveUnitLocalizer(category).fit(cortex.X_localizer, cortex.category)
    assert (top.get_support() == planted).mean() > 0.995
    strict = SelectiveUnitLocalizer(category, n_units=None, fdr=0.05)
    found = strict.fit(cortex.X_localizer, cortex.category).get_support()
    assert found[planted].mean() > 0.98
    assert planted[found].mean() > 0.9


def test_expected_responses_are_those_of_the_weights(cortex):
    for key, weights in cortex.weights.items():
        X = np.vstack([cortex.X_train, cortex.X_validation, cortex.X_test])
        expected = X @ weights.T + cortex.intercept[key]
        trials = np.vstack(
            [cortex[f"trials_{part}"][key] for part in ("train", "validation", "test")]
        )
        noise = trials - expected[:, np.newaxis]
        ncsnr = cortex.ncsnr[key]
        assert_allclose(expected.mean(axis=0), 0, atol=1e-10)
        assert_allclose(expected.var(axis=0), ncsnr**2 / (1 + ncsnr**2))
        assert_allclose(noise.var(axis=(0, 1)), 1 / (1 + ncsnr**2), rtol=0.08)
        lagged = (noise[:, 0] * noise[:, 1]).mean(axis=0) / noise.var(axis=(0, 1))
        assert abs(lagged.mean()) < 0.01
        ceiling = pearson_r(np.vstack([cortex.y_train[key]]), expected[:1000])
        assert abs(ceiling.mean() - cortex.ceiling[key].mean()) < 0.02


def test_regions_are_driven_by_aligned_units_and_weakly_by_others(cortex):
    assert cortex.regions == {"FFA": "faces", "PPA": "scenes"}
    for (_, region), weights in cortex.weights.items():
        aligned = cortex.selectivity == cortex.regions[region]
        assert (weights >= 0).all()
        assert_array_equal((weights[:, aligned] > 0).sum(axis=1), 10)
        assert_array_equal((weights[:, ~aligned] > 0).sum(axis=1), 10)
        scaled = weights * cortex.X_train.std(axis=0)
        assert 0.05 < scaled[:, ~aligned].sum() / scaled[:, aligned].sum() < 0.2


@pytest.mark.parametrize("n_voxels", [1, 100, [[41, 73], [27, 74], [38, 94], [25, 54]]])
def test_ceilings_are_those_of_real_subjects(n_voxels):
    cortex = make_selective_cortex(**SMALL | {"n_voxels": n_voxels, "n_subjects": 4})
    for region, ceilings in CEILINGS.items():
        for subject, ceiling in zip(cortex.subjects, ceilings, strict=True):
            ncsnr = cortex.ncsnr[subject, region]
            assert (ncsnr > 0.2).all()
            true = noise_ceiling(ncsnr, n_repeats=3)
            assert_allclose(true.values, cortex.ceiling[subject, region])
            assert_allclose(true.values.mean(), ceiling, atol=1e-6)


def test_estimates_come_near_the_truth(cortex):
    for key, ncsnr in cortex.ncsnr.items():
        clear = ncsnr >= 0.4
        for part in ("train", "test"):
            found = noise_ceiling(trials=cortex[f"trials_{part}"][key])
            error = found.values[clear].mean() - cortex.ceiling[key][clear].mean()
            assert abs(error) < 0.02
        by_total = noise_ceiling_snr(cortex.trials_train[key], total_variance=1)
        assert abs((by_total - ncsnr)[clear].mean()) < 0.05


def test_variance_components_are_unbiased():
    """Over many voxels of one cortex; their true values are known."""
    cortex = make_selective_cortex(n_voxels=500, n_subjects=1, return_trials=True, random_state=0)
    for key, trials in cortex.trials_train.items():
        found = variance_components(trials)
        expected = cortex.X_train @ cortex.weights[key].T
        for component, truth in [
            (found.signal, expected.var(axis=0, ddof=1)),
            (found.noise, 1 / (1 + cortex.ncsnr[key] ** 2)),
        ]:
            error = component - truth
            assert abs(error.mean()) < 3 * error.std() / np.sqrt(error.size)


def test_normalized_scores_of_the_true_map_are_one(cortex):
    normalized = []
    for key, weights in cortex.weights.items():
        r = pearson_r(cortex.y_test[key], cortex.X_test @ weights.T)
        ceiling = NoiseCeiling(cortex.ceiling[key], "r")
        normalized.append(normalize_scores(r, ceiling, unit="r").mean())
    assert abs(np.mean(normalized) - 1) < 0.03
    assert_allclose(normalized, 1, atol=0.07)


def scores(cortex, region, category, penalty, positive):
    """Alignment over the voxels of all subjects, as in the paper."""
    units = SelectiveUnitLocalizer(category).fit(cortex.X_localizer, cortex.category).get_support()
    X, X_test = standardized(cortex.X_train[:, units], cortex.X_test[:, units])
    y, y_test = (
        np.hstack([cortex[part][subject, region] for subject in cortex.subjects])
        for part in ("y_train", "y_test")
    )
    y, y_test = standardized(y, y_test)
    encoder = SparsePositiveEncoder(penalty, alpha=0.1, positive=positive).fit(X, y)
    return alignment(encoder, X_test, y_test, undefined_r=0)


@pytest.mark.parametrize("region", CEILINGS)
@pytest.mark.parametrize("penalty", PENALTIES)
def test_the_picture_of_the_paper(cortex, region, penalty):
    matched, mismatched = ("faces", "scenes") if region == "FFA" else ("scenes", "faces")
    r, theta = {}, {}
    for units in (matched, mismatched):
        for positive in (False, True):
            found = scores(cortex, region, units, penalty, positive)
            r[units, positive], theta[units, positive] = found.r.mean(), np.nanmean(found.theta)
    ceiling = np.mean(CEILINGS[region])
    # Ordinary encoders hardly tell the two groups of units apart, but for theta.
    assert r[matched, False] > 0.8 * ceiling
    assert r[mismatched, False] > (0.75 if penalty == "lasso" else 0.85) * r[matched, False]
    assert theta[mismatched, False] > theta[matched, False] + 0.4
    # Positive ones do.
    assert r[matched, True] > 0.9 * ceiling
    assert r[mismatched, True] < 0.45 * r[matched, True]
    assert theta[matched, True] < 0.5


def test_sparse_positive_encoder_puts_its_weight_on_the_planted_units(cortex):
    X, _ = standardized(cortex.X_train, cortex.X_test)
    for (subject, region), true in cortex.weights.items():
        if subject not in ("S1", "S2"):
            continue
        y, _ = standardized(*[cortex.y_train[subject, region]] * 2)
        weights = SparsePositiveEncoder("lasso", alpha=0.1).fit(X, y).coef_
        aligned = cortex.selectivity == cortex.regions[region]
        assert weights[:, aligned].sum() > 0.95 * weights.sum()
        driving = np.where(aligned, true, 0) > 0  # a tenth of the aligned units
        assert weights[driving].sum() > 0.25 * weights.sum()


def test_natural_and_localizer_images_share_a_latent_space(cortex):
    for part in ("localizer", "train", "validation", "test"):
        X = cortex[f"latents_{part}"] @ cortex.tuning.T + cortex.bias
        assert_allclose(np.maximum(X, 0) if cortex.bias else X, cortex[f"X_{part}"])
    natural = np.vstack([cortex.latents_train, cortex.latents_validation, cortex.latents_test])
    assert_allclose(natural.mean(axis=0), 0, atol=0.02)
    assert_allclose(natural.var(axis=0), 1, atol=0.05)
    faces = cortex.latents_localizer[cortex.category == "faces"].mean(axis=0)
    assert faces.argmax() == 0
    assert faces[0] > natural[:, 0].max() - 1e-9  # purer than any natural image


def test_random_state():
    first, second = (make_selective_cortex(**SMALL, random_state=7) for _ in range(2))
    other = make_selective_cortex(**SMALL, random_state=8)
    by_generator = make_selective_cortex(**SMALL, random_state=np.random.RandomState(7))
    for name in ("X_localizer", "X_test", "selectivity"):
        assert_array_equal(first[name], second[name])
        assert_array_equal(first[name], by_generator[name])
    for key in first.y_test:
        assert_array_equal(first.y_test[key], second.y_test[key])
        assert (first.y_test[key] != other.y_test[key]).all()
    assert (first.X_test != other.X_test).any()


def test_more_subjects_and_trials_returned_change_nothing():
    few, many = (
        make_selective_cortex(
            **SMALL | {"n_subjects": n_subjects}, return_trials=returned, random_state=0
        )
        for n_subjects, returned in [(1, False), (5, True)]
    )
    assert many.subjects == ["S1", "S2", "S3", "S4", "S5"]
    assert_allclose(many.ceiling["S5", "PPA"].mean(), 0.54, atol=1e-6)
    for key, y in few.y_test.items():
        assert_array_equal(many.y_test[key], y)
        assert_allclose(many.trials_test[key].mean(axis=1), y, atol=1e-12)
        assert many.trials_test[key].shape == (10, 3, 4)


def test_single_precision_is_double_rounded():
    double, single = (
        make_selective_cortex(**SMALL, return_trials=True, dtype=dtype, random_state=0)
        for dtype in ("float64", "float32")
    )
    for name in ("X_localizer", "X_train", "X_validation", "X_test"):
        assert_array_equal(single[name], double[name].astype(np.float32))
    for name in ("y_train", "y_test", "trials_train", "weights"):
        for key, values in single[name].items():
            assert values.dtype == np.float32
            assert_array_equal(values, double[name][key].astype(np.float32))


def test_sizes():
    cortex = make_selective_cortex(
        n_units=50,
        n_selective=10,
        n_voxels=[3, 5],
        n_subjects=1,
        n_localizer=2,
        n_train=20,
        n_validation=0,
        n_test=9,
        n_trials=1,
        random_state=0,
    )
    assert "none" not in cortex.selectivity
    assert cortex.X_validation.shape == (0, 50)
    assert cortex.y_validation["S1", "FFA"].shape == (0, 3)
    assert cortex.y_test["S1", "PPA"].shape == (9, 5)
    ncsnr = cortex.ncsnr["S1", "PPA"]
    assert_allclose(cortex.ceiling["S1", "PPA"], noise_ceiling(ncsnr, n_repeats=1).values)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_units": 39}, ValueError, r"n_units must be at least 5 \* n_selective, 40; got 39"),
        ({"n_units": 60.0}, TypeError, "n_units must be an instance of"),
        ({"n_subjects": 0}, ValueError, "n_subjects == 0, must be >= 1"),
        ({"n_validation": -1}, ValueError, "n_validation == -1, must be >= 0"),
        ({"n_trials": 0}, ValueError, "n_trials == 0"),
        ({"n_voxels": 0}, ValueError, "n_voxels must be an integer.*got 0"),
        ({"n_voxels": [1, 2, 3]}, ValueError, r"n_voxels must be .* got \[1, 2, 3\]"),
        ({"n_voxels": 1.5}, ValueError, "n_voxels must be an integer.*got 1.5"),
        ({"dtype": "int16"}, ValueError, "dtype must be float64 or float32; got 'int16'"),
    ],
)
def test_errors_name_the_parameter(options, error, message):
    with pytest.raises(error, match=message):
        make_selective_cortex(**SMALL | options)
