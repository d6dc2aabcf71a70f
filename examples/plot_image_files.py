"""
From image files to features, layer by layer
============================================

A folder of images, a network, voxels: how do the images become features without filling the memory,
and which layer do voxels follow? 600 image files are made here, of a few oriented patches each, and
a small network with filters for eight orientations. With files and a pretrained network of your
own, everything from step 2 on stays the same.
"""

from pathlib import Path
from tempfile import mkdtemp

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skalign import SparsePositiveEncoderCV
from skalign.feature_extraction import ImageReader, LayerActivations
from skalign.metrics import alignment

try:
    import torch
except ImportError as error:
    raise ImportError('This example needs PyTorch: pip install "skalign[torch]".') from error

# %%
# 1. Images, voxels and a network
# -------------------------------
#
# An image has two to six patches of random orientation and contrast. A voxel prefers an
# orientation: it adds up the patches, each by how near its orientation is.

rng = np.random.default_rng(0)
n_images, n_pixels, n_voxels = 600, 48, 40
grid = np.stack(np.meshgrid(*2 * [np.arange(n_pixels)])).astype(float)


def patch(orientation, center, phase=0.0, width=4.0, wavelength=6.0):
    x, y = grid - np.reshape(center, (2, 1, 1))
    along = x * np.cos(orientation) + y * np.sin(orientation)
    envelope = np.exp(-(x**2 + y**2) / (2 * width**2))
    return envelope * np.cos(2 * np.pi * along / wavelength + phase)


folder = Path(mkdtemp())
preferred = np.linspace(0, np.pi, n_voxels, endpoint=False)
paths, responses = [], np.zeros((n_images, n_voxels))
for number in range(n_images):
    pixels = np.zeros((n_pixels, n_pixels))
    for _ in range(rng.integers(2, 7)):
        orientation, contrast = rng.uniform(0, np.pi), rng.uniform(0.2, 1)
        center, phase = rng.uniform(8, n_pixels - 8, 2), rng.uniform(0, 2 * np.pi)
        pixels += contrast * patch(orientation, center, phase)
        responses[number] += contrast * np.exp(4 * (np.cos(2 * (orientation - preferred)) - 1))
    paths.append(folder / f"{number:03d}.png")
    Image.fromarray(np.uint8(127.5 * (1 + np.clip(pixels, -1, 1)))).save(paths[-1])
responses += 0.5 * responses.std() * rng.standard_normal(responses.shape)

# %%
# The first layer has a channel for each of eight orientations and two phases, rectified. The second
# one mixes the channels at every place by a rotation: what its units carry together is the same, on
# other axes.

angles = np.repeat(np.arange(8) * np.pi / 8, 2)
middle = slice(n_pixels // 2 - 5, n_pixels // 2 + 6)
filters = [
    patch(angle, (n_pixels // 2, n_pixels // 2), phase, width=3.0)[middle, middle]
    for angle, phase in zip(angles, 8 * [0, np.pi], strict=True)
]
rotation, _ = np.linalg.qr(rng.standard_normal((16, 16)))
network = torch.nn.Sequential()
network.add_module("filters", torch.nn.Conv2d(3, 16, 11, bias=False))
network.add_module("oriented", torch.nn.ReLU())
network.add_module("mixed", torch.nn.Conv2d(16, 16, 1, bias=False))
with torch.no_grad():
    stacked = np.repeat(np.stack(filters)[:, np.newaxis], 3, axis=1)
    stacked -= stacked.mean(axis=(2, 3), keepdims=True)
    network.filters.weight.copy_(torch.from_numpy(stacked))
    network.mixed.weight.copy_(torch.from_numpy(rotation[:, :, np.newaxis, np.newaxis]))

figure, axes = plt.subplots(1, 4, figsize=(6, 1.8), layout="constrained")
for ax, path in zip(axes, paths, strict=False):
    ax.imshow(Image.open(path), cmap="gray")
    ax.set_axis_off()

# %%
# 2. From paths to one file per layer
# -----------------------------------
#
# :class:`~skalign.feature_extraction.LayerActivations` takes the list of paths;
# :class:`~skalign.feature_extraction.ImageReader` reads a batch of them and applies the network's
# own transform to each image. Both layers come out of one pass, channels averaged over the image.
# With a folder, each layer is written batch by batch to a file of its own and comes back as a
# memory map: memory holds one batch, however many images there are.

n_read = 0


def to_tensor(image):
    """What the network takes. A pretrained one brings its own, with resizing and means."""
    global n_read
    n_read += 1
    return torch.from_numpy(np.asarray(image, dtype=np.float32) / 255).permute(2, 0, 1)


layers = LayerActivations(
    network,
    ["oriented", "mixed"],
    preprocess=ImageReader(to_tensor),
    pooling="mean",
    batch_size=50,
)
units = layers.fit(paths).transform_layers(paths, folder=folder / "activations")
for name, activations in units.items():
    print(f"{name:9}{type(activations).__name__} {activations.shape} {activations.dtype}")

# %%
# An interrupted run goes on where it stopped: make the same call again. It reads the first and the
# last batch of what is there, to see that images and network are the same, and does the rest.

n_read = 0
units = layers.transform_layers(paths, folder=folder / "activations")
print(f"{n_read} of {n_images} images were read again")

# %%
# 3. Which layer do the voxels follow?
# ------------------------------------

train, test = slice(0, 400), slice(400, 600)
rows = {}
for layer, activations in units.items():
    for penalty, positive in [("ridge", False), ("lasso", True)]:
        encoder = SparsePositiveEncoderCV(penalty, alphas=20, cv=5, positive=positive)
        model = make_pipeline(StandardScaler(), encoder)
        model.fit(activations[train], responses[train])
        found = alignment(model, activations[test], responses[test], center=True).summary()
        rows[layer, "positive lasso" if positive else "signed ridge"] = {
            "r": found["r"],
            "theta, observed": found["theta_observed"],
            "active units": found["n_active"],
        }
table = pd.DataFrame(rows).T.rename_axis(["layer", "encoder"])
table.round(2)

# %%
# Theta by layer:

comparison, ax = plt.subplots(figsize=(4.5, 3.2), layout="constrained")
for encoder, marker in [("signed ridge", "o"), ("positive lasso", "s")]:
    of_encoder = table.xs(encoder, level="encoder").loc[list(units)]
    ax.plot(of_encoder.index, of_encoder["theta, observed"], marker, markersize=9, label=encoder)
ax.axhline(1, color="gray", linestyle=":")
ax.text(0.5, 1.03, "unrelated tuning", color="gray", ha="center")
ax.set(ylim=(0, 1.2), xlim=(-0.5, 1.5), xlabel="layer", ylabel="theta, observed (low: aligned)")
ax.legend(frameon=False, loc="lower right")
ax.spines[["top", "right"]].set_visible(False)

# %%
# **r does not tell the layers apart.** A signed ridge predicts the voxels equally well from either,
# for a rotation keeps what a linear map can read. **Theta does.** The units of the first layer
# prefer orientations, as the voxels do. The positive lasso picks two of them for a voxel, with a
# theta of 0.23, and gives up 0.04 of r. On the mixed axes it needs twice as many units, and their
# theta is 0.65; that of the ridge is 1, unrelated tuning.
#
# A random projection or a PCA between network and encoder would do what the second layer does here:
# the theta of what comes out says nothing about the units of the network (:doc:`/guide/networks`).
