"""Read one results folder for a report: its runs, tables and figures, not yet a page."""

from __future__ import annotations

import io
import math
import os
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from html import escape
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

from matplotlib.figure import Figure

from .._io import read_rows
from ..experiment import Experiment, Grid
from ..experiment.identity import study_hash
from ..model.losses import Status
from ..plots import style
from ..plots.table import wga_table
from ..plots.wga import layouts_of, wga_figure
from ..studies import Verdict, study
from ..studies.concluding import TABLE, record
from ..studies.evidence import ACCURACY
from ..studies.evidence import columns as columns_of
from ..sweep.environment import commit_of, processor_of
from ..sweep.folder import STRANGE, StoreError, foreign_content
from ..sweep.format import FILE
from ..sweep.results import Results, open_results
from ..sweep.store import Reader
from ..sweep.units import grid_keys

# HTML from elements. Whatever is not `Markup` is text and is escaped, so that no text of a folder becomes a tag.


VOID = frozenset({"meta"})
"""Elements without an end."""


class Markup(str):
    """Text that is HTML already."""


Content = str | int | None
"""What an element holds: Markup as it is, other text escaped, nothing for None."""


def markup(content: Content) -> Markup:
    """HTML of any content.

    >>> markup("<b>"), markup(Markup("<b>")), markup(None)
    ('&lt;b&gt;', '<b>', '')
    """
    if content is None:
        return Markup()
    if isinstance(content, Markup):
        return content
    # A folder's name may hold bytes that are not UTF-8, which Python keeps as surrogates.
    return Markup(escape(str(content).encode("utf-8", "replace").decode("utf-8")))


def joined(*contents: Content, between: str = "") -> Markup:
    """Contents one after the other."""
    return Markup(between.join(markup(content) for content in contents))


def element(name: str, /, *contents: Content, **attributes: str | int | None) -> Markup:
    """An element; `class_` stands for class and `aria_label` for aria-label, and None leaves an attribute out.

    >>> element("td", "1 < 2", class_="number", colspan=2, id=None)
    '<td class="number" colspan="2">1 &lt; 2</td>'
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{markup(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{given}>" if name in VOID else f"<{name}{given}>{joined(*contents)}</{name}>")


# From the flat rows of studies and sweeps to tables for people: a quantity and its interval in one cell.


MINUS = "\N{MINUS SIGN}"
ORIGIN = ("part", "experiment", "rule", "llrsim", "table")
"""Columns that say where a row is from, which a table says once."""

MEANINGS = {
    "wga": "worst-group accuracy: the least of the groups' mean accuracies over the replicates",
    "wga_per_run": "mean over the replicates of each replicate's own least group accuracy",
    "direction": "worst-group accuracy at the best bias for the head's direction",
    "average": "accuracy on the whole test law",
    "predicted": "a closed-form prediction, which has no sampling error and so no interval",
    "replicates": "independent replicates with a head, on which the simulated numbers of a row rest",
}
"""What columns hold that several tables share."""

PAIRED = {
    "gain": "difference in worst-group accuracy to the method named under “against”, replicate by replicate",
    "gain_direction": "the part of the gain that remains at the best bias",
    "gain_bias": "the rest of the gain, which the bias brings",
}
"""What columns hold beside one that says `against` which method."""

SHARED = {
    "balance": "Shapley share, in the gain of LLR over ERM, of the held-out set's balance",
    "collapse": "Shapley share, in the gain of LLR over ERM, of features that have not collapsed",
    "gain": "the two shares together, the gain in worst-group accuracy",
    "difference": "balance less collapse",
    "dominance": "balance less twice collapse",
}
"""What columns hold where a gain is split into shares, which `dominance` tells."""


class Table(NamedTuple):
    """Names of the columns, and a list of cells for each row."""

    columns: list[str]
    rows: list[list[Content]]
    meanings: dict[str, str]


def table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """A table of rows as `studies.measuring` makes them, `x` with `x_low`, `x_high` and `x_count` in one column."""
    keys = list(dict.fromkeys(key for row in rows for key in row if row[key] is not None and key not in ORIGIN))
    known = {key for row in rows for key in row}
    quantities = [key for key in keys if {f"{key}_se", f"{key}_count"} <= known]
    hidden = {f"{key}{end}" for key in quantities for end in ("_se", "_low", "_high", "_count")}
    shown: list[str] = []
    for key in keys:
        if key not in hidden and key not in shown:
            shown.append(key)
            shown += [other for other in (f"predicted_{key}",) if other in keys]
    cells: list[list[Content]] = [[_cell(row, key) for key in shown] for row in rows]
    names = [heading(key) for key in shown]
    if quantities:
        names.append("replicates")
        for row, line in zip(rows, cells, strict=True):
            line.append(_replicates(row[f"{key}_count"] for key in quantities if row.get(f"{key}_count") is not None))
    told = [*shown, *(["replicates"] if quantities else [])]
    known_words = MEANINGS | (PAIRED if "against" in shown else {}) | (SHARED if "dominance" in shown else {})
    meanings = {heading(key): known_words[key] for key in told if key in known_words}
    if any(key.startswith("predicted_") for key in shown):
        meanings["…, predicted"] = MEANINGS["predicted"]
    return Table(names, cells, meanings)


def swept(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows of `Results.rows` as rows for `table`: axes, method, accuracies; statuses that are not a success."""
    names = {key: key for key in ("wga", "wga_per_run")} | {"direction": "direction_wga", "average": "average_accuracy"}
    found = []
    for row in rows:
        told = {key: row[key] for key in list(row)[: list(row).index("method") + 1]}
        for name, key in names.items():
            told |= columns_of(name, row[key], row[f"{key}_se"], row["replicates"], ACCURACY)
            told[f"predicted_{name}"] = row.get(f"predicted_{key}")
        told |= {end: row[end] for end in ("wga_low", "wga_high")}
        # A status that has heads and more to say is shown too.
        for key in ("status", "predicted_status"):
            if row.get(key) is not None and not Status.of_label(row[key]).plain:
                told[key] = row[key]
        found.append(told)
    return found


