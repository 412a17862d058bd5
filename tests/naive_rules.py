"""The rules of AFR, SELF, group DRO, adjusted logits and controls, literally; imports nothing of llrsim."""

import numpy as np
from scipy.optimize import minimize


def probability(f):
    """P(y = +1) at logit f."""
    return 1.0 / (1.0 + np.exp(-f))


def confidence(gamma, y, f):
    """AFR: exp(-gamma P(true class)) over the rows of the class, over all points."""
    true = np.where(y > 0, probability(f), 1.0 - probability(f))
    rows = np.array([np.sum(y == label) for label in y])
    weight = np.exp(-gamma * true) * len(y) / rows
    return weight / weight.sum()


def hardest(k, y, score):
    """The k rows of largest score, classes balanced among them."""
    chosen = np.argsort(score)[-k:]
    weight = np.zeros(len(y))
    for label in (-1.0, 1.0):
        mine = chosen[y[chosen] == label]
        weight[mine] = 1.0 / max(1, len(mine))
    return weight / weight.sum()


def cross_entropy(y, f):
    return np.log(1.0 + np.exp(-y * f))


def divergence(f, g):
    """KL(P_f || P_g) of the class probabilities, row by row."""
    p, q = probability(f), probability(g)
    return p * np.log(p / q) + (1.0 - p) * np.log((1.0 - p) / (1.0 - q))


def matched(mass, groups):
    """Every row of a group weighs the same, and the group has its mass."""
    weight = np.array([mass[g] / np.sum(groups == g) for g in groups])
    return weight / weight.sum()


def logistic(X, y, c, *, ridge, anchor=0.0, to=0.0, scale=1.0, shift=0.0):
    """Minimum of sum c log(1 + exp(shift - scale y x.w)) + ridge |w|^2 / 2 + anchor |w - to|^2 / 2; bias last, free."""
    free = np.append(np.ones(X.shape[1] - 1), 0.0)

    def objective(w):
        m = scale * y * (X @ w) - shift
        pull = -(c * scale * y / (1.0 + np.exp(m))) @ X
        value = c @ np.logaddexp(0.0, -m) + 0.5 * ridge * free @ w**2 + 0.5 * anchor * ((w - to) ** 2).sum()
        return value, pull + ridge * free * w + anchor * (w - to)

    return minimize(objective, np.zeros(X.shape[1]), jac=True, method="BFGS", options={"gtol": 1e-11}).x


def gradient(X, y, c, w, ridge, anchor=0.0, to=0.0):
    free = np.append(np.ones(X.shape[1] - 1), 0.0)
    return -(c * y / (1.0 + np.exp(y * (X @ w)))) @ X + ridge * free * w + anchor * (w - to)


def clipped_descent(X, y, c, start, *, steps, step_size, clip, ridge, anchor):
    """Full-batch descent from `start`, which it is pulled to, with PyTorch's clipping of the gradient's norm."""
    w = start.copy()
    for _ in range(steps):
        g = gradient(X, y, c, w, ridge, anchor, start)
        w = w - step_size * g * min(1.0, clip / (np.linalg.norm(g) + 1e-6))
    return w


def mirror(X, y, groups, *, steps, step_size, ascent, ridge):
    """Sagawa et al.: q_g grows by exp(ascent L_g), then a step of the head on sum q_g L_g."""
    names = np.unique(groups)
    q, w = {g: 1.0 / len(names) for g in names}, np.zeros(X.shape[1])
    for _ in range(steps):
        losses = {g: cross_entropy(y, X @ w)[groups == g].mean() for g in names}
        q = {g: q[g] * np.exp(ascent * losses[g]) for g in names}
        q = {g: q[g] / sum(q.values()) for g in names}
        c = np.array([q[g] / np.sum(groups == g) for g in groups])
        w = w - step_size * gradient(X, y, c, w, ridge)
    return w, q


def face_by_face(masses, rise, bend):
    """The d that maximises rise.d - d'bend d/2 with masses + d on the simplex, by trying every face."""
    U, best, found = len(masses), -np.inf, None
    for code in range(1, 2**U):
        free = np.array([code >> u & 1 for u in range(U)], dtype=bool)
        d = np.where(free, 0.0, -masses)
        A = np.block(
            [[bend[np.ix_(free, free)], np.ones((free.sum(), 1))], [np.ones((1, free.sum())), np.zeros((1, 1))]]
        )
        right = np.append(rise[free] - bend[np.ix_(free, ~free)] @ d[~free], -d[~free].sum())
        d[free] = np.linalg.solve(A, right)[:-1]
        height = rise @ d - 0.5 * d @ bend @ d
        if (masses + d >= -1e-12).all() and height > best:
            best, found = height, d
    return found
