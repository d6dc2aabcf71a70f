"""What all scorers share: they are estimators of scikit-learn that are called."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import UNUSED

from skalign.utils import DocumentationLink


class Scorer(DocumentationLink, ABC, BaseEstimator):
    """A scorer that scikit-learn can clone, set parameters of and route ``sample_weight`` to."""

    __metadata_request__score: ClassVar = {"estimator": UNUSED}

    @abstractmethod
    def score(
        self, estimator: Any, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Any:
        """Score a fitted estimator."""

    def __call__(
        self, estimator: Any, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Any:
        """Score a fitted estimator: see ``score``."""
        return self.score(estimator, X, y, sample_weight)

    def _accept_sample_weight(self) -> bool:
        # Asked of every scorer in a dict while metadata routing is off; private in scikit-learn.
        return True
