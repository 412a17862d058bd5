"""What `simulate` and `predict` both return: for each method its head, what follows from it, and how it came about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from .head import Head, Readout, read_out
from .mixture import Array, GroupMixture
from .planning import Stage
from .status import Status

Limit = Literal["population", "proportional", "finite"]


@dataclass(frozen=True, eq=False)
class Path:
    """Heads along a descent, before averaging: `steps` (S,) and heads with leading axes (R, S)."""

    steps: np.ndarray
    heads: Head


@dataclass(frozen=True, eq=False)
class MethodOutcome:
    """One method's heads over R replicates (R = 1 for a prediction) and their exact readout.

    Attributes:
        stage: the method as it was fitted, with its selection and mass.
        test: the law the heads are read out on.
        heads: summaries with leading axis (R,); rows that have no head are nan.
        status: (R,) codes of `Status`.
        certificate: (R,) relative gradient norm or duality gap of each fit.
        iterations: (R,) solver iterations, or steps.
        limit: `finite` for a simulation, else the limit of the prediction.
        path: heads along the descent, when `head.solver.path` asks for it.
        largest_stable_step: set when a descent diverged, nan otherwise.
    """

    stage: Stage
    test: GroupMixture
    heads: Head
    status: np.ndarray
    certificate: Array
    iterations: np.ndarray
    limit: Limit
    path: Path | None = None
    largest_stable_step: float = float("nan")

    @property
    def label(self) -> str:
        """The method's unique name."""
        return self.stage.label

    @property
    def mass(self) -> Array:
        """(G,) effective group mass p_g (T19)."""
        return self.stage.selection.mass

    @cached_property
    def readout(self) -> Readout:
        """Exact accuracies of every replicate, leading axis (R,)."""
        return read_out(self.heads, self.test)

    @cached_property
    def kept(self) -> np.ndarray:
        """(R,) whether the replicate has a head."""
        return np.isin(self.status, [s for s in Status if s.ok])

    @property
    def outcome(self) -> Status:
        """The first status that is not ok, else that of the first replicate."""
        failed = self.status[~self.kept]
        return Status(int(failed[0] if failed.size else self.status[0]))

    def mean(self, values: Array) -> Array:
        """Mean over the replicates that have a head; nan if none has."""
        rows = np.asarray(values, dtype=np.float64)[self.kept]
        return rows.mean(axis=0) if len(rows) else np.full(np.shape(values)[1:], np.nan)

    def standard_error(self, values: Array) -> Array | None:
        """Standard error of `mean`; None for predictions and single replicates."""
        rows = np.asarray(values, dtype=np.float64)[self.kept]
        return rows.std(axis=0, ddof=1) / np.sqrt(len(rows)) if len(rows) > 1 else None

    @property
    def group_accuracy(self) -> Array:
        """(G,) mean accuracy of each group."""
        return self.mean(self.readout.group_accuracy)

    @property
    def wga(self) -> float:
        """Mean over replicates of the worst group's accuracy: what a practitioner sees."""
        return float(self.mean(self.readout.wga))

    @property
    def wga_of_means(self) -> float:
        """Least of the mean group accuracies: what theory predicts; above `wga` where groups tie."""
        return float(self.group_accuracy.min())

    def row(self) -> dict[str, Any]:
        """The main numbers, flat: status, WGA and averages, accuracy and mass of each group."""
        names = self.test.group_names
        return (
            {
                "limit": self.limit,
                "status": self.outcome.label,
                "wga": self.wga,
                "wga_of_means": self.wga_of_means,
                "direction_wga": float(self.mean(self.readout.direction_wga)),
                "average_accuracy": float(self.mean(self.readout.average_accuracy)),
            }
            | {f"accuracy{name}": float(value) for name, value in zip(names, self.group_accuracy, strict=True)}
            | {f"mass{name}": float(value) for name, value in zip(names, self.mass, strict=True)}
        )

    def to_dict(self) -> dict[str, Any]:
        """One JSON-ready object: means over replicates, with `standard_error` beside them where there are several."""
        quantities: dict[str, Array] = {
            "wga": self.readout.wga,
            "group_accuracy": self.readout.group_accuracy,
            "average_accuracy": self.readout.average_accuracy,
            "worst_class_accuracy": self.readout.worst_class_accuracy,
            "spurious_reliance": self.readout.spurious_reliance,
            "direction_wga": self.readout.direction_wga,
            "bias_part": self.readout.bias_part,
        }
        head: dict[str, Array] = {
            "signal": self.heads.signal,
            "bias": self.heads.bias,
            "noise_norm": self.heads.noise_norm,
            "noise_scale": self.heads.noise_scale(self.test),
        }
        told: dict[str, Any] = {"status": self.outcome.label, "limit": self.limit, "kind": self.stage.kind}
        if not self.outcome.ok:
            told["message"] = self.outcome.message
        if np.isfinite(self.largest_stable_step):
            told["largest_stable_step"] = self.largest_stable_step
        told |= {name: _plain(self.mean(values)) for name, values in quantities.items()}
        told["wga_of_means"] = _plain(self.wga_of_means)
        told["worst_group"] = int(np.argmin(self.group_accuracy)) if self.kept.any() else None
        told |= {"mass": _plain(self.mass), "counts": self.stage.selection.counts.tolist()}
        told["head"] = {name: _plain(self.mean(values)) for name, values in head.items()}
        told["certificate"] = _plain(np.max(self.certificate[self.kept], initial=0.0)) if self.kept.any() else None
        if self.path is not None:
            told["path"] = self._path_dict(self.path)
        if self.limit == "finite":
            told["replicates"] = int(self.kept.sum())
            told["standard_error"] = {name: _plain(self.standard_error(values)) for name, values in quantities.items()}
            told["standard_error"]["head"] = {name: _plain(self.standard_error(v)) for name, v in head.items()}
        return told

    def _path_dict(self, path: Path) -> dict[str, Any]:
        accuracy = read_out(path.heads, self.test)
        return {
            "steps": path.steps.tolist(),
            "wga": _plain(self.mean(accuracy.wga)),
            "group_accuracy": _plain(self.mean(accuracy.group_accuracy)),
            "signal": _plain(self.mean(path.heads.signal)),
            "bias": _plain(self.mean(path.heads.bias)),
            "noise_norm": _plain(self.mean(path.heads.noise_norm)),
        }


