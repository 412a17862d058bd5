"""Theory against code: the derived expressions equal the numbers llrsim computes, at random points."""

import importlib
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from sympy import lambdify

from llrsim.attribution import shapley
from llrsim.model import head
from llrsim.model.collapse import class_centres, collapse
from llrsim.model.losses import Loss
from llrsim.model.mixture import GroupMixture
from llrsim.model.neural_collapse import from_mixture, units_of_mixture
from llrsim.prediction import (
    PopulationObjective,
    effective_correlation,
    fully_collapsed_accuracies,
    least_squares,
    orthogonal_least_squares,
    spurious_weight_ratio,
)
from llrsim.prediction.population import descent_filter, flow_filter

EXACT = 1e-12


@cache
def derived(name):
    """The derivation called `module.function`, made once."""
    module, _, function = name.rpartition(".")
    return getattr(importlib.import_module(f"theory.{module}"), function)()


def evaluate(name, expression, **values):
    """A result of a derivation at numbers; every symbol needs its value."""
    formula = derived(name).result[expression]
    missing = {symbol.name for symbol in formula.free_symbols} - values.keys()
    assert not missing, missing
    symbols = sorted(formula.free_symbols, key=str)
    return lambdify(symbols, formula, "scipy")(*(values[symbol.name] for symbol in symbols))


def fit(mixture, mass=None, ridge=0.0):
    """The population least-squares head (u, b)."""
    masses = mixture.proportions if mass is None else mass
    return least_squares(PopulationObjective.of(mixture, masses, Loss.SQUARED, ridge=ridge))


def two_by_two(mu_y, mu_a, covariance, rho, *, noise_dim=0):
    means = [y * np.asarray(mu_y) + a * np.asarray(mu_a) for y in (-1, 1) for a in (-1, 1)]
    proportions = [(1 + rho) / 4, (1 - rho) / 4, (1 - rho) / 4, (1 + rho) / 4]
    return GroupMixture.of(means=means, covariances=covariance, noise_dim=noise_dim, proportions=proportions)


def random_mixture(rng):
    """Unequal group covariances and proportions, means in general position."""
    root = rng.normal(size=(4, 2, 2))
    return GroupMixture.of(
        means=rng.normal(size=(4, 2)) + np.outer([-1, -1, 1, 1], [1.0, 0.5]),
        covariances=root @ root.transpose(0, 2, 1) + 0.2 * np.eye(2),
        noise_dim=0,
        proportions=rng.dirichlet(np.full(4, 4.0)),
    )


@pytest.fixture(params=range(5))
def rng(request):
    return np.random.default_rng(request.param)


def test_accuracy_of_a_group(rng):
    mixture = random_mixture(rng)
    u, bias, q = rng.normal(size=2), rng.normal(), rng.uniform(0.1, 2)
    found = head.group_accuracy(head.Head.of(u, bias, q), mixture)
    for g in range(4):
        expected = evaluate(
            "readout.accuracy",
            "accuracy",
            y=mixture.labels[g],
            mu=u @ mixture.means[g],
            s2=u @ mixture.covariances[g] @ u,
            sigma=mixture.noise_std[g],
            b=bias,
            q=q,
        )
        assert found[g] == pytest.approx(expected, rel=EXACT)


def test_best_bias_of_two_groups(rng):
    s, t = rng.uniform(0.5, 2, size=2)
    lower, upper = rng.normal(size=2)
    pair = GroupMixture.of(
        means=[[lower], [upper]], covariances=[[[t**2]], [[s**2]]], noise_dim=0, labels=(-1, 1), attributes=(-1, 1)
    )
    values = {"A": upper, "B": lower, "s": s, "t": t}
    best = evaluate("readout.best_bias", "bias", **values)
    found = head.read_out(head.Head.of([1.0], best, 0.0), pair)
    assert found.bias_part == pytest.approx(0.0, abs=EXACT)
    score = evaluate("readout.best_bias", "score", **values)
    accuracy = evaluate("readout.accuracy", "accuracy", y=1.0, mu=score, s2=1.0, sigma=0.0, b=0.0, q=0.0)
    assert found.direction_wga == pytest.approx(accuracy, rel=EXACT)


