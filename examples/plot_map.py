"""
r and theta as maps of a brain, in a volume and on a surface
============================================================

Numbers per voxel go back to where the voxels are. Two questions are answered here: how do arrays
become maps, and what stands where there is no number? The brains are templates that come with
nilearn: MNI152 as a volume and fsaverage5 as a surface. The responses are simulated
(:func:`~skalign.datasets.make_selective_cortex`), and put where the fusiform face area (FFA) and
the parahippocampal place area (PPA) usually are. Nothing is downloaded. The simulation was built so
that the paper's picture appears: it shows how the measures behave, and is no evidence about brains.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from nibabel import Nifti1Image, affines, load
from nilearn import datasets, plotting
from nilearn.image import new_img_like
from nilearn.maskers import NiftiMasker, SurfaceMasker
from nilearn.surface import SurfaceImage
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skalign import SelectiveUnitLocalizer, SparsePositiveEncoder
from skalign.datasets import make_selective_cortex, to_brain_map
from skalign.metrics import alignment

CENTERS = {  # millimeters to the right, to the front and up
    "FFA": [(-40, -54, -20), (40, -54, -20)],
    "PPA": [(-26, -46, -10), (26, -46, -10)],
}


def regions_of(points, radius=11):
    """Region of every point: 1 near the FFA, 2 near the PPA, 0 elsewhere."""
    distance = {
        region: np.min([np.linalg.norm(points - center, axis=-1) for center in centers], axis=0)
        for region, centers in CENTERS.items()
    }
    nearest = np.where(distance["FFA"] <= distance["PPA"], 1, 2)
    return np.where(np.minimum(*distance.values()) <= radius, nearest, 0)


# %%
# 1. From a volume to an array
# ----------------------------
#
# A masker of nilearn takes voxels out of images, one column for each. Yours reads the files of your
# responses; here they are written into an image first.

brain = datasets.load_mni152_brain_mask(resolution=4)
grid = np.stack(np.indices(brain.shape), axis=-1)
regions = regions_of(affines.apply_affine(brain.affine, grid)) * (brain.get_fdata() > 0)
masker = NiftiMasker(
    Nifti1Image((regions > 0).astype(np.int8), brain.affine), standardize=None
).fit()
region = masker.transform(Nifti1Image(regions.astype(np.float32), brain.affine)).ravel()
n_voxels = [int((region == code).sum()) for code in (1, 2)]

simulation = {"n_subjects": 1, "n_train": 500, "n_validation": 0, "random_state": 0}
cortex = make_selective_cortex(n_voxels=n_voxels, **simulation)


def responses_of(region, part):
    """Simulated responses, with every voxel in its place."""
    y = np.empty((len(part["S1", "FFA"]), len(region)), dtype=np.float32)
    for code, name in enumerate(CENTERS, start=1):
        y[:, region == code] = part["S1", name][:, : (region == code).sum()]
    return y


images = {
    part: masker.inverse_transform(responses_of(region, cortex[f"y_{part}"]))
    for part in ("train", "test")
}
y_train, y_test = (masker.transform(images[part]) for part in ("train", "test"))
print(images["train"].shape, "->", y_train.shape)

# %%
# 2. r and theta of every voxel
# -----------------------------
#
# All voxels are predicted from 100 face units with positive weights. Of the place area we expect
# nothing good.

units = SelectiveUnitLocalizer("faces", n_units=100).fit(cortex.X_localizer, cortex.category)
X_train, X_test = units.transform(cortex.X_train), units.transform(cortex.X_test)


def measure(y_train, y_test):
    lasso = SparsePositiveEncoder("lasso", alpha=0.1)
    targets = TransformedTargetRegressor(lasso, transformer=StandardScaler())
    model = make_pipeline(StandardScaler(), targets).fit(X_train, y_train)
    return alignment(model, X_test, y_test, center=True)


found = measure(y_train, y_test)
is_empty = found.n_active == 0
for code, name in enumerate(CENTERS, start=1):
    here = region == code
    print(
        f"{name}: {here.sum()} voxels, {is_empty[here].mean():.0%} empty, "
        f"mean r {np.nan_to_num(found.r[here]).mean():.2f}"
    )

# %%
# 3. Back into the volume
# -----------------------
#
# :func:`~skalign.datasets.to_brain_map` puts the numbers back with the masker that took the voxels
# out. Outside the regions the map is NaN, and so it is for empty voxels. nilearn's own
# ``inverse_transform`` puts 0 there, which as a theta would be perfect alignment.

maps = {"r": to_brain_map(found.r, masker), "theta": to_brain_map(found.theta_observed, masker)}
inside = np.isfinite(maps["theta"].get_fdata())
print(f"{inside.sum()} of {inside.size} voxels have a theta")

# %%
# nilearn draws NaN in volumes as 0, or hides what is 0. `transparency` says where there is a value:

styles = {
    "r": {"vmin": 0, "vmax": 0.6, "cmap": "viridis"},
    "theta": {"vmin": 0, "vmax": 1, "cmap": "viridis_r"},
}
titles = {"r": "Predictivity r", "theta": "Theta, observed (low: aligned)"}
figure, axes = plt.subplots(2, 1, figsize=(5.5, 6))
for ax, (name, volume) in zip(axes, maps.items(), strict=True):
    has_value = np.isfinite(volume.get_fdata())
    ax.set_title(titles[name])
    plotting.plot_stat_map(
        new_img_like(volume, np.nan_to_num(volume.get_fdata())),
        transparency=new_img_like(volume, has_value.astype(np.float32)),
        threshold=None,
        display_mode="z",
        cut_coords=[-20, -10],
        axes=ax,
        **styles[name],
    )

# %%
# **The FFA** is predicted, with a mean r of 0.53 and a theta of 0.57: the units in use respond like
# its voxels. **The PPA** is hardly predicted (0.17), its theta is above 0.8, and 6 % of its voxels
# are empty: these are gaps in both maps.

# %%
# 4. The same on a surface
# ------------------------
#
# A SurfaceMasker takes vertices out of surface images. Everything else stays as it is.

meshes = datasets.load_fsaverage("fsaverage5")
codes = {side: regions_of(mesh.coordinates) for side, mesh in meshes["pial"].parts.items()}
masks = {side: (code > 0).astype(np.int8) for side, code in codes.items()}
vertices = SurfaceMasker(SurfaceImage(meshes["pial"], masks), standardize=None).fit()
region_of_vertex = np.concatenate([code[code > 0] for code in codes.values()])
n_vertices = [int((region_of_vertex == code).sum()) for code in (1, 2)]
on_surface = make_selective_cortex(n_voxels=n_vertices, **simulation)
found_on_surface = measure(
    *(responses_of(region_of_vertex, on_surface[f"y_{part}"]) for part in ("train", "test"))
)
theta_on_surface = to_brain_map(found_on_surface.theta_observed, vertices)

# %%
# Both hemispheres from below, on the inflated surface. nilearn leaves out vertices with NaN there,
# so that the folds of the brain show.

sulci = datasets.load_fsaverage_data(mesh="fsaverage5", data_type="sulcal")
inflated, style = meshes["inflated"], styles["theta"]
surface_figure, axes = plt.subplots(
    1, 2, figsize=(5.5, 5), subplot_kw={"projection": "3d"}, layout="constrained"
)
for ax, side in zip(axes, ("left", "right"), strict=True):
    plotting.plot_surf_stat_map(
        stat_map=SurfaceImage(inflated, theta_on_surface.data),
        hemi=side,
        view=(270, 270),
        bg_map=SurfaceImage(inflated, sulci.data),
        colorbar=False,
        axes=ax,
        **style,
    )
    ax.set_title(side)
    ax.set_box_aspect(None, zoom=1.3)
scale = ScalarMappable(Normalize(style["vmin"], style["vmax"]), style["cmap"])
surface_figure.colorbar(scale, ax=axes, shrink=0.6, label="theta, observed")

# %%
# Written to a file and read back, the numbers are those of the arrays: ``to_filename`` keeps NaN.

maps["theta"].to_filename("theta.nii.gz")
read = load("theta.nii.gz").get_fdata()[regions > 0]
print(np.array_equal(read, found.theta_observed.astype(np.float32), equal_nan=True))
