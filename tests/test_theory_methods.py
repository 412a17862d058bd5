"""Theory against code: reading out elsewhere (T7), a fit's own margins (T8), and what methods do (T19, T20)."""

import numpy as np
import pytest
from test_theory_numbers import EXACT, fit, two_by_two
from theory_cases import close, evaluate, two_groups

import llrsim
from llrsim.model.collapse import class_centres, collapse
from llrsim.model.head import Head
from llrsim.model.losses import Loss, Status
from llrsim.model.methods import adjust, select
from llrsim.model.mixture import GroupMixture
from llrsim.model.plan import features, plan
from llrsim.prediction import margin_law
from llrsim.prediction.equations import equations
from llrsim.prediction.fixed_point import FixedPoint, fixed_point
from llrsim.prediction.population import predict_stage as predict_in_population
from llrsim.prediction.problem import ProportionalProblem
from llrsim.prediction.ridge import ridge_head
from llrsim.prediction.scores import GAP, afr_weight, hardest_weight, lowest_margins, score_law, weighted_by_score
from llrsim.prediction.stage import predict_stage as predict_in_proportion
from llrsim.prediction.training import training

LABELS = np.array([-1.0, -1.0, 1.0, 1.0])


def described(**changes):
    experiment = {
        "features": {
            "core": {"mean": 1.0, "std": 0.6},
            "spurious": {"mean": 1.3, "std": 0.7},
            "noise": {"dim": 100, "std": 0.8},
        },
        "train": {
            "n": 200,
            "proportions": [0.4, 0.1, 0.15, 0.35],
            "collapse": {"noise": 0.4, "attribute": 0.3},
        },
        "heldout": {"n": 120, "minority_ratio": 0.5},
        "test": {"collapse": {"noise": 0.8, "attribute": 0.6}},
        "head": {"loss": "squared", "ridge": 0.1},
        "method": [{"kind": "erm"}, {"kind": "llr"}],
    }
    return llrsim.load(experiment | changes)


@pytest.mark.parametrize("predict_stage", [predict_in_population, predict_in_proportion])
@pytest.mark.parametrize("stage", [0, 1])
def test_heads_are_read_out_on_the_test_law(predict_stage, stage):
    """The law of untouched features, the training law's centres, and the heads' summaries are all that goes in."""
    experiment = described()
    law, resolved = features(experiment), plan(experiment)
    centres = class_centres(law)
    outcome = predict_stage(resolved, resolved.stages[stage], None if predict_stage is predict_in_population else [])
    (u,), (bias,), (q,) = outcome.heads.signal, outcome.heads.bias, outcome.heads.noise_spread
    for g in range(4):
        root = np.linalg.cholesky(law.covariances[g])
        values = {"u1": u[0], "u2": u[1], "b": bias, "q": q, "y": law.labels[g], "tau_n": 0.8, "tau_a": 0.6}
        values |= {"l11": root[0, 0], "l21": root[1, 0], "l22": root[1, 1], "sigma": 0.8}
        values |= {f"m{i + 1}": law.means[g, i] for i in range(2)} | {f"c{i + 1}": centres[g, i] for i in range(2)}
        expected = evaluate("mismatch.readout_on_another_law", values)["accuracy"]
        assert outcome.group_accuracy[g] == pytest.approx(expected, rel=EXACT)


def test_heads_are_fitted_on_the_collapsed_law():
    experiment = described()
    law = features(experiment)
    seen = collapse(law, class_centres(law), noise=0.4, attribute=0.3)
    problem = ProportionalProblem.of(seen, Loss.SQUARED, counts=plan(experiment).samples[0].counts, ridge=0.1)
    expected, found = ridge_head(problem), llrsim.predict(experiment)["erm"].heads
    assert found.signal[0] == pytest.approx(expected.signal, rel=EXACT)
    assert [found.bias[0], found.noise_norm[0]] == pytest.approx([expected.bias, expected.noise_norm], rel=EXACT)


def random_fit(problem, rng):
    """A head that is no solution: what a fit sees of its rows is a function of any."""
    return FixedPoint(
        signal=rng.normal(size=2),
        bias=rng.normal(),
        noise_spread=rng.uniform(0.3, 1.5),
        noise_norm=1.0,
        envelope=rng.uniform(0.2, 1.5),
        certificate=0.0,
        evaluations=0,
        status=Status.CONVERGED,
    )


