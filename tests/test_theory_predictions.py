"""Theory against code: expected losses (T2), descent and its stability (T14), metrics of data (T6), splits (T21)."""

from dataclasses import replace

import numpy as np
import pytest
from test_theory_numbers import EXACT, random_mixture, two_by_two
from theory_cases import close, evaluate, head_symbols, symbols_of, two_groups

from llrsim.attribution import interaction, joint_interaction, shapley
from llrsim.model import descent as descent_rule
from llrsim.model.gaussian import DENSITY_TABLE
from llrsim.model.head import Head, average, group_accuracy, logit_law, read_out, score, worst_class_accuracy
from llrsim.model.losses import Loss
from llrsim.model.mixture import GroupMixture
from llrsim.model.neural_collapse import data_limit, from_data, nc1_of_data, units_of_data
from llrsim.prediction import PopulationObjective, gradient_flow
from llrsim.prediction import descent as hessian
from llrsim.prediction.descent import flow_filters
from llrsim.prediction.objective import expand, expected_logistic, expected_loss, logistic_stride
from llrsim.prediction.population import descend, largest_stable_step
from llrsim.prediction.weightings import scores

NAMES = ("value", "slope", "curvature", "curvature_x", "curvature_xx")


def test_logits_and_scores():
    rng = np.random.default_rng(0)
    mixture = random_mixture(rng)
    u, bias, q = rng.normal(size=2), rng.normal(), rng.uniform(0.1, 2)
    mean, deviation = logit_law(Head.of(u, bias, q), mixture)
    told = score(mixture.labels * (mean + bias), deviation)
    for g in range(4):
        at = {"y": mixture.labels[g], "mu": u @ mixture.means[g], "s2": u @ mixture.covariances[g] @ u}
        at |= {"sigma": mixture.noise_std[g], "b": bias, "q": q}
        # The score is where the accuracy as a function of y alone, with all else at the score of one, is the same.
        unit = {"y": 1.0, "mu": told[g], "s2": 1.0, "sigma": 0.0, "b": 0.0, "q": 0.0}
        expected = evaluate("readout.accuracy", at)["accuracy"]
        assert evaluate("readout.accuracy", unit)["accuracy"] == pytest.approx(expected, rel=EXACT)


def test_scores_of_weightings():
    problem = two_groups(2, Loss.SQUARED)
    test = GroupMixture.of(
        means=problem.means, covariances=problem.covariances, noise_dim=5, labels=(-1, 1), attributes=(-1, 1)
    )
    for told in scores(problem, problem.weights, test):
        unit = {"y": 1.0, "mu": told, "s2": 1.0, "sigma": 0.0, "b": 0.0, "q": 0.0}
        assert 0 < evaluate("readout.accuracy", unit)["accuracy"] < 1


@pytest.mark.parametrize("loss", ["squared", "hinge", "squared_hinge"])
@pytest.mark.parametrize(("mean", "s"), [(0.3, 0.8), (-1.2, 2.0), (2.5, 0.4)])
def test_expected_losses(loss, mean, s):
    expected = evaluate("expected_losses.closed_forms", {"mean": mean, "s": s, "m": 0.0})
    found = expected_loss(int(Loss[loss.upper()]), mean, s, DENSITY_TABLE)
    assert found == pytest.approx([float(expected[f"{loss}_{name}"]) for name in NAMES], rel=EXACT, abs=1e-15)


