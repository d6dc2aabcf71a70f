"""PyTorch, which is optional."""

from typing import Any


def import_torch() -> Any:
    """Import torch, or say how to get it."""
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            'LayerActivations needs PyTorch: pip install "skalign[torch]".'
        ) from error
    return torch
