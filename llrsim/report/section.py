"""One experiment as a section of the page."""

from __future__ import annotations

import json

from ..studies import Finding, Verdict
from ..studies.measuring import Row
from .chapter import Chapter
from .columns import Table, measured, number, table
from .difference import differences
from .figures import Picture
from .markup import Content, Markup, element, joined
from .runs import COLUMNS
from .tables import boxed, folded
from .words import badge

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
