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
from skalign.inspection import AlignmentFrontDisplay, EncoderComparisonDisplay
from skalign.metrics import alignment
from skalign.model_selection import choose

# %%
# Four subjects; an FFA of 40 voxels keeps the example short (the PPA is not needed: one voxel).
cortex = make_selective_cortex(n_voxels=[40, 1], n_train=1000, n_validation=1000, random_state=0)
n_images = len(cortex.X_train), len(cortex.X_validation)
features = {}
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


def fit_and_score(encoder, X, y):
    """Fit, and score on test images; with the median alpha of the voxels, and how many were empty.

    An empty fit has no weights: its r is 0 and it has no theta. It cannot be chosen.
    """
    if isinstance(encoder, SparsePositiveEncoder):
        encoder.fit(X[0], y[0])
        alpha, empty_fits = np.nan if encoder.penalty == "ols" else encoder.alpha, np.nan
    else:
        encoder.fit(np.vstack(X[:2]), np.vstack(y[:2]))
        alpha = np.median(encoder.alpha_)
        empty_fits = (encoder.cv_results_["mean_test_n_active"] == 0).mean()
    found = alignment(encoder, X[2], y[2], undefined_r=0.0)
    theta = pd.Series(found.theta).mean()  # of the voxels that have one
    return {
        "alpha": alpha,
        "r": found.r.mean(),
        "theta": theta,
        "n_active": found.n_active.mean(),
        "empty_fraction": (found.n_active == 0).mean(),
        "empty_fits": empty_fits,
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
        y = [scaler.transform(part[key]) for part in parts]
        for units, positive, penalty, choice in designs:
            encoder = make_encoder(choice, penalty, positive)
            rows.append(
                {"units": units, "positive": positive, "penalty": penalty, "choice": choice}
                | {"subject": subject, "ceiling": cortex.ceiling[key].mean()}
                | fit_and_score(encoder, features[units], y)
            )
            fitted[subject, units, positive, penalty, choice] = encoder
results = pd.DataFrame(rows)

# %%
# One row per encoder, means over subjects; of alpha the median.
design = ["units", "positive", "penalty", "choice"]
by_row = results.groupby(design, sort=False)
measures = ["r", "theta", "n_active", "empty_fraction", "empty_fits"]
table = by_row[measures].mean().assign(alpha=by_row["alpha"].median())
wide = table[["alpha", "r", "theta", "n_active"]].unstack("choice", sort=False)
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
# alpha 0.1 hardly penalizes. A choice for every voxel is no better than one for the region: r
# differs by less than 0.01.

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
# positive lasso minimizes the sum of the weights, of which theta is made. ``select="one_se"`` takes
# the same alpha for more than four fifths of these voxels. In the guide: :doc:`/guide/choosing`.
