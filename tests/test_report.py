"""The report: what it says and never says, that a folder's texts stay texts, and how it ends on bad folders."""

import os
import re
import sqlite3
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from report_cases import HOSTILE, half_done, hostile, swept, tiny

import llrsim
from llrsim._io import read_rows
from llrsim.commands import main
from llrsim.report import write_report
from llrsim.report.chapter import VOID, table
from llrsim.report.page import FIRST, SHORT, folded
from llrsim.studies import study
from llrsim.studies.concluding import conclude
from llrsim.sweep import open_results, run_sweep


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return swept(tmp_path_factory.mktemp("finished") / "e12")


@pytest.fixture(scope="module")
def page(finished, tmp_path_factory):
    return write_report(finished, tmp_path_factory.mktemp("page") / "page.html").path.read_text(encoding="utf-8")


class Elements(HTMLParser):
    """Start tags with their attributes, the visible text, and elements that were closed in the wrong order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.told, self.open, self.misplaced = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID | {"img"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.misplaced.append(tag)

    def handle_data(self, data):
        if self.open[-1:] not in (["style"], ["script"]):
            self.told.append(data)

    @property
    def text(self):
        return " ".join("".join(self.told).split())


def test_a_study_is_told_whole(finished, page):
    told, experiment = Elements(page).text, tiny()
    rows = study("e12").table(open_results(finished))
    verdict = study("e12").verdict(rows)
    for words in (experiment.study.question, experiment.study.claim, experiment.study.rule, verdict.sentence):
        assert " ".join(words.split()) in told
    for finding in verdict.findings:
        assert finding.text in told
    for fact in (experiment.hash, "python -m llrsim.sweep e12 --out '<i>here</i>'", llrsim.__version__):
        assert fact in told
    assert f"1 experiment: 1 {verdict.outcome}." in told
    assert "train.n (200 for " in told  # it is not the preset as it ships


def test_html_is_well_formed_with_unique_ids_and_links_that_lead_somewhere(page):
    elements = Elements(page)
    assert not elements.misplaced
    assert not elements.open
    ids = [given["id"] for _, given in elements.tags if "id" in given]
    assert len(ids) == len(set(ids))
    inner = {value[1:] for _, given in elements.tags for value in given.values() if value and value.startswith("#")}
    drawn = set(re.findall(r"url\(#([^)]+)\)", page))
    assert drawn
    assert (inner | drawn) <= set(ids) | {one for one in inner if re.fullmatch(r"[0-9a-f]{6}", one)}
    levels = [int(tag[1]) for tag, _ in elements.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all("scope" in given for tag, given in elements.tags if tag == "th")


def test_a_page_asks_nothing_of_the_network(page):
    for _, given in Elements(page).tags:
        assert "src" not in given or given["src"].startswith("data:")
    policy = next(given["content"] for tag, given in Elements(page).tags if given.get("http-equiv"))
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy


def test_text_of_a_folder_stays_text(tmp_path, page):
    hostile_page = write_report(swept(tmp_path / "<b>e12", hostile())).path.read_text(encoding="utf-8")
    names = {tag for tag, _ in Elements(page).tags} | {"li", "ul"}
    elements = Elements(hostile_page)
    assert {tag for tag, _ in elements.tags} <= names
    assert [tag for tag, _ in elements.tags].count("script") == 1
    assert not any(key.startswith("on") for _, given in elements.tags for key in given)
    assert elements.text.count(HOSTILE) >= 4
    assert "the words of its study" in elements.text
    assert not elements.misplaced


def test_the_same_folder_gives_the_same_bytes(finished, page, tmp_path):
    assert write_report(finished, tmp_path / "again.html").path.read_text(encoding="utf-8") == page


def test_an_unfinished_sweep_has_numbers_and_no_verdict(finished, tmp_path):
    folder = half_done(swept(tmp_path / "e12"))
    conclude(open_results(finished), command="")  # a table of the whole sweep, which must not speak for half of it
    (folder / "study.csv").write_bytes((finished / "study.csv").read_bytes())
    told = Elements(write_report(folder).path.read_text(encoding="utf-8")).text
    assert "1 experiment: 1 unfinished." in told
    assert "Unfinished: 3 of 4 cells; its last run has not ended." in told
    assert "No verdict: the sweep is not finished" in told
    assert "Verdict." not in told
    for outcome in ("confirmed", "refuted", "undecided"):
        assert f"e12, {outcome}" not in told


def test_a_sweep_without_a_study_has_figures_and_no_verdict(tmp_path):
    experiment = tiny().replace(study=None)
    told = Elements(write_report(swept(tmp_path / "plain", experiment)).path.read_text(encoding="utf-8"))
    assert "A sweep without a rule" in told.text
    assert [tag for tag, _ in told.tags].count("figure") == 1


def test_a_study_that_was_only_predicted_has_no_verdict(tmp_path):
    run_sweep(tiny(), out=tmp_path, jobs=1, predict_only=True)
    told = Elements(write_report(tmp_path).path.read_text(encoding="utf-8")).text
    assert "No verdict: this sweep was only predicted" in told
    assert "1 experiment: 1 no verdict." in told


def test_a_rule_that_does_not_fit_its_sweep_says_so(tmp_path):
    other = tiny().study
    experiment = tiny().replace(study={"id": "e05", "question": "?", "claim": other.claim, "rule": other.rule})
    told = Elements(write_report(swept(tmp_path / "e05", experiment)).path.read_text(encoding="utf-8")).text
    assert "No verdict: the rule does not fit this sweep (KeyError" in told


ORIGIN = ("experiment", "rule", "llrsim", "table")


def test_a_stored_table_counts_while_it_is_of_this_experiment_and_newer(finished, tmp_path):
    results = open_results(finished)
    conclude(results, command="")
    stored = finished / "study.csv"
    whole = read_rows(stored)
    assert [set(row.items()) for row in whole] == [
        set(row.items())
        for row in [dict.fromkeys(whole[0]) | row | {k: whole[0][k] for k in ORIGIN}
                    for row in study("e12").table(results)]
    ]  # fmt: skip
    marked = stored.read_text().replace("dfr", "marked")
    told = {}
    for case, text, age in (("newer", marked, 10), ("older", marked, -1e6), ("other", _of_another(marked), 10)):
        stored.write_text(text)
        when = (finished / "sweep.sqlite").stat().st_mtime + age
        os.utime(stored, (when, when))
        told[case] = "marked" in write_report(finished, tmp_path / "page.html").path.read_text(encoding="utf-8")
    stored.unlink()
    assert told == {"newer": True, "older": False, "other": False}


def _of_another(text):
    return text.replace(tiny().hash, "0" * 16)


def test_long_tables_are_folded_after_their_first_rows():
    rows = [{"part": "cell", "x": place} for place in range(SHORT + 1)]
    shown = Elements(folded(table(rows), "cells", source="study.csv"))
    assert [tag for tag, _ in shown.tags].count("details") == 1
    assert [tag for tag, _ in shown.tags].count("tr") == 2 + SHORT + 1 + FIRST
    whole = Elements(folded(table(rows[:SHORT]), "cells", source="study.csv"))
    assert "details" not in [tag for tag, _ in whole.tags]


def test_a_quantity_and_its_interval_share_a_cell():
    numbers = {"gain": 0.0312, "gain_se": 0.004, "gain_count": 9, "gain_low": 0.0220, "gain_high": 0.0404}
    shown = table([{"part": "cell", "method": "llr", **numbers, "predicted_gain": 0.03, "rule": "00"}])
    assert "gain" not in shown.meanings  # it is over another method only where a column says which
    assert shown.columns == ["method", "gain", "gain, predicted", "replicates"]
    assert [Elements(cell).text for cell in shown.rows[0]] == ["llr", "0.031 [0.022, 0.040]", "0.03", "9"]


def test_figures_are_vector_with_their_text(page):
    drawing = ElementTree.fromstring(page[page.index("<svg") : page.index("</svg>") + 6])
    told = {"".join(node.itertext()) for node in drawing.iter("{http://www.w3.org/2000/svg}text")}
    assert any("worst-group accuracy" in text for text in told)
    assert drawing.get("aria-labelledby")


def damaged(folder):
    (folder / "sweep.sqlite").write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 40)


def foreign(folder):
    (folder / "sweep.sqlite").write_text("no database")


def linked(folder):
    (folder / "sweep.sqlite").symlink_to(folder.parent / "elsewhere.sqlite")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder.rmdir(), "no such folder"),
        (lambda folder: (folder.rmdir(), folder.write_text("")), "is not a folder"),
        (lambda folder: None, "no results here"),
        (lambda folder: (folder / "notes").mkdir(), "no results here"),
        (damaged, "sweep.sqlite: "),
        (foreign, "is damaged or is not a results file"),
        (linked, "holds links"),
    ],
)
def test_bad_folders_are_refused_in_a_sentence(make, message, tmp_path, capsys):
    folder = tmp_path / "results"
    folder.mkdir()
    make(folder)
    assert main(["report", str(folder)]) == 2
    told = capsys.readouterr().err.splitlines()
    assert message in told[-1]
    assert told[-1].startswith("llrsim: error: ")
    assert not (tmp_path / "results" / "report.html").exists()


def test_numbers_that_are_not_numbers_are_refused(tmp_path, capsys):
    folder = swept(tmp_path / "e12")
    with sqlite3.connect(folder / "sweep.sqlite") as connection:
        connection.execute("UPDATE rows SET head = X'00112233'")
    connection.close()
    assert main(["report", str(folder)]) == 2
    assert "is damaged; `llrsim verify --mend` removes" in capsys.readouterr().err


def test_one_page_tells_of_several_folders_and_of_those_it_leaves_out(finished, tmp_path, capsys):
    swept(tmp_path / "e12")
    (tmp_path / "bad").mkdir()
    damaged(tmp_path / "bad")
    (tmp_path / "away").symlink_to(finished)
    assert main(["report", str(tmp_path), "--out", str(tmp_path / "page.html")]) == 1
    assert "left out" in capsys.readouterr().err
    told = Elements((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert "Folders that could not be read" in told.text
    assert "1 experiment:" in told.text
    assert [given["id"] for tag, given in told.tags if tag == "section"] == ["e12"]
