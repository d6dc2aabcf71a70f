"""Version and date of a release agree wherever they are written."""

import re
from datetime import date
from pathlib import Path

import pytest

import skalign

ROOT = Path(__file__).parents[1]
SECTION = re.compile(r"^## \[([^\]]+)\](?: - (\S+))?$", flags=re.MULTILINE)

if not (ROOT / "CITATION.cff").exists():
    pytest.skip("not a checkout", allow_module_level=True)


def sections():
    """Version and date of every section of the changelog, newest first."""
    return SECTION.findall((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))


def numbers(version):
    return tuple(map(int, version.partition(".dev")[0].split(".")))


def test_changelog_has_releases_from_new_to_old():
    (first, no_date), *releases = sections()
    assert (first, no_date) == ("Unreleased", "")
    versions = [numbers(version) for version, _ in releases]
    assert versions == sorted(set(versions), reverse=True)
    dates = [date.fromisoformat(day) for _, day in releases]
    assert dates == sorted(dates, reverse=True)


def test_version_is_that_of_the_changelog():
    newest, _ = sections()[1]
    if ".dev" in skalign.__version__:
        assert numbers(skalign.__version__) > numbers(newest)
    else:
        assert skalign.__version__ == newest


def test_citation_is_of_the_newest_release():
    newest, day = sections()[1]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.*)$", citation, flags=re.MULTILINE) == [newest]
    assert re.findall(r'^date-released: "?([\d-]+)"?$', citation, flags=re.MULTILINE) == [day]


def test_every_section_has_its_link():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    for version, _ in sections():
        assert len(re.findall(rf"^\[{re.escape(version)}\]: https://", text, re.MULTILINE)) == 1
