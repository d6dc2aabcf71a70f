"""Many models, groups of units, subjects, regions and encoders: one resumable, tidy table."""

from skalign.benchmark._inputs import ModelFeatures, RegionResponses
from skalign.benchmark._run import run_benchmark
from skalign.benchmark._store import read_store

__all__ = ["ModelFeatures", "RegionResponses", "read_store", "run_benchmark"]
