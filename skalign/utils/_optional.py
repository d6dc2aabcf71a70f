"""Libraries that skalign does not depend on, each asked for in one place with how to get it."""

from importlib import import_module
from typing import Any


def import_pandas() -> Any:
    """Import pandas, which tables are made of.

    Returns
    -------
    module
        The module pandas.

    Raises
    ------
    ImportError
        If pandas is not installed; the message says how to get it.
    """
    return _import("pandas", "A table", "table")


def import_array_api_compat() -> Any:
    """Import array-api-compat, which gives arrays of any library one set of functions.

    Returns
    -------
    module
        The module ``array_api_compat``.

    Raises
    ------
    ImportError
        If array-api-compat is not installed; the message says how to get it.
    """
    return _import("array_api_compat", "An array of another library than NumPy", "array-api")


def import_pyplot() -> Any:
    """Import matplotlib's pyplot, which figures are drawn with.

    Returns
    -------
    module
        The module ``matplotlib.pyplot``.

    Raises
    ------
    ImportError
        If matplotlib is not installed; the message says how to get it.
    """
    return _import("matplotlib.pyplot", "A figure", "plot")


def install_hint(extra: str) -> str:
    """Name the commands that install an extra, from an index and from a checkout.

    Parameters
    ----------
    extra : str
        Name of the extra in ``pyproject.toml``.

    Returns
    -------
    str
        The commands, for the end of a message.
    """
    return f'pip install "skalign[{extra}]", or pip install ".[{extra}]" in a checkout.'


def _import(module: str, what: str, extra: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        library = module.partition(".")[0].replace("_", "-")
        raise ImportError(f"{what} needs {library}: {install_hint(extra)}") from error
