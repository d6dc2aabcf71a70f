"""A small folder in the layout of the Natural Scenes Dataset, with what it should be read as."""

from functools import cache
from types import SimpleNamespace

import numpy as np
from scipy.io import savemat

SHAPE = (6, 7, 5)  # x, y, z
AFFINE = np.array([[-1.8, 0, 0, 9], [0, 1.8, 0, -20], [0, 0, 1.8, 5], [0, 0, 0, 1]])
BETAS = "betas_fithrf_GLMdenoise_RR"
NAMES = {
    "floc-faces": ["Unknown", "OFA", "FFA-1", "FFA-2", "mTL-faces", "aTL-faces"],
    "floc-places": ["Unknown", "OPA", "PPA", "RSC"],
}
# Voxels of each label in each hemisphere; mTL-faces and aTL-faces are nowhere, as in some subjects.
SIZES = {"floc-faces": [2, 6, 4], "floc-places": [3, 8, 2]}


@cache
def design():
    """Trials, images and shared images of a whole experiment, as MATLAB counts: from 1.

    Sessions 1 and 2 show 60 shared and 440 other images three times each. Of all shared images, 515
    have been seen three times after session 30, where subject 4 ends.
    """
    rng = np.random.default_rng(0)
    others = np.arange(1000, 10_000)
    before_31 = [np.repeat(np.arange(60, 515), 3), np.repeat(np.arange(515, 1000), 2)]
    n_before = 28 * 750 - sum(map(len, before_31))
    shown = np.repeat(others[440:], 3)
    sections = [
        np.repeat(np.r_[:60, others[:440]], 3),
        np.concatenate([*before_31, shown[:n_before]]),
        np.concatenate([np.arange(515, 1000), shown[n_before:]]),
    ]
    order = np.concatenate([rng.permutation(section) for section in sections])
    images = rng.permutation(73_000)
    shared = np.sort(images[:1000])
    own = images[1000:].reshape(8, 9000)
    subjects = np.hstack([np.tile(shared, (8, 1)), own])
    return {
        "masterordering": order[np.newaxis] + 1.0,
        "subjectim": subjects + 1.0,
        "sharedix": shared[np.newaxis] + 1.0,
    }


def image_of_trial(subject, trial):
    """Row of the stimulus file, from 0, that a trial from 0 showed: by the definition."""
    content = design()
    column = int(content["masterordering"][0, trial]) - 1
    return int(content["subjectim"][subject - 1, column]) - 1


def paths(root, subject=1):
    """Where the files are."""
    name = f"subj{subject:02d}"
    ppdata = root / "nsddata" / "ppdata" / name / "func1pt8mm"
    betas = root / "nsddata_betas" / "ppdata" / name / "func1pt8mm" / BETAS
    return SimpleNamespace(
        design=root / "nsddata" / "experiments" / "nsd" / "nsd_expdesign.mat",
        roi=ppdata / "roi",
        label=root / "nsddata" / "freesurfer" / name / "label",
        betas=betas,
        ncsnr=betas / "ncsnr.nii.gz",
        stimuli=root / "nsddata_stimuli" / "stimuli" / "nsd" / "nsd_stimuli.hdf5",
    )


def label_volumes(shape=SHAPE, seed=1):
    """Volumes of labels by name: -1 outside the hemisphere's cortex, 0 where there is no label."""
    rng = np.random.default_rng(seed)
    x, _, z = np.indices(shape)
    volumes = {}
    for side, inside in [("lh", x < shape[0] // 2), ("rh", x >= shape[0] // 2)]:
        cortex = inside & (z > 0)
        free = iter(rng.permutation(np.argwhere(cortex)))
        for collection, sizes in SIZES.items():
            volume = np.where(cortex, 0, -1).astype(np.int16)
            for label, size in enumerate(sizes, start=1):
                for _ in range(size):
                    volume[tuple(next(free))] = label
            volumes[f"{side}.{collection}"] = volume
    for collection in SIZES:
        volumes[collection] = np.maximum(volumes[f"lh.{collection}"], volumes[f"rh.{collection}"])
    return volumes


def write_volume(path, values):
    """Write a NIfTI volume."""
    import nibabel

    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.Nifti1Image(values, AFFINE).to_filename(path)


def write_session(folder, number, counts, kind="hdf5", **storage):
    """Write integers (trials, x, y, z) as a session's file."""
    import h5py

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"betas_session{number:02d}.{kind}"
    if kind == "hdf5":
        with h5py.File(path, "w") as file:
            file.create_dataset("betas", data=counts.transpose(0, 3, 2, 1), **storage)
    else:
        write_volume(path, np.moveaxis(counts, 0, -1))
    return path


def write_label_tables(root, subject=1, names=NAMES, sides=("lh.", "rh.")):
    """Write the names of the labels."""
    folder = paths(root, subject).label
    folder.mkdir(parents=True, exist_ok=True)
    for collection, of_labels in names.items():
        lines = [f"{label} {name}" for label, name in enumerate(of_labels)]
        for side in sides:
            (folder / f"{side}{collection}.mgz.ctab").write_text("\n".join(lines) + "\n")


def write_folder(root, subject=1, sessions=(1, 2), kind="hdf5", signal=None, tables=True):
    """Write one subject's part, and return the integers of its sessions, (trials, x, y, z).

    `signal` maps images (n_trials,) to what is added to noise, in percent signal change.
    """
    where = paths(root, subject)
    where.design.parent.mkdir(parents=True, exist_ok=True)
    savemat(where.design, design())
    for name, volume in label_volumes().items():
        write_volume(where.roi / f"{name}.nii.gz", volume)
    if tables:
        write_label_tables(root, subject)
    rng = np.random.default_rng(subject)
    write_volume(where.ncsnr, rng.uniform(0, 1, SHAPE).astype(np.float32))
    offset, scale = rng.normal(0, 2, SHAPE), rng.uniform(0.5, 2, SHAPE)
    counts = {}
    for number in sessions:
        percent = offset + scale * rng.standard_normal((750, *SHAPE)) + 0.1 * number
        if signal is not None:
            trials = range(750 * (number - 1), 750 * number)
            percent += signal(np.array([image_of_trial(subject, trial) for trial in trials]))
        counts[number] = np.rint(300 * percent).astype(np.int16)
        write_session(where.betas, number, counts[number], kind)
    return counts
