"""The script for the FFA case runs on a small folder of NSD, end to end."""

from types import SimpleNamespace

import numpy as np
import pytest

from skalign.datasets import NSDSubject
from tests.datasets.nsd_example import write_example
from tests.datasets.nsd_folder import AFFINE, SHAPE, label_volumes, paths, write_volume
from tests.example_scripts import matplotlib, run_example

pytest.importorskip("h5py", reason="NSD is read with h5py")
nibabel = pytest.importorskip("nibabel", reason="NSD is read with nibabel")
pandas = pytest.importorskip("pandas", reason="the script makes a table")


def run(root, *arguments):
    """Run the script and return what it printed."""
    return run_example("nsd_ffa", root, root, *arguments).printed


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """What the page of the site shows."""
    root = tmp_path_factory.mktemp("nsd")
    file, *options = write_example(root)
    printed = run(root, file, *options)
    table = pandas.read_csv(root / "out" / "results.csv")
    return SimpleNamespace(root=root, file=file, printed=printed, table=table, options=options)


def test_table(example):
    table = example.table
    assert list(table) == [
        *["model", "layer", "units", "subject", "region", "penalty", "positive", "alpha"],
        *["partition", "r", "theta", "n_active", "empty_fraction", "ceiling", "n_targets"],
        *["seconds", "error"],
    ]
    assert len(table) == 2 * 2 * 4 * 2
    assert table.groupby(["subject", "units", "penalty", "positive"]).size().eq(1).all()
    assert table["model"].eq("network").all()
    positive = table[table["positive"]].groupby("units")["r"].mean()
    assert positive["faces"] > 0.4
    assert positive["scenes"] < 0.15
    signed = table[~table["positive"]].groupby(["units", "penalty"])[["r", "theta"]].mean()
    assert (signed["r"]["scenes"] > 0.2).all()
    assert (signed["theta"]["scenes"] > signed["theta"]["faces"] + 0.2).all()


def test_prose_of_the_page(example):
    assert label_volumes()["floc-faces"].ravel().tolist().count(2) == 12
    means = example.table.groupby(["units", "positive", "penalty"]).mean(numeric_only=True)
    assert (means["r"]["faces"] > 0.85 * example.table["ceiling"].mean()).all()
    signed, positive = (means.loc["scenes", sign] for sign in (False, True))
    assert (signed["theta"] > 1.3).all()
    assert (positive["empty_fraction"] >= 0.75).all()
    assert (positive["r"] < 0.015).all()
    assert max(map(len, example.printed.splitlines())) < 100


def test_printed_numbers_are_means_over_subjects(example):
    lines = [line.split() for line in example.printed.splitlines()]
    lines = [line for line in lines if line and line[0] in set(example.table["penalty"])]
    assert len(lines) == 8
    for penalty, positive, r_faces, r_scenes, *_ in lines:
        of = example.table.query(f"penalty == {penalty!r} and positive == {positive}")
        means = of.groupby("units")["r"].mean().round(2) + 0.0
        assert (r_faces, r_scenes) == (f"{means['faces']:.2f}", f"{means['scenes']:.2f}")
    ceiling = example.table["ceiling"].mean()
    assert f"Voxel-averaged ceiling of r: {ceiling:.2f}." in example.printed
    assert matplotlib.image.imread(example.root / "out" / "results.png").shape[1] > 600


def training_ncsnr(example, subject):
    """By NSD's definition, from the trials of the training images alone: by a loop."""
    nsd = NSDSubject(example.root, subject)
    split = nsd.split(n_train=300, n_validation=0)
    brain = nsd.read("FFA-1", average=False)
    trials = np.array([brain.responses[brain.images == image] for image in split.train])
    noise = trials.var(axis=1, ddof=1).mean(axis=0)
    return brain.voxels, np.sqrt(np.maximum(1 - noise, 0) / noise)


def test_voxels_and_ceilings_come_from_training_trials(example):
    for subject, of_subject in example.table.groupby("subject"):
        _, ncsnr = training_ncsnr(example, subject)
        ncsnr = ncsnr[ncsnr > 0.2]
        ceiling = np.mean(np.sqrt(ncsnr**2 / (ncsnr**2 + 1 / 3)))
        np.testing.assert_allclose(of_subject["ceiling"], ceiling, rtol=1e-4)
        assert set(of_subject["n_targets"]) == {len(ncsnr)}


def test_ncsnr_of_the_dataset_chooses_nothing(example):
    """It knows the test trials: a map of it that would keep no voxel changes nothing."""
    expected = example.table[example.table["subject"] == 1].reset_index(drop=True)
    path = paths(example.root, 1).ncsnr
    original = path.read_bytes()
    try:
        write_volume(path, np.zeros(SHAPE, np.float32))
        options = ["--subjects", 1, *example.options[3:-1], example.root / "again"]
        run(example.root, example.file, *options)
    finally:
        path.write_bytes(original)
    again = pandas.read_csv(example.root / "again" / "results.csv")
    pandas.testing.assert_frame_equal(
        again.drop(columns="seconds"), expected.drop(columns="seconds")
    )


def test_maps(example):
    files = sorted((example.root / "out").glob("*.nii.gz"))
    assert len(files) == 2 * 2 * 4 * 2
    is_ffa = label_volumes()["floc-faces"] == 2
    for row in example.table.itertuples():
        sign = "positive" if row.positive else "signed"
        name = f"subj{row.subject:02d}_FFA-1_{row.units}_{row.penalty}_{sign}.nii.gz"
        image = nibabel.load(example.root / "out" / name)
        assert image.shape == (*SHAPE, 3)
        np.testing.assert_allclose(image.affine, AFFINE, atol=1e-5)
        r, theta, n_active = np.moveaxis(image.get_fdata(), -1, 0)
        assert not np.isfinite(r[~is_ffa]).any()
        assert np.isfinite(r).sum() == row.n_targets
        np.testing.assert_allclose(np.nanmean(r), row.r, atol=1e-6)
        np.testing.assert_allclose(np.nanmean(n_active), row.n_active, atol=1e-6)
        if np.isfinite(theta).any():
            np.testing.assert_allclose(np.nanmean(theta), row.theta, atol=1e-6)


def test_a_file_of_features_that_lacks_something_says_what(example, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(example.root, tmp_path / "none.npz")
    assert "none.npz must be an .npz file of features" in capsys.readouterr().err
    with np.load(example.file) as file:
        arrays = dict(file)
    np.savez(tmp_path / "few.npz", **{name: arrays[name] for name in ("features", "images")})
    with pytest.raises(SystemExit):
        run(example.root, tmp_path / "few.npz")
    assert "few.npz must hold the arrays ['categories', 'localizer']" in capsys.readouterr().err
    np.savez(
        tmp_path / "half.npz",
        **arrays | {"images": arrays["images"][:100], "features": arrays["features"][:100]},
    )
    with pytest.raises(SystemExit):
        run(example.root, tmp_path / "half.npz", *example.options)
    assert "must have features of the 300 images in the split" in capsys.readouterr().err
