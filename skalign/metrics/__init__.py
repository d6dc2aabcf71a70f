"""Reorientation and predictivity, and scorers over them."""

from skalign.metrics._alignment import Alignment, alignment
from skalign.metrics._choice import choose
from skalign.metrics._predictivity import pearson_r
from skalign.metrics._reorientation import (
    ReorientationParts,
    tuning_reorientation,
    tuning_reorientation_parts,
)
from skalign.metrics._scorers import AlignmentScorer, PearsonScorer, TuningReorientationScorer

__all__ = [
    "Alignment",
    "AlignmentScorer",
    "PearsonScorer",
    "ReorientationParts",
    "TuningReorientationScorer",
    "alignment",
    "choose",
    "pearson_r",
    "tuning_reorientation",
    "tuning_reorientation_parts",
]
