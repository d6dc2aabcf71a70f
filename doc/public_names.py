"""Names of `skalign` itself are documented there: links by their package lead there too.

A docstring names its neighbors without their package, and its own page may lie in another one.
"""

import importlib
import pkgutil

import skalign

DOCUMENTED = {}  # of every public name, the full name that its page has
for _, package, _ in pkgutil.iter_modules(skalign.__path__, "skalign."):
    for public_name in importlib.import_module(package).__all__:
        DOCUMENTED[public_name] = f"{package}.{public_name}"
        DOCUMENTED[f"{package}.{public_name}"] = f"{package}.{public_name}"
for public_name in skalign.__all__:
    full = DOCUMENTED[public_name]
    DOCUMENTED[public_name] = DOCUMENTED[full] = f"skalign.{public_name}"


def find_public_name(app, env, node, contnode):
    """Resolve `PearsonScorer`, or `skalign.metrics.PearsonScorer.score`, to the page that is."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    for stem, rest in [(target, ""), target.rpartition(".")[::2]]:
        if stem in DOCUMENTED:
            full = ".".join(filter(None, [DOCUMENTED[stem], rest]))
            return env.domains["py"].resolve_xref(
                env, node["refdoc"], app.builder, node["reftype"], full, node, contnode
            )
    return None


def setup(app):
    """Listen for links that lead nowhere."""
    app.connect("missing-reference", find_public_name)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
