"""
106 networks, two regions: do signed weights tell matched from mismatched units?
================================================================================

Figure 3 of the paper over simulated networks: of each, face units and scene units predict the FFA
and the PPA of two subjects, by unconstrained ridge and by a sparse positive encoder. Networks
differ in how well their units are aligned to those that drive the cortex, and in how much else they
respond to. Which measure sees it? One tidy table, whose finished cells are kept in a folder.
Both are built so that the paper's picture appears; they are no evidence about real ones.
"""

import sys
from functools import partial
from tempfile import TemporaryDirectory
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sklearn.linear_model import RidgeCV

from skalign import SelectiveUnitLocalizer, SparsePositiveEncoder
from skalign.benchmark import ModelFeatures, RegionResponses, read_store, run_benchmark
from skalign.datasets import make_selective_cortex
from skalign.inspection import PairedUnitsDisplay

n_networks = 106

# %%
# The cortex: 500 training and 500 test images; few units and voxels, to be quick.
cortex = make_selective_cortex(
    n_units=200,
    n_selective=30,
    n_voxels=40,
    n_subjects=2,
    n_localizer=48,
    n_train=500,
    n_validation=0,
    n_test=500,
    random_state=0,
)
regions = [
    RegionResponses(
        subject,
        region,
        cortex.y_train[subject, region],
        cortex.y_test[subject, region],
        ceiling=cortex.ceiling[subject, region],
    )
    for region in cortex.regions
    for subject in cortex.subjects
]

# %%
# A network sees the same images. Its units are those of the cortex's layer, mixed: a share of each
# one's tuning is replaced by that of another unit, with either sign. And they respond to things of
# which the cortex knows nothing, here noise. Both differ between networks.
draw = np.random.default_rng(0)
mixing = draw.uniform(0, 0.9, n_networks)  # share of the variance of a unit's tuning
private = draw.uniform(0, 2.5, n_networks)  # standard deviation


def respond(k, part):
    """Responses of one network's units to the images of a part."""
    rng = np.random.default_rng([1, k])
    other = rng.permutation(cortex.tuning) * rng.choice([-1, 1], (len(cortex.tuning), 1))
    tuning = np.sqrt(1 - mixing[k]) * cortex.tuning + np.sqrt(mixing[k]) * other
    driven = cortex[f"latents_{part}"] @ tuning.T + cortex.bias
    noise = np.random.default_rng([2, k, len(driven)]).standard_normal(driven.shape)
    return np.maximum(driven + private[k] * noise, 0)


# %%
# Models are given as callables, and each is computed when it is its turn. Real ones come from files
# as well; a key says what they hold, so that a model with all its cells in the store is not loaded:
#
# .. code-block:: python
#
#     ModelFeatures(
#         "resnet50",
#         train={layer: f"features/resnet50/{layer}_train.npy" for layer in layers},
#         test={layer: f"features/resnet50/{layer}_test.npy" for layer in layers},
#         localizer={layer: f"features/resnet50/{layer}_localizer.npy" for layer in layers},
#         key="resnet50, weights of 2015, images of session 1 to 40",
#     )
#
# With several layers the one that does best on the training images is taken. Features come from
# :class:`~skalign.feature_extraction.LayerActivations`, responses from
# :class:`~skalign.datasets.NSDSubject`; ``n_jobs=-1`` takes all cores, and
# ``progress=rich.progress.track`` shows a bar.
parts = ["train", "test", "localizer"]
models = [
    ModelFeatures(
        f"network {k:03}",
        **{part: partial(respond, k, part) for part in parts},
        key=f"network {k}, mixing {mixing[k]}, private {private[k]}",
    )
    for k in range(n_networks)
]
encoders = {
    "signed ridge": RidgeCV(np.logspace(-2, 4, 10), alpha_per_target=True),
    "positive lasso": SparsePositiveEncoder("lasso", alpha=0.1),
}
units = {kind: SelectiveUnitLocalizer(f"{kind}s", n_units=20) for kind in ["face", "scene"]}

