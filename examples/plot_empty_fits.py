"""
Low theta, or few voxels left?
==============================

A mean theta is over the voxels that have one. Voxels that an encoder leaves without weights have
none, and drop out of the mean. So can an encoder look aligned because it gives up the voxels that
it cannot align? The face and the place area of a simulated cortex, predicted from face units by a
positive lasso at forty values of alpha. The simulation was built so that the paper's picture
appears: it shows how the measures behave, and is no evidence about brains.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.preprocessing import scale

from skalign import SelectiveUnitLocalizer
from skalign.datasets import make_selective_cortex
from skalign.linear_model import sparse_positive_path
from skalign.model_selection import AlignmentFront

cortex = make_selective_cortex(n_subjects=1, n_voxels=60, n_validation=0, random_state=0)
units = SelectiveUnitLocalizer("faces", n_units=100).fit(cortex.X_localizer, cortex.category)
X_train, X_test = (scale(units.transform(X)) for X in (cortex.X_train, cortex.X_test))
y_train, y_test = (
    scale(np.hstack([y["S1", "FFA"], y["S1", "PPA"]])) for y in (cortex.y_train, cortex.y_test)
)

# %%
# Every alpha is a candidate of an :class:`~skalign.model_selection.AlignmentFront`, with means over
# the 120 voxels.

alphas = np.geomspace(0.5, 0.01, 40)
path = sparse_positive_path(X_train, y_train, alphas=alphas)
front = AlignmentFront.from_path(path, X_test, y_test)

figure, axes = plt.subplots(3, 1, figsize=(5, 6.5), sharex=True, layout="constrained")
axes[0].plot(alphas, front.r, color="black")
axes[0].set(ylabel="mean r", xscale="log")
axes[1].plot(alphas, front.penalized_theta, color="black", label="an empty voxel counts as 2")
axes[1].plot(alphas, front.theta, color="black", linestyle=":", label="voxels that have a theta")
axes[1].set_ylabel("mean theta\n(low: aligned)")
axes[1].legend(frameon=False)
axes[2].plot(alphas, front.empty_fraction, color="black")
axes[2].set(ylabel="empty voxels,\nfraction", xlabel="alpha", ylim=(0, 1))
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)

# %%
# From right to left, alpha falls. **At the largest alphas** mean theta is below 0.04, as low as it
# gets. Four in five voxels are empty there, nearly all of the place area among them: what is left
# are single units that predict their own direction. **The dotted line hides this, the solid one
# shows it:** with an empty voxel counted as 2, the worst, the best alpha is 0.07, where 1 % are
# empty, and r is as high as anywhere.
#
# Report the dotted mean with the fraction of empty voxels, and compare encoders by the solid one,
# as searches with :class:`~skalign.AlignmentScorer` and
# :class:`~skalign.SparsePositiveEncoderCV` do (:doc:`/guide/empty_fits`).
