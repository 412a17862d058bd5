"""A predicted method from its tables to its accuracies, literally: rows and weights counted, T8 and T14 as printed.

Imports the other naive twins only. Logistic and squared losses; experiments as in `naive_path`, methods whose rows and
weights do not depend on what is drawn.
"""

from typing import NamedTuple

import naive_contour
import naive_path
import naive_proportional
import numpy as np
from scipy.optimize import brentq, root

LABELS = naive_path.LABELS
NODES = {"logistic": 48, "squared": 4}  # of the Gauss-Hermite rules; the squared loss has polynomials to integrate


class Rows(NamedTuple):
    """Sets of rows of one group and one weight: group, number, mass of all of them, share of their kind used."""

    group: np.ndarray
    count: np.ndarray
    mass: np.ndarray
    kept: np.ndarray


def rows_of(e, method, others, masses):
    """The rows that a method uses, each counted once with all its weight; `masses` are those of `others`, by label."""
    used, c = naive_path.selection(e, method, others)
    groups = np.repeat(np.arange(4), naive_path.counts_of(e, naive_path.data_of(method)))
    if method.get("control", {}).get("kind") == "mass-matched":
        mass = masses[method["control"]["of"]]
        c = np.array([mass[groups[i]] / np.sum(groups[used] == groups[i]) for i in used])
        c /= c.sum()
    weight = np.bincount(used, c, len(groups))
    sets = []
    for g, _, rows in naive_path.annotated_rows(e, naive_path.data_of(method)):
        mine = rows[np.isin(rows, used)]
        for value in np.unique(weight[mine].round(15)):
            same = mine[weight[mine].round(15) == value]
            sets.append((g, len(same), weight[same].sum(), len(mine) / len(rows)))
    return Rows(*(np.array(column) for column in zip(*sets, strict=True)))


def problem_of(e, method, rows):
    """T8's problem of these rows, without an anchor."""
    means, covariances, std = naive_path.law(e, naive_path.data_of(method))
    head, e_j = e["head"] | method.get("head", {}), naive_path.spectrum(e)
    values = np.unique(e_j)
    n, shares = rows.count.sum(), rows.count / rows.count.sum()
    return naive_proportional.Problem(
        loss=head["loss"], ratio=len(e_j) / n, shares=shares, weights=rows.mass / rows.mass.sum() / shares,
        labels=LABELS[rows.group], means=means[rows.group], covariances=np.array(covariances)[rows.group],
        noise_std=std[rows.group], ridge=head["ridge"], eigenvalues=values,
        eigenvalue_shares=np.array([(e_j == value).mean() for value in values]),
    )  # fmt: skip


def pulled(problem, anchor, start):
    """The problem with an anchor to the head `start` (u, b, |v|, q), and that head as a centre.

    Its noise, on isotropic noise only, is one more coordinate z.v/|v| of the signal.
    """
    u, b, norm = start[:-3], start[-3], start[-2]
    if norm == 0.0:
        return problem._replace(anchor=anchor, centre=np.append(u, b))
    assert len(problem.eigenvalues) == 1
    G, k = problem.means.shape
    covariances = np.zeros((G, k + 1, k + 1))
    covariances[:, :k, :k], covariances[:, k, k] = problem.covariances, problem.noise_std**2
    return problem._replace(
        means=np.column_stack([problem.means, np.zeros(G)]), covariances=covariances, anchor=anchor,
        centre=np.concatenate([u, [norm, b]]),
    )  # fmt: skip


def predict(e):
    """Heads (u, b, |v|, q), group masses (4,) and, of descents, heads after every step (T + 1, k + 3), by label."""
    others, masses, heads, paths = {}, {}, {}, {}
    k = len(e["features"]["means"][0])
    for method in e["method"]:
        label, head = method.get("name", method["kind"]), e["head"] | method.get("head", {})
        rows = rows_of(e, method, others, masses)
        others[label], masses[label] = method, np.bincount(rows.group, rows.mass, 4)
        problem = problem_of(e, method, rows)
        if "from" in method:
            problem = pulled(problem, method.get("anchor", 0.0), heads[method["from"]])
        if isinstance(head.get("solver"), dict):
            solver = head["solver"]
            path = descended(problem, solver["steps"], solver["step_size"], solver["momentum"])
            paths[label] = np.array([folded(head, k) for head in path])
            heads[label] = paths[label][-1]
        elif (problem.noise_std == 0).all():
            heads[label] = np.append(of_points(problem), [0.0, 0.0])
        else:
            heads[label] = folded(solved(problem, rows.kept, method.get("average", 1)), k)
    return heads, masses, paths


