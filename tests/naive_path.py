"""A simulated method from its tables to its accuracies, literally: draw, select, weigh, fit, read out.

NumPy, SciPy and the other naive twins only. An experiment is its tables as a dict, with four groups described by means
and covariances, counts in both samples, and `from` wherever a head starts from another; heads are (p,), bias last.
"""

from fractions import Fraction
from hashlib import sha256
from math import floor

import naive_descent
import naive_readout
import naive_rules
import naive_solvers
import numpy as np

LABELS = np.array([-1.0, -1.0, 1.0, 1.0])
PARTNER = [1, 0, 3, 2]  # the other group of the class
ATTRIBUTES = np.array([-1.0, 1.0, -1.0, 1.0])
ROLES = {"train": 0, "heldout": 1, "fresh-train": 2}
SUBSETS = 4


def stream(seed, role, replicate, place):
    """NumPy's SFC64 at the key that a role, a replicate and a group (or the number of a subset) have."""
    root = int.from_bytes(sha256(f"llrsim stream 1:{seed}:".encode()).digest()[:8], "little")
    bits = np.random.SFC64(0)
    state = bits.state
    state["state"]["state"][:] = [root, replicate, (role << 32) | place, 1]
    bits.state = state
    bits.random_raw(12)
    return bits


def shuffled(bits, rows):
    """Fisher-Yates, from the last place down; numbers below a bound by rejection from the least enough bits."""
    order = list(range(rows))
    for last in range(rows - 1, 0, -1):
        place = rows
        while place > last:
            place = int(bits.random_raw()) & (2 ** last.bit_length() - 1)
        order[last], order[place] = order[place], order[last]
    return order


def spectrum(e):
    noise = e["features"]["noise"]
    pairs = noise.get("spectrum", [[1.0, noise.get("dim")]])
    return np.concatenate([np.full(times, value) for value, times in pairs])


