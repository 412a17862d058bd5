"""The lazy engine: numbers that depend on nothing but their key, and heads checked on the matrix that was revealed."""

from dataclasses import replace

import numpy as np
import pytest
from engine_cases import experiment as every_method
from lazy_cases import entries, experiment, simulated
from naive_descent import gradient
from scipy.special import digamma

from llrsim.experiment import Descent, FitOptions
from llrsim.model.draws import root_key
from llrsim.model.losses import Status
from llrsim.model.plan import plan
from llrsim.simulation import fit, memory, simulate_plan
from llrsim.simulation.lazy import engine
from llrsim.simulation.lazy.noise import SectionLaw
from llrsim.simulation.lazy.sample import LazySample

ERM = {"kind": "erm"}
DESCENT = FitOptions(loss="logistic", ridge=0.05, solver=Descent(steps=20, step_size=0.3, momentum=0.5, path=(1, 7)))


def same(first, second):
    """Whether two outcomes have the same methods with the same heads, to the last bit."""
    return list(first.methods) == list(second.methods) and all(
        np.array_equal(entries(first, label), entries(second, label)) for label in first.methods
    )


def lazily(described, replicates=4, **how):
    return simulate_plan(plan(described), replicates=replicates, simulator="lazy", **how)


def test_numbers_depend_neither_on_jobs_nor_on_how_replicates_are_split():
    described = every_method()
    whole = lazily(described, 8, seed=3, jobs=1)
    assert same(whole, lazily(described, 8, seed=3, jobs=2))
    parts = [lazily(described, 4, seed=3, first=first) for first in (0, 4)]
    for label in whole.methods:
        assert np.array_equal(entries(whole, label), np.concatenate([entries(part, label) for part in parts]))
    assert not same(whole, lazily(described, 8, seed=4))
    assert not same(whole, lazily(described, 8, seed=3, law="of this cell"))


def test_rows_in_several_chunks_give_the_same_on_one_thread_and_two():
    described = experiment(
        20_000, 1000, [ERM, ERM | {"name": "descent", "head": {"solver": {"steps": 5, "step_size": 1}}}]
    )
    assert same(lazily(described, 1, jobs=1), lazily(described, 1, jobs=2))


def test_a_method_does_not_depend_on_the_others():
    methods = [{"kind": "llr", "anchor": 0.3, "from": "erm"}, {"kind": "dfr", "balance": "subset", "average": 3}]
    whole = lazily(every_method(method=[ERM, *methods, {"kind": "cb-llr"}]))
    for alone in ([ERM], [ERM, methods[0]], [methods[1]], [{"kind": "cb-llr"}]):
        outcome = lazily(every_method(method=alone))
        for label in outcome.methods:
            assert np.array_equal(entries(whole, label), entries(outcome, label))


def test_the_outcome_says_what_ran():
    described = every_method(
        method=[ERM | {"head": {"solver": {"steps": 9, "step_size": 0.1, "path": [0, 2, 5]}}}, {"kind": "llr"}]
    )
    lazy, dense = lazily(described), simulated(described, "dense", 4)
    assert (lazy.simulator, lazy.paired, lazy.side) == ("lazy", False, "simulation")
    assert lazy["erm"].path.steps.tolist() == dense["erm"].path.steps.tolist() == [0, 2, 5]
    assert lazy["erm"].path.heads.signal.shape == dense["erm"].path.heads.signal.shape
    assert (lazy["erm"].path.heads.noise_norm[:, 0] == 0.0).all()
    assert lazy["erm"].iterations.tolist() == [9] * 4
    np.testing.assert_array_equal(lazy.gram[:, 1, 1], lazy["llr"].heads.noise_norm ** 2)
    assert np.isnan(lazy.gram[:, 0, 1]).all()
    assert np.isfinite(lazy["llr"].readout.group_accuracy).all()


# Named outcomes

