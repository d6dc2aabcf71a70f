"""
Subjects who saw different images
=================================

Four subjects see 100 images in common, and each some images of their own, as in the Natural Scenes
Dataset. In one table of all voxels, most responses are then missing. Should an encoder be fitted to
the common images only? Should the gaps be filled with the mean of a voxel? Or should every voxel be
fitted to the images that its subject saw? A simulated cortex.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.preprocessing import scale

from skalign import PearsonScorer, SelectiveUnitLocalizer, SparsePositiveEncoderCV
from skalign.datasets import make_selective_cortex

cortex = make_selective_cortex(
    n_voxels=[30, 1], n_train=900, n_validation=0, n_test=300, random_state=2
)
units = SelectiveUnitLocalizer("faces", n_units=100).fit(cortex.X_localizer, cortex.category)
X, X_test = (scale(units.transform(X)) for X in (cortex.X_train, cortex.X_test))
y, y_test = (
    scale(np.hstack([responses[subject, "FFA"] for subject in cortex.subjects]))
    for responses in (cortex.y_train, cortex.y_test)
)
subject, image = np.repeat(range(4), 30), np.arange(900)[:, np.newaxis]
n_common = 100

# %%
# Three ways to fit the same encoder, for more and more images that a single subject saw. All are
# scored on 300 images that everybody saw.

n_own = np.array([25, 50, 100, 150, 200])
names = ["common images only", "gaps filled with the mean", 'missing="mask"']
R2, r, r_of_folds = np.empty((3, len(names), len(n_own)))
for k, n in enumerate(n_own):
    saw = (image < n_common) | ((image - n_common) // n == subject)  # (images, voxels)
    kept = saw.any(axis=1)
    observed = np.where(saw, y, np.nan)[kept]
    filled = np.where(np.isnan(observed), np.nanmean(observed, axis=0), observed)
    data = [(X[:n_common], y[:n_common]), (X[kept], filled), (X[kept], observed)]
    for way, (features, responses) in enumerate(data):
        encoder = SparsePositiveEncoderCV(missing="mask").fit(features, responses)
        R2[way, k] = encoder.score(X_test, y_test)
        r[way, k] = PearsonScorer()(encoder, X_test, y_test)
        r_of_folds[way, k] = encoder.cv_results_["mean_test_r"].max(axis=0).mean()

figure, axes = plt.subplots(1, 2, figsize=(7, 3), layout="constrained")
for way, (name, style) in enumerate(zip(names, ("--", ":", "-"), strict=True)):
    axes[0].plot(n_own, R2[way], style, color="black", label=name)
    axes[1].plot(n_own, r_of_folds[way] - r[way], style, color="black")
axes[0].set(ylabel="mean R2 on new images\n(high: accurate)", xlabel="own images of each subject")
axes[1].set(ylabel="r in folds minus r on new images", xlabel="own images of each subject")
axes[1].axhline(0, color="0.8", linewidth=1, zorder=0)
axes[0].set_ylim(0.14, 0.36)
axes[0].legend(frameon=False, loc="upper left")
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)

# %%
# **With the mask, own images help**: mean R2 is 0.25 on the common images alone, and rises to 0.28.
# **With filled gaps, they harm**: a gap says that the voxel did not respond to the units, so that
# weights shrink with the share of gaps. R2 falls to 0.16.
#
# Pearson's r ignores that shrinkage, and is the same for both ways to within 0.01. But the r that
# cross-validation reports is taken over the gaps, too: 0.23 for an encoder that reaches 0.53 on new
# images. The folds of the mask are off by 0.03 at most.
#
# So never fill the gaps: fit voxels with ``missing="mask"`` (:doc:`/guide/missing`).
