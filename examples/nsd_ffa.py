"""
The fusiform face area of the Natural Scenes Dataset
====================================================

The paper's case on your copy of the Natural Scenes Dataset: the voxels of a region are predicted
from a network's units that prefer what the region prefers (matched) and from others (mismatched),
by four penalties, with signed and with positive weights. Save this script and run it::

    python nsd_ffa.py ~/nsd features.npz --out results

The file of features holds four arrays. Of the images of the experiment: ``images`` (n_images,),
rows of the stimulus file counted from 0, and ``features`` (n_images, n_units), a layer's responses
to them. Of a localizer set: ``localizer`` (n_localizer_images, n_units) and ``categories``
(n_localizer_images,). The images needed are those in ``NSDSubject(root, subject).split()``;
:func:`skalign.datasets.iter_nsd_stimuli` reads their pictures.

On this page the script ran on a small folder in NSD's layout: two subjects with two sessions and
twelve simulated voxels each, which follow ten face units. Its numbers show what comes out, and
nothing about brains.
"""

import argparse
from itertools import product
from pathlib import Path
from time import perf_counter
from zipfile import is_zipfile

import numpy as np
import pandas as pd
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skalign import SelectiveUnitLocalizer, SparsePositiveEncoder
from skalign.datasets import NSDSubject
from skalign.inspection import EncoderComparisonDisplay
from skalign.metrics import alignment, average_repeats, noise_ceiling, noise_ceiling_snr

PENALTIES = ["ols", "ridge", "lasso", "elasticnet"]

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
)
parser.add_argument("root", type=Path, help="folder that holds nsddata and nsddata_betas")
parser.add_argument("features", type=Path, help="the file of features, .npz")
parser.add_argument("--out", type=Path, default=Path("nsd_ffa"), help="folder for the results")
parser.add_argument("--subjects", type=int, nargs="+", default=[1, 2, 5, 7])
parser.add_argument("--region", default="FFA-1")
parser.add_argument("--matched", default="faces", help="category of the matched units")
parser.add_argument("--mismatched", default="scenes", help="category of the mismatched units")
parser.add_argument("--n-units", type=int, default=100, help="units of each category")
parser.add_argument("--n-train", type=int, default=1000, help="training images")
parser.add_argument(
    "--min-ncsnr",
    type=float,
    default=0.2,
    help="voxels must have a larger one over the training images",
)
parser.add_argument("--alpha", type=float, default=0.1)
options = parser.parse_args()

# %%
# The features, and which units are matched and mismatched.

if not is_zipfile(options.features):
    parser.error(f"{options.features} must be an .npz file of features; see --help.")
with np.load(options.features) as file:
    arrays = dict(file)
missing = {"images", "features", "localizer", "categories"} - set(arrays)
if missing:
    parser.error(f"{options.features} must hold the arrays {sorted(missing)}; see --help.")
features, row_of_image = arrays["features"], pd.Series(range(len(arrays["images"])))
row_of_image.index = arrays["images"]
units = {
    category: SelectiveUnitLocalizer(category, n_units=options.n_units)
    .fit(arrays["localizer"], arrays["categories"])
    .get_support(indices=True)
    for category in (options.matched, options.mismatched)
}


def features_of(images):
    without = np.setdiff1d(images, row_of_image.index)
    if without.size:
        parser.error(
            f"{options.features} must have features of the {len(images)} images in the split; "
            f"{without.size} have none, {without[0]} the first of them."
        )
    return features[row_of_image[images]]


# %%
# Features and targets are standardized with the training images' statistics, as in the paper.
def make_encoder(penalty, positive):
    encoder = SparsePositiveEncoder(penalty, options.alpha, positive=positive)
    targets = TransformedTargetRegressor(encoder, transformer=StandardScaler())
    return make_pipeline(StandardScaler(), targets)


# %%
# The brain of one subject at a time. Voxels are chosen, and their noise ceiling is estimated, from
# the trials of the training images alone: NSD's own ncsnr knows the trials of the test images.
# Single trials are read once and averaged here.
options.out.mkdir(parents=True, exist_ok=True)
rows = []
for number in options.subjects:  # what is missing is said before hours of reading
    NSDSubject(options.root, number).voxels(options.region)

