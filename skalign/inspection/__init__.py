"""Figures of tuning, of what was chosen, and of what it costs."""

from skalign.inspection._encoder_comparison import EncoderComparisonDisplay
from skalign.inspection._front_display import AlignmentFrontDisplay
from skalign.inspection._multiverse_display import AlignmentMultiverseDisplay
from skalign.inspection._null_display import AlignmentNullDisplay
from skalign.inspection._paired_units import PairedUnitsDisplay
from skalign.inspection._price_of_sign_display import PriceOfSignDisplay
from skalign.inspection._tuning_arrows import TuningArrowsDisplay
from skalign.inspection._tuning_directions import TuningDirectionsDisplay

__all__ = [
    "AlignmentFrontDisplay",
    "AlignmentMultiverseDisplay",
    "AlignmentNullDisplay",
    "EncoderComparisonDisplay",
    "PairedUnitsDisplay",
    "PriceOfSignDisplay",
    "TuningArrowsDisplay",
    "TuningDirectionsDisplay",
]
