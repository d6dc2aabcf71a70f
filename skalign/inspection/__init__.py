"""Figures of what was chosen, and of what it costs."""

from skalign.inspection._front import AlignmentFrontDisplay
from skalign.inspection._price_of_sign import PriceOfSignDisplay

__all__ = [
    "AlignmentFrontDisplay",
    "PriceOfSignDisplay",
]
