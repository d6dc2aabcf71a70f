"""
How much of theta is a choice of the analyst?
=============================================

Features standardized or not, with an intercept or without, theta centered or not, to predicted or
to observed responses: studies differ in all four. How much do these choices move theta, on the same
data and with the same encoder?
"""

from skalign import SelectiveUnitLocalizer, SparsePositiveEncoder
from skalign.datasets import make_selective_cortex
from skalign.inference import alignment_multiverse
from skalign.inspection import AlignmentMultiverseDisplay

# %%
# A simulated layer after a ReLU, whose units are never negative, and thirty voxels of a face area.
# Voxels stand in percent of a baseline, far from zero, as responses of scanners do. The simulation
# was built so that the paper's picture appears: it shows how the measures behave, and is no
# evidence about brains.

cortex = make_selective_cortex(n_subjects=1, n_voxels=[30, 1], n_validation=0, random_state=0)
units = SelectiveUnitLocalizer("faces", n_units=100).fit(cortex.X_localizer, cortex.category)
X_train, X_test = units.transform(cortex.X_train), units.transform(cortex.X_test)
y_train, y_test = (100 + y["S1", "FFA"] for y in (cortex.y_train, cortex.y_test))

# %%
# :func:`~skalign.inference.alignment_multiverse` fits the encoder for every combination of the
# first two choices and takes theta by every combination of the others.

found = alignment_multiverse(
    SparsePositiveEncoder("lasso", alpha=0.1), X_train, y_train, X_test, y_test
)
display = AlignmentMultiverseDisplay.from_result(found)
table = found.summary_frame()

# %%
# **Theta runs from 0.19 to 0.78**, for the same voxels, units and penalty. Two lessons:
#
# - *Standardize features and targets.* Then intercept and centering change next to nothing, and
#   theta is 0.19 to the predicted and 0.57 to the observed responses. On raw data each choice
#   counts, for units and voxels that are never negative point the same way before any tuning.
#   Without an intercept, units also have to make up the baseline, and r falls from 0.53 to 0.46.
# - *Say to which responses.* The predicted ones are a mixture of the units in use, and near them by
#   construction. The observed ones are data (:doc:`/guide/low_theta`).
