"""Arrays in, arrays out: the numerical core, usable without an estimator."""

from skalign.solvers._certificate import Certificate, certify
from skalign.solvers._penalties import Penalty, penalty_scale
from skalign.solvers._solution import Solution

try:
    from skalign.solvers._alpha_grids import alpha_max, check_alphas, l1_alphas, l2_alphas
    from skalign.solvers._design import Design
    from skalign.solvers._feature_moments import FeatureMoments
    from skalign.solvers._moments import Moments
    from skalign.solvers._path import SolutionPath
    from skalign.solvers._solve import solve
except ModuleNotFoundError as error:
    if error.name != "skalign.solvers._kernel":
        raise
    raise ImportError(
        "skalign's compiled kernel is missing: this looks like a source checkout that was not "
        "built. Run `pip install -e .` in its top folder (needs a C compiler), or leave that "
        "folder to use an installed skalign."
    ) from error

__all__ = [
    "Certificate",
    "Design",
    "FeatureMoments",
    "Moments",
    "Penalty",
    "Solution",
    "SolutionPath",
    "alpha_max",
    "certify",
    "check_alphas",
    "l1_alphas",
    "l2_alphas",
    "penalty_scale",
    "solve",
]
