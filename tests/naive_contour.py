"""Literal twins of least squares in the proportional limit: samples, loops over steps, and T14 on a plain circle."""

import numpy as np
from scipy.stats import f


def summaries(heads, spectrum, k):
    """u, b, |v|^2 and q^2 of heads (..., p)."""
    noise = heads[..., k + 1 :] ** 2
    return np.concatenate([heads[..., : k + 1], noise.sum(axis=-1)[..., None], (noise @ spectrum)[..., None]], axis=-1)


def joint_p_value(predicted, runs):
    """Hotelling's T^2 test that the mean of `runs` (R, p) is `predicted` (p,): the probability of such a distance."""
    R, p = runs.shape
    gap = runs.mean(axis=0) - predicted
    distance = R * gap @ np.linalg.solve(np.cov(runs.T), gap)
    return f.sf(distance * (R - p) / (p * (R - 1)), p, R - p)


def random_fields(random):
    """Fields of a problem in the proportional limit, over all sizes, weights, collapses, spectra and penalties."""
    groups, k, kinds = random.integers(2, 6), random.integers(1, 4), random.integers(1, 5)
    roots = random.normal(size=(groups, k, k)) * random.choice([0.0, 1e-2, 1.0, 3.0])
    shares = np.maximum(random.dirichlet(np.ones(groups)), 1e-4)
    return {
        "ratio": 10 ** random.uniform(-3, 2),
        "shares": shares / shares.sum(),
        "weights": np.exp(random.normal(size=groups) * random.choice([0.0, 1.0, 2.0])),
        "labels": np.where(np.arange(groups) % 2, 1.0, -1.0),
        "means": random.normal(size=(groups, k)) * 10 ** random.uniform(-1, 1),
        "covariances": roots @ roots.transpose(0, 2, 1),
        "noise_std": 10 ** random.uniform(-1, 0.5, size=groups),
        "eigenvalues": np.exp(2.0 * random.normal(size=kinds)),
        "eigenvalue_shares": random.dirichlet(np.ones(kinds)),
        "ridge": random.choice([0.0, 10 ** random.uniform(-6, 1)]),
        "anchor": random.choice([0.0, 10 ** random.uniform(-3, 0)]),
        "centre": random.normal(size=k + 1),
        "margins": np.ones(groups),
        "scales": np.ones(groups),
        "shifts": np.zeros(groups),
    }


def draw(random, counts, labels, means, covariances, noise_std, spectrum):
    """Rows (s, 1, z) of fixed counts a group, their labels and their groups; `spectrum` (d,) are noise variances."""
    groups = np.repeat(np.arange(len(counts)), counts)
    n, k = len(groups), means.shape[1]
    roots = [np.linalg.svd(covariance) for covariance in covariances]
    roots = np.array([u * np.sqrt(s) for u, s, _ in roots])
    signal = means[groups] + np.einsum("nij,nj->ni", roots[groups], random.normal(size=(n, k)))
    noise = noise_std[groups][:, None] * np.sqrt(spectrum) * random.normal(size=(n, len(spectrum)))
    return np.column_stack([signal, np.ones(n), noise]), labels[groups], groups


def penalty(p, k, ridge, anchor):
    return np.full(p, anchor) + ridge * (np.arange(p) != k)


def ridge_head(X, y, weights, k, ridge, anchor, centre):
    """Minimiser of (1/n) sum om (y - f)^2 / 2 + ridge |w|^2 / 2 + anchor |(w, b) - centre|^2 / 2; column k is bias."""
    n, p = X.shape
    matrix = X.T @ (weights[:, None] * X) / n + np.diag(penalty(p, k, ridge, anchor))
    return np.linalg.solve(matrix, X.T @ (weights * y) / n + anchor * centre)


def interpolator(X, y, k):
    """Least |w| with w.x + b = y in every row."""
    w = np.delete(X, k, axis=1)
    inverse = np.linalg.inv(w @ w.T)
    bias = inverse.sum(axis=0) @ y / inverse.sum()
    return np.insert(w.T @ inverse @ (y - bias), k, bias)


def descend(X, y, weights, k, ridge, anchor, centre, start, steps, step_size, momentum=0.0):
    """All heads w_0 .. w_steps of gradient descent with heavy ball."""
    n, p = X.shape
    heads, step, pull = [start], np.zeros(p), penalty(p, k, ridge, 0.0)
    for _ in range(steps):
        w = heads[-1]
        gradient = X.T @ (weights * (X @ w - y)) / n + pull * w + anchor * (w - centre)
        step = momentum * step - step_size * gradient
        heads.append(w + step)
    return np.array(heads)


