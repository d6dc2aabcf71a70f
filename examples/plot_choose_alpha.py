"""
Does choosing alpha change what the encoders say?
=================================================

The paper's encoders all have alpha 0.1. Here each chooses its own among ten from 0.01 to 10000, on
1000 validation images, one for a whole region or one for every voxel (Figure 4, appendix A.4), and
is then scored on test images that chose nothing. The cortex is simulated: face units drive the
FFA, and scene units do not. Do signed weights still predict it from scene units, and positive ones
still not? The simulation was built to show this; that the choice of alpha leaves it alone is what
can be learned here.
"""

from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.model_selection import PredefinedSplit
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skalign import SelectiveUnitLocalizer, SparsePositiveEncoder, SparsePositiveEncoderCV
from skalign.datasets import make_selective_cortex
from skalign.inference import (
    alignment_multiverse,
    bootstrap_alignment_difference,
    crossed_mean,
    equivalence_test,
)
from skalign.inspection import (
    AlignmentFrontDisplay,
    AlignmentMultiverseDisplay,
    EncoderComparisonDisplay,
)
from skalign.metrics import NoiseCeiling, alignment, correct_reorientation
from skalign.model_selection import choose

# %%
# Four subjects; an FFA of 40 voxels keeps the example short (the PPA is not needed: one voxel).
cortex = make_selective_cortex(n_voxels=[40, 1], n_train=1000, n_validation=1000, random_state=0)
n_images = len(cortex.X_train), len(cortex.X_validation)
features, responses = {}, {}
for units in ["face", "scene"]:
    localizer = SelectiveUnitLocalizer(f"{units}s").fit(cortex.X_localizer, cortex.category)
    parts = (localizer.transform(cortex[f"X_{part}"]) for part in ["train", "validation", "test"])
    train, *others = parts
    scaler = StandardScaler().fit(train)
    features[units] = [scaler.transform(part) for part in (train, *others)]

# %%
# The validation images are the single held-out fold. With ``refit="train"`` they choose alpha and
# nothing else: the weights are those of the training images. OLS has no alpha to choose.
alphas = np.logspace(-2, 4, 10)
validation = PredefinedSplit(np.repeat([-1, 0], n_images))
choices = ["alpha 0.1", "chosen per region", "chosen per voxel"]


def make_encoder(choice, penalty, positive):
    if choice == "alpha 0.1" or penalty == "ols":
        return SparsePositiveEncoder(penalty, alpha=0.1, positive=positive)
    return SparsePositiveEncoderCV(
        penalty,
        alphas,
        cv=validation,
        refit="train",
        alpha_per_target=choice == "chosen per voxel",
        positive=positive,
    )


def fit_and_score(encoder, X, y, ceiling):
    """Fit, and score on test images; with the median alpha of the voxels, and how many were empty.

    An empty fit has no weights: its r is 0 and it has no theta. It cannot be chosen. The observed
    theta is corrected for the noise of the voxels.
    """
    if isinstance(encoder, SparsePositiveEncoder):
        encoder.fit(X[0], y[0])
        alpha, empty_fits = np.nan if encoder.penalty == "ols" else encoder.alpha, np.nan
        alpha_at_edge = np.nan
    else:
        encoder.fit(np.vstack(X[:2]), np.vstack(y[:2]))
        alpha = np.median(encoder.alpha_)
        empty_fits = (encoder.cv_results_["mean_test_n_active"] == 0).mean()
        alpha_at_edge = encoder.alpha_at_edge_.mean()
    found = alignment(encoder, X[2], y[2], undefined_r=0.0)
    theta = pd.Series(found.theta).mean()  # of the voxels that have one
    centered = alignment(encoder, X[2], y[2], center=True)
    return {
        "alpha": alpha,
        "r": found.r.mean(),
        "theta": theta,
        "n_active": found.n_active.mean(),
        "empty_fraction": (found.n_active == 0).mean(),
        "empty_fits": empty_fits,
        "theta_corrected": correct_reorientation(centered, NoiseCeiling(ceiling, "r")).mean,
        "alpha_at_edge": alpha_at_edge,
    }


