"""What was shown when: the order of trials, shared and own images, and the paper's split."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from pathlib import Path

import numpy as np
from scipy.io import loadmat
from sklearn.utils import check_random_state, check_scalar

from skalign.datasets._nsd._files import (
    SESSIONS_COMPLETED,
    TRIALS_A_SESSION,
    check_file,
    reading,
)
from skalign.utils import Array, Integers

Images = Integers

N_IMAGES = 73_000
N_SHARED = 1000
_WHAT = "The design of the experiment"
_TIMES_SHOWN = 3


@dataclass(frozen=True, eq=False)
class NSDSplit:
    """Images of one subject, apart: for training, test and validation.

    Parameters
    ----------
    train : ndarray of shape (n_train,)
        Images that this subject alone saw.
    test : ndarray of shape (n_test,)
        Images that all subjects saw.
    validation : ndarray of shape (n_validation,)
        Other images that this subject alone saw.

    Notes
    -----
    Images are rows of the stimulus file, counted from 0, in ascending order.
    """

    train: Images
    test: Images
    validation: Images


class ExperimentDesign:
    """The experiment's design file, with everything counted from 0."""

    def __init__(self, path: Path):
        check_file(path, _WHAT)
        names = ("masterordering", "subjectim", "sharedix")
        with reading(path, _WHAT):
            content = loadmat(path, variable_names=names)
        missing = [name for name in names if name not in content]
        if missing:
            raise ValueError(f"{path} must hold the variables {', '.join(names)}; no {missing}.")
        order, images, shared = (np.asarray(content[name]) for name in names)
        n_subjects = len(SESSIONS_COMPLETED)
        n_trials = max(SESSIONS_COMPLETED) * TRIALS_A_SESSION
        if images.ndim != 2 or len(images) != n_subjects or order.size < n_trials:
            raise ValueError(
                f"{path} must hold a subjectim of {n_subjects} rows and a masterordering of at "
                f"least {n_trials} trials; got shapes {images.shape} and {order.shape}."
            )
        self._order = self._from_0(order.ravel(), images.shape[1], "masterordering", path)
        self._images = self._from_0(images, N_IMAGES, "subjectim", path)
        self.shared = np.sort(self._from_0(shared.ravel(), N_IMAGES, "sharedix", path))
        if len(np.unique(self.shared)) != N_SHARED or self.shared.size != N_SHARED:
            raise ValueError(
                f"{path} must hold a sharedix of {N_SHARED} different images, which all subjects "
                f"saw; got {len(np.unique(self.shared))} in {self.shared.size} numbers. Download "
                "the file again."
            )
        first = np.sort(self._images[:, : self.shared.size], axis=1)
        if first.shape[1] != self.shared.size or (first != self.shared).any():
            raise ValueError(
                f"The first columns of subjectim must be the images of sharedix, in all its rows; "
                f"they are not in {path}."
            )

    @staticmethod
    def _from_0(numbers: Array, largest: int, name: str, path: Path) -> Images:
        is_whole = numbers.size and np.array_equal(numbers, np.rint(numbers))
        if not is_whole or numbers.min() < 1 or numbers.max() > largest:
            raise ValueError(f"{name} must hold whole numbers from 1 to {largest}: not in {path}.")
        return numbers.astype(np.int64) - 1

    def own(self, subject: int) -> Images:
        """List the images that the subject alone saw."""
        return np.sort(self._images[subject - 1, self.shared.size :])

    def trials(self, subject: int, sessions: list[int]) -> Images:
        """List the image of every trial of some sessions, in their order."""
        order = self._order[: SESSIONS_COMPLETED[subject - 1] * TRIALS_A_SESSION]
        shown = order.reshape(-1, TRIALS_A_SESSION)[np.asarray(sessions) - 1]
        return self._images[subject - 1, shown.ravel()]

    def shared_by_all(self) -> Images:
        """List the shared images that every subject saw three times."""
        seen = self.shared
        for subject, n_sessions in enumerate(SESSIONS_COMPLETED, start=1):
            trials = self.trials(subject, list(range(1, n_sessions + 1)))
            seen = seen[_n_trials(seen, trials) >= _TIMES_SHOWN]
        return seen

    def split(
        self,
        subject: int,
        sessions: list[int],
        n_train: int,
        n_validation: int,
        min_trials: int,
        random_state: int | np.random.RandomState | None,
    ) -> NSDSplit:
        """Draw training and validation images from the subject's own."""
        check_scalar(n_train, "n_train", Integral, min_val=1)
        check_scalar(n_validation, "n_validation", Integral, min_val=0)
        check_scalar(min_trials, "min_trials", Integral, min_val=1, max_val=_TIMES_SHOWN)
        trials = self.trials(subject, sessions)
        own, test = self.own(subject), self.shared_by_all()
        own = own[_n_trials(own, trials) >= min_trials]
        test = test[_n_trials(test, trials) >= min_trials]
        times = "trials" if min_trials > 1 else "trial"
        if own.size < n_train + n_validation or not test.size:
            raise ValueError(
                f"n_train + n_validation must be at most {own.size}, the number of subject "
                f"{subject}'s own images that have {min_trials} {times} in the sessions at hand; "
                f"got {n_train} + {n_validation}. Of the shared images, which are for the test, "
                f"{test.size} have that number. Lower n_train, n_validation or min_trials, "
                "or take more sessions."
            )
        drawn = check_random_state(random_state).permutation(own)
        train, validation = drawn[:n_train], drawn[n_train : n_train + n_validation]
        return NSDSplit(np.sort(train), test, np.sort(validation))


def _n_trials(images: Images, trials: Images) -> Images:
    """Count the trials of each image."""
    return np.bincount(trials, minlength=N_IMAGES)[images]
