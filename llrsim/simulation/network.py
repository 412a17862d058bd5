"""Simulate with learned features: train a network, fit heads on its hidden units, count on fresh test rows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from math import nan
from threading import Lock
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

import numpy as np
from scipy.special import expit

from .._jit import single_blas_thread
from ..model.descent import ceiling
from ..model.draws import Role, SampleLaw, draw, fill_normal, key, root_key, shuffle
from ..model.head import Head
from ..model.losses import Status
from ..model.methods import Counts
from ..model.mixture import Array, GroupMixture
from ..model.neural_collapse import nc1_of_data
from ..model.plan import Plan, Stage
from ..outcome import LearnedFeatures, MethodOutcome, Observed, Outcome, bias_intervals
from .engine import Draws
from .solvers import fit_rows

if TYPE_CHECKING:
    from ..experiment import FitOptions
    from ..experiment.schema import Network


# A network with one hidden layer of ReLU units: its features, its output, and its training.
#
#     features h(x) = max(0, x W + b),    output f(x) = h(x).a + c
#
# It is trained by full-batch gradient descent with heavy ball momentum on the mean logistic loss of y f(x), plus
# ridge / 2 times the squared norm of W and a. Such training makes the features of the training rows collapse once they
# are fitted, of themselves (Papyan, Han & Donoho 2020): nothing here asks for it.


class Raw(NamedTuple):
    """No network: the features are the inputs."""

    def features(self, inputs: Array) -> Array:
        """The inputs (n, p) themselves."""
        return inputs


class TwoLayer(NamedTuple):
    """Weights of p inputs on m hidden units and of these on the output."""

    hidden: Array  # (p, m) W
    offset: Array  # (m,) b
    output: Array  # (m,) a
    bias: Array  # (1,) c

    def features(self, inputs: Array) -> Array:
        """(n, m) activations of the hidden units on inputs (n, p)."""
        raised = inputs @ self.hidden
        raised += self.offset
        return np.maximum(raised, 0.0, out=raised)

    def logit(self, features: Array) -> Array:
        """(n,) the output on features (n, m)."""
        return features @ self.output + self.bias


def untrained(network: Network, inputs: int, *, root: np.uint64, replicate: int) -> Raw | TwoLayer:
    """What makes the features before any training: W ~ N(0, 2/p) (He et al. 2015), a ~ N(0, 1/m), offsets zero.

    A function of root, replicate and the sizes alone.
    """
    if network.kind == "raw":
        return Raw()
    state, drawn = np.empty(4, np.uint64), np.empty((inputs + 1, network.width))
    key(state, root, int(Role.NETWORK), replicate, 0)
    fill_normal(state, drawn)
    return TwoLayer(
        hidden=drawn[:-1] * np.sqrt(2 / inputs),
        offset=np.zeros(network.width),
        output=drawn[-1] / np.sqrt(network.width),
        bias=np.zeros(1),
    )


def loss_and_gradient(network: TwoLayer, inputs: Array, labels: Array, ridge: float, gradient: TwoLayer) -> float:
    """The training objective; its gradient is written to `gradient`, an array for each of the network's.

    `inputs` (n, p) and `labels` (n,) of -1 or +1. The offsets b and c are not penalised.
    """
    features = network.features(inputs)
    margins = labels * network.logit(features)
    pull = -labels * expit(-margins) / len(labels)
    np.dot(features.T, pull, out=gradient.output)
    gradient.bias[0] = pull.sum()
    # The features are not needed any more: their memory takes the gradient with respect to them.
    back = np.multiply(features > 0, network.output, out=features)
    back *= pull[:, None]
    np.dot(inputs.T, back, out=gradient.hidden)
    np.sum(back, axis=0, out=gradient.offset)
    penalty = 0.0
    if ridge > 0:
        for weights, change in ((network.hidden, gradient.hidden), (network.output, gradient.output)):
            change += ridge * weights
            penalty += 0.5 * ridge * float(np.vdot(weights, weights))
    return float(np.logaddexp(0.0, -margins).mean()) + penalty


def trained(
    start: TwoLayer, inputs: Array, labels: Array, *, steps: int, step_size: float, momentum: float, ridge: float
) -> TwoLayer | None:
    """The network after so many steps from `start`; None where the descent diverged (`descent_rule.ceiling`)."""
    network = TwoLayer(*(weights.copy() for weights in start))
    moves, gradient = (TwoLayer(*(np.zeros_like(weights) for weights in start)) for _ in range(2))
    inputs = np.ascontiguousarray(inputs)
    highest = np.inf
    for done in range(steps):
        objective = loss_and_gradient(network, inputs, labels, ridge, gradient)
        if done == 0:
            highest = ceiling(objective)
        if not objective <= highest:
            return None
        # The step of `descent_rule.move`, by array statements.
        for weights, move, slope in zip(network, moves, gradient, strict=True):
            move *= momentum
            slope *= step_size
            move -= slope
            weights += move
    return network if all(np.isfinite(weights).all() for weights in network) else None


# Trained networks that are kept for the next cell.
#
# Cells of a grid often differ in what heads are fitted on and share the training sample; training is most of their
# cost. What is kept changes times alone: networks are looked up by what they are trained on and started from.


T = TypeVar("T")

KEPT = 128  # networks: two units of replicates
LARGEST = 1 << 21  # bytes of one, so that all of them take a quarter of a gigabyte at most


def digest(*arrays: Array) -> bytes:
    """A key of arrays: equal ones, and in practice no others, have the same."""
    hashed = blake2b(digest_size=20)
    for array in arrays:
        hashed.update(repr(array.shape).encode())
        hashed.update(array.tobytes())
    return hashed.digest()


class Kept(Generic[T]):
    """The latest results by key. Two threads that ask for one at the same time wait for one computation."""

    def __init__(self, most: int = KEPT) -> None:
        self._most = most
        self._lock = Lock()
        self._found: OrderedDict[object, Future[T]] = OrderedDict()

    def of(self, key: object, make: Callable[[], T]) -> T:
        """What was made for this key, or what `make` makes now."""
        with self._lock:
            future = self._found.get(key)
            waiting = future is not None
            if future is None:
                future = self._found[key] = Future()
                if len(self._found) > self._most:
                    self._found.popitem(last=False)
            else:
                self._found.move_to_end(key)
        if not waiting:
            try:
                future.set_result(make())
            except BaseException as error:
                with self._lock:
                    self._found.pop(key, None)
                future.set_exception(error)
                raise
        return future.result()


# Accuracies counted on test rows, group by group.


def group_shares(scores: Array, labels: Array) -> Array:
    """(..., G) shares of rows on their class's side, of scores (..., G, n) of G groups of labels (G,); 0 counts half.

    >>> group_shares(np.array([[-1.0, 2.0], [3.0, 0.0]]), np.array([-1.0, 1.0])).tolist()
    [0.5, 0.75]
    """
    return (0.5 + 0.5 * np.sign(labels[:, None] * scores)).mean(axis=-1)


def best_wga(scores: Array, labels: Array) -> float:
    """The largest worst-group accuracy over all biases added to scores (G, n).

    Taken on the rows that it is told of, so above what the same bias gets on others, by up to their sampling error.

    >>> best_wga(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([-1.0, 1.0]))
    1.0
    """
    ranked, every = np.sort(scores, axis=-1), np.sort(scores, axis=None)
    if not ((labels > 0).any() and (labels < 0).any()):
        return 1.0
    # Between neighbours nothing changes, so their midpoints stand for all thresholds but those that meet a row.
    thresholds = np.empty(2 * len(every) + 1)
    thresholds[1::2] = every
    thresholds[2:-1:2] = (every[1:] + every[:-1]) / 2
    thresholds[0], thresholds[-1] = every[0] - 1.0, every[-1] + 1.0

    def accuracies(place: int) -> tuple[float, float]:
        """The least accuracy of either class's groups at a threshold: falling in it for +1, rising for -1."""
        threshold = thresholds[place]
        below = [np.searchsorted(row, threshold, "left") + np.searchsorted(row, threshold, "right") for row in ranked]
        share = np.array(below) / (2 * scores.shape[-1])
        return float((1 - share)[labels > 0].min()), float(share[labels < 0].min())

    low, high = 0, len(thresholds) - 1
    while high - low > 1:
        middle = (low + high) // 2
        positive, negative = accuracies(middle)
        low, high = (middle, high) if positive >= negative else (low, middle)
    return max(min(accuracies(low)), min(accuracies(high)))


