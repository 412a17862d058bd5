"""A hinge whose bias is not determined: its interval, the point nearest to zero, and that every readout says so.

No margin reaches 1 under a large ridge. If the classes have equal weight, every multiplier is at its bound: the weights
are sum_i c_i y_i x_i / ridge, whatever the bias, and the loss is linear in it with slope zero until a margin reaches 1.
"""

from io import StringIO

import numpy as np
import pytest
from rich.console import Console
from scipy.special import ndtr
from test_interior_point import clarabel_head

from llrsim import FitOptions, fit, load, open_results, plan, predict, run_sweep, simulate_plan
from llrsim.model.losses import Loss, Status
from llrsim.plots import wga_table
from llrsim.plots.style import missing
from llrsim.report.chapter import swept
from llrsim.sweep.finish import terminal_table

RIDGE = 10.0
SIMULATORS = ["dense", "lazy"]


def hinge_loss(X, y, c, weights, bias):
    return c @ np.maximum(0.0, 1.0 - y * (X @ weights + bias))


def ends_by_brute_force(X, y, c, weights):
    """The first and the last kink at which the hinge loss, as a function of the bias alone, is least."""
    kinks = np.sort(y - X @ weights)
    losses = np.array([hinge_loss(X, y, c, weights, kink) for kink in kinks])
    least = kinks[losses <= losses.min() + 1e-12]
    return least[0], least[-1]