def test_normal_equations(rng):
    root, ridge = rng.normal(size=(3, 2, 2)), rng.uniform(0, 1)
    mixture = GroupMixture.of(
        means=rng.normal(size=(3, 2)),
        covariances=root @ root.transpose(0, 2, 1),
        noise_dim=0,
        labels=(-1, 1, 1),
        attributes=(0, 0, 1),
    )
    mass = rng.dirichlet(np.full(3, 3.0))
    found = fit(mixture, mass, ridge)
    values = {"u1": found[0], "u2": found[1], "p1": mass[0], "p2": mass[1], "lambda": ridge}
    for g in range(3):
        covariance = mixture.covariances[g]
        values |= {f"y{g + 1}": mixture.labels[g], f"m{g + 1}1": mixture.means[g, 0], f"m{g + 1}2": mixture.means[g, 1]}
        values |= {f"s{g + 1}{i + 1}{j + 1}": covariance[i, j] for i, j in ((0, 0), (0, 1), (1, 1))}
    assert found[2] == pytest.approx(evaluate("least_squares.normal_equations", "bias", **values), rel=EXACT)
    for name in ("residual_1", "residual_2"):
        assert evaluate("least_squares.normal_equations", name, **values) == pytest.approx(0.0, abs=EXACT)


def test_least_squares_direction(rng):
    n11, n12, n22 = rng.normal(size=3)
    rho = rng.uniform(-0.95, 0.95)
    # Undo the derivation's whitening: features are `root` times its features, so heads are root'^-1 times its heads.
    root = rng.normal(size=(2, 2))
    found = fit(two_by_two(root @ [n11, 0.0], root @ [n12, n22], root @ root.T, rho))
    values = {"n11": n11, "n12": n12, "n22": n22, "rho": rho}
    expected = [evaluate("least_squares.direction", name, **values) for name in ("u1", "u2")]
    assert root.T @ found[:2] == pytest.approx(expected, rel=EXACT, abs=EXACT)
    assert found[2] == pytest.approx(0.0, abs=EXACT)


def test_least_squares_accuracies(rng):
    values = dict(zip(("S_y", "S_a", "rho"), rng.uniform(0.05, 0.95, size=3) * [4, 4, 1], strict=True))
    found = orthogonal_least_squares(*values.values())
    for name in ("majority", "minority"):
        assert getattr(found, name) == pytest.approx(evaluate("least_squares.accuracies", name, **values), rel=EXACT)


def test_effective_correlation(rng):
    rho, flip = rng.uniform(-0.95, 0.95), rng.uniform(0.01, 0.99)
    expected = evaluate("least_squares.effective_correlation", "correlation", rho=rho, e=flip)
    assert effective_correlation(rho, flip) == pytest.approx(expected, rel=EXACT, abs=EXACT)


