"""`predict` in the population limit: methods as masses (T19), annotation noise (T3), readout under mismatch (T7)."""

import dataclasses
from functools import partial

import numpy as np
import pytest

from llrsim import prediction
from llrsim.experiment import (
    Collapse,
    Coordinates,
    Descent,
    Experiment,
    Features,
    FitOptions,
    Heldout,
    Method,
    Noise,
    Train,
)
from llrsim.model.head import read_out
from llrsim.model.losses import Loss, Status
from llrsim.model.methods import select
from llrsim.model.mixture import GroupMixture
from llrsim.model.plan import plan
from llrsim.prediction.formulas import effective_correlation, orthogonal_least_squares
from llrsim.prediction.objective import PopulationObjective
from llrsim.prediction.population import minimise

EXACT = 1e-12
predict = partial(prediction.predict, limit="population")
predict_plan = partial(prediction.predict_plan, limit="population")
LABELS = np.array([-1.0, -1.0, 1.0, 1.0])


def experiment(*methods, heldout=None, train_collapse=0.5, **head):
    collapse = Collapse(noise=train_collapse, attribute=train_collapse)
    return Experiment(
        features=Features(
            core=Coordinates(mean=1.0, std=0.6), spurious=Coordinates(mean=1.5, std=0.3), noise=Noise(dim=10)
        ),
        train=Train(counts=(700, 50, 30, 220), collapse=collapse),
        heldout=heldout or Heldout(counts=(200, 50, 40, 110)),
        method=methods,
        head=FitOptions(**head),
    )


def descent(**solver):
    return {"solver": Descent(**solver)}


def test_the_outcome_is_that_of_the_masses_read_out_on_the_test_law():
    # ERM is fitted on collapsed features and read out on untouched ones (T7).
    described = experiment(Method(kind="erm"), Method(kind="dfr"), loss="logistic", ridge=0.02)
    outcome, resolved = predict(described), plan(described)
    for found, mass in ((outcome["erm"], [0.7, 0.05, 0.03, 0.22]), (outcome["dfr"], [0.25] * 4)):
        sample = resolved.samples[found.stage.sample].mixture
        theta = minimise(PopulationObjective.of(sample, mass, Loss.LOGISTIC, ridge=0.02)).theta
        assert found.mass == pytest.approx(mass, abs=EXACT)
        assert np.append(found.heads.signal[0], found.heads.bias[0]) == pytest.approx(theta, abs=1e-9)
        assert found.heads.noise_norm[0] == 0.0
        assert found.wga == read_out(found.heads, resolved.test).wga[0]
        assert (found.limit, found.outcome) == ("population", Status.CONVERGED)
        assert found.standard_error(found.readout.wga) is None
    assert not np.allclose(outcome["erm"].test.covariances, resolved.samples[0].mixture.covariances)


@pytest.mark.parametrize("kind", ["cb-llr", "dfr"])
def test_how_a_method_balances_does_not_matter_in_the_limit(kind):
    # Classes of 250 and 150 rows: a subset keeps 150, an upsampling 250, in whole rows.
    counts = (200, 50, 90, 60)
    outcome = predict(
        experiment(
            Method(kind=kind),
            Method(kind=kind, name="subset", balance="subset", average=5),
            Method(kind=kind, name="upsample", balance="upsample"),
            heldout=Heldout(counts=counts),
        )
    )
    accuracies = [found.group_accuracy for found in outcome]
    assert accuracies[1] == pytest.approx(accuracies[0], abs=EXACT)
    assert accuracies[2] == pytest.approx(accuracies[0], abs=EXACT)


def test_class_balancing_balanced_classes_changes_nothing():
    heldout = Heldout(counts=(150, 50, 60, 140))
    outcome = predict(experiment(Method(kind="llr"), Method(kind="cb-llr"), heldout=heldout))
    assert outcome["cb-llr"].heads.signal == pytest.approx(outcome["llr"].heads.signal, abs=EXACT)


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.2, 0.5])
@pytest.mark.parametrize("correlation", [0.6, 0.9])
def test_balancing_noisy_groups_leaves_the_effective_correlation(correlation, noise):
    majority, minority = int(1e4 * (1 + correlation)), int(1e4 * (1 - correlation))
    counts = np.array([majority, minority, minority, majority])
    mass = select(counts, LABELS, balances="group", annotation_noise=noise).mass
    effective = effective_correlation(correlation, noise)
    assert mass @ np.array([1, -1, -1, 1]) == pytest.approx(effective, abs=1e-3)
    means = [[-1.4, -1.2], [-1.4, 1.2], [1.4, -1.2], [1.4, 1.2]]
    toy = GroupMixture.of(means=means, covariances=np.eye(2), noise_dim=1)
    theta = minimise(PopulationObjective.of(toy, mass, Loss.SQUARED)).theta
    ratio = theta[1] / theta[0]
    # u_a / u_y of T1 at rho_eff, coordinates in units of mu: c_a mu_a / (c_y mu_y).
    want = effective / (1 + (1 - effective**2) * 1.44) * 1.2 / 1.4
    assert ratio == pytest.approx(want, abs=1e-3)