@pytest.mark.parametrize(("mean", "s"), [(0.3, 0.8), (-1.2, 2.0), (4.0, 6.0)])
def test_the_expected_logistic_loss(mean, s):
    """Gauss-Legendre panels of the derived integrands; the code's own rule is another one."""
    node, mass = np.polynomial.legendre.leggauss(40)
    edges = np.linspace(-13, 13, 41)
    half, middle = np.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
    x = (middle[:, None] + half[:, None] * node).ravel()
    weight = (half[:, None] * mass).ravel() * np.exp(-x * x / 2) / np.sqrt(2 * np.pi)
    at = evaluate("expected_losses.closed_forms", {"mean": 0.0, "s": 1.0, "m": mean + s * x})
    value, slope, bend = (at[f"logistic_{name}"] for name in NAMES[:3])
    expected = [weight @ integrand for integrand in (value, slope, bend, bend * x, bend * x * x)]
    assert expected_loss(int(Loss.LOGISTIC), mean, s, DENSITY_TABLE) == pytest.approx(expected, rel=EXACT, abs=EXACT)
    finer = expected_logistic(mean, s, DENSITY_TABLE, logistic_stride(s) // 2)
    assert finer == pytest.approx(expected, rel=EXACT, abs=EXACT)


def population_problem(loss, seed):
    """Two groups at random, their symbols, and a point theta (3,)."""
    problem = two_groups(seed, loss)
    mixture = GroupMixture.of(
        means=problem.means, covariances=problem.covariances, noise_dim=0, labels=(-1, 1), attributes=(-1, 1)
    )
    mass = problem.shares * problem.weights
    objective = PopulationObjective.of(mixture, mass, loss, ridge=0.07, anchor=0.3, centre=problem.centre)
    theta = np.random.default_rng(seed).normal(size=3)
    return problem, objective._replace(smoothing=0.0), theta


@pytest.mark.parametrize("loss", [loss for loss in Loss if loss is not Loss.MAX_MARGIN])
@pytest.mark.parametrize("seed", range(2))
def test_the_population_objective(loss, seed):
    problem, objective, theta = population_problem(loss, seed)
    values = symbols_of(problem) | head_symbols(theta[:2], theta[2])
    gradient, hessian_found = np.empty(3), np.empty((3, 3))
    total = expand(objective, theta, gradient, hessian_found)
    told_gradient, told_hessian = np.zeros(3), np.diag([0.37, 0.37, 0.3])
    away = theta - problem.centre
    told = 0.07 * theta[:2] @ theta[:2] / 2 + 0.3 * away @ away / 2
    moments = {}
    for g, mass in enumerate(objective.mass):
        mean = problem.labels[g] * (problem.means[g] @ theta[:2] + theta[2])
        s = np.sqrt(theta[:2] @ problem.covariances[g] @ theta[:2])
        law = dict(zip(NAMES, expected_loss(int(loss), mean, s, DENSITY_TABLE), strict=True))
        law["curvature_xx"] -= law["curvature"]  # the calculus has G^2 - 1
        moments |= {f"{name}_{g + 1}": moment for name, moment in law.items()} | {f"pi{g + 1}": mass}
        # The expansion is derived for the first group.
        own = [name for name in values if name[0] in "yms" and name[1:2] == str(g + 1)]
        as_first = {name.replace(str(g + 1), "1", 1): values[name] for name in own}
        as_first |= {f"{name}_1": moment for name, moment in law.items()} | {"s_1": s}
        part = evaluate("expected_losses.expansion", values | as_first)
        told += mass * law["value"]
        told_gradient += mass * np.array([part[f"gradient_{i}"] for i in (1, 2, 3)])
        told_hessian += mass * np.array([[part[f"hessian_{i}{j}"] for j in (1, 2, 3)] for i in (1, 2, 3)])
    told_gradient += [part[f"penalty_{i}"] for i in (1, 2, 3)]
    assert total == pytest.approx(told, rel=EXACT)
    assert close(gradient, told_gradient)
    assert close(hessian_found, told_hessian)
    # The same gradient as a limit of T8, which has no anchor there.
    free = objective._replace(anchor=0.0)
    limit = evaluate("limits.population", values | moments)
    assert close(free.gradient(theta), np.array([limit[f"gradient_{i}"] for i in (1, 2, 3)]))


def along_eigenvectors(objective):
    eigenvalues, vectors = np.linalg.eigh(objective.curvature(1.0))
    return eigenvalues, vectors


def test_descent_and_flow_of_a_population():
    _, objective, start = population_problem(Loss.SQUARED, 3)
    z, vectors = along_eigenvectors(objective)
    force = -vectors.T @ objective.gradient(start)
    steps, eta = 7, 0.2
    filters = evaluate("descent.filters", {"z": z, "eta": eta, "T": steps, "t": 1.3})
    found = descend(objective, start, [steps], step_size=eta)[0]
    assert found == pytest.approx(start + vectors @ (filters["descent"] * force), rel=EXACT)
    assert gradient_flow(objective, 1.3, start) == pytest.approx(start + vectors @ (filters["flow"] * force), rel=EXACT)
    assert flow_filters(z.astype(complex), np.array([1.3]))[0] == pytest.approx(filters["flow"], rel=EXACT)
    momentum = 0.6
    roots = np.array([np.roots([1.0, -(1.0 + momentum - eta * at), momentum]) for at in z]).T
    left = evaluate("descent.momentum", {"r1": roots[0], "r2": roots[1], "T": steps})["left"].real
    found = descend(objective, start, [steps], step_size=eta, momentum=momentum)[0]
    assert found == pytest.approx(start + vectors @ ((1 - left) / z * force), rel=EXACT)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.95])
