"""Random calls of the public names in a process of their own: `python random_calls.py SEED FIRST COUNT`.

A line on standard output before each call and one after it, so that a crash or a hang is known by its call. A call ends
in a result that `checked` accepts, or in an exception that llrsim raises itself, of a documented type.
"""

import contextlib
import io
import json
import linecache
import sys
import tempfile
import traceback
import warnings
from dataclasses import fields, replace
from enum import IntEnum
from pathlib import Path

import matplotlib.pyplot
import numpy as np
from msgspec.structs import replace as changed
from random_experiments import random_experiment
from scipy.optimize import minimize

import llrsim
from llrsim import FitError, FitOptions, GroupMixture, Head, Status
from llrsim.experiment import Axis, Descent, Noise, Sweep, Train
from llrsim.model.methods import Reweighting, Rule
from llrsim.model.plan import plan
from llrsim.outcome import MethodOutcome, Outcome
from llrsim.sweep import StoreError, SweepFailed

PACKAGE = str(Path(llrsim.__file__).parent)
DOCUMENTED = (ValueError, TypeError, FitError, MemoryError, LookupError, StoreError, SweepFailed, ImportError)
LOSSES = ("squared", "logistic", "hinge", "squared_hinge", "max_margin")


class Other(IntEnum):
    """A whole number of another class."""

    ONE = 1


def odd(rng):
    """Something that is seldom accepted."""
    pool = [
        None, True, False, -1, 0, 1, 2, 7, 2.5, -0.0, 1e308, -1e300, 1e-320, 2**63, 2**64, 10**400, 1j, "", "x", "dfr",
        "exact", "llr", b"x", [], (), {}, [[]], [1, 2], [[1.0, 2.0], [3.0]], {"n": 5}, {1: 2}, object(), print,
        Other.ONE, float("nan"), float("inf"), -float("inf"), np.float32(0.1), np.int8(3), np.bool_(True),
        np.uint64(2**63),
        np.zeros(0), np.zeros((0, 3)), np.zeros((3, 0)), np.ones(4), np.ones((4, 4)), np.ones((2, 2, 2)), np.array(3),
        np.full(4, np.nan), np.arange(4), np.array(["a", "b"]), np.array([None, 1]), np.ma.masked_all(4),
        np.array([1 + 1j]), np.random.default_rng(1), np.random.SeedSequence(1), np.random.RandomState(1), Status.EMPTY,
        FitOptions(), FitOptions(ridge=-1.0), FitOptions(loss="log"), FitOptions(solver="lbfgs"), FitOptions(solver=5),
        Descent(steps=-5, step_size=0.1), FitOptions(solver=Descent(steps=2.5, step_size=0.1)), Noise(dim=-1),
        Train(n=2.5), Sweep(seed="x"), Axis(key="train.n"), llrsim, int, {"head.ridge": [1, 2]}, lambda *_: 1 / 0,
    ]  # fmt: skip
    return pool[int(rng.integers(len(pool)))]


def spoilt(rng, value):
    """An array that is almost right."""
    array = np.array(value, dtype=np.float64)
    if rng.random() < 0.1 and array.size:
        array.flat[int(rng.integers(array.size))] = rng.choice([np.nan, np.inf, 1e200, -1e31, 0.0, 2.0])
    pool = [
        array, array[:-1] if array.ndim else array, array[..., None], array.T, array.ravel(), array + 0j,
        array.astype("U"), array.astype(np.float32), array.astype(object), array.tolist(), np.asfortranarray(array),
        np.repeat(array, 2, -1) if array.ndim else array,
    ]  # fmt: skip
    return pool[int(rng.integers(len(pool)))]


def options(rng, scale=1.0):
    loss, ridge = str(rng.choice(LOSSES)), scale**2 * 10 ** rng.uniform(-4, 1)
    if rng.random() < 0.6 or loss == "max_margin":
        return FitOptions(loss=loss, ridge=ridge)
    steps = int(rng.integers(1, 30))
    momentum = float(rng.choice([0.0, 0.5]))
    descent = Descent(
        steps=steps, step_size=10 ** rng.uniform(-3, 1) / scale**2, momentum=momentum, nesterov=momentum > 0,
        batch=None if rng.random() < 0.5 else int(rng.integers(1, 20)), path=(0, steps),
    )  # fmt: skip
    return FitOptions(loss=loss, ridge=ridge, solver=descent)