def counts_of(e, section):
    """Rows of each group; a fresh training sample has a quarter as many as the training sample, in its shares."""
    counts = e[section.removeprefix("fresh-")]["counts"]
    total = sum(counts)
    return largest_remainder(total // 4, [Fraction(n, total) for n in counts]) if section == "fresh-train" else counts


def law(e, section):
    """Means, covariances and noise scales of the four groups in a section: train, heldout or test (T4)."""
    section = section.removeprefix("fresh-")
    f, counts = e["features"], np.array(e["train"]["counts"], dtype=float)
    means, covariances = np.array(f["means"]), np.array(f["covariances"])
    given = e.get(section, {}).get("collapse", e["heldout"].get("collapse", {}) if section == "test" else {})
    tau = {"noise": 1.0, "attribute": 1.0} | given
    tau_n, tau_a, std = (np.ones(4) * one for one in (tau["noise"], tau["attribute"], f["noise"].get("std", 1.0)))
    pulled = []
    for g in range(4):
        mates = [h for h in range(4) if LABELS[h] == LABELS[g]]
        centre = sum(counts[h] * means[h] for h in mates) / sum(counts[h] for h in mates)
        pulled.append(centre + tau_a[g] * (means[g] - centre))
    return np.array(pulled), [tau_n[g] ** 2 * covariances[g] for g in range(4)], tau_n * std


def drawn(e, section, seed, replicate):
    """The rows of a sample, their labels and their groups."""
    means, covariances, std = law(e, section)
    e_j, k, rows = spectrum(e), means.shape[1], []
    for g, count in enumerate(counts_of(e, section)):
        normal = np.random.Generator(stream(seed, ROLES[section], replicate, g)).standard_normal((count, k + len(e_j)))
        values, vectors = np.linalg.eigh(covariances[g])
        signal = means[g] + normal[:, :k] @ (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
        rows.append(np.column_stack([signal, std[g] * np.sqrt(e_j) * normal[:, k:], np.ones(count)]))
    groups = np.repeat(np.arange(4), counts_of(e, section))
    return np.concatenate(rows), LABELS[groups], groups


def largest_remainder(total, shares):
    exact = [total * Fraction(share).limit_denominator(10**6) for share in shares]
    parts = [floor(x) for x in exact]
    for g in sorted(range(len(exact)), key=lambda g: parts[g] - exact[g])[: total - sum(parts)]:
        parts[g] += 1
    return parts


def data_of(method):
    return method.get("data", "train" if method["kind"] in ("erm", "llr-on-train") else "heldout")


def annotated_rows(e, section):
    """The rows of a sample in parts of one group and one annotation: (group, annotation, rows), in the rows' order."""
    wrong = e["heldout"].get("annotation_noise", 0.0) if section == "heldout" else 0.0
    first, parts = 0, []
    for g, count in enumerate(counts_of(e, section)):
        right, flipped = largest_remainder(count, [1 - wrong, wrong])
        parts += [(g, g, np.arange(first, first + right))]
        parts += [(g, PARTNER[g], np.arange(first + right, first + count))] if wrong else []
        first += right + flipped
    return parts


def selection(e, method, others, bits=None):
    """Rows that a fit uses, repeats and all, and their weights, before a rule; `others` are the methods before it.

    Random subsets take `bits`.
    """
    parts = annotated_rows(e, data_of(method))
    total = sum(len(rows) for _, _, rows in parts)
    size, control = total, method.get("control", {})
    if control.get("kind") == "size-matched":
        other = others[control["of"]]
        size = min(len(selection(e, other, others)[0]), other.get("k", total))
    elif method["kind"] == "llr-on-train":
        size = min(sum(e["heldout"]["counts"]), total)
    if size < total:
        kept = largest_remainder(size, [Fraction(len(rows), total) for _, _, rows in parts])
        parts = [(g, a, rows[:n]) for (g, a, rows), n in zip(parts, kept, strict=True)]
    unit = {"dfr": lambda g, a: a, "cb-llr": lambda g, a: LABELS[g]}.get(method["kind"], lambda g, a: 0)
    sizes = {}
    for g, a, rows in parts:
        sizes[unit(g, a)] = sizes.get(unit(g, a), 0) + len(rows)
    sizes = {u: n for u, n in sizes.items() if n > 0}
    target = {
        "weights": sizes,
        "subset": dict.fromkeys(sizes, min(sizes.values())),
        "upsample": dict.fromkeys(sizes, max(sizes.values())),
    }[method.get("balance", "weights")]
    share = {}
    for u in sizes:
        mine = [place for place, (g, a, _) in enumerate(parts) if unit(g, a) == u]
        shares = [Fraction(len(parts[place][2]), sizes[u]) for place in mine]
        share |= dict(zip(mine, largest_remainder(target[u], shares), strict=True))
    used, weights = [], []
    for place, (g, a, rows) in enumerate(parts):
        order = rows if bits is None else rows[shuffled(bits, len(rows))]
        used += [order[i % len(rows)] for i in range(share.get(place, 0))]
        weights += share.get(place, 0) * [1 / len(sizes) / target.get(unit(g, a), 1)]
    return np.array(used, dtype=int), np.array(weights)


def penalty_and_centre(head, anchor, origin):
    """Those of ridge |w|^2 / 2 + anchor |(w, b) - origin|^2 / 2 written as one square."""
    penalty = np.append(np.full(len(origin) - 1, head["ridge"]), 0.0) + anchor
    return penalty, np.divide(anchor * origin, penalty, out=np.zeros(len(origin)), where=penalty > 0)


def minimiser(loss, X, y, c, penalty, centre):
    """Newton's method, for the squared loss its first step."""
    w = np.zeros(X.shape[1])
    for _ in range(100):
        g = naive_solvers.gradient(loss, X, y, c, penalty, centre, w)
        w = w - np.linalg.solve(naive_solvers.hessian(loss, X, y, c, penalty, w), g)
        if np.abs(g).max() < 1e-14:
            return w
    return w


def simulate(e, seed, replicate):
    """Each method's `w` (p,), `path` (S, p), and for weights that a rule makes the `mass` (4,) and `share` (4,)."""
    others, found = {}, {}
    for method in e["method"]:
        X, y, groups = drawn(e, data_of(method), seed, replicate)
        label, head = method.get("name", method["kind"]), e["head"] | method.get("head", {})
        origin = found[method["from"]]["w"] if "from" in method else np.zeros(X.shape[1])
        penalty, centre = penalty_and_centre(head, method.get("anchor", 0.0), origin)
        heads, paths = [], []
        for a in range(method.get("average", 1)):
            bits = stream(seed, SUBSETS, replicate, a) if method.get("average", 1) > 1 else None
            rows, c = selection(e, method, others, bits)
            c = by_rule(method, found, X[rows], y[rows], groups[rows], c)
            if isinstance(head.get("solver"), dict):
                solver = dict(head["solver"])
                recorded = solver.pop("path", [])
                steps = naive_descent.descend(
                    head["loss"], X[rows], y[rows], c, penalty, centre, origin.copy(), **solver
                )
                heads.append(steps[-1])
                paths.append(steps[recorded])
            else:
                heads.append(minimiser(head["loss"], X[rows], y[rows], c, penalty, centre))
        found[label] = {"w": np.mean(heads, axis=0), "mass": np.bincount(groups[rows], c, 4)}
        found[label]["path"] = np.mean(paths, axis=0) if paths else []
        found[label]["share"] = np.bincount(groups[rows], c > 0, 4) / (c > 0).sum()
        others[label] = method
    return found


def by_rule(method, found, X, y, groups, c):
    """The rows' weights, those of `c` but where a rule makes others."""
    if method.get("control", {}).get("kind") == "mass-matched":
        return naive_rules.matched(found[method["control"]["of"]]["mass"], groups)
    if method["kind"] == "afr":
        return naive_rules.confidence(method["gamma"], y, X @ found[method["from"]]["w"])
    if method["kind"] == "self":
        return naive_rules.hardest(method["k"], y, naive_rules.cross_entropy(y, X @ found[method["from"]]["w"]))
    return c


def summary(e, w):
    """u, b, |v| and q of a head."""
    e_j = spectrum(e)
    k = len(w) - 1 - len(e_j)
    v = w[k:-1]
    return np.concatenate([w[:k], [w[-1], np.sqrt(v @ v), np.sqrt(e_j @ v**2)]])


def accuracies(e, head):
    """(4,) accuracies on the test law of a head summary (u, b, |v|, q)."""
    means, covariances, std = law(e, "test")
    u, b, q = head[:-3], head[-3], head[-1]
    return np.array([naive_readout.accuracy(u, b, q, LABELS[g], means[g], covariances[g], std[g]) for g in range(4)])


def readout(e, head):
    """What else is read off a head summary on the test law, by the names that it has."""
    means, _, _ = law(e, "test")
    u, norm, accuracy = head[:-3], np.sqrt(head[:-3] @ head[:-3] + head[-2] ** 2), accuracies(e, head)
    core, spurious = (np.mean([sign[g] * means[g] for g in range(4)], axis=0) for sign in (LABELS, ATTRIBUTES))
    shares = np.array(e["train"]["counts"]) / sum(e["train"]["counts"])
    classes = [shares[mine] @ accuracy[mine] / shares[mine].sum() for mine in (LABELS < 0, LABELS > 0)]
    return {
        "average_accuracy": shares @ accuracy,
        "worst_class_accuracy": min(classes),
        "spurious_reliance": (u @ spurious) / (u @ core),
        "class_cosine": u @ core / norm / np.linalg.norm(core),
        "attribute_cosine": u @ spurious / norm / np.linalg.norm(spurious),
    }
