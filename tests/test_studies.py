"""The rules of the studies on made-up tables: each can confirm, refute and stay open, whatever was found in truth."""

import re
from itertools import product

import numpy as np
import pytest
from study_cases import (
    CARRIED,
    CASES,
    LOST,
    SHARED,
    SHARP,
    e03_rows,
    e04_rows,
    e05_rows,
    e08_rows,
    e11_rows,
    row,
    split,
)

import llrsim
from llrsim.attribution.split import Effect, verdict_of
from llrsim.experiment.schema import STUDIES
from llrsim.studies import Finding, settled, study
from llrsim.studies.e03 import predicted_splits
from llrsim.studies.evidence import above, below, foremost, within

IMPORTED = ("TYPE_CHECKING", "NUMERICS")  # constants of others, which are no thresholds
HELD = [name for name in llrsim.preset_names() if name in STUDIES]


"""Of each study, made-up tables and what must come of them."""


@pytest.mark.parametrize(
    ("name", "outcome", "rows"), [(name, *case) for name, cases in CASES.items() for case in cases]
)
def test_made_up_tables_decide(name, outcome, rows):
    verdict = study(name).verdict(rows)
    assert (verdict.study, verdict.outcome) == (name, outcome)
    assert verdict.sentence.startswith(f"{name}, {outcome}: ")
    assert ("by construction" in verdict.sentence) >= bool(verdict.by_construction)


def test_cells_without_a_gain_count_neither_way_and_costly_ones_are_told():
    verdict = study("e03").verdict(e03_rows(SHARP, CARRIED, LOST, SHARED, (0.3, -0.1)))
    assert "class collapse: balance dominates in 1 of 2 (in 0 of them" in verdict.sentence
    assert "group collapse: balance dominates in 1 of 1 (in 1 of them" in verdict.sentence
    told = {finding.text.partition(" (of")[0]: finding.holds for finding in verdict.findings}
    at = "group collapse, ridge, ratio 1, n/d 2, where uncollapsed features cost: no gain to split"
    assert told[at] is None


def test_a_loss_is_no_gain_and_is_told():
    verdict = study("e04").verdict(e04_rows(SHARP, 0.0, -0.2, 0.005))
    assert [finding.holds for finding in verdict.findings] == [True] * 3
    assert "a loss beyond 0.01 in 1, within 0.01 of no gain in 2" in verdict.sentence


def test_flatness_is_judged_over_the_cells_alone():
    """An interval that two comparisons leave inside the margin, and four do not."""
    narrow = e05_rows((0.00395, 60), (0.5, 0.0), (0.5, 0.0))
    two, four = (within("", narrow[0], "change", 0.01, comparisons=count).holds for count in (2, 4))
    assert (two, four) == (True, None)
    assert study("e05").verdict(narrow).outcome == "confirmed"


def test_each_head_is_classed_by_its_own_sample():
    """The subset's gain at n/d = 2, where it interpolates alone, counts neither way; it is told."""
    verdict = study("e11").verdict(e11_rows(SHARP))
    assert "not decided on, one head interpolating alone or near its threshold: squared, n/d = 1.1: +0.000, " in (
        verdict.sentence
    )
    assert "squared, n/d = 2: +0.200" in verdict.sentence
    assert verdict.findings[1].text.endswith("(of 2: squared, n/d = 24)")


def test_the_separation_and_explain_have_one_notion_of_dominance():
    """Exact splits come out alike from the study's cells and from the verdict on an attribution."""
    named = {"dominates": "balance", "no gain": "no gain to split"}
    for balance, collapse in product((-0.1, 0.002, 0.01, 0.1), repeat=2):
        at = {"part": "map", "kind": "class", "head": "ridge", "ridge": "equal"}
        (case,) = predicted_splits([at | split(balance, collapse)])
        of, none = (
            {name: Effect(np.array([x]), np.zeros(1), True) for name, x in numbers.items()}
            for numbers in (
                {"balance": balance, "collapse": collapse, "gain": balance + collapse},
                {"rest": 0.0, "interaction": 0.0},
            )
        )
        explained = verdict_of(**of, **none)
        assert named.get(case.state) == (explained if explained in named.values() else None)


