"""Replicates of a plan with a network: draw, learn the features, fit the heads on them, count on fresh test rows.

Samples are keyed as the dense simulator keys them, so raw features are its very designs. The network depends on the
training sample and on (root, replicate) alone: cells that differ in what heads are fitted on share it. Test rows are
drawn once a replicate and shared by its methods.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import nan
from typing import TYPE_CHECKING

import numpy as np

from ..._jit import single_blas_thread
from ...drawing import SampleLaw, draw
from ...head import Head
from ...methods import Counts
from ...mixture import Array, GroupMixture
from ...neural_collapse import nc1_of_data
from ...outcome import LearnedFeatures, MethodOutcome, Observed, Outcome, bias_intervals
from ...planning import Plan
from ...status import Status
from ...stream import Role, root_key
from ..draws import Draws
from .counting import best_wga, group_shares
from .heads import FittedHead, fit_stage
from .keeping import LARGEST, Kept, digest
from .network import Raw, TwoLayer, trained, untrained

if TYPE_CHECKING:
    from ...experiment import FitOptions
    from ...experiment.schema import Network

_kept: Kept[TwoLayer | None] = Kept()


@dataclass(frozen=True, eq=False)
class _Replicate:
    """What one replicate leaves: a head, its group accuracies and its best WGA for each of M stages."""

    heads: list[FittedHead]
    accuracy: Array  # (M, G)
    direction_wga: Array  # (M,)
    nc1: list[float]  # (3,) of the training features before and after training, and of the held-out ones
    train_accuracy: float
    output_accuracy: Array  # (G,)


def simulate_learned(plan: Plan, draws: Draws) -> Outcome:
    """Simulate replicates of a plan with a network, as `simulate_plan` says.

    The readout is empirical: every `MethodOutcome` has `observed`, and of its heads the bias alone. Where the training
    of a network diverges, its replicate is `diverged` for all methods.
    """
    network = plan.network
    assert network is not None, "`chosen` sends other plans elsewhere"
    kernels = [sample.mixture.kernel_law() for sample in plan.samples]
    work = partial(_replicate, plan, network, kernels, plan.test.kernel_law(), draws)
    with single_blas_thread():
        if draws.jobs > 1:
            with ThreadPoolExecutor(draws.jobs) as pool:
                found = list(pool.map(work, draws.numbers))
        else:
            found = [work(number) for number in draws.numbers]
    outcomes = {stage.label: _outcome(plan, network, m, found) for m, stage in enumerate(plan.stages)}
    nc1 = np.array([one.nc1 for one in found])
    return Outcome(
        name="plan",
        methods=outcomes,
        side="simulation",
        simulator="learned",
        features=LearnedFeatures(
            nc1_untrained=nc1[:, 0],
            nc1_train=nc1[:, 1],
            nc1_heldout=nc1[:, 2],
            train_accuracy=np.array([one.train_accuracy for one in found]),
            output_accuracy=np.array([one.output_accuracy for one in found]),
        ),
    )


def _replicate(
    plan: Plan, network: Network, kernels: list[SampleLaw], test: SampleLaw, draws: Draws, number: int
) -> _Replicate:
    root = root_key(draws.seed, draws.law)
    drawn = {
        sample.role: _draw(root, Role[sample.role.upper().replace("-", "_")], number, kernel, sample.counts)
        for sample, kernel in zip(plan.samples, kernels, strict=True)
    }
    inputs, labels = drawn["train"]
    before = untrained(network, inputs.shape[1], root=root, replicate=number)
    after = _after_training(network, before, inputs, labels)
    nc1 = [_nc1(before.features(inputs), labels), nan, nan]
    groups, classes = plan.test.group_count, plan.test.labels
    if after is None:
        return _diverged(len(plan.stages), groups, nc1)
    samples = {role: (after.features(x), y) for role, (x, y) in drawn.items()}
    nc1[1:] = [_nc1(*samples[role]) if role in samples else nan for role in ("train", "heldout")]
    tested = after.features(_draw(root, Role.TEST, number, test, np.full(groups, network.test_rows))[0])
    heads: list[FittedHead] = []
    for stage in plan.stages:
        x, y = samples[plan.samples[stage.sample].role]
        start = None if stage.start is None else heads[stage.start]
        heads.append(fit_stage(stage, x, y, start=start, root=root, replicate=number))
    scores = [head.logit(tested).reshape(groups, -1) if head.status.ok else None for head in heads]
    train_accuracy, output_accuracy = nan, np.full(groups, nan)
    if network.kind == "trained":
        assert isinstance(after, TwoLayer), "raw features are not trained"
        train_accuracy = float((labels * after.logit(samples["train"][0]) > 0).mean())
        output_accuracy = group_shares(after.logit(tested).reshape(groups, -1), classes)
    return _Replicate(
        heads,
        np.array([np.full(groups, nan) if score is None else group_shares(score, classes) for score in scores]),
        np.array([nan if score is None else best_wga(score, classes) for score in scores]),
        nc1,
        train_accuracy,
        output_accuracy,
    )


def _after_training(network: Network, before: Raw | TwoLayer, inputs: Array, labels: Array) -> Raw | TwoLayer | None:
    """What makes the features of heads: the network as it was, or trained if it is to be; None where that diverged."""
    if network.kind != "trained":
        return before
    assert isinstance(before, TwoLayer), "raw features are not trained"
    assert network.steps is not None, "the checks ask for it"
    assert network.step_size is not None, "the checks ask for it"
    train = partial(
        trained,
        before,
        inputs,
        labels,
        steps=network.steps,
        step_size=network.step_size,
        momentum=network.momentum,
        ridge=network.ridge,
    )
    if sum(weights.nbytes for weights in before) > LARGEST:
        return train()
    how = network.steps, network.step_size, network.momentum, network.ridge
    return _kept.of((how, digest(*before, inputs, labels)), train)


def _diverged(stages: int, groups: int, nc1: list[float]) -> _Replicate:
    nothing = np.full((stages, groups), nan)
    heads = [FittedHead.without(Status.DIVERGED)] * stages
    return _Replicate(heads, nothing, nothing[:, 0], nc1, nan, nothing[0])


def _draw(root: np.uint64, role: Role, replicate: int, law: SampleLaw, counts: Counts) -> tuple[Array, Array]:
    """Inputs (n, k + d) and labels (n,) of a sample, rows ordered by group."""
    rows, columns = int(counts.sum()), law.means.shape[1] + len(law.spectrum_root) + 1
    design, labels = np.empty((rows, columns)), np.empty(rows)
    draw(np.empty(4, np.uint64), root, int(role), replicate, law, counts, design, labels)
    return design[:, :-1], labels


def _nc1(features: Array, labels: Array) -> float:
    """NC1 of the classes; nan where one of them has no rows, or they have one mean."""
    try:
        return nc1_of_data(features, labels)
    except ValueError:
        return nan


def _outcome(plan: Plan, network: Network, m: int, found: list[_Replicate]) -> MethodOutcome:
    heads = [one.heads[m] for one in found]
    return MethodOutcome(
        stage=plan.stages[m],
        test=plan.test,
        heads=_biases(plan.test, np.array([head.bias for head in heads])),
        status=np.array([int(head.status) for head in heads]),
        certificate=np.array([head.certificate for head in heads]),
        iterations=np.array([head.iterations for head in heads]),
        limit="finite",
        bias_interval=bias_intervals([head.bias_interval for head in heads]),
        observed=Observed(
            group_accuracy=np.array([one.accuracy[m] for one in found]),
            direction_wga=np.array([one.direction_wga[m] for one in found]),
            rows=network.test_rows,
        ),
    )


def _biases(test: GroupMixture, bias: Array) -> Head:
    """Heads of which the bias is known: their weights are on features, not on the inputs' coordinates."""
    unknown = np.full(bias.shape, np.nan)
    return Head(np.full((*bias.shape, test.signal_dim), np.nan), bias, unknown, unknown)


def warm_up(heads: Iterable[FitOptions] | None = None) -> None:
    """Compile what simulating these heads takes (default: any head), or load it from the cache."""
    from ...experiment import load
    from ...planning import plan
    from ..dense import warm_up as compile_solvers

    compile_solvers(heads)
    tiny = {
        "features": {"core": {"mean": 1.0, "std": 0.6}, "noise": {"dim": 2}},
        "train": {"n": 40, "proportions": [0.25] * 4},
        "network": {"kind": "raw", "test_rows": 10},
        "head": {"loss": "squared", "ridge": 0.1},
        "method": [{"kind": "erm"}],
    }
    simulate_learned(plan(load(tiny)), Draws())