@pytest.mark.parametrize("loss", list(Loss))
@pytest.mark.parametrize("seed", range(3))
def test_the_law_of_fitted_margins(loss, seed):
    rng = np.random.default_rng(seed)
    extra = {"scales": [0.6, 1.8], "shifts": [0.5, -0.4]} if loss is Loss.LOGISTIC else {}
    problem = two_groups(seed, loss, margins=[0.7, 1.6], **extra)
    seen = training(problem, random_fit(problem, rng))
    margins = np.concatenate([np.linspace(-3, 0.99, 20), np.linspace(1.7, 4, 20)])
    density, atom = seen.margin_density(margins)
    for g in range(2):
        values = {
            "mean": seen.mean[g],
            "s": seen.deviation[g],
            "t": seen.strength[g],
            "omega": problem.weights[g],
            "scale": problem.scales[g],
            "shift": problem.shifts[g],
            "kappa": problem.margins[g],
            "m": margins,
        }
        smooth, kinks = evaluate("margin_law.smooth_losses", values), evaluate("margin_law.kinks", values)
        told = evaluate("margin_law.averages", values)
        below = margins < (problem.margins[g] if loss is Loss.MAX_MARGIN else 1.0)
        expected = {
            Loss.SQUARED: smooth["squared"],
            Loss.LOGISTIC: smooth["logistic"],
            Loss.HINGE: np.where(below, kinks["hinge_density"], smooth["untouched"]),
            Loss.SQUARED_HINGE: np.where(below, smooth["squared_hinge"], smooth["untouched"]),
            Loss.MAX_MARGIN: np.where(below, 0.0, smooth["untouched"]),
        }[loss]
        assert close(density[g], expected)
        held = {Loss.HINGE: kinks["hinge_atom"], Loss.MAX_MARGIN: kinks["hard_atom"]}.get(loss, 0.0)
        assert atom[g] == pytest.approx(held, rel=EXACT)
        if loss is Loss.MAX_MARGIN:
            continue
        kind = {Loss.SQUARED: "squared", Loss.LOGISTIC: "logistic"}.get(loss, "hinge")  # by the slope at zero
        assert seen.accuracy[g] == pytest.approx(told[f"{kind}_accuracy"], rel=EXACT)
        if loss is not Loss.LOGISTIC:
            assert seen.loss[g] == pytest.approx(told[f"{loss.name.lower()}_loss"], rel=EXACT)
        if loss is Loss.SQUARED_HINGE:
            assert seen.curvature[g] == pytest.approx(told["squared_hinge_curvature"], rel=EXACT)


def test_margins_of_a_method():
    """The two laws of `margin_law`: own rows by the fit, test rows by the read-out."""
    law = margin_law(described(), "erm")
    grid = np.linspace(-2, 3, 7)
    for g in range(4):
        values = {"mean": law.seen.mean[g], "s": law.seen.deviation[g], "t": law.seen.strength[g], "m": grid}
        values |= {"omega": 1.0, "scale": 1.0, "shift": 0.0}
        assert close(law.training_density(grid)[g], evaluate("margin_law.smooth_losses", values)["squared"])
        values |= {"mean": law.test_mean[g], "s": law.test_deviation[g]}
        assert close(law.test_density(grid)[g], evaluate("margin_law.smooth_losses", values)["untouched"])


@pytest.mark.parametrize("balance", ["weights", "subset", "upsample"])
@pytest.mark.parametrize("unit", ["none", "class", "group"])
def test_masses(unit, balance):
    counts = np.array([40, 10, 20, 30])  # whose parts are whole numbers
    expected = evaluate("methods.masses", {f"n{g + 1}": n for g, n in enumerate(counts)})
    found = select(counts, LABELS, balances=unit, balance=balance).mass
    name = {"none": "nothing"}.get(unit, unit)
    assert found == pytest.approx([expected[f"{name}_{g}"] for g in (1, 2, 3, 4)], rel=EXACT)


