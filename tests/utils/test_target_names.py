"""Names of targets: from data frames and series, from nothing else."""

import numpy as np
import pandas as pd
import pytest

from skalign.utils import target_names

VALUES = np.arange(6.0).reshape(3, 2)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_and_series_carry_names(library):
    frames = pytest.importorskip(library)
    frame = frames.DataFrame({"left": VALUES[:, 0], "right": VALUES[:, 1]})
    names = target_names(frame)
    assert names.dtype == object
    assert names.tolist() == ["left", "right"]
    assert target_names(frame["right"]).tolist() == ["right"]
    assert target_names(frames.Series(VALUES[:, 0])) is None


class Dataset:
    """As h5py has them: two dimensions, and a name that is no target's."""

    name, shape, ndim = "/responses", (3, 2), 2

    def to_numpy(self):
        return VALUES

    def __array__(self, dtype=None, copy=None):
        return VALUES


@pytest.mark.parametrize(
    "y",
    [
        VALUES,
        VALUES.tolist(),
        None,
        pd.DataFrame(VALUES),
        pd.DataFrame(VALUES, columns=["left", 1]),
        pd.DataFrame(VALUES, columns=pd.MultiIndex.from_tuples([("V1", "a"), ("V1", "b")])),
        pd.DataFrame(index=range(3)),
        pd.Series(VALUES[:, 0], name=4),
        Dataset(),
    ],
)
def test_what_has_no_names_gets_none(y):
    assert target_names(y) is None