# %%
# BLAS gets one thread: several wait for each other where cores are busy.
penalties = ["ols", "ridge", "lasso", "elasticnet"]
designs = list(product(features, [False, True], penalties, choices))
rows, fitted = [], {}
with threadpool_limits(1, user_api="blas"):
    for subject in cortex.subjects:
        key = subject, "FFA"
        scaler = StandardScaler().fit(cortex.y_train[key])
        parts = cortex.y_train, cortex.y_validation, cortex.y_test
        y = responses[subject] = [scaler.transform(part[key]) for part in parts]
        for units, positive, penalty, choice in designs:
            encoder = make_encoder(choice, penalty, positive)
            rows.append(
                {"units": units, "positive": positive, "penalty": penalty, "choice": choice}
                | {"subject": subject, "ceiling": cortex.ceiling[key].mean()}
                | fit_and_score(encoder, features[units], y, cortex.ceiling[key])
            )
            fitted[subject, units, positive, penalty, choice] = encoder
results = pd.DataFrame(rows)

# %%
# One row per encoder, means over subjects; of alpha the median.
design = ["units", "positive", "penalty", "choice"]
by_row = results.groupby(design, sort=False)
measures = ["r", "theta", "theta_corrected", "n_active", "alpha_at_edge"]
table = (
    by_row[[*measures, "empty_fraction", "empty_fits"]]
    .mean()
    .assign(alpha=by_row["alpha"].median())
)
wide = table[["alpha", *measures]].drop(columns="alpha_at_edge").unstack("choice", sort=False)
wide.round(2)

# %%
# Alpha 0.1 first, then alpha chosen per region.
for choice in choices[:2]:
    fig, axes = plt.subplots(
        2, 2, figsize=(7, 6.5), sharex=True, sharey="row", layout="constrained"
    )
    EncoderComparisonDisplay.from_frame(
        results[results["choice"] == choice], matched="face", mismatched="scene", ax=axes
    )
    fig.suptitle(choice)
    axes[0, 0].get_legend().remove()
    handles = axes[0, 0].get_legend_handles_labels()
    fig.legend(*handles, loc="outside lower center", ncols=1, frameon=False)

# %%
# **The picture stays.** Scene units predict the FFA through signed weights, with an r above 0.45
# and a theta above 1. Through positive ones they do not: r is below 0.25. Face units do with
# either.
#
# **What changes is signed**: scene units gain, and so does signed ridge from face units, which
# alpha 0.1 hardly penalizes. The observed theta, without the noise of the voxels, is below 0.45
# from face units and above 0.65 from scene units, whatever the penalty, its sign and its alpha. The
# theta of predictions is lower from scene units by every positive encoder: a few units are nearly
# their own prediction.

# %%
# Empty fits count as r = 0, and none is chosen. On standardized data a lasso is empty from alpha 1
# on: 7 of the 10 alphas.
empty_fits = table["empty_fits"].xs("chosen per region", level="choice")
fixed, per_region, per_voxel = (table.xs(choice, level="choice") for choice in choices)
left_empty = max(per_region["empty_fraction"].max(), per_voxel["empty_fraction"].max())
encoder = fitted["S1", "face", True, "lasso", "chosen per voxel"]
tried = encoder.cv_results_
some = ~(tried["mean_test_n_active"] == 0).all(axis=1)
r, r_se, theta = (
    tried[name][some].mean(axis=1)
    for name in ["mean_test_r", "se_test_r", "mean_test_penalized_theta"]
)
n_active = tried["mean_test_n_active"][some].mean(axis=1)
names = {"r": "mean_test_r", "r_se": "se_test_r", "theta": "mean_test_penalized_theta"}
scores = {name: tried[column] for name, column in names.items()}
scores["n_active"] = tried["mean_test_n_active"]
by_theta, by_strength = (choose(rule, **scores) for rule in ["least_reorientation", "one_se"])
alike = (by_theta == by_strength).mean()

# %%
# What one encoder could choose from: positive lasso from face units, subject S1.
front_figure, ax = plt.subplots(figsize=(5.5, 4.5), layout="constrained")
front = AlignmentFrontDisplay.from_encoder_cv(encoder, ax=ax)

# %%
# Theta is not what was chosen. Where r is flat, within its standard errors, theta goes from one
# value to more than twice that. ``select="least_reorientation"`` lets theta decide. But on a lasso
# path this chooses sparsity by another name: the number of active units falls with theta, for
# positive lasso minimizes the sum of the weights, of which theta is made. So does the floor, the
# theta that as many units have by geometry alone. ``select="one_se"`` takes the same alpha for more
# than four fifths of these voxels.
floor, observed = (
    tried[name][some].mean(axis=1) for name in ["mean_test_theta_floor", "mean_test_theta_observed"]
)
along = {"n_active": n_active, "theta": theta, "theta_floor": floor, "theta_observed": observed}
path = pd.DataFrame(along | {"r": r}, index=pd.Index(alphas[::-1][some], name="alpha"))
path.round(3)