def test_stable_steps(momentum):
    stable = evaluate("stability.stable_steps", {"mu": momentum})
    for nesterov, name in ((False, "heavy_ball"), (True, "nesterov")):
        assert descent_rule.stability(momentum, nesterov) == pytest.approx(stable[name], rel=EXACT)
        problem, objective, start = population_problem(Loss.SQUARED, 5)
        top = np.linalg.eigvalsh(objective.curvature(1.0))[-1]
        step = largest_stable_step(objective, momentum, nesterov)
        assert step == pytest.approx(stable[name] / top, rel=EXACT)
        # Either side of it, by iterating.
        paths = [
            descend(objective, start, [700], step_size=at * step, momentum=momentum, nesterov=nesterov)[0]
            for at in (0.98, 1.02)
        ]
        assert np.linalg.norm(paths[0]) < 10 < np.linalg.norm(paths[1])
    found = hessian.largest_stable_step(problem, momentum)
    assert found == pytest.approx(stable["heavy_ball"] / hessian.top_eigenvalue(problem), rel=EXACT)


@pytest.mark.parametrize("rows", [100, 400])
def test_the_limit_of_data(rows):
    mu_y, mu_a, rho = np.array([1.1, 0.3]), np.array([0.2, 0.8]), 0.4
    covariance = np.array([[0.6, 0.1], [0.1, 0.9]])
    law = replace(two_by_two(mu_y, mu_a, covariance, rho, noise_dim=80), noise_std=np.full(4, 0.7))
    within, half = covariance + (1 - rho**2) * np.outer(mu_a, mu_a), mu_y + rho * mu_a
    values = {"delta": 80 / rows, "sigma": 0.7, "length2": half @ half, "along": half @ within @ half}
    values |= {"trace": np.trace(within) + 80 * 0.49, "A": half @ np.linalg.solve(within, half)}
    expected, found = evaluate("finite_data.data_limit", values), data_limit(law, rows)
    for name in ("nc1", "cdnv", "vci"):
        assert getattr(found, name) == pytest.approx(expected[name], rel=EXACT)
    grown = evaluate("finite_data.inverse_covariance", values)["inverse"] * (values["A"] + values["delta"])
    assert found.vci == pytest.approx(1 / (1 + grown), rel=EXACT)