for number in options.subjects:
    subject = NSDSubject(options.root, number)
    voxels = subject.voxels(options.region)
    split = subject.split(n_train=options.n_train, n_validation=0)
    X_train, X_test = features_of(split.train), features_of(split.test)
    print(f"Subject {number}: reading {len(subject.sessions)} sessions ...", flush=True)
    images = np.concatenate([split.train, split.test])
    brain = subject.read(voxels, images=images, average=False)
    is_train = np.isin(brain.images, split.train)
    ncsnr = noise_ceiling_snr(brain.responses[is_train], brain.images[is_train], total_variance=1.0)
    reliable = ncsnr > options.min_ncsnr
    if not reliable.any():
        parser.error(f"--min-ncsnr must leave voxels; subject {number} has none above it.")
    voxels = brain.voxels.select(reliable)
    trials = brain.responses[:, reliable]
    y_train, _, _ = average_repeats(trials[is_train], brain.images[is_train])
    y_test, _, n_repeats = average_repeats(trials[~is_train], brain.images[~is_train])
    ceiling = noise_ceiling(ncsnr[reliable], n_repeats=n_repeats)
    for (category, chosen), penalty, positive in product(units.items(), PENALTIES, [False, True]):
        start = perf_counter()
        model = make_encoder(penalty, positive).fit(X_train[:, chosen], y_train)
        found = alignment(model, X_test[:, chosen], y_test, undefined_r=0.0)
        rows.append(
            {
                "model": options.features.stem,
                "layer": None,
                "units": category,
                "subject": number,
                "region": options.region,
                "penalty": penalty,
                "positive": positive,
                "alpha": np.nan if penalty == "ols" else options.alpha,
                "partition": "test",
                "r": found.r.mean(),
                "theta": pd.Series(found.theta).mean(),  # of the targets that have one
                "n_active": found.n_active.mean(),
                "empty_fraction": (found.n_active == 0).mean(),
                "ceiling": ceiling.values.mean(),
                "n_targets": len(voxels),
                "seconds": perf_counter() - start,
                "error": None,
            }
        )
        sign = "positive" if positive else "signed"
        volumes = voxels.to_nifti([found.r, found.theta, found.n_active])
        region = options.region.replace("/", "-")
        name = f"subj{number:02d}_{region}_{category}_{penalty}_{sign}.nii.gz"
        volumes.to_filename(options.out / name)
table = pd.DataFrame(rows)
table.to_csv(options.out / "results.csv", index=False)
display = EncoderComparisonDisplay.from_frame(
    table, matched=options.matched, mismatched=options.mismatched
)
display.figure_.savefig(options.out / "results.png", dpi=150)

# %%
# Means over subjects, matched and mismatched units side by side.
encoders = ["penalty", "positive"]
measures = {"r": "r", "theta": "theta", "n_active": "active", "empty_fraction": "empty"}
means = table.groupby([*encoders, "units"], sort=False)[list(measures)].mean()
side_by_side = means.unstack("units").reindex(means.index.droplevel("units").unique())
side_by_side = (
    side_by_side.round(2).add(0.0).rename(columns=measures).rename_axis((None, None), axis=1)
)
print(f"\n{side_by_side.reset_index().to_string(index=False)}")
print(
    f"\n{options.region} from {options.n_units} {options.matched} (matched) and "
    f"{options.mismatched} (mismatched) units;\nmeans over {len(options.subjects)} subjects.\n"
    f"Voxel-averaged ceiling of r: {table['ceiling'].mean():.2f}.\n"
    "Empty: fraction of voxels without weights; r = 0 and no theta.\n"
    f"The table of subjects, the figure and the maps are in\n{options.out}."
)

# %%
# In the small folder of this page, voxels follow the face units, and scene units are pushed down
# by faces. **Face units** predict near the ceiling. **Scene units** predict through signed weights,
# at a theta above 1.3: on average weight is on units that point away from what they predict.
# Positive weights leave three in four voxels or more empty, and r is 0. Theta of the few that are
# left says nothing: read it beside the fraction of empty voxels.
