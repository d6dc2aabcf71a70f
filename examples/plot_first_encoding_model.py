"""
A first encoding model
======================

Which units does a brain area follow? This tutorial answers it step by step for voxels that prefer
houses: from arrays to noise ceilings, a localizer, an encoder, and the numbers to report. It takes
a minute, on real fMRI that ships with skalign (Haxby et al., 2001). The units are voxels too, of
the same slice, so that nothing has to be downloaded; with a network they are the units of a layer.
"""

# %%
# 1. Arrays
# ---------
#
# An encoding model needs features of shape (samples, units) and responses of shape (samples,
# voxels). A sample here is a block of nine volumes, in which one person saw images of one category.
# The volumes of a block are not independent, so they are averaged: 12 runs of 8 categories.

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.model_selection import LeaveOneGroupOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skalign import SelectiveUnitLocalizer, SparsePositiveEncoderCV
from skalign.datasets import load_haxby_slice
from skalign.inference import alignment_null
from skalign.inspection import UNIT_COLORS, AlignmentDisplay, NoiseCeilingDisplay
from skalign.metrics import alignment, average_repeats, noise_ceiling, noise_ceiling_snr

haxby = load_haxby_slice()
n_runs, categories = 12, haxby.target_names
blocks = [f"{run:02d} {category}" for run, category in zip(haxby.run, haxby.target, strict=True)]
responses, names, _ = average_repeats(haxby.data, blocks)
run = np.repeat(np.arange(n_runs), len(categories))
category = np.tile(categories, n_runs)
print(responses.shape, names[:3])

# %%
# Voxels with an even number serve as units, the others are to be predicted.
#
# Two voxels of one block share noise, as from a movement of the head, and noise that is shared
# looks like a prediction. So the features of a block come from other runs: runs form sets of three,
# and the features of a category in one run are the mean of the other two. The first set localizes,
# two sets are for training and the last one is for the test.

sets = run // 3
by_set = responses.reshape(4, 3, len(categories), -1)
of_other_runs = (by_set.sum(axis=1, keepdims=True) - by_set) / 2
of_other_runs = of_other_runs.reshape(responses.shape)
localizing, train, test = sets == 0, (sets == 1) | (sets == 2), sets == 3
is_unit = np.arange(responses.shape[1]) % 2 == 0

# %%
# 2. The localizer
# ----------------
#
# :class:`~skalign.SelectiveUnitLocalizer` ranks units by how much more they respond to one category
# than to every other. We take 30 units for houses (matched) and 30 for faces (mismatched), and the
# 30 voxels that prefer houses.

units = {
    preferred: SelectiveUnitLocalizer(preferred, n_units=30).fit(
        responses[localizing][:, is_unit], category[localizing]
    )
    for preferred in ("house", "face")
}
voxels = SelectiveUnitLocalizer("house", n_units=30).fit(
    responses[localizing][:, ~is_unit], category[localizing]
)
y = voxels.transform(responses[:, ~is_unit])

# %%
# 3. The noise ceiling
# --------------------
#
# How well could a perfect model do? Repeats tell: the same category in another run. A ceiling is
# defined for what is predicted without its own noise, as here; had the features come from the same
# block, r could exceed it. Voxels are chosen by the training runs alone: a voxel that is chosen
# because its test runs agree has seen the test.

is_reliable = noise_ceiling_snr(y[train], category[train]) > 0.4
y = y[:, is_reliable]
ceiling = noise_ceiling(noise_ceiling_snr(y[train], category[train]), n_repeats=1)
print(f"{y.shape[1]} voxels, mean ceiling of r {ceiling.values.mean():.2f}")

# %%
# 4. The encoder
# --------------
#
# :class:`~skalign.SparsePositiveEncoderCV` chooses alpha for every voxel by cross-validation. Whole
# sets of runs are held out, because features mix the runs of a set. Beside the positive lasso
# stands what most studies use: ridge, with weights of any sign. Some voxels stay without weights,
# and the encoder warns of them; the table counts them, so the warning is switched off.

warnings.filterwarnings("ignore", message=".*left empty")


def make_encoder(penalty, positive):
    encoder = SparsePositiveEncoderCV(penalty, alphas=20, cv=LeaveOneGroupOut(), positive=positive)
    return make_pipeline(StandardScaler(), encoder)


fitted, features = {}, {}
for preferred, localizer in units.items():
    X = features[preferred] = localizer.transform(of_other_runs[:, is_unit])
    for penalty, positive in [("ridge", False), ("lasso", True)]:
        model = make_encoder(penalty, positive)
        model.fit(X[train], y[train], sparsepositiveencodercv__groups=sets[train])
        fitted[preferred, penalty] = model

# %%
# 5. Three numbers, always together
# ---------------------------------
#
# :func:`~skalign.metrics.alignment` gives for every voxel the correlation r of predicted and
# observed responses, the reorientation theta, and the number of active units. Theta to the observed
# responses, centered over images, is a mean correlation distance between the voxel and the units
# that the map uses for it. Low is aligned.

rows = {}
for (preferred, penalty), model in fitted.items():
    X_test = features[preferred][test]
    means = alignment(model, X_test, y[test], center=True).summary()
    rows[preferred, "positive lasso" if penalty == "lasso" else "signed ridge"] = {
        "r": means["r"],
        "theta, observed": means["theta_observed"],
        "theta, predicted": means["theta"],
        "active units": means["n_active"],
        "empty": means["empty_fraction"],
    }