def spoilt_options(rng, head):
    """Options of which one is odd."""
    if isinstance(head.solver, Descent) and rng.random() < 0.7:
        name = str(rng.choice(Descent.__struct_fields__))
        return FitOptions(loss=head.loss, ridge=head.ridge, solver=changed(head.solver, **{name: odd(rng)}))
    return changed(head, **{str(rng.choice(["loss", "ridge", "solver"])): odd(rng)})


def rows(rng):
    n, p, scale = int(rng.integers(1, 40)), int(rng.integers(1, 12)), float(rng.choice([1e-3, 1.0, 1.0, 1e3]))
    return scale * rng.normal(size=(n, p)), rng.choice([-1.0, 1.0], n), scale


def mixture(rng):
    k = int(rng.integers(1, 3))
    factor = rng.normal(size=(k, k))
    return GroupMixture.of(
        means=rng.normal(size=(4, k)), covariances=factor @ factor.T, noise_dim=int(rng.integers(0, 9)),
        noise_std=rng.uniform(0, 2, 4), proportions=rng.dirichlet(np.ones(4)),
    )  # fmt: skip


def head(rng, k):
    many = (int(rng.integers(1, 4)),) if rng.random() < 0.5 else ()
    return Head.of(rng.normal(size=(*many, k)), rng.normal(size=many), rng.uniform(0, 2, many))


def experiment(rng):
    found = random_experiment(rng)
    return found.replace(sweep={"seed": 3, "replicates": 2}, network=None)


def ready(rng):
    """An experiment that costs little and of which everything can be asked."""
    loss = str(rng.choice(LOSSES[:4]))
    return llrsim.load("quick").replace(sweep=None, head=FitOptions(loss=loss, ridge=0.1)).with_values(
        {"train.n": 80, "heldout.n": 40, "features.noise.dim": int(rng.integers(1, 9)), "train.proportions": [0.25] * 4}
    )  # fmt: skip


# What makes one call: the callable and arguments that go together, by name.
def call_fit(rng):
    features, labels, scale = rows(rng)
    weight = None if rng.random() < 0.6 else rng.choice([0.0, 1.0, 3.0], len(labels))
    found = {"features": features, "labels": labels, "sample_weight": weight, "head": options(rng, scale)}
    if rng.random() < 0.4:
        found |= {
            "start": (rng.normal(size=features.shape[1]), 0.3),
            "anchor": float(rng.choice([0.0, 0.5 * scale**2])),
        }
    if rng.random() < 0.2:
        found["head"] = spoilt_options(rng, found["head"])
    return llrsim.fit, found | {"seed": int(rng.integers(9)), "raising": bool(rng.random() < 0.5)}


GIVEN = ("means", "covariances", "noise_std", "labels", "attributes", "proportions")


def call_mixture(rng):
    law = mixture(rng)
    k = law.signal_dim
    pool = [
        (GroupMixture.of, {"noise_dim": 5} | {name: getattr(law, name) for name in GIVEN}),
        (GroupMixture, {name: getattr(law, name) for name in law.__dataclass_fields__}),
        (law.sample, {"n": int(rng.integers(0, 30)), "seed": 3}),
        (law.sample, {"counts": rng.integers(0, 9, 4), "seed": 3}),
        (law.with_proportions, {"proportions": rng.integers(1, 9, 4)}),
        (Head.of, {"signal": rng.normal(size=k), "bias": 0.3, "noise_norm": 1.0, "noise_spread": 1.0}),
        (llrsim.read_out, {"head": head(rng, k), "mixture": law}),
        (llrsim.read_out, {"head": head(rng, 2), "mixture": mixture(rng)}),
    ]  # fmt: skip
    return pool[int(rng.integers(len(pool)))]


