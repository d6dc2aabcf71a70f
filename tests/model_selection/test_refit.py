"""Refit rules on made-up results, and inside scikit-learn's searches."""

import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import Lasso
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skalign import (
    AlignmentScorer,
    PearsonScorer,
    SparsePositiveEncoder,
    TuningReorientationScorer,
)
from skalign.model_selection import fewest_units, least_reorientation


def results(r, theta, n_active, nonempty=None, names=("r", "neg_theta"), **more):
    """What a search keeps, from r of (n_candidates, n_splits) and the means of the rest."""
    r = np.asarray(r, dtype=float)
    n_splits = r.shape[1]
    spread = np.linspace(-0.01, 0.01, n_splits)  # means matter, not splits
    scores = {
        names[0]: r,
        names[1]: -np.asarray(theta)[:, None] + spread,
        "n_active": np.asarray(n_active)[:, None] + spread,
    }
    if nonempty is not None:
        scores["nonempty_fraction"] = np.repeat(np.asarray(nonempty)[:, None], n_splits, axis=1)
    table = {"params": [{"alpha": k} for k in range(len(r))], **more}
    for name, score in scores.items():
        table[f"mean_test_{name}"] = score.mean(axis=1)
        table |= {f"split{k}_test_{name}": score[:, k] for k in range(n_splits)}
    return table


@pytest.fixture
def table():
    r = [[0.2, 0.3, 0.4], [0.4, 0.5, 0.6], [0.48, 0.53, 0.58], [0.42, 0.52, 0.62]]
    return results(r, theta=[0.1, 0.2, 0.6, 0.3], n_active=[1, 6, 8, 4])


def test_standard_error_is_that_of_the_best_over_splits(table):
    se = np.std([0.48, 0.53, 0.58], ddof=1) / np.sqrt(3)  # .0289: r .5 lies .03 below the best
    assert_allclose(se, 0.05 / np.sqrt(3))
    assert least_reorientation()(table) == 3
    assert least_reorientation("1.1se")(table) == 1
    assert least_reorientation("0se")(table) == 2
    assert least_reorientation(0.2301)(table) == 0
    assert fewest_units()(table) == 3
    assert fewest_units(0.2301)(table) == 0
    assert isinstance(least_reorientation()(table), int)


def test_names_of_the_scores_can_be_given():
    r = [[0.5, 0.5], [0.5, 0.5]]
    table = results(r, theta=[0.4, 0.3], n_active=[1, 2], names=("pearson", "aligned"))
    rule = least_reorientation(0.1, r="pearson", neg_theta="aligned")
    assert rule(table) == 1
    assert repr(rule) == "least_reorientation(tolerance=0.1, r='pearson', neg_theta='aligned')"
    assert fewest_units(0.1, r="pearson")(table) == 0
    with pytest.raises(ValueError, match=r"^r must be .*; got 'r', .* are \['aligned', "):
        least_reorientation(0.1)(table)
    with pytest.raises(ValueError, match=r"neg_theta must be .*\(neg_theta=...\)"):
        least_reorientation(0.1, r="pearson")(table)
    table |= {name.replace("n_active", "units"): table[name] for name in list(table)}
    assert fewest_units(0.1, r="pearson", n_active="units")(table) == 0
    with pytest.raises(ValueError, match=r"n_active must be the name of a test score .* 'active'"):
        fewest_units(0.1, r="pearson", n_active="active")(table)


@pytest.mark.parametrize("names", [{"r": None}, {"neg_theta": 1}])
def test_names_are_strings(names):
    with pytest.raises(TypeError, match="must be the name of a score"):
        least_reorientation(**names)


def test_name_is_not_a_pattern():
    table = results([[0.5, 0.5], [0.6, 0.6]], [0.4, 0.3], [1, 2])
    with pytest.raises(ValueError, match=r"got '\.'"):
        least_reorientation(0.1, r=".")(table)


def test_of_equal_candidates_the_better_one_wins():
    r = [[0.5, 0.5], [0.6, 0.6], [0.6, 0.6], [0.55, 0.55]]
    table = results(r, theta=[0.0, 0.0, 0.0, 0.0], n_active=[1, 1, 1, 1])
    assert least_reorientation(0.2)(table) == 1
    assert fewest_units(0.2)(table) == 1