def balanced(seed, n=24, p=3, offset=0.0):
    """Two classes of equal weight, unequal weights within them."""
    rng = np.random.default_rng(seed)
    y = np.repeat([1.0, -1.0], [n // 3, n - n // 3])
    X = rng.normal(size=(n, p)) + 0.5 * y[:, None] * (np.arange(p) == 0) + offset
    c = rng.uniform(0.2, 1.0, n)
    c[y > 0] /= c[y > 0].sum()
    c[y < 0] /= c[y < 0].sum()
    return X, y, c / 2


@pytest.mark.parametrize("offset", [0.0, 300.0], ids=["0 inside", "0 outside"])
@pytest.mark.parametrize("seed", range(5))
def test_the_interval_is_where_a_literal_loss_is_least(seed, offset):
    X, y, c = balanced(seed, offset=offset)
    found = fit(X, y, c, head=FitOptions(loss="hinge", ridge=RIDGE))
    assert found.status is Status.BIAS_NOT_UNIQUE
    assert found.weights == pytest.approx((c * y) @ X / RIDGE, abs=1e-8)
    low, high = ends_by_brute_force(X, y, c, (c * y) @ X / RIDGE)
    assert found.bias_interval == pytest.approx((low, high), abs=1e-7)
    assert (low < 0 < high) == (offset == 0.0)
    assert found.bias == pytest.approx(min(max(0.0, low), high), abs=1e-7)
    if offset == 0.0:
        assert found.bias == 0.0
    design, penalty = np.column_stack([X, np.ones(len(y))]), np.append(np.full(X.shape[1], RIDGE), 0.0)
    _, optimum = clarabel_head(Loss.HINGE, design, y, c, penalty, np.zeros(X.shape[1] + 1))
    for bias in (low, found.bias, high):
        loss = hinge_loss(X, y, c, found.weights, bias) + RIDGE / 2 * found.weights @ found.weights
        assert loss == pytest.approx(optimum, rel=1e-8)


@pytest.mark.parametrize("ridge", [0.01, 0.3, RIDGE])
def test_a_bias_that_is_determined_is_not_called_open(ridge):
    """Unequal classes, or a row on the kink, determine the bias: the loss rises on both sides of it."""
    rng = np.random.default_rng(3)
    y = np.repeat([1.0, -1.0], [30, 31])
    X = rng.normal(size=(61, 3)) + y[:, None]
    c = rng.dirichlet(np.ones(61))
    found = fit(X, y, c, head=FitOptions(loss="hinge", ridge=ridge))
    assert found.status is Status.CONVERGED
    assert found.bias_interval is None
    here = hinge_loss(X, y, c, found.weights, found.bias)
    for step in (-1e-3, 1e-3):
        assert hinge_loss(X, y, c, found.weights, found.bias + step) > here + 1e-6


def experiment(ridge=RIDGE, *, kinds=("dfr", "cb-llr"), scale=1.0, **sections):
    return load(
        {
            "features": {
                "core": {"mean": scale, "std": 0.6 * scale},
                "spurious": {"mean": scale, "std": 0.5 * scale},
                "noise": {"dim": 50, "std": scale},
            },
            "train": {"n": 600, "proportions": [0.25] * 4},
            "heldout": {"n": 600, "minority_ratio": 0.3, "class_prior": 0.25},
            "head": {"loss": "hinge", "ridge": ridge},
            "method": [{"kind": kind} for kind in kinds],
            **sections,
        }
    )


def at_their_bounds(asked, label, *, noise):
    """Group accuracies of sum_i c_i y_i x_i / ridge with bias 0: of its expected signal, and the noise's square."""
    resolved = plan(asked)
    stage = next(stage for stage in resolved.stages if stage.label == label)
    law, mass, counts = resolved.test, stage.selection.mass, stage.selection.counts
    u = (mass * law.labels) @ law.means / asked.head.ridge
    square = noise * (mass**2 / counts) @ law.noise_std**2 * law.noise_dim / asked.head.ridge**2
    spread = np.einsum("i,gij,j->g", u, law.covariances, u) + law.noise_std**2 * square
    return ndtr(law.labels * (law.means @ u) / np.sqrt(spread))


@pytest.mark.parametrize("limit", ["population", "proportional"])
@pytest.mark.parametrize("label", ["dfr", "cb-llr"])
def test_predictions_are_those_of_multipliers_at_their_bounds(label, limit):
    asked = experiment()
    found = predict(asked, limit)[label]
    assert found.outcome is Status.BIAS_NOT_UNIQUE
    assert found.heads.bias[0] == 0.0
    expected = at_their_bounds(asked, label, noise=limit == "proportional")
    assert found.group_accuracy == pytest.approx(expected, abs=1e-9)
    low, high = found.bias_interval[0]
    assert low < 0 < high
    assert found.message == f"bias not unique: [{low:.4g}, {high:.4g}]"


def test_the_population_interval_ends_where_a_tail_begins():
    """Beyond it the slope is no longer rounding: 1e-12 of the weight has margins above 1."""
    found = predict(experiment(kinds=["dfr"]), "population")["dfr"]
    u = np.array([1 / RIDGE, 0.0])
    reached = (1.0 - u[0] - found.bias_interval[0, 1]) / (0.6 * u[0])
    assert ndtr(-reached) == pytest.approx(2e-12, rel=0.01)  # of one class, which has half of the weight


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_both_sides_take_the_same_bias(simulator):
    """Bias 0 in every replicate and in the prediction, and accuracies that agree within 4.5 standard errors.

    False alarms: under 1e-4 for the 8 numbers; a bias of 0.01 in place of 0 would be beyond them.
    """
    asked = experiment()
    simulated = simulate_plan(plan(asked), replicates=30, seed=5, simulator=simulator)
    predicted = predict(asked)
    for method in simulated:
        assert method.outcome is Status.BIAS_NOT_UNIQUE
        assert (method.heads.bias == 0.0).all()
        # The prediction at the sample's own masses is exact for |v|^2, and up to terms in 1/d for accuracies.
        error = method.standard_error(method.readout.group_accuracy)
        gap = method.group_accuracy - predicted[method.label].group_accuracy
        assert (np.abs(gap) <= 4.5 * error).all()
        assert f"in 30 of 30 replicates: [{method.bias_interval.mean(axis=0)[0]:.4g}," in method.message


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_the_heavier_class_takes_the_bias_where_classes_are_unequal(simulator):
    """Of unequal classes the bias is determined: near -1, where the heavier class has its margins."""
    asked = experiment(kinds=["llr"])
    found = simulate_plan(plan(asked), replicates=3, seed=5, simulator=simulator)["llr"]
    assert found.outcome is Status.CONVERGED
    assert found.bias_interval is None
    assert found.heads.bias == pytest.approx(predict(asked)["llr"].heads.bias[0], abs=0.02)


def test_heads_that_are_averaged_average_their_intervals():
    asked = experiment(kinds=["erm"], method=[{"kind": "dfr", "balance": "subset", "average": 4}])
    found = {
        simulator: simulate_plan(plan(asked), replicates=2, seed=1, simulator=simulator)["dfr"]
        for simulator in SIMULATORS
    }
    for method in found.values():
        assert method.outcome is Status.BIAS_NOT_UNIQUE
        assert (method.heads.bias == 0.0).all()
        assert (method.bias_interval[:, 0] < -0.3).all()
        assert (method.bias_interval[:, 1] > 0.3).all()
    assert predict(asked)["dfr"].outcome is Status.BIAS_NOT_UNIQUE


@pytest.mark.parametrize("scale", [1e-8, 1e-2, 0.1, 1e4])
@pytest.mark.parametrize("ridge", [1e-8, 0.01, 1.0, RIDGE])
def test_predictions_of_scaled_features_are_those_of_a_scaled_ridge(scale, ridge):
    """x -> s x and ridge -> s^2 ridge change the weights alone, from a ridge of 1e-24 to one of 1e9."""
    plainly = predict(experiment(ridge))
    scaled = predict(experiment(ridge * scale**2, scale=scale))
    for method in plainly:
        other = scaled[method.label]
        assert other.outcome is method.outcome
        assert other.group_accuracy == pytest.approx(method.group_accuracy, abs=1e-8)


def test_rows_tables_and_texts_say_so(tmp_path):
    asked = experiment(sweep={"replicates": 2})
    run_sweep(asked, out=tmp_path / "out")
    results = open_results(tmp_path / "out")
    for row in results.rows():
        assert row["status"] == row["predicted_status"] == "bias-not-unique"
        assert row["wga"] is not None
        assert row["predicted_wga"] is not None
    (cell,) = results.outcomes()
    fresh = simulate_plan(plan(asked), replicates=2, seed=asked.sweep.seed, simulator="dense")
    for label in ("dfr", "cb-llr"):
        assert np.array_equal(cell.simulation[label].bias_interval, fresh[label].bias_interval)
        stored = cell.prediction[label]
        assert stored.bias_interval == pytest.approx(predict(asked)[label].bias_interval, abs=1e-6)
        assert stored.to_dict()["bias_interval"] == stored.bias_interval[0].tolist()
        for side in (cell.simulation, cell.prediction):
            remark = side[label].remark
            assert remark.startswith("bias not unique")
            assert remark == side[label].message == side[label].to_dict()["remark"] == side[label].row()["remark"]
            assert f"({remark})" in repr(side)
    rows = results.rows()
    assert text_of(terminal_table(results, rows)).count("bias-not-unique") == 2 * len(rows)  # a side of a method each
    many = text_of(terminal_table(results, rows * 31))
    assert "dfr, predicted: bias-not-unique in 31 of 31 cells" in many
    assert {row["predicted_status"] for row in swept(rows)} == {"bias-not-unique"}
    assert "predicted: bias-not-unique at 1 of 1 settings" in "".join(missing(wga_table(results)))
    assert "simulated: bias-not-unique at 1 of 1 settings" in "".join(missing(wga_table(results)))


def text_of(table):
    console = Console(width=300, file=StringIO())
    console.print(table)
    return console.file.getvalue()
