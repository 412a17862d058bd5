"""What the rules of the studies say of the records, and what the README says of them."""

import re
from pathlib import Path

import pytest

import llrsim
from figures.reading import read
from llrsim.experiment.schema import STUDIES
from llrsim.studies import study
from llrsim.studies.e03 import by_kind, predicted_splits, simulated_cells
from llrsim.studies.evidence import of_part

HELD = [name for name in llrsim.preset_names() if name in STUDIES]

RECORDED = {
    "e01": "complicated",
    "e02": "complicated",
    "e03": "complicated",
    "e04": "complicated",
    "e05": "complicated",
    "e06": "refuted",
    "e07": "refuted",
    "e08": "undecided",
    "e09": "confirmed",
    "e10": "confirmed",
    "e11": "confirmed",
    "e12": "confirmed",
    "e13": "complicated",
    "e14": "complicated",
}
"""What the rules say of the records beside the code: a change here is news, to be told in the changelog."""


@pytest.mark.parametrize("name", HELD)
def test_records_decide(name):
    assert study(name).verdict(read(name)).outcome == RECORDED[name]


def chosen_by_data(name):
    """(what, distance to the threshold in standard errors) of the cells that a rule chooses by draws that judge too."""
    rows, module = read(name), study(name)
    if name == "e09":
        for row in of_part(rows, "equal-k"):
            yield row["k"], (row["share_difference"] - module.ENRICHED) / row["share_difference_se"]
        for row in of_part(rows, "cell"):
            if row["method"] in module.SCORES:
                over = row["minority_share"] - row["heldout_share"] - module.ENRICHED
                yield (row["method"], row["k"]), over / row["minority_share_se"]
    if name == "e12":
        for row in of_part(rows, "loss", method="dfr"):
            yield row["scale"], (row["forced"] - module.MARGIN) / row["forced_se"]


@pytest.mark.parametrize("name", ["e09", "e12"])
def test_cells_are_chosen_by_what_no_draw_could_change(name):
    """Else the same draws would choose a cell and judge it: a distance of five standard errors leaves no choice."""
    found = dict(chosen_by_data(name))
    assert len(found) >= 3
    assert min(map(abs, found.values())) > 5.0, found


def test_the_readme_says_what_the_records_say():
    table = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"\| `(e\d\d)` \| [^|]+ \| ([a-z ]+) \|", table))
    assert told == RECORDED


def test_the_readme_says_which_rules_were_amended():
    table = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    before = dict(re.findall(r"\| `(e\d\d)` \| [^|]+ \| [a-z ]+ \| ([a-z, ]*?) ?\|", table))
    words = re.compile(r"(Corrected|Amended) after the first (record|run)")
    amended = {name for name in RECORDED if words.search(llrsim.load(name).study.rule)}
    assert {name for name, verdict in before.items() if verdict} == amended
    assert len(amended) == 10
    assert "ten of these rules were amended after their first run" in " ".join(table.split())
    moved = {name: verdict for name, verdict in before.items() if verdict and verdict != RECORDED[name]}
    assert moved == {
        "e08": "complicated, then refuted",
        "e09": "refuted",
        "e11": "refuted",
        "e14": "refuted",
    }  # as the changelog has it


def test_the_readme_says_where_shares_are_equal():
    """The values of tau in the README: converged cross-entropy at balanced held-out groups and equal ridge."""
    text = " ".join((Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8").split())
    at = {"part": "equal", "head": "cross-entropy, converged", "ridge": "equal", "heldout_ratio": 1.0}
    rows = [row for row in read("e03") if all(row[key] == value for key, value in at.items())]

    def taus(kind):
        found = sorted((row["rows_per_dim"], row["tau"]) for row in rows if row["kind"] == kind and row["tau"])
        return [f"{tau:.2f}"[1:] for _, tau in found]

    assert f"τ = {taus('class')[0]} and {taus('class')[1]} under class collapse with n/d = 8 and 32" in text
    assert len(taus("class")) == 2
    first, second, third = taus("minority")
    assert f"τ = {first}, {second} and {third} with n/d = 2, 8 and 32" in text
    assert taus("group") == []


def test_the_readme_counts_where_balance_carries_the_gain():
    text = " ".join((Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8").split())
    rows = read("e03")

    def counts(cases):
        """Of each kind of collapse, how many are carried by balance, at what cost, of how many with a gain."""
        kinds = [[case for case in own if case.state != "no gain"] for _, own in by_kind(cases)]
        carried = [[case for case in own if case.state == "dominates"] for own in kinds]
        told = [f"{len(held)} of {len(own)}" for held, own in zip(carried, kinds, strict=True)]
        return told, [sum(case.costs for case in held) for held in carried]

    predicted = predicted_splits(rows)
    without = sum(case.state == "no gain" for case in predicted)
    assert f"Of {len(predicted)} predicted splits" in text
    assert f"n/d, heads and ridges) {without} have no gain to split" in text
    (by_class, by_group, by_minority), (first, second, third) = counts(predicted)
    assert (
        f"in {by_class} under class collapse, in {by_group} under group collapse and in {by_minority} if only" in text
    )
    assert f"in {first}, {second} and {third} of these uncollapsed features cost" in text
    (by_class, by_group, by_minority), _ = counts(simulated_cells(rows))
    assert f"it does in {by_class}, {by_group} and {by_minority}." in text
