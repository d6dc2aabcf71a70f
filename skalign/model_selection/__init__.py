"""Which encoder to keep, and what positive weights cost."""

from skalign.model_selection._baselines import AlignmentBaselines, alignment_baselines
from skalign.model_selection._bootstrap import (
    bootstrap_alignment,
    bootstrap_alignment_arrays,
    bootstrap_alignment_difference,
)
from skalign.model_selection._bootstrap_mean import bootstrap_mean
from skalign.model_selection._control import AlignmentControl, alignment_against_control
from skalign.model_selection._front import AlignmentFront
from skalign.model_selection._interval import AlignmentIntervals, BootstrapInterval
from skalign.model_selection._null import AlignmentNull, alignment_null
from skalign.model_selection._price_of_sign import PriceOfSign, price_of_sign
from skalign.model_selection._refit import RefitRule, fewest_units, least_reorientation
from skalign.model_selection._stability import SelectionStability, selection_stability

__all__ = [
    "AlignmentBaselines",
    "AlignmentControl",
    "AlignmentFront",
    "AlignmentIntervals",
    "AlignmentNull",
    "BootstrapInterval",
    "PriceOfSign",
    "RefitRule",
    "SelectionStability",
    "alignment_against_control",
    "alignment_baselines",
    "alignment_null",
    "bootstrap_alignment",
    "bootstrap_alignment_arrays",
    "bootstrap_alignment_difference",
    "bootstrap_mean",
    "fewest_units",
    "least_reorientation",
    "price_of_sign",
    "selection_stability",
]