def folded(head, k):
    """(u, b, |v|, q) with a signal weight beyond the first k taken for one on unit noise."""
    u, b, norm, q = head[:k], head[-3], head[-2], head[-1]
    return np.concatenate([u, [b, np.hypot(norm, sum(head[k:-3])), np.hypot(q, sum(head[k:-3]))]])


def of_points(problem):
    """(u, b) fitted on groups that have collapsed to their means."""
    X = np.column_stack([problem.means, np.ones(len(problem.labels))])
    penalty = np.append(np.full(X.shape[1] - 1, problem.ridge), 0.0)
    assert not np.any(problem.covariances)
    return naive_path.minimiser(
        problem.loss, X, problem.labels, problem.shares * problem.weights, penalty, np.zeros(len(penalty))
    )


def solved(problem, kept, heads):
    """T8's head, or the mean of heads on subsets that share `kept` of their rows: (u, b, |v|, q)."""
    k, e, share = problem.means.shape[1], problem.eigenvalues, problem.eigenvalue_shares
    centre = np.zeros(k + 1) if problem.centre is None else problem.centre
    mass = problem.shares * problem.noise_std**2

    def sums(x):
        """The laws of the margins, D_j, and sum_g pi_g sigma_g^2 E M'^2."""
        q, V = np.exp(np.clip(x[k + 1 :], -100, 100))
        laws = [Margin(problem, g, x[:k], x[k], V) for g in range(len(problem.labels))]
        nu = mass @ [law.curvature(q**2) for law in laws]
        strength = mass @ [law.product(q**2, q**2) for law in laws]
        return laws, problem.ridge + problem.anchor + nu * e, strength

    def equations(x):
        (laws, D, strength), q2 = sums(x), np.exp(2 * x[k + 1])
        left = problem.anchor * (x[: k + 1] - centre) + problem.ridge * np.append(x[:k], 0.0)
        for g, law in enumerate(laws):
            force = law.first(q2) * problem.labels[g]
            left[:k] += problem.shares[g] * (
                force * problem.means[g] + law.curvature(q2) * problem.covariances[g] @ x[:k]
            )
            left[k] += problem.shares[g] * force
        V, squared = problem.ratio * share @ (e / D), problem.ratio * strength * share @ (e / D) ** 2
        return np.append(left, [x[k + 2] - np.log(V), 2 * x[k + 1] - np.log(squared)])

    x = root(equations, np.append(centre, [-1.0, 0.0]), options={"xtol": 1e-13}).x
    assert np.abs(equations(x)).max() < 1e-9
    (laws, D, strength), u, b, q = sums(x), x[:k], x[k], np.exp(x[k + 1])
    # v v' has the trace delta strength share e / D^2 in each eigenspace.
    norm2 = problem.ratio * strength * share @ (e / D**2)
    if heads > 1:

        def excess(r):
            return problem.ratio * share @ (e / D) ** 2 * (mass * kept) @ [law.product(q**2, r) for law in laws] - r

        r = brentq(excess, 0.0, q**2, xtol=1e-13)
        shrunk = (1 + (heads - 1) * r / q**2) / heads
        norm2, q = norm2 * shrunk, q * np.sqrt(shrunk)
    return np.concatenate([u, [b, np.sqrt(norm2), q]])