def call_metrics(rng):
    law = mixture(rng)
    features, labels, _ = rows(rng)
    pool = [
        (llrsim.collapse.class_centres, {"training": law}),
        (llrsim.collapse.collapse, {"mixture": law, "centres": llrsim.collapse.class_centres(law), "noise": 0.5,
                                    "attribute": rng.uniform(0, 1, 4)}),
        (llrsim.neural_collapse.from_mixture, {"mixture": law, "level": str(rng.choice(["class", "group"]))}),
        (llrsim.neural_collapse.from_data, {"features": features, "units": labels}),
        (llrsim.neural_collapse.nc1_of_data, {"features": features, "units": labels}),
        (llrsim.neural_collapse.data_limit, {"mixture": law, "rows": 50}),
        (llrsim.duality.from_mixture, {"head": head(rng, law.signal_dim), "mixture": law, "level": "group"}),
        (llrsim.duality.from_data, {"features": features, "labels": labels, "bias": 0.1,
                                    "weights": rng.normal(size=features.shape[1])}),
    ]  # fmt: skip
    return pool[int(rng.integers(len(pool)))]


def call_description(rng):
    e = experiment(rng)
    grid = e.replace(sweep={"grid": {"head.ridge": [0.1, 0.2]}})
    pool = [
        (llrsim.load, {"source": str(rng.choice(["quick", "phase", "quik", "", "/", "e01"]))}),
        (llrsim.preset_names, {}),
        (llrsim.Experiment, {name: getattr(e, name) for name in ("features", "train", "heldout", "head", "method")}
                            | {"sweep": Sweep(grid=(Axis(key="head.ridge", values=(0.1,)),))}),
        (FitOptions, {"loss": "squared", "ridge": 0.1, "solver": "exact"}),
        (e.replace, {"head": options(rng), "train": e.train}),
        (e.with_values, {"values": {str(rng.choice(["train.n", "head.ridge", "head.solver"])): odd(rng)}}),
        (llrsim.Grid, {"experiment": grid}),
        (llrsim.Grid(grid).cell, {"index": int(rng.integers(-1, 4))}),
        (llrsim.plan, {"experiment": e}),
        (Status, {"value": int(rng.integers(9))}),
        (FitError, {"status": Status.EMPTY}),
        (llrsim.ExperimentError, {}),
        (llrsim.EmptyGroupWarning, {}),
    ]  # fmt: skip
    return pool[int(rng.integers(len(pool)))]


def broken(rng, resolved):
    """A plan, one part of which may be something else."""
    kind, stage = int(rng.integers(8)), resolved.stages[-1]
    earlier = [None, 0, len(resolved.stages) - 1]
    refers = [earlier[int(rng.integers(3))] for _ in range(2)]
    rule, strength = Rule(int(rng.integers(5))), float(rng.choice([0.0, 1.0, 5.0, 2.5, -1.0]))
    array = str(rng.choice(["group", "annotated", "available", "used", "weight", "labels"]))
    part = {
        1: lambda: {"head": options(rng)},
        2: lambda: {"head": odd(rng)},
        3: lambda: {str(rng.choice(["sample", "anchor", "start", "average", "reweighting", "adjustment",
                                 "angle_to", "label", "kind", "data", "shares"])): odd(rng)},
        4: lambda: {"selection": replace(stage.selection, **{array: spoilt(rng, stage.selection.used)})},
        5: lambda: {"selection": replace(stage.selection, **{array: odd(rng)})},
        7: lambda: {"reweighting": Reweighting(rule, strength, *refers)},
    }  # fmt: skip
    if kind in part:
        return replace(resolved, stages=(*resolved.stages[:-1], replace(stage, **part[kind]())))
    if kind == 6:
        return replace(resolved, **{str(rng.choice(["samples", "stages", "test", "network"])): odd(rng)})
    return resolved


