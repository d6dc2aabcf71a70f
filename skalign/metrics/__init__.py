"""Reorientation and predictivity, and scorers over them."""

from ._predictivity import pearson_r
from ._reorientation import ReorientationParts, tuning_reorientation, tuning_reorientation_parts
from ._scorers import AlignmentScorer, PearsonScorer, TuningReorientationScorer

__all__ = [
    "AlignmentScorer",
    "PearsonScorer",
    "ReorientationParts",
    "TuningReorientationScorer",
    "pearson_r",
    "tuning_reorientation",
    "tuning_reorientation_parts",
]