class Margin:
    """The law of one group's margin at a head, and the slopes of its envelope there."""

    def __init__(self, problem, g, u, b, V):
        self.loss, self.weight, self.noise2 = problem.loss, problem.weights[g], problem.noise_std[g] ** 2
        self.step, self.mean = self.noise2 * V * self.weight, problem.labels[g] * (u @ problem.means[g] + b)
        self.signal = u @ problem.covariances[g] @ u
        x, w = np.polynomial.hermite_e.hermegauss(NODES[self.loss])
        self.x, self.w = x, w / w.sum()

    def slope(self, a):
        p = naive_proportional.prox_on_grid(self.loss, a, self.step)
        return self.weight * (p - 1 if self.loss == "squared" else -1 / (1 + np.exp(p)))

    def first(self, q2):
        """E M'."""
        return self.w @ self.slope(self.mean + np.sqrt(self.signal + self.noise2 * q2) * self.x)

    def curvature(self, q2):
        """E M'', by Stein's lemma E M' G / s."""
        s = np.sqrt(self.signal + self.noise2 * q2)
        return self.w @ (self.slope(self.mean + s * self.x) * self.x) / s

    def product(self, q2, r):
        """E M'(a_1) M'(a_2) of two margins whose noise parts have the inner product r."""
        if r == q2:
            return self.w @ self.slope(self.mean + np.sqrt(self.signal + self.noise2 * q2) * self.x) ** 2
        common, own = np.sqrt(self.signal + self.noise2 * r), np.sqrt(self.noise2 * (q2 - r))
        return self.w @ (self.slope(self.mean + common * self.x[:, None] + own * self.x) @ self.w) ** 2


def descended(problem, steps, step_size, momentum):
    """(steps + 1, k + 3) heads of a descent on the squared loss from the centre, or zero, by T14 on a plain circle."""
    pi, y, m, S, std = problem.shares, problem.labels, problem.means, problem.covariances, problem.noise_std
    om, e, s, delta = problem.weights, problem.eigenvalues, problem.eigenvalue_shares, problem.ratio
    G, k = m.shape
    start = np.zeros(k + 1) if problem.centre is None else problem.centre
    points = np.column_stack([m, np.ones(G)])
    moments = np.einsum("gi,gj->gij", points, points)
    moments[:, :k, :k] += S
    bulk = (om * std**2).max() * e.max() * (1 + np.sqrt(delta)) ** 2
    top = np.linalg.eigvalsh(np.tensordot(pi * om, moments, 1))[-1] + bulk + problem.ridge + problem.anchor
    # The filters are polynomials: any circle does that is well away from the spectrum.
    nodes, radius = 200, 0.8 * top
    ray = np.exp(2j * np.pi * (np.arange(nodes) + 0.5) / nodes)
    V = -delta * (s @ e) / (1000 * radius * ray)
    for far in np.append(np.geomspace(1000, 1, 80), np.ones(5)):
        z = top / 2 + far * radius * ray
        a = problem.ridge + problem.anchor - z
        for _ in range(4):
            pull = om / (1 + V[:, None] * om * std**2)
            nu, slope = pull @ (pi * std**2), -(pull**2) @ (pi * std**4)
            D = a[:, None] + nu[:, None] * e
            V = V - (V - delta * (e / D) @ s) / (1 + delta * (e / D) ** 2 @ s * slope)
    pull = om / (1 + V[:, None] * om * std**2)
    c, D = pi * pull, a[:, None] + (pull @ (pi * std**2))[:, None] * e
    matrix = np.tensordot(c, moments, 1) + (problem.anchor - z)[:, None, None] * np.eye(k + 1)
    matrix[:, range(k), range(k)] += problem.ridge
    right = c @ (y[:, None] * points) + (problem.anchor - z)[:, None] * start
    head = np.linalg.solve(matrix, right[..., None])[..., 0]
    residual = y - head @ points.T
    force, back = np.zeros((2, nodes, nodes), dtype=complex)
    for g in range(G):
        both = pi[g] * std[g] ** 2 * np.outer(pull[:, g], pull[:, g])
        force += both * (np.outer(residual[:, g], residual[:, g]) + head[:, :k] @ S[g] @ head[:, :k].T)
        back += both * std[g] ** 2
    one, two = ((s * e**power * delta / D) @ (1 / D).T for power in (1, 2))
    traces = [trace * force / (1 - two * back) for trace in (one, two)]
    heads = []
    for count in range(steps + 1):
        filters = naive_contour.recursion_filter(z, count, step_size, momentum) * radius * ray / nodes
        moved, squares = start - filters @ (head - start), [filters @ trace @ filters for trace in traces]
        heads.append(np.concatenate([moved.real, np.sqrt(np.maximum(np.real(squares), 0.0))]))
    return np.array(heads)
