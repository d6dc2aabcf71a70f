"""Sparse positive alignment of neural systems, as a scikit-learn extension."""

__version__ = "0.1.0.dev0"