FEW = {"train": {"n": 10, "proportions": [0.25] * 4}}
HARD = {"core": {"mean": 0.3, "std": 1.0}, "spurious": {"mean": 0.3, "std": 1.0}, "noise": {"dim": 4}}
LOUD = {"loss": "squared_hinge", "solver": {"steps": 400, "step_size": 1e3, "path": [1, 300]}}
OUTCOMES = {
    "separable": (FEW | {"head": {"ridge": 0.0}, "method": [ERM]}, Status.SEPARABLE),
    "fewer rows than coordinates": (
        FEW | {"head": {"ridge": 0.0, "loss": "squared"}, "method": [ERM]}, Status.SEPARABLE
    ),
    "one class": ({"train": {"counts": [40, 10, 0, 0]}, "method": [ERM]}, Status.ONE_CLASS),
    "one class, squared": (
        {"train": {"counts": [40, 10, 0, 0]}, "head": {"loss": "squared"}, "method": [ERM]}, Status.CONVERGED
    ),
    "not separable": ({"head": {"loss": "max_margin"}, "method": [ERM], "features": HARD}, Status.NOT_SEPARABLE),
    "diverged": ({"method": [ERM | {"head": LOUD}]}, Status.DIVERGED),
    "from one that failed": (
        FEW | {"method": [ERM | {"head": {"ridge": 0.0}}, {"kind": "llr", "anchor": 0.1, "from": "erm"}]},
        Status.SEPARABLE,
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::llrsim.experiment.EmptyGroupWarning")
@pytest.mark.parametrize("case", OUTCOMES)
def test_outcomes_are_named_as_by_the_dense_simulator(case):
    changes, status = OUTCOMES[case]
    for simulator in ("dense", "lazy"):
        *_, last = simulated(every_method(**changes), simulator, 3)
        assert (last.status == status).all(), simulator
        assert np.isfinite(last.heads.signal).all() == status.ok


def test_no_rows_are_a_named_outcome():
    law = section_law([0, 0, 0, 0], 5)
    assert LazySample(law, root_key(0)).fit(DESCENT, np.zeros(4)).status is Status.EMPTY


@pytest.mark.filterwarnings("ignore::llrsim.experiment.EmptyGroupWarning")
def test_sections_that_are_not_groups_are_shared_by_heads_of_the_same_rows():
    """Wrong annotations split groups, and a group may be empty: both where a head starts from one of its sample."""
    methods = [{"kind": "dfr"}, {"kind": "llr", "anchor": 0.3, "from": "dfr"}]
    for heldout in ({"n": 120, "minority_ratio": 0.3, "annotation_noise": 0.2}, {"counts": [40, 0, 10, 40]}):
        for method in lazily(every_method(method=methods, heldout=heldout)):
            assert method.kept.all(), method.label


# Memory


def test_rows_that_do_not_fit_are_refused_with_the_numbers_before_anything_is_drawn(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: 10**6)
    monkeypatch.setattr(engine, "LazySample", None)
    with pytest.raises(MemoryError, match=r"3000 rows needs 0\.0 GB.*0\.0 GB are free; lower train\.n"):
        lazily(experiment(3000, 10**9, [ERM]))
    with pytest.raises(MemoryError, match="rows needs"):
        lazily(experiment(10**9, 10**9, [ERM]))


# Heads on the matrix that was revealed


def uneven(rows):
    """Weights that favour the small sections, of total one."""
    weight = 1.0 / np.sqrt(np.array(rows))
    return weight / (weight @ rows)


def section_law(rows, d, values=(1.0,)):
    """The law of `experiment`'s training sample, with so many rows in each group."""
    law = plan(experiment(40, d, [ERM])).samples[0].mixture
    share = d // len(values)
    return SectionLaw(
        rows=np.array(rows),
        labels=law.labels,
        means=law.means,
        factors=np.linalg.cholesky(law.covariances),
        noise_scale=law.noise_std,
        eigenvalues=np.array(values),
        multiplicities=np.array([share] * (len(values) - 1) + [d - share * (len(values) - 1)]),
    )


def revealed(sample, head):
    """The design (n, k + 1 + R) of a sample in the directions of one of its heads, bias column after the signal."""
    units = np.eye(len(head.coordinates))
    return np.column_stack([sample.score(replace(head, coordinates=unit)) for unit in units])


HEADS = {
    "logistic": FitOptions(loss="logistic", ridge=0.05),
    "squared hinge": FitOptions(loss="squared_hinge", ridge=0.02),
    "hinge": FitOptions(loss="hinge", ridge=0.1),
    "max margin": FitOptions(loss="max_margin"),
    "descent": DESCENT,
    "nesterov, clipped": FitOptions(
        solver=Descent(steps=20, step_size=0.1, momentum=0.8, nesterov=True, clip=0.2, path=(1, 7))
    ),
    "hinge descent": FitOptions(loss="hinge", ridge=0.05, solver=Descent(steps=20, step_size=0.1, path=(1, 7))),
}
SAMPLES = {
    "d < n": ((12, 5, 6, 9), 7, (1.0,)),
    "n < d": ((4, 2, 3, 4), 40, (1.0,)),
    "two": ((9, 5, 4, 8), 6, (2.0, 0.3)),
}


PULLS = [(name, anchor) for name in HEADS for anchor in (0.0, 0.2) if name != "max margin" or anchor == 0.0]


@pytest.mark.parametrize("size", SAMPLES)
@pytest.mark.parametrize(("name", "anchor"), PULLS)
def test_a_head_is_that_of_the_dense_solver_on_what_was_revealed(name, size, anchor):
    """All of its path too, and its certificate is that of the whole matrix, which is known in the end."""
    rows, d, values = SAMPLES[size]
    head, sample, c = HEADS[name], LazySample(section_law(rows, d, values), root_key(2)), uneven(rows)
    start = sample.fit(FitOptions(ridge=0.3), c).head if anchor else None
    found = sample.fit(head, c, anchor=anchor, start=start)
    assert sample.directions == d or d > sum(rows)
    X, y, each = revealed(sample, found.head), np.repeat([-1.0, -1.0, 1.0, 1.0], rows), np.repeat(c, rows)
    features = np.delete(X, 2, axis=1)
    np.testing.assert_allclose(X[:, 2], 1.0, rtol=1e-15)
    begun = None
    if start is not None:
        weights = np.pad(start.coordinates, (0, X.shape[1] - len(start.coordinates)))
        begun = replace(fit(features, y, each, head=DESCENT), weights=np.delete(weights, 2), bias=start.bias)
    dense = fit(features, y, each, head=head, start=begun, anchor=anchor, raising=False)
    assert (found.status, found.head.bias) == (dense.status, pytest.approx(dense.bias, abs=2e-5))
    own = np.delete(found.head.coordinates, 2)
    exact = isinstance(head.solver, str)
    np.testing.assert_allclose(own, dense.weights, atol=2e-5 if exact else 1e-10)
    for along, there in zip(found.path, dense.path, strict=True):
        known = np.pad(along.coordinates, (0, X.shape[1] - len(along.coordinates)))
        np.testing.assert_allclose(np.append(np.delete(known, 2), known[2]), there, atol=1e-10)
    if head.loss in ("hinge", "max_margin") and exact:
        return
    penalty = np.full(X.shape[1], head.ridge + anchor)
    penalty[2] = anchor
    centre = np.zeros(X.shape[1])
    if start is not None:
        centre[: len(start.coordinates)] = start.coordinates
        centre *= anchor / penalty
    grads = [gradient(head.loss, X, y, each, penalty, centre, w) for w in (found.head.coordinates, 0 * penalty)]
    relative = np.linalg.norm(grads[0]) / np.linalg.norm(grads[1])
    assert found.certificate == pytest.approx(relative, rel=1e-6, abs=1e-14)


def test_what_was_revealed_is_a_gaussian_matrix():
    """Once all d directions are known: its square, and the determinant of Z'Z, a product of squared chi variables."""
    law = section_law((2, 2, 2, 3), 4)._replace(noise_scale=np.ones(4))
    found = []
    for r in range(300):
        sample = LazySample(law, root_key(0), r)
        Z = revealed(sample, sample.fit(DESCENT, uneven(law.rows)).head)[:, 3:]
        assert Z.shape == (9, 4)
        found.append([np.sum(Z**2), np.linalg.slogdet(Z.T @ Z)[1]])
    expected = [36, sum(digamma(degrees / 2) + np.log(2) for degrees in (9, 8, 7, 6))]
    error = np.std(found, axis=0) / np.sqrt(300)
    assert (abs(np.mean(found, axis=0) - expected) < 4 * error).all()
    assert (error < [0.6, 0.1]).all()


def test_growing_past_the_memory_is_refused_with_the_numbers(monkeypatch):
    sample = LazySample(section_law((80, 40, 40, 80), 200), root_key(1))
    monkeypatch.setattr("llrsim.simulation.memory.free_bytes", lambda: 10**5)
    with pytest.raises(MemoryError, match=r"240 rows needs .* GB for 96 directions"):
        sample.fit(FitOptions(ridge=1e-5), np.full(4, 1 / 240))
