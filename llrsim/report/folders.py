"""The folders that a report reads: the one it is given, or those in it; none behind a link."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..sweep.folder import StoreError
from ..sweep.format import FILE


def sweeps(folder: Path) -> list[Path]:
    """The folder itself where it holds a sweep, else the folders in it that do; StoreError where there is none."""
    if not folder.is_dir():
        raise StoreError(f"{folder}: {'is not a folder' if folder.exists() else 'no such folder'}")
    if _holds(folder):
        return [folder]
    found = [inner for inner in sorted(folder.iterdir()) if inner.is_dir() and not inner.is_symlink() and _holds(inner)]
    if not found:
        raise StoreError(f"{folder}: no results here, nor in the folders in it (there is no {FILE})")
    return found


def check_no_links(folder: Path) -> None:
    """StoreError where a file of the folder is a link, which could lead out of it."""
    linked: Sequence[str] = sorted(inner.name for inner in folder.iterdir() if inner.is_symlink())
    if linked:
        raise StoreError(f"{folder}: holds links ({', '.join(linked)}), which a report does not follow")


def _holds(folder: Path) -> bool:
    return (folder / FILE).exists() or (folder / FILE).is_symlink()