def heading(key: str) -> str:
    """A column's name in words; dotted keys of the experiment file stay as they are.

    >>> heading("predicted_gain_bias"), heading("train.n_per_dim")
    ('gain bias, predicted', 'train.n_per_dim')
    """
    if "." in key:
        return key
    name = key.removeprefix("predicted_").replace("_", " ").replace("wga", "WGA").replace("nc1", "NC1")
    return f"{name}, predicted" if key.startswith("predicted_") else name


def number(value: float, places: int | None = None, *, sign: str = "") -> str:
    """A number with so many decimal places, or four digits.

    >>> number(0.56038, 3), number(-0.25), number(12345.678)
    ('0.560', '−0.25', '1.235e+04')
    """
    text = format(value, f"{sign}.4g" if places is None else f"{sign}.{places}f")
    return text.replace("-", MINUS, 1) if value < 0 else text


def measured(value: float, low: float, high: float, *, sign: str = "") -> tuple[str, str]:
    """A number and the ends of its interval in brackets, with two digits of its width; fewer where it is tiny.

    >>> measured(0.56038, 0.55943, 0.56133), measured(1.0, 1.0, 1.0)
    (('0.5604', '[0.5594, 0.5613]'), ('1', '[1, 1]'))
    """
    places = None
    if 0 < high - low < math.inf:
        finest = 4 - min(math.floor(math.log10(abs(value))), 0) if value else 5
        places = min(max(1 - math.floor(math.log10(high - low)), 0), finest)
    ends = f"[{number(low, places, sign=sign)}, {number(high, places, sign=sign)}]"
    return number(value, places, sign=sign), ends


def _cell(row: Mapping[str, Any], key: str) -> Content:
    value, low, high = row.get(key), row.get(f"{key}_low"), row.get(f"{key}_high")
    if isinstance(value, float | int) and isinstance(low, float | int) and isinstance(high, float | int):
        middle, ends = measured(value, low, high)
        return joined(middle, element("span", ends, class_="interval"), between=" ")
    return plain(value)