def test_collapsed_groups(rng):
    mixture = random_mixture(rng)
    centres, (tau_n, tau_a) = class_centres(mixture), rng.uniform(size=2)
    found = collapse(mixture, centres, noise=tau_n, attribute=tau_a)
    shares = mixture.class_share()
    for g in range(4):
        for i in range(2):
            first = 2 * (g // 2)  # of the two groups of the class
            pair = {"P": shares[first], "m1": mixture.means[first, i], "m2": mixture.means[first + 1, i]}
            expected = evaluate("collapse.collapsed_groups", "centre", **pair)
            assert centres[g, i] == pytest.approx(expected, rel=EXACT)
            expected = evaluate(
                "collapse.collapsed_groups", "mean", c=centres[g, i], m=mixture.means[g, i], tau_a=tau_a
            )
            assert found.means[g, i] == pytest.approx(expected, rel=EXACT)
            root = np.linalg.cholesky(mixture.covariances[g])
            expected = evaluate("collapse.collapsed_groups", "covariance", s=root[i, 0], t=root[i, 1], tau_n=tau_n)
            assert found.covariances[g, i, i] == pytest.approx(expected, rel=EXACT)


def test_filters_of_descent(rng):
    z, eta = rng.uniform(0.1, 2.0), rng.uniform(0.1, 0.5)
    for steps in (1, 7, 40):
        expected = evaluate("descent.filters", "descent", z=z, eta=eta, T=steps)
        assert descent_filter([z], steps, eta) == pytest.approx([expected], rel=EXACT)
        expected = evaluate("descent.filters", "flow", z=z, t=steps * eta)
        assert flow_filter([z], steps * eta) == pytest.approx([expected], rel=EXACT)


def test_class_collapse_of_the_head(rng):
    mixture, tau = random_mixture(rng), rng.uniform(0.05, 0.9)
    share = float(mixture.proportions[mixture.labels > 0].sum())
    centres = class_centres(mixture)
    gap = centres[3] - centres[0]
    within = np.einsum("g,gij->ij", mixture.proportions, mixture.covariances)
    within += (mixture.proportions * (mixture.means - centres).T) @ (mixture.means - centres)
    direction = np.linalg.solve(within, gap)
    found = fit(collapse(mixture, centres, noise=tau, attribute=tau))
    values = {"tau": tau, "P": share}
    separation = float(gap @ direction)
    bias = evaluate(
        "class_collapse.collapse_and_bias",
        "relative_bias",
        D=separation,
        mbar=float(direction @ (mixture.proportions @ mixture.means)),
        **values,
    )
    scale = found[:2] @ direction / (direction @ direction)
    assert found[:2] == pytest.approx(scale * direction, rel=EXACT)
    assert found[2] / scale == pytest.approx(bias, rel=EXACT, abs=EXACT)
    # The derivation of the scale takes Delta along an axis: rotate Sigma_W so that it is.
    turn = np.array([[gap[0], gap[1]], [-gap[1], gap[0]]]) / np.linalg.norm(gap)
    turned = turn @ within @ turn.T
    values |= {"Delta": np.linalg.norm(gap), "w11": turned[0, 0], "w12": turned[0, 1], "w22": turned[1, 1]}
    assert scale == pytest.approx(evaluate("class_collapse.class_collapse", "scale", **values), rel=EXACT)


def test_ridge_on_collapsed_features(rng):
    tau, ridge, rho = *rng.uniform(0.1, 0.9, size=2), rng.uniform(0, 0.9)
    root = rng.normal(size=(2, 2))
    covariance = root @ root.T + 0.1 * np.eye(2)
    mixture = two_by_two([1.3, 0.0], [0.0, 0.0], covariance, rho)
    found = fit(collapse(mixture, class_centres(mixture), noise=tau, attribute=tau), ridge=ridge)
    expected = evaluate(
        "class_collapse.collapse_and_ridge",
        "slope",
        tau=tau,
        **{"lambda": ridge, "w11": covariance[0, 0], "w12": covariance[0, 1], "w22": covariance[1, 1]},
    )
    assert found[1] / found[0] == pytest.approx(expected, rel=EXACT)


def test_unequal_collapse(rng):
    mu_c, mu_s, sigma_c, sigma_s = rng.uniform(0.3, 2, size=4)
    tau_n, tau_a, rho = rng.uniform(0.1, 0.95, size=3)
    expected = evaluate(
        "class_collapse.unequal_collapse",
        "ratio",
        mu_c=mu_c,
        mu_s=mu_s,
        sigma_c=sigma_c,
        sigma_s=sigma_s,
        tau_n=tau_n,
        tau_a=tau_a,
        rho=rho,
    )
    found = spurious_weight_ratio(
        core=(mu_c, sigma_c), spurious=(mu_s, sigma_s), correlation=rho, noise_collapse=tau_n, attribute_collapse=tau_a
    )
    assert found == pytest.approx(expected, rel=EXACT)
    mixture = two_by_two([mu_c, 0.0], [0.0, mu_s], np.diag([sigma_c**2, sigma_s**2]), rho)
    fitted = fit(collapse(mixture, class_centres(mixture), noise=tau_n, attribute=tau_a))
    assert fitted[1] / fitted[0] == pytest.approx(expected, rel=EXACT)


def test_full_collapse(rng):
    values = dict(zip(("S_y", "S_a", "rho"), rng.uniform(0.05, 0.95, size=3) * [4, 4, 1], strict=True))
    found = fully_collapsed_accuracies(*values.values())
    for name in ("majority", "minority"):
        assert getattr(found, name) == pytest.approx(
            evaluate("class_collapse.full_collapse", name, **values), rel=EXACT
        )


def test_moments_of_collapsed_classes(rng):
    mu_y, mu_a, root = rng.normal(size=2), rng.normal(size=2), rng.normal(size=(2, 2))
    (tau_n, tau_a), rho = rng.uniform(0.05, 1, size=2), rng.uniform(-0.9, 0.9)
    covariance = root @ root.T
    mixture = two_by_two(mu_y, mu_a, covariance, rho)
    units = units_of_mixture(collapse(mixture, class_centres(mixture), noise=tau_n, attribute=tau_a), "class")
    within = units.root.T @ units.root
    values = {"a1": mu_a[0], "a2": mu_a[1], "rho": rho, "tau_n": tau_n, "tau_a": tau_a}
    values |= {"s11": covariance[0, 0], "s12": covariance[0, 1], "s22": covariance[1, 1]}
    for i, j in ((0, 0), (0, 1), (1, 1)):
        expected = evaluate("neural_collapse.moments", f"within_{i + 1}{j + 1}", **values)
        assert within[i, j] == pytest.approx(expected, rel=EXACT, abs=EXACT)
    assert units.centred[1] == pytest.approx(mu_y + rho * mu_a, rel=EXACT)


def test_neural_collapse_metrics(rng):
    half, spread, tau = rng.normal(size=3), rng.uniform(0.3, 2, size=3), rng.uniform(0.05, 0.9)
    mixture = two_by_two(half, np.zeros(3), np.diag(spread), 0.3)
    axes = {f"m{i + 1}": half[i] for i in range(3)}
    entries = {f"c{i}{j}": spread[i] * (i == j) for i in range(3) for j in range(i, 3)}
    found = from_mixture(mixture)
    for name in ("nc1", "cdnv"):
        expected = evaluate("neural_collapse.nc1_and_cdnv", name, **axes, **entries)
        assert getattr(found, name) == pytest.approx(expected, rel=EXACT)
    collapsed = from_mixture(collapse(mixture, class_centres(mixture), noise=tau, attribute=tau))
    widths = {f"w{i + 1}": spread[i] for i in range(3)}
    expected = evaluate("neural_collapse.vci", "vci", tau=tau, **axes, **widths)
    assert collapsed.vci == pytest.approx(expected, rel=EXACT)
    # Noise coordinates count in CDNV as any other.
    noisy = from_mixture(
        replace(mixture, eigenvalues=np.ones(1), multiplicities=np.array([7]), noise_std=np.full(4, 0.5))
    )
    assert noisy.cdnv == pytest.approx(found.cdnv + 7 * 0.25 / (4 * half @ half), rel=EXACT)


@pytest.mark.parametrize(("name", "switches"), [("shapley.two_switches", 2), ("shapley.five_switches", 5)])
def test_shapley_values(name, switches, rng):
    values = rng.normal(size=(2,) * switches)
    names = {"v_" + "".join(str(i) for i in range(switches) if on[i]): values[on] for on in np.ndindex(values.shape)}
    expected = [evaluate(name, f"phi_{i}", **names) for i in range(switches)]
    assert shapley(values) == pytest.approx(expected, rel=EXACT, abs=EXACT)