@pytest.mark.parametrize("rule", [least_reorientation(2.0), fewest_units(2.0)])
def test_empty_useless_and_failed_candidates_never_win(rule):
    r = [[0.1, 0.1], [0.2, -0.2], [0.9, np.nan], [0.3, 0.3], [0.9, -np.inf]]
    table = results(
        r,
        theta=[0.0, 0.0, 0.0, 0.5, 0.0],
        n_active=[1, 1, 1, 9, 1],
        nonempty=[0.0, 1.0, 1.0, 0.1, 1.0],
    )
    assert rule(table) == 3
    table["split0_test_r"][3] = -0.5
    with pytest.raises(ValueError, match="one of the 5 candidates must predict"):
        rule(table)


def test_failed_theta_never_wins(table):
    table["split1_test_neg_theta"][3] = np.nan
    assert least_reorientation()(table) == 2


def test_theta_that_is_not_negated_is_found_out(table):
    for name in [name for name in table if name.endswith("neg_theta")]:
        table[name] = -table[name]
    with pytest.raises(ValueError, match="must be minus theta"):
        least_reorientation()(table)


def test_single_split_needs_an_absolute_tolerance():
    table = results([[0.5], [0.6]], theta=[0.1, 0.2], n_active=[1, 2])
    assert least_reorientation(0.2)(table) == 0
    for rule in (least_reorientation(), fewest_units("0.5se")):
        with pytest.raises(ValueError, match=r"single split, .* absolute tolerance"):
            rule(table)


def test_only_the_last_iteration_of_a_halving_search_counts():
    r = [[0.9, 0.9], [0.8, 0.8], [0.5, 0.5], [0.45, 0.45]]
    table = results(r, [0.0, 0.0, 0.4, 0.3], [1, 1, 2, 2], iter=np.array([0, 0, 1, 1]))
    assert least_reorientation(0.1)(table) == 3
    assert fewest_units(0.01)(table) == 2


def test_tolerance_is_checked_before_the_search():
    with pytest.raises(ValueError, match="tolerance must be"):
        least_reorientation(-1)
    with pytest.raises(TypeError, match="tolerance must be"):
        fewest_units(None)


def test_rule_is_a_value():
    rule = least_reorientation("0.5se", r="pearson")
    assert repr(rule) == "least_reorientation(tolerance='0.5se', r='pearson')"
    assert repr(fewest_units()) == "fewest_units(tolerance='1se')"
    assert pickle.loads(pickle.dumps(rule)) == rule == clone(rule, safe=False)
    assert rule != least_reorientation("0.5se")
    search = clone(GridSearchCV(Lasso(), {"alpha": [1]}, refit=rule))
    assert search.refit == rule
    assert "least_reorientation(" in repr(search)