def online(random, law, shares, weights, ridge, step, steps, batch, start):
    """Runs of online SGD, all heads (steps + 1, runs, p): each step a batch of fresh rows, groups drawn by `shares`."""
    labels, means, covariances, noise_std, spectrum = law
    (runs, p), k = start.shape, means.shape[1]
    roots = np.linalg.cholesky(covariances)
    heads, pull = [start], penalty(p, k, ridge, 0.0)
    for _ in range(steps):
        w = heads[-1]
        groups = random.choice(len(shares), size=(runs, batch), p=shares)
        signal = means[groups] + np.einsum("rbij,rbj->rbi", roots[groups], random.normal(size=(runs, batch, k)))
        noise = noise_std[groups][..., None] * np.sqrt(spectrum) * random.normal(size=(runs, batch, len(spectrum)))
        X = np.concatenate([signal, np.ones((runs, batch, 1)), noise], axis=2)
        error = weights[groups] * (labels[groups] - np.einsum("rbp,rp->rb", X, w))
        heads.append(w + step * (np.einsum("rb,rbp->rp", error, X) / batch - pull * w))
    return np.array(heads)


def recursion_filter(z, steps, step_size, momentum=0.0):
    """phi_T(z): where T steps from zero bring a coordinate with unit force and curvature z."""
    position = last = 0.0 * z
    for _ in range(steps):
        position, last = position + step_size * (1.0 - z * position) + momentum * (position - last), position
    return position


def circle(steps, step_size, ridge, ratio, shares, weights, labels, means, covariances, noise_std):
    """u, b and q^2 after T steps from zero, isotropic noise, by T14 as it stands: a circle, V along rays from far."""
    groups, k = means.shape
    points = np.column_stack([means, np.ones(groups)])
    moments = np.einsum("gi,gj->gij", points, points)
    moments[:, :k, :k] += covariances
    mass = shares * weights
    signal = np.linalg.eigvalsh(np.tensordot(mass, moments, 1))[-1]
    top = (np.sqrt(signal) + np.sqrt((weights * noise_std**2).max()) * (1 + np.sqrt(ratio))) ** 2 + ridge
    top = min(top, 2 / step_size)
    radius = top / 2 + 2 / (step_size * steps)
    nodes = int(2 * (8 * step_size * steps * radius + steps))
    angle = 2 * np.pi * (np.arange(nodes) + 0.5) / nodes
    ray = np.exp(1j * angle)
    V = -ratio / (200 * radius * ray)
    for far in np.append(np.geomspace(200, 1, 60), np.ones(5)):
        z = top / 2 + far * radius * ray
        for _ in range(4):
            inverse = 1 / (1 + V[:, None] * weights * noise_std**2)
            nu = (mass * noise_std**2 * inverse).sum(axis=1)
            slope = -(mass * weights * noise_std**4 * inverse**2).sum(axis=1)
            V = V - (V * (ridge - z + nu) - ratio) / (ridge - z + nu + V * slope)
    c = mass / (1 + V[:, None] * weights * noise_std**2)
    matrix = np.tensordot(c, moments, 1).astype(complex)
    matrix -= z[:, None, None] * np.eye(k + 1)
    matrix[:, range(k), range(k)] += ridge
    head = np.linalg.solve(matrix, (c @ (labels[:, None] * points))[..., None])[..., 0]
    residual, u = labels - head @ points.T, head[:, :k]
    h = weights * noise_std * V[:, None] / (np.sqrt(ratio) * (1 + V[:, None] * weights * noise_std**2))
    forcing, feedback = np.zeros((2, nodes, nodes), dtype=complex)
    for g in range(groups):
        pull = shares[g] * np.outer(h[:, g], h[:, g])
        forcing += pull * (np.outer(residual[:, g], residual[:, g]) + u @ covariances[g] @ u.T)
        feedback += pull * noise_std[g] ** 2
    weight = -(1 - (1 - step_size * z) ** steps) / z * (1j * radius * ray * 2 * np.pi / nodes) / (2j * np.pi)
    q2 = weight @ (forcing / (1 - feedback)) @ weight
    return np.append((weight @ head).real, q2.real)
