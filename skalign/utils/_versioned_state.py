"""The version in what is saved, so that loading under another says so."""

import sys
import warnings
from typing import Any

_KEY = "_skalign_version"


class VersionedState:
    """Mixin of estimators that keep skalign's version when they are saved.

    Pickle, joblib and skops save and load an estimator by its state. The state has the version of
    skalign, and loading it under another version warns: attributes may have changed in between.
    """

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()  # type: ignore[assignment]  # object says so
        return state | {_KEY: _version()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        attributes = dict(state)
        saved = attributes.pop(_KEY, "an unknown version")
        if saved != _version():
            warnings.warn(
                f"{type(self).__name__} was saved by skalign {saved} and is loaded by skalign "
                f"{_version()}: it may fail or give other results. Fit it again, or install the "
                "version that saved it.",
                UserWarning,
                stacklevel=2,
            )
        super().__setstate__(attributes)  # type: ignore[misc]  # BaseEstimator has it


def _version() -> str:
    """Return the version, which the top of the package has: imports must not point up to it."""
    return str(sys.modules[__name__.partition(".")[0]].__version__)
