"""Reorientation, predictivity and noise ceilings, and scorers over them."""

from skalign.metrics._alignment import Alignment, alignment
from skalign.metrics._composition import LinearModelInside, linear_model_of
from skalign.metrics._linear_map import LinearMap, check_target, linear_maps
from skalign.metrics._noise_ceiling import (
    NoiseCeiling,
    noise_ceiling,
    noise_ceiling_snr,
    normalize_scores,
)
from skalign.metrics._predictivity import pearson_r
from skalign.metrics._reliability import reliable_targets, split_half_reliability
from skalign.metrics._reorientation import (
    ReorientationParts,
    tuning_reorientation,
    tuning_reorientation_parts,
)
from skalign.metrics._repeats import VarianceComponents, average_repeats, variance_components
from skalign.metrics._scorers import AlignmentScorer, PearsonScorer, TuningReorientationScorer

__all__ = [
    "Alignment",
    "AlignmentScorer",
    "LinearMap",
    "LinearModelInside",
    "NoiseCeiling",
    "PearsonScorer",
    "ReorientationParts",
    "TuningReorientationScorer",
    "VarianceComponents",
    "alignment",
    "average_repeats",
    "check_target",
    "linear_maps",
    "linear_model_of",
    "noise_ceiling",
    "noise_ceiling_snr",
    "normalize_scores",
    "pearson_r",
    "reliable_targets",
    "split_half_reliability",
    "tuning_reorientation",
    "tuning_reorientation_parts",
    "variance_components",
]
