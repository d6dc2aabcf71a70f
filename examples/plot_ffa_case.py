"""
The fusiform face area, predicted from face units and from scene units
======================================================================

The paper's case (Figure 2) where the truth is known: the voxels of a simulated FFA are driven by a
network's face-selective units. They are predicted from these (matched) and from scene-selective
ones (mismatched), by four penalties with signed and with positive weights. Which encoders tell the
two apart? The simulation was built so that the paper's picture appears: it shows how the measures
behave when the claim is true, and is no support for the claim. `nsd_ffa.py` runs the case on your
copy of the Natural Scenes Dataset.
"""

from itertools import product

import matplotlib.pyplot as plt
import numpy as np

from skalign import SelectiveUnitLocalizer, SparsePositiveEncoder
from skalign.benchmark import ModelFeatures, RegionResponses, run_benchmark
from skalign.datasets import make_selective_cortex
from skalign.inspection import EncoderComparisonDisplay, TuningDirectionsDisplay
from skalign.metrics import noise_ceiling

# %%
# A layer of 1000 units, and the FFA of four subjects with as many voxels and as much noise as in
# the dataset (the PPA is not needed here: one voxel). 1000 training and 515 test images, averages
# of three trials.
n_voxels = [[418, 1], [274, 1], [382, 1], [259, 1]]
cortex = make_selective_cortex(
    n_voxels=n_voxels, n_validation=0, return_trials=True, random_state=0
)

# %%
# Selective units are found on a localizer set: for each category the 100 of the highest mean t
# against every other one. Every second image chooses them; the rest show, in the figure, how they
# are tuned.
localizer_images, category = cortex.X_localizer[::2], cortex.category[::2]
localizers = {
    "face": SelectiveUnitLocalizer("faces", n_units=100),
    "scene": SelectiveUnitLocalizer("scenes", n_units=100),
}
groups = {
    name: localizer.fit(localizer_images, category).get_support()
    for name, localizer in localizers.items()
}
planted = {name: (cortex.selectivity[units] == f"{name}s").mean() for name, units in groups.items()}

# %%
# Four penalties, signed and positive, at the alpha of the paper. The benchmark standardizes
# features and voxels by the training images and scores on the test images. Ceilings come from the
# trials of the training images, whose noise the test images do not share.
penalties = ["ols", "ridge", "lasso", "elasticnet"]
encoders = {
    f"{penalty}, {'positive' if positive else 'signed'}": SparsePositiveEncoder(
        penalty, alpha=0.1, positive=positive
    )
    for positive, penalty in product([False, True], penalties)
}
regions = [
    RegionResponses(
        subject,
        "FFA",
        cortex.y_train[subject, "FFA"],
        cortex.y_test[subject, "FFA"],
        ceiling=noise_ceiling(trials=cortex.trials_train[subject, "FFA"]).values,
    )
    for subject in cortex.subjects
]
layer = ModelFeatures("simulated", cortex.X_train, cortex.X_test, localizer=localizer_images)
results = run_benchmark([layer], regions, encoders, units=localizers, categories=category)

# %%
# One row per encoder and group of units: r and theta of every subject, and means over subjects.
design = ["units", "positive", "penalty"]
by_subject = results.pivot(index=design, columns="subject", values=["r", "theta"])
by_subject.columns = [f"{quantity} {subject}" for quantity, subject in by_subject.columns]
measures = ["r", "theta", "n_active", "empty_fraction"]
table = results.groupby(design, sort=False)[measures].mean()
printed = by_subject.loc[table.index].join(table[["n_active", "empty_fraction"]])
printed = printed.rename(columns={"n_active": "active", "empty_fraction": "empty"})
printed.round(2)

# %%
# How the units are tuned, over localizer images that did not choose them and over natural images.
fig, axes = plt.subplots(2, 1, figsize=(5.5, 9), layout="constrained")
views = {"localizer": cortex.X_localizer[1::2], "training": cortex.X_train}
mean_arrows = {}
for ax, (name, images) in zip(axes, views.items(), strict=True):
    view = TuningDirectionsDisplay.from_responses(images, groups, ax=ax)
    ax.set_title(f"The layer's units over {name} images", fontsize="medium")
    ax.locator_params(nbins=5)
    mean_arrows[name] = [view.directions[units].mean(axis=0) for units in view.groups.values()]
face, scene = mean_arrows["localizer"]
angle = np.degrees(np.arccos(face @ scene / np.linalg.norm(face) / np.linalg.norm(scene)))

# %%
# The localizer finds what was planted. Over localizer images face and scene units point apart. Over
# natural images both point everywhere: there the first components are dimensions that units of all
# kinds share.

# %%
# The encoders:
comparison_figure, axes = plt.subplots(
    2, 2, figsize=(6.5, 6.5), sharex=True, sharey="row", layout="constrained"
)
comparison = EncoderComparisonDisplay.from_frame(
    results, matched="face", mismatched="scene", ax=axes
)
axes[0, 0].get_legend().remove()
handles = axes[0, 0].get_legend_handles_labels()
comparison_figure.legend(*handles, loc="outside lower center", ncols=1, frameon=False)
ceiling = results.groupby("subject", sort=False)["ceiling"].first()

# %%
# **Face units** predict the FFA either way, near the ceiling. Positivity costs nothing.
#
# **Scene units** predict it about as well through signed weights: r is at most 0.06 lower, for
# lasso 0.12. Theta tells: it is above 1, so that on average weights are put on units that point
# away from what they predict. Positive weights cannot do this, and r stays below 0.25.
#
# **The trap**: by every penalty, theta of these failed positive fits is lower than that of the good
# ones from face units. This is no alignment. Fewer than 6 of 100 units are active, and theta is
# taken to what the encoder predicts: a single unit is its own prediction. Read theta beside r and
# the number of active units; positive lasso leaves some voxels without any.
#
# OLS and ridge agree because alpha 0.1 is next to no penalty for ridge, whose loss is a sum over
# images; that of lasso and elastic net is a mean. In the guide: :doc:`/guide/localizer`,
# :doc:`/guide/theta`.
