"""The page: one file of HTML that loads nothing from anywhere."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from importlib.resources import files

from .. import __version__
from ..kinds import STUDIES
from . import words
from .chapter import Chapter
from .markup import Markup, element, joined
from .section import section, state


def page(chapters: Sequence[Chapter], left_out: Sequence[str] = ()) -> str:
    """HTML of the whole report; `left_out` are the reasons why folders are not in it."""
    style, script = (files(__package__).joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    digest = b64encode(sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="generator", content=f"llrsim {__version__}"),
        element("title", words.TITLE),
        element("style", Markup(style)),
    )
    main = joined(
        element("main", _opening(chapters, left_out), joined(*map(section, chapters), between="\n")),
        element("footer", element("p", f"Written by llrsim {__version__} from stored results.")),
        element("script", Markup(script)),
        between="\n",
    )
    return f"<!DOCTYPE html>\n{element('html', head, element('body', main), lang='en')}\n"


def _opening(chapters: Sequence[Chapter], left_out: Sequence[str]) -> Markup:
    link = element("a", "arXiv 2512.01766", href=words.PAPER)
    told = [
        element("h1", words.TITLE),
        element("p", "A companion to ", link, ", written by llrsim.", class_="subtitle"),
        element("p", words.QUESTION),
        element("h2", "The experiments"),
        element("p", _tally(chapters)),
        _overview(chapters),
    ]
    there = {chapter.experiment.study.id for chapter in chapters if chapter.experiment.study}
    if there and len(chapters) > 1 and (missing := [name for name in STUDIES if name not in there]):
        told.append(element("p", f"Not here: {', '.join(name.upper() for name in missing)}."))
    if left_out:
        reasons = element("ul", *(element("li", reason) for reason in left_out))
        told += [element("p", "Folders that could not be read:"), element("div", reasons, class_="notice")]
    told += [
        element("details", element("summary", "What the verdicts mean"), element("p", words.RULES), words.legend()),
        element("h2", "The model, and what it leaves out"),
        element("p", words.MODEL),
        element("p", words.LEFT_OUT),
    ]
    return joined(*told, between="\n")


def _tally(chapters: Sequence[Chapter]) -> str:
    counts = Counter(map(state, chapters))
    told = ", ".join(f"{counts[word]} {word}" for word in words.SYMBOLS if counts[word])
    return f"{len(chapters)} experiment{'s' * (len(chapters) != 1)}: {told}."


def _overview(chapters: Sequence[Chapter]) -> Markup:
    # The roles are said because a narrow screen shows the rows as blocks, and blocks are no table to a screen reader.
    names = ("experiment", "verdict", "question", "claim")
    head = element("tr", *(element("th", name, scope="col", role="columnheader") for name in names), role="row")
    body = joined(*map(_overview_row, chapters), between="\n")
    return element(
        "table",
        element("caption", "Question, claim and verdict of each experiment", class_="unseen"),
        element("thead", head, role="rowgroup"),
        element("tbody", body, role="rowgroup"),
        class_="overview",
        role="table",
    )


def _overview_row(chapter: Chapter) -> Markup:
    study = chapter.experiment.study
    name = study.id.upper() if study else chapter.experiment.name
    progress = chapter.progress
    so_far = "" if progress.complete else f" {progress.done} of {progress.cells} cells"
    return element(
        "tr",
        element("th", element("a", name, href=f"#{chapter.name}"), scope="row", role="rowheader"),
        element("td", words.badge(state(chapter)), so_far, role="cell"),
        element("td", study.question if study else None, role="cell"),
        element("td", study.claim if study else None, role="cell"),
        role="row",
    )
