"""Figures of tuning, of what was chosen, and of what it costs."""

from skalign.inspection._alignment_display import AlignmentDisplay
from skalign.inspection._encoder_comparison import EncoderComparisonDisplay
from skalign.inspection._front_display import AlignmentFrontDisplay
from skalign.inspection._multiverse_display import AlignmentMultiverseDisplay
from skalign.inspection._noise_ceiling_display import NoiseCeilingDisplay
from skalign.inspection._paired_units import PairedUnitsDisplay
from skalign.inspection._palette import UNIT_COLORS
from skalign.inspection._price_of_sign_display import PriceOfSignDisplay
from skalign.inspection._tuning_arrows import TuningArrowsDisplay
from skalign.inspection._tuning_directions import TuningDirectionsDisplay

__all__ = [  # noqa: RUF022 - in the order of sorted()
    "AlignmentDisplay",
    "AlignmentFrontDisplay",
    "AlignmentMultiverseDisplay",
    "EncoderComparisonDisplay",
    "NoiseCeilingDisplay",
    "PairedUnitsDisplay",
    "PriceOfSignDisplay",
    "TuningArrowsDisplay",
    "TuningDirectionsDisplay",
    "UNIT_COLORS",
]
