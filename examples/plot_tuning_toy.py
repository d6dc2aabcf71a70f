"""
Eight encoders of two images: the same fit, turned or not
=========================================================

A target responds to two images, and so do 100 features: with more features than images there are
many ways to combine them into the target. Which features do the encoders of the paper weight, four
penalties with signed and with positive weights, and how far do these features turn to meet the
target (Figure 1C)? The published draw of the features, then 1000 draws.
"""

import sys
from itertools import combinations, product
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skalign import SparsePositiveEncoder, tuning_reorientation
from skalign.datasets import make_tuning_toy
from skalign.inspection import TuningArrowsDisplay

# %%
# The paper's alphas. Without an intercept: with one, only the difference of two images is left.
alphas = {"ols": 0, "ridge": 1000, "lasso": 0.5, "elasticnet": 0.5}
design = list(product(["signed", "positive"], alphas))


def fit(toy):
    """Fit all eight; theta is taken to the target itself, not to what is predicted."""
    encoders = [
        SparsePositiveEncoder(
            penalty, alpha=alphas[penalty], positive=weights == "positive", fit_intercept=False
        ).fit(toy.X, toy.y)
        for weights, penalty in design
    ]
    coef = np.array([encoder.coef_ for encoder in encoders])
    targets = np.repeat(toy.y[:, np.newaxis], len(coef), axis=1)
    return encoders, coef, tuning_reorientation(toy.X, targets, coef)


toy = make_tuning_toy(random_state=1)
encoders, coef, theta = fit(toy)

# %%
# Other draws: the same recipe, one after the other from one stream. Its first is the one above.
stream = np.random.RandomState(1)
n_draws = 1000
draws = np.array([fit(make_tuning_toy(random_state=stream))[2] for _ in range(n_draws)])

# %%
# How much does theta say about positive OLS? Its solution is one of many without error: any two
# features that have the target between them give one. These are their thetas.
exact = []
for pair in combinations(range(toy.X.shape[1]), 2):
    weights = np.linalg.solve(toy.X[:, pair], toy.y)
    if (weights >= 0).all():
        exact.append(tuning_reorientation(toy.X[:, pair], toy.y, weights)[0])

# %%
# One row per encoder. Misfit: distance of the prediction from the target.
low, median, high = np.percentile(draws, [5, 50, 95], axis=0)
columns = {
    "theta": theta,
    "active of 100": np.count_nonzero(coef, axis=1),
    "misfit": np.linalg.norm(coef @ toy.X.T - toy.y, axis=1),
    "median": median,
    "5%": low,
    "95%": high,
}
index = pd.MultiIndex.from_tuples(design, names=["weights", "penalty"])
table = pd.DataFrame(columns, index)
print(
    f"A draw by the recipe of the paper, then median and quantiles of theta over {n_draws} draws."
)
print(table.round(2).reset_index().to_string(index=False))


# %%
# What the table says; the numbers in it are computed.
def span(column, weights):
    return "{:.2f} to {:.2f}".format(*table[column].loc[weights].agg(["min", "max"]))


signed, positive = np.split(draws, 2, axis=1)
sparse_positive = table.loc["positive", "lasso"]
lasso_wins = (draws[:, design.index(("positive", "lasso"))] == positive.min(axis=1)).mean()
misfit = " and ".join(f"{value:.1f}" for value in table["misfit"].xs("ridge", level="penalty"))
print("\nReading:")
for sentence in [
    "This is a draw by the paper's recipe. Its values need not be those printed there: positive "
    f"lasso has {sparse_positive['theta']:.2f} here and 0.06 in the paper.",
    "Signed weights flip features that point away from the target, as "
    f"{(toy.y @ toy.X < 0).mean():.0%} of them do: theta {span('theta', 'signed')}. This is no "
    f"accident of one draw: medians are {span('median', 'signed')}, and "
    f"{(signed > 1).mean():.1%} of the {signed.size} thetas are above 1.",
    "Sparsity alone does not help. An l1 penalty makes long features cheap, whichever way they "
    "point, and of signed encoders lasso turns them most, by "
    f"{table.loc['signed', 'lasso']['theta']:.2f} of at most 2.",
    f"Positive weights use features on the target's side: theta {span('theta', 'positive')}, "
    f"medians {span('median', 'positive')}. Lasso has the least of all, "
    f"{sparse_positive['theta']:.2f} with {sparse_positive['active of 100']:.0f} features, but in "
    f"{lasso_wins:.0%} of the draws only.",
    f"Theta of positive OLS, {table.loc['positive', 'ols']['theta']:.2f} here, depends on the "
    f"solver: there are many maps without any error. {len(exact)} pairs of features alone give one "
    f"each, with thetas from {min(exact):.2f} to {max(exact):.2f}. A penalty makes the choice.",
    "The fit tells nothing of this: OLS has no error with either sign. Ridge at this alpha, in "
    f"contrast, leaves most of the target, {misfit} of its length {np.linalg.norm(toy.y):.1f}; "
    "theta looks at directions alone.",
]:
    print(fill(sentence, 100, initial_indent="- ", subsequent_indent="  "))


# %%
# Arrows of the first draw on the left, theta of all draws on the right.
names = {"ols": "OLS", "ridge": "ridge", "lasso": "lasso", "elasticnet": "elastic net"}
fig = plt.figure(figsize=(15, 5.8), layout="constrained")
left, right = fig.subfigures(1, 2, width_ratios=[2.6, 1])
axes = left.subplots(2, 4, sharex=True, sharey=True)
for ax, encoder, (weights, penalty) in zip(axes.flat, encoders, design, strict=True):
    name = f"{names[penalty]}, {weights} weights"
    display = TuningArrowsDisplay.from_estimator(
        encoder, toy.X, toy.y, name=name, colorbar=False, ax=ax
    )
    ax.label_outer()
left.colorbar(display.arrows_, ax=axes, label="Weight", extend="both", shrink=0.6)
left.suptitle("100 features and the target, over two images")

ax = right.subplots()
rows = np.arange(len(design))
colors = {"signed": "#D55E00", "positive": "#0072B2"}
violins = ax.violinplot(draws, rows, orientation="horizontal", widths=0.8, showmedians=True)
violins["cmedians"].set_color("black")
for part in ["cbars", "cmins", "cmaxes"]:
    violins[part].set_visible(False)
for body, (weights, _) in zip(violins["bodies"], design, strict=True):
    body.set(facecolor=colors[weights], alpha=0.6)
style = {"color": "white", "markeredgecolor": "black", "linestyle": "none"}
ax.plot(theta, rows, "D", label="the draw on the left", **style)
ax.plot([], [], "|", color="black", markersize=12, label="median")
row = design.index(("positive", "ols"))
label = "all exact two-feature maps\nof the draw on the left"
ax.hlines(row, min(exact), max(exact), color="black", linestyle=":", label=label)
ax.annotate("depends on the solver", (1, row), (0, 4), textcoords="offset points", ha="center")
ax.set_yticks(rows, [f"{names[penalty]},\n{weights}" for weights, penalty in design])
ax.invert_yaxis()
ax.set(xlim=(0, 2), xlabel="Reorientation θ (low: aligned)")
ax.set_title(f"θ over {n_draws} draws of the features", fontsize="large")
ax.legend(loc="upper left", fontsize="small")
path = sys.argv[1] if len(sys.argv) > 1 else "plot_tuning_toy.png"
fig.savefig(path, dpi=150)
print(f"\nSaved {path}")
