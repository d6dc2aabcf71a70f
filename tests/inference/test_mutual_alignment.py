"""Systems that predict each other: against fits by hand, and against what they have in common."""

from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import stdtrit
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.preprocessing import StandardScaler

from skalign import SparsePositiveEncoder
from skalign.inference import bootstrap_alignment, mutual_alignment
from skalign.metrics import NoiseCeiling, alignment, noise_ceiling, partial_soft_matching

ENCODER = SparsePositiveEncoder(alpha=0.05)


def halves(systems, n_images=150):
    return tuple(
        {n: X[part] for n, X in systems.items()}
        for part in (slice(n_images), slice(n_images, None))
    )


@pytest.fixture
def systems():
    rng = np.random.default_rng(0)
    signal = rng.standard_normal((300, 4))
    return {
        name: scale * (signal @ rng.random((4, n)) + rng.standard_normal((300, n))) + 3
        for name, n, scale in [("s1", 3, 1), ("s2", 5, 100), ("s3", 2, 0.01)]
    }


@pytest.mark.parametrize("features", ["each", "others"])
def test_is_a_fit_of_standardized_systems_by_hand(systems, features):
    training, test = halves(systems)
    weight, test_weight = np.linspace(0, 2, 150), np.linspace(1, 0, 150)
    found = mutual_alignment(
        ENCODER,
        training,
        test,
        features=features,
        center=True,
        sample_weight=weight,
        test_sample_weight=test_weight,
    )
    scalers = {n: StandardScaler().fit(X, sample_weight=weight) for n, X in training.items()}
    scaled = [{n: scalers[n].transform(X) for n, X in part.items()} for part in (training, test)]
    expected_pairs = [("s2", "s1"), ("s3", "s1"), ("s1", "s2"), ("s3", "s2"), ("s1", "s3")]
    expected_pairs += [("s2", "s3")]
    if features == "others":
        expected_pairs = [("others", name) for name in systems]
    assert list(found.sides) == expected_pairs
    for source, target in expected_pairs:
        sources = [n for n in systems if n != target] if source == "others" else [source]
        X, X_test = (np.hstack([part[n] for n in sources]) for part in scaled)
        fit = SparsePositiveEncoder(alpha=0.05).fit(X, scaled[0][target], sample_weight=weight)
        expected = alignment(fit, X_test, scaled[1][target], center=True, sample_weight=test_weight)
        for measure in ("r", "theta", "n_active"):
            assert_allclose(
                getattr(found[source, target], measure),
                getattr(expected, measure),
                rtol=1e-5,
                atol=1e-9,
            )


def test_units_of_measurement_do_not_matter_unless_asked(systems):
    training, test = halves(systems)
    found = mutual_alignment(ENCODER, training, test)
    scaled = [part | {"s2": part["s2"] * 1e-3 + 7} for part in (training, test)]
    again = mutual_alignment(ENCODER, *scaled)
    assert_allclose(again["s2", "s1"].theta, found["s2", "s1"].theta)
    assert_allclose(again["s1", "s2"].r, found["s1", "s2"].r)
    raw = mutual_alignment(ENCODER, *scaled, standardize=False)
    assert raw["s1", "s2"].n_active.sum() < found["s1", "s2"].n_active.sum()


def test_asymmetry_is_what_one_lacks_once_ceilings_are_divided_by():
    """A brain sees two of four dimensions through noise; the network has all of them."""
    rng = np.random.default_rng(0)
    network = rng.standard_normal((8000, 4))
    trials = network[:, np.newaxis, :2] + rng.standard_normal((8000, 3, 2))
    systems = halves({"network": network, "brain": trials.mean(axis=1)}, 4000)
    ceiling = noise_ceiling(trials=trials[4000:])
    options = {"ceilings": {"brain": ceiling}, "center": True}
    found = mutual_alignment(LinearRegression(), *systems, **options)
    pd = pytest.importorskip("pandas")
    table = found.summary_frame().set_index(["features", "targets"])
    to_brain = table.loc[("network", "brain")]
    assert_allclose(to_brain["r"], np.sqrt(3 / 4), atol=0.01)
    assert_allclose(to_brain["r_normalized"], 1, atol=0.01)
    back = table.loc[("brain", "network")]
    assert_allclose(back["r"], np.sqrt(3 / 4) / 2, atol=0.02)  # noise of features is not corrected
    assert pd.isna(back["r_normalized"])  # no ceiling was given
    # Without noise every voxel is a unit of the network: theta is as small as other weights.
    assert_allclose(to_brain["theta_corrected"], to_brain["theta"], atol=0.02)
    assert to_brain["theta_observed"] > to_brain["theta_corrected"] + 0.1
    assert pd.isna(back["theta_corrected"])
    mean = found["network", "brain"].r.mean() / ceiling.values.mean()
    assert_allclose(to_brain["r_normalized"], mean)
    frame = found.to_frame().set_index(["features", "targets", "target"])
    assert_allclose(
        frame.loc[("network", "brain"), "r_normalized"] * ceiling.values,
        found["network", "brain"].r,
    )
    assert len(frame) == 6