@dataclass(frozen=True, eq=False)
class Outcome:
    """The methods of one experiment on one side, by label.

    `gram` (R, M, M) holds v_i.v_j, the inner products of the noise parts of the M heads of each replicate, so that
    heads can be compared; None for predictions that have no joint law of heads.
    """

    name: str
    methods: Mapping[str, MethodOutcome]
    side: Literal["simulation", "prediction"]
    simulator: str | None = None
    axes: Mapping[str, Any] = field(default_factory=dict)
    gram: Array | None = None

    def __getitem__(self, label: str) -> MethodOutcome:
        if label not in self.methods:
            raise KeyError(f"no method {label!r}; this outcome has {', '.join(self.methods)}")
        return self.methods[label]

    def __iter__(self) -> Iterator[MethodOutcome]:
        return iter(self.methods.values())

    def cosine(self, first: str, second: str) -> Array:
        """(R,) cosine between two methods' weight vectors (bias excluded), from signals and the noise Gram matrix."""
        if self.gram is None:
            raise ValueError("cosine: this outcome has no Gram matrix of noise parts; only simulations have one")
        labels = list(self.methods)
        i, j = labels.index(first), labels.index(second)
        u, v = self[first].heads, self[second].heads
        inner = (u.signal * v.signal).sum(axis=-1) + self.gram[:, i, j]
        return inner / (u.weight_norm * v.weight_norm)

    def to_dict(self) -> dict[str, Any]:
        """One JSON-ready object: `{"name": ..., "methods": {label: {...}}}`."""
        told: dict[str, Any] = {"name": self.name, "side": self.side}
        if self.simulator:
            told["simulator"] = self.simulator
        if self.axes:
            told["axes"] = dict(self.axes)
        return told | {"methods": {outcome.label: outcome.to_dict() for outcome in self}}

    def rows(self) -> list[dict[str, Any]]:
        """One flat dict a method: axes, label, limit, WGA, group accuracies, mass."""
        return [dict(self.axes) | {"method": outcome.label, "side": self.side} | outcome.row() for outcome in self]

    def __repr__(self) -> str:
        head = f"{self.name}: {self.side}" + (f" ({self.simulator})" if self.simulator else "")
        lines = [head, f"  {'method':<16}{'WGA':>8}{'± 95 %':>9}{'best bias':>11}{'average':>9}  mass"]
        for outcome in self:
            error = outcome.standard_error(outcome.readout.wga)
            spread = f"{1.96 * float(error):9.4f}" if error is not None else f"{'':>9}"
            mass = " ".join(f"{p:.3f}" for p in outcome.mass)
            if not outcome.kept.any():
                lines.append(f"  {outcome.label:<16}{outcome.outcome.label}: {outcome.outcome.message}")
                continue
            lines.append(
                f"  {outcome.label:<16}{outcome.wga:8.4f}{spread}"
                f"{float(outcome.mean(outcome.readout.direction_wga)):11.4f}"
                f"{float(outcome.mean(outcome.readout.average_accuracy)):9.4f}  {mass}"
            )
        return "\n".join(lines)


def _plain(value: Any) -> Any:
    """Arrays as nested lists and nan as None, so that the result is strict JSON."""
    if value is None:
        return None
    array = np.asarray(value)
    if array.ndim:
        return [_plain(entry) for entry in array]
    number = array.item()
    return number if not isinstance(number, float) or np.isfinite(number) else None
