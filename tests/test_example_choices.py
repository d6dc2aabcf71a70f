"""Examples on empty fits, standardization and the price of sign: their prose is true."""

import numpy as np
import pytest

from tests.example_scripts import run_example


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("choices")


def test_empty_fits(folder):
    example = run_example("plot_empty_fits", folder)
    front, alphas = example.front, example.alphas
    assert front.theta.min() == front.theta[0] < 0.04
    assert front.empty_fraction[0] == pytest.approx(0.8, abs=0.03)
    of_place_area = (example.path.coef[0][60:] == 0).all(axis=1)
    assert of_place_area.mean() > 0.95
    best = front.penalized_theta.argmin()
    assert alphas[best] == pytest.approx(0.07, abs=0.005)
    assert front.empty_fraction[best] == pytest.approx(0.01, abs=0.005)
    assert front.r[best] == pytest.approx(front.r.max(), abs=0.005)


def test_standardize(folder):
    table = run_example("plot_standardize", folder).table
    assert table["theta"].agg(["min", "max"]).to_list() == pytest.approx([0.19, 0.78], abs=0.005)
    standardized = table[table["standardize"]].groupby("responses")["theta"]
    for responses, theta in (("predicted", 0.19), ("observed", 0.57)):
        of_responses = standardized.get_group(responses)
        assert np.ptp(of_responses) < 1e-3
        assert of_responses.mean() == pytest.approx(theta, abs=0.005)
    r = table.groupby(["standardize", "fit_intercept"])["r"].mean()
    assert r[False, False] == pytest.approx(0.46, abs=0.005)
    assert r.drop((False, False)).between(0.525, 0.54).all()


def test_price_of_sign(folder):
    prices = run_example("plot_price_of_sign", folder).prices
    faces, scenes = prices["faces"], prices["scenes"]
    assert faces.difference("r").mean() == pytest.approx(-0.05, abs=0.005)
    assert faces.difference("theta").mean() == pytest.approx(0.14, abs=0.005)
    assert scenes["signed"].r.mean() == pytest.approx(0.46, abs=0.005)
    assert scenes.difference("r").mean() == pytest.approx(0.31, abs=0.006)
    assert (scenes["signed"].theta > 1).mean() > 0.9
    assert scenes.negative_share.mean() == pytest.approx(0.5, abs=0.02)
    assert scenes["positive"].n_active.mean() == pytest.approx(4, abs=0.3)
