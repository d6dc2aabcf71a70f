"""
When is the observed theta r times the predicted one?
=====================================================

The observed theta asks whether the units of a map resemble the responses, the predicted theta
whether they resemble the prediction. Centered, ``1 - theta_observed = r * (1 - theta)`` for
positive weights on units of equal variance, and for any map whose residuals are uncorrelated with
the units. Here a hundred voxels that follow six units each are fitted to 150 images, and scored on
2000 others.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LinearRegression

from skalign import SparsePositiveEncoder
from skalign.metrics import alignment

rng = np.random.default_rng(0)
X = rng.standard_normal((2150, 100)) + rng.standard_normal((2150, 1)) / 2
weights = rng.exponential(size=(100, 100)) * (np.argsort(rng.random((100, 100)), axis=0) < 6)
signal = X @ weights
noise = rng.standard_normal(signal.shape) * np.geomspace(0.5, 2, 100)
y = signal / signal.std(axis=0) + noise
train, test = slice(150), slice(150, None)

# %%
# A positive lasso, and least squares with signs, which 100 units overfit to 150 images.
encoders = {
    "positive lasso": SparsePositiveEncoder("lasso", alpha=0.15),
    "signed least squares": LinearRegression(),
}
found = {
    name: alignment(encoder.fit(X[train], y[train]), X[test], y[test], center=True)
    for name, encoder in encoders.items()
}

# %%
# Every point is a voxel.
figure, ax = plt.subplots(figsize=(4.5, 4.2), layout="constrained")
for (name, one), color in zip(found.items(), ["#0072B2", "#D55E00"], strict=True):
    ax.scatter(one.r * (1 - one.theta), 1 - one.theta_observed, 12, color=color, label=name)
ax.axline((0, 0), slope=1, color="gray", linestyle=":")
ax.set(xlabel="r (1 - theta predicted)", ylabel="1 - theta observed", aspect="equal")
ax.legend(frameon=False)

# %%
# **Positive lasso.** The voxels lie on the line, up to the variances of the units on these images.
# The observed theta is low where the map predicts well *and* from units that are tuned like its
# prediction. A map of few units has the second for nothing. The observed theta counts the first.
#
# **Signed least squares.** The voxels lie above the line. An overfitted map has errors on new
# images that depend on the units, so that these resemble the responses more than the product says.
for name, one in found.items():
    gap = 1 - one.theta_observed - one.r * (1 - one.theta)
    print(f"{name:21}mean distance from the line {gap.mean():+.3f}")
