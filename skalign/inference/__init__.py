"""How sure, and compared to what: nulls, baselines, intervals, stability and the price of sign."""

from skalign.inference._alignment_intervals import AlignmentIntervals
from skalign.inference._baselines import AlignmentBaselines, alignment_baselines
from skalign.inference._bootstrap_alignment import (
    bootstrap_alignment,
    bootstrap_alignment_difference,
)
from skalign.inference._bootstrap_mean import bootstrap_mean
from skalign.inference._comparison import AlignmentComparison
from skalign.inference._control import alignment_against_control
from skalign.inference._crossed_mean import CrossedInterval, crossed_mean
from skalign.inference._equivalence import EquivalenceTest, equivalence_test
from skalign.inference._interval import ConfidenceInterval
from skalign.inference._multiverse import (
    AlignmentMultiverse,
    AnalysisChoices,
    alignment_multiverse,
)
from skalign.inference._mutual_alignment import mutual_alignment
from skalign.inference._mutual_result import MutualAlignment
from skalign.inference._null import alignment_null
from skalign.inference._null_result import AlignmentNull
from skalign.inference._price_of_sign import PriceOfSign, price_of_sign
from skalign.inference._refit_intervals import RefitIntervals, refit_intervals
from skalign.inference._reorientation_floor import ReorientationFloor, reorientation_floor
from skalign.inference._sign_flips import SignFlipTest, sign_flip_test
from skalign.inference._stability import SelectionStability, selection_stability
from skalign.inference._variance_partition import VariancePartition, variance_partition

__all__ = [
    "AlignmentBaselines",
    "AlignmentComparison",
    "AlignmentIntervals",
    "AlignmentMultiverse",
    "AlignmentNull",
    "AnalysisChoices",
    "ConfidenceInterval",
    "CrossedInterval",
    "EquivalenceTest",
    "MutualAlignment",
    "PriceOfSign",
    "RefitIntervals",
    "ReorientationFloor",
    "SelectionStability",
    "SignFlipTest",
    "VariancePartition",
    "alignment_against_control",
    "alignment_baselines",
    "alignment_multiverse",
    "alignment_null",
    "bootstrap_alignment",
    "bootstrap_alignment_difference",
    "bootstrap_mean",
    "crossed_mean",
    "equivalence_test",
    "mutual_alignment",
    "price_of_sign",
    "refit_intervals",
    "reorientation_floor",
    "selection_stability",
    "sign_flip_test",
    "variance_partition",
]
