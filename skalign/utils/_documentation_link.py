"""Links from the diagrams of estimators to the pages of this package."""

import sys

SITE = "https://skalign.github.io/skalign"  # as project.urls say


class DocumentationLink:
    """Mixin of estimators whose diagrams link to their page on skalign's site.

    scikit-learn draws an estimator, in a notebook alone or within a pipeline, with a link to the
    documentation of its class and parameters. Stands left of ``BaseEstimator``, which would link to
    scikit-learn's site.
    """

    _doc_link_module = "skalign"
    _doc_link_template = SITE + "/api/generated/{public_name}.html"

    def _doc_link_url_param_generator(self) -> dict[str, str]:
        """Return the name that the page has: as users import the class, from the top or a layer."""
        name, module = type(self).__name__, type(self).__module__
        top, layer = module.partition(".")[0], ".".join(module.split(".")[:2])
        return {"public_name": f"{top if hasattr(sys.modules[top], name) else layer}.{name}"}
