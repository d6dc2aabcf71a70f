"""Loader of the human fMRI slice that ships with the package."""

from importlib.resources import files
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from skalign.utils import install_hint

_SCALE = 300  # the file stores z-scores x 300 as integers


def load_haxby_slice(*, return_X_y: bool = False, as_frame: bool = False) -> Any:
    """Load the human fMRI slice: one subject's responses to eight categories of images.

    From Haxby et al. (2001) [1]_: subject 1, the posterior half of one axial slice, measured
    while blocks of images of one category each were shown. Every voxel is detrended within
    its run and z-scored against that run's rest volumes, which are left out, so that 0 is the
    response at rest.

    ==========================  ==============================================
    Volumes (samples)           864: 12 runs x 8 categories x 9 volumes
    Voxels (features)           530, float64, in standard deviations of rest
    Categories (target)         bottle, cat, chair, face, house, scissors,
                                scrambledpix, shoe
    ==========================  ==============================================

    Parameters
    ----------
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        If True, `data` is a pandas DataFrame, `target` and `run` are Series, and `frame` is
        given.

    Returns
    -------
    Bunch or tuple (data, target)
        The Bunch has the attributes

        data : {ndarray, DataFrame} of shape (864, 530)
            Responses, volumes x voxels.
        target : {ndarray, Series} of shape (864,)
            Category of the images shown, as a string.
        run : {ndarray, Series} of shape (864,)
            Run of each volume, 0 to 11: the groups to hold out in cross-validation.
        frame : DataFrame of shape (864, 532) or None
            Voxels, then the columns "category" and "run"; None unless ``as_frame=True``.
        feature_names : list of 530 str
            Names of the voxels.
        target_names : ndarray of shape (8,)
            The categories, sorted.
        DESCR : str
            Description, with source and license.
        filename : str
            Name of the file.
        data_module : str
            Package in which the file lies.

    Raises
    ------
    ImportError
        If ``as_frame=True`` and pandas is not installed.

    Notes
    -----
    Runs are independent. The nine volumes of a category in a run are one block and are not:
    average them before a test that counts samples, and keep them in one fold.

    The data are copyright of their authors under the license CC BY-SA 3.0, not under the
    license of the package's code; whoever passes them on names this source.

    References
    ----------
    .. [1] Haxby, Gobbini, Furey, Ishai, Schouten and Pietrini (2001), "Distributed and
       overlapping representations of faces and objects in ventral temporal cortex", Science
       293(5539):2425-2430, :doi:`10.1126/science.1063736`.

    Examples
    --------
    >>> from skalign.datasets import load_haxby_slice
    >>> haxby = load_haxby_slice()
    >>> haxby.data.shape, haxby.target[:10:9].tolist()
    ((864, 530), ['scissors', 'face'])

    Blocks as samples, by the mean of their volumes:

    >>> blocks = load_haxby_slice(as_frame=True).frame.groupby(["run", "category"]).mean()
    >>> blocks.shape
    (96, 530)
    """
    folder = files(__package__) / "data"
    filename = "haxby2001_slice.npz"
    with (folder / filename).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        data = arrays["responses"] / _SCALE
        target, run = arrays["category"], arrays["run"]
    feature_names = [f"voxel{number:03d}" for number in range(data.shape[1])]
    target_names = np.unique(target)

    frame = None
    if as_frame:
        pandas = _import_pandas()
        frame = pandas.DataFrame(data, columns=feature_names)
        frame = frame.assign(category=target, run=run)
        data, target, run = frame[feature_names], frame["category"], frame["run"]
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        run=run,
        frame=frame,
        feature_names=feature_names,
        target_names=target_names,
        DESCR=(folder / "README.md").read_text(encoding="utf-8"),
        filename=filename,
        data_module=f"{__package__}.data",
    )


def _import_pandas() -> Any:
    try:
        import pandas
    except ImportError as error:
        raise ImportError(
            f"load_haxby_slice(as_frame=True) needs pandas: {install_hint('table')} Or set "
            "as_frame=False for arrays."
        ) from error
    return pandas
