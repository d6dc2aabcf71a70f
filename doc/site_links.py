"""After a build: links inside the site have targets, and no page loads anything from elsewhere."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src")}


class Page(HTMLParser):
    """Anchors of a page, its links, and what it loads."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links, self.loads = set(), set(), set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        """Note what a tag refers to."""
        attributes = dict(attrs)
        self.anchors.update(filter(None, (attributes.get("id"), attributes.get("name"))))
        for name in ("href", "src"):
            value = attributes.get(name)
            if value and attributes.get("rel") != "canonical":
                self.links.add(value)
                if (tag, name) in LOADED:
                    self.loads.add(value)


def problems(site):
    """Yield a sentence for every link that leads nowhere, and for what is loaded from elsewhere."""
    site = Path(site).resolve()
    paths = (path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts)
    pages = {path: Page(path) for path in paths}
    for path, page in pages.items():
        name = path.relative_to(site)
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme in ("http", "https"):
                if link in page.loads:
                    yield f"{name} loads {link}"
                continue
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                yield f"{name} links to {link}, which does not exist"
            elif target in pages and unquote(parts.fragment) not in pages[target].anchors | {""}:
                yield f"{name} links to {link}, which has no such anchor"


def warn_of_problems(app, exception):
    """Warn once the site is written."""
    from sphinx.util import logging

    if exception is None and app.builder.name == "html":
        for problem in problems(app.outdir):
            logging.getLogger(__name__).warning(problem)


def setup(app):
    """Look at the site when it is written."""
    app.connect("build-finished", warn_of_problems)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
