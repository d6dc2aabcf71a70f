"""An unbuilt checkout says what to do."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import skalign


def test_unbuilt_checkout_says_what_to_do(tmp_path):
    compiled = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__", "data")
    shutil.copytree(Path(skalign.__file__).parent, tmp_path / "skalign", ignore=compiled)
    process = subprocess.run(
        [sys.executable, "-c", "import skalign.solvers"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 1
    last_line = process.stderr.strip().splitlines()[-1]
    assert last_line.startswith("ImportError: skalign's compiled kernel is missing")
    assert "`pip install -e .`" in last_line
