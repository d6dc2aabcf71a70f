"""Missing responses: targets grouped by the images on which they were observed."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from hashlib import blake2b
from typing import Any, NamedTuple, TypeVar

import numpy as np
from joblib import effective_n_jobs

from skalign.utils._map_blocks import map_blocks
from skalign.utils._types import Array, Doubles, Flags, Indices

Result = TypeVar("Result")

BLOCK_BYTES = 2**25  # of responses that are searched for NaN at a time
FEW_TARGETS = 64  # the work on patterns of no more takes little memory
SIDE_BY_SIDE_BYTES = 2**31  # what patterns that are worked on side by side may take together


class PatternOfTargets(NamedTuple):
    """Targets that were observed on the same images.

    Parameters
    ----------
    targets : ndarray of int
        The targets, in ascending order.
    observed : ndarray of int or slice
        The images; ``slice(None)`` for all of them. Images of weight zero count as missing, unless
        all responses are there.
    n_observed : int
        Number of these images.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.utils import MissingPatterns
    >>> MissingPatterns(np.array([[1.0, np.nan], [2.0, 3.0]]))[1]
    PatternOfTargets(targets=array([1]), observed=array([1]), n_observed=1)
    """

    targets: Indices
    observed: Indices | slice
    n_observed: int

    def responses(self, Y: Any) -> Any:
        """Take the observed responses, which are read when they are asked for.

        Parameters
        ----------
        Y : ndarray of shape (n_images, n_targets)
            Responses of all targets to all images.

        Returns
        -------
        ObservedResponses or ndarray
            Of shape (n_observed, n_pattern_targets); zeros, to all images, of targets that were
            never observed: nothing can be fitted to either.
        """
        if self.n_observed == 0:
            return np.zeros((Y.shape[0], len(self.targets)))
        return ObservedResponses(Y, self)

    @property
    def images(self) -> Indices | slice:
        """The images of `responses`: all, for targets that were never observed."""
        return self.observed if self.n_observed else slice(None)


class ObservedResponses:
    """Responses of some targets to some images of a larger array, read block by block.

    Parameters
    ----------
    Y : ndarray of shape (n_images, n_targets)
        The larger array; may be memory-mapped.
    pattern : PatternOfTargets
        The targets and the images.

    Attributes
    ----------
    shape : tuple of int
        Number of these images and of these targets.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.utils import MissingPatterns
    >>> Y = np.array([[1.0, np.nan], [2.0, 3.0]])
    >>> MissingPatterns(Y)[1].responses(Y)[:, :1]
    array([[3.]])
    """

    def __init__(self, Y: Any, pattern: PatternOfTargets) -> None:
        self._Y, self._pattern = Y, pattern
        self.shape = pattern.n_observed, len(pattern.targets)

    def __getitem__(self, index: tuple[Any, Any]) -> Array:
        images, targets = index
        columns: Any = self._pattern.targets[targets]
        if len(columns) and columns[-1] - columns[0] == len(columns) - 1:
            columns = slice(columns[0], columns[-1] + 1)
        responses: Array = np.asarray(self._Y[:, columns])[self._pattern.observed]
        return responses[images]


class MissingPatterns:
    """Targets grouped by the images on which they were observed.

    What is kept is one number for every target, so that there may be as many patterns as targets.
    The images of a pattern are found when it is asked for.

    Parameters
    ----------
    Y : ndarray of shape (n_images, n_targets)
        Responses, NaN where missing; read block by block, may be memory-mapped.
    sample_weight : ndarray of shape (n_images,), default=None
        Weights of the images. Images of weight zero are never observed.

    Attributes
    ----------
    any_missing : bool
        Whether any response is missing.
    unobserved : ndarray of int
        Targets without any observed image.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.utils import MissingPatterns
    >>> Y = np.array([[1.0, np.nan, 1.0], [2.0, 3.0, 4.0]])
    >>> [pattern.targets.tolist() for pattern in MissingPatterns(Y)]
    [[0, 2], [1]]
    """

    def __init__(self, Y: Any, sample_weight: Doubles | None = None) -> None:
        self._Y = Y
        self._ignored = None if sample_weight is None else sample_weight == 0
        numbers: dict[bytes, int] = {}
        members: list[list[int]] = []
        self.any_missing, unobserved = False, []
        for start, is_missing in blocks_of_missing(Y):
            some = np.flatnonzero(is_missing.any(axis=0))
            of_some = self._or_ignored(is_missing[:, some])
            packed = np.ascontiguousarray(np.packbits(of_some, axis=0).T)
            keys = [b""] * is_missing.shape[1]
            for place, row in zip(some, packed, strict=True):
                keys[place] = blake2b(row, digest_size=16).digest()
            for target, key in enumerate(keys, start):
                number = numbers.setdefault(key, len(numbers))
                if number == len(members):
                    members.append([])
                members[number].append(target)
            self.any_missing |= bool(some.size)
            unobserved.append(start + some[of_some.all(axis=0)])
        self._members = [np.array(targets) for targets in members]
        self.unobserved: Indices = np.concatenate(unobserved) if unobserved else np.empty(0, int)

    def _or_ignored(self, is_missing: Flags) -> Flags:
        return is_missing if self._ignored is None else is_missing | self._ignored[:, np.newaxis]

    def check_observed(self) -> None:
        """Raise ValueError if no target has an observed image."""
        if len(self.unobserved) == self._Y.shape[1]:
            raise ValueError(
                "y must have observed responses to images of positive weight; got NaN only, "
                f"in all {self._Y.shape[1]} target(s)."
            )

    def __len__(self) -> int:
        return len(self._members)

    def __getitem__(self, number: int) -> PatternOfTargets:
        targets = self._members[number]
        is_missing = _is_missing(self._Y[:, targets[:1]])
        if not is_missing.any():
            return PatternOfTargets(targets, slice(None), self._Y.shape[0])
        observed = np.flatnonzero(~self._or_ignored(is_missing)[:, 0])
        return PatternOfTargets(targets, observed, len(observed))

    def __iter__(self) -> Iterator[PatternOfTargets]:
        return (self[number] for number in range(len(self)))

    def map(
        self,
        function: Callable[[PatternOfTargets, int | None], Result],
        n_jobs: int | None,
        *,
        bytes_each: int,
    ) -> Generator[tuple[Indices, Result], None, None]:
        """Work on patterns side by side, as far as memory allows, and on large ones one by one.

        Parameters
        ----------
        function : callable
            Called as ``function(pattern, n_jobs)``, with the number of threads that it may use.
        n_jobs : int or None
            Number of threads.
        bytes_each : int
            Memory that the work on a pattern takes. Patterns of few targets take little.

        Yields
        ------
        targets : ndarray of int
            Targets of a pattern.
        result
            What `function` returned for it.
        """
        n_workers = effective_n_jobs(n_jobs)
        n_side_by_side = min(n_workers, SIDE_BY_SIDE_BYTES // max(1, bytes_each))
        share = self._Y.shape[1] // (2 * n_workers) if n_side_by_side > 1 else 0
        small: list[int] = []
        large: list[int] = []
        for k, targets in enumerate(self._members):
            (small if len(targets) <= max(FEW_TARGETS, share) else large).append(k)
        has_few = all(len(self._members[k]) <= FEW_TARGETS for k in small)
        threads = n_jobs if has_few else n_side_by_side
        with closing(map_blocks(lambda k: function(self[k], 1), small, threads)) as results:
            for k, result in zip(small, results, strict=True):
                yield self._members[k], result
        for k in large:
            yield self._members[k], function(self[k], n_jobs)


def blocks_of_missing(Y: Any) -> Iterable[tuple[int, Flags]]:
    """Which responses are missing, block by block of targets."""
    n_images, n_targets = Y.shape
    size = max(1, BLOCK_BYTES // (8 * max(1, n_images)))
    for start in range(0, n_targets, size):
        yield start, _is_missing(Y[:, start : start + size])


def _is_missing(responses: Any) -> Flags:
    values = np.asarray(responses)
    if values.dtype.kind in "biu":
        return np.zeros(values.shape, bool)
    found: Flags = np.isnan(values if values.dtype.kind == "f" else values.astype(np.float64))
    return found
