"""The dense engine: replicates drawn, fitted and summarised inside one kernel, without the interpreter in the loop.

`run` walks over replicates, draws every sample of the plan once, fits the stages in order and writes summaries into
`Records`. Random numbers are keyed by (root, role, replicate, group), so any split of the replicates over calls,
workers or machines gives the same rows.
"""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np

from .._jit import kernel, private
from ..drawing import SampleLaw, draw
from ..mixture import Array
from ..planning import Plan
from ..status import Status
from ..stream import Role, key, shuffle
from .fitting import descent_path, penalties
from .room import Room, room
from .solvers import INTERIOR_POINT, NEWTON, RIDGE, Recipe, recipe

_OK = np.array([status.ok for status in Status])
# NumPy's integers, because numba would take Python's for constants and compile what they are passed to anew.
_ORDER, _SUBSET = np.int64(Role.ORDER), np.int64(Role.SUBSET)


class Tables(NamedTuple):
    """A plan as flat arrays: S samples, M stages, B sections a stage at most, P path steps a stage at most."""

    role: np.ndarray  # (S,) stream role
    counts: np.ndarray  # (S, G) rows drawn
    offset: np.ndarray  # (S + 1,) where each sample's rows start
    sample: np.ndarray  # (M,) sample of each stage
    available: np.ndarray  # (M, B) rows of each section in the sample
    used: np.ndarray  # (M, B) rows of each section in the fit
    rows: np.ndarray  # (M,) rows in the fit
    weight: np.ndarray  # (M, N) weight of each of them, padded
    gathered: np.ndarray  # (M,) whether they have to be copied out of the sample
    codes: np.ndarray  # (M, 5) the integers of a Recipe
    rates: np.ndarray  # (M, 5) the floats of a Recipe
    pulls: np.ndarray  # (M, 2) ridge, anchor
    start: np.ndarray  # (M,) earlier stage, -1 for none
    average: np.ndarray  # (M,) heads averaged
    path: np.ndarray  # (M, P) path steps, padded
    path_size: np.ndarray  # (M,)


class Records(NamedTuple):
    """Summaries of R replicates; a head is (u_1 .. u_k, b, |v|, q)."""

    heads: Array  # (R, M, k + 3)
    path_heads: Array  # (R, M, P, k + 3)
    gram: Array  # (R, M, M) inner products of the noise parts
    status: np.ndarray  # (R, M)
    certificate: Array  # (R, M)
    iterations: np.ndarray  # (R, M)


def tabulate(plan: Plan) -> tuple[SampleLaw, Tables]:
    """The kernel form of a plan: the samples' laws stacked along a leading axis, and everything else as arrays.

    Stacked rather than a tuple of laws, because a tuple's length is part of its type and would compile anew.
    """
    laws = [sample.mixture.kernel_law() for sample in plan.samples]
    stages = plan.stages
    recipes = [recipe(stage.head) for stage in stages]
    paths = [descent_path(stage.head) for stage in stages]
    sizes = [sum(int(n) for n in sample.counts) for sample in plan.samples]
    return (
        SampleLaw(
            labels=laws[0].labels,
            means=np.stack([law.means for law in laws]),
            factors=np.stack([law.factors for law in laws]),
            noise_scale=np.stack([law.noise_scale for law in laws]),
            spectrum_root=laws[0].spectrum_root,
        ),
        Tables(
            role=np.array([int(Role[sample.role.upper().replace("-", "_")]) for sample in plan.samples]),
            counts=np.array([sample.counts for sample in plan.samples], dtype=np.int64),
            offset=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            sample=np.array([stage.sample for stage in stages]),
            available=_padded([stage.selection.available for stage in stages], np.int64),
            used=_padded([stage.selection.used for stage in stages], np.int64),
            rows=np.array([int(stage.selection.used.sum()) for stage in stages]),
            weight=_padded([np.repeat(stage.selection.weight, stage.selection.used) for stage in stages], np.float64),
            gathered=np.array(
                [stage.average > 1 or (stage.selection.used != stage.selection.available).any() for stage in stages]
            ),
            codes=np.array([r[:5] for r in recipes], dtype=np.int64),
            rates=np.array([r[5:] for r in recipes], dtype=np.float64),
            pulls=np.array([(stage.head.ridge, stage.anchor) for stage in stages], dtype=np.float64),
            start=np.array([-1 if stage.start is None else stage.start for stage in stages]),
            average=np.array([stage.average for stage in stages]),
            path=_padded(paths, np.int64),
            path_size=np.array([len(path) for path in paths]),
        ),
    )