# A stage's head fitted on features, by the array solvers and on the rows that the dense simulator would use.


class FittedHead(NamedTuple):
    """The logit x.w + b on features (m,), how its fit ended, and the optimal biases where there are several."""

    weights: Array
    bias: float
    status: Status
    certificate: float
    iterations: int
    bias_interval: tuple[float, float] | None = None

    @classmethod
    def without(cls, status: Status) -> FittedHead:
        """No head, for this reason."""
        return cls(np.empty(0), float("nan"), status, float("nan"), 0)

    def logit(self, features: Array) -> Array:
        """(n,) on features (n, m)."""
        return features @ self.weights + self.bias


def fit_stage(
    stage: Stage, features: Array, labels: Array, *, start: FittedHead | None, root: np.uint64, replicate: int
) -> FittedHead:
    """The head of a stage on its sample's features (n, m) and labels (n,), averaged where the stage says so.

    `start` is the head of the stage it starts from; without one there, there is none here.
    """
    if start is not None and not start.status.ok:
        return FittedHead.without(start.status)
    origin = np.zeros(features.shape[1] + 1) if start is None else np.append(start.weights, start.bias)
    weight = np.repeat(stage.selection.weight, stage.selection.used)
    fits = []
    for index in range(stage.average):
        rows = used_rows(stage, index, root=root, replicate=replicate)
        found = fit_rows(
            features[rows],
            labels[rows],
            weight,
            head=stage.head,
            origin=origin,
            anchor=stage.anchor,
            seed=(int(root) << 64) + (replicate << 32) + index,  # any whole number keys a stream
        )
        if not found.status.ok:
            return FittedHead.without(found.status)
        fits.append(found)
    status = Status.of_all(found.status for found in fits)
    low, high = np.mean([found.bias_interval or (found.bias, found.bias) for found in fits], axis=0)
    return FittedHead(
        np.mean([found.weights for found in fits], axis=0),
        float(np.mean([found.bias for found in fits])),
        status,
        max(found.certificate for found in fits),
        sum(found.iterations for found in fits),
        (low, high) if status is Status.BIAS_NOT_UNIQUE else None,
    )


