"""A small benchmark: two models, two groups of units, two regions and two encoders."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from skalign import SelectiveUnitLocalizer, SparsePositiveEncoder
from skalign.benchmark import ModelFeatures, RegionResponses

N_UNITS, N_IMAGES = 12, 40


def make_features(rng):
    """Arrays of one layer; units 0 to 3 like faces, 4 to 7 scenes."""
    localizer = rng.standard_normal((30, N_UNITS))
    localizer[:10, :4] += 3
    localizer[10:20, 4:8] += 3
    parts = {"train": N_IMAGES, "test": N_IMAGES + 10, "validation": N_IMAGES - 10}
    parts = {part: 2 + 3 * rng.standard_normal((n, N_UNITS)) for part, n in parts.items()}
    return {"localizer": localizer, **parts}


@pytest.fixture
def problem():
    """Arguments of run_benchmark, new for every test."""
    rng = np.random.default_rng(0)
    models = [ModelFeatures(name, **make_features(rng)) for name in ("alex", "vgg")]
    first = models[0]
    regions = []
    for subject, name, units in [(1, "FFA", [0, 1]), (2, "PPA", [4, 6])]:
        parts = {
            part: getattr(first, part)[:, units]
            + rng.standard_normal((len(getattr(first, part)), 2))
            for part in ("train", "validation", "test")
        }
        regions.append(RegionResponses(subject, name, **parts, ceiling=np.array([0.5, 0.7])))
    return {
        "models": models,
        "regions": regions,
        "encoders": {"lasso": SparsePositiveEncoder(), "ridge": Ridge(10.0)},
        "units": {
            "face": SelectiveUnitLocalizer("face", n_units=3),
            "scene": SelectiveUnitLocalizer("scene", n_units=3),
        },
        "categories": np.repeat(["face", "scene", "word"], 10),
    }
