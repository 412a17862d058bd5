"""Draw, fit and summarise dense replicates inside one kernel, without the interpreter in the loop."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, sqrt

import numpy as np

from .._jit import kernel, private
from ..model.draws import Role, SampleLaw, draw, key, shuffle
from ..model.losses import LOGISTIC, Status, slope, value
from ..model.methods import Rule
from .solvers import INTERIOR_POINT, NEWTON, RIDGE, Recipe, penalties
from .solvers.free_bias import optimal_biases_of
from .solvers.passes import inner

# Which replicates a simulator is asked for.


@dataclass(frozen=True)
class Draws:
    """The replicates first, ..., first + replicates - 1, and what keys their random numbers.

    Attributes:
        seed: the root seed.
        law: "" pairs dense replicates with those of all plans of the same seed; a law's hash makes them independent.
        jobs: threads that share the work; no number depends on it.
    """

    replicates: int = 1
    first: int = 0
    seed: int = 0
    law: str = ""
    jobs: int = 1

    @property
    def numbers(self) -> range:
        """The replicates."""
        return range(self.first, self.first + self.replicates)


# Weights that are made while a sample is fitted, row by row: see `llrsim.model.methods` for the rules.


# Plain integers for kernels.
CONFIDENCE, LOSS, DISAGREEMENT, MASS, WORST = (int(rule) for rule in Rule)


@kernel
def reweigh(rule, strength, y, first, second, weight):
    """Write the weights (n,), summing to one, of rows with labels y (n,) and scores f of the heads (n,) each.

    For the rules that score rows. Classes without a row selected leave their mass to the other.
    """
    n = y.size
    if n == 0:
        return
    if rule == CONFIDENCE:
        least = 1.0
        for i in range(n):
            # P(true class) = sigmoid(y f) = 1 + l'(y f) of the logistic loss.
            weight[i] = 1.0 + slope(LOGISTIC, y[i] * first[i])
            least = min(least, weight[i])
        for i in range(n):
            # Relative to the largest weight, so that a large gamma leaves some.
            weight[i] = exp(-strength * (weight[i] - least))
    else:
        for i in range(n):
            weight[i] = -y[i] * first[i] if rule == LOSS else _divergence(first[i], second[i])
        kept = _largest(weight.copy(), min(int(strength), n))
        for i in range(n):
            weight[i] = 1.0 if weight[i] >= kept else 0.0
    rows, total = np.zeros(2), 0.0
    for i in range(n):
        # Rows of AFR's class; those selected of SELF's.
        rows[int(y[i] > 0.0)] += 1.0 if rule == CONFIDENCE or weight[i] > 0.0 else 0.0
    for i in range(n):
        if weight[i] > 0.0:
            weight[i] /= rows[int(y[i] > 0.0)]
            total += weight[i]
    for i in range(n):
        weight[i] /= total


@private
def _largest(values, k):
    """The k-th largest of the values (n,), 1 <= k <= n, which are reordered: Hoare's selection."""
    target, low, high = values.size - k, 0, values.size - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if target <= j:
            high = j
        elif target >= i:
            low = i
        else:
            break
    return values[target]


@private
def _divergence(f, g):
    """Kullback-Leibler divergence of Bernoulli(sigmoid(g)) from Bernoulli(sigmoid(f)), in nats."""
    positive = 1.0 + slope(LOGISTIC, f)
    return positive * (value(LOGISTIC, g) - value(LOGISTIC, f)) + (1.0 - positive) * (
        value(LOGISTIC, -g) - value(LOGISTIC, -f)
    )


@private
def score(X, w, out):
    """The logits of a head at every row."""
    for i in range(out.size):
        out[i] = inner(X[i], w)


@private
def match(group, used, mass, c):
    """Weights that give each group this mass, the same for all of its rows; groups without rows leave theirs."""
    total, rows = 0.0, np.zeros(mass.size)
    for b in range(used.size):
        rows[group[b]] += used[b]
    for g in range(mass.size):
        total += mass[g] if rows[g] > 0.0 else 0.0
    i = 0
    for b in range(used.size):
        for _ in range(used[b]):
            c[i] = mass[group[b]] / (rows[group[b]] * total)
            i += 1


@private
def tell(group, used, c, mass, share):
    """The mass of each group under the weights c, and its share of the rows that have weight."""
    kept, i = 0, 0
    for g in range(mass.size):
        mass[g] = share[g] = 0.0
    for b in range(used.size):
        for _ in range(used[b]):
            mass[group[b]] += c[i]
            if c[i] > 0.0:
                share[group[b]] += 1.0
                kept += 1
            i += 1
    for g in range(share.size):
        share[g] /= max(1, kept)


