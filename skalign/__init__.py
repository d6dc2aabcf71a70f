"""Sparse positive alignment of neural systems, as a scikit-learn extension."""

from skalign.feature_selection import SelectiveUnitLocalizer
from skalign.linear_model import SparsePositiveEncoder, SparsePositiveEncoderCV
from skalign.metrics import (
    AlignmentScorer,
    PearsonScorer,
    TuningReorientationScorer,
    tuning_reorientation,
)

__version__ = "0.1.0"

__all__ = [
    "AlignmentScorer",
    "PearsonScorer",
    "SelectiveUnitLocalizer",
    "SparsePositiveEncoder",
    "SparsePositiveEncoderCV",
    "TuningReorientationScorer",
    "tuning_reorientation",
]