def call_sides(rng):
    e = experiment(rng)
    pool = [
        (llrsim.simulate, {"experiment": e, "replicates": 2, "seed": 5, "pairing": "common", "jobs": 1}),
        (llrsim.simulate_plan, {"plan": broken(rng, plan(e)), "replicates": 1, "first": 0, "seed": 5,
                                "law": "", "jobs": 1, "simulator": str(rng.choice(["auto", "dense"]))}),
        (llrsim.predict, {"experiment": e, "limit": str(rng.choice(["proportional", "population"]))}),
        (llrsim.predict_plan, {"resolved": broken(rng, plan(e)), "limit": "population"}),
    ]  # fmt: skip
    return pool[int(rng.integers(len(pool)))]


def call_studies(rng):
    e = ready(rng)
    pool = [
        (llrsim.explain, {"experiment": e, "methods": ["dfr"], "replicates": 2, "seed": 1, "side": "both", "jobs": 1}),
        (llrsim.check, {"experiment": e, "limit": "population", "ratios": (20, 40), "replicates": 6, "seed": 1,
                        "false_alarm": 1e-3, "cells": 1, "jobs": 1}),
        (llrsim.check, {"experiment": e, "formula": lambda: 0.5, "method": "dfr", "against": "predict", "eps": 0.01,
                        "cells": 1, "seed": 1}),
        (llrsim.run_sweep, {"experiment": e.replace(sweep={"replicates": 2}), "out": FOLDER / str(rng.integers(10**9)),
                            "jobs": 1, "predict_only": bool(rng.random() < 0.5)}),
        (llrsim.open_results, {"folder": FOLDER / str(rng.choice(["none", "x.toml", ""]))}),
    ]  # fmt: skip
    return pool[int(rng.integers(len(pool)))]


def call_records(rng):
    e = ready(rng)
    resolved, outcome = plan(e), llrsim.predict(e)
    one = outcome["dfr"]
    records = (resolved, outcome, one, one.readout, llrsim.fit([[1.0], [-1.0]], [1, -1], head=FitOptions()))
    record = records[int(rng.integers(len(records)))]
    return type(record), {field.name: getattr(record, field.name) for field in fields(record) if field.init}


def call_plots(rng):
    e = ready(rng)
    outcome = llrsim.predict(e)
    pool = [
        (llrsim.plots.wga_table, {"source": [({"head.ridge": 0.1}, None, outcome)]}),
        (llrsim.plots.wga_lines, {"source": [({"head.ridge": 0.1}, None, outcome)], "axis": "head.ridge",
                                  "methods": ["dfr"]}),
        (llrsim.plots.attribution_bars, {"explanation": llrsim.explain(e, methods=["dfr"], side="prediction")}),
        (llrsim.plots.margins, {"source": e, "method": "dfr"}),
    ]  # fmt: skip
    return pool[int(rng.integers(len(pool)))]


CALLS = {
    call_fit: 40,
    call_mixture: 16,
    call_metrics: 12,
    call_description: 14,
    call_sides: 12,
    call_studies: 5,
    call_records: 5,
    call_plots: 3,
}
FOLDER = Path(tempfile.gettempdir())


def drawn(rng):
    """A callable with its arguments, of which one or two may be odd."""
    weight = np.array(list(CALLS.values()))
    called, arguments = list(CALLS)[int(rng.choice(len(weight), p=weight / weight.sum()))](rng)
    for _ in range(int(rng.choice([0, 1, 1, 2]))):
        if not arguments:
            break
        name = str(rng.choice(list(arguments)))
        value = arguments[name]
        near = isinstance(value, np.ndarray) and value.dtype.kind in "iuf" and rng.random() < 0.6
        arguments[name] = spoilt(rng, value) if near else odd(rng)
    return called, arguments


