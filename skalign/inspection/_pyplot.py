"""matplotlib, where it is installed."""

from typing import Any


def pyplot() -> Any:
    """Import matplotlib's pyplot, which skalign does not depend on."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError('A figure needs matplotlib: pip install "skalign[plot]".') from error
    return plt
