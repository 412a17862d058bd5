"""Theory against code in the proportional limit: descent and online SGD on least squares (T14, T15)."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from test_theory_numbers import EXACT
from theory_cases import evaluate, symbols_of, two_groups

from llrsim.model.losses import Loss
from llrsim.prediction.descent import descent_filters, descent_path, flow_path, online_path, top_eigenvalue


@pytest.mark.parametrize("momentum", [0.3, 0.9])
def test_the_filter_with_momentum(momentum):
    z, eta = np.array([0.4 + 0.2j, 1.3 - 0.1j]), 0.3
    roots = np.array([np.roots([1.0, -(1.0 + momentum - eta * at), momentum]) for at in z]).T
    for steps in (1, 7, 40):
        left = evaluate("descent.momentum", {"r1": roots[0], "r2": roots[1], "T": steps})["left"]
        assert descent_filters(z, [steps], eta, momentum)[0] == pytest.approx((1 - left) / z, rel=EXACT)


def test_descent_from_the_noise_of_two_ridge_heads():
    """A plain circle, V as the root of its polynomial, the derived Q: independent of the contour and V that run."""
    problem = two_groups(4, Loss.SQUARED, k=1, spectrum=np.ones(120), anchor=0.0, centre=np.zeros(2))
    scale, pi_g = problem.weights * problem.noise_std**2, problem.shares
    steps, eta, time, count = 3, 0.15, 1.1, 400
    top = 2.0 / descent_path(problem, [1], 0.01).largest_stable_step
    angle = 2 * np.pi * (np.arange(count) + 0.5) / count
    z = top / 2 + (top / 2 + 1.0) * np.exp(1j * angle)
    V, heads = [], []
    for at in z:
        factors = [np.poly1d([s, 1.0]) for s in scale]
        noise = sum(p * s * factors[1 - g] for g, (p, s) in enumerate(zip(pi_g, scale, strict=True)))
        whole = (
            np.poly1d([problem.ridge - at, -problem.ratio]) * factors[0] * factors[1] + np.poly1d([1.0, 0.0]) * noise
        )
        # Im V > 0 where Im z > 0 is one root only.
        roots = whole.roots[whole.roots.imag * at.imag > 0]
        assert len(roots) == 1
        V.append(roots[0])
        c = pi_g * problem.weights / (1 + scale * V[-1])
        points = np.column_stack([problem.means[:, 0], np.ones(2)])
        matrix = (points.T * c) @ points + np.diag([c @ problem.covariances[:, 0, 0] + problem.ridge - at, -at])
        heads.append(np.linalg.solve(matrix, (c * problem.labels) @ points))
    V, heads = np.array(V), np.array(heads)
    law = {
        f"{name}{g + 1}": array[g]
        for g in (0, 1)
        for name, array in (
            ("pi", pi_g),
            ("omega", problem.weights),
            ("sigma", problem.noise_std),
            ("m", problem.means[:, 0]),
            ("S", problem.covariances[:, 0, 0]),
        )
    }
    pair = {"V1": V[:, None], "V2": V[None, :], "u1": heads[:, None, 0], "u2": heads[None, :, 0]}
    trace = V[:, None] * V[None, :] / problem.ratio
    pair |= {"b1": heads[:, None, 1], "b2": heads[None, :, 1], "K1": trace, "K2": trace}
    Q = evaluate("descent.noise_products", law | pair)["Q"]
    # From zero, in one eigendirection of slope g at 0: the head w^z has moved by g/(h - z).
    resolvent = evaluate("descent.resolvent", {"z": z, "eta": eta, "h": 1.7, "g": 0.6, "w0": 0.0})
    assert resolvent["moved"] == pytest.approx(0.6 / (1.7 - z), rel=EXACT)
    flow = evaluate("descent.filters", {"z": z, "t": time, "eta": eta, "T": steps})["flow"]
    for filters, path in (
        (resolvent["filter"], descent_path(problem, [steps], eta)),
        (flow, flow_path(problem, [time])),
    ):
        weight = -filters * (z - top / 2) / count  # dz / (2 pi i) = (z - centre) d angle / (2 pi)
        assert [*path.heads.signal[0], path.heads.bias[0]] == pytest.approx((weight @ heads).real, abs=EXACT)
        assert path.heads.noise_norm[0] ** 2 == pytest.approx((weight @ Q @ weight).real, rel=EXACT)


def test_the_edge_of_the_bulk():
    """Noise so large that no eigenvalue of the signal or the bias is above it."""
    problem = two_groups(9, Loss.SQUARED, k=1, spectrum=np.ones(120), anchor=0.0, centre=np.zeros(2))
    problem = problem._replace(means=np.zeros((2, 1)), noise_std=np.array([4.0, 6.0]))
    pole = 1.0 / (problem.weights * problem.noise_std**2).max()
    values = symbols_of(problem)
    least = minimize_scalar(
        lambda V: evaluate("descent.bulk_edge", values | {"V": V})["z"],
        bounds=(-pole, 0.0),
        method="bounded",
        options={"xatol": 1e-12},
    )
    assert top_eigenvalue(problem) == pytest.approx(least.fun, rel=EXACT)
    edge = evaluate("descent.bulk_edge", values | {"V": least.x})
    assert edge["slope"] * pole == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("draw", ["weights", "mass"])
def test_online_steps(draw):
    """The path's velocity, by an eighth-order difference, is the mean of one step."""
    problem, eta, h = two_groups(6, Loss.SQUARED, k=1, anchor=0.0, centre=np.zeros(2)), 0.3, 0.02
    times = 0.7 + h * np.arange(-4, 5)
    path = online_path(problem, times, eta, draw=draw, start=[0.5, -0.2], noise_norm=0.8)
    heads, e = path.heads, problem.eigenvalues
    Q = np.linalg.solve([np.ones(2), e], [heads.noise_norm**2, heads.noise_spread**2])
    state = np.stack([heads.signal[:, 0], heads.bias, *Q])
    velocity = state @ np.array([1 / 280, -4 / 105, 1 / 5, -4 / 5, 0, 4 / 5, -1 / 5, 4 / 105, -1 / 280]) / h
    u, b, Q1, Q2 = state[:, 4]
    mass, expected, feedback = problem.shares * problem.weights, np.zeros(4), 0.0
    for g in range(2):
        share, weight = (problem.shares[g], problem.weights[g]) if draw == "weights" else (mass[g], 1.0)
        of_group = {"omega": weight, "sigma": problem.noise_std[g], "m": problem.means[g, 0], "y": problem.labels[g]}
        values = symbols_of(problem) | of_group | {"root": np.sqrt(problem.covariances[g, 0, 0]), "eta": eta}
        step = evaluate("online.one_step", values | {"u": u, "b": b, "Q1": Q1, "Q2": Q2})
        expected += share * np.array(list(step.values()))
        feedback += share * weight**2 * problem.noise_std[g] ** 4
    assert velocity == pytest.approx(expected, abs=EXACT)
    decays = e * (mass @ problem.noise_std**2) + problem.ridge
    values = symbols_of(problem) | {"F": feedback, "D1": decays[0], "D2": decays[1]}
    stable = evaluate("online.stability", values)["largest_stable_step"]
    assert path.largest_stable_step == pytest.approx(stable, rel=EXACT)