def least(loss, ridge, x, y, c, pull, centre, start):
    """The least objective that a quasi-Newton search in standardised coordinates finds, and the one at `start`."""
    scale = np.append(np.maximum(np.abs(x).max(axis=0), 1e-300), 1.0)
    design = np.column_stack([x, np.ones(len(x))])
    penalty = np.append(np.full(x.shape[1], ridge), 0.0)

    def objective(w):
        m = y * (design @ w)
        losses = {
            "squared": 0.5 * (1 - m) ** 2,
            "logistic": np.logaddexp(0, -m),
            "hinge": np.maximum(1 - m, 0),
            "squared_hinge": 0.5 * np.maximum(1 - m, 0) ** 2,
        }
        return c @ losses[loss] + 0.5 * penalty @ w**2 + 0.5 * pull * ((w - centre) ** 2).sum()

    there = objective(start)
    method = "Powell" if loss == "hinge" else "BFGS"
    unit = there or 1.0
    found = minimize(lambda v: objective(v / scale) / unit, start * scale, method=method, options={"maxiter": 60})
    return found.fun * unit, there


def checked(called, arguments, result):
    """Raise AssertionError for a result that says what is not so."""
    if called is llrsim.fit:
        assert isinstance(result.status, Status)
        if result.status is not Status.CONVERGED:
            return
        x, y = np.asarray(arguments["features"], float), np.asarray(arguments["labels"], float)
        assert np.isfinite([*result.weights, result.bias]).all()
        given, chosen = arguments.get("sample_weight"), arguments["head"]
        c = np.ones(len(y)) if given is None else np.asarray(given, float)
        if chosen.loss == "max_margin":
            assert (y * (x @ result.weights + result.bias))[c > 0].min() > 1 - 1e-5
            return
        centre = np.zeros(x.shape[1] + 1)
        if arguments.get("start") is not None:
            centre = np.append(*arguments["start"])
        at = np.append(result.weights, result.bias)
        best, there = least(chosen.loss, chosen.ridge, x, y, c / c.sum(), arguments.get("anchor", 0.0), centre, at)
        # The objective of no head is at most 1, and at least a half.
        assert not best < there * (1 - 1e-6) - 1e-8, f"objective {there!r}, and {best!r} elsewhere"
    if called in (llrsim.simulate, llrsim.simulate_plan, llrsim.predict, llrsim.predict_plan):
        assert isinstance(result, Outcome)
        json.dumps(result.to_dict(), allow_nan=False)
        for method in result:
            assert isinstance(method, MethodOutcome)
            assert isinstance(method.outcome, Status)
            accuracy = method.readout.group_accuracy[method.kept]
            assert ((accuracy >= 0) & (accuracy <= 1)).all()


def raised_by_llrsim(error):
    """Whether a statement of llrsim raised it, or Python where it found no such argument."""
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1]
    if last.filename == __file__ or last.filename.endswith("enum.py"):
        return isinstance(error, TypeError | ValueError)
    line = linecache.getline(last.filename, last.lineno).strip()
    return last.filename.startswith(PACKAGE) and line.startswith("raise ")


def shown(arguments):
    return {name: repr(value)[:200] for name, value in arguments.items()}


def main(seed, first, count):
    global FOLDER
    matplotlib.use("agg")
    warnings.simplefilter("ignore")
    ends = {}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):  # an odd name may be a path
        FOLDER = Path(folder)
        for case in range(first, first + count):
            sys.stdout.write(f"{case}\n")
            sys.stdout.flush()
            called, arguments = drawn(np.random.default_rng([seed, case]))
            name = f"{called.__module__}.{called.__qualname__}" if hasattr(called, "__qualname__") else str(called)
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                try:
                    result = called(**arguments)
                    end = "result"
                except Exception as error:
                    end, result, failure = type(error).__name__, None, error
                    if not isinstance(error, DOCUMENTED) or not raised_by_llrsim(error):
                        where = traceback.format_exception(error)[-6:]
                        ends.setdefault("wrong", []).append(
                            f"[{seed}, {case}] {name} {shown(arguments)}\n{''.join(where)}"
                        )
                    del failure
                if end == "result":
                    try:
                        checked(called, arguments, result)
                    except Exception as error:
                        ends.setdefault("wrong", []).append(f"[{seed}, {case}] {name} {shown(arguments)}\n{error!r}")
                if case % 50 == 0:
                    matplotlib.pyplot.close("all")
            key = f"{name}: {end}"
            ends[key] = ends.get(key, 0) + 1
    sys.stdout.write(json.dumps(ends) + "\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
