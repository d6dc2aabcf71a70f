"""Run a benchmark: its cells one after the other, or on the workers that joblib has."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import chain, product
from typing import Any

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs, parallel_config
from numpy.typing import ArrayLike
from sklearn.model_selection import check_cv

from skalign.benchmark._arguments import check_arguments
from skalign.benchmark._batches import Batch, Settings
from skalign.benchmark._inputs import ModelFeatures, RegionResponses
from skalign.benchmark._plan import Plan
from skalign.benchmark._rows import Cell, Outcome, to_table
from skalign.benchmark._store import Store
from skalign.utils import import_pandas


def run_benchmark(
    models: Sequence[ModelFeatures],
    regions: Sequence[RegionResponses],
    encoders: Mapping[str, Any],
    *,
    units: Mapping[str, Any] | None = None,
    categories: ArrayLike | None = None,
    layer_cv: Any = 5,
    store: str | os.PathLike | None = None,
    n_jobs: int | None = None,
    progress: Callable[..., Iterable] | None = None,
) -> Any:
    """Fit every encoder from every model's units to every region, and score on test images.

    A cell is a model, a group of its units, a subject, a region and an encoder. Units are localized
    once for a model and group, features standardized by the training images once for a model, group
    and set of images; all regions and encoders share them.

    Parameters
    ----------
    models : sequence of ModelFeatures
        The models. A worker holds one of them at a time.
    regions : sequence of RegionResponses
        The regions of all subjects, standardized by their training images.
    encoders : mapping of str to estimator
        :class:`~skalign.linear_model.SparsePositiveEncoder`, or any of scikit-learn's linear
        regressors, alone or in a pipeline or search. A parameter ``cv="validation"`` stands for the
        validation images: that encoder is fitted to training and validation images together, with
        ``cv=PredefinedSplit(...)``.
    units : mapping of str to selector, default=None
        Groups of units: a :class:`~skalign.feature_selection.SelectiveUnitLocalizer` each, fitted
        to the localizer images, or None for all units. By default one group, ``{"all": None}``.
    categories : array-like of shape (n_localizer_images,), default=None
        Categories of the localizer images, needed where units are localized.
    layer_cv : int or cross-validation generator, default=5
        Folds of the training images that layers are chosen by, of models with several layers, where
        there are no validation images.
    store : str or path, default=None
        Folder to keep every finished cell in, made where it is missing. A run finds there what an
        earlier one has finished. Workers write to it, so that all of them must see it. If None,
        nothing is kept.
    n_jobs : int, default=None
        Number of workers. None is 1 unless in a :func:`joblib.parallel_config`, which also chooses
        threads, processes or a Dask cluster.
    progress : callable, default=None
        Called as ``progress(cells, total=n_cells)``; must yield what it is given.
        ``rich.progress.track`` and ``tqdm`` are such.

    Returns
    -------
    pandas.DataFrame
        A row per cell, and per layer where one was chosen, in the order of the arguments: models,
        units, regions, encoders. Columns:

        model, layer, units, subject, region, encoder : str
            Names; the layer of a model without named layers is "", the subject 1 is "1".
        penalty, positive, alpha : str, bool, float
            Of the encoder. Where it chose an alpha for every target, the median of those that are
            not empty; NaN where it has none.
        partition : {"train", "validation", "test"}
            The images of the scores: "test" of every cell once, of the chosen layer; else those
            that layers were chosen by.
        r : float
            Pearson's r, from -1 to 1, averaged over targets; high is good. An empty fit counts
            as 0.
        theta : float
            Tuning reorientation, from 0 to 2, averaged over targets whose fit is not empty; low is
            aligned. NaN where all are.
        n_active : float
            Number of active units, averaged over targets.
        empty_fraction : float
            Fraction of targets whose fit is empty.
        ceiling : float
            Noise ceiling in units of r, averaged over targets that have one; NaN if none has.
        n_targets : int
            Number of targets; 0 if they could not be read.
        seconds : float
            Time of the whole cell in rows of test images, of a layer in others.
        error : str or None
            Why there are no scores.

    Raises
    ------
    ImportError
        If pandas, or pyarrow for a store, is missing.
    TypeError
        If an argument or a name is of the wrong type, or a store cannot compare an encoder.
    ValueError
        If names are not unique (subjects as text), or there is nothing to localize units by.

    See Also
    --------
    skalign.metrics.alignment : How r and theta are taken.
    skalign.feature_selection.SelectiveUnitLocalizer : How units are chosen.

    Notes
    -----
    Theta of few targets is easily low: an encoder that leaves most of them empty is not better for
    it. Read theta beside r, in which empty fits count, and beside ``empty_fraction``.

    The layer is the one with the largest r on the validation images where model and region have
    them, else on held-out folds of the training images; the first of equals. The test images are
    not looked at for it. The folds share one standardization, by all training images. A layer that
    fails is left out, and said in its row.

    A cell is stored under a fingerprint: names, the bytes of its arrays or the model's ``key``, the
    parameters of localizer and encoder (but for ``n_jobs`` and ``verbose``), `layer_cv`, the
    versions of skalign and scikit-learn, and the code of functions and classes of your own among
    these. When one of them changes, only cells that depend on it are computed again. Nothing else
    counts: not what your functions call or read, not the versions of other packages, not changes to
    skalign's code under the same version. Empty the store, or take another, after such a change. A
    cell with an error in any of its rows is tried again at the next run.
    ``pandas.read_parquet(store)`` gives all cells that are there, also during a run: those of
    earlier inputs, too.

    Workers take whole models, or, where there are fewer models than workers, cells. A cell is
    computed in one thread, whatever the encoder's ``n_jobs``, unless there is one worker; BLAS is
    held to one thread always, so that the table does not depend on the workers.

    What a region's callables return is kept for the whole run; where that is too large, give
    paths. Those of models are called by the workers, once in a run, or not at all where a ``key``
    says that all cells are there.

    References
    ----------
    .. [1] J. S. Prince, C. Conwell, G. A. Alvarez and T. Konkle. "A case for sparse positive
       alignment of neural systems." ICLR 2024 Workshop on Representational Alignment (Re-Align),
       2024.

    Examples
    --------
    A model whose first two units like faces, a region driven by the first, and two encoders.

    >>> import numpy as np
    >>> from skalign import SelectiveUnitLocalizer, SparsePositiveEncoder
    >>> from skalign.benchmark import ModelFeatures, RegionResponses, run_benchmark
    >>> rng = np.random.default_rng(0)
    >>> categories = np.repeat(["face", "scene"], 20)
    >>> localizer = rng.standard_normal((40, 6))
    >>> localizer[:20, :2] += 3
    >>> train, test = rng.standard_normal((2, 100, 6))
    >>> model = ModelFeatures("net", train, test, localizer=localizer)
    >>> region = RegionResponses(1, "FFA", train=train[:, :1], test=test[:, :1])
    >>> table = run_benchmark(
    ...     [model],
    ...     [region],
    ...     {"lasso": SparsePositiveEncoder(), "empty": SparsePositiveEncoder(alpha=2)},
    ...     units={
    ...         "face": SelectiveUnitLocalizer("face", n_units=2),
    ...         "scene": SelectiveUnitLocalizer("scene", n_units=2),
    ...     },
    ...     categories=categories,
    ... )
    >>> table[["units", "encoder", "r", "theta", "empty_fraction"]].round(1)
       units encoder    r  theta  empty_fraction
    0   face   lasso  1.0    0.0             0.0
    1   face   empty  0.0    NaN             1.0
    2  scene   lasso  0.0    NaN             1.0
    3  scene   empty  0.0    NaN             1.0
    """
    import_pandas()  # before hours of work
    models, regions = list(models), list(regions)
    units = {"all": None} if units is None else dict(units)
    check_arguments(models, regions, encoders, units, categories)
    settings = Settings(dict(encoders), check_cv(layer_cv), Store(store))
    plan = Plan.make(
        settings, regions, units, None if categories is None else np.asarray(categories)
    )
    cells = [
        Cell(model.name, group, str(region.subject), region.name, encoder)
        for model, group, region, encoder in product(models, units, regions, encoders)
    ]
    found = {}
    with closing(_outcomes(plan, models, n_jobs)) as outcomes:
        shown: Iterable[Outcome] = outcomes
        if progress is not None:
            shown = progress(outcomes, total=len(cells))
        for outcome in shown:
            found[outcome.cell] = outcome.rows
    return to_table(chain.from_iterable(found[cell] for cell in cells))


def _outcomes(
    plan: Plan, models: list[ModelFeatures], n_jobs: int | None
) -> Generator[Outcome, None, None]:
    """All cells, as they are finished."""
    n_workers = effective_n_jobs(n_jobs)
    if n_workers == 1:
        for model in models:
            yield from _run_model(plan, model)
        return
    if len(models) >= n_workers:
        yield from _in_workers(n_jobs, ((_run_model, plan, model) for model in models))
        return
    for model in models:
        for ready in plan.prepare(model):
            yield from (item for item in ready if isinstance(item, Outcome))
            batches = [item for item in ready if isinstance(item, Batch)]
            cells = chain.from_iterable(batch.split() for batch in batches)
            yield from _in_workers(n_jobs, ((cell.run,) for cell in cells))


def _in_workers(n_jobs: int | None, calls: Iterable[tuple]) -> Iterator[Outcome]:
    """Outcomes of functions and their arguments, as they are finished."""
    parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered")
    with closing(parallel(delayed(_alone)(*call) for call in calls)) as results:
        yield from chain.from_iterable(results)


def _run_model(plan: Plan, model: ModelFeatures) -> Iterator[Outcome]:
    for ready in plan.prepare(model):
        for item in ready:
            if isinstance(item, Outcome):
                yield item
            else:
                yield from item.run()


def _alone(function: Callable[..., Iterator[Outcome]], *arguments: Any) -> list[Outcome]:
    """Run in a worker, where nothing is parallel any more."""
    with parallel_config(backend="sequential"):
        return list(function(*arguments))
