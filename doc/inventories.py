"""Links to the sites of other projects, from lists that are kept here: the build needs no network.

A file `inventories/PROJECT.txt` has the address of a site in its first line, the pages of names in
its second, with `$` for the name, and then a name a line: its role in Sphinx, the name, and its
page where that is another. They are written by hand, for the names that our pages link to.
"""

import tempfile
import zlib
from pathlib import Path

HEADER = """\
# Sphinx inventory version 2
# Project: {project}
# Version: stable
# The remainder of this file is compressed using zlib.
"""


def read(path):
    """Address of a site, and (role, name, page) of all names in a list."""
    address, pages, *lines = path.read_text(encoding="utf-8").splitlines()
    names = []
    for line in lines:
        role, name, *page = line.split()
        names.append((role, name, page[0] if page else pages.replace("$", name)))
    return address, names


def mapping(folder):
    """Write the lists as inventories, and return what `intersphinx_mapping` wants."""
    written = Path(tempfile.mkdtemp())
    found = {}
    for path in sorted(folder.glob("*.txt")):
        address, names = read(path)
        lines = [f"{name} py:{role} 1 {page} -\n" for role, name, page in names]
        data = HEADER.format(project=path.stem).encode()
        data += zlib.compress("".join(lines).encode())
        (written / f"{path.stem}.inv").write_bytes(data)
        found[path.stem.replace("-", "")] = (address, str(written / f"{path.stem}.inv"))
    return found
