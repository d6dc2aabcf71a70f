"""Which units of a network are selective for a category, and a transformer that keeps them."""

from skalign.feature_selection._localizer import SelectiveUnitLocalizer
from skalign.feature_selection._selectivity import SelectivityTests, selectivity_tests

__all__ = ["SelectiveUnitLocalizer", "SelectivityTests", "selectivity_tests"]
