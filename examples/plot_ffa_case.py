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

from dataclasses import replace
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skalign import SelectiveUnitLocalizer, SparsePositiveEncoder
from skalign.benchmark import ModelFeatures, RegionResponses, run_benchmark
from skalign.datasets import make_selective_cortex
from skalign.inference import (
    bootstrap_alignment_difference,
    crossed_mean,
    equivalence_test,
    reorientation_floor,
)
from skalign.inspection import EncoderComparisonDisplay, TuningDirectionsDisplay
from skalign.metrics import correct_reorientation, noise_ceiling

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
ceilings = {s: noise_ceiling(trials=cortex.trials_train[s, "FFA"]) for s in cortex.subjects}
regions = [
    RegionResponses(
        subject,
        "FFA",
        cortex.y_train[subject, "FFA"],
        cortex.y_test[subject, "FFA"],
        ceiling=ceilings[subject],
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
measures = ["r", "theta", "theta_floor", "theta_observed", "n_active", "empty_fraction"]
table = results.groupby(design, sort=False)[measures].mean()
table.loc[~table.index.get_level_values("positive"), "theta_floor"] = np.nan  # of few voxels only
printed = by_subject.loc[table.index].join(table.drop(columns=["r", "theta"]))
names = {"theta_floor": "floor", "theta_observed": "observed", "n_active": "active"}
printed = printed.rename(columns=names | {"empty_fraction": "empty"})
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
# taken to what the encoder predicts: a single unit is its own prediction. Their theta is the floor,
# within 0.03: what so few units have by geometry, whatever they are tuned to. Read theta beside r
# and the number of active units; positive lasso leaves some voxels without any.
#
# OLS and ridge agree because alpha 0.1 is next to no penalty for ridge, whose loss is a sum over
# images; that of lasso and elastic net is a mean.

# %%
# How sure is this, and what is theta without the noise of the voxels? That takes the fits
# themselves, here without OLS. A difference in r is resampled over subjects and test images, which
# are crossed: all subjects saw the same. "Equally good" is a claim of its own. It needs a margin,
# here 0.05, a tenth of the noise ceiling. The margin was chosen when runs of this simulation were
# known; on data of your own, state it before you look at them. The observed theta is corrected for
# the noise of the responses. Its floor is that of the same weights on other units of the group.
margin = 0.05
X = {}
for name, selected in groups.items():
    scaler = StandardScaler().fit(cortex.X_train[:, selected])
    X[name] = [scaler.transform(part[:, selected]) for part in (cortex.X_train, cortex.X_test)]
fitted = {name: encoder for name, encoder in encoders.items() if "ols" not in name}
rows, differences = [], {name: [] for name in fitted}
with threadpool_limits(1, user_api="blas"):
    for subject in cortex.subjects:
        scaler = StandardScaler().fit(cortex.y_train[subject, "FFA"])
        parts = cortex.y_train, cortex.y_test
        y, y_test = (scaler.transform(part[subject, "FFA"]) for part in parts)
        for name, encoder in fitted.items():
            sides = {
                units: (clone(encoder).fit(X_train, y), X_test)
                for units, (X_train, X_test) in X.items()
            }
            found = bootstrap_alignment_difference(sides, y_test, center=True)
            differences[name].append(found.r.pseudovalues())
            for units, (model, X_test) in sides.items():
                own = found.sides[units]
                moved = reorientation_floor(model, X_test, y_test, n_resamples=10, random_state=0)
                thetas = {
                    "observed": own,
                    "floor": replace(own, theta_observed=moved.theta_observed_floor),
                }
                rows.append(
                    {"encoder": name, "units": units, "subject": subject}
                    | {
                        of: correct_reorientation(one, ceilings[subject]).mean
                        for of, one in thetas.items()
                    }
                )
corrected = pd.DataFrame(rows)
crossed = {
    name: crossed_mean(values, factors=("subjects", "images"))
    for name, values in differences.items()
}
tests = {name: equivalence_test(mean, margin) for name, mean in crossed.items()}
pd.concat({name: test.to_frame() for name, test in tests.items()}).droplevel(1).round(3)

# %%
# Above, r: filled where the test finds both groups equally good. Below, theta.
sure_figure, (upper, lower) = plt.subplots(
    2, 1, figsize=(5.5, 7.5), sharey=True, layout="constrained"
)
at = {name: place for place, name in enumerate(fitted)}
upper.axvspan(-margin, margin, color="0.88", label=f"margin: {margin} in r")
upper.axvline(0, color="0.6", linewidth=0.8)
for name, test in tests.items():
    upper.plot([test.low, test.high], [at[name]] * 2, color="black")
    upper.plot(test.estimate, at[name], "ko", fillstyle="full" if test.is_equivalent else "none")
upper.set(xlabel="r from face units - r from scene units\n(90 % over subjects and images)")
styles = {"face": ("#0072B2", "o", -0.12), "scene": ("#D55E00", "s", 0.12)}
for units, (color, marker, side) in styles.items():
    of_units = corrected[corrected["units"] == units]
    places = of_units["encoder"].map(at) + side
    label = f"{units} units, a subject"
    lower.scatter(of_units["observed"], places, 22, color=color, marker=marker, label=label)
    label = "same weights on other such units" if units == "face" else None
    lower.scatter(of_units["floor"], places, 70, color=color, marker="|", label=label)
lower.set(xlabel="Observed θ without noise (low: aligned)", xlim=(0, 1.25))
names = [name.replace("elasticnet", "elastic net") for name in at]
lower.set_yticks(list(at.values()), names)
lower.invert_yaxis()
style = {"frameon": False, "fontsize": "small", "columnspacing": 1.0, "handletextpad": 0.3}
for ax in (upper, lower):
    ax.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=2, **style)

# %%
# **Equally good?** By signed ridge, yes: from scene units r is lower by 0.015, and the 90 %
# interval lies within the margin. By signed elastic net the difference is about the margin itself:
# equivalence is not shown. By signed lasso it is 0.1, and by positive weights nearly 0.4.
#
# **Theta without noise** undoes the trap. The observed theta of positive fits is 0.2 to 0.4 from
# face units, and above 0.7 from scene units. The floor adds what no single number shows: of signed
# ridge from face units, theta is hardly below that of the same weights on other face units. Which
# face unit gets which weight matters little there. Lasso and elastic net choose: their theta is
# about half of the floor.

# %%
# Last, two measures that need no theta, as columns of the benchmark: how much r falls when the
# units are rotated at random, and how well units and voxels match one by one, without weights.
few = {name: encoders[name] for name in ["ridge, signed", "lasso, positive"]}
measured = run_benchmark(
    [layer],
    regions,
    few,
    units=localizers,
    categories=category,
    measures=["axis_alignment", "soft_matching"],
    n_resamples=10,
)
names = ["r", "axis_alignment", "soft_matching"]
by_axes = measured.groupby(["encoder", "units"], sort=False)[names].mean()
by_axes.round(2)

# %%
# Signed ridge does not see a rotation, whatever the units. Positive lasso does. Rotated units are
# mixtures with signs, which point everywhere, and a positive fit picks those that suit. From scene
# units r would rise by 0.2 or more. From face units it falls by about 0.01: what helps these is
# where they point as a group. A match of single units with single voxels tells the groups apart
# without any fit. In the guide: :doc:`/guide/localizer`, :doc:`/guide/low_theta`,
# :doc:`/guide/measures`.
