"""Theory against code in the proportional limit: effective weights, margins and slices (T10-T13, T20)."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import norm
from test_theory_numbers import EXACT
from theory_cases import close, evaluate, head_symbols, symbols_of, two_groups

from llrsim.model import gaussian
from llrsim.model.head import Head
from llrsim.model.losses import Loss
from llrsim.model.mixture import GroupMixture
from llrsim.prediction.descent import design, normal_matrix
from llrsim.prediction.fixed_point import fixed_point
from llrsim.prediction.max_margin import max_margin
from llrsim.prediction.problem import ProportionalProblem
from llrsim.prediction.ridge import balanced_direction_weights, ridge_head, solve
from llrsim.prediction.scores import afr_weight, weighted_by_score, with_noise_direction
from llrsim.prediction.separability import least_shortfall, separable, shortfall, threshold


@pytest.mark.parametrize("seed", range(3))
def test_effective_weights(seed):
    problem = two_groups(seed, Loss.SQUARED)
    head = ridge_head(problem)
    values = symbols_of(problem) | head_symbols(head.signal, head.bias, V=head.response)
    expected = evaluate("effective_weights.effective_weights", values)
    for i in (1, 2, 3):
        assert expected[f"normal_{i}"] == pytest.approx(0.0, abs=EXACT)
    assert expected["V_ratio"] == pytest.approx(1.0, rel=EXACT)
    assert head.noise_spread**2 == pytest.approx(expected["q2"], rel=EXACT)
    assert head.noise_norm**2 == pytest.approx(expected["norm2"], rel=EXACT)
    # The equations themselves, where they do not hold.
    theta, V = np.random.default_rng(seed).normal(size=3), 0.7
    off = evaluate("effective_weights.effective_weights", symbols_of(problem) | head_symbols(theta[:2], theta[2], V=V))
    c = problem.shares * problem.weights / (1 + problem.weights * problem.noise_std**2 * V)
    points, _ = design(problem)
    found = normal_matrix(problem, c, 0.0) @ theta - (c * problem.labels) @ points - problem.anchor * problem.centre
    assert close(found, [off[f"normal_{i}"] for i in (1, 2, 3)])
    again = np.empty(3)
    assert solve(problem, again, np.empty(2))[:3] == (head.response, head.noise_norm, head.noise_spread)
    assert again.tolist() == [*head.signal, head.bias]
    balanced = balanced_direction_weights(problem)
    head = ridge_head(problem._replace(weights=balanced))
    c = head.effective_weights[0]
    found = evaluate("effective_weights.balanced_weights", values | {"c": c, "V": head.response})
    assert balanced[0] == pytest.approx(found["weight"], rel=EXACT)
    assert head.response == pytest.approx(found["V"], rel=EXACT)


def test_weights_do_nothing_when_few_rows_are_interpolated():
    """A limit, which is O(ridge) away."""
    options = {"ridge": 1e-9, "anchor": 0.0, "spectrum": np.ones(120)}
    problem = two_groups(0, Loss.SQUARED, **options)._replace(ratio=1.8)
    head = ridge_head(problem)
    limit = evaluate("effective_weights.inert_weights", symbols_of(problem))
    assert head.response * head.effective_weights[0] == pytest.approx(limit["V_c"], rel=1e-7)
    assert head.response * problem.ridge == pytest.approx(limit["lambda_V"], rel=1e-7)


@pytest.mark.parametrize("seed", range(3))
def test_the_shortfall_of_the_margin_program(seed):
    problem, rng = two_groups(seed, margins=[0.7, 1.6]), np.random.default_rng(seed)
    theta, demand = np.append(rng.normal(size=3), rng.uniform(0.3, 2)), rng.uniform(0.3, 2)
    values = symbols_of(problem) | head_symbols(theta[:2], theta[2], q=theta[3], demand=demand, L=0.0)
    expected = evaluate("max_margin.margin_program", values)
    gradient = np.empty(4)
    assert shortfall(problem, theta, demand, gradient, np.empty((4, 4))) == pytest.approx(expected["H"], rel=EXACT)
    assert close(gradient, [expected[f"gradient_{i}"] for i in range(1, 5)])
    c, t = theta[0], theta[3]
    part = evaluate("max_margin.squared_positive_part", {"c": c, "t": t})
    assert gaussian.squared_positive_part(c, t) == pytest.approx(part["square"], rel=EXACT)
    assert gaussian.positive_part(c, t) == pytest.approx(part["first"], rel=EXACT)


def test_max_margin_heads_are_optimal():
    """The constraint alpha H <= q^2 is active, the gradients are parallel, and V is what hard margins leave of d/n."""
    problem = two_groups(2, Loss.MAX_MARGIN, margins=[0.7, 1.6], spectrum=np.ones(120), anchor=0.0)._replace(ratio=3.0)
    head = max_margin(problem)
    gaps, variances = np.empty(2), (problem.noise_std * head.noise_spread) ** 2
    for g in range(2):
        mean = problem.labels[g] * (problem.means[g] @ head.signal + head.bias)
        s = np.sqrt(head.signal @ problem.covariances[g] @ head.signal + variances[g])
        gaps[g] = (problem.margins[g] - mean) / s
    values = symbols_of(problem) | head_symbols(head.signal, head.bias, q=head.noise_spread, demand=1.0)
    expected = evaluate("max_margin.margin_program", values | {"L": problem.shares @ norm.cdf(gaps)})
    assert head.noise_spread**2 == pytest.approx(expected["H"] / problem.ratio, rel=EXACT)
    assert expected["excess"] == pytest.approx(0.0, abs=EXACT)
    gradient = np.array([expected[f"gradient_{i}"] for i in range(1, 5)]) / problem.ratio
    gradient[3] -= 2 * head.noise_spread
    cost = np.append(head.signal, [0.0, head.noise_spread])
    multiplier = -(cost @ gradient) / (gradient @ gradient)
    assert cost + multiplier * gradient == pytest.approx(0.0, abs=EXACT)
    assert fixed_point(problem).envelope == pytest.approx(expected["V"], rel=EXACT)


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_the_threshold_without_signal(share):
    problem = two_groups(1, shares=[1 - share, share], spectrum=np.ones(120))
    problem = problem._replace(means=np.zeros((2, 2)), noise_std=np.ones(2))
    least = minimize_scalar(lambda b: evaluate("max_margin.separability", {"b": b, "pi1": share})["no_signal"])
    assert threshold(problem).threshold == pytest.approx(1 / least.fun, rel=EXACT)
    assert least_shortfall(problem, np.array([0.1, -0.1, 0.2, 1.0]))[0] == pytest.approx(least.fun, rel=EXACT)
    for ratio in (0.99 * least.fun, 1.01 * least.fun):  # d/n on either side of 1/alpha*
        assert separable(problem._replace(ratio=ratio)) == (ratio > least.fun)


def test_a_large_ridge():
    """Solutions at two ridges, without their terms of order 1/ridge; the fixed points are certified to 1e-10."""
    rng = np.random.default_rng(4)
    mixture = GroupMixture.of(
        means=rng.normal(size=(3, 1)),
        covariances=rng.uniform(0.3, 1.0, size=(3, 1, 1)),
        noise_dim=90,
        noise_std=rng.uniform(0.5, 1.5, size=3),
        labels=(-1, -1, 1),
        attributes=(-1, 1, 1),
    )
    mass, counts = np.array([0.2, 0.3, 0.5]), [60, 40, 80]
    one = ProportionalProblem.of(mixture, Loss.LOGISTIC, counts=counts, mass=mass)
    values = {"p": mass[0], "delta": one.ratio} | {f"m{g + 1}": one.means[g, 0] for g in range(3)}
    values |= {f"omega{g + 1}": one.weights[g] for g in range(3)}
    values |= {f"sigma{g + 1}": one.noise_std[g] for g in range(3)}
    expected = evaluate("limits.large_ridge", values)
    found = []
    for ridge in (1e4, 2e4):
        head = fixed_point(one._replace(ridge=ridge))
        found.append([head.signal[0] * ridge, head.bias * ridge, (head.noise_norm * ridge) ** 2])
    # In units of -l'(0) = 1/2. Terms of order 1/ridge^2 are left.
    limit = 2 * np.array(found[1]) - found[0]
    assert limit * [2, 2, 4] == pytest.approx([expected[name] for name in ("signal", "bias", "q2")], rel=1e-6)
    assert found[1][1] * 2 != pytest.approx(expected["bias"], rel=1e-6)


def test_hard_margins_by_class_move_the_bias_alone():
    one, other = (two_groups(2, Loss.MAX_MARGIN, margins=kappa)._replace(ratio=3.0) for kappa in (1.0, [0.7, 1.6]))
    shift = evaluate("limits.margins_by_class", {"kappa_plus": 1.6, "kappa_minus": 0.7})
    first, second = max_margin(one), max_margin(other)
    assert second.signal == pytest.approx(shift["factor"] * first.signal, rel=EXACT)
    assert second.bias == pytest.approx(shift["factor"] * first.bias + shift["shift"], rel=EXACT)
    assert second.noise_spread == pytest.approx(shift["factor"] * first.noise_spread, rel=EXACT)


def test_slices_of_equal_score():
    problem = two_groups(5, spectrum=np.ones(120))
    first = Head.of([0.8, -0.5], 0.2, 0.7)
    weight = afr_weight(2.0, problem.labels, problem.shares)
    sliced, group = weighted_by_score(problem, first, weight)
    values = symbols_of(problem) | {"u01": 0.8, "u02": -0.5, "q0": 0.7}
    u, c, b = np.array([0.4, -0.3]), 0.2, 0.1
    rng = np.random.default_rng(0)
    printed: list[float] = []
    for g in range(2):
        mine = np.nonzero(group == g)[0]
        of_group = {"sigma": problem.noise_std[g], "m1": problem.means[g, 0], "m2": problem.means[g, 1]}
        of_group |= {f"s{ij}": values[f"s{g + 1}{ij}"] for ij in ("11", "12", "22")}
        law = evaluate("earlier_head.slices", values | of_group)
        slope = np.array([law[f"slope_{i}"] for i in (1, 2, 3)])
        left = np.array([[law[f"left_{i}{j}"] for j in (1, 2, 3)] for i in (1, 2, 3)])
        lifted = with_noise_direction(problem, 0.7)
        assert close(lifted.covariances[g], left + np.outer(slope, slope))
        assert lifted.means[g].tolist() == [*problem.means[g], 0.0]
        x = (sliced.means[mine] - np.append(problem.means[g], 0.0)) @ slope / (slope @ slope)
        assert close(sliced.means[mine], np.append(problem.means[g], 0.0) + np.outer(x, slope))
        assert close(sliced.covariances[mine], np.broadcast_to(left, (len(mine), 3, 3)))
        shares = sliced.shares[mine] / sliced.shares[mine].sum()
        assert shares @ np.stack([x, x**2, x**4], axis=1) == pytest.approx([0, 1, 3], abs=EXACT)
        # Any M', M'' that vary with the slice: their sum over slices is the printed sum over groups.
        M1, M2, y = rng.normal(size=len(mine)), rng.uniform(size=len(mine)), problem.labels[g]
        w, t0 = np.append(u, c), np.array([0.8, -0.5, 0.7]) @ slope
        found = (shares * M1 * y) @ sliced.means[mine] + (shares @ M2) * left @ w
        averages = {"D1": shares @ M1, "D2": shares @ M2, "X1": shares @ (M1 * x), "t0": t0, "y": y, "q": 1.0}
        at = values | of_group | head_symbols(u, b, c=c) | averages | {"gamma": 2.0, "share": 1.0, "f0": 0.3}
        expected = evaluate("earlier_head.score_weighted", at)
        assert close(found, [expected[f"part_{i}"] for i in (1, 2, 3)])
        printed.append(expected["afr_weight"])
    # Up to the factor that all weights share and normalisation takes out.
    told = weight(np.full((2, 1), 0.3))[:, 0] * problem.shares
    assert told[1] / told[0] == pytest.approx(printed[1] / printed[0], rel=EXACT)
