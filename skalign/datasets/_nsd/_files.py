"""Where the files of NSD lie, how they are opened, and errors that say which and where."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from numbers import Integral
from os import PathLike
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_scalar

from skalign.utils import install_hint

Hemisphere = Literal["lh", "rh"]

SESSIONS_COMPLETED = (40, 40, 32, 30, 40, 32, 40, 30)  # by subjects 1 to 8
TRIALS_A_SESSION = 750
_GRID = "func1pt8mm"


@dataclass(frozen=True)
class NSDFiles:
    """Paths of one subject's files."""

    root: Path
    subject: int
    betas: str

    @property
    def design(self) -> Path:
        """Which image was shown in which trial, of all subjects."""
        return self.root / "nsddata" / "experiments" / "nsd" / "nsd_expdesign.mat"

    @property
    def roi_folder(self) -> Path:
        """Volumes of region labels."""
        return self.root / "nsddata" / "ppdata" / self._name / _GRID / "roi"

    @property
    def label_folder(self) -> Path:
        """Names of the labels."""
        return self.root / "nsddata" / "freesurfer" / self._name / "label"

    @property
    def betas_folder(self) -> Path:
        """Responses to single trials, a file a session."""
        return self.root / "nsddata_betas" / "ppdata" / self._name / _GRID / self.betas

    @property
    def ncsnr(self) -> Path:
        """Volume of noise-ceiling signal-to-noise ratios."""
        return self.betas_folder / "ncsnr.nii.gz"

    def session(self, number: int) -> Path:
        """Find the responses of a session: in HDF5, which is faster to read from, or NIfTI."""
        paths = self._session_paths(number)
        for path in paths:
            if path.is_file():
                return path
        raise FileNotFoundError(
            f"The responses of session {number} are expected at {paths[0]}, or as {paths[1].name} "
            "beside it, and there is neither file."
        )

    def sessions(self, asked: ArrayLike | None = None) -> list[int]:
        """List sessions whose responses are there: those asked for, or all of the subject's."""
        n_completed = SESSIONS_COMPLETED[self.subject - 1]
        if asked is None:
            paths = {number: self._session_paths(number) for number in range(1, n_completed + 1)}
            present = [number for number in paths if any(map(Path.is_file, paths[number]))]
            if not present:
                self.session(1)  # says where it is expected
            self._warn_of_gaps(present)
            return present
        numbers = np.asarray(asked)
        is_list = numbers.ndim == 1 and numbers.size > 0 and numbers.dtype.kind in "iu"
        is_unique = len(np.unique(numbers)) == numbers.size
        if not is_list or not is_unique or numbers.min() < 1 or numbers.max() > n_completed:
            raise ValueError(
                f"sessions must be a list of different numbers from 1 to {n_completed}, which "
                f"subject {self.subject} completed; got {asked!r}."
            )
        for number in numbers.tolist():
            self.session(number)  # must be there
        return sorted(numbers.tolist())

    def _warn_of_gaps(self, present: list[int]) -> None:
        """Warn of sessions missing before the last; a download that goes on has none."""
        missing = sorted(set(range(1, present[-1])) - set(present))
        if missing:
            warnings.warn(
                f"Sessions {', '.join(map(str, missing))} of subject {self.subject} are missing "
                f"from {self.betas_folder}, which has sessions up to {present[-1]}: images have "
                "fewer trials than were measured. Download them, or name the sessions to read.",
                UserWarning,
                stacklevel=4,
            )

    def _session_paths(self, number: int) -> list[Path]:
        stem = f"betas_session{number:02d}"
        return [self.betas_folder / f"{stem}{suffix}" for suffix in (".hdf5", ".nii.gz")]

    @property
    def _name(self) -> str:
        return f"subj{self.subject:02d}"


def find_files(root: str | PathLike[str], subject: int, betas: str) -> NSDFiles:
    """Check that the root holds NSD and the subject is one of it."""
    check_scalar(subject, "subject", Integral, min_val=1, max_val=len(SESSIONS_COMPLETED))
    if not isinstance(betas, str):
        raise TypeError(
            "betas must be the name of a folder of responses, such as "
            f'"betas_fithrf_GLMdenoise_RR"; got {betas!r}.'
        )
    path = check_root(root)
    for name in ("nsddata", "nsddata_betas"):
        if not (path / name).is_dir():
            raise FileNotFoundError(
                f"root must be the folder that holds nsddata and nsddata_betas: {path / name} is "
                "expected, and there is no such folder."
            )
    files = NSDFiles(path, subject, betas)
    if not files.betas_folder.is_dir():
        raise FileNotFoundError(
            f"The responses of subject {subject} are expected in {files.betas_folder}, and there "
            "is no such folder. Choose another with betas=."
        )
    return files


def check_root(root: str | PathLike[str]) -> Path:
    """Check that there is such a folder."""
    path = Path(root).expanduser()
    if not path.is_dir():
        raise FileNotFoundError(f"root must be the folder of NSD; got {path}, which is no folder.")
    return path


def check_file(path: Path, what: str) -> None:
    """Check that there is such a file."""
    if not path.is_file():
        raise FileNotFoundError(f"{what} is expected at {path}, and there is no such file.")


def check_affine(affine: Any, expected: Any, path: Path, whose: str) -> None:
    """Check that a volume lies in space as another does; otherwise indices name other voxels."""
    edges = np.linalg.norm(expected[:3, :3], axis=0)
    bound = np.append(np.full(3, 0.01), 0.5) * edges.min()  # of axes and of the origin
    if not (np.abs(np.asarray(affine) - expected)[:3] <= bound).all():
        raise ValueError(
            f"{path} must have the affine of {whose}, {np.round(expected[:3], 3).tolist()}; got "
            f"{np.round(affine[:3], 3).tolist()}. Resample or flip it, or download it again."
        )


def check_hemisphere(hemisphere: Any) -> None:
    """Check that the option is one."""
    if hemisphere not in (None, *get_args(Hemisphere)):
        raise ValueError(f'hemisphere must be "lh", "rh" or None for both; got {hemisphere!r}.')


@contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Name the file in whatever goes wrong while a library reads it."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # a truncated or foreign file fails in as many ways as libraries
        raise ValueError(
            f"{what} cannot be read from {path}; the file may be damaged, partly downloaded or of "
            f"another kind. {type(error).__name__}: {error}"
        ) from error


def load_volume(path: Path, what: str) -> tuple[Any, Any]:
    """Load a three-dimensional NIfTI volume: its values and its affine."""
    nibabel = optional("nibabel", "nsd", "NIfTI volumes are read with")
    check_file(path, what)
    with reading(path, what):
        image = nibabel.load(path)
        values, affine = image.get_fdata(caching="unchanged"), image.affine
    if values.ndim != 3:
        raise ValueError(
            f"{what} must be a volume of three axes; got shape {values.shape} from {path}."
        )
    return values, affine


def optional(module: str, extra: str, use: str) -> Any:
    """Import a package that skalign does not depend on."""
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(f"{use} {module}: {install_hint(extra)}") from error