def test_the_metrics_of_rows():
    """By projections of the rows, against traces of their moments."""
    rng = np.random.default_rng(0)
    y = np.repeat([-1.0, 1.0], [30, 50])
    x = rng.normal(size=(80, 3)) @ rng.normal(size=(3, 3)) + np.outer(y, [1.0, 0.4, -0.3])
    means = [x[y == side].mean(axis=0) for side in (-1, 1)]
    half = (means[1] - means[0]) / 2
    within = sum(np.cov(x[y == side].T, bias=True) for side in (-1, 1)) / 2
    assert units_of_data(x, y).centred[1] == pytest.approx(half, rel=EXACT)
    values = {f"c{i}{j}": within[i, j] for i in range(3) for j in range(i, 3)}
    expected = evaluate("neural_collapse.nc1_and_cdnv", values | {f"m{i + 1}": half[i] for i in range(3)})
    found = from_data(x, y)
    assert [found.nc1, found.cdnv] == pytest.approx([expected["nc1"], expected["cdnv"]], rel=EXACT)
    assert nc1_of_data(x, y) == pytest.approx(expected["nc1"], rel=EXACT)
    widths, axes = np.linalg.eigh(within)
    values = {f"w{i + 1}": widths[i] for i in range(3)} | {f"m{i + 1}": (axes.T @ half)[i] for i in range(3)}
    assert found.vci == pytest.approx(evaluate("neural_collapse.vci", values | {"tau": 1.0})["vci"], rel=EXACT)


def test_interactions():
    values = np.random.default_rng(0).normal(size=(2, 2, 2))
    names = {"v_" + "".join(str(i) for i in range(3) if on[i]): values[on] for on in np.ndindex(values.shape)}
    expected = evaluate("interactions.alternating_differences", names)
    for i in range(3):
        assert interaction(values, 3, [i]) == pytest.approx(expected[f"main_{i}"], rel=EXACT)
    assert interaction(values, 3, [0, 1]) == pytest.approx(expected["pair"], rel=EXACT)
    assert interaction(values, 3, [0, 1, 2]) == pytest.approx(expected["triple"], rel=EXACT)
    assert joint_interaction(values, 3, [[0], [1, 2]]) == pytest.approx(expected["joint"], rel=EXACT)
    assert shapley(values)[0] == pytest.approx(expected["main_0"] + expected["triple"] / 12, rel=EXACT)


def test_the_mean_of_heads():
    rng = np.random.default_rng(0)
    v = rng.normal(size=(2, 7))
    heads = Head.of(rng.normal(size=(2, 2)), rng.normal(size=2), np.linalg.norm(v, axis=1))
    found, gram = average(heads, v @ v.T), v @ v.T
    values = {"g11": gram[0, 0], "g12": gram[0, 1], "g22": gram[1, 1]}
    values |= {f"{name}{j + 1}": v[i, j] for i, name in enumerate("vw") for j in (0, 1)} | {"e1": 0.5, "e2": 2.0}
    for told, (first, second) in ((found.bias, heads.bias), (found.signal[1], heads.signal[:, 1])):
        expected = evaluate("head_summary.mean_of_heads", values | {"f1": first, "f2": second})
        assert told == pytest.approx(expected["signal"], rel=EXACT)
    assert found.noise_norm == pytest.approx(expected["norm"], rel=EXACT)
    assert found.noise_norm == pytest.approx(np.linalg.norm(v.mean(axis=0)), rel=EXACT)
    spreads = (v[:, :2] * [0.5, 2.0]) @ v[:, :2].T
    assert average(heads, gram, spreads).noise_spread ** 2 == pytest.approx(expected["spread2"], rel=EXACT)


def test_accuracies_of_classes():
    mixture, head = random_mixture(np.random.default_rng(3)), Head.of([0.7, 0.2], 0.1, 0.5)
    accuracy = group_accuracy(head, mixture)
    values = {f"pi{g + 1}": mixture.proportions[g] for g in range(4)} | {f"acc{g + 1}": accuracy[g] for g in range(4)}
    expected = evaluate("head_summary.accuracy_of_classes", values)
    least = min(expected["class_-1"], expected["class_+1"])
    assert worst_class_accuracy(accuracy, mixture) == pytest.approx(least, rel=EXACT)
    assert read_out(head, mixture).worst_class_accuracy == pytest.approx(least, rel=EXACT)
    assert read_out(head, mixture).average_accuracy == pytest.approx(expected["average"], rel=EXACT)