@private
def by_rows(values, used, out):
    """The value of each row's section."""
    i = 0
    for b in range(used.size):
        for _ in range(used[b]):
            out[i] = values[b]
            i += 1


# The dense engine: replicates drawn, fitted and summarised inside one kernel, without the interpreter in the loop.
#
# `run` walks over replicates, draws every sample of the plan once, fits the stages in order and writes summaries into
# `Records`. Random numbers are keyed by (root, role, replicate, group), so any split of the replicates over calls,
# workers or machines gives the same rows.


_OK = np.array([status.ok for status in Status])
_BIAS_NOT_UNIQUE = np.int64(Status.BIAS_NOT_UNIQUE)
# NumPy's integers, because numba would take Python's for constants and compile what they are passed to anew.
_ORDER, _SUBSET = np.int64(Role.ORDER), np.int64(Role.SUBSET)


@private
def _summarise(w, spectrum_root, out):
    """Head summary (u, b, |v|, q) of the weights w (k + d + 1,) with the bias last."""
    d = spectrum_root.shape[0]
    k = w.shape[0] - d - 1
    norm = spread = 0.0
    for j in range(d):
        v = w[k + j]
        norm += v * v
        spread += v * v * spectrum_root[j] * spectrum_root[j]
    for j in range(k):
        out[j] = w[j]
    out[k], out[k + 1], out[k + 2] = w[k + d], sqrt(norm), sqrt(spread)


@private
def _gather(X, y, available, used, scale, random, state, X_used, y_used):
    """Copy the rows a stage uses, section by section: a prefix, or random rows of each section if `random`.

    Features, and the one of the bias, are multiplied by the section's scale.

    A section used more often than it has rows is cycled through, so every row is repeated equally often up to one.
    Rows inside a section are exchangeable, so a prefix is as good a subset as any, and keeps cells paired.
    """
    first = row = 0
    for b in range(available.shape[0]):
        order = np.empty(available[b], np.int64)
        for i in range(available[b]):
            order[i] = i
        if random:
            shuffle(state, order)
        for i in range(used[b]):
            source = first + order[i % available[b]]
            for j in range(X.shape[1]):
                X_used[row, j] = scale[b] * X[source, j]
            y_used[row] = y[source]
            row += 1
        first += available[b]


@private
def _solve(
    ridge, newton, interior_point, descent, how, X, y, c, shift, penalty, centre, w, single, state, path, path_w
):
    """Fit w (p,) in place from its start by the solver that `how` asks for."""
    if how.solver == RIDGE:
        return ridge(how, X, y, c, shift, penalty, centre, w, single, state, path, path_w)
    if how.solver == NEWTON:
        return newton(how, X, y, c, shift, penalty, centre, w, single, state, path, path_w)
    if how.solver == INTERIOR_POINT:
        return interior_point(how, X, y, c, shift, penalty, centre, w, single, state, path, path_w)
    return descent(how, X, y, c, shift, penalty, centre, w, single, state, path, path_w)


