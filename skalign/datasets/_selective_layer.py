"""Images as points in a latent space, and network units tuned to directions in it."""

from __future__ import annotations

import numpy as np
from scipy.stats import gamma, norm

from skalign.utils import Array, Doubles

SUBCATEGORIES = {  # those of the fLoc images
    "faces": ("adult", "child"),
    "bodies": ("body", "limb"),
    "objects": ("car", "instrument"),
    "scenes": ("corridor", "house"),
    "characters": ("number", "word"),
}
CATEGORIES = np.array(list(SUBCATEGORIES))
UNSELECTIVE = "none"

# What follows was set so that the eight encoders of the paper show its picture on the result.
_N_SHARED = 6  # latent dimensions that are no category
_SHARED_TUNING = 2.5  # how strongly a unit is tuned to all of these, 1 to its own category
_SUPPRESSION = 1.5  # by the content of another category, at most
_UNSELECTIVE_TUNING = 0.05
_SUBCATEGORY_SHIFT = 0.5
_DIRICHLET = 0.3  # below 1: one or two categories dominate a natural image
_BIAS = 2.0  # of rectified units, most of which are active for an image


def localizer_images(rng: np.random.Generator, n_each: int) -> tuple[Doubles, Array, Array]:
    """Latents, categories and subcategories of images that each show one thing, or noise."""
    pure = np.eye(CATEGORIES.size)
    kinds = [
        (content, category, subcategory)
        for content, (category, subcategories) in zip(pure, SUBCATEGORIES.items(), strict=True)
        for subcategory in subcategories
    ]
    kinds.append((np.zeros(CATEGORIES.size), "scrambled", "scrambled"))
    contents, categories, subcategories = zip(*kinds, strict=True)
    # Subcategories of one category differ in opposite ways: it is as it would be without them.
    shift = _SUBCATEGORY_SHIFT * rng.standard_normal((CATEGORIES.size, 1, _N_SHARED))
    shared = np.vstack([*np.hstack([shift, -shift]), np.zeros(_N_SHARED)])
    of_kinds = np.hstack([_scaled(np.array(contents)), shared])
    latents = np.repeat(of_kinds, n_each, axis=0)
    latents[:, CATEGORIES.size :] += rng.standard_normal((len(latents), _N_SHARED))
    return latents, np.repeat(categories, n_each), np.repeat(subcategories, n_each)


def natural_images(rng: np.random.Generator, n_images: int) -> Doubles:
    """Latents of images that mix things of all categories.

    A Latin hypercube: every latent is spread evenly over its distribution, so that sets of images
    are alike and what is true of all holds for each of them.
    """
    shape = n_images, CATEGORIES.size + _N_SHARED
    rank = rng.random(shape).argsort(axis=0)
    quantile = (rank + rng.random(shape)) / max(n_images, 1)
    content = gamma.ppf(quantile[:, : CATEGORIES.size], _DIRICHLET)
    content /= content.sum(axis=1, keepdims=True)  # a Dirichlet variate
    return np.hstack([_scaled(content), norm.ppf(quantile[:, CATEGORIES.size :])])


def _scaled(content: Doubles) -> Doubles:
    """Contents of images, brought to zero mean and unit variance over natural images."""
    share = 1 / CATEGORIES.size
    variance = share * (1 - share) / (CATEGORIES.size * _DIRICHLET + 1)
    return (content - share) / np.sqrt(variance)


class Layer:
    """Units of a network layer.

    Parameters
    ----------
    rng : Generator
        Draws the units.
    n_units : int
        Number of units.
    n_selective : int
        Number of units selective for each category.
    rectified : bool
        Whether negative activations are cut off.
    """

    def __init__(
        self, rng: np.random.Generator, n_units: int, n_selective: int, rectified: bool
    ) -> None:
        selectivity = np.full(n_units, UNSELECTIVE, dtype=CATEGORIES.dtype)
        planted = rng.permutation(n_units)[: CATEGORIES.size * n_selective]
        selectivity[planted] = np.repeat(CATEGORIES, n_selective)
        content = -_SUPPRESSION * rng.random((n_units, CATEGORIES.size))
        own = selectivity[:, np.newaxis] == CATEGORIES
        content[own] = 1
        n_plain = n_units - planted.size
        content[selectivity == UNSELECTIVE] = _UNSELECTIVE_TUNING * rng.standard_normal(
            (n_plain, CATEGORIES.size)
        )
        shared = rng.standard_normal((n_units, _N_SHARED)) * _SHARED_TUNING / np.sqrt(_N_SHARED)
        self.selectivity = selectivity
        self.tuning = np.hstack([content, shared])
        self.rectified = rectified
        self.bias = _BIAS if rectified else 0.0

    def respond(self, latents: Doubles) -> Doubles:
        """Activations (n_images, n_units)."""
        activations = latents @ self.tuning.T
        activations += self.bias
        return np.maximum(activations, 0, out=activations) if self.rectified else activations
