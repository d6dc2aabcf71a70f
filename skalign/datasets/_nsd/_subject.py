"""One subject of the Natural Scenes Dataset: regions, trials and responses."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from os import PathLike
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from skalign.datasets._nsd._experiment import ExperimentDesign, Images, NSDSplit
from skalign.datasets._nsd._files import Hemisphere, check_hemisphere, find_files
from skalign.datasets._nsd._regions import region_names
from skalign.datasets._nsd._responses import NSDResponses, read_responses
from skalign.datasets._nsd._voxels import NSDVoxels, find_voxels
from skalign.utils import check_flag


class NSDSubject:
    """A subject of the Natural Scenes Dataset, read from a folder in its own layout.

    The dataset [1]_ is not shipped: fetch it from its makers into a folder, all of it or one
    subject's part. Only paths are checked before something is read.

    Parameters
    ----------
    root : str or path-like
        Folder that holds ``nsddata`` and ``nsddata_betas``.
    subject : int
        The subject, 1 to 8. Subjects 1, 2, 5 and 7 completed all 40 sessions.
    betas : str, default="betas_fithrf_GLMdenoise_RR"
        Folder of the responses: which of NSD's estimates of them to read.

    Attributes
    ----------
    root : pathlib.Path
        The folder.
    subject : int
        The subject.

    See Also
    --------
    iter_nsd_stimuli : The images that were shown.

    Notes
    -----
    The files that are read, with NN for a number of two digits:

    - ``nsddata/experiments/nsd/nsd_expdesign.mat``: which image was shown when.
    - ``nsddata/ppdata/subjNN/func1pt8mm/roi/{,lh.,rh.}floc-faces.nii.gz`` and others: regions.
    - ``nsddata/freesurfer/subjNN/label/{lh.,rh.,}floc-faces.mgz.ctab`` and others: their names.
      Without these, only the names in floc-faces and floc-places are known.
    - ``nsddata_betas/ppdata/subjNN/func1pt8mm/<betas>/ncsnr.nii.gz``.
    - ``betas_sessionNN.hdf5`` or ``betas_sessionNN.nii.gz`` in the same folder; where there are
      both, HDF5. Of HDF5 only the chunks that hold the voxels asked for are read; a NIfTI file is
      one compressed stream, which is read as a whole. A file that is missing or not as NSD's
      raises an error that names it.

    In memory are the result, one session of the voxels asked for, and some MB of the file.

    References
    ----------
    .. [1] Allen, St-Yves, Wu, Breedlove, Prince, Dowdle, Nau, Caron, Pestilli, Charest,
       Hutchinson, Naselaris and Kay (2022), "A massive 7T fMRI dataset to bridge cognitive
       neuroscience and artificial intelligence", Nature Neuroscience 25:116-126,
       :doi:`10.1038/s41593-021-00962-x`.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.datasets import NSDSubject
    >>> subject = NSDSubject("~/nsd", 1)  # doctest: +SKIP
    >>> ffa = subject.voxels("FFA-1")  # doctest: +SKIP
    >>> ffa = ffa.select(ffa.ncsnr > 0.2)  # doctest: +SKIP
    >>> split = subject.split()  # doctest: +SKIP
    >>> images = np.concatenate([split.train, split.test])  # doctest: +SKIP
    >>> y_train, y_test = np.split(  # doctest: +SKIP
    ...     subject.read(ffa, images=images).responses, [1000]
    ... )
    >>> y_train.shape, y_test.shape  # doctest: +SKIP
    ((1000, 418), (515, 418))
    """

    def __init__(
        self,
        root: str | PathLike[str],
        subject: int,
        *,
        betas: str = "betas_fithrf_GLMdenoise_RR",
    ):
        self._files = find_files(root, subject, betas)
        self.root = self._files.root
        self.subject = subject

    @property
    def sessions(self) -> list[int]:
        """The sessions that the subject completed and the folder has, counted from 1.

        Returns
        -------
        list of int
            Ascending.

        Raises
        ------
        FileNotFoundError
            If there are none.

        Warns
        -----
        UserWarning
            If sessions before the last are missing.
        """
        return self._files.sessions()

    def regions(self, hemisphere: Hemisphere | None = None) -> dict[str, list[str]]:
        """List the regions that can be asked for.

        Parameters
        ----------
        hemisphere : {"lh", "rh"}, default=None
            Whose label tables to look at; by default both.

        Returns
        -------
        dict of str to list of str
            The names in every collection, such as "floc-faces"; none where its table is missing.

        Raises
        ------
        FileNotFoundError
            If the folder of regions is not where it is expected, or empty.
        ValueError
            If a table of names is not one, or those of the hemispheres differ.
        """
        check_hemisphere(hemisphere)
        return region_names(self._files, hemisphere)

    def voxels(
        self, regions: str | Sequence[str], *, hemisphere: Hemisphere | None = None
    ) -> NSDVoxels:
        """Find the voxels of one or more regions.

        Parameters
        ----------
        regions : str or list of str
            Names, such as "FFA-1" or ``["FFA-1", "FFA-2"]``. One that several collections have is
            asked for as "collection/name". A name that labels share is all of them.
        hemisphere : {"lh", "rh"}, default=None
            Which hemisphere's voxels; by default both.

        Returns
        -------
        NSDVoxels
            The voxels, in the order of the grid.

        Raises
        ------
        FileNotFoundError
            If a volume is not where it is expected.
        ImportError
            If nibabel is missing.
        TypeError
            If `regions` are not names.
        ValueError
            If a region is not known, has no voxels or several collections have one of that name,
            its table of names is not one, or a volume is damaged or on another grid.
        """
        return find_voxels(self._files, regions, hemisphere)

    def images(self, kind: Literal["shared1000", "shared515", "own"]) -> Images:
        """List images of a kind, whether this folder has responses to them or not.

        Parameters
        ----------
        kind : {"shared1000", "shared515", "own"}
            - "shared1000": shown to all subjects;
            - "shared515": of these, the ones that every subject saw three times;
            - "own": shown to this subject alone.

        Returns
        -------
        ndarray of shape (n_images,)
            Rows of the stimulus file, counted from 0, ascending.

        Raises
        ------
        FileNotFoundError
            If the design file is not where it is expected.
        ValueError
            If `kind` is another, or the design file is not one.
        """
        if kind == "shared1000":
            return self._design.shared.copy()
        if kind == "shared515":
            return self._design.shared_by_all()
        if kind == "own":
            return self._design.own(self.subject)
        raise ValueError(f'kind must be "shared1000", "shared515" or "own"; got {kind!r}.')

    def trials(self, sessions: ArrayLike | None = None) -> Images:
        """List the image of every trial, in the order of trials.

        Parameters
        ----------
        sessions : array-like of int, default=None
            Sessions, counted from 1; by default all that the folder has.

        Returns
        -------
        ndarray of shape (750 * n_sessions,)
            Rows of the stimulus file, counted from 0.

        Raises
        ------
        FileNotFoundError
            If the design file, or the responses of a session, are not where they are expected.
        ValueError
            If a session is not one that the subject completed, or the design file is not one.
        """
        return self._design.trials(self.subject, self._files.sessions(sessions))

    def split(
        self,
        *,
        n_train: int = 1000,
        n_validation: int = 1000,
        sessions: ArrayLike | None = None,
        min_trials: int = 3,
        random_state: int | np.random.RandomState | None = 0,
    ) -> NSDSplit:
        """Set images apart for training, test and validation, as the paper does.

        Training and validation images are drawn from those that this subject alone saw; all the
        "shared515" images are for the test.

        Parameters
        ----------
        n_train, n_validation : int, default=1000
            Number of images.
        sessions : array-like of int, default=None
            Sessions that will be read; by default all that the folder has.
        min_trials : {1, 2, 3}, default=3
            Only images with this number of trials in these sessions are taken. This may remove
            test images too if not all sessions are there.
        random_state : int, RandomState instance or None, default=0
            Of the draw.

        Returns
        -------
        NSDSplit
            ``train``, ``test`` and ``validation``.

        Raises
        ------
        FileNotFoundError
            If the design file, or the responses of a session, are not where they are expected.
        ValueError
            If there are not enough images.
        """
        return self._design.split(
            self.subject,
            self._files.sessions(sessions),
            n_train,
            n_validation,
            min_trials,
            random_state,
        )

    def read(
        self,
        voxels: NSDVoxels | str | Sequence[str],
        *,
        images: ArrayLike | None = None,
        sessions: ArrayLike | None = None,
        zscore: bool = True,
        average: bool = True,
    ) -> NSDResponses:
        """Read the responses of voxels to images.

        Parameters
        ----------
        voxels : NSDVoxels, str or list of str
            The voxels, or the regions whose voxels to read.
        images : array-like of int of shape (n_images,), default=None
            Images to keep, as rows of the stimulus file counted from 0; averaged responses come in
            this order. By default all images of the sessions, ascending.
        sessions : array-like of int, default=None
            Sessions, counted from 1; by default all that the folder has.
        zscore : bool, default=True
            Whether every voxel gets mean 0 and variance 1 over all trials of each session, those of
            other images included.
        average : bool, default=True
            Whether to average over an image's trials. If not, a row is a trial, in their order.

        Returns
        -------
        NSDResponses
            ``responses`` (n_images, n_voxels), with their images and voxels.

        Raises
        ------
        FileNotFoundError
            If a file is not where it is expected.
        ImportError
            If h5py or nibabel is missing.
        TypeError
            If `voxels` is neither NSDVoxels nor names, or `zscore` or `average` is no flag.
        ValueError
            If an image was not shown in these sessions, a session is not one that the subject
            completed, `voxels` are another subject's, or a file is damaged, has parts that were
            never written, lies in space unlike the regions, or is not as NSD's.

        Warns
        -----
        UserWarning
            If voxels are constant in a session, and left out; or if `sessions` is None and the
            folder lacks sessions before its last.

        Notes
        -----
        Every call reads all its sessions: ask for the images of all parts of a split at once, and
        split the rows afterwards.
        """
        check_flag(zscore, "zscore")
        check_flag(average, "average")
        if isinstance(voxels, Sequence) and voxels and all(isinstance(x, str) for x in voxels):
            voxels = self.voxels(voxels)
        if not isinstance(voxels, NSDVoxels):
            raise TypeError(
                "voxels must be NSDVoxels, the name of a region or a list of names; got "
                f"{voxels!r}. subject.voxels(regions) makes NSDVoxels."
            )
        if voxels.subject != self.subject:
            raise ValueError(
                f"voxels must be those of subject {self.subject}; got subject {voxels.subject}'s."
            )
        numbers = self._files.sessions(sessions)
        trials = self._design.trials(self.subject, numbers)
        return read_responses(self._files, voxels, trials, numbers, images, zscore, average)

    @cached_property
    def _design(self) -> ExperimentDesign:
        return ExperimentDesign(self._files.design)
