"""Data to try encoders on."""

from skalign.datasets._haxby import load_haxby_slice

__all__ = ["load_haxby_slice"]