def test_the_worst_of_a_family_is_nearest_to_its_threshold_or_farthest_beyond():
    def gains(*means, error=0.001):
        return [row("cell", (error, 40), {"gain": mean}) for mean in means]

    def worst(judge, rows, threshold):
        return foremost("all", [judge("one", row, "gain", threshold) for row in rows]).estimate

    assert worst(above, gains(0.3, 0.02, 0.1), 0.01) == 0.02
    assert worst(above, gains(0.3, -0.1, -0.02), 0.01) == -0.1
    assert worst(below, gains(-0.3, -0.02, -0.1), 0.01) == -0.02
    assert worst(below, gains(-0.9, 0.1, 0.3), 0.01) == 0.3
    assert worst(within, gains(0.0, -0.005, 0.001), 0.01) == -0.005
    open_one = gains(0.01, error=0.1)
    assert worst(above, [*gains(0.011 + 0.004), *open_one], 0.01) == 0.01
    assert worst(above, [*open_one, *gains(-0.1)], 0.01) == -0.1


@pytest.mark.parametrize(
    ("changes", "turned"),
    [
        ({}, False),
        ({"spurious_weight": -0.01, "majority_accuracy": 0.85}, False),
        ({"spurious_weight": -0.3, "majority_accuracy": 0.5}, True),
        ({"spurious_weight": 0.3, "majority_accuracy": 0.5}, False),
        ({"class_cosine": -0.1}, True),
    ],
)
def test_a_head_has_turned_by_where_it_points(changes, turned):
    rows = e08_rows(SHARP, (0.0, 0.0), (0.0, 0.0))
    rows[2] |= changes
    said = study("e08").verdict(rows).sentence
    assert ("turned at converged, anchor 0, gamma 16" in said) == turned
    assert ("turned at no cell" in said) != turned


def test_afr_is_tuned_over_anchors_too():
    rows = e08_rows(SHARP, (0.0, 0.0), (0.3, 0.3))
    worse = [entry | {"tuning_wga": 0.7} if entry["method"] == "afr" and entry["anchor"] else entry for entry in rows]
    assert [study("e08").verdict(table).outcome for table in (rows, worse)] == ["complicated", "confirmed"]


def test_every_study_can_confirm_refute_and_stay_open():
    for name, cases in CASES.items():
        assert {"confirmed", "refuted", "undecided"} <= {outcome for outcome, _ in cases}, name


@pytest.mark.parametrize("name", HELD)
def test_presets_say_what_the_code_decides(name):
    """The file names its study, loads to equal words from its own text, and its rule has the module's thresholds."""
    experiment = llrsim.load(name)
    assert experiment.study.id == name
    assert experiment.sweep.replicates >= 20
    module = study(name)
    constants = {key: value for key, value in vars(module).items() if key.isupper() and key not in IMPORTED}
    thresholds = {key: value for key, value in constants.items() if isinstance(value, int | float)}
    words = {float(word) for word in re.findall(r"\d+(?:\.\d+)?", experiment.study.rule)}
    missing = {key: value for key, value in thresholds.items() if abs(value) not in words and key != "UNTOUCHED"}
    assert not missing


@pytest.mark.parametrize("name", HELD)
def test_presets_are_described_the_same_after_a_round_trip(name, tmp_path):
    experiment = llrsim.load(name)
    path = tmp_path / f"{name}.toml"
    path.write_text(experiment.to_toml(), encoding="utf-8")
    assert llrsim.load(str(path)) == experiment


def test_an_unknown_study_is_refused():
    with pytest.raises(ValueError, match="'os'; expected one of e01, "):
        study("os")


def test_findings_settle():
    finding = {held: Finding("f", 0.0, None, None, held) for held in (True, False, None)}
    assert settled([finding[True], finding[None], finding[False]]) == "refuted"
    assert settled([]) == "undecided"