# %%
# A run that is stopped, here after half of the networks, goes on from where it was: every finished
# cell is in the store.
with TemporaryDirectory() as store:
    run = partial(
        run_benchmark,
        regions=regions,
        encoders=encoders,
        units=units,
        categories=cortex.category,
        store=store,
    )
    run(models[: n_networks // 2])
    n_stored = len(read_store(store))
    results = run(models)
n_failed = results["error"].notna().sum()
print(
    f"{len(results)} cells of {n_networks} networks, {n_stored} of them from the store; "
    f"{n_failed} failed."
)

# %%
# Matched and mismatched units of every network, averaged over subjects, and the paired test.
fig = plt.figure(figsize=(15, 8.2), layout="constrained")
displays = {}
for encoder, part in zip(encoders, fig.subfigures(1, 2), strict=True):
    displays[encoder] = PairedUnitsDisplay.from_frame(
        results[results["encoder"] == encoder],
        matched={"FFA": "face", "PPA": "scene"},
        mismatched={"FFA": "scene", "PPA": "face"},
        ax=part.subplots(2, 2, sharey="row"),
    )
    part.suptitle(f"{n_networks} networks, {encoder}")
signed, positive = (display.axes_[:, 0] for display in displays.values())
ticks = [np.arange(0, 0.6, 0.1), signed[1].get_yticks()]
for at, pair in zip(ticks, zip(signed, positive, strict=True), strict=True):  # one scale for both
    low, high = zip(*(ax.get_ylim() for ax in pair), strict=True)
    for ax in pair:
        ax.set(yticks=at, ylim=(min(low), max(high)))

tests = pd.concat({name: display.tests for name, display in displays.items()}, names=["encoder"])
table = tests.reset_index("encoder").set_index(["encoder", "region", "quantity"])
columns = {
    "n": "networks",
    "mean_matched": "matched",
    "mean_mismatched": "mismatched",
    "mean_difference": "difference",
    "statistic": "t",
    "p": "p",
    "n_active_matched": "active m.",
    "n_active_mismatched": "active mm.",
    "empty_mismatched": "empty mm.",
}
digits = dict.fromkeys(columns, "{:.2f}".format)
digits |= {"n": str, "statistic": "{:.1f}".format, "p": "{:.0e}".format}
printed = pd.DataFrame({columns[name]: table[name].map(digits[name]) for name in columns})
print(f"\n{printed.reset_index().to_string(index=False)}")
print(
    "\nA t-test over networks, matched (m.) against mismatched (mm.) units. Active: of 20 units. "
    "Empty:\nfraction of voxels without weights, whose r is 0 and which have no theta."
)


# %%
# What the table says; the numbers in it are computed.
def both(encoder, quantity, column):
    """FFA and PPA."""
    values = table.xs((encoder, quantity), level=("encoder", "quantity"))[column]
    return " and ".join(f"{value:.2f}" for value in values)


def pairs(encoder, quantity):
    """Matched and mismatched values, both regions."""
    found = displays[encoder].pairs
    return found[found["quantity"] == quantity].dropna()


def follows(truth, encoder, quantity):
    """Rank correlation with what was drawn for the networks, mean over regions, matched units."""
    values = pairs(encoder, quantity).pivot(index="model", columns="region", values="matched")
    drawn = truth[values.index.str[-3:].astype(int)]
    return np.mean([spearmanr(drawn, values[region]).statistic for region in values])


ridge, lasso = encoders
r, theta = pairs(ridge, "r"), pairs(ridge, "theta")
is_close = r["matched"] - r["mismatched"] < 0.05
is_lower = theta["matched"] < theta["mismatched"]
empty = " and ".join(f"{share:.0%}" for share in table["empty_mismatched"][lasso].unstack()["r"])
print("\nReading: of FFA and PPA, means over networks.")
for sentence in [
    "Signed ridge predicts the regions from mismatched units: r "
    f"{both(ridge, 'r', 'mean_mismatched')}, where matched ones reach "
    f"{both(ridge, 'r', 'mean_matched')}. In {is_close.mean():.0%} of the networks and regions the "
    "two are less than 0.05 apart.",
    f"Its theta tells them apart, {both(ridge, 'theta', 'mean_matched')} against "
    f"{both(ridge, 'theta', 'mean_mismatched')}, and is lower for the matched units in "
    f"{is_lower.mean():.0%} of the networks and regions.",
    f"Positive weights bring the difference into r: {both(lasso, 'r', 'mean_matched')} from "
    f"matched and {both(lasso, 'r', 'mean_mismatched')} from mismatched units. Theta of the "
    f"latter, {both(lasso, 'theta', 'mean_mismatched')}, is no sign of alignment: only "
    f"{both(lasso, 'theta', 'n_active_mismatched')} of 20 units are active, and {empty} of the "
    "voxels have none.",
    "What was drawn: r of matched units by signed ridge hardly knows how far a network's tuning "
    f"is mixed (rank correlation {follows(mixing, ridge, 'r'):+.2f}); it follows the private "
    f"responses ({follows(private, ridge, 'r'):+.2f}). Theta rises with both: "
    f"{follows(mixing, ridge, 'theta'):+.2f} and {follows(private, ridge, 'theta'):+.2f}.",
    "All of this follows from how networks and cortex were drawn: it shows what the measures see, "
    "not what networks and brains are like.",
    "The test takes networks for a random sample, which these are. Families of alike real ones are "
    "not, and make p too small.",
]:
    print(fill(sentence, 100, initial_indent="- ", subsequent_indent="  "))

# %%
# The figure, kept.
path = sys.argv[1] if len(sys.argv) > 1 else "plot_many_networks.png"
fig.savefig(path, dpi=150)
print(f"\nSaved {path}")
