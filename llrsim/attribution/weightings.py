"""Weights of the held-out groups beside 1/pi: what each weighting is predicted to reach at the sample's n/d (T10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..model.plan import Plan, Stage
    from ..prediction.weightings import Weighting


@dataclass(frozen=True, eq=False)
class WeightingTable:
    """Weightings of one method's rows, by name; `group_names` (G,) and `method` say whose."""

    method: str
    group_names: tuple[str, ...]
    weightings: tuple[Weighting, ...]

    @classmethod
    def of(cls, plan: Plan, stages: Sequence[Stage]) -> WeightingTable | None:
        """Of the rows of the first stage that fits the held-out sample exactly, or None where nothing is to be weighed.

        Subsets, repeats and wrong annotations are not weightings of the sample's groups, and a stage that is pulled to
        an earlier head is not a function of its weights alone: such stages are passed over.
        """
        from ..prediction.weightings import weighed

        for stage in stages:
            if plan.samples[stage.sample].role == "heldout":
                found = weighed(plan, stage)
                if found:
                    return cls(stage.label, plan.test.group_names, found)
        return None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        told = [weighting.to_dict() for weighting in self.weightings]
        return {"method": self.method, "groups": list(self.group_names), "weightings": told}

    def __str__(self) -> str:
        width = max(len(one.name) for one in self.weightings) + 2
        columns = "".join(f"{name:>9}" for name in self.group_names)
        lines = [
            f"Sample weights of the held-out groups, fitted as {self.method} is, and the WGA predicted for each:",
            f"  {'weights':<{width}}{'WGA':>8}{columns}",
        ]
        for one in self.weightings:
            lines.append(f"  {one.name:<{width}}{one.wga:8.4f}" + "".join(f"{om:9.3f}" for om in one.weights))
        return "\n".join(lines)