# %%
# Does it matter how alpha is chosen? That two choices are equally good is a claim with a margin,
# here 0.01 in r. It was chosen when runs of this simulation were known; on data of your own, state
# it before you look at them. Differences are resampled over subjects and test images.
margin = 0.01
compared = {
    "per voxel - per region": choices[:0:-1],
    "per region - alpha 0.1": choices[1::-1],
}
tests = {}
with threadpool_limits(1, user_api="blas"):
    for (label, pair), units, positive, penalty in product(
        compared.items(), features, [False, True], penalties[1:]
    ):
        values = []
        for subject, y in responses.items():
            sides = {
                choice: (fitted[subject, units, positive, penalty, choice], features[units][2])
                for choice in pair
            }
            found = bootstrap_alignment_difference(sides, y[2], center=True)
            values.append(found.r.pseudovalues())
        sign = "positive" if positive else "signed"
        crossed = crossed_mean(values, factors=("subjects", "images"))
        tests[label, f"{units} units, {sign} {penalty}"] = equivalence_test(crossed, margin)
is_equivalent = pd.Series({key: test.is_equivalent for key, test in tests.items()})

margin_figure, ax = plt.subplots(figsize=(6, 5.5), layout="constrained")
ax.axvspan(-margin, margin, color="0.88", label=f"margin: {margin} in r")
places = {name: k for k, name in enumerate(is_equivalent.index.get_level_values(1).unique())}
for label, color, side in zip(compared, ["#0072B2", "#D55E00"], [-0.15, 0.15], strict=True):
    of_label = {name: test for (other, name), test in tests.items() if other == label}
    at = [places[name] + side for name in of_label]
    ax.hlines(at, *zip(*((t.low, t.high) for t in of_label.values()), strict=True), color=color)
    estimates = [test.estimate for test in of_label.values()]
    ax.scatter(estimates, at, 18, color=color, label=label)
ax.set(xlabel="Difference in r (90 % over subjects and images)")
names = [name.replace("elasticnet", "elastic net") for name in places]
ax.set_yticks(list(places.values()), names)
ax.invert_yaxis()
ax.legend(loc="lower center", bbox_to_anchor=(0.3, 1.0), ncols=2, frameon=False, fontsize="small")

# %%
# **Per voxel or per region**: equally good, for all twelve encoders. **Chosen or 0.1**: equally
# good from face units, but for signed ridge. From scene units all signed encoders gain by the
# choice, and positive lasso.
#
# **The grid** ends too early for lasso: in most regions alpha is chosen at its edge, 0.01, so that
# a smaller one may suit better. ``alpha_at_edge_`` says so of every voxel.
table["alpha_at_edge"].unstack(["penalty", "choice"]).dropna(axis=1).round(2)

# %%
# And the other choices? The same voxels and the same encoder, which chooses alpha for every voxel,
# with and without standardization, an intercept and centering; theta to predicted and to observed
# responses.
localizer = SelectiveUnitLocalizer("faces").fit(cortex.X_localizer, cortex.category)
raw = [localizer.transform(cortex[f"X_{part}"]) for part in ["train", "validation", "test"]]
raw_y = [part["S1", "FFA"] for part in (cortex.y_train, cortex.y_validation, cortex.y_test)]
with threadpool_limits(1, user_api="blas"):
    multiverse = alignment_multiverse(
        make_encoder("chosen per voxel", "lasso", True),
        *(np.vstack(raw[:2]), np.vstack(raw_y[:2])),
        *(raw[2], raw_y[2]),
    )
multiverse_figure, axes = plt.subplots(
    3, 1, figsize=(6.4, 6), height_ratios=[3, 1.5, 2.6], sharex=True, layout="constrained"
)
AlignmentMultiverseDisplay.from_result(multiverse, ax=axes)
universes = multiverse.summary_frame()

# %%
# r hardly notices, theta does: without standardization and centering, that of the predictions is
# anything from 0.06 to 0.5. Once features and voxels are standardized, only one choice is left:
# predicted or observed. In the guide: :doc:`/guide/choosing`, :doc:`/guide/standardize`.
