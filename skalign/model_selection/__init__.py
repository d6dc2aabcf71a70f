"""Which encoder to keep: splits, choice rules, refit rules for searches, front of candidates."""

from skalign.model_selection._alpha_edges import alpha_at_edge
from skalign.model_selection._choice import Select, check_rule, choose
from skalign.model_selection._front import AlignmentFront
from skalign.model_selection._pareto import pareto_optimal
from skalign.model_selection._refit import fewest_units, least_reorientation
from skalign.model_selection._splits import check_splits

__all__ = [
    "AlignmentFront",
    "Select",
    "alpha_at_edge",
    "check_rule",
    "check_splits",
    "choose",
    "fewest_units",
    "least_reorientation",
    "pareto_optimal",
]