def used_rows(stage: Stage, index: int, *, root: np.uint64, replicate: int) -> Array:
    """(rows used,) places in the sample, section by section: a prefix, in cycles where rows are used more than once.

    Where heads are averaged each takes random rows of every section, those that the dense simulator draws.
    """
    state, first, chosen = np.empty(4, np.uint64), 0, []
    if stage.average > 1:
        key(state, root, int(Role.SUBSET), replicate, index)
    for available, used in zip(stage.selection.available, stage.selection.used, strict=True):
        order = np.arange(available)
        if stage.average > 1:
            shuffle(state, order)
        chosen.append(first + np.resize(order, used))
        first += available
    return np.concatenate(chosen)


# Replicates of a plan with a network: draw, learn the features, fit the heads on them, count on fresh test rows.
#
# Samples are keyed as the dense simulator keys them, so raw features are its very designs. The network depends on the
# training sample and on (root, replicate) alone: cells that differ in what heads are fitted on share it. Test rows are
# drawn once a replicate and shared by its methods.


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
    from ..experiment import load
    from ..model.plan import plan
    from .dense import warm_up as compile_solvers

    compile_solvers(heads)
    tiny = {
        "features": {"core": {"mean": 1.0, "std": 0.6}, "noise": {"dim": 2}},
        "train": {"n": 40, "proportions": [0.25] * 4},
        "network": {"kind": "raw", "test_rows": 10},
        "head": {"loss": "squared", "ridge": 0.1},
        "method": [{"kind": "erm"}],
    }
    simulate_learned(plan(load(tiny)), Draws())


# The learned simulator: inputs drawn as by the dense one, features made by a network, heads tested on fresh rows.


__all__ = ["simulate_learned", "warm_up"]
