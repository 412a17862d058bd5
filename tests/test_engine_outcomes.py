"""What the dense engine says where there is no head, or no ordinary one."""

import numpy as np
import pytest
from engine_cases import experiment

import llrsim
from llrsim.model.losses import Status
from llrsim.simulation import FitError, fit, simulate


def test_separable_data_without_penalty_is_a_named_outcome():
    out = simulate(
        experiment(head={"ridge": 0.0}, train={"n": 10, "proportions": [0.25] * 4}, method=[{"kind": "erm"}]), 2
    )
    assert out["erm"].outcome is Status.SEPARABLE
    assert np.isnan(out["erm"].heads.signal).all()
    assert "ridge" in repr(out)
    assert out.to_dict()["methods"]["erm"]["wga"] is None


def test_a_stage_that_starts_from_a_failed_one_fails_the_same_way():
    methods = [{"kind": "erm", "head": {"ridge": 0.0}}, {"kind": "llr", "anchor": 0.1, "from": "erm"}]
    out = simulate(experiment(train={"n": 10, "proportions": [0.25] * 4}, method=methods), 2)
    assert out["llr"].outcome is Status.SEPARABLE


def test_a_diverging_descent_names_the_largest_stable_step():
    loud = {"loss": "squared", "ridge": 0.01, "solver": {"steps": 400, "step_size": 5.0}}
    out = simulate(experiment(method=[{"kind": "erm", "head": loud}]), 2)
    assert out["erm"].outcome is Status.DIVERGED
    stable = out["erm"].largest_stable_step
    calm = loud | {"solver": {"steps": 400, "step_size": 0.98 * stable}}
    # The step is that of the first replicate that diverged: replicate 0 descends just below it.
    assert simulate(experiment(method=[{"kind": "erm", "head": calm}]), 1)["erm"].outcome is Status.FINISHED
    wild = loud | {"solver": {"steps": 4000, "step_size": 1.05 * stable}}
    assert simulate(experiment(method=[{"kind": "erm", "head": wild}]), 1)["erm"].outcome is Status.DIVERGED


def test_empty_groups_are_named_read_out_and_never_crash():
    with pytest.warns(llrsim.EmptyGroupWarning, match=r"heldout: group 1 \(-,\+\) has none of the 90 rows"):
        out = simulate(experiment(heldout={"counts": [40, 0, 10, 40]}), 2)
    for outcome in out:
        assert outcome.outcome.ok, outcome.label
        assert np.isfinite(outcome.readout.group_accuracy).all()
    assert out["dfr"].mass.tolist() == pytest.approx([1 / 3, 0, 1 / 3, 1 / 3])


@pytest.mark.filterwarnings("ignore::llrsim.experiment.EmptyGroupWarning")
def test_one_class_is_a_named_outcome():
    out = simulate(experiment(heldout={"counts": [40, 10, 0, 0]}, method=[{"kind": "erm"}, {"kind": "llr"}]), 2)
    assert out["erm"].outcome.ok
    assert out["llr"].outcome is Status.ONE_CLASS


def test_fit_raises_named_outcomes_and_bad_arrays():
    head = experiment().head
    with pytest.raises(FitError, match="one-class"):
        fit(np.eye(3), [1, 1, 1], head=head)
    assert fit(np.eye(3), [1, 1, 1], head=head, raising=False).status is Status.ONE_CLASS
    with pytest.raises(ValueError, match="labels"):
        fit(np.eye(3), [0, 1, 2], head=head)
    with pytest.raises(ValueError, match="sample_weight"):
        fit(np.eye(3), [1, 1, -1], [1, -1, 1], head=head)
    with pytest.raises(ValueError, match="anchor"):
        fit(np.eye(3), [1, 1, -1], head=head, anchor=1.0)