@pytest.mark.parametrize("counts", [[30, 20, 10, 40], [48, 12, 8, 32]])
def test_balancing_classes(counts):
    counts = np.array(counts)
    share = counts[2:].sum() / counts.sum()
    plain, balanced = (select(counts, LABELS, balances=unit) for unit in ("none", "class"))
    expected = evaluate("methods.class_balance", {"P": share, "pi": counts[2] / counts[2:].sum()})
    assert balanced.sample_weight[2:] == pytest.approx(expected["factor"] * plain.sample_weight[2:], rel=EXACT)
    assert balanced.mass[2] == pytest.approx(expected["balanced"], rel=EXACT)
    same = np.allclose(balanced.mass, plain.mass, rtol=1e-15, atol=0)
    assert same == (share == 0.5)
    # Attributes of either class in the same shares: one Sigma_W.
    rng = np.random.default_rng(0)
    root = rng.normal(size=(2, 2))
    law = two_by_two([1.2, 0.3], [0.2, 0.9], root @ root.T, 0.4)
    own = np.array([0.7, 0.3, 0.3, 0.7]) * np.where(LABELS > 0, share, 1 - share)
    half = np.array([0.7, 0.3, 0.3, 0.7]) / 2
    heads = [fit(law, mass) for mass in (own, half)]
    assert heads[0][1] / heads[0][0] == pytest.approx(heads[1][1] / heads[1][0], rel=EXACT)
    middle = half @ law.means
    gap = 2 * (half * LABELS) @ law.means
    within = law.covariances[0] + 0.84 * np.outer([0.2, 0.9], [0.2, 0.9])
    scale = heads[0][:2] @ gap / (gap @ np.linalg.solve(within, gap))
    assert (heads[0][2] + heads[0][:2] @ middle) / scale == pytest.approx(expected["threshold"], rel=EXACT, abs=EXACT)
    assert heads[1][2] + heads[1][:2] @ middle == pytest.approx(0.0, abs=EXACT)


def test_afr_without_confidence_is_class_balanced():
    problem = two_groups(5, spectrum=np.ones(120), anchor=0.0, centre=np.zeros(3), shares=[0.3, 0.7])
    sliced, group = weighted_by_score(
        problem, Head.of([0.8, -0.5], 0.2, 0.7), afr_weight(0.0, problem.labels, problem.shares)
    )
    expected = evaluate("methods.class_balance", {"P": 0.7, "pi": 1.0})["factor"]
    assert sliced.weights[group == 1] == pytest.approx(expected, rel=EXACT)
    anchored = two_groups(5, spectrum=np.ones(120), anchor=0.0, centre=np.zeros(3), shares=[0.3, 0.7], mass=[0.5, 0.5])
    plain, slow = fixed_point(anchored), fixed_point(sliced)
    assert slow.signal[:2] == pytest.approx(plain.signal, rel=EXACT)
    assert slow.signal[2] == pytest.approx(0.0, abs=EXACT)


@pytest.mark.parametrize("strength", [0.7, 1.3])
def test_adjusted_logits(strength):
    counts = np.array([60, 20, 8, 12])
    made = adjust(counts, LABELS, adjust=strength, stretch=0.0, unit="class")
    expected = evaluate("methods.adjusted_logits", {"pi": 0.2, "tau": strength, "f": 0.6})
    assert made.shifts == pytest.approx(np.where(LABELS > 0, expected["shift_+"], expected["shift_-"]), rel=EXACT)
    assert made.scales.tolist() == [1.0] * 4
    for y in (1, -1):
        plain_loss = np.logaddexp(0.0, expected[f"shift_{y:+d}"[:-1]] - y * 0.6)
        assert expected[f"loss_{y:+d}"] == pytest.approx(plain_loss, rel=EXACT)
    # The equations of T8 at b + iota_+ are those of the plain loss at b.
    shifts = np.array([expected["shift_-"], expected["shift_+"]])
    plain = two_groups(3, anchor=0.0)
    x, moved = np.array([0.4, -0.3, 0.2, -0.5, 0.1]), expected["shift_+"] * np.array([0, 0, 1.0, 0, 0])
    residuals = np.empty((2, 5))
    equations(plain, plain.ridge, 0.0, 1.0, x, residuals[0], np.empty((5, 5)))
    equations(plain._replace(shifts=shifts), plain.ridge, 0.0, 1.0, x + moved, residuals[1], np.empty((5, 5)))
    assert close(residuals[1], residuals[0])


