"""Run a benchmark, and return its table."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from itertools import chain, product
from typing import Any
from warnings import warn

import numpy as np
from numpy.typing import ArrayLike
from sklearn.model_selection import check_cv

from skalign.benchmark._inputs import ModelFeatures, RegionResponses, check_arguments, record_list
from skalign.benchmark._measures import MeasureSettings
from skalign.benchmark._plan import CellSettings, Plan
from skalign.benchmark._rows import Cell, FinishedCell, Row, error_text, make_row, to_table
from skalign.benchmark._store import CellStore
from skalign.benchmark._workers import CellRunner
from skalign.utils import import_pandas


def run_benchmark(
    models: Sequence[ModelFeatures],
    regions: Sequence[RegionResponses],
    encoders: Mapping[str, Any],
    *,
    units: Mapping[str, Any] | None = None,
    categories: ArrayLike | None = None,
    layer_cv: Any = 5,
    measures: Sequence[str] = (),
    n_resamples: int = 200,
    random_state: int = 0,
    store: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
    progress: Callable[..., Iterable[Any]] | None = None,
) -> Any:
    """Fit every encoder from every model's units to every region, and score it on test images.

    A cell of the benchmark is one model, one group of its units, one subject, one region and one
    encoder. Units are localized once per model and group. Features are standardized by the training
    images, once per model, group and set of images. All regions and encoders share both.

    Parameters
    ----------
    models : sequence of ModelFeatures
        The models. A worker holds one of them at a time.
    regions : sequence of RegionResponses
        The regions of all subjects. They are standardized by their training images.
    encoders : mapping of str to estimator
        :class:`~skalign.linear_model.SparsePositiveEncoder`, or any other estimator with a linear
        map inside: a pipeline, a target transformer, a search. A parameter ``cv="validation"``
        stands for the validation images: that encoder is fitted to training and validation images
        together, with ``cv=PredefinedSplit(...)``.
    units : mapping of str to selector, default=None
        Groups of units: for each a :class:`~skalign.feature_selection.SelectiveUnitLocalizer`,
        which is fitted to the localizer images, or None for all units. By default one group,
        ``{"all": None}``.
    categories : array-like of shape (n_localizer_images,), default=None
        Categories of the localizer images. Required if units are localized.
    layer_cv : int, cross-validation generator or iterable, default=5
        Folds of the training images. They choose the layer of a model with several layers if there
        are no validation images. Folds take images to be independent: average repeats first.
    measures : sequence of str, default=()
        Measures that the table has beside the scores of the test images, in columns of their own:
        any of "theta_corrected", "axis_alignment" and "soft_matching".
    n_resamples : int, default=200
        Number of random rotations for "axis_alignment". The encoder is fitted once to each.
    random_state : int, default=0
        Seed of the rotations, which are the same for all encoders and regions.
    store : str or path, default=None
        Folder that keeps every finished cell; it is made if it is missing. A run computes only the
        cells that the folder does not have. All workers must see the folder. If None, nothing is
        kept.
    n_jobs : int, default=None
        Number of workers. None means 1 unless in a :func:`joblib.parallel_config`, which also
        chooses threads, processes or a Dask cluster.
    progress : callable, default=None
        Called as ``progress(cells, total=n_cells)``; must yield every cell that it is given. Pass
        ``rich.progress.track`` or ``tqdm`` for a progress bar.

    Returns
    -------
    pandas.DataFrame
        One row per cell, plus one per layer where a layer was chosen. The order is that of the
        arguments: models, units, regions, encoders. Columns:

        model, layer, units, subject, region, encoder : str
            Names. The layer of a model without named layers is "". The subject 1 is "1".
        penalty, positive, alpha : str, bool, float
            Those of the encoder. If it chose an alpha for every target: the median over targets
            that are not empty. NaN if it has none. Of a ``MultiOutputRegressor``: those of its
            first target.
        alpha_at_edge : float
            Fraction of the targets whose alpha was chosen at the edge of its grid, so that one
            beyond may suit better; NaN if the encoder has chosen none.
        partition : {"train", "validation", "test"}
            Images of the scores. Every cell has one row "test", of the chosen layer. The other rows
            are the scores that the layer was chosen by.
        r : float
            Pearson's r, from -1 to 1, averaged over targets; high is good. An empty target counts
            as 0.
        theta : float
            Tuning reorientation, from 0 to 2, averaged over the targets that have one; low is
            aligned. NaN if all targets are empty.
        penalized_theta : float
            The same average over all targets, in which an empty target counts as 2.
        n_active : float
            Number of active units, averaged over targets.
        empty_fraction : float
            Fraction of targets without active units.
        theta_corrected : float
            If asked for: observed theta, centered over images, without the noise of the responses,
            as in :func:`~skalign.metrics.correct_reorientation`; low is aligned. The mean over
            voxels is a ratio of means. NaN if no voxel has a ceiling.
        axis_alignment, axis_alignment_se : float
            If asked for: how much r falls when the units are rotated at random, as in
            :func:`~skalign.metrics.axis_alignment`, and its standard error over rotations. 0 if the
            encoder does not need these units but only their span; high is aligned. NaN for a single
            unit.
        soft_matching : float
            If asked for: correlation of units and voxels under the best soft match, from -1 to 1,
            as in :func:`~skalign.metrics.soft_matching`; high is good. Training images choose the
            match. All encoders have the same.
        ceiling : float
            Noise ceiling in units of r, averaged over the targets that have one; NaN if none has.
        n_targets : int
            Number of targets; 0 if they could not be read.
        seconds : float
            Time of the whole cell in rows "test", of one layer in other rows; without measures.
        error : str or None
            Why there are no scores, or why a measure is missing.

    Raises
    ------
    ImportError
        If pandas is missing.
    TypeError
        If an argument or a name has the wrong type, or a store cannot compare an encoder.
    ValueError
        If names are not unique, or localizer features or categories are missing.

    Warns
    -----
    UserWarning
        If a file of the store does not hold what was written to it: its damaged cells are computed
        again. If the store cannot keep a cell, as on a full disk: the table has it nevertheless. If
        workers are killed: the cells that they did not finish have an error in the table.

    See Also
    --------
    read_store : Reads all cells of a store, also while a run adds to it.
    skalign.metrics.alignment : How r and theta are computed.
    skalign.metrics.axis_alignment, skalign.metrics.soft_matching : Optional measures.
    skalign.feature_selection.SelectiveUnitLocalizer : How units are chosen.

    Notes
    -----
    Theta of few targets is easily low: an encoder that leaves most targets empty is not better for
    it. Read ``theta`` beside ``r``, in which empty targets count, and beside ``empty_fraction``.

    The chosen layer has the largest r on the validation images, if model and region have them, else
    on held-out folds of the training images. Of equal layers the first is chosen. The test images
    have no part in it. The folds share one standardization, by all training images. A layer that
    fails is skipped; its row says why.

    The store compares fingerprints. The fingerprint of a cell covers names, the bytes of its arrays
    or the model's ``key``, the parameters of localizer and encoder (except ``n_jobs`` and
    ``verbose``), `layer_cv`, the versions of skalign and scikit-learn, and the code of your own
    functions and classes among these. If one of them changes, only the cells that depend on it are
    computed again. The fingerprint does not cover what your functions call or read, the versions of
    other packages, and changes of skalign's code under one version: take another store after such a
    change. Cells with an error in any of their rows are computed again in the next run.

    The measures of a cell are stored beside it, each with a fingerprint of its own. If a run asks
    for one that the store does not have, only this is computed, and the scores are read. A run that
    asks for none reads the same cells. Features are rotated as they are given, and standardized by
    the training images afterwards.

    The store holds lines of JSON, one per cell or measure, each with a checksum. A run merges its
    files into one when it ends. Several runs may share a store at the same time.

    Workers share the models, or, if there are fewer models than workers, the cells of one model
    after the other. A worker computes a cell in one thread, whatever the encoder's ``n_jobs`` is.
    BLAS always has one thread, so that the table does not depend on the workers. If a worker is
    killed, as by a lack of memory, the cells of the unfinished models are computed again, shared by
    the workers; cells that kill their worker then have an error. On a Dask cluster, other workers
    take over the work of one that dies, up to three times, and every worker gets the regions and a
    model's features once.

    What the callables of a region return is kept for the whole run; give paths if that is too
    large. The callables of models are called by the workers, once in a run, or never if a ``key``
    says that all cells are stored.

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
    models, regions = record_list(models, "models"), record_list(regions, "regions")
    units = {"all": None} if units is None else units
    check_arguments(models, regions, encoders, units, categories)
    asked = MeasureSettings.check(measures, n_resamples, random_state)
    settings = CellSettings(dict(encoders), _check_layer_cv(layer_cv), asked, CellStore(store))
    plan = Plan.make(
        settings, regions, units, None if categories is None else np.asarray(categories)
    )
    cells = [
        Cell(model.name, group, str(region.subject), region.name, encoder)
        for model, group, region, encoder in product(models, units, regions, encoders)
    ]
    runner = CellRunner(plan, n_jobs)
    found: dict[Cell, list[Row]] = {}
    is_told = False
    with closing(runner.run(models)) as finished_cells:
        shown: Iterable[FinishedCell] = finished_cells
        if progress is not None:
            shown = progress(finished_cells, total=len(cells))
        for finished in shown:
            found[finished.cell] = finished.rows
            if finished.not_stored is not None and not is_told:
                _warn_not_stored(settings.store, finished.not_stored)  # now: a run may take days
                is_told = True
    if missing := [cell for cell in cells if cell not in found]:
        found |= _lost_rows(missing, encoders, runner)
    with suppress(OSError):  # a full disk: the files are as good, only more
        settings.store.compact()
    return to_table(chain.from_iterable(found[cell] for cell in cells), asked.names)


