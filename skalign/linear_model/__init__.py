"""Encoders: linear maps from features to targets."""

from ._sparse_positive_encoder import SparsePositiveEncoder

__all__ = ["SparsePositiveEncoder"]
