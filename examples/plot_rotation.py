"""
A rotation that linear predictivity does not see
================================================

Two systems carry the same two dimensions. In one, each unit responds to one dimension; in the
other, to a mixture of both, rotated by 45 degrees. Ordinary linear maps predict either from the
other perfectly. Are they tuned alike? A positive encoder, theta and a matching of units say how far
they are turned.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression

from skalign import SparsePositiveEncoder
from skalign.metrics import alignment, axis_alignment, soft_matching

# %%
# The first system has two rectified units; the second is the first, rotated by an angle. Half of
# the images fit and match, the other half score.
rng = np.random.default_rng(0)
X = rng.exponential(size=(1000, 2))
X = (X - X.mean(axis=0)) / X.std(axis=0)
half = slice(None, 500), slice(500, None)


def rotated(degrees):
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return X @ [[cosine, sine], [-sine, cosine]]


# %%
# At every angle: r and theta (to the observed responses) of a signed and of a positive map, and the
# mean correlation of matched units.
rows = []
for degrees in np.arange(0, 91, 5):
    Y = rotated(degrees)
    train, test = ((X[part], Y[part]) for part in half)
    row = {"degrees": degrees, "soft matching": soft_matching(*train, *test).score}
    for name, positive in [("signed", False), ("positive", True)]:
        encoder = SparsePositiveEncoder("ols", positive=positive).fit(*train)
        means = alignment(encoder, *test).summary()
        row |= {f"r, {name}": means["r"], f"theta, {name}": means["theta_observed"]}
    rows.append(row)
table = pd.DataFrame(rows).set_index("degrees")
print(table.loc[[0, 15, 30, 45, 60, 75, 90]].round(2).to_string())

# %%
# How much of a score is due to the axes? Its loss when the features are rotated at random. The
# targets here are the unrotated units.
train, test = ((X[part], X[part]) for part in half)
scores = {
    "r, signed": LinearRegression(),
    "r, positive": SparsePositiveEncoder("ols"),
    "soft matching": lambda *data: soft_matching(*data).score,
}
axes_matter = {
    name: axis_alignment(score, *train, *test, n_resamples=200, random_state=0)
    for name, score in scores.items()
}
for name, found in axes_matter.items():
    print(f"{name:13s}: {found.difference:z.2f} +- {found.standard_error:.2f} due to the axes")

# %%
# The signed map does not see the rotation: r stays 1. What its weights had to do shows in theta. A
# positive map loses r, most where a unit is the opposite of what it was, and a matching of units
# falls to the cosine of the angle.
fig, (upper, lower) = plt.subplots(2, 1, figsize=(5, 6.5), layout="constrained", sharex=True)
for name, color in [("signed", "#D55E00"), ("positive", "#0072B2")]:
    upper.plot(table[f"r, {name}"], color=color, label=f"r, {name} map")
    lower.plot(table[f"theta, {name}"], color=color, label=f"{name} map")
upper.plot(table["soft matching"], color="black", linestyle=":", label="soft matching")
upper.set(ylabel="r, or correlation of matches")
lower.set(xlabel="Rotation of the units (degrees)", ylabel="Observed θ (low: aligned)")
for ax in (upper, lower):
    ax.axvline(45, color="0.8", zorder=0)
    ax.set_xticks([0, 45, 90])
    ax.set_ylim(-0.05, 1.1)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False)
plt.show()
