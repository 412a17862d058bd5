"""The largest stable step of lazy descents: against the matrix that was revealed, and against what descents do."""

from dataclasses import replace

import numpy as np
import pytest
from exchangeable_cases import law_of, uneven
from lazy_cases import experiment, simulated

from llrsim.experiment import Descent, FitOptions
from llrsim.model.draws import root_key
from llrsim.model.losses import Status
from llrsim.simulation.lazy.sample import LazySample

LOUD = {"steps": 400, "step_size": 50.0}
MOMENTA = [(0.0, False, 2.0), (0.5, False, 3.0), (0.5, True, 1.5)]


@pytest.mark.parametrize(("loss", "curvature"), [("logistic", 0.25), ("squared_hinge", 1.0)])
@pytest.mark.parametrize(("momentum", "nesterov", "limit"), MOMENTA)
@pytest.mark.parametrize(("rows", "dims"), [((30, 8, 9, 21), (7, 6)), ((9, 3, 4, 6), (60, 30))])
def test_it_is_that_of_the_top_eigenvalue_of_the_rows(rows, dims, loss, curvature, momentum, nesterov, limit):
    sample, c = LazySample(law_of(rows, dims), root_key(4)), uneven(rows)
    solver = Descent(steps=3, step_size=0.01, momentum=momentum, nesterov=nesterov)
    head = FitOptions(loss=loss, ridge=0.3, solver=solver)
    sample.fit(head, c)
    found = sample.largest_stable_step(head)
    known = sample.fit(FitOptions(loss="squared", ridge=1e-6), c).head
    units = np.eye(len(known.coordinates))
    X = np.column_stack([sample.score(replace(known, coordinates=unit)) for unit in units])
    penalty = np.where(np.arange(len(units)) == 2, 0.0, 0.3)
    hessian = curvature * X.T @ (np.repeat(c, rows)[:, None] * X) + np.diag(penalty)
    assert found == pytest.approx(limit / np.linalg.eigvalsh(hessian)[-1], rel=1e-6)


@pytest.mark.parametrize(("momentum", "nesterov", "limit"), MOMENTA)
def test_descents_of_the_squared_loss_diverge_above_it_and_not_below(momentum, nesterov, limit):
    def descended(step_size, steps):
        solver = {"steps": steps, "step_size": step_size, "momentum": momentum, "nesterov": nesterov}
        head = {"loss": "squared", "ridge": 0.05, "solver": solver}
        return simulated(experiment(60, 25, [{"kind": "erm", "head": head}]), "lazy", 1)["erm"]

    stable = descended(50.0, 100).largest_stable_step
    assert descended(0.98 * stable, 2000).outcome is Status.FINISHED
    assert descended(1.02 * stable, 2000).outcome is Status.DIVERGED


def test_outcomes_have_it_where_a_descent_diverged():
    """Near that of the dense simulator, whose rows are others; none where a head lacked a head to start from."""
    heads = [{"loss": loss, "ridge": 0.05, "solver": LOUD} for loss in ("squared", "hinge")]
    methods = [{"kind": "erm", "head": heads[0]}, {"kind": "llr", "from": "erm"}, {"kind": "cb-llr", "head": heads[1]}]
    described = experiment(300, 20, [*methods, {"kind": "dfr"}], heldout={"n": 60, "minority_ratio": 1.0})
    lazy, dense = (simulated(described, simulator, 2) for simulator in ("lazy", "dense"))
    assert lazy["erm"].largest_stable_step == pytest.approx(dense["erm"].largest_stable_step, rel=0.15)
    for label in list(lazy.methods)[1:]:
        assert np.isnan(lazy[label].largest_stable_step), label