def test_worst_masses():
    """The dual D(p) of group DRO in the proportional limit: its slope by differences, its curvature, its maximum."""
    problem = two_groups(4, ridge=0.2, anchor=0.0, spectrum=np.ones(120))

    def dual(p):
        weighted = problem._replace(weights=np.array([p, 1 - p]) / problem.shares)
        found = fixed_point(weighted)
        seen = training(weighted, found)
        norm2 = found.signal @ found.signal + found.noise_norm**2
        return seen.total_loss + weighted.ridge * norm2 / 2, seen.loss

    h, p = 1e-2, 0.4
    along = [dual(p + h * step) for step in range(-4, 5)]
    values, losses = np.array([value for value, _ in along]), along[4][1]
    eighth = np.array([1 / 280, -4 / 105, 1 / 5, -4 / 5, 0, 4 / 5, -1 / 5, 4 / 105, -1 / 280])
    told = {"loss_1": losses[0], "loss_2": losses[1], "slope_1": 1.0, "slope_2": -0.5, "bend": 2.0, "p": p, "q": 0.7}
    expected = evaluate("methods.worst_masses", told)
    assert eighth @ values / h == pytest.approx(expected["slope"], rel=1e-8)  # rounding over h, and h^8
    assert expected["bend"] == -(1.5**2) / 2
    assert expected["gain"] == pytest.approx(np.array([0.3, -0.3]) @ losses, rel=EXACT)
    assert (np.diff(values, 2) < 0).all()


def test_group_dro_is_at_the_maximum_of_its_dual():
    """The masses that `reweighted` settles on leave no slope along the simplex, up to GAP."""
    experiment = described(method=[{"kind": "group-dro"}], head={"loss": "logistic", "ridge": 0.05})
    outcome = llrsim.predict(experiment)["group-dro"]
    stage = plan(experiment).stages[0]
    sample = plan(experiment).samples[stage.sample]
    mass = outcome.masses[0]
    weighted = ProportionalProblem.of(sample.mixture, Loss.LOGISTIC, counts=sample.counts, mass=mass, ridge=0.05)
    losses = training(weighted, fixed_point(weighted)).loss
    first, second = np.argsort(losses)[:2]
    slope = evaluate(
        "methods.worst_masses",
        {
            "loss_1": losses[first],
            "loss_2": losses[second],
            "slope_1": 1.0,
            "slope_2": 0.0,
            "bend": 1.0,
            "p": 0.5,
            "q": 0.5,
        },
    )["slope"]
    assert losses.max() - mass @ losses <= 2 * GAP
    # Inside the simplex the slopes of the dual, the differences of the losses, vanish as far as that gap tells.
    assert mass.min() > 0.02
    assert abs(slope) <= 2 * GAP / mass.min()


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_the_hardest_rows(share):
    mixture = GroupMixture.of(
        means=[[-1.0, -0.5], [-1.0, 0.5], [1.0, -0.5], [1.2, 0.5]],
        covariances=[np.diag(v) for v in ([0.5, 0.6], [0.7, 0.4], [0.5, 0.9], [0.3, 0.4])],
        noise_dim=100,
        noise_std=[1.0, 0.8, 1.1, 0.9],
    )
    problem = ProportionalProblem.of(mixture, Loss.LOGISTIC, counts=[80, 20, 30, 70], ridge=0.1)
    first = Head.of([0.8, 0.4], 0.1, 0.7)
    margin = lowest_margins(problem, first, share)
    middle, spread = score_law(problem, first)
    values = {"t": margin, "q0": 0.7, "u01": 0.8, "u02": 0.4}
    for g in range(4):
        values |= {f"pi{g + 1}": problem.shares[g], f"middle{g + 1}": middle[g], f"spread{g + 1}": spread[g]}
    values |= {"sigma": 1.1, "s11": 0.5, "s12": 0.0, "s22": 0.9}
    expected = evaluate("hardest_rows.hardest_rows", values)
    assert spread[2] ** 2 == pytest.approx(expected["spread2"], rel=EXACT)
    assert expected["share"] == pytest.approx(share, rel=EXACT)
    assert [expected["low"], expected["high"]] == [-margin, margin]
    weight = hardest_weight(margin, problem, first)
    scores = np.array([[margin - 0.1, -margin - 0.1, margin + 0.1, -margin + 0.1]] * 4)
    for g, y in enumerate(LABELS):
        own = expected[f"weight_{int(y)}"] * (y * scores[g] <= margin)
        assert weight(scores)[g] / 2 == pytest.approx(own, rel=EXACT)  # the code normalises to mean one afterwards
    sliced = weighted_by_score(problem, first, weight, cuts=np.sort([-margin, margin]))
    # Gauss-Legendre nodes between the cuts, and a normal law that ends at 8.5.
    assert sliced.mass == pytest.approx([expected[f"mass_{g}"] for g in (1, 2, 3, 4)], rel=EXACT)
