"""Which encoder to keep: choice rules, refit rules for searches, and the front of candidates."""

from skalign.model_selection._choice import choose
from skalign.model_selection._front import AlignmentFront
from skalign.model_selection._refit import RefitRule, fewest_units, least_reorientation

__all__ = [
    "AlignmentFront",
    "RefitRule",
    "choose",
    "fewest_units",
    "least_reorientation",
]
