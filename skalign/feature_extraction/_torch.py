"""PyTorch, which is optional."""

from typing import Any

from skalign.utils import install_hint


def import_torch() -> Any:
    """Import torch, or say how to get it."""
    try:
        import torch
    except ImportError as error:
        raise ImportError(f"LayerActivations needs PyTorch: {install_hint('torch')}") from error
    return torch
