"""The squared loss without n and d: its heads on the rows written out, where the dense solvers see the same ones."""

import numpy as np
import pytest
from exchangeable_cases import DESCENT, NESTEROV, RIDGE, law_of, uneven

from llrsim.experiment import Descent, FitOptions
from llrsim.model.draws import root_key
from llrsim.model.losses import Status
from llrsim.simulation import fit as dense_fit
from llrsim.simulation.lazy import exchangeable
from llrsim.simulation.lazy.exchangeable import ExchangeableRows, ExchangeableSample
from llrsim.simulation.lazy.noise import LazyHead


class Recorded(ExchangeableRows):
    """Rows that remember what was asked of them and what they answered."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.queries = []

    def ask(self, residual):
        dropped = super().ask(residual)
        self.queries.append((residual.copy(), self.columns[:, : len(residual)] @ residual))
        return dropped


@pytest.fixture
def recorded(monkeypatch):
    made = []
    monkeypatch.setattr(
        exchangeable, "ExchangeableRows", lambda *arguments: made.append(Recorded(*arguments)) or made[-1]
    )
    return made


def written_out(rows, law):
    """Features (n, k + d) and labels (n,) of the rows, in a basis of each section in which 1_b is a row of ones.

    Noise columns are in the order in which they were revealed; those that were not are zero, and fits do not differ.
    """
    k, sections = law.means.shape[1], len(law.rows)
    known = rows.columns.reshape(len(rows.columns), -1, sections)
    design = np.zeros((len(known), max(known.shape[1], law.rows.max()), sections))
    design[:, : known.shape[1]] = known
    parts = []
    for b, n in enumerate(law.rows):
        assert not design[:, n:, b].any()
        normal = np.append(1.0, np.zeros(n))[:n] - 1.0 / np.sqrt(max(n, 1))
        reflected = np.eye(n) - 2.0 * np.outer(normal, normal) / max(normal @ normal, 1e-300)
        parts.append(law.labels[b] * (design[:, :n, b] @ reflected).T)
    X = np.concatenate(parts)
    np.testing.assert_allclose(X[:, k], 1.0, atol=1e-12)
    missing = k + law.multiplicities.sum() - (X.shape[1] - 1)
    return np.hstack([np.delete(X, k, axis=1), np.zeros((len(X), missing))]), np.repeat(law.labels, law.rows)


def in_full(head, law):
    """The weights (k + d,) of a head in the columns of `written_out`, and its bias."""
    k, size = len(head.signal), len(head.signal) + law.multiplicities.sum()
    weights = np.zeros(size)
    weights[: len(head.coordinates) - 1] = np.delete(head.coordinates, k)
    return weights, head.bias


def assert_same(found, weights, bias, law):
    own, own_bias = in_full(found, law)
    np.testing.assert_allclose(own, weights, rtol=1e-7, atol=1e-8)
    assert own_bias == pytest.approx(bias, rel=1e-7, abs=1e-8)


BOTH = [pytest.param(head, id=name) for head, name in ((RIDGE, "ridge"), (DESCENT, "descent"), (NESTEROV, "nesterov"))]
LAWS = {
    "n = d": law_of((5, 4, 6, 5), (12, 8)),
    "n = d, small sections, isotropic": law_of((9, 2, 1, 8), (20,), values=(1.0,)),
    "n above d": law_of((20, 9, 7, 4), (6, 3)),
    "n below d": law_of((3, 4, 1, 2), (21, 30)),
    "far from known": law_of((60, 30, 20, 50), (300, 200)),
    "an empty section": law_of((9, 0, 7, 4), (6, 3)),
    "one class": law_of((9, 8, 0, 0), (6, 3)),
    "one row": law_of((0, 1, 0, 0), (6, 3)),
    "some noise collapsed": law_of((9, 5, 7, 4), (6, 3), sigma=(0.0, 1.0, 0.0, 0.5)),
    "all noise collapsed": law_of((9, 5, 7, 4), (6, 3), sigma=(0.0,) * 4),
    "full collapse": law_of((9, 5, 7, 4), (6, 3), sigma=(0.0,) * 4)._replace(factors=np.zeros((4, 2, 2))),
    "an eigenvalue zero": law_of((9, 5, 7, 4), (6, 3), values=(0.0, 1.0)),
    "no noise": law_of((9, 5, 7, 4), (), values=()),
}


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("head", BOTH)
def test_heads_are_those_of_the_dense_solvers_on_the_rows_written_out(name, head, recorded):
    """Status, head, certificate and path; then, on the same rows, at other weights."""
    law = LAWS[name]
    sample = ExchangeableSample(law, root_key(1), 0)
    weights = [uneven(law.rows), np.full(4, 1 / law.rows.sum())]
    fits = [sample.fit(head, weight) for weight in weights]
    X, y = written_out(recorded[0], law)
    for found, weight in zip(fits, weights, strict=True):
        dense = dense_fit(X, y, np.repeat(weight, law.rows), head=head)
        assert found.status == dense.status
        assert_same(found.head, dense.weights, dense.bias, law)
        for along, w in zip(found.path, dense.path, strict=True):
            assert_same(along, w[:-1], w[-1], law)
        if head is RIDGE:
            assert found.certificate <= 1e-9
        else:
            assert found.certificate == pytest.approx(dense.certificate, rel=1e-9)


@pytest.mark.parametrize("name", ["n = d", "n below d", "n above d", "all noise collapsed", "an eigenvalue zero"])
@pytest.mark.parametrize("head", BOTH)
@pytest.mark.parametrize("anchor", [0.0, 0.3])
def test_a_start_is_that_of_the_dense_solvers(name, head, anchor, recorded):
    """From a head of elsewhere, whose noise directions are the first ones, and from one of this sample."""
    law, elsewhere = LAWS[name], LazyHead(np.array([0.4, -0.2]), 0.3, np.array([0.5, 0.2]))
    sample, c = ExchangeableSample(law, root_key(2), 3), uneven(law.rows)
    first = sample.fit(head, c, anchor=anchor, start=elsewhere)
    second = sample.fit(head, c, anchor=anchor, start=first.head)
    X, y = written_out(recorded[0], law)
    start = np.append([0.4, -0.2, 0.5, 0.2], np.zeros(X.shape[1] - 4)), 0.3
    for found in (first, second):
        start = dense_fit(X, y, np.repeat(c, law.rows), head=head, start=start, anchor=anchor)
        assert_same(found.head, start.weights, start.bias, law)
        assert found.certificate == pytest.approx(start.certificate, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", ["n = d", "n = d, small sections, isotropic", "n above d", "n below d"])
def test_one_matrix_has_answered_every_query(name, recorded):
    """To 1e-10, with all that can be known known at the end: d directions, or as many as there are rows."""
    law = LAWS[name]
    sample, tight = ExchangeableSample(law, root_key(1), 0), FitOptions(loss="squared", ridge=1e-4)
    for weight in (uneven(law.rows), np.full(4, 1 / law.rows.sum()), np.array([1.0, 0.0, 0.0, 0.0]) / law.rows[0]):
        found = sample.fit(tight, weight)
    (rows,) = recorded
    if name != "n below d":
        assert found.directions == law.multiplicities.sum()
    for residual, answer in rows.queries:
        exact = rows.columns[:, : len(residual)] @ residual
        assert abs(exact[: len(answer)] - answer).max() < 1e-10 * np.linalg.norm(answer)
        assert abs(exact[len(answer) :]).max(initial=0.0) < 1e-10 * np.linalg.norm(answer)
    shape = rows.columns.shape
    sample.fit(tight, uneven(law.rows))
    assert rows.columns.shape == shape


def test_without_a_penalty_least_squares_or_too_few_rows(recorded):
    free = FitOptions(loss="squared", ridge=0.0)
    enough, barely, too_few = (9, 5, 7, 4), (4, 2, 3, 3), (4, 2, 3, 2)
    for rows, status in ((enough, Status.CONVERGED), (barely, Status.CONVERGED), (too_few, Status.SEPARABLE)):
        law = law_of(rows, (6, 3))
        found = ExchangeableSample(law, root_key(4), 0).fit(free, uneven(rows))
        assert found.status == status
        if status.ok:
            dense = dense_fit(*written_out(recorded[-1], law), np.repeat(uneven(rows), rows), head=free)
            assert_same(found.head, dense.weights, dense.bias, law)
            assert found.certificate <= 1e-9
        else:
            assert np.isnan(found.head.signal).all()


def test_named_outcomes():
    law = law_of((9, 5, 7, 4), (60, 30))
    wild = FitOptions(loss="squared", ridge=0.1, solver=Descent(steps=50, step_size=1e3, path=(1, 50)))
    found = ExchangeableSample(law, root_key(4), 0).fit(wild, uneven(law.rows))
    assert found.status == Status.DIVERGED
    assert found.iterations < 50
    assert np.isfinite(found.path[0].bias)
    assert np.isnan(found.path[1].bias)
    assert np.isnan(found.path[1].noise).all()
    overflow = FitOptions(loss="squared", ridge=0.1, solver=Descent(steps=5, step_size=1e300))
    assert ExchangeableSample(law, root_key(4), 0).fit(overflow, uneven(law.rows)).status == Status.DIVERGED
    for head in (RIDGE, DESCENT):
        assert ExchangeableSample(law, root_key(4), 0).fit(head, np.zeros(4)).status == Status.EMPTY
        nothing = law._replace(**{field: getattr(law, field)[:0] for field in law._fields[:5]})
        assert ExchangeableSample(nothing, root_key(4), 0).fit(head, np.zeros(0)).status == Status.EMPTY


@pytest.mark.parametrize(
    ("head", "weight", "anchor", "message"),
    [
        (FitOptions(loss="logistic"), np.full(4, 1 / 25), 0.0, "head.loss: 'logistic'.*squared"),
        (RIDGE, np.full(25, 1 / 25), 0.0, r"weight: shape \(25,\); expected \(4,\)"),
        (RIDGE, np.full(4, 1 / 25), 0.2, "anchor: needs `start`"),
        (
            FitOptions(loss="squared", solver=Descent(steps=2, step_size=0.1, batch=5)),
            np.full(4, 1 / 25),
            0.0,
            "head.solver.batch: 5 of 25 rows.*dense",
        ),
    ],
)
def test_what_takes_single_rows_is_refused(head, weight, anchor, message):
    with pytest.raises(ValueError, match=message):
        ExchangeableSample(law_of((9, 5, 7, 4), (6, 3)), root_key(0), 0).fit(head, weight, anchor=anchor)


def test_samples_are_a_function_of_their_key():
    law, c = law_of((9, 5, 7, 4), (60, 30)), uneven((9, 5, 7, 4))
    keys = ((0, 0), (0, 0), (0, 1), (1, 0))
    heads = [ExchangeableSample(law, root_key(seed), r).fit(RIDGE, c).head for seed, r in keys]
    assert heads[0].bias == heads[1].bias
    assert len({head.bias for head in heads}) == 3
