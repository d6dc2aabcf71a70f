"""Print the oldest versions that pyproject.toml admits, as requirements for pip.

Everything of the build, the package and the named extras: `python .ci/oldest.py test`.
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

CONFIG = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
OWN, FLOOR = r"skalign\[([\w,-]+)\]", r"([\w-]+)>=([\w.]+)"


def requirements(extra: str) -> Iterator[str]:
    """Requirements of an extra, and of the extras of our own that it names."""
    for requirement in CONFIG["project"]["optional-dependencies"][extra]:
        own = re.fullmatch(OWN, requirement)
        if own:
            for other in own[1].split(","):
                yield from requirements(other)
        else:
            yield requirement


def oldest(extras: list[str]) -> dict[str, str]:
    """Oldest version of every distribution; one that two lists name must have one floor."""
    named = [*CONFIG["build-system"]["requires"], *CONFIG["project"]["dependencies"]]
    versions: dict[str, str] = {}
    for requirement in named + [each for extra in extras for each in requirements(extra)]:
        floor = re.fullmatch(FLOOR, requirement)
        if not floor:
            sys.exit(f"{requirement!r} in pyproject.toml must be written NAME>=VERSION.")
        name, version = floor.groups()
        if versions.setdefault(name, version) != version:
            sys.exit(f"{name} must have one floor; pyproject.toml has {versions[name]}, {version}.")
    return versions


if __name__ == "__main__":
    for name, version in oldest(sys.argv[1:]).items():
        print(f"{name}=={version}")
