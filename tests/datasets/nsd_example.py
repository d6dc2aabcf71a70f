"""The small folder that `examples/nsd_ffa.py` runs on, in its tests and on the site."""

import numpy as np

from tests.datasets.nsd_folder import write_folder

CATEGORIES = np.repeat(["faces", "objects", "scenes"], 20)
PREFERRED = np.repeat(["faces", "scenes", "objects"], 10)  # of 30 units


def write_example(root):
    """Two subjects whose voxels follow the face units, and a network's features of all images.

    Returns the arguments of the script that follow the folder.
    """
    rng = np.random.default_rng(0)
    localizer = rng.standard_normal((60, 30)) + 4 * (CATEGORIES[:, np.newaxis] == PREFERRED)
    features = np.maximum(rng.standard_normal((73_000, 30)), 0).astype(np.float32)
    features[:, 10:20] -= 0.8 * features[:, :10]  # scene units are pushed down by faces

    def signal(images):
        return 3 * features[images, :10].mean(axis=1)[:, np.newaxis, np.newaxis, np.newaxis]

    for subject, kind in [(1, "hdf5"), (5, "nii.gz")]:
        write_folder(root, subject, kind=kind, signal=signal)
    images = np.random.default_rng(1).permutation(73_000)  # rows in any order
    np.savez(
        root / "network.npz",
        images=images,
        features=features[images],
        localizer=localizer,
        categories=CATEGORIES,
    )
    options = ["--subjects", 1, 5, "--n-train", 300, "--n-units", 10, "--out", root / "out"]
    return [root / "network.npz", *options]
