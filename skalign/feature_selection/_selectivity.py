"""Category selectivity: t-tests of a target category against each other category, per unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import false_discovery_control, ttest_ind_from_stats
from sklearn.utils import assert_all_finite, check_array
from sklearn.utils.validation import column_or_1d

from skalign.utils import Array, Doubles, Indices, check_flag

# A range of so many units in the last place is rounding noise, not a response.
_ROUNDING = 10


@dataclass(frozen=True, eq=False)
class SelectivityTests:
    """Tests of every unit's target category against each of the other categories.

    Returned by :func:`selectivity_tests`. The other categories, in sorted order, are the
    contrasts. NaN marks a test that is undefined (see there).

    Parameters
    ----------
    categories : ndarray of shape (n_categories,)
        The categories of the localizer images, sorted.
    preferred : ndarray of shape (n_units,)
        The category with the largest mean response of each unit; the first of equals.
    contrasts : ndarray of shape (n_contrasts,) or (n_contrasts, n_units)
        The other categories, one per row of the tests. Two-dimensional where every unit is
        tested for its preferred category, so that the others differ between units.
    t_values : ndarray of shape (n_contrasts, n_units)
        Two-sample t statistics, positive where the target category drives the unit more.
    p_values : ndarray of shape (n_contrasts, n_units)
        Two-sided p-values of `t_values`, not corrected.
    q_values : ndarray of shape (n_contrasts, n_units)
        `p_values` after Benjamini-Yekutieli adjustment across the units of each contrast.
    selectivity : ndarray of shape (n_units,)
        Mean of `t_values` over the contrasts; higher is more selective. NaN where one of
        them is undefined.
    response_ratio : ndarray of shape (n_units,)
        Mean response to the target category over the largest mean response to another;
        higher is more selective. NaN where it is undefined: a category mean is negative, or
        both of these means are zero.
    """

    categories: Array
    preferred: Array
    contrasts: Array
    t_values: Doubles
    p_values: Doubles
    q_values: Doubles
    selectivity: Doubles
    response_ratio: Doubles


def selectivity_tests(
    X: ArrayLike, y: ArrayLike, category: Any = None, *, equal_var: bool = True
) -> SelectivityTests:
    r"""Test each unit for a larger response to one category than to each of the others.

    For a unit with responses of mean :math:`m_k` and variance :math:`s_k^2` to the
    :math:`n_k` images of category :math:`k`, the target category :math:`a` is compared with
    every other category :math:`b` by a two-sample t-test. It pools the variances of the two
    categories (`equal_var`, as in the paper),

    .. math::
        t_{ab} = \frac{m_a - m_b}{s \sqrt{1 / n_a + 1 / n_b}}, \qquad
        s^2 = \frac{(n_a - 1) s_a^2 + (n_b - 1) s_b^2}{n_a + n_b - 2},

    or it is Welch's, which does not,

    .. math::
        t_{ab} = \frac{m_a - m_b}{\sqrt{s_a^2 / n_a + s_b^2 / n_b}}.

    The two-sided p-values are adjusted for the false discovery rate across units, within
    each contrast, by the procedure of Benjamini and Yekutieli, which holds under any
    dependence between units. The mean of :math:`t_{ab}` over :math:`b` measures the unit's
    selectivity.

    Parameters
    ----------
    X : array-like of shape (n_images, n_units)
        Responses of the units to the localizer images.
    y : array-like of shape (n_images,)
        Category of each image: at least two categories, each with at least two images.
    category : object, default=None
        The target category. If None, the target of each unit is the category with its
        largest mean response, the only one for which all its t-values can be positive.
    equal_var : bool, default=True
        Whether the test pools the variances of the two categories. False gives Welch's test,
        which holds its level when a category has more images and another spread.

    Returns
    -------
    SelectivityTests
        Statistics with one row per contrast and one column per unit, in float64.

    Raises
    ------
    TypeError
        If `equal_var` is not True or False.
    ValueError
        If `X` or `y` is malformed, a category has fewer than two images, there are fewer
        than two categories, or no image is of `category`.

    Notes
    -----
    Images must be independent samples. Volumes of one fMRI block are not: average them
    first, or the p-values are far too small.

    The pooled test holds its level while all categories have as many images, as localizer
    sets usually do. It misleads where numbers and spreads differ together: with 144 images
    of standard deviation 3 against 1440 of standard deviation 1, it rejects more than 30 % of
    the units without any preference at the 5 % level, and more than 3 % of them pass the
    adjustment. Welch's test rejects 5 %, and none passes.

    A test is undefined, and NaN, where a unit's responses to the two categories are all the
    same up to rounding. Undefined tests are removed before the adjustment: units without
    variance change nothing for the others. The public code of the paper's authors keeps silent
    units in the family of the adjustment, which makes it stricter. Where responses do not vary
    within either category but differ between them, t is infinite and p is 0.

    With ``category=None`` the adjustment still runs over all units in every contrast, and
    the choice of the best category is not corrected for.

    References
    ----------
    .. [1] Prince, Alvarez and Konkle (2023), "A contrastive coding account of category
       selectivity in the ventral visual stream", bioRxiv, :doi:`10.1101/2023.08.04.551888`.
    .. [2] Benjamini and Yekutieli (2001), "The control of the false discovery rate in
       multiple testing under dependency", Annals of Statistics 29(4):1165-1188,
       :doi:`10.1214/aos/1013699998`.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.feature_selection import selectivity_tests
    >>> category = np.repeat(["body", "face", "scene"], 4)
    >>> X = np.random.default_rng(0).normal(size=(12, 3))
    >>> X[category == "face", 1] += 5
    >>> tests = selectivity_tests(X, category, "face")
    >>> tests.contrasts.tolist()
    ['body', 'scene']
    >>> (tests.q_values < 0.05).all(axis=0)
    array([False,  True, False])
    >>> int(tests.selectivity.argmax())
    1
    """
    check_flag(equal_var, "equal_var")
    return compute_selectivity_tests(*check_localizer_set(X, y), category, equal_var=equal_var)


def check_localizer_set(
    X: ArrayLike, y: ArrayLike, *, X_name: str = "X", y_name: str = "y"
) -> tuple[Array, Array]:
    """Return localizer responses as a finite float matrix, and one category for each row."""
    responses: Array = check_array(
        X, dtype=[np.float64, np.float32], ensure_min_samples=2, input_name=X_name
    )
    categories: Array = column_or_1d(y, input_name=y_name)
    assert_all_finite(categories, input_name=y_name)
    if len(categories) != len(responses):
        raise ValueError(
            f"{y_name} must have one category for each row of {X_name}; got {len(categories)} "
            f"categories for {len(responses)} rows."
        )
    return responses, categories


def compute_selectivity_tests(
    X: Array, y: Array, category: Any, *, equal_var: bool
) -> SelectivityTests:
    """Run :func:`selectivity_tests` on arrays that :func:`check_localizer_set` returned."""
    categories, codes = _encode(y)
    moments = CategoryMoments.of(X, codes, len(categories))
    best = moments.mean.argmax(axis=0)
    if category is None:
        target = best
        tests = np.empty((3, len(categories) - 1, X.shape[1]))
        for code in np.unique(best):
            units = best == code
            tests[:, :, units] = _contrast(moments, code, equal_var)[:, :, units]
    else:
        code = _code_of(category, categories)
        target = np.full(X.shape[1], code)
        tests = _contrast(moments, code, equal_var)

    rows = np.arange(len(categories) - 1)[:, None]
    others = rows + (rows >= target)  # (n_contrasts, n_units): all codes but the target's
    t_values, p_values, q_values = tests
    with np.errstate(invalid="ignore"):  # opposite infinities have no mean
        selectivity = t_values.mean(axis=0)
    return SelectivityTests(
        categories=categories,
        preferred=categories[best],
        contrasts=categories[others if category is None else others[:, 0]],
        t_values=t_values,
        p_values=p_values,
        q_values=q_values,
        selectivity=selectivity,
        response_ratio=_response_ratio(moments.mean, target, others),
    )


class CategoryMoments(NamedTuple):
    """Moments of each category's responses, (n_categories, n_units), each unit in its own scale."""

    n_images: Indices  # (n_categories, 1)
    mean: Doubles
    std: Doubles
    low: Doubles
    high: Doubles
    eps: float  # relative rounding error of the responses

    @classmethod
    def of(cls, X: Array, codes: Indices, n_categories: int) -> CategoryMoments:
        mean, std, low, high = np.empty((4, n_categories, X.shape[1]))
        # By powers of two, exactly: squares of very large or small responses leave the range.
        _, exponent = np.frexp(np.maximum(X.max(axis=0), -X.min(axis=0)).astype(np.float64))
        for code in range(n_categories):
            images = np.ldexp(X[codes == code].astype(np.float64), -exponent)
            low[code], high[code] = images.min(axis=0), images.max(axis=0)
            mean[code] = images.mean(axis=0, dtype=np.float64)
            std[code] = images.std(axis=0, dtype=np.float64, ddof=1, mean=mean[None, code])
        constant = low == high  # here the mean of many is rounded, and leaves a trace of variance
        mean[constant], std[constant] = low[constant], 0
        n_images = np.bincount(codes)[:, None]
        return cls(n_images, mean, std, low, high, float(np.finfo(X.dtype).eps))


