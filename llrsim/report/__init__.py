"""Reports: what is in results folders as one page of HTML, to be read beside the paper, on a screen or on paper.

A report reads stored results and writes one file that needs nothing else. Folders are taken for untrusted: every text
of theirs is escaped, links are not followed, and the page's own policy forbids it to load anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import count as count_from
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .._io import escaped, replace_file
from ..experiment.schema import STUDIES
from ..sweep.folder import StoreError
from .chapter import sweeps

if TYPE_CHECKING:
    from .chapter import Chapter

__all__ = ["Written", "write_report"]


class Written(NamedTuple):
    """The file, and why folders are not in it."""

    path: Path
    left_out: tuple[str, ...]


def write_report(
    folder: Path, out: Path | None = None, *, jobs: int = 1, say: Callable[[str], None] = lambda _: None
) -> Written:
    """Write the page on a sweep's folder, or on those in a folder, to `out`, by default FOLDER/report.html.

    `say` is told of every folder as it is read. Folders that cannot be read are left out, and the page says why;
    StoreError where none can be read.
    """
    from .page import page

    chapters, left_out = [], []
    for found in _read(folder, jobs, say):
        if isinstance(found, StoreError):
            left_out.append(str(found))
        else:
            chapters.append(found)
    if not chapters:
        raise StoreError(left_out[0])
    path = out or folder / "report.html"
    text = escaped(page(sorted(chapters, key=_place), left_out))

    def write(unfinished: Path) -> None:
        unfinished.write_text(text, encoding="utf-8", newline="\n")

    replace_file(path, write)
    return Written(path, tuple(left_out))


def _read(folder: Path, jobs: int, say: Callable[[str], None]) -> Iterator[Chapter | StoreError]:
    from .chapter import read_chapter

    taken: set[str] = set()
    for inner in sweeps(folder):
        say(f"reading {inner}")
        name = _name(inner, taken)
        taken.add(name)
        try:
            yield read_chapter(inner, name, jobs=jobs)
        except StoreError as error:
            yield error


def _name(folder: Path, taken: set[str]) -> str:
    """The folder's name as a word for links and ids that is not taken."""
    word = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-") or "sweep"
    return next(name for count in count_from(1) if (name := word if count == 1 else f"{word}-{count}") not in taken)


def _place(chapter: Chapter) -> tuple[int, str]:
    """Studies in their order, then the other sweeps by their folders."""
    study = chapter.experiment.study
    known = study is not None and study.id in STUDIES
    return (STUDIES.index(study.id) if known and study else len(STUDIES), chapter.folder)
