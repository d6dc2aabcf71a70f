"""Which images the fits of a stability get, in which groups and with which weights."""

from typing import ClassVar

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.pipeline import make_pipeline

from skalign.inference import selection_stability


class Recorder(RegressorMixin, BaseEstimator):
    """Keeps what it is fitted to, in a list that clones share."""

    seen: ClassVar[list] = []

    def fit(self, X, y, sample_weight=None):
        self.seen.append((np.asarray(X), np.asarray(y), sample_weight))
        self.coef_ = np.ones(X.shape[1])
        return self

    def predict(self, X):
        return X.sum(axis=1)


@pytest.fixture
def recorder(monkeypatch):
    monkeypatch.setattr(Recorder, "seen", [])
    return Recorder()


@pytest.mark.parametrize("sample_fraction", [0.5, "bootstrap"])
def test_whole_groups_are_drawn(recorder, sample_fraction):
    groups = np.array(list("aabbbbcddd"))
    y = np.arange(10.0)
    selection_stability(
        recorder,
        y[:, np.newaxis],
        y,
        n_resamples=30,
        sample_fraction=sample_fraction,
        groups=groups,
        random_state=0,
    )
    counted = []
    for X, seen, weight in recorder.seen:
        assert_array_equal(X[:, 0], seen)
        counts = np.bincount(seen.astype(int), weight, minlength=10)
        for group in "abcd":
            assert np.ptp(counts[groups == group]) == 0
        counted.append(counts[[0, 2, 6, 7]])
    if sample_fraction == "bootstrap":
        assert (np.sum(counted, axis=1) == 4).all()
        assert np.max(counted) > 1
    else:
        assert (np.sum(counted, axis=1) == 2).all()
        assert np.max(counted) == 1
    assert len(np.unique(counted, axis=0)) > 3


def test_how_images_are_handed_over(recorder):
    X, y = np.arange(20.0)[:, np.newaxis], np.arange(20.0)
    selection_stability(recorder, X, y, sample_fraction="bootstrap", n_resamples=3)
    for seen, _, weight in recorder.seen:  # only images that were drawn
        assert len(seen) == len(np.unique(seen)) < 20
        assert weight.min() == 1
        assert weight.sum() == 20
    recorder.seen.clear()
    selection_stability(make_pipeline(recorder), X, y, sample_fraction="bootstrap", n_resamples=3)
    assert all(len(seen) == 20 and weight is None for seen, _, weight in recorder.seen)
    recorder.seen.clear()
    selection_stability(recorder, X, y, sample_fraction=0.25, n_resamples=3)
    assert all(len(np.unique(seen)) == 5 for _, seen, _ in recorder.seen)


@pytest.mark.parametrize("sample_fraction", [0.5, "bootstrap"])
def test_weights_and_further_arguments_are_resampled_with_the_images(recorder, sample_fraction):
    X, y, weight = np.arange(20.0)[:, np.newaxis], np.arange(20.0), np.arange(1.0, 21.0)
    options = {"sample_weight": weight, "sample_fraction": sample_fraction, "n_resamples": 3}
    selection_stability(recorder, X, y, **options)
    for _, seen, weights in recorder.seen:
        times = weights / (seen + 1)  # how often each image is drawn
        assert_array_equal(times, times.round())
        assert times.sum() == (20 if sample_fraction == "bootstrap" else 10)
    recorder.seen.clear()
    selection_stability(
        make_pipeline(recorder), X, y, fit_params={"recorder__sample_weight": weight}, n_resamples=3
    )
    for _, seen, weights in recorder.seen:
        assert len(seen) == 10
        assert_array_equal(weights, seen + 1)
