"""What the README shows is what runs."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


@pytest.fixture(scope="module")
def snippets():
    """Names that each Python snippet leaves behind."""
    scopes = []
    for code in re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL):
        scopes.append({})
        exec(compile(code, "README.md", "exec"), scopes[-1])
    return scopes


def test_grid_search_runs(snippets):
    r = snippets[0]["search"].cv_results_["mean_test_r"]
    assert r.shape == (4,)
    assert r.max() > 0.6


def test_choice_runs(snippets):
    encoder, intervals = snippets[1]["encoder"], snippets[1]["intervals"]
    assert encoder.alpha_.shape == (5,)
    assert intervals.theta.low < intervals.theta.estimate < intervals.theta.high


def test_ci_runs_the_documented_commands():
    texts = README + (ROOT / "CONTRIBUTING.md").read_text()
    commands = re.findall(r"<!-- ci: (\w+) -->\n```\n(.+)\n```", texts)
    assert [name for name, _ in commands] == ["example", "test", "doc", "lint"]
    script = (ROOT / ".ci/run").read_text()
    assert all(f"$(documented {name})" in script for name, _ in commands)


def test_install_page_and_readme_build_the_site_alike():
    command = re.compile(r"<!-- ci: doc -->\n```\n(.+)\n```")
    page = (ROOT / "doc/install.md").read_text()
    assert command.search(page)[1] == command.search(README)[1]
