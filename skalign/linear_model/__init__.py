"""Encoders: linear maps from features to targets."""

from skalign.linear_model._sparse_positive_encoder import SparsePositiveEncoder

__all__ = ["SparsePositiveEncoder"]
