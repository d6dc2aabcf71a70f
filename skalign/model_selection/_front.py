"""The front of predictivity, reorientation and sparsity among candidates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from skalign.metrics import (
    Alignment,
    fitted_target_names,
    linear_model_of,
    target_column,
)
from skalign.model_selection._alpha_edges import edges_of_grid, ends_of_grid
from skalign.model_selection._pareto import pareto_optimal
from skalign.model_selection._path_scores import alignments_along
from skalign.model_selection._search_scores import (
    last_iteration,
    parameter_column,
    read_score,
    theta_of,
    theta_without_penalty,
)
from skalign.utils import Array, Doubles, Flags, Indices, import_pandas, target_names

EMPTY_THETA = 2.0  # value of an empty fit in penalized_theta: the worst


@dataclass(frozen=True, eq=False, kw_only=True)
class AlignmentFront:
    """Predictivity, reorientation and sparsity of candidates, and the front that none dominates.

    Made by its class methods. Arrays have shape (n_candidates,) if targets are averaged, and
    (n_candidates, n_targets) otherwise.

    Parameters
    ----------
    candidate : ndarray of shape (n_candidates,)
        Index of the candidate in the search, encoder or path that the front was made from.
    params : dict of str to ndarray
        Its parameters. If targets are averaged and have alphas of their own, the median.
    r : ndarray
        Predictivity, from -1 to 1; high is good. In means over targets or splits an empty fit
        counts as 0.
    r_se : ndarray
        Standard error of `r`; NaN where there is none.
    theta : ndarray
        Tuning reorientation, from 0 to 2; low is aligned. In means, that of the fits that are not
        empty; NaN where all are.
    penalized_theta : ndarray
        The same with every empty fit counted as 2, the worst. The front compares this.
    theta_observed : ndarray
        Tuning reorientation to the observed responses, as `theta`.
    n_active : ndarray
        Number of active units, or its mean.
    n_effective, theta_floor : ndarray
        Effective number of units and floor of theta, as in :class:`~skalign.metrics.Alignment`, of
        the fits that are not empty. NaN in the front of a search, which does not keep them.
    empty_fraction : ndarray
        Fraction of the fits, over targets and splits, without active units.
    chosen_fraction : ndarray
        Fraction of the targets for which the candidate was chosen. It sums to less than 1 over
        candidates if targets were left empty, and to 0 if no choice was made.
    alpha_at_edge : ndarray of bool
        Whether the candidate's alpha is the smallest or the largest of several; if targets are
        averaged, for any of them. One beyond may suit a target better that has chosen it.
    target_names : ndarray of shape (n_targets,), default=None
        Names of the targets, where known and not averaged.

    See Also
    --------
    skalign.inspection.AlignmentFrontDisplay : The front as a figure.
    least_reorientation : A rule that chooses a candidate.

    Notes
    -----
    A candidate is on the front if no other one has at least its r, at most its penalized theta and
    at most its number of units, and is better in one of these. A candidate that is empty or no
    better than a constant prediction (r at most 0) is not on the front and keeps no other one off
    it: such a model is sparse and hardly reoriented, but does not predict.
    """

    candidate: Indices
    params: dict[str, Array]
    r: Doubles
    r_se: Doubles
    theta: Doubles
    penalized_theta: Doubles
    theta_observed: Doubles
    n_active: Doubles
    n_effective: Doubles
    theta_floor: Doubles
    empty_fraction: Doubles
    chosen_fraction: Doubles
    alpha_at_edge: Flags
    target_names: NDArray[np.object_] | None = None

    @cached_property
    def on_front(self) -> Flags:
        """Whether no other candidate is better in one respect and as good in the others."""
        return pareto_optimal(self.r, self.penalized_theta, self.n_active)

    @property
    def chosen(self) -> Flags:
        """Whether the candidate was chosen, for any target."""
        return self.chosen_fraction > 0

    @classmethod
    def from_cv_results(cls, search_or_cv_results: Any) -> AlignmentFront:
        """Front of a search of scikit-learn, means over targets and splits.

        Parameters
        ----------
        search_or_cv_results : fitted search or dict
            With ``scoring=AlignmentScorer()``; or its ``cv_results_``, where nothing is marked as
            chosen and the scorer's ``undefined_theta`` is taken to be 2. Of a halving search, the
            last iteration counts.

        Returns
        -------
        AlignmentFront
            One row per candidate.

        Raises
        ------
        ValueError
            If scores are missing.
        """
        search = search_or_cv_results
        if is_search := not isinstance(search, Mapping):
            check_is_fitted(search, "cv_results_")
        results = search.cv_results_ if is_search else search
        if "params" not in results:
            raise ValueError(
                'cv_results must be those of a search of scikit-learn, with "params"; got '
                f"{sorted(results)}. Use from_encoder_cv for a SparsePositiveEncoderCV."
            )
        rows = last_iteration(results)
        r, r_se = read_score(results, "r", rows)
        empty_fraction = 1 - read_score(results, "nonempty_fraction", rows)[0]
        penalty = getattr(getattr(search, "scorer_", None), "undefined_theta", EMPTY_THETA)
        theta, theta_observed = (
            theta_of(read_score(results, name, rows)[0], name)
            for name in ("neg_theta", "neg_theta_observed")
        )
        unknown = np.full(rows.shape, np.nan)
        params = [results["params"][row] for row in rows]
        names = dict.fromkeys(name for values in params for name in values)  # in their order
        best = getattr(search, "best_index_", -1)  # none where nothing was refitted
        return cls(
            candidate=rows,
            params={name: parameter_column(params, name) for name in names},
            r=r,
            r_se=r_se,
            theta=theta_without_penalty(theta, empty_fraction, penalty),
            penalized_theta=theta + (EMPTY_THETA - penalty) * empty_fraction,
            theta_observed=theta_without_penalty(theta_observed, empty_fraction, penalty),
            n_active=read_score(results, "n_active", rows)[0],
            n_effective=unknown,
            theta_floor=unknown,
            empty_fraction=empty_fraction,
            chosen_fraction=(rows == best).astype(float),
            alpha_at_edge=edges_of_grid(results["params"])[rows],
        )

    @classmethod
    def from_encoder_cv(cls, encoder: Any, *, per_target: bool = False) -> AlignmentFront:
        """Front of a fitted :class:`~skalign.linear_model.SparsePositiveEncoderCV`.

        Parameters
        ----------
        encoder : estimator
            A fitted :class:`~skalign.linear_model.SparsePositiveEncoderCV`, alone or inside a
            pipeline, target transformer or search.
        per_target : bool, default=False
            Whether every target has a front of its own. By default targets are averaged.

        Returns
        -------
        AlignmentFront
            One row per candidate, or per candidate and target. If targets are averaged, ``r_se`` is
            the mean of their standard errors, an upper bound of that of the mean.
        """
        check_is_fitted(encoder)
        model = linear_model_of(encoder).model
        results = getattr(model, "cv_results_", {})
        if "param_alpha" not in results or "mean_test_theta" not in results:
            raise TypeError(
                "encoder must be a SparsePositiveEncoderCV, alone or inside a pipeline, target "
                f"transformer or search; got {type(encoder).__name__} with "
                f"{type(model).__name__} inside. Use from_cv_results for the candidates of a "
                "search."
            )
        n_active = np.asarray(results["mean_test_n_active"], dtype=np.float64)
        candidate = np.arange(len(n_active))
        params = {"alpha": np.broadcast_to(results["param_alpha"], n_active.shape)}
        l1_ratio = np.asarray(results["param_l1_ratio"], dtype=np.float64)
        if not np.isnan(l1_ratio).all():
            params["l1_ratio"] = np.broadcast_to(l1_ratio[:, np.newaxis], n_active.shape)
        step = candidate // np.unique(l1_ratio).size  # NaN are one value
        is_edge = ends_of_grid(step[-1] + 1)[step]
        front = cls(
            candidate=candidate,
            params=params,
            r=np.asarray(results["mean_test_r"], dtype=np.float64),
            r_se=np.asarray(results["se_test_r"], dtype=np.float64),
            theta=np.asarray(results["mean_test_theta"], dtype=np.float64),
            penalized_theta=np.asarray(results["mean_test_penalized_theta"], dtype=np.float64),
            theta_observed=np.asarray(results["mean_test_theta_observed"], dtype=np.float64),
            n_active=n_active,
            n_effective=np.asarray(results["mean_test_n_effective"], dtype=np.float64),
            theta_floor=np.asarray(results["mean_test_theta_floor"], dtype=np.float64),
            empty_fraction=np.asarray(results["empty_fraction"], dtype=np.float64),
            chosen_fraction=(candidate[:, np.newaxis] == model.best_index_).astype(float),
            alpha_at_edge=np.broadcast_to(is_edge[:, np.newaxis], n_active.shape),
            target_names=fitted_target_names(model),
        )
        return front if per_target else front._averaged()

    @classmethod
    def from_path(
        cls,
        path: Any,
        X: Any,
        y: ArrayLike,
        *,
        per_target: bool = False,
        center: bool = False,
        sample_weight: ArrayLike | None = None,
    ) -> AlignmentFront:
        """Front of the alphas of a path, scored on given images.

        Parameters
        ----------
        path : record
            Result of :func:`~skalign.linear_model.sparse_positive_path`.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Held-out images: the path should not have been fitted to them.
        y : array-like of shape (n_samples, n_targets) or (n_samples,)
            Observed responses.
        per_target : bool, default=False
            Whether every target has a front of its own. By default targets are averaged.
        center : bool, default=False
            Whether theta, taken to the predicted responses, centers features and predictions.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the images in r and theta.

        Returns
        -------
        AlignmentFront
            One row per alpha, or per alpha and target, without standard errors and without a
            choice.
        """
        found = alignments_along(path, X, y, center=center, sample_weight=sample_weight)
        alphas, n_active = np.asarray(path.alphas), np.asarray(path.n_active, dtype=np.float64)
        r, theta, _, theta_observed, n_effective, theta_floor = (
            np.array([getattr(one, name) for one in found]) for name in Alignment.MEASURES
        )
        front = cls(
            candidate=np.arange(len(n_active)),
            params={"alpha": np.broadcast_to(alphas, n_active.shape)},
            r=r,
            r_se=np.full(n_active.shape, np.nan),
            theta=theta,
            penalized_theta=np.nan_to_num(theta, nan=EMPTY_THETA),
            theta_observed=theta_observed,
            n_active=n_active,
            n_effective=n_effective,
            theta_floor=theta_floor,
            empty_fraction=(n_active == 0).astype(float),
            chosen_fraction=np.zeros(n_active.shape),
            alpha_at_edge=np.broadcast_to(
                ends_of_grid(len(n_active))[:, np.newaxis], n_active.shape
            ),
            target_names=target_names(y),
        )
        return front if per_target else front._averaged()

    def for_target(self, target: int) -> AlignmentFront:
        """Front of one target, of shape (n_candidates,).

        Parameters
        ----------
        target : int
            Its index.

        Returns
        -------
        AlignmentFront
            One row per candidate.
        """
        if self.r.ndim == 1:
            raise ValueError(
                "The front must have targets; got one that is averaged over targets. Make it with "
                "per_target=True."
            )
        if not 0 <= target < self.r.shape[1]:
            raise IndexError(f"target must be from 0 to {self.r.shape[1] - 1}; got {target!r}.")
        return self._apply(lambda table: table[:, target])

    def to_frame(self) -> Any:
        """One row per candidate, or per candidate and target, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns ``candidate``; ``target`` if targets are not averaged, its name where known and
            else its index; one per parameter;
            ``r``, ``r_se``, ``theta``, ``penalized_theta``, ``theta_observed``, ``n_active``,
            ``n_effective``, ``theta_floor``, ``empty_fraction``, ``on_front``, ``chosen``,
            ``chosen_fraction`` and ``alpha_at_edge``.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        pd = import_pandas()
        n_targets = self.r[0].size
        columns: dict[str, Any] = {"candidate": np.repeat(self.candidate, n_targets)}
        if self.r.ndim == 2:
            columns["target"] = np.tile(target_column(self.target_names, n_targets), len(self.r))
        columns |= {name: values.ravel() for name, values in self.params.items()}
        names = ["r", "r_se", "theta", "penalized_theta", "theta_observed", "n_active"]
        names += ["n_effective", "theta_floor", "empty_fraction"]
        names += ["on_front", "chosen", "chosen_fraction", "alpha_at_edge"]
        columns |= {name: getattr(self, name).ravel() for name in names}
        return pd.DataFrame(columns).infer_objects()

    def _apply(self, function: Any, **fixed: Any) -> AlignmentFront:
        """Reduce every array over targets by the function, except for the `fixed` ones."""
        kept = {"candidate", "params", "target_names", *fixed}
        names = {field.name for field in fields(self)} - kept
        reduced = {name: function(getattr(self, name)) for name in names}
        params = {name: function(values) for name, values in self.params.items()}
        return AlignmentFront(candidate=self.candidate, **({"params": params} | reduced | fixed))

    def _averaged(self) -> AlignmentFront:
        of_defined = {
            name: self._mean_of_defined(getattr(self, name))
            for name in ("theta", "theta_observed", "n_effective", "theta_floor")
        }
        return self._apply(
            lambda table: table.mean(axis=1),
            params={name: np.median(values, axis=1) for name, values in self.params.items()},
            r=np.nan_to_num(self.r).mean(axis=1),
            alpha_at_edge=self.alpha_at_edge.any(axis=1),
            **of_defined,
        )

    def _mean_of_defined(self, values: Doubles) -> Doubles:
        """Mean over the fits that have a value, (n_candidates,)."""
        is_defined = ~np.isnan(values)
        n_fits = (1 - self.empty_fraction) * is_defined  # of a target, as a share of its splits
        mean = np.full(len(values), np.nan)
        total = np.where(is_defined, values * n_fits, 0).sum(axis=1)
        n_fits = n_fits.sum(axis=1)
        np.divide(total, n_fits, out=mean, where=n_fits > 0)
        return mean
