"""What law tests see only in thousands of runs: what a certificate counts in, and how a foreign head enters."""

import numpy as np
import pytest
from exchangeable_cases import law_of
from numpy.linalg import norm
from scipy import stats

from llrsim.experiment import FitOptions
from llrsim.model.draws import root_key
from llrsim.simulation.lazy import exchangeable as exchangeable_rows
from llrsim.simulation.lazy.exchangeable import ExchangeableRows
from llrsim.simulation.lazy.noise import (
    DIMS,
    GRADIENT,
    HEAD,
    LEAST_NEW,
    LEFT,
    ROOT,
    SCALE,
    SLOPES,
    USED,
    WEIGHT,
    SectionLaw,
)
from llrsim.simulation.lazy.query import look_once
from llrsim.simulation.lazy.rows import drive
from llrsim.simulation.lazy.sample import LazySample
from llrsim.simulation.solvers import recipe

LOGISTIC = FitOptions(loss="logistic", ridge=0.05)


def test_the_length_of_a_gradient_counts_what_a_dropped_query_would_reveal():
    law = law_of((12, 5, 6, 9), (40, 60))
    sample, how = LazySample(law, root_key(4)), recipe(LOGISTIC)
    sample.fit(LOGISTIC, np.full(4, 1 / 32))
    state = sample._state
    state.vectors[HEAD, 2] += 1.0
    state.numbers[LEAST_NEW] = 0.999
    size, k = drive(look_once, how, state, 0.0), state.signal.shape[0]
    known = state.vectors[GRADIENT, : k + sample.directions]
    query, left = np.prod(state.rows[[SCALE, WEIGHT, SLOPES]], axis=0), state.left[: state.known[LEFT]]
    rest = norm(query - left.T @ (left @ query))
    unseen = (state.spaces[DIMS] - state.spaces[USED]) @ state.spaces[ROOT] ** 2
    assert rest > 0.01 * norm(query)
    assert size**2 - known @ known == pytest.approx(rest**2 * unseen, rel=1e-9)


def test_exchangeable_rows_say_how_large_a_dropped_query_is(monkeypatch):
    law = law_of((12, 5, 6, 9), (40, 60))
    rows = ExchangeableRows(law, root_key(4), 0)
    monkeypatch.setattr(exchangeable_rows, "NEW_DIRECTION", 2.0)
    residual = np.random.default_rng(0).standard_normal(rows.columns.shape[1])
    noise = residual.reshape(-1, 4) * law.noise_scale
    unseen = law.multiplicities @ law.eigenvalues
    assert rows.ask(residual) == pytest.approx(norm(noise) * np.sqrt(unseen), rel=1e-12)


@pytest.mark.parametrize("dims", [3, 4])
def test_a_foreign_direction_lies_among_known_ones_as_a_random_unit_vector_does(dims):
    """Of a uniform unit vector in so many dimensions, two known ones hold a Beta(1, dims / 2 - 1) share."""
    law = SectionLaw(
        rows=np.array([5, 5]),
        labels=np.array([-1.0, 1.0]),
        means=np.zeros((2, 1)),
        factors=np.ones((2, 1, 1)),
        noise_scale=np.ones(2),
        eigenvalues=np.ones(1),
        multiplicities=np.array([dims]),
    )
    shares = []
    for replicate in range(1000):
        sample = LazySample(law, root_key(9), replicate)
        for _ in range(2):
            sample._enter(0, [])
        direction = sample._enter(0, [])
        assert norm(direction) == pytest.approx(1.0)
        shares.append(norm(direction[2:4]) ** 2)
    assert stats.kstest(shares, stats.beta(1.0, dims / 2 - 1).cdf).pvalue > 1e-4
    # A control: a chi variable of one degree too few, or too many.
    for wrong in (-1, 1):
        assert stats.kstest(shares, stats.beta(1.0, (dims + wrong - 2) / 2 or 0.01).cdf).pvalue < 1e-5
