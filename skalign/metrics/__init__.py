"""Reorientation, predictivity and noise ceilings, and scorers over them."""

from skalign.metrics._alignment import alignment, alignment_of_maps, predictions
from skalign.metrics._alignment_record import Alignment
from skalign.metrics._average_repeats import average_repeats
from skalign.metrics._axis_alignment import AxisAlignment, axis_alignment
from skalign.metrics._composition import LinearModelInside, Shell, linear_model_of, open_shell
from skalign.metrics._corrected_reorientation import (
    CorrectedReorientation,
    correct_reorientation,
    correct_reorientation_by_halves,
)
from skalign.metrics._directions import (
    ImageSpace,
    bounded_slices,
    check_image_rows,
    check_responses,
)
from skalign.metrics._image_draws import (
    BootstrapDraws,
    ImageDraws,
    ImagesToDraw,
    JackknifeDraws,
)
from skalign.metrics._linear_map import LinearMap, check_target, linear_maps
from skalign.metrics._matching import (
    one_to_one_matching,
    partial_soft_matching,
    semi_matching,
    soft_matching,
)
from skalign.metrics._moment_scores import (
    MomentScores,
    mean_cosine_of_moments,
    scores_of_moments,
)
from skalign.metrics._names import check_target_names, fitted_target_names, target_column
from skalign.metrics._noise_ceiling import (
    NoiseCeiling,
    noise_ceiling,
    noise_ceiling_snr,
)
from skalign.metrics._normalized_scores import normalize_scores
from skalign.metrics._pearson_scorer import PearsonScorer
from skalign.metrics._predictivity import pearson_r
from skalign.metrics._problem import to_dense
from skalign.metrics._reliability import reliable_targets, split_half_reliability
from skalign.metrics._reorientation import (
    ReorientationParts,
    tuning_reorientation,
    tuning_reorientation_parts,
)
from skalign.metrics._repeats import VarianceComponents, variance_components
from skalign.metrics._resampled import (
    ReorientationOfDraws,
    pearson_r_of_draws,
    pearson_r_standard_error,
)
from skalign.metrics._scorers import AlignmentScorer, TuningReorientationScorer
from skalign.metrics._unit_pairs import UnitMatching

__all__ = [
    "Alignment",
    "AlignmentScorer",
    "AxisAlignment",
    "BootstrapDraws",
    "CorrectedReorientation",
    "ImageDraws",
    "ImageSpace",
    "ImagesToDraw",
    "JackknifeDraws",
    "LinearMap",
    "LinearModelInside",
    "MomentScores",
    "NoiseCeiling",
    "PearsonScorer",
    "ReorientationOfDraws",
    "ReorientationParts",
    "Shell",
    "TuningReorientationScorer",
    "UnitMatching",
    "VarianceComponents",
    "alignment",
    "alignment_of_maps",
    "average_repeats",
    "axis_alignment",
    "bounded_slices",
    "check_image_rows",
    "check_responses",
    "check_target",
    "check_target_names",
    "correct_reorientation",
    "correct_reorientation_by_halves",
    "fitted_target_names",
    "linear_maps",
    "linear_model_of",
    "mean_cosine_of_moments",
    "noise_ceiling",
    "noise_ceiling_snr",
    "normalize_scores",
    "one_to_one_matching",
    "open_shell",
    "partial_soft_matching",
    "pearson_r",
    "pearson_r_of_draws",
    "pearson_r_standard_error",
    "predictions",
    "reliable_targets",
    "scores_of_moments",
    "semi_matching",
    "soft_matching",
    "split_half_reliability",
    "target_column",
    "to_dense",
    "tuning_reorientation",
    "tuning_reorientation_parts",
    "variance_components",
]
