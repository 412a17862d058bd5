"""Write a report as one file of HTML that loads nothing from anywhere."""

from __future__ import annotations

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from importlib.resources import files
from typing import Any

from .. import __version__
from ..experiment import Experiment, load, preset_names
from ..experiment.identity import canonical_json
from ..experiment.schema import STUDIES
from ..studies import Finding, Verdict
from ..studies.evidence import Row
from ..sweep.folder import ABSENT, fixed_keys
from .chapter import COLUMNS, Chapter, Content, Markup, Picture, Table, element, joined, measured, number, table

# What a report says of itself: the question, the model and what it leaves out, what verdicts mean.


TITLE = "Last-layer retraining: is it balance or collapse?"

PAPER = "https://arxiv.org/abs/2512.01766"

QUESTION = (
    "Retraining only the last layer of a network on held-out data raises the accuracy on its worst group, even where "
    "the held-out data are imbalanced. Hill, LaBonte, Zhang and Muthukumar (arXiv 2512.01766) argue that this is "
    "mainly because the held-out set is better group-balanced, and not because its features have escaped neural "
    "collapse. The experiments below put that question, part by part, to a model in which everything is known."
)

MODEL = (
    "Groups (label y, attribute a) are Gaussian: a few signal coordinates, core and spurious, and many noise "
    "coordinates. A head is linear and fitted by minimising a weighted loss, exactly or by gradient descent. Collapse "
    "is imposed: it draws features towards the class means of the training set. ERM is the head fitted on the "
    "training features. Accuracies follow from a head in closed form and carry no test-sampling error; what varies "
    "from replicate to replicate is the data that the head is fitted on."
)

LEFT_OUT = (
    "No network learns the features, unless an experiment says so: how training shapes them, and by how much "
    "they collapse, is put in by hand. Real features are not Gaussian, and the data-set presets match the counts of "
    "their groups and one published accuracy, nothing else. There are two classes. Verdicts are therefore on the "
    "claims in this model, not on the networks and data sets of the paper; a claim that is "
    "refuted here fails in the settings of its experiment, which says nothing of other settings."
)

RULES = (
    "Each experiment carries its question, its claim and the rule that decides it, thresholds included. A "
    "comparison holds or fails only where its whole 95 % interval says so; intervals over a family of comparisons "
    "are wide enough to hold together. “No difference” means an interval inside a stated margin."
)

SYMBOLS = {
    "confirmed": "✓",
    "refuted": "✗",
    "complicated": "◐",
    "undecided": "?",
    "by construction": "≡",
    "unfinished": "…",
    "no verdict": "∅",
}
"""The sign that stands with each word, so that none is told by its colour alone."""

VERDICT_MEANINGS = {
    "confirmed": "the claim holds in every comparison of its rule",
    "refuted": "the claim fails as its rule says",
    "complicated": "it holds in some of the cells that the rule names and fails in others",
    "undecided": "the intervals do not decide; more replicates may",
    "by construction": "the claim holds, and could not have come out otherwise",
    "unfinished": "the sweep is not complete, so nothing is decided yet",
    "no verdict": "there is no rule to decide, or it could not be applied; the section says which",
}


def badge(word: str) -> Markup:
    """A verdict as a word with its sign."""
    sign = element("span", SYMBOLS[word], aria_hidden="true")
    return element("span", sign, f" {word}", class_=f"verdict {word.replace(' ', '-')}")


def legend() -> Markup:
    """What the words mean."""
    terms = (joined(element("dt", badge(word)), element("dd", told)) for word, told in VERDICT_MEANINGS.items())
    return element("dl", *terms, class_="legend")


# Tables as HTML: headers with scope, in a box of their own that scrolls, long ones folded after their first rows.


SHORT = 12
"""Rows up to which a table is shown whole."""

FIRST = 6
"""Rows of a longer one that are shown before it is unfolded."""

PRINTED = 120
"""Rows above which a table is not unfolded on paper."""

TEXT = 40
"""Characters above which a cell is a text, not a name or a number."""

MOST = 4000
"""Rows that a page holds of one table; the others stay in the folder."""


def folded(table: Table, caption: str, *, source: str) -> Markup:
    """The table, with its first rows to be seen and the others a click away; `source` says where all of them are."""
    count = len(table.rows)
    if count <= SHORT:
        return boxed(table.columns, table.rows, caption)
    held = table.rows[:MOST]
    note = f"all {count} rows" if len(held) == count else f"the first {MOST} of {count} rows; all are in {source}"
    long = count > PRINTED
    unfolded = element(
        "details",
        element("summary", f"{caption}: {note}"),
        boxed(table.columns, held, f"{caption}, {note}"),
        class_="long" if long else None,
    )
    first = boxed(table.columns, table.rows[:FIRST], f"{caption}, first {FIRST} of {count} rows", sortable=False)
    paper = element("p", f"The other rows are not printed; all are in {source}.", class_="paper") if long else Markup()
    return joined(unfolded, element("div", first, paper, class_="first"), between="\n")


