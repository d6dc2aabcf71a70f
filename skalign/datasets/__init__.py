"""Data to try encoders on."""

from skalign.datasets._brain_map import to_brain_map
from skalign.datasets._haxby import load_haxby_slice
from skalign.datasets._nsd._experiment import NSDSplit
from skalign.datasets._nsd._responses import NSDResponses
from skalign.datasets._nsd._stimuli import iter_nsd_stimuli
from skalign.datasets._nsd._subject import NSDSubject
from skalign.datasets._nsd._voxels import NSDVoxels
from skalign.datasets._selective_cortex import make_selective_cortex
from skalign.datasets._tuning_toy import make_tuning_toy

__all__ = [
    "NSDResponses",
    "NSDSplit",
    "NSDSubject",
    "NSDVoxels",
    "iter_nsd_stimuli",
    "load_haxby_slice",
    "make_selective_cortex",
    "make_tuning_toy",
    "to_brain_map",
]
