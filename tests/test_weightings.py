"""Weightings of the held-out groups (T10): the largest WGA is a maximum, balanced ones are what they are called."""

import numpy as np
import pytest
from proportional_cases import random_mixture
from scipy.special import ndtr

import llrsim
from llrsim.model.losses import Loss
from llrsim.prediction import weightings as module
from llrsim.prediction.problem import ProportionalProblem
from llrsim.prediction.ridge import ridge_head
from llrsim.prediction.weightings import scores, weightings


def problem(loss, ridge=0.05):
    law = random_mixture(np.random.default_rng(3))
    return ProportionalProblem.of(law, loss, counts=[150, 30, 40, 120], ridge=ridge), law


@pytest.mark.parametrize("loss", [Loss.LOGISTIC, Loss.SQUARED])
def test_the_best_weighting_is_better_than_every_one_around_it(loss):
    described, test = problem(loss)
    found = {one.name: one for one in weightings(described, test)}
    best = found["largest WGA found"]
    assert best.wga >= max(one.wga for one in found.values())
    rng = np.random.default_rng(0)
    for size in (0.02, 0.2, 1.0):
        for _ in range(40):
            om = best.weights * np.exp(size * rng.normal(size=4))
            reached = scores(described, om / (described.shares @ om), test).min()
            assert reached <= scores(described, best.weights, test).min() + 2e-6


def test_the_named_weightings():
    described, test = problem(Loss.SQUARED)
    none, equal, effective, best = weightings(described, test)
    assert none.weights == pytest.approx(np.ones(4))
    assert equal.mass == pytest.approx(np.full(4, 0.25))
    c = ridge_head(described._replace(weights=effective.weights)).effective_weights
    assert c == pytest.approx(np.full(4, c.mean()), rel=1e-9)
    for one in (none, equal, effective, best):
        assert described.shares @ one.weights == pytest.approx(1.0)
        assert one.mass == pytest.approx(described.shares * one.weights)
    # With many rows a dimension the two balanced weightings are one (T10 at delta = 0).
    many = weightings(described._replace(ratio=1e-9), test)
    assert many[2].weights == pytest.approx(many[1].weights, rel=1e-6)


def test_the_search_is_not_caught_by_the_first_maximum(monkeypatch):
    """A hinge at five rows a coordinate: searches from the named weightings alone end .038 below."""
    law = random_mixture(np.random.default_rng(28), noise_dim=100)
    described = ProportionalProblem.of(law, Loss.HINGE, counts=[250, 100, 95, 50], ridge=1e-3)
    best = weightings(described, law)[-1].wga
    rng = np.random.default_rng(1)
    for _ in range(60):
        om = rng.dirichlet(np.full(4, 0.5)) / described.shares
        assert ndtr(scores(described, om, law).min()) <= best + 2e-4
    monkeypatch.setattr(module, "_scattered", lambda shares: [])
    assert weightings(described, law)[-1].wga < best - 0.02


def test_explain_shows_them():
    told = llrsim.explain(llrsim.load("waterbirds"), methods=["dfr"], side="prediction")
    names = [one["name"] for one in told.to_dict()["weightings"]["weightings"]]
    assert names == ["none", "equal masses, 1/pi", "equal effective weights", "largest WGA found"]
    text = str(told)
    assert "equal masses, 1/pi" in text
    dfr = llrsim.predict(llrsim.load("waterbirds"))["dfr"]
    assert told.weightings.weightings[1].wga == pytest.approx(dfr.wga, abs=1e-6)
    subset = llrsim.load("waterbirds").replace(method=[{"kind": "erm"}, {"kind": "dfr", "balance": "subset"}])
    assert llrsim.explain(subset, side="prediction").weightings is None
