"""`predict` in the proportional limit: methods by rows and weights, earlier heads, readout on the test law, names."""

import dataclasses

import numpy as np
import pytest

import llrsim
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
from llrsim.model.collapse import class_centres, collapse
from llrsim.model.losses import Loss, Status
from llrsim.model.plan import features, plan
from llrsim.prediction import predict, predict_plan
from llrsim.prediction.fixed_point import fixed_point
from llrsim.prediction.problem import ProportionalProblem


def experiment(*methods, heldout=None, train_collapse=0.5, spectrum=None, noise_std=1.0, **head):
    tau = Collapse(noise=train_collapse, attribute=train_collapse)
    noise = Noise(dim=100, std=noise_std) if spectrum is None else Noise(spectrum=spectrum, std=noise_std)
    return Experiment(
        features=Features(core=Coordinates(mean=1.0, std=0.6), spurious=Coordinates(mean=1.5, std=0.3), noise=noise),
        train=Train(counts=(700, 50, 30, 220), collapse=tau),
        heldout=heldout or Heldout(counts=(200, 50, 40, 110)),
        method=methods,
        head=FitOptions(**({"ridge": 0.05} | head)),
    )


def head_of(found):
    return np.array([*found.heads.signal[0], found.heads.bias[0], found.heads.noise_norm[0]])


@pytest.mark.parametrize("loss", ["squared", "logistic", "hinge", "squared_hinge"])
def test_a_stage_is_the_fixed_point_of_its_rows_and_weights(loss):
    described = experiment(Method(kind="erm"), Method(kind="dfr"), loss=loss)
    outcome, base = predict(described), features(described)
    collapsed = collapse(base, class_centres(base), noise=0.5, attribute=0.5)
    for found, law, counts, mass in (
        (outcome["erm"], collapsed, [700, 50, 30, 220], None),
        (outcome["dfr"], base, [200, 50, 40, 110], [0.25] * 4),
    ):
        own = fixed_point(ProportionalProblem.of(law, Loss[loss.upper()], counts=counts, mass=mass, ridge=0.05))
        assert head_of(found) == pytest.approx([*own.signal, own.bias, own.noise_norm], abs=1e-8)
        assert (found.limit, found.outcome) == ("proportional", Status.CONVERGED)
        assert found.certificate[0] <= 1e-10
    # Both are read out on untouched features (T7).
    assert outcome["erm"].test.noise_std == pytest.approx(np.ones(4))


def test_subsets_have_their_own_size_and_repeats_count_once():
    heldout = Heldout(counts=(160, 40, 40, 160))
    methods = [
        Method(kind="dfr", balance="subset"),
        Method(kind="dfr", name="up", balance="upsample"),
        Method(kind="dfr", name="w"),
    ]
    outcome = predict(experiment(*methods, heldout=heldout))
    alone = predict(experiment(Method(kind="llr"), heldout=Heldout(counts=(40, 40, 40, 40))))
    assert head_of(outcome["dfr"]) == pytest.approx(head_of(alone["llr"]), abs=1e-9)
    assert head_of(outcome["up"]) == pytest.approx(head_of(outcome["w"]), abs=1e-9)
    assert np.abs(head_of(outcome["dfr"]) - head_of(outcome["w"])).max() > 0.05


def test_wrong_annotations_split_a_group_into_rows_of_two_weights():
    heldout = Heldout(counts=(300, 100, 60, 140), annotation_noise=0.1)
    outcome = predict(experiment(Method(kind="dfr"), heldout=heldout))["dfr"]
    one_weight = predict(experiment(Method(kind="llr"), heldout=Heldout(counts=(300, 100, 60, 140))))["llr"]
    law = features(experiment(Method(kind="llr")))
    problem = ProportionalProblem.of(law, Loss.LOGISTIC, counts=[300, 100, 60, 140], mass=outcome.mass, ridge=0.05)
    merged = fixed_point(problem)
    assert abs(outcome.heads.noise_norm[0] - merged.noise_norm) > 1e-3  # the same masses, other weights inside
    assert outcome.heads.signal[0] != pytest.approx(one_weight.heads.signal[0], abs=1e-2)


@pytest.mark.parametrize("anchor", [0.0, 0.2])
def test_an_anchored_stage_agrees_with_drawn_samples(anchor):
    methods = [Method(kind="erm"), Method(kind="llr", start="erm", anchor=anchor)]
    described = experiment(*methods, train_collapse=1.0)
    drawn, found = llrsim.simulate(described, 60)["llr"], predict(described)["llr"]
    z = (drawn.group_accuracy - found.group_accuracy) / np.hypot(
        drawn.standard_error(drawn.readout.group_accuracy), 0.2 / 100
    )
    assert np.abs(z).max() < 4.5  # four z-scores: beyond it once in 10^5 suites
    norms = drawn.heads.noise_norm
    assert abs(norms.mean() - found.heads.noise_norm[0]) < 4.5 * np.hypot(norms.std() / np.sqrt(60), norms.mean() / 100)
    if anchor:  # the control: without the earlier head's noise the anchored one is far off
        resolved = plan(described)
        free = predict_plan(
            dataclasses.replace(
                resolved, stages=(resolved.stages[0], dataclasses.replace(resolved.stages[1], anchor=0.0))
            )
        )
        assert abs(norms.mean() - free["llr"].heads.noise_norm[0]) > 0.1