def boxed(
    columns: Sequence[Content], rows: Sequence[Sequence[Content]], caption: str, *, sortable: bool = True
) -> Markup:
    """A table in a box that scrolls by itself, by keyboard too."""
    head = element("tr", *(element("th", name, scope="col") for name in columns))
    body = joined(*(_line(row) for row in rows), between="\n")
    whole = element(
        "table",
        element("caption", caption),
        element("thead", head),
        element("tbody", body),
        class_="sortable" if sortable and len(rows) > 1 else None,
    )
    return element("div", whole, class_="box", tabindex=0, role="region", aria_label=caption)


def _line(row: Sequence[Content]) -> Markup:
    first, *others = row
    cells = (element("td", cell, class_=_kind(cell)) for cell in others)
    return element("tr", element("th", first, scope="row", class_=_kind(first)), *cells)


def _kind(cell: Content) -> str | None:
    """The class of a cell with a text to be read, which may take several lines."""
    return "text" if isinstance(cell, str) and not isinstance(cell, Markup) and len(cell) > TEXT else None


# In what an experiment differs from the preset whose study it names.


MOST_DIFFERENCES = 8
"""Changes that are told one by one."""


def differences(experiment: Experiment) -> str:
    """Every change from the preset, in words; empty where there is none, or no such preset."""
    study = experiment.study
    if study is None or study.id not in preset_names():
        return ""
    preset = load(study.id)
    before, after = _keys(preset), _keys(experiment)
    changed = [key for key in before | after if before.get(key) != after.get(key)]
    told = [f"{key} ({_short(after.get(key, ABSENT))} for {_short(before.get(key, ABSENT))})" for key in changed]
    if len(told) > MOST_DIFFERENCES:
        told[MOST_DIFFERENCES:] = [f"and {len(told) - MOST_DIFFERENCES} more"]
    if preset.study != study:
        told.insert(0, "the words of its study (a verdict applies the rule as llrsim words and codes it)")
    return f"{', '.join(told)}." if told else ""


def _keys(experiment: Experiment) -> dict[str, str]:
    """Every key with its value as JSON, in which lists and tuples are one."""
    sweep = experiment.sweep
    axes = {f"axis {axis.key}": axis.values for group in (sweep.grid, *sweep.zip) for axis in group}
    told: dict[str, Any] = fixed_keys(experiment) | {"sweep.replicates": sweep.replicates} | axes
    return {key: canonical_json(value) for key, value in told.items()}


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


# One experiment as a section of the page.


HOLDS = {True: "✓ yes", False: "✗ no", None: "? open"}


def state(chapter: Chapter) -> str:
    """The verdict as one word of `words.SYMBOLS`."""
    if chapter.verdict is not None:
        return chapter.verdict.outcome
    return "no verdict" if chapter.progress.complete else "unfinished"


def section(chapter: Chapter) -> Markup:
    """The whole of it, under a heading of the second order."""
    study = chapter.experiment.study
    title = f"{study.id.upper()}: {study.question}" if study else chapter.experiment.name
    told = [element("h2", title), element("p", badge(state(chapter)))]
    told += _words(chapter)
    told += [_pictures(chapter), _numbers(chapter), _rerun(chapter)]
    return element("section", joined(*told, between="\n"), id=chapter.name)


def _words(chapter: Chapter) -> list[Markup]:
    progress, study, verdict = chapter.progress, chapter.experiment.study, chapter.verdict
    told = []
    if not progress.complete:
        run = "" if progress.ended else "; its last run has not ended"
        text = f"Unfinished: {progress.done} of {progress.cells} cells{run}. The numbers are those so far."
        told.append(element("p", text, class_="notice"))
    if study is None:
        return [*told, element("p", "A sweep without a rule: its numbers, and no verdict.")]
    words = (("Claim", study.claim), ("Rule", study.rule))
    told.append(element("dl", *(joined(element("dt", name), element("dd", text)) for name, text in words)))
    if changed := differences(chapter.experiment):
        told.append(element("p", f"Not {study.id} as this llrsim ships it. It differs in: {changed}", class_="notice"))
    if verdict is None:
        return [*told, element("p", f"No verdict: {chapter.obstacle}.", class_="notice")]
    told.append(element("p", element("strong", "Verdict. "), verdict.sentence))
    if verdict.findings:
        caption = f"{study.id}, what the verdict rests on"
        told.append(folded(_findings(verdict), caption, source="the rule's own table"))
    if verdict.by_construction:
        held = (element("li", text) for text in verdict.by_construction)
        told += [element("p", "By construction:"), element("ul", *held)]
    return told


