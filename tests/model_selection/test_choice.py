"""Choosing a candidate against a loop that reads like the rules, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal
from scipy.stats import spearmanr
from sklearn.preprocessing import StandardScaler

from skalign.datasets import make_selective_cortex
from skalign.linear_model import sparse_positive_path
from skalign.model_selection import AlignmentFront, choose

SELECTS = ["best", "one_se", "least_reorientation", "fewest_units"]


def slow_choice(select, r, r_se, theta, n_active, n_se, absolute):
    """One target, one candidate after the other."""
    alive = [
        k
        for k in range(len(r))
        if r[k] > 0 and not np.isnan(theta[k]) and not np.isnan(n_active[k]) and n_active[k] > 0
    ]
    if not alive:
        return -1
    best = alive[0]
    for k in alive:
        if r[k] > r[best]:
            best = k
    if select == "best":
        return best
    if select == "one_se":
        lowest = r[best] - r_se[best]
    else:
        lowest = r[best] - (absolute if n_se is None else n_se * r_se[best])
    near = [k for k in alive if r[k] >= lowest]
    if select == "one_se":
        return near[0]
    cost = theta if select == "least_reorientation" else n_active
    return min(near, key=lambda k: (cost[k], k))


@st.composite
def candidates(draw):
    """Tables on coarse grids, so that ties, empties and failures are common."""
    shape = draw(st.integers(1, 6)), draw(st.integers(1, 4))

    def table(values):
        return draw(arrays(float, shape, elements=st.sampled_from(values)))

    r = table([np.nan, -0.25, 0.0, 0.125, 0.25, 0.5, 0.75])
    r_se = table([0.0, 0.125, 0.25])
    theta = table([np.nan, 0.0, 0.25, 0.5, 1.5])
    n_active = table([np.nan, 0.0, 0.5, 1.0, 7.0])
    return r, r_se, theta, n_active


@settings(max_examples=150, deadline=None)
@given(
    candidates(),
    st.sampled_from(SELECTS),
    st.sampled_from([("1se", 1, None), ("0.5se", 0.5, None), (0.25, None, 0.25), (0, None, 0)]),
)
def test_equals_a_slow_loop(tables, select, tolerances):
    tolerance, n_se, absolute = tolerances
    r, r_se, theta, n_active = tables
    found = choose(select, r, r_se=r_se, theta=theta, n_active=n_active, tolerance=tolerance)
    columns = zip(r.T, r_se.T, theta.T, n_active.T, strict=True)
    expected = [slow_choice(select, *column, n_se, absolute) for column in columns]
    assert_array_equal(found, expected)
    assert found.dtype == np.intp


def test_rules_differ_and_ties_go_to_the_first():
    r = np.array([[0.25], [0.375], [0.5], [0.5]])
    r_se = np.array([[9.0], [9.0], [0.125], [0.0]])  # only that of the first best counts
    theta = np.array([[0.0], [0.3], [0.2], [0.2]])
    assert choose("best", r) == 2
    assert choose("one_se", r, r_se=r_se) == 1
    assert choose("least_reorientation", r, r_se=r_se, theta=theta) == 2
    assert choose("least_reorientation", r, r_se=r_se, theta=theta, tolerance="2se") == 0
    assert choose("fewest_units", r, n_active=[[2], [5], [5], [7]], tolerance=0.125) == 1


@pytest.mark.parametrize("select", SELECTS)
def test_target_without_a_candidate_is_left_out(select):
    r = np.array([[0.0, np.nan, 0.3, 0.3, 0.3], [-0.1, np.nan, -0.2, 0.3, 0.2]])
    theta = np.array([[0.1, 0.1, 0.1, np.nan, 0.1], [0.1, 0.1, 0.1, np.nan, 0.1]])
    n_active = np.array([[1, 1, 0, 3, 2], [1, 1, 1, 3, 2]])
    r_se = np.full(r.shape, np.nan)  # not looked at where nothing can be chosen
    r_se[:, 4] = 0.0
    found = choose(select, r, r_se=r_se, theta=theta, n_active=n_active)
    assert_array_equal(found, [-1, -1, -1, -1, 0])


def test_what_is_not_given_excludes_nothing():
    r = np.array([[0.5], [0.25]])
    assert choose("best", r) == 0
    assert choose("best", r, n_active=[[0], [3]]) == 1
    assert choose("best", r, theta=[[np.nan], [0.3]]) == 1


def test_inputs_are_left_alone():
    r, theta = np.array([[0.5], [0.5]]), np.array([[np.nan], [0.1]])
    for table in (r, theta):
        table.flags.writeable = False
    assert choose("least_reorientation", r, theta=theta, tolerance=0.1) == 1
    assert np.isnan(theta[0, 0])


R = [[0.1, 0.2], [0.3, 0.4]]


@pytest.mark.parametrize(
    ("select", "options", "error", "message"),
    [
        ("worst", {}, ValueError, "select must be one of \"best\", .*got 'worst'"),
        (None, {}, ValueError, "select must be one of"),
        ("one_se", {}, ValueError, "r_se must be given for a tolerance in standard errors"),
        ("least_reorientation", {"theta": R}, ValueError, "r_se must be given"),
        ("least_reorientation", {"tolerance": 0.1}, ValueError, "theta must be given for select="),
        ("fewest_units", {"tolerance": 0.1}, ValueError, "n_active must be given for select="),
        ("best", {"theta": [[0.1], [0.2]]}, ValueError, r"theta must have the shape .*\(2, 2\)"),
        ("best", {"n_active": [[1, 2]]}, ValueError, "n_active must have the shape"),
        ("one_se", {"r_se": [0.1, 0.2]}, ValueError, "Expected 2D array"),
        ("one_se", {"r_se": [[0, 0], [-0.1, 0]]}, ValueError, "r_se must be .* got -0.1"),
        (
            "one_se",
            {"r_se": [[0, 0], [np.nan, 0]]},
            ValueError,
            "got nan.* tolerance in units of r",
        ),
        ("best", {"tolerance": -0.1}, ValueError, "tolerance must be .*got -0.1"),
        ("best", {"tolerance": np.nan}, ValueError, "tolerance must be .*got nan"),
        ("best", {"tolerance": np.inf}, ValueError, "tolerance must be"),
        ("best", {"tolerance": "-1se"}, ValueError, "tolerance must be"),
        ("best", {"tolerance": "infse"}, ValueError, "tolerance must be"),
        ("best", {"tolerance": "0.1"}, ValueError, "tolerance must be"),
        ("best", {"tolerance": "se"}, ValueError, "tolerance must be .*got 'se'"),
        ("best", {"tolerance": None}, TypeError, "tolerance must be a number or a string"),
        ("best", {"tolerance": True}, TypeError, "tolerance must be a number or a string"),
    ],
)
def test_errors_name_the_parameter(select, options, error, message):
    with pytest.raises(error, match=message):
        choose(select, R, **options)


def test_r_is_a_table_of_finite_numbers():
    with pytest.raises(ValueError, match="Expected 2D array"):
        choose("best", [0.1, 0.2])
    with pytest.raises(ValueError, match="infinity"):
        choose("best", [[np.inf]])


def test_rounding_does_not_choose():
    r = np.array([[0.5, 0.5], [0.5 + 1e-12, 0.5 + 1e-6]])
    assert_array_equal(choose("best", r), [0, 1])
    theta = np.array([[0.3, 0.3], [0.3 - 1e-12, 0.3 - 1e-6]])
    chosen = choose("least_reorientation", r, theta=theta, tolerance=0.1)
    assert_array_equal(chosen, [0, 1])


def test_on_a_lasso_path_theta_and_units_choose_alike():
    """What the page of least_reorientation says."""
    cortex = make_selective_cortex(
        n_units=300,
        n_selective=60,
        n_subjects=1,
        n_voxels=30,
        n_localizer=2,
        n_train=300,
        n_validation=0,
        n_test=200,
        random_state=0,
    )
    is_face = cortex.selectivity == "faces"
    scaler = StandardScaler().fit(cortex.X_train[:, is_face])
    X, X_test = (scaler.transform(part[:, is_face]) for part in (cortex.X_train, cortex.X_test))
    alphas = np.geomspace(0.2, 0.003, 12)
    path = sparse_positive_path(X, cortex.y_train["S1", "FFA"], alphas=alphas)
    y_test = cortex.y_test["S1", "FFA"]
    front = AlignmentFront.from_path(path, X_test, y_test, per_target=True, center=True)
    rank_correlation = [
        spearmanr(theta, n_active, nan_policy="omit").statistic
        for theta, n_active in zip(front.theta.T, front.n_active.T, strict=True)
    ]
    assert np.median(rank_correlation) > 0.9
    scores = {"r": front.r, "theta": front.theta, "n_active": front.n_active, "tolerance": 0.02}
    by_theta, by_units = (choose(rule, **scores) for rule in SELECTS[2:])
    assert (np.abs(by_theta - by_units) <= 1).mean() > 0.8
