"""What every package may use: blocks in threads, optional imports, checks of arguments."""

from skalign.utils._checks import check_flag, check_number, check_sample_weight
from skalign.utils._optional import import_pandas, import_pyplot
from skalign.utils._target_names import target_names
from skalign.utils._threads import map_blocks, quick_products, single_threaded_blas

__all__ = [
    "check_flag",
    "check_number",
    "check_sample_weight",
    "import_pandas",
    "import_pyplot",
    "map_blocks",
    "quick_products",
    "single_threaded_blas",
    "target_names",
]