def test_pooled_subjects_predict_better_than_each():
    rng = np.random.default_rng(0)
    signal = rng.standard_normal((2000, 3))
    subjects = halves({f"s{k}": signal + rng.standard_normal((2000, 3)) for k in range(4)}, 1000)
    options = {"encoder": Ridge(), "systems": subjects[0], "systems_test": subjects[1]}
    each = [side.r.mean() for side in mutual_alignment(**options).sides.values()]
    others = [
        side.r.mean() for side in mutual_alignment(**options, features="others").sides.values()
    ]
    # The mean of k noisy subjects, and one noisy target, share 1 / sqrt((1 + 1 / k) * 2).
    assert_allclose(each, 1 / 2, atol=0.05)
    assert_allclose(others, np.sqrt(3 / 8), atol=0.05)


def test_matchings_get_the_same_units_and_ceilings(systems):
    pytest.importorskip("pandas")
    training, test = halves(systems)
    ceilings = {"s1": NoiseCeiling(np.array([0.9, 0.0, 0.8]), "r")}
    match = partial(partial_soft_matching, fraction=0.5)
    for features, pair in (("each", ("s1", "s3")), ("others", ("others", "s3"))):
        found = mutual_alignment(
            ENCODER, training, test, features=features, ceilings=ceilings, matching=match
        )
        sources = ["s1"] if features == "each" else ["s1", "s2"]
        values = [ceilings["s1"].values, *([np.ones(5)] if features == "others" else [])]
        expected = match(
            np.hstack([training[n] for n in sources]),
            training["s3"],
            np.hstack([test[n] for n in sources]),
            test["s3"],
            ceiling_x=NoiseCeiling(np.concatenate(values), "r"),
        )
        assert_allclose(found.matchings[pair].score, expected.score)
        table = found.summary_frame().set_index(["features", "targets"])
        assert_allclose(table.loc[pair, "matching"], expected.score)


def test_targets_without_ceiling_leave_the_mean_and_names_stay(systems):
    pd = pytest.importorskip("pandas")
    training, test = (
        part | {"s1": pd.DataFrame(part["s1"], columns=["u", "v", "w"])} for part in halves(systems)
    )
    ceilings = {"s1": NoiseCeiling(np.array([0.9, np.nan, 0.8]), "r")}
    found = mutual_alignment(ENCODER, training, test, ceilings=ceilings)
    side = found["s2", "s1"]
    assert_array_equal(side.target_names, ["u", "v", "w"])
    row = found.summary_frame().iloc[0]
    assert_allclose(row["r_normalized"], side.r[[0, 2]].sum() / 1.7)
    assert_array_equal(found.to_frame()["target"][:3], ["u", "v", "w"])
    with pytest.raises(ValueError, match="systems_test"):
        mutual_alignment(ENCODER, training, test | {"s1": test["s1"][["w", "v", "u"]]})


def test_units_that_do_not_vary_are_harmless(systems):
    training, test = halves(systems)
    for part in (training, test):
        part["s1"] = np.column_stack([part["s1"], np.full(150, 7.0)])
    found = mutual_alignment(ENCODER, training, test)
    assert np.isnan(found["s2", "s1"].r[3])
    assert found["s2", "s1"].n_active[3] == 0
    assert_array_equal(found["s1", "s3"].n_active > 0, [True, True])