table = pd.DataFrame(rows).T.rename_axis(["units", "encoder"])
table.round(2)

# %%
# The first two columns as a figure:

figure, axes = plt.subplots(1, 2, figsize=(5.2, 3.2), layout="constrained")
labels = {"r": "r on test runs (high: predicted)", "theta, observed": "theta (low: aligned)"}
for ax, (column, label) in zip(axes, labels.items(), strict=True):
    for preferred, name, marker in [("house", "matched", "o"), ("face", "mismatched", "s")]:
        style = {"color": UNIT_COLORS[name], "markersize": 9}
        ax.plot(table.loc[preferred, column], marker, label=name, **style)
    ax.set(title=label, xlim=(-0.5, 1.5))
    ax.title.set_fontsize("medium")
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylim(0, 0.65)
axes[0].axhline(ceiling.values.mean(), color="gray", linestyle=":")
axes[0].text(0.5, ceiling.values.mean() + 0.01, "noise ceiling", color="gray", ha="center")
axes[1].set_ylim(0, 1.2)
axes[1].axhline(1, color="gray", linestyle=":")
axes[1].text(0.5, 1.08, "unrelated tuning", color="gray", ha="center")
axes[1].legend(loc="lower right", title="units", frameon=False)

# %%
# **Matched units.** Both encoders predict the voxels: r is about 0.4, of a ceiling of 0.59. The
# lasso needs 6 of the 30 units, the ridge nearly all. Their observed theta is about 0.7, well below
# 1: the units that the maps use respond like the voxels.
#
# **Mismatched units.** The ridge still predicts something from face units, an r of 0.17. It does so
# with an observed theta of 1: the units that it uses are unrelated to the voxels on average, and
# negative weights turn some of them around. Positive weights cannot. Half of the voxels get no
# weights at all, and r falls to 0.07.
#
# The theta of *predicted* responses of the lasso is low for both kinds of units. It says that the
# few units in use resemble their own prediction, which is nearly true by construction. That is why
# the observed one comes first here.

# %%
# 6. r against the ceiling
# ------------------------
#
# A point is a voxel, here of the lasso. Points near the line are explained as well as the noise
# allows; with 24 test samples, some chance is in every point.

scores = {
    kind: alignment(fitted[preferred, "lasso"], features[preferred][test], y[test]).r
    for kind, preferred in [("matched", "house"), ("mismatched", "face")]
}
against_ceiling = NoiseCeilingDisplay.from_scores(scores, ceiling)

# %%
# Matched units give 65 % of what the noise allows, mismatched units 12 %. Hollow points at 0 are
# voxels that the lasso left without weights.

# %%
# 7. Is theta low?
# ----------------
#
# Low compared to what? :func:`~skalign.inference.alignment_null` fits the same model to 30 units
# drawn at random from all 265, a hundred times, and compares r and theta with those of the matched
# units. Theta is compared at equal numbers of active units, because few units have a low theta
# whatever they are.

null = alignment_null(
    fitted["house", "lasso"],
    features["house"][train],
    y[train],
    features["house"][test],
    y[test],
    null="units",
    pool=of_other_runs[train][:, is_unit],
    pool_test=of_other_runs[test][:, is_unit],
    target="observed",
    center=True,
    groups=sets[train],
    n_resamples=100,
    random_state=0,
)
for name in ["r", "theta_observed", "excess_theta", "region_p_value_r", "region_p_value_theta"]:
    print(f"{name:22}{null.summary()[name]:.3f}")
_, axes = plt.subplots(2, 1, figsize=(5, 7.5), layout="constrained")
display = AlignmentDisplay.from_null(null, ceilings=ceiling, ax=axes)

# %%
# The figure shows every voxel beside its null fits, and their mean beside the means of null fits.
#
# The region as a whole: theta is lower than that of random units, by 0.10, with p = 0.01, the least
# that a hundred draws can give; for r, p = 0.05. No single voxel stands out after a correction for
# 20 tests (``null.familywise_p_value_theta``). So what one may say is about these voxels as a
# group, and about this person: the house units are better aligned with them than other units are.

# %%
# 8. The map
# ----------
#
# The weights themselves: a row is a voxel, a column a unit, both in the order of the slice. With an
# atlas or a mask, the numbers of step 5 go back onto the brain (:doc:`/guide/data`).

figure, axes = plt.subplots(2, 1, figsize=(4.5, 5), layout="constrained")
for ax, (penalty, title) in zip(
    axes, {"lasso": "positive lasso", "ridge": "signed ridge"}.items(), strict=True
):
    coef = fitted["house", penalty][-1].coef_
    image = ax.imshow(coef, cmap="RdBu_r", vmin=-0.2, vmax=0.2, aspect="auto")
    ax.set(xlabel="unit", ylabel="voxel", title=title)
figure.colorbar(image, ax=axes, label="weight", extend="both")

# %%
# Positive weights pick a few units for a voxel. The ridge spreads its weights over all units, and
# pits some against others.
#
# Where next? :doc:`/guide/choosing` on alpha, layers and leaks, :doc:`/guide/theta` on what theta
# can and cannot say, and :doc:`the other examples </auto_examples/index>`.
