"""What every package may use: blocks in threads, optional imports, checks, types of arrays."""

from skalign.utils._blas_threads import single_threaded_blas, single_threaded_blas_if_small
from skalign.utils._checks import (
    check_flag,
    check_groups,
    check_number,
    check_numbers,
    check_sample_weight,
)
from skalign.utils._documentation_link import DocumentationLink
from skalign.utils._map_blocks import map_blocks, map_steps, map_unordered, on_cluster
from skalign.utils._missing import MissingPatterns, ObservedResponses, PatternOfTargets
from skalign.utils._missing_errors import (
    Missing,
    check_missing,
    missing_explained,
    refuse_missing,
    unmask,
)
from skalign.utils._optional import (
    import_array_api_compat,
    import_pandas,
    import_pyplot,
    install_hint,
)
from skalign.utils._target_names import target_names
from skalign.utils._threads import call_interruptibly, check_interrupt
from skalign.utils._types import Array, Doubles, Flags, Floats, Indices, Integers
from skalign.utils._versioned_state import VersionedState

__all__ = [
    "Array",
    "DocumentationLink",
    "Doubles",
    "Flags",
    "Floats",
    "Indices",
    "Integers",
    "Missing",
    "MissingPatterns",
    "ObservedResponses",
    "PatternOfTargets",
    "VersionedState",
    "call_interruptibly",
    "check_flag",
    "check_groups",
    "check_interrupt",
    "check_missing",
    "check_number",
    "check_numbers",
    "check_sample_weight",
    "import_array_api_compat",
    "import_pandas",
    "import_pyplot",
    "install_hint",
    "map_blocks",
    "map_steps",
    "map_unordered",
    "missing_explained",
    "on_cluster",
    "refuse_missing",
    "single_threaded_blas",
    "single_threaded_blas_if_small",
    "target_names",
    "unmask",
]
