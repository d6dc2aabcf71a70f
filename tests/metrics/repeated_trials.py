"""Single trials of repeated images, simulated, and their variances by the definition."""

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

few = settings(max_examples=30, deadline=None)


MIXED = np.repeat([1, 2, 3, 5], [40, 60, 80, 20])  # trials of 200 images


def simulate(rng, n_repeats, n_targets, ncsnr):
    """Flat trials in random order, with unit noise and a drifting mean."""
    image_ids = rng.permutation(np.repeat(np.arange(len(n_repeats)), n_repeats))
    signal = ncsnr * rng.standard_normal((len(n_repeats), n_targets)) + 3
    return signal[image_ids] + rng.standard_normal((image_ids.size, n_targets)), image_ids


def in_slots(trials, image_ids):
    """The same in three dimensions, with NaN where there is no trial."""
    images, n_repeats = np.unique(image_ids, return_counts=True)
    table = np.full((images.size, n_repeats.max() + 1, trials.shape[1]), np.nan)
    for row, image in enumerate(images):
        shown = trials[image_ids == image]
        table[row, 1 : len(shown) + 1] = shown  # the first slot is missing everywhere
    return table


def slow_components(trials, image_ids):
    """One target, from the definition."""
    groups = [trials[image_ids == image] for image in np.unique(image_ids)]
    noise = sum(((group - group.mean()) ** 2).sum() for group in groups)
    noise /= sum(len(group) - 1 for group in groups)
    means = np.array([group.mean() for group in groups])
    return means.var(ddof=1) - noise * np.mean([1 / len(group) for group in groups]), noise


@st.composite
def repeated(draw):
    """Trials of a few images, at least one of them repeated."""
    image_ids = draw(st.lists(st.sampled_from("abcd"), min_size=3, max_size=12))
    image_ids = np.array([*image_ids, "a", "a", "b"])
    numbers = st.floats(-10, 10, width=32)
    return draw(arrays(float, (image_ids.size, 2), elements=numbers)), image_ids


SCALES = 10.0 ** np.array([-300, -170, -85, -3, 4, 77, 160, 300])


def trials_of_any_scale():
    """One target, (n_images, n_repeats, 1), and the same in all scales."""
    rng = np.random.default_rng(3)
    one = rng.standard_normal((50, 1)) + rng.standard_normal((50, 3))
    return one[..., np.newaxis], one[..., np.newaxis] * SCALES