def plain(value: Any) -> Content:
    """A value of an axis or a quantity without an interval, as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, list | tuple):
        return ", ".join(str(plain(item)) for item in value)
    return None if value is None else str(value)


def _replicates(counts: Iterable[int]) -> Content:
    found = sorted(set(counts))
    return " to ".join(str(count) for count in dict.fromkeys((found[0], found[-1]))) if found else None


# Figures inside a page: as SVG whose text stays text, or as PNG where the SVG would be larger than that is worth.


LARGEST = 600_000
"""Characters of an SVG above which a figure is a PNG."""

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_HREF = f"{{{XLINK}}}href"
_FOREIGN = {f"{{{SVG}}}metadata", f"{{{SVG}}}style"}

# Names of methods and sweeps are not mathematics, whatever signs they hold.
_MORE: dict[str, Any] = {"svg.fonttype": "none", "svg.hashsalt": "llrsim", "text.parse_math": False}


def settings() -> AbstractContextManager[None]:
    """What figures for a page are made and written under."""
    return style.settings(**_MORE)


@dataclass(frozen=True)
class Picture:
    """A figure as HTML, and the question or title that is written over it."""

    title: str
    image: Markup


def picture(draw: Callable[[], Figure], name: str) -> Picture:
    """The figure that `draw` makes; `name`, unique in the page, keeps its ids apart from those of the others.

    In place of one that cannot be drawn stands the reason, so that the tables beside it are not lost with it.
    """
    try:
        return _drawn(draw, name)
    except Exception as error:
        return Picture("", element("p", f"This figure could not be drawn ({type(error).__name__}: {error})."))


def _drawn(draw: Callable[[], Figure], name: str) -> Picture:
    with settings():
        figure = draw()
        title = "; ".join(figure.get_suptitle().splitlines())
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
        image = inlined(file.getvalue(), title, name)
        if len(image) > LARGEST:
            file = io.BytesIO()
            figure.savefig(file, format="png", dpi=200, metadata={"Software": None})
            data = b64encode(file.getvalue()).decode()
            image = element("img", src=f"data:image/png;base64,{data}", alt=title)
    return Picture(title, image)


def inlined(svg: bytes, title: str, name: str) -> Markup:
    """An SVG file as an element of a page: with a title, without metadata and styles of its own.

    Of its ids only those stay that it refers to itself, with `name` before them.
    """
    root = ElementTree.fromstring(svg)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in _FOREIGN:
                parent.remove(child)
    used = {reference for node in root.iter() for item in node.attrib.items() for reference in _references(*item)}
    for node in root.iter():
        if node.get("id", "") not in used:
            node.attrib.pop("id", None)
        for key, value in node.attrib.items():
            for reference in [value] if key == "id" else _references(key, value):
                value = value.replace(reference, f"{name}-{reference}")
            node.set(key, value)
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.set("role", "img")
    root.set("aria-labelledby", f"{name}-title")
    told = ElementTree.Element(f"{{{SVG}}}title", {"id": f"{name}-title"})
    told.text = title
    root.insert(0, told)
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _references(key: str, value: str) -> list[str]:
    """The ids that an attribute refers to, as `#id` in a link and `url(#id)` elsewhere."""
    return [value[1:]] if key == _HREF else re.findall(r"url\(#([^)]+)\)", value)


# The folders that a report reads: the one it is given, or those in it; none behind a link.


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


# A run of a sweep as a row of a table; what a folder tells of it is read whole, before a page is begun.


COLUMNS = ("run", "began (UTC)", "took", "workers", "llrsim", "commit", "processor")


class Run(NamedTuple):
    """The command of a run, and one text for each of COLUMNS; None where there is no commit."""

    command: str
    row: list[str | None]


def told(run: dict[str, Any]) -> Run:
    """What a page tells of a run as it is stored; whatever strange content ends in, where it is strange."""
    machine = run["environment"]
    numbers = [str(run["run"]), str(run["started"]), _took(run), str(run["jobs"])]
    return Run(str(run["command"] or ""), [*numbers, str(machine["llrsim"]), commit_of(machine), processor_of(machine)])


def _took(run: dict[str, Any]) -> str:
    if run["finished"] is None:
        return "not ended"
    seconds = (datetime.fromisoformat(run["finished"]) - datetime.fromisoformat(run["started"])).total_seconds()
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


# What a report tells of one results folder, read from it and not yet written as HTML.


Row = dict[str, Any]


class Progress(NamedTuple):
    """How much of a sweep is there: cells in all, cells done, whether it was simulated, whether its last run ended."""

    cells: int
    done: int
    simulated: bool
    ended: bool

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return self.done == self.cells and self.ended


@dataclass(frozen=True)
class Chapter:
    """One folder.

    Attributes:
        name: a word that is its own in the report, for links and ids.
        folder: the folder's name.
        experiment: what was swept.
        progress: how far.
        runs: provenance of every run, oldest first.
        rows: the study's table, or the rows of the sweep.
        pictures: figures.
        verdict: of the study; None where there is no study, or where it cannot be decided.
        obstacle: why a study has no verdict.
        description: what the rows of a study's table are.
    """

    name: str
    folder: str
    experiment: Experiment
    progress: Progress
    runs: tuple[Run, ...]
    rows: list[Row]
    pictures: tuple[Picture, ...]
    verdict: Verdict | None = None
    obstacle: str = ""
    description: str = ""


def read_chapter(folder: Path, name: str, *, jobs: int = 1) -> Chapter:
    """What there is to tell of a results folder; StoreError where it cannot be read."""
    check_no_links(folder)
    with foreign_content(folder):
        results = open_results(folder)
        with Reader(folder, older=True) as reader:
            progress, runs = _progress(reader, results), tuple(map(told, reader.runs()))
        own = folder.resolve().name
        found = _concluded(results, progress, name, jobs)
        if not isinstance(found, str):
            rows, verdict, shown, description = found
            return Chapter(
                name, own, results.experiment, progress, runs, rows, (shown,), verdict, description=description
            )
        figures = tuple(_sweep_pictures(results, name))
        return Chapter(name, own, results.experiment, progress, runs, swept(results.rows()), figures, obstacle=found)


def _progress(reader: Reader, results: Results) -> Progress:
    """Cells count as done with every replicate of every method, or, in a sweep of predictions alone, predicted."""
    experiment, grid = results.experiment, Grid(results.experiment)
    runs = list(reader.runs())
    ended = bool(runs) and runs[-1]["finished"] is not None
    if not reader.has_simulations():
        rows, methods = results.rows(), len(experiment.method)
        cells = (rows[first : first + methods] for first in range(0, len(rows), methods))
        predicted = sum(all(row["predicted_status"] is not None for row in cell) for cell in cells)
        return Progress(grid.size, predicted, False, ended)
    replicates, rows_per_cell = experiment.sweep.replicates, len(experiment.method) * experiment.sweep.replicates
    done = 0
    for _, axes in grid_keys(grid):
        if reader.row_count(axes, replicates) == len(axes) * rows_per_cell:
            done += len(axes)
        else:
            done += sum(reader.row_count([one], replicates) == rows_per_cell for one in axes)
    return Progress(grid.size, done, True, ended)


def _concluded(
    results: Results, progress: Progress, name: str, jobs: int
) -> tuple[list[Row], Verdict, Picture, str] | str:
    """Table, verdict, figure and description of the study, or what stands in the way of them."""
    asked = results.experiment.study
    if asked is None:
        return ""
    if not progress.complete:
        return "the sweep is not finished, and the rule is for the whole of it"
    if not progress.simulated:
        return "this sweep was only predicted, and the rule judges simulations"
    try:
        module = study(asked.id)
    except (ImportError, ValueError):
        return f"this llrsim has no rule in code for {asked.id}"
    try:
        rows = _stored(results) or record(results, jobs=jobs)
        shown = picture(partial(module.figure, rows), f"{name}-figure")
        described = (module.table.__doc__ or "").partition("\n")[0]
        return rows, module.verdict(rows), shown, described
    except STRANGE as error:
        return f"the rule does not fit this sweep ({type(error).__name__}: {error})"


def _stored(results: Results) -> list[Row] | None:
    """The rows of study.csv; None where it is older than the results, or of another experiment or rule.

    None too where `wga` is of another meaning, as in files before `TABLE`.
    """
    path, database = results.folder / "study.csv", results.folder / FILE
    if not path.exists() or os.stat(path).st_mtime_ns < os.stat(database).st_mtime_ns:
        return None
    rows = read_rows(path)
    asked = results.experiment.study
    origin = {(results.experiment.hash, asked and study_hash(asked))}
    if {(row.get("experiment"), row.get("rule")) for row in rows} != origin:
        return None
    return rows if all(row.get("table") == TABLE or row.get("wga") is None for row in rows) else None


def _sweep_pictures(results: Results, name: str) -> Sequence[Picture]:
    """Worst-group accuracy along every axis, as a sweep draws it."""
    layouts = layouts_of(results.experiment)
    table = wga_table(results, lambda axes: any(layout.shows(axes) for layout in layouts))
    shown = ((layout, [row for row in table if layout.shows(row)]) for layout in layouts)
    return [
        picture(partial(wga_figure, rows, layout, title=results.experiment.name), f"{name}-figure-{place}")
        for place, (layout, rows) in enumerate(shown, start=1)
        if rows
    ]