def test_annotation_noise_through_predict():
    described = experiment(
        Method(kind="dfr"),
        heldout=Heldout(counts=(9500, 500, 500, 9500), annotation_noise=0.1),
        loss="squared",
        ridge=0.0,
    )
    closed = orthogonal_least_squares((1.0 / 0.6) ** 2, (1.5 / 0.3) ** 2, effective_correlation(0.9, 0.1))
    accuracy = predict(described)["dfr"].group_accuracy
    assert accuracy == pytest.approx([*closed, *closed[::-1]], abs=EXACT)


def test_effective_correlation_at_its_ends():
    assert effective_correlation(0.9, 0.0) == pytest.approx(0.0, abs=EXACT)
    assert effective_correlation(0.9, 0.5) == pytest.approx(0.9, abs=EXACT)
    assert effective_correlation(0.9, 1.0) == pytest.approx(0.0, abs=EXACT)
    with pytest.raises(ValueError, match="annotated group is empty"):
        effective_correlation(1.0, 0.0)


def test_an_anchored_stage_is_pulled_to_the_head_before_it():
    methods = [Method(kind="erm")]
    methods += [Method(kind="dfr", name=f"pull-{pull}", start="erm", anchor=pull) for pull in (0.0, 0.1, 1e5)]
    outcome = predict(experiment(*methods))
    erm, free, near, held = (found.heads.signal[0] for found in outcome)
    assert held == pytest.approx(erm, abs=1e-4)
    assert np.linalg.norm(near - erm) < np.linalg.norm(free - erm)
    assert free == pytest.approx(predict(experiment(Method(kind="dfr")))["dfr"].heads.signal[0], abs=1e-9)


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_descent_records_its_path_from_the_head_it_starts_from(loss):
    outcome = predict(
        experiment(
            Method(kind="erm"),
            Method(kind="llr", start="erm", head=descent(steps=100, step_size=0.1, path=(1, 10, 100))),
            Method(kind="llr", name="one", start="erm", head=descent(steps=1, step_size=0.1)),
            loss=loss,
        )
    )
    found = outcome["llr"]
    assert (found.outcome, found.iterations[0]) == (Status.FINISHED, 100)
    assert found.path.steps.tolist() == [1, 10, 100]
    assert found.path.heads.signal.shape == (1, 3, 2)
    assert found.path.heads.signal[0, 2] == pytest.approx(found.heads.signal[0], abs=EXACT)
    assert found.path.heads.signal[0, 0] == pytest.approx(outcome["one"].heads.signal[0], abs=EXACT)
    assert len(found.to_dict()["path"]["wga"]) == 3


@pytest.mark.parametrize("momentum", [0.0, 0.5])
@pytest.mark.parametrize("loss", ["squared", "squared_hinge"])
def test_divergence_names_the_largest_stable_step(loss, momentum):
    wild = Method(kind="llr", head=descent(steps=400, step_size=40.0, momentum=momentum))
    found = predict(experiment(wild, loss=loss))["llr"]
    assert found.outcome is Status.DIVERGED
    assert np.isnan(found.heads.signal).all()
    tame = descent(steps=400, step_size=0.99 * found.largest_stable_step, momentum=momentum)
    assert predict(experiment(Method(kind="llr", head=tame), loss=loss))["llr"].outcome is Status.FINISHED
    assert "largest_stable_step" in found.to_dict()


def test_a_diverged_hinge_descent_has_no_largest_stable_step():
    wild = Method(kind="llr", head=descent(steps=400, step_size=40.0))
    found = predict(experiment(wild, loss="hinge", ridge=1.0))["llr"]
    assert found.outcome is Status.DIVERGED
    assert np.isnan(found.largest_stable_step)
    assert "smaller head.solver.step_size" in found.to_dict()["message"]
    assert "largest_stable_step" not in found.to_dict()


def test_what_has_no_prediction_says_so():
    outcome = predict(
        experiment(
            Method(kind="llr", head=descent(steps=5, step_size=0.1, batch=8)),
            Method(kind="dfr", start="llr"),
            Method(kind="cb-llr", head={"loss": "max_margin"}),
        )
    )
    assert [found.outcome for found in outcome] == [Status.NO_PREDICTION] * 3
    assert all(found.to_dict()["wga"] is None for found in outcome)


def test_a_selection_without_rows_is_empty():
    resolved = plan(experiment(Method(kind="llr"), Method(kind="dfr", head=descent(steps=5, step_size=0.1))))
    nothing = select(np.zeros(4, dtype=np.int64), LABELS)
    stages = tuple(dataclasses.replace(stage, selection=nothing) for stage in resolved.stages)
    outcome = predict_plan(dataclasses.replace(resolved, stages=stages), name="empty", axes={"n": 0})
    assert [found.outcome for found in outcome] == [Status.EMPTY] * 2
    assert (outcome.name, outcome.side, outcome.axes) == ("empty", "prediction", {"n": 0})


def test_fully_collapsed_training_features_without_ridge_are_separable():
    outcome = predict(experiment(Method(kind="erm"), Method(kind="llr"), train_collapse=0.0, ridge=0.0))
    assert outcome["erm"].outcome is Status.SEPARABLE
    assert outcome["llr"].outcome is Status.CONVERGED
