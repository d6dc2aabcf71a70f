"""What the README shows is what runs."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_grid_search_runs():
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    scope: dict = {}
    exec(compile(code, "README.md", "exec"), scope)
    r = scope["search"].cv_results_["mean_test_r"]
    assert r.shape == (4,)
    assert r.max() > 0.6


def test_ci_runs_the_readme_commands():
    commands = re.findall(r"<!-- ci: (\w+) -->\n```\n(.+)\n```", README)
    assert [name for name, _ in commands] == ["example", "test"]
    script = (ROOT / ".ci/run").read_text()
    assert all(f"readme_command {name}" in script for name, _ in commands)