@kernel
def run(ridge, newton, interior_point, descent, worst_case, laws, tables, room, root, first, out):
    """Draw, fit and summarise the replicates first, first + 1, ... into the rows of `out` (Records).

    For `call_with_solvers`; numba's lowering of array statements is slow, so all that is here are loops.
    """
    stages = tables.sample.shape[0]
    k, d = laws.means.shape[2], laws.spectrum_root.shape[0]
    p = k + d + 1
    state = np.empty(4, np.uint64)
    X_all, y_all = room.drawn, np.empty(room.drawn.shape[0])
    X_used, y_used = room.gathered, np.empty(room.gathered.shape[0])
    W, w, zero = np.empty((stages, p)), np.empty(p), np.zeros(p)
    path_w = np.empty((tables.path.shape[1], p))
    path_sum = np.empty((tables.path.shape[1], p))
    most = 0
    for m in range(stages):
        most = max(most, tables.rows[m])
    own, scores, other, shifts = np.empty(most), np.empty(most), np.empty(most), np.zeros(most)
    units = np.empty(most, np.int64)
    for r in range(out.heads.shape[0]):
        replicate = first + r
        for s in range(tables.role.shape[0]):
            begin, end = tables.offset[s], tables.offset[s + 1]
            law = SampleLaw(laws.labels, laws.means[s], laws.factors[s], laws.noise_scale[s], laws.spectrum_root)
            draw(state, root, tables.role[s], replicate, law, tables.counts[s], X_all[begin:end], y_all[begin:end])
        for m in range(stages):
            start = tables.start[m]
            W[m] = 0.0
            rule, refers = tables.rule[m], tables.refers[m]
            missing = -1
            for at in (start, refers[0], refers[1]):
                if missing < 0 and at >= 0 and not _OK[out.status[r, at]]:
                    missing = at
            if missing >= 0:
                out.status[r, m] = out.status[r, missing]
                continue
            solver, loss, steps, batch, iterations = tables.codes[m]
            step_size, momentum, clip, tolerance, nesterov = tables.rates[m]
            how = Recipe(solver, loss, steps, batch, iterations, step_size, momentum, clip, tolerance, nesterov)
            origin = W[start] if start >= 0 else zero
            penalty, centre = penalties(tables.pulls[m, 0], tables.pulls[m, 1], origin)
            path = tables.path[m, : tables.path_size[m]]
            s = tables.sample[m]
            X, y = X_all[tables.offset[s] : tables.offset[s + 1]], y_all[tables.offset[s] : tables.offset[s + 1]]
            n = tables.rows[m]
            available, used, group = tables.available[m], tables.used[m], tables.group[m]
            c = tables.weight[m, :n]
            shift = shifts[:n]
            by_rows(tables.shift[m], used, shift)
            if rule >= 0:
                c = own[:n]
                if rule == MASS:
                    match(group, used, out.mass[r, refers[0]], c)
                elif rule != WORST:
                    score(X, W[refers[0]], scores[:n])
                    score(X, W[max(refers[1], 0)], other[:n])
                    reweigh(rule, tables.strength[m], y, scores[:n], other[:n], c)
            count = tables.average[m]
            path_sum[:] = 0.0
            worst, open_bias = 0.0, False
            for a in range(count):
                X_fit, y_fit = X, y
                if tables.gathered[m]:
                    if count > 1:
                        key(state, root, _SUBSET, replicate, a)
                    _gather(X, y, available, used, tables.scale[m], count > 1, state, X_used, y_used)
                    X_fit, y_fit = X_used[:n], y_used[:n]
                key(state, root, _ORDER, replicate, a)
                for j in range(p):
                    w[j] = origin[j]
                if rule == WORST:
                    by_rows(tables.unit[m], used, units)
                    status, certificate, iterations = worst_case(
                        ridge if how.solver == RIDGE else newton,
                        how, tables.strength[m], X_fit, y_fit, c, units[:n], shift, penalty, centre, w,
                        room.single[:n], state, path, path_w[: path.shape[0]],
                    )  # fmt: skip
                else:
                    status, certificate, iterations = _solve(
                        ridge, newton, interior_point, descent,
                        how, X_fit, y_fit, c, shift, penalty, centre, w, room.single[:n], state,
                        path, path_w[: path.shape[0]],
                    )  # fmt: skip
                out.status[r, m] = status
                out.iterations[r, m] += iterations
                worst = max(worst, certificate)
                if not _OK[status]:
                    break
                low = high = w[p - 1]
                if status == _BIAS_NOT_UNIQUE:
                    low, high = optimal_biases_of(X_fit, y_fit, c, w)
                    open_bias = True
                out.bias_interval[r, m, 0] += low / count
                out.bias_interval[r, m, 1] += high / count
                for j in range(p):
                    W[m, j] += w[j] / count
                    for t in range(path.shape[0]):
                        path_sum[t, j] += path_w[t, j] / count
            out.certificate[r, m] = worst
            if open_bias and _OK[out.status[r, m]]:
                out.status[r, m] = _BIAS_NOT_UNIQUE
            if rule >= 0:
                tell(group, used, c, out.mass[r, m], out.share[r, m])
            if _OK[out.status[r, m]]:
                _summarise(W[m], laws.spectrum_root, out.heads[r, m])
                for t in range(path.shape[0]):
                    _summarise(path_sum[t], laws.spectrum_root, out.path_heads[r, m, t])
        for m in range(stages):
            for h in range(m + 1):
                if _OK[out.status[r, m]] and _OK[out.status[r, h]]:
                    inner = 0.0
                    for j in range(k, k + d):
                        inner += W[m, j] * W[h, j]
                    out.gram[r, m, h] = inner
                    out.gram[r, h, m] = inner
