"""The grid of a sweep: the product in file order, by arithmetic, without ever being listed."""

import itertools
import tracemalloc

import pytest
from experiment_tables import SMALL, changed, examples
from hypothesis import given
from hypothesis import strategies as st

from llrsim.experiment import Axis, Descent, ExperimentError, Sweep, load
from llrsim.experiment.grid import Grid
from llrsim.experiment.identity import canonical_json


def grid(axes, zipped=()):
    return Grid(load(SMALL).with_values({"sweep.grid": axes, "sweep.zip": list(zipped)}))


@examples(40)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(1, 4))
def test_cells_are_the_product_in_file_order(lengths, zip_length):
    keys = ["train.n", "heldout.n", "features.noise.dim", "method.dfr-5.average"][: len(lengths)]
    axes = {key: [10 * (position + 1) for position in range(length)] for key, length in zip(keys, lengths, strict=True)}
    zipped = {
        "head.ridge": [0.5**i for i in range(zip_length)],
        "heldout.minority_ratio": [1 / (i + 1) for i in range(zip_length)],
    }
    cells = grid(axes, [zipped])
    moves = [[{key: value} for value in values] for key, values in axes.items()]
    moves.append([dict(zip(zipped, values, strict=True)) for values in zip(*zipped.values(), strict=True)])
    expected = [{k: v for move in cell for k, v in move.items()} for cell in itertools.product(*moves)]
    assert [cells.cell(index) for index in range(len(cells))] == expected
    assert cells.shape == (*lengths, zip_length)
    assert list(cells.axes) == [*axes, *zipped]
    assert cells.axes["head.ridge"] == tuple(zipped["head.ridge"])


def test_a_cell_is_the_experiment_at_its_values():
    base = load(SMALL)
    cells = grid({"train.n": [400, 800], "head.solver": ["exact", {"steps": 5, "step_size": 0.1}]})
    cell = cells.experiment(3)
    assert cells.cell(3) == {"train.n": 800, "head.solver": Descent(steps=5, step_size=0.1)}
    assert cell == base.with_values({"train.n": 800, "head.solver.steps": 5, "head.solver.step_size": 0.1})
    assert cell.sweep == base.sweep == Sweep()


def test_a_sweep_without_axes_has_one_cell():
    cells = Grid(load(SMALL))
    assert (len(cells), cells.cell(0), cells.axes) == (1, {}, {})
    assert cells.experiment(0) == load(SMALL)


def test_spaced_axes_reach_both_ends_and_round_whole_numbers():
    spaced = {
        "heldout.minority_ratio": {"log10": [-1.3, 0], "num": 5},
        "head.ridge": {"linear": [0, 1], "num": 4},
        "train.n": {"log10": [2, 4], "num": 3},
        "heldout.n": {"linear": [100, 100], "num": 1},
    }
    axes = grid(spaced).axes
    assert axes["heldout.minority_ratio"] == pytest.approx([10**-1.3, 10**-0.975, 10**-0.65, 10**-0.325, 1], rel=1e-14)
    assert axes["heldout.minority_ratio"][-1] == 1.0
    assert axes["head.ridge"] == pytest.approx([0, 1 / 3, 2 / 3, 1], rel=1e-15)
    assert axes["train.n"] == (100, 1000, 10000)
    assert axes["heldout.n"] == (100,)
    assert all(isinstance(value, int) for value in axes["train.n"])


def test_a_huge_grid_is_lazy():
    thousand = {"num": 1000}
    axes = {
        "head.ridge": {"log10": [-4, 0]} | thousand,
        "heldout.minority_ratio": {"log10": [-2, 0]} | thousand,
        "train.collapse.noise": {"linear": [0, 1]} | thousand,
        "train.collapse.attribute": {"linear": [0, 1]} | thousand,
    }
    experiment = load(SMALL).with_values({"sweep.grid": axes})
    tracemalloc.start()
    cells = Grid(experiment)
    assert len(cells) == 10**12
    assert cells.cell(10**12 - 1) == dict.fromkeys(axes, 1.0)
    assert cells.cell(10**9)["head.ridge"] == cells.axes["head.ridge"][1]
    cells.experiment(123456789012)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * 10**6


def test_a_cell_outside_the_grid_is_an_index_error():
    cells = grid({"train.n": [400, 800]})
    for index in (2, -1):
        with pytest.raises(IndexError, match=f"cell {index} of a grid of 2"):
            cells.cell(index)


WRONG_VALUES = [
    (
        {"train.collapse.noise": [0.5, 1.5]},
        (),
        r"sweep cell train\.collapse\.noise = 1\.5: train\.collapse\.noise = 1\.5",
    ),
    ({"train.n": [400, 2]}, (), r"sweep cell train\.n = 2: train\.n = 2: must be from 4"),
    ({"head.loss": ["logistic", "logit"]}, (), r"head\.loss = 'logit': no such loss"),
    ({"method.llr.balance": ["weights", "subset"]}, (), r"method\.llr\.balance = 'subset': llr balances nothing"),
    (
        {},
        [{"train.n": [400, 2], "head.ridge": [0.1, 0.2]}],
        r"sweep cell train\.n = 2, head\.ridge = 0\.2: train\.n = 2",
    ),
]


@pytest.mark.parametrize(("axes", "zipped", "message"), WRONG_VALUES, ids=[case[2] for case in WRONG_VALUES])
def test_check_names_the_axis_and_the_value(axes, zipped, message):
    cells = grid(axes | {"heldout.n": {"linear": [400, 499], "num": 100}}, zipped)
    with pytest.raises(ExperimentError, match=message):
        cells.check()


def test_check_tries_every_value_once_and_no_product():
    cells = grid({"train.n": {"linear": [400, 499], "num": 100}, "heldout.n": {"linear": [400, 499], "num": 100}})
    tried = []
    cells._at = lambda cell, named: tried.append((cell["train.n"], cell["heldout.n"]))
    cells.check()
    assert tried == [(n, 400) for n in range(400, 500)] + [(400, n) for n in range(400, 500)]


def test_values_that_do_not_go_together_name_the_cell():
    cells = grid({"method.dfr-5.balance": ["subset", "weights"], "method.dfr-5.average": [1, 5]})
    assert cells.experiment(1).method_of("dfr-5").average == 5
    with pytest.raises(ExperimentError, match=r"sweep cell .*'weights', method\.dfr-5\.average = 5: .*differ only"):
        cells.experiment(3)


def test_axes_of_structs_and_tables_are_one():
    axes = (Axis(key="train.n", values=(400, 800)), Axis(key="head.ridge", log10=(-2.0, 0.0), num=3))
    tables = changed({("sweep",): {"grid": {"train.n": [400, 800], "head.ridge": {"log10": [-2, 0], "num": 3}}}})
    assert load(SMALL).replace(sweep=Sweep(grid=axes)) == load(tables)


def test_cells_of_a_grid_have_distinct_keys():
    cells = grid({"train.n": [400, 800], "head.ridge": [0.1, 1]})
    assert len({canonical_json(cells.cell(i)) for i in range(len(cells))}) == 4
