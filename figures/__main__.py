"""Redraw every figure from its record into figures/out: `python -m figures`."""

import argparse
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from llrsim.plots import save
from llrsim.plots.style import settings
from llrsim.studies import study

from . import convergence, cost, early_stopping, finite_size, margins, phase, quick
from .reading import read
from .records import STUDIED

OUT = Path(__file__).resolve().parent / "out"
FIGURES = {
    "convergence": convergence.draw,
    "quick": quick.draw,
    "early_stopping": early_stopping.draw,
    "margins": margins.draw,
    "phase": phase.draw,
    "finite_size": finite_size.draw,
    "cost": cost.draw,
    **{name: study(name).figure for name in STUDIED},
}
"""Name of record and figure, and what draws it."""


def redraw(folder: Path) -> list[Path]:
    """Write every figure as PNG and PDF, with its numbers as CSV; the paths of the images."""
    written: list[Path] = []
    with settings():
        for name, draw in FIGURES.items():
            rows = read(name)
            figure: Figure = draw(rows)
            origin: dict[str, Any] = {"experiment": rows[0]["experiment"], "command": "python -m figures"}
            written += [save(figure, folder / f"{name}{suffix}", table=rows, **origin) for suffix in (".png", ".pdf")]
    return written


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m figures", description="Redraw every figure from its record.")
    parser.add_argument("--out", type=Path, default=OUT, help=f"folder to write to (default {OUT})")
    for path in redraw(parser.parse_args().out):
        print(path)


if __name__ == "__main__":
    main()