def _check_layer_cv(layer_cv: Any) -> Any:
    try:
        return check_cv(layer_cv)
    except ValueError as error:
        raise ValueError(
            "layer_cv must be an int of at least 2, a cross-validation generator or an iterable of "
            f"(train, test) indices; got {layer_cv!r}."
        ) from error


def _warn_not_stored(store: CellStore, why: str) -> None:
    warn(
        f"store must be writable to keep finished cells; got {why!r} in {str(store.folder)!r}. The "
        "run goes on, and its table will have all cells. Cells that cannot be kept are computed "
        "again in the next run.",
        UserWarning,
        stacklevel=3,
    )


def _lost_rows(
    cells: list[Cell], encoders: Mapping[str, Any], runner: CellRunner
) -> dict[Cell, list[Row]]:
    """Rows of the cells that no worker gave back."""
    if not runner.lost:
        raise ValueError(
            f"progress must yield every cell that it is given; got all but {len(cells)}. Use "
            "rich.progress.track or tqdm."
        )
    is_kept = runner.plan.settings.store.folder is not None
    warn(
        f"Workers did not give back {len(cells)} cells, whose rows in the table say why: "
        f"{error_text(runner.lost[0])} "
        f"{'Run again with the same' if is_kept else 'Run with a'} store: it keeps what workers "
        "finish. Fewer workers need less memory.",
        UserWarning,
        stacklevel=3,
    )
    return {cell: [make_row(cell, encoders[cell.encoder], error=runner.lost[0])] for cell in cells}