def _findings(verdict: Verdict) -> Table:
    columns = ["comparison", "estimate", "95 % interval", "as the claim expects"]
    return Table(columns, [_finding(one) for one in verdict.findings], {})


def _finding(finding: Finding) -> list[Content]:
    estimate, low, high = finding.estimate, finding.low, finding.high
    told: tuple[Content, Content] = (None, None)
    if estimate is not None:
        told = number(estimate, sign="+"), None
        if low is not None and high is not None:
            told = measured(estimate, low, high, sign="+")
    return [finding.text, *told, HOLDS[finding.holds]]


def _pictures(chapter: Chapter) -> Markup:
    return joined(*map(_figure, chapter.pictures), between="\n")


def _figure(shown: Picture) -> Markup:
    box = element("div", shown.image, class_="drawing", tabindex=0, role="region", aria_label=shown.title)
    return element("figure", box, element("figcaption", f"{shown.title} (numbers in the tables below)"))


def _numbers(chapter: Chapter) -> Markup:
    told = [element("h3", "Numbers")]
    if chapter.description:
        told.append(element("p", chapter.description.replace("`", "")))
    parts: dict[str, list[Row]] = {}
    for row in chapter.rows:
        parts.setdefault(str(row.get("part", "all cells")), []).append(row)
    study = chapter.experiment.study
    name = study.id if study else chapter.experiment.name
    source = "study.csv" if chapter.verdict else "results.csv, which “llrsim export” writes"
    meanings: dict[str, str] = {}
    for part, rows in parts.items():
        shown = table(rows)
        meanings |= shown.meanings
        told.append(folded(shown, f"{name}, {part}", source=source))
    if not parts:
        told.append(element("p", "No numbers yet."))
    if meanings:
        terms = (joined(element("dt", key), element("dd", text)) for key, text in meanings.items())
        summary = element("summary", "What the columns mean; brackets are 95 % intervals, each by itself")
        told.append(element("details", summary, element("dl", *terms)))
    return joined(*told, between="\n")


def _rerun(chapter: Chapter) -> Markup:
    experiment = chapter.experiment
    identity = {
        "experiment hash": experiment.hash,
        "seed": experiment.sweep.seed,
        "replicates": experiment.sweep.replicates,
        "cells": chapter.progress.cells,
        "methods": ", ".join(experiment.method_labels),
        "folder": chapter.folder,
    }
    terms = (joined(element("dt", name), element("dd", str(value))) for name, value in identity.items())
    commands = dict.fromkeys(run.command for run in chapter.runs if run.command)
    told = [element("h3", "How to run it again")]
    told += [element("pre", element("code", command)) for command in commands]
    told.append(element("dl", *terms, class_="terms"))
    if chapter.runs:
        told.append(boxed(COLUMNS, [run.row for run in chapter.runs], f"{chapter.name}, runs"))
    text = json.dumps(json.loads(experiment.to_json()), indent=1, ensure_ascii=False)
    told.append(
        element("details", element("summary", "The experiment as it is stored"), element("pre", text), class_="long")
    )
    return joined(*told, between="\n")


# The page: one file of HTML that loads nothing from anywhere.


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
        element("title", TITLE),
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
    link = element("a", "arXiv 2512.01766", href=PAPER)
    told = [
        element("h1", TITLE),
        element("p", "A companion to ", link, ", written by llrsim.", class_="subtitle"),
        element("p", QUESTION),
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
        element("details", element("summary", "What the verdicts mean"), element("p", RULES), legend()),
        element("h2", "The model, and what it leaves out"),
        element("p", MODEL),
        element("p", LEFT_OUT),
    ]
    return joined(*told, between="\n")


def _tally(chapters: Sequence[Chapter]) -> str:
    counts = Counter(map(state, chapters))
    told = ", ".join(f"{counts[word]} {word}" for word in SYMBOLS if counts[word])
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
        element("td", badge(state(chapter)), so_far, role="cell"),
        element("td", study.question if study else None, role="cell"),
        element("td", study.claim if study else None, role="cell"),
        role="row",
    )
