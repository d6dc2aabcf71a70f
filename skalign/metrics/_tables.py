"""The one place that needs pandas for a table, and says so."""

from typing import Any


def import_pandas() -> Any:
    """Give pandas; an ImportError says how to get it."""
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError('A table needs pandas: pip install "skalign[table]".') from error
    return pd
