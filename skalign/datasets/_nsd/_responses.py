"""Responses of voxels to images, gathered session by session."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.preprocessing import StandardScaler

from skalign.datasets._nsd._betas import COUNTS_A_PERCENT, read_session
from skalign.datasets._nsd._experiment import N_IMAGES, Images
from skalign.datasets._nsd._files import TRIALS_A_SESSION, NSDFiles
from skalign.datasets._nsd._stimuli import check_images
from skalign.datasets._nsd._voxels import NSDVoxels
from skalign.utils import Flags, Integers


@dataclass(frozen=True, eq=False)
class NSDResponses:
    """Responses of voxels to images.

    Parameters
    ----------
    responses : ndarray of shape (n_images, n_voxels), dtype float32
        Responses, averaged over an image's trials; in standard deviations of the voxel's session,
        or in percent signal change if not z-scored. A row is a trial if not averaged.
    images : ndarray of shape (n_images,)
        The image of each row, as a row of the stimulus file, counted from 0.
    n_trials : ndarray of shape (n_images,)
        Number of trials in each row.
    sessions : ndarray of shape (n_sessions,)
        The sessions that were read, counted from 1.
    voxels : NSDVoxels
        The voxel of each column. Those asked for that are constant in a session, as invalid ones
        are, are left out.
    """

    responses: NDArray[np.float32]
    images: Images
    n_trials: Integers
    sessions: Integers
    voxels: NSDVoxels


def read_responses(
    files: NSDFiles,
    voxels: NSDVoxels,
    trials: Images,
    sessions: list[int],
    images: ArrayLike | None,
    zscore: bool,
    average: bool,
) -> NSDResponses:
    """Read sessions, whose trials showed the images `trials`, one after the other."""
    kept = np.unique(trials) if images is None else _check_shown(images, trials)
    row_of_image = np.full(N_IMAGES, -1)
    row_of_image[kept] = np.arange(len(kept))
    row_of_trial = row_of_image[trials]
    is_kept = row_of_trial >= 0
    if not average:
        kept = trials[is_kept]
        row_of_trial[is_kept] = np.arange(len(kept))
    n_trials = np.bincount(row_of_trial[is_kept], minlength=len(kept))

    responses = np.zeros((len(kept), len(voxels)), dtype=np.float32)
    is_valid = np.ones(len(voxels), dtype=bool)
    constant: dict[int, int] = {}  # voxels that are, by session
    rows_of_sessions = row_of_trial.reshape(-1, TRIALS_A_SESSION)
    for number, rows in zip(sessions, rows_of_sessions, strict=True):
        counts = read_session(files.session(number), voxels)
        varies = (counts != counts[0]).any(axis=0)
        if not varies.all():
            constant[number] = int(np.count_nonzero(~varies))
        is_valid &= varies
        session = counts.astype(np.float32)
        session /= COUNTS_A_PERCENT
        if zscore:
            session = StandardScaler(copy=False).fit_transform(session)
        np.add.at(responses, rows[rows >= 0], session[rows >= 0])
    responses /= n_trials[:, np.newaxis].astype(np.float32)
    if not is_valid.all():
        where = _where_constant(files, constant)
        responses, voxels = _leave_out_invalid(responses, voxels, is_valid, where)
    return NSDResponses(responses, kept, n_trials, np.array(sessions), voxels)


def _check_shown(images: ArrayLike, trials: Images) -> Images:
    checked = check_images(images, N_IMAGES)
    if len(np.unique(checked)) < len(checked):
        raise ValueError("images must all be different; some are named twice.")
    unseen = checked[~np.isin(checked, trials)]
    if unseen.size:
        raise ValueError(
            f"images must have been shown in the sessions read; {unseen.size} of {len(checked)} "
            f"were not, {unseen[0]} the first of them. Read more sessions, or choose from "
            "`trials(sessions)`."
        )
    return checked


def _where_constant(files: NSDFiles, constant: dict[int, int]) -> str:
    """The session with most constant voxels, and its file."""
    worst = max(constant, key=lambda number: constant[number])
    others = f", and others in {len(constant) - 1} other session(s)" if len(constant) > 1 else ""
    return f"{constant[worst]} of them in session {worst}, {files.session(worst)}{others}"


def _leave_out_invalid(
    responses: NDArray[np.float32], voxels: NSDVoxels, is_valid: Flags, where: str
) -> tuple[NDArray[np.float32], NSDVoxels]:
    n_invalid = np.count_nonzero(~is_valid)
    message = (
        f"{n_invalid} of {len(voxels)} voxels are constant in a session, as invalid ones are "
        f"({where})"
    )
    if not is_valid.any():
        raise ValueError(f"{message}: no voxel is left. Is that file whole?")
    warnings.warn(f"{message}, and are left out.", UserWarning, stacklevel=4)
    return responses[:, is_valid], voxels.select(is_valid)