def test_bad_arguments_are_refused(systems):
    training, test = halves(systems)
    cases = [
        ((list(training.values()), test), {}, TypeError, "systems must be a dict"),
        (({"s1": training["s1"]}, {"s1": test["s1"]}), {}, ValueError, "at least 2; got 1"),
        ((training, {"s1": test["s1"]}), {}, ValueError, "systems_test must have the systems"),
        ((training | {"s1": training["s1"][1:]}, test), {}, ValueError, "same images"),
        ((training, test), {"features": "all"}, ValueError, 'features must be "each"'),
        ((training, test), {"ceilings": {"s4": None}}, ValueError, "got 's4'"),
        ((training, test), {"ceilings": {"s1": np.ones(3)}}, TypeError, "NoiseCeiling"),
        ((training, test), {"standardize": 1}, TypeError, "standardize"),
    ]
    for systems_given, options, error, message in cases:
        with pytest.raises(error, match=message):
            mutual_alignment(ENCODER, *systems_given, **options)
    with pytest.raises(KeyError, match="must be a pair"):
        mutual_alignment(ENCODER, training, test)["s1"]


def test_asymmetry_is_that_of_both_directions_without_the_same_images(systems):
    training, test = halves(systems)
    groups = np.repeat(np.arange(10), 15)
    limits = {name: NoiseCeiling(np.full(X.shape[1], 0.8), "r") for name, X in systems.items()}
    limits["s3"] = NoiseCeiling(np.array([0.9, 0.5]), "r")
    del limits["s2"]
    options = {"confidence_level": 0.9, "test_groups": groups, "ceilings": limits}
    found = mutual_alignment(ENCODER, training, test, **options)
    for first, second, divisors in (("s1", "s3", (0.7, 0.8)), ("s2", "s1", (0.8, 1.0))):
        interval = found.asymmetry(first, second)

        def difference(one, divisors=divisors, first=first, second=second):
            means = one[first, second].summary()["r"], one[second, first].summary()["r"]
            return means[0] / divisors[0] - means[1] / divisors[1]

        assert interval.estimate == pytest.approx(difference(found))
        left_out = [
            difference(
                mutual_alignment(
                    ENCODER, training, test, test_sample_weight=(groups != group).astype(float)
                )
            )
            for group in range(10)
        ]
        error = np.sqrt(9 / 10 * np.sum((left_out - np.mean(left_out)) ** 2))
        assert interval.standard_error == pytest.approx(error)
        assert interval.high - interval.estimate == pytest.approx(stdtrit(9, 0.95) * error)
        assert found.asymmetry(second, first).estimate == pytest.approx(-interval.estimate)
    expected = bootstrap_alignment(
        ENCODER.__class__(alpha=0.05).fit(*(standardized(training)[n] for n in ("s1", "s2"))),
        *(standardized(training, test)[n] for n in ("s1", "s2")),
        groups=groups,
        confidence_level=0.9,
    )
    of_map = found.intervals["s1", "s2"]
    assert_allclose([of_map.r.low, of_map.theta.high], [expected.r.low, expected.theta.high])


def standardized(training, scored=None):
    return {
        name: StandardScaler().fit(X).transform((scored or training)[name])
        for name, X in training.items()
    }


def test_asymmetry_needs_intervals_both_directions_and_ceilings(systems):
    training, test = halves(systems)
    found = mutual_alignment(ENCODER, training, test)
    assert found.intervals == {}
    with pytest.raises(ValueError, match="confidence_level must be given to mutual_alignment"):
        found.asymmetry("s1", "s2")
    others = mutual_alignment(ENCODER, training, test, features="others", confidence_level=0.95)
    with pytest.raises(KeyError, match=r"got \('s1', 's2'\)"):
        others.asymmetry("s1", "s2")
    limits = {"s1": NoiseCeiling(np.array([0.5, 0.0, np.nan]), "r")}
    found = mutual_alignment(ENCODER, training, test, ceilings=limits, confidence_level=0.95)
    with pytest.raises(ValueError, match=r"ceilings\['s1'\] must be above 0 .* got 2 of 3"):
        found.asymmetry("s1", "s2")
    with pytest.raises(ValueError, match="confidence_level"):
        mutual_alignment(ENCODER, training, test, confidence_level=1.5)
