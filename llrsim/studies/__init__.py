"""The studies: the experiments of arXiv 2512.01766 in the Gaussian model, each with a rule fixed before it ran.

A study is a preset whose file has a `[study]` section, and a module here of the same id with

    table(results, *, jobs=1) -> list of rows   what verdict and figure read: flat dicts of numbers and texts
    verdict(rows) -> Verdict                    the rule of the file, in code
    figure(rows) -> matplotlib Figure           theory as lines, simulation as points with 95 % intervals

Only `table` looks at results; the other two work from rows alone, stored ones too.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

from ..experiment.schema import STUDIES
from .evidence import Decision, Finding, Verdict, settled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure

    from ..sweep.results import Results

    Row = dict[str, Any]

__all__ = ["STUDIES", "Decision", "Finding", "Study", "Verdict", "settled", "study"]


class Study(Protocol):
    """What a study's module offers."""

    def table(self, results: Results, *, jobs: int = 1) -> list[Row]:
        """The rows of a finished sweep."""

    def verdict(self, rows: Sequence[Mapping[str, Any]]) -> Verdict:
        """What the rows say of the claim."""

    def figure(self, rows: Sequence[Mapping[str, Any]]) -> Figure:
        """The rows, drawn."""


def study(name: str) -> Study:
    """The module of a study; ValueError for an id that is not in `STUDIES`."""
    if name not in STUDIES:
        raise ValueError(f"study: {name!r}; expected one of {', '.join(STUDIES)}")
    return cast(Study, import_module(f".{name}", __name__))
