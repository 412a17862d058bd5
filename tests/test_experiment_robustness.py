"""Unreadable files, wrong changes and random mutations end in an ExperimentError or in a valid experiment."""

import copy
import math
import tomllib

import pytest
from experiment_tables import SMALL, examples, experiments
from hypothesis import given
from hypothesis import strategies as st

from llrsim._io import read_rows
from llrsim.experiment import Coordinates, Experiment, ExperimentError, Features, Noise, Train, load

FILES = {
    "syntax": ("[features\n", r"file\.toml: not valid TOML: .*line 1"),
    "duplicate": ("name = 'a'\nname = 'b'\n", r"file\.toml: not valid TOML: .*line 2"),
    "depth": ("a = " + "[" * 5000, r"file\.toml: not valid TOML"),
    "key": ("[tran]\n", r"file\.toml: tran: unknown key"),
}


@pytest.mark.parametrize(("text", "message"), FILES.values(), ids=FILES)
def test_a_wrong_file_is_named_with_its_line(tmp_path, text, message):
    file = tmp_path / "file.toml"
    file.write_text(text)
    with pytest.raises(ExperimentError, match=message):
        load(file)


def test_a_byte_order_mark_is_no_text(tmp_path):
    text = load(SMALL).to_toml().encode()
    (tmp_path / "marked.toml").write_bytes(b"\xef\xbb\xbf" + text)
    (tmp_path / "plain.toml").write_bytes(text)
    assert load(tmp_path / "marked.toml") == load(tmp_path / "plain.toml")
    (tmp_path / "table.csv").write_bytes("\ufeffwga,λ\n0.5,x\n".encode())
    assert read_rows(tmp_path / "table.csv") == [{"wga": 0.5, "λ": "x"}]


def test_an_unreadable_file_is_named(tmp_path):
    (tmp_path / "bytes.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(ExperimentError, match=r"bytes\.toml: not UTF-8"):
        load(tmp_path / "bytes.toml")
    with pytest.raises(ExperimentError, match="cannot be read: Is a directory"):
        load(tmp_path)
    with pytest.raises(ExperimentError, match="cannot be read"):
        load("a\0b")
    with pytest.raises(ExperimentError, match=r"quik: no such file or preset; did you mean quick\?; presets: .*quick"):
        load("quik")
    with pytest.raises(ExperimentError, match="5: give a path"):
        load(5)
    with pytest.raises(ExperimentError, match="experiment: the key 5 is not printable text"):
        load({5: 6})


WRONG_CHANGES = [
    ({"train.m": 5}, r"train\.m: unknown key"),
    ({"": 5}, "unknown key"),
    ({5: 5}, "5: keys are dotted paths"),
    ({"method.dfr.average": 5}, r"no method is called 'dfr'"),
    ({"method.llr": {"kind": "llr"}}, r"method\.llr: name one key of the method"),
    ({"head.solver.steps": 5}, r"head\.solver\.step_size: missing"),
    ({"train.counts": [9, 9, 9, 9], "train.proportions": [0.25] * 4}, r"train\.counts: beside train\.proportions"),
    ({"train.n": math.nan}, r"train\.n = nan"),
    ({"train": {"n": 5}, "train.n": 6}, r"train\.n: is inside train, which changes too"),
]


@pytest.mark.parametrize(("values", "message"), WRONG_CHANGES, ids=[str(values) for values, _ in WRONG_CHANGES])
def test_a_wrong_change_is_named(values, message):
    with pytest.raises(ExperimentError, match=message):
        load(SMALL).with_values(values)


def test_a_missing_method_is_named():
    with pytest.raises(ExperimentError, match=r"method\.lr: no such method; did you mean method\.llr\?"):
        load(SMALL).head_of("lr")


def test_structs_are_checked_too():
    features = Features(core=Coordinates(mean=1.0, std="x"), noise=Noise(dim=4))
    with pytest.raises(ExperimentError, match=r"features\.core\.std = 'x': must be a number or a list"):
        Experiment(features=features, train=Train(counts=(9, 9, 9, 9)))
    with pytest.raises(ExperimentError, match="features = 5: must be a table"):
        Experiment(features=5, train=Train(counts=(9, 9, 9, 9)))


_WRONG = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([10**5000, [[[[]]]], {"a": {}}, {1: 2}, b"x", (), object(), [1, "x"], "erm", "train.n", -1, 0])
    | st.recursive(
        st.integers(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner)
    )
)


@pytest.mark.filterwarnings("ignore::llrsim.experiment.EmptyGroupWarning")
@examples(80)
@given(experiments(), st.data())
def test_mutated_tables_load_or_are_refused(tables, data):
    tables = copy.deepcopy(tables)
    for _ in range(data.draw(st.integers(1, 3))):
        place = tables
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = data.draw(st.sampled_from(keys)) if keys else None
            inner = place[key] if keys else None
            if not (isinstance(inner, dict | list) and inner and data.draw(st.booleans())):
                break
            place = inner
        if key is None:
            continue
        if isinstance(place, dict) and data.draw(st.booleans()):
            place[
                data.draw(st.text(max_size=4) | st.sampled_from(["n", "counts", "grid", "zip", "from", "labels"]))
            ] = data.draw(_WRONG)
        else:
            place[key] = data.draw(_WRONG)
    experiment = _made_or_refused(lambda: load(tables))
    if experiment is not None:
        assert load(tables) == experiment
        assert len(experiment.cell_law_hash) == len(experiment.hash) == 16
        assert load(tomllib.loads(experiment.to_toml())) == experiment


@pytest.mark.filterwarnings("ignore::llrsim.experiment.EmptyGroupWarning")
@examples(60)
@given(
    st.dictionaries(
        st.sampled_from(
            [
                "train.n",
                "head.solver",
                "sweep.grid",
                "heldout.counts",
                "method.llr.from",
                "method",
                "sweep.zip",
                "features.means",
                "train",
            ]
        )
        | st.text(max_size=8),
        _WRONG,
        max_size=3,
    )
)
def test_arbitrary_changes_are_made_or_refused(values):
    _made_or_refused(lambda: load(SMALL).with_values(values))


def _made_or_refused(make):
    """What is made, hashable, or None where it was refused with a message that prints anywhere."""
    try:
        experiment = make()
    except ExperimentError as error:
        message = str(error)
    else:
        hash(experiment)
        return experiment
    message.encode()
    return None
