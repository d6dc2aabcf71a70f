"""Linear encoders with sparse, positive weights."""

from skalign.linear_model._sparse_positive_encoder import SparsePositiveEncoder
from skalign.linear_model._sparse_positive_encoder_cv import SparsePositiveEncoderCV
from skalign.linear_model._sparse_positive_path import sparse_positive_path

__all__ = ["SparsePositiveEncoder", "SparsePositiveEncoderCV", "sparse_positive_path"]
