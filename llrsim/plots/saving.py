"""Figures as files: the same bytes for the same figure, with its origin inside and its numbers beside it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from .. import __version__
from ..files import write_rows
from .style import settings

if TYPE_CHECKING:
    from ..experiment import Experiment

LONGEST = 300
"""Characters of an error in a warning."""

SUFFIXES = (".png", ".pdf")


def save(
    figure: Figure,
    path: str | os.PathLike[str],
    *,
    experiment: Experiment | str,
    command: str,
    table: Iterable[Mapping[str, Any]],
) -> Path:
    """Write a PNG or PDF, and first the plotted rows as CSV beside it under the same stem; the path of the image.

    Experiment hash, command and llrsim's version are in the metadata: as Experiment, Command and Software in a PNG,
    in Subject, Keywords and Creator of a PDF. Nothing depends on the date.

    Args:
        figure: what to write.
        path: where, with suffix .png or .pdf; its folder is made if need be.
        experiment: the experiment, or its hash where only that is known.
        command: what made the figure.
        table: the plotted numbers, dicts with the same keys.

    Raises ValueError for another suffix.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path}: a figure is written as {' or '.join(SUFFIXES)}")
    identity = experiment if isinstance(experiment, str) else experiment.hash
    software = f"llrsim {__version__}"
    metadata: dict[str, str | None]
    if path.suffix == ".png":
        metadata = {"Experiment": identity, "Command": command, "Software": software}
    else:
        metadata = {
            "Subject": f"llrsim experiment {identity}",
            "Keywords": command,
            "Creator": software,
            "CreationDate": None,
        }
    write_rows(list(table), path.with_suffix(".csv"))
    with settings():
        figure.savefig(path, metadata=metadata)
    return path


@contextmanager
def drawing(path: str | os.PathLike[str]) -> Iterator[None]:
    """Warn where a figure cannot be drawn or written, so that what a command writes beside it is not lost with it.

    An image of this path, of an earlier run or half written, is removed.
    """
    try:
        yield
    except Exception as error:
        Path(path).unlink(missing_ok=True)
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        warnings.warn(f"{os.fspath(path)}: the figure could not be drawn: {reason[:LONGEST]}", stacklevel=3)