def test_squared_descent_has_a_path_from_the_head_it_starts_from():
    solver = Descent(steps=200, step_size=0.1, path=(1, 200))
    methods = [Method(kind="erm"), Method(kind="llr", start="erm", head={"solver": solver})]
    described = experiment(*methods, loss="squared", train_collapse=1.0)
    found = predict(described)
    assert (found["llr"].outcome, found["llr"].iterations[0]) == (Status.FINISHED, 200)
    assert found["llr"].path.heads.noise_norm[0, 1] == pytest.approx(found["llr"].heads.noise_norm[0], abs=1e-12)
    drawn = llrsim.simulate(described, 60)["llr"]
    for heads, other in ((drawn.heads, found["llr"].heads), (drawn.path.heads[:, 0], found["llr"].path.heads[:, 0])):
        error = np.hypot(heads.noise_norm.std() / np.sqrt(60), heads.noise_norm.mean() / 100)
        assert abs(heads.noise_norm.mean() - other.noise_norm[0]) < 4.5 * error
    best = found["llr"].to_dict()["early_stopping"]
    at = Descent(steps=best["steps"], step_size=0.1)
    stopped = predict(
        experiment(methods[0], Method(kind="llr", start="erm", head={"solver": at}), loss="squared", train_collapse=1.0)
    )
    assert stopped["llr"].wga == pytest.approx(best["wga"], abs=1e-7)
    assert best["wga"] >= found["llr"].readout.wga[0]
    wild = Method(kind="llr", head={"solver": Descent(steps=5, step_size=40.0)})
    diverged = predict(experiment(wild, loss="squared"))["llr"]
    assert diverged.outcome is Status.DIVERGED
    assert 0.01 < diverged.largest_stable_step < 40.0


def test_what_has_no_prediction_says_so():
    descent = Descent(steps=5, step_size=0.1)
    outcome = predict(
        experiment(
            Method(kind="erm"),
            Method(kind="llr", head={"solver": descent}),
            Method(
                kind="llr",
                name="minibatch",
                head={"loss": "squared", "solver": {"steps": 5, "step_size": 0.1, "batch": 8}},
            ),
            Method(
                kind="llr",
                name="nesterov",
                head={"loss": "squared", "solver": {"steps": 5, "step_size": 0.1, "momentum": 0.5, "nesterov": True}},
            ),
            Method(kind="llr-on-train", start="erm", anchor=0.1),
            Method(kind="cb-llr", name="after", start="llr", anchor=0.1),
        )
    )
    told = [found.outcome for found in outcome]
    assert told == [Status.CONVERGED, *[Status.NO_PREDICTION] * 5]
    spectral = experiment(
        Method(kind="erm"), Method(kind="llr", start="erm", anchor=0.1), spectrum=((0.5, 50), (1.5, 50))
    )
    assert predict(spectral)["llr"].outcome is Status.NO_PREDICTION


def test_noise_that_has_collapsed_to_nothing_leaves_the_population_limit():
    described = experiment(Method(kind="erm"), train_collapse=0.0)
    found = predict(described)["erm"]
    assert found.limit == "population"
    assert head_of(found) == pytest.approx(head_of(predict(described, "population")["erm"]), abs=1e-12)


def test_a_spectrum_gives_norm_and_spread_apart():
    described = experiment(Method(kind="llr"), spectrum=((0.2, 60), (3.0, 40)), loss="logistic")
    drawn, found = llrsim.simulate(described, 60)["llr"], predict(described)["llr"]
    for name in ("noise_norm", "noise_spread"):
        values, theory = getattr(drawn.heads, name), getattr(found.heads, name)[0]
        assert abs(values.mean() - theory) < 4.5 * np.hypot(values.std() / np.sqrt(60), theory / 100)
    assert found.heads.noise_norm[0] < found.heads.noise_spread[0]


def test_predictions_tell_what_the_fit_sees_of_its_own_rows():
    told = predict(experiment(Method(kind="llr"))).to_dict()["methods"]["llr"]
    seen = told["training"]
    assert min(a - b for a, b in zip(seen["group_accuracy"], told["group_accuracy"], strict=True)) > 0
    assert seen["flatness"] > 0
    empty = experiment(Method(kind="llr"), heldout=Heldout(counts=(200, 0, 40, 110)))
    with pytest.warns(llrsim.experiment.EmptyGroupWarning):
        assert predict(empty).to_dict()["methods"]["llr"]["training"]["group_loss"][1] is None


def test_an_unknown_limit_is_named():
    with pytest.raises(ValueError, match="limit: 'finite'; expected one of proportional, population"):
        predict(experiment(Method(kind="llr")), "finite")


@pytest.mark.parametrize("loss", ["squared", "logistic", "hinge"])
def test_one_law_written_in_two_ways_is_one_prediction(loss):
    """Noise of standard deviation 1, and of 1/2 with the eigenvalue 4; heads along an earlier one's noise too."""
    methods = [Method(kind="erm"), Method(kind="dfr", start="erm", anchor=0.3)]
    if loss == "squared":
        methods.append(Method(kind="llr", start="erm", head={"solver": Descent(steps=20, step_size=0.1)}))
    outcomes = [
        predict(experiment(*methods, loss=loss, **noise))
        for noise in ({}, {"spectrum": ((4.0, 100),), "noise_std": 0.5})
    ]
    for one, other in zip(*outcomes, strict=True):
        assert one.group_accuracy == pytest.approx(other.group_accuracy, abs=1e-9)
