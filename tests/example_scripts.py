"""Run a script of `examples/` as a user would, in an empty folder and without a screen."""

import contextlib
import io
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest
import sklearn

matplotlib = pytest.importorskip("matplotlib", reason="examples draw: pip install skalign[plot]")
pytest.importorskip("pandas", reason="examples make tables: pip install skalign[table]")

EXAMPLES = Path(__file__).parents[1] / "examples"


def run_example(name, folder, *arguments, smaller=None):
    """Run a script, with parts of its text replaced to be quick.

    Returns all names that it leaves behind, with the `folder` that it ran in and what it `printed`.
    """
    source = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    for part, replacement in (smaller or {}).items():
        assert source.count(part) == 1
        source = source.replace(part, replacement)
    script, empty = folder / f"{name}.py", folder / "empty"
    script.write_text(source, encoding="utf-8")
    empty.mkdir(exist_ok=True)
    printed = io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        sklearn.config_context(),  # a script may set metadata routing for its process
        contextlib.chdir(empty),
        contextlib.redirect_stdout(printed),
    ):
        patch.setenv("MPLBACKEND", "agg")
        patch.setattr("sys.argv", [str(script), *map(str, arguments)])
        matplotlib.use("agg")
        try:
            names = runpy.run_path(str(script))
        finally:
            matplotlib.pyplot.close("all")
    return SimpleNamespace(**names | {"folder": empty, "printed": printed.getvalue()})
