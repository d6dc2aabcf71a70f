"""Many models, groups of units, subjects, regions and encoders: one resumable, tidy table."""

from skalign.benchmark._inputs import ModelFeatures, RegionResponses
from skalign.benchmark._run import run_benchmark

__all__ = ["ModelFeatures", "RegionResponses", "run_benchmark"]