def _padded(rows: list[np.ndarray], dtype: type) -> np.ndarray:
    out: np.ndarray = np.zeros((len(rows), max(len(row) for row in rows)), dtype=dtype)
    for line, row in zip(out, rows, strict=True):
        line[: len(row)] = row
    return out


def room_for(tables: Tables, columns: int) -> Room:
    """What `run` needs for designs of so many columns, bias included."""
    copied, newton = tables.rows[tables.gathered], tables.rows[tables.codes[:, 0] == NEWTON]
    return room(
        columns,
        drawn=int(tables.offset[-1]),
        gathered=int(copied.max(initial=0)),
        single=int(newton.max(initial=0)),
    )


def records(plan: Plan, replicates: int, tables: Tables) -> Records:
    """Empty records for so many replicates; heads that never come stay nan."""
    m, k = len(plan.stages), plan.test.signal_dim
    return Records(
        heads=np.full((replicates, m, k + 3), np.nan),
        path_heads=np.full((replicates, m, tables.path.shape[1], k + 3), np.nan),
        gram=np.full((replicates, m, m), np.nan),
        status=np.full((replicates, m), int(Status.EMPTY)),
        certificate=np.full((replicates, m), np.nan),
        iterations=np.zeros((replicates, m), dtype=np.int64),
    )


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
def _gather(X, y, available, used, random, state, X_used, y_used):
    """Copy the rows a stage uses, section by section: a prefix, or random rows of each section if `random`.

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
                X_used[row, j] = X[source, j]
            y_used[row] = y[source]
            row += 1
        first += available[b]


@private
def _solve(ridge, newton, interior_point, descent, how, X, y, c, penalty, centre, w, single, state, path, path_w):
    """Fit w (p,) in place from its start by the solver that `how` asks for."""
    if how.solver == RIDGE:
        return ridge(how, X, y, c, penalty, centre, w, single, state, path, path_w)
    if how.solver == NEWTON:
        return newton(how, X, y, c, penalty, centre, w, single, state, path, path_w)
    if how.solver == INTERIOR_POINT:
        return interior_point(how, X, y, c, penalty, centre, w, single, state, path, path_w)
    return descent(how, X, y, c, penalty, centre, w, single, state, path, path_w)


@kernel
def run(ridge, newton, interior_point, descent, laws, tables, room, root, first, out):
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
    for r in range(out.heads.shape[0]):
        replicate = first + r
        for s in range(tables.role.shape[0]):
            begin, end = tables.offset[s], tables.offset[s + 1]
            law = SampleLaw(laws.labels, laws.means[s], laws.factors[s], laws.noise_scale[s], laws.spectrum_root)
            draw(state, root, tables.role[s], replicate, law, tables.counts[s], X_all[begin:end], y_all[begin:end])
        for m in range(stages):
            start = tables.start[m]
            W[m] = 0.0
            if start >= 0 and not _OK[out.status[r, start]]:
                out.status[r, m] = out.status[r, start]
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
            available, used = tables.available[m], tables.used[m]
            count = tables.average[m]
            path_sum[:] = 0.0
            worst = 0.0
            for a in range(count):
                X_fit, y_fit = X, y
                if tables.gathered[m]:
                    if count > 1:
                        key(state, root, _SUBSET, replicate, a)
                    _gather(X, y, available, used, count > 1, state, X_used, y_used)
                    X_fit, y_fit = X_used[:n], y_used[:n]
                key(state, root, _ORDER, replicate, a)
                for j in range(p):
                    w[j] = origin[j]
                status, certificate, iterations = _solve(
                    ridge, newton, interior_point, descent,
                    how, X_fit, y_fit, tables.weight[m, :n], penalty, centre, w, room.single[:n], state,
                    path, path_w[: path.shape[0]],
                )  # fmt: skip
                out.status[r, m] = status
                out.iterations[r, m] += iterations
                worst = max(worst, certificate)
                if not _OK[status]:
                    break
                for j in range(p):
                    W[m, j] += w[j] / count
                    for t in range(path.shape[0]):
                        path_sum[t, j] += path_w[t, j] / count
            out.certificate[r, m] = worst
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