def _contrast(moments: CategoryMoments, code: int, equal_var: bool) -> Doubles:
    """Stack t, p and q of one category against each other: (3, n_contrasts, n_units)."""
    n_images, mean, std, low, high, eps = moments
    others = np.delete(np.arange(len(mean)), code)
    low, high = np.minimum(low[code], low[others]), np.maximum(high[code], high[others])
    defined = high - low > _ROUNDING * eps * np.maximum(np.abs(low), np.abs(high))
    tests = np.full((3, *defined.shape), np.nan)
    tests[:2] = ttest_ind_from_stats(
        mean[code],
        std[code],
        n_images[code],
        mean[others],
        std[others],
        n_images[others],
        equal_var=equal_var,
    )
    tests[:2, ~defined] = np.nan
    for (_, p_values, q_values), units in zip(tests.swapaxes(0, 1), defined, strict=True):
        q_values[units] = false_discovery_control(p_values[units], method="by")
    return tests


def _response_ratio(mean: Doubles, target: Indices, others: Indices) -> Doubles:
    """Divide the target's mean response by the largest of the others; NaN on signed units."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = mean[target, np.arange(len(target))] / np.take_along_axis(mean, others, 0).max(0)
    ratio[mean.min(axis=0) < 0] = np.nan
    return ratio


def _encode(y: Array) -> tuple[Array, Indices]:
    """Return the sorted categories and each image's index into them."""
    try:
        categories, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    except TypeError as error:
        raise TypeError(
            "Categories must be all strings or all numbers, none of them missing; got "
            f"{sorted({type(label).__name__ for label in y})}."
        ) from error
    if len(categories) < 2:
        raise ValueError(
            f"Categories must be at least 2, which selectivity compares; got {categories.tolist()}."
        )
    rare = categories[counts < 2].tolist()
    if rare:
        shown = ", ".join(map(repr, rare[:5])) + (", ..." if len(rare) > 5 else "")
        raise ValueError(
            f"Every category must have at least 2 images, for a variance; got a single image of "
            f"{shown} ({len(rare)} of {len(categories)} categories). Add images, or leave these "
            "categories out."
        )
    return categories, codes


def _code_of(category: Any, categories: Array) -> int:
    names = categories.tolist()
    if category not in names:
        raise ValueError(
            f"category must be one of {names}, or None for each unit's best; got {category!r}."
        )
    return names.index(category)
