"""An attribution in words and as a table, for a terminal."""

from __future__ import annotations

from math import isinf
from typing import TYPE_CHECKING

from .effect import Effect
from .factorial import SWITCHES
from .verdict import MEANING

if TYPE_CHECKING:
    from .attribution import Attribution


NOTHING = "0 by construction"


def sentence(split: Attribution) -> str:
    """Gain, parts with intervals, and the verdict, which `verdict.judge` computes from the intervals."""
    where = f"{split.replicates} paired replicates" if split.side == "simulation" else f"{split.limit} limit"
    if split.replicates == 0:
        return f"{split.label} against {split.baseline}: no split, because a cell has no head ({split.failure})."
    if not split.effects:
        return f"{split.label} coincides with {split.baseline} in every switch ({where}): no gain to split."
    gain = split.gain
    verb = "gains" if gain.mean > 0 else "does not gain:"
    halves = {name: split.effects[name] for name in SWITCHES[:2] if name in split.effects}
    inside = ", ".join(f"{name} {effect.mean:+.3f}" for name, effect in halves.items())
    parts = [f"balance {split.balance} ({inside})" if halves else f"balance {NOTHING}"]
    parts += [f"{name} {split.effects.get(name, NOTHING)}" for name in SWITCHES[2:]]
    parts += [f"{name} {effect}" for name, effect in split.effects.items() if name not in SWITCHES]
    return (
        f"{split.label} {verb} {gain} worst-group accuracy over {split.baseline} "
        f"({where}; direction {gain.direction_part:+.3f}, bias {gain.bias_part:+.3f}): {', '.join(parts)}. "
        f"Verdict: {MEANING[split.verdict]}."
    )


def table(split: Attribution) -> str:
    """Plain text: Shapley values with intervals, their direction and bias parts, main effects, interactions."""
    title = f"{split.label} against {split.baseline}: {split.side}, {split.limit}"
    if split.side == "simulation":
        title += f", {split.replicates} paired replicates"
    lines = [title]
    if split.failure:
        lines.append(f"  {split.failed} replicates left out; {split.failure}")
    if split.replicates and split.effects:
        spread = "" if split.side == "prediction" else f"{'95 % interval':>20}"
        lines.append(f"  {'':<14}{'Shapley':>9}{spread}{'direction':>11}{'bias':>9}{'of means':>10}{'main':>9}")
        lines += [_line(name, effect, split.main_effects.get(name)) for name, effect in split.effects.items()]
        lines += [_line("gain", split.gain), _line("balance", split.balance)]
        if split.largest_interaction is not None:
            names, effect = split.largest_interaction
            lines.append(f"  balance x collapse interaction {split.balance_by_collapse}")
            lines.append(f"  largest interaction {effect}: {' x '.join(names)}")
    lines += [f"  {name} left out: {reason}" for name, reason in split.left_out.items()]
    lines += [f"  note: {note}" for note in split.notes]
    return "\n".join(lines)


def _line(name: str, effect: Effect, main: Effect | None = None) -> str:
    low, high = effect.interval
    spread = "none" if isinf(low) else f"[{low:+.4f}, {high:+.4f}]"
    return (
        f"  {name:<14}{effect.mean:+9.4f}"
        + ("" if effect.exact else f"{spread:>20}")
        + f"{effect.direction_part:+11.4f}{effect.bias_part:+9.4f}"
        f"{effect.of_means:+10.4f}" + (f"{main.mean:+9.4f}" if main is not None else "")
    )
