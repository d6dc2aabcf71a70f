"""Control features against fits made by hand, and random features."""

import sys

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.linear_model import Lasso, LassoCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skalign import SparsePositiveEncoder
from skalign.inference import alignment_against_control
from skalign.metrics import alignment


@pytest.fixture(scope="module")
def data():
    """Halves of images, off center; the last target is minus the first unit."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((160, 8)) * np.linspace(0.5, 2, 8) + 1
    coef = np.zeros((4, 8))
    coef[0, :2], coef[1, 3:7], coef[2, 6], coef[3, 0] = 1, [1, 2, 3, 4], 1, -5
    Y = X @ coef.T + rng.standard_normal((160, 4)) + [0, 3, -2, 0]
    return X[:100], Y[:100], X[100:], Y[100:]


def test_control_is_the_same_encoder_on_other_features(data):
    X, Y, X_test, Y_test = data
    rng = np.random.default_rng(0)
    control, control_test = rng.standard_normal((100, 5)), rng.standard_normal((60, 5))
    weight, test_weight = rng.random(100), rng.random(60)
    found = alignment_against_control(
        SparsePositiveEncoder(alpha=0.05), *data, X_control=control, X_control_test=control_test,
        sample_weight=weight, test_sample_weight=test_weight, center=True,
    )  # fmt: skip
    for side, training, test in (
        ("encoder", X, X_test),
        ("control", control, control_test),
    ):
        fitted = SparsePositiveEncoder(alpha=0.05).fit(training, Y, sample_weight=weight)
        how = {"center": True, "sample_weight": test_weight}
        expected = alignment(fitted, test, Y_test, **how)
        for name in ("r", "theta", "n_active"):
            assert_allclose(getattr(found[side], name), getattr(expected, name))
    assert_allclose(found.difference("r"), found["encoder"].r - found["control"].r)
    assert list(found.to_frame()["target"]) == [0, 1, 2, 3]


class Recorder(Lasso):
    """Keeps the features that it is given."""

    seen: list = []  # noqa: RUF012 - clones must share it

    def fit(self, X, y):
        self.seen.append(np.array(X))
        return super().fit(X, y)

    def predict(self, X):
        self.seen.append(np.array(X))
        return super().predict(X)


def random_features(X, Y, X_test, Y_test, **options):
    Recorder.seen.clear()
    alignment_against_control(Recorder(), X, Y, X_test, Y_test, **options)
    assert_array_equal(Recorder.seen[0], X)
    return Recorder.seen[2:4]


def test_random_features(data):
    """Mixtures of all units; as many, and of the mean and spread of each."""
    X, Y, X_test, Y_test = data
    X, X_test = np.c_[X, np.full(100, 2.0)], np.c_[X_test, np.full(60, 2.0)]
    control, control_test = random_features(X, Y, X_test, Y_test, random_state=0)
    assert control.shape == X.shape
    assert_allclose(control.mean(axis=0), X.mean(axis=0))
    assert_allclose(control.std(axis=0), X.std(axis=0), atol=1e-12)
    joint, *_ = np.linalg.lstsq(np.c_[X, np.ones(100)], control, rcond=None)
    assert_allclose(np.c_[X, np.ones(100)] @ joint, control)
    assert_allclose(np.c_[X_test, np.ones(60)] @ joint, control_test)
    correlation = np.corrcoef(X[:, :8].T, control[:, :8].T)[:8, 8:]
    assert (abs(correlation).max(axis=0) < 0.95).all()
    again, _ = random_features(X, Y, X_test, Y_test, random_state=0)
    other, _ = random_features(X, Y, X_test, Y_test, random_state=1)
    assert_array_equal(again, control)
    assert abs(other - control)[:, :8].min(axis=0).max() > 0


def test_random_features_of_rectified_units_are_rectified(data):
    X, Y, X_test, Y_test = data
    X, X_test = np.maximum(X, 0), np.maximum(X_test, 0)
    control, control_test = random_features(X, Y, X_test, Y_test, random_state=0)
    assert_allclose(control.std(axis=0), X.std(axis=0))
    for part in (control, control_test):
        assert part.min() == 0
        assert 0.2 < (part > 0).mean() < 0.8


def test_learned_features_beat_random_ones():
    rng = np.random.default_rng(0)
    X = np.maximum(rng.standard_normal((300, 40)), 0)
    Y = X[:, :6] + 0.3 * rng.standard_normal((300, 6))
    found = alignment_against_control(
        make_pipeline(StandardScaler(), SparsePositiveEncoder(alpha=0.05)),
        X[:200], Y[:200], X[200:], Y[200:], center=True, random_state=0,
    )  # fmt: skip
    assert (found.difference("r") > 0).all()
    assert (found.difference("theta") < 0).all()


def test_bad_control_features(data):
    X, Y, X_test, Y_test = data
    with pytest.raises(ValueError, match="must be given together"):
        alignment_against_control(SparsePositiveEncoder(), *data, X_control=X)
    with pytest.raises(ValueError, match="test_sample_weight must be 1-D, one weight"):
        alignment_against_control(SparsePositiveEncoder(), *data, test_sample_weight=[1, 2])
    as_sparse = sparse.csr_array(X), Y, sparse.csr_array(X_test), Y_test
    with pytest.raises(TypeError, match="dense"):
        alignment_against_control(SparsePositiveEncoder(), *as_sparse)
    found = alignment_against_control(
        SparsePositiveEncoder(), *as_sparse, X_control=X, X_control_test=X_test
    )
    assert_allclose(found.difference("r"), 0, atol=1e-10)


def test_alpha_is_chosen_anew_unless_kept(data):
    X, Y, X_test, Y_test = data
    mixing = np.random.default_rng(0).standard_normal((8, 8))
    control, control_test = X @ mixing, X_test @ mixing
    y, y_test = Y[:, 2], Y_test[:, 2]
    model = make_pipeline(StandardScaler(), LassoCV(alphas=[0.02, 0.15]))
    chosen, of_control = (model.fit(part, y)[-1].alpha_ for part in (X, control))
    assert chosen != of_control
    for keep_alpha, alpha in ((False, of_control), (True, chosen)):
        fixed = make_pipeline(StandardScaler(), Lasso(alpha)).fit(control, y)
        expected = alignment(fixed, control_test, y_test)
        found = alignment_against_control(
            model,
            X,
            y,
            X_test,
            y_test,
            X_control=control,
            X_control_test=control_test,
            keep_alpha=keep_alpha,
        )
        assert_array_equal(found["control"].n_active, expected.n_active)
        assert_allclose(found["control"].r, expected.r)


def test_fit_arguments_reach_the_steps(data):
    X, Y, X_test, Y_test = data
    weight = np.linspace(0, 1, 100)
    model = make_pipeline(StandardScaler(), SparsePositiveEncoder())
    found = alignment_against_control(
        model, *data, sample_weight=weight, fit_params={"standardscaler__sample_weight": weight}
    )
    steps = "standardscaler", "sparsepositiveencoder"
    both = {f"{step}__sample_weight": weight for step in steps}
    expected = alignment(model.fit(X, Y, **both), X_test, Y_test)
    assert_allclose(found["encoder"].theta, expected.theta)


def test_test_targets_of_other_names_are_refused(data):
    X, Y, X_test, Y_test = data
    named, test = (pd.DataFrame(part, columns=list("abcd")) for part in (Y, Y_test))
    for model, y_test in ((SparsePositiveEncoder(), test), (Lasso(), test), (Lasso(), Y_test)):
        table = alignment_against_control(model, X, named, X_test, y_test).to_frame()
        assert list(table["target"]) == list("abcd")
    for other, message in (
        (test[list("bacd")], "another order"),
        (test.rename(columns={"a": "e"}), "without 'a' and with 'e'"),
    ):
        with pytest.raises(ValueError, match="y_test must have the 4 targets of y.*" + message):
            alignment_against_control(SparsePositiveEncoder(), X, named, X_test, other)


def test_table_needs_pandas(data, monkeypatch):
    found = alignment_against_control(SparsePositiveEncoder(), *data)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"skalign\[table\]"):
        found.to_frame()