@pytest.fixture(scope="module")
def data():
    """Three units drive the targets, 17 do not."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 20)) * 5
    y = X[:, :3] @ rng.random((3, 4)) + 5 * rng.standard_normal((120, 4))
    return X, y


GRID = {
    "sparsepositiveencoder__penalty": ["ridge", "lasso"],
    "sparsepositiveencoder__alpha": [0.01, 1.0, 1e3],
    "sparsepositiveencoder__positive": [True, False],
}


def expected_choice(table, cost, absolute=None):
    """The rule once more, candidate by candidate."""
    r, se = table["mean_test_r"], table["std_test_r"] / np.sqrt(4)  # ddof 1 of 5 splits
    usable = (r > 0) & (table["mean_test_nonempty_fraction"] > 0)
    best = np.flatnonzero(usable)[r[usable].argmax()]
    gap = se[best] if absolute is None else absolute
    near = [k for k in np.flatnonzero(usable) if r[k] >= r[best] - gap]
    return min(near, key=lambda k: (cost[k], -r[k]))


def test_in_a_grid_search_over_a_pipeline(data):
    pipeline = make_pipeline(StandardScaler(), SparsePositiveEncoder())
    options = {"scoring": AlignmentScorer(), "cv": 5}
    search = GridSearchCV(pipeline, GRID, refit=least_reorientation(), **options).fit(*data)
    table = search.cv_results_
    assert search.best_index_ == expected_choice(table, -table["mean_test_neg_theta"])
    assert search.best_estimator_[-1].get_params()["positive"]
    assert search.best_index_ != table["mean_test_r"].argmax()
    search = GridSearchCV(pipeline, GRID, refit=fewest_units(0.3), **options).fit(*data)
    expected = expected_choice(search.cv_results_, search.cv_results_["mean_test_n_active"], 0.3)
    assert search.best_index_ == expected
    empty = search.cv_results_["mean_test_nonempty_fraction"] == 0
    assert empty.any()
    assert not empty[search.best_index_]
    with pytest.raises(KeyError):  # what the Notes say; the remedy:
        search.score(*data)
    assert AlignmentScorer()(search.best_estimator_, *data)["r"] > 0


def test_in_a_grid_search_over_several_scorers(data):
    scoring = {"pearson": PearsonScorer(), "aligned": TuningReorientationScorer()}
    rule = least_reorientation("2se", r="pearson", neg_theta="aligned")
    grid = {"alpha": [0.5, 1.0, 1e3], "penalty": ["lasso"]}
    search = GridSearchCV(SparsePositiveEncoder(), grid, scoring=scoring, refit=rule).fit(*data)
    assert search.cv_results_["mean_test_aligned"][2] == -2
    assert search.best_index_ < 2


def test_in_a_randomized_search_with_failing_fits(data):
    search = RandomizedSearchCV(
        SparsePositiveEncoder(),
        {"alpha": [-1.0, 0.1, 1.0]},
        n_iter=3,
        random_state=0,
        scoring=AlignmentScorer(),
        refit=least_reorientation(),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitFailedWarning)
        warnings.filterwarnings("ignore", "One or more of the test scores")
        search.fit(*data)
    assert search.best_params_["alpha"] > 0


def test_grid_of_empty_models_says_so(data):
    search = GridSearchCV(
        SparsePositiveEncoder(),
        {"alpha": [1e3, 1e4]},
        scoring=AlignmentScorer(),
        refit=least_reorientation(),
    )
    with pytest.raises(ValueError, match=r"one of the 2 candidates .* Try smaller alphas"):
        search.fit(*data)


def test_single_split_of_a_search(data):
    cv = ShuffleSplit(1, random_state=0)
    search = GridSearchCV(Lasso(), {"alpha": [0.1, 1.0]}, scoring=AlignmentScorer(), cv=cv)
    assert clone(search).set_params(refit=fewest_units(0.5)).fit(*data).best_index_ == 1
    with pytest.raises(ValueError, match="at least two splits"):
        search.set_params(refit=fewest_units()).fit(*data)


def score_for_halving(estimator, X, y):
    scores = AlignmentScorer()(estimator, X, y)
    return scores | {"score": scores["r"]}


def test_after_a_halving_search(data):
    from sklearn.experimental import enable_halving_search_cv  # noqa: F401
    from sklearn.model_selection import HalvingGridSearchCV

    rule = least_reorientation("5se")
    search = HalvingGridSearchCV(
        SparsePositiveEncoder(),
        {"alpha": [0.1, 1.0, 5.0, 9.0, 1e3]},
        scoring=score_for_halving,
        refit=rule,
        factor=2,
        random_state=0,
    ).fit(*data)
    table = search.cv_results_
    chosen = rule(table)
    assert table["iter"][chosen] == table["iter"].max() > 0
    last = table["iter"] == table["iter"].max()
    assert table["mean_test_neg_theta"][chosen] == table["mean_test_neg_theta"][last].max()


def test_a_rule_that_was_not_made_says_so():
    search = GridSearchCV(
        SparsePositiveEncoder(),
        {"alpha": [0.1]},
        scoring=AlignmentScorer(),
        refit=least_reorientation,
    )
    X = np.random.default_rng(0).standard_normal((30, 3))
    with pytest.raises(TypeError, match=r"refit=least_reorientation\(\), with parentheses"):
        search.fit(X, X[:, :2])
