"""Sparse positive alignment of neural systems, as a scikit-learn extension."""

from skalign.feature_selection import SelectiveUnitLocalizer
from skalign.linear_model import SparsePositiveEncoder
from skalign.metrics import (
    AlignmentScorer,
    PearsonScorer,
    TuningReorientationScorer,
    tuning_reorientation,
)

__version__ = "0.1.0.dev0"

__all__ = [
    "AlignmentScorer",
    "PearsonScorer",
    "SelectiveUnitLocalizer",
    "SparsePositiveEncoder",
    "TuningReorientationScorer",
    "tuning_reorientation",
]
