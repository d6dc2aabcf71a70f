"""Arrays in, arrays out: the numerical core, usable without an estimator."""

from skalign.solvers._alpha_grids import alpha_max, check_alphas, l1_alphas, l2_alphas
from skalign.solvers._arguments import check_stopping
from skalign.solvers._certificate import Certificate, certify
from skalign.solvers._design import Design
from skalign.solvers._penalties import Penalty, PenaltyStrengths, penalty_strengths
from skalign.solvers._ridge_spectrum import RidgeSpectrum
from skalign.solvers._solution import Solution, SolutionPath, count_active

try:
    from skalign.solvers._blocks import BlockSolver, gram_pays
    from skalign.solvers._feature_moments import FeatureMoments
    from skalign.solvers._moments import Moments
    from skalign.solvers._path import solve_path
    from skalign.solvers._quadratic_forms import quadratic_forms
    from skalign.solvers._solve import solve
    from skalign.solvers._solve_moments import solve_moments, solve_moments_path
    from skalign.solvers._target_blocks import cut_targets, target_blocks
except ModuleNotFoundError as error:
    if error.name != "skalign.solvers._kernel":
        raise
    raise ImportError(
        "skalign's compiled kernel is missing: this looks like a source checkout that was not "
        "built. Run `pip install -e .` in its top folder (needs a C compiler), or leave that "
        "folder to use an installed skalign."
    ) from error

__all__ = [
    "BlockSolver",
    "Certificate",
    "Design",
    "FeatureMoments",
    "Moments",
    "Penalty",
    "PenaltyStrengths",
    "RidgeSpectrum",
    "Solution",
    "SolutionPath",
    "alpha_max",
    "certify",
    "check_alphas",
    "check_stopping",
    "count_active",
    "cut_targets",
    "gram_pays",
    "l1_alphas",
    "l2_alphas",
    "penalty_strengths",
    "quadratic_forms",
    "solve",
    "solve_moments",
    "solve_moments_path",
    "solve_path",
    "target_blocks",
]
