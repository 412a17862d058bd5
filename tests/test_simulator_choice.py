"""Which simulator runs: what the lazy one refuses, the rule of `auto`, and every door passing the choice on."""

import subprocess
import sys
import tracemalloc
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
from attribution_cases import split_of
from sweep_cases import small

import llrsim
from llrsim import Grid
from llrsim.commands import main
from llrsim.experiment import ExperimentError
from llrsim.planning import plan
from llrsim.simulation import memory, simulate, simulate_plan
from llrsim.simulation.choice import SMALL, chosen, chosen_for_factorial, dense_seconds, lazy_seconds
from llrsim.simulation.dense import simulate_densely
from llrsim.simulation.lazy.support import MOST_EIGENSPACES, obstacle
from llrsim.sweep import StoreError, open_results, run_sweep
from llrsim.sweep.compiling import compile_kernels, simulators_of
from llrsim.sweep.units import simulate_unit

MINIBATCH = {"steps": 5, "step_size": 0.1, "batch": 32}
ENGINE = "llrsim.simulation.lazy.engine"


def sized(n, d, *, methods=("erm",), heldout=40, **head):
    """An experiment with n training rows, `heldout` others and d noise coordinates."""
    return llrsim.load(
        {
            "features": {"core": {"mean": 1.0, "std": 0.6}, "noise": {"dim": d}},
            "train": {"n": n, "proportions": [0.4, 0.1, 0.1, 0.4]},
            "heldout": {"n": heldout, "minority_ratio": 1.0},
            "head": head,
            "method": [{"kind": method} if isinstance(method, str) else method for method in methods],
        }
    )


@pytest.fixture
def engine(monkeypatch):
    """A stand-in for the lazy engine: the dense one under another name, and what it was asked for."""
    asked = []

    def simulate_lazily(plan, **options):
        asked.append((plan, options))
        outcome = simulate_densely(plan, **options)
        return replace(outcome, simulator="lazy", gram=np.full_like(outcome.gram, np.nan))

    module = ModuleType(ENGINE)
    module.simulate_lazily, module.warm_up = simulate_lazily, lambda heads: asked.append(heads)
    monkeypatch.setitem(sys.modules, ENGINE, module)
    return asked


class TestObstacles:
    @pytest.mark.parametrize(
        ("experiment", "told"),
        [
            (sized(33, 5, solver=MINIBATCH), r"^erm: head\.solver\.batch = 32: .* 33 rows"),
            (sized(20, 5, methods=("erm", "llr"), solver=MINIBATCH), r"^llr: head\.solver\.batch = 32: .* 40 rows"),
            (sized(40, 5, loss="hinge", ridge=0), r"^erm: head\.ridge = 0 with loss = 'hinge'"),
            (
                sized(40, 5).with_values({"features.noise": {"spectrum": [[1 + j, 3] for j in range(9)]}}),
                rf"^features\.noise\.spectrum: 9 distinct eigenvalues.* {MOST_EIGENSPACES};",
            ),
        ],
    )
    def test_are_named_and_refused(self, experiment, told, engine):
        with pytest.raises(ExperimentError, match=told) as refused:
            simulate(experiment.with_values({"sweep.simulator": "lazy"}))
        assert str(refused.value).endswith('use simulator = "dense"')
        assert not engine
        assert simulate(experiment).simulator == "dense"

    @pytest.mark.parametrize(
        "experiment",
        [
            sized(32, 5, solver=MINIBATCH),
            sized(40, 5, solver={"steps": 5, "step_size": 0.1, "momentum": 0.5, "clip": 1.0, "path": [2]}),
            sized(40, 5, loss="hinge", ridge=0, solver={"steps": 5, "step_size": 0.1}),
            sized(40, 50, loss="max_margin", ridge=0),
            sized(40, 5, loss="hinge", ridge=0.1),
            sized(
                40,
                5,
                methods=("erm", {"kind": "llr", "from": "erm", "anchor": 0.1, "head": {"loss": "hinge", "ridge": 0}}),
            ),
            sized(40, 5).with_values({"features.noise": {"spectrum": [[1 + j % 8, 3] for j in range(16)]}}),
        ],
    )
    def test_are_nothing_else(self, experiment):
        assert obstacle(plan(experiment)) is None


class TestRule:
    @pytest.mark.parametrize(
        ("experiment", "simulator"),
        [
            (sized(1000, 1900), "dense"),  # 1.9 million numbers
            (sized(1000, 10**5), "lazy"),
            (sized(10**6, 10**6), "lazy"),
            (sized(10**6, 20), "dense"),  # fewer columns than the lazy simulator would hold
            (sized(10**9, 10**9, loss="squared"), "lazy"),
            (sized(10**6, 10**6, solver={"steps": 3, "step_size": 0.1}), "lazy"),
            (sized(10**5, 150, loss="squared"), "lazy"),  # no rows are held
            (sized(10**5, 150, loss="logistic"), "dense"),
            (sized(10**6, 10**6, loss="hinge"), "lazy"),
            (sized(10**6, 10**6, loss="hinge", ridge=0), "dense"),  # an obstacle, whatever it costs
            (sized(10**6, 10**6, solver=MINIBATCH), "dense"),
        ],
    )
    def test_cases(self, experiment, simulator):
        assert chosen(plan(experiment), "auto") == simulator

    @pytest.mark.parametrize(
        "head",
        [
            {},
            {"loss": "squared"},
            {"loss": "hinge"},
            {"loss": "max_margin"},
            {"solver": {"steps": 5, "step_size": 0.1}},
            {"solver": {"steps": 5000, "step_size": 0.1}},
        ],
    )
    def test_once_lazy_always_lazy_as_d_grows(self, head):
        for n in (100, 3000, 10**5, 10**7):
            lazy = [chosen(plan(sized(n, d, **head)), "auto") == "lazy" for d in np.logspace(0, 8, 60).astype(int)]
            assert lazy == sorted(lazy)
            assert lazy[-1]

    def test_is_the_lower_cost_beyond_small_designs(self):
        for n, d in ((4000, 1000), (1000, 4000), (20_000, 150), (10**6, 10**4)):
            sizes = plan(sized(n, d))
            assert n * d > SMALL
            assert (chosen(sizes, "auto") == "lazy") == (lazy_seconds(sizes) < dense_seconds(sizes))

    def test_is_asked_for_by_name(self):
        sizes = plan(sized(40, 5))
        assert [chosen(sizes, name) for name in ("auto", "dense", "lazy")] == ["dense", "dense", "lazy"]
        with pytest.raises(ValueError, match="simulator: 'sparse'; expected one of auto, dense, lazy"):
            chosen(sizes, "sparse")

    def test_does_not_ask_what_is_free(self, monkeypatch):
        monkeypatch.setattr(memory, "free_bytes", lambda: 0)
        assert chosen(plan(sized(40, 5)), "auto") == "dense"

    @pytest.mark.parametrize("name", llrsim.preset_names())
    def test_presets_are_dense_but_the_wide_one_and_that_with_a_network(self, name):
        assert chosen(plan(llrsim.load(name)), "auto") == {"phase": "lazy", "e13": "learned"}.get(name, "dense")


class TestDoors:
    def test_a_lazy_outcome_is_not_paired(self, engine):
        experiment = sized(40, 5).with_values({"sweep.simulator": "lazy"})
        outcome = simulate(experiment, 2, seed=3, jobs=2)
        ((_, options),) = engine
        assert options == {
            "name": experiment.name,
            "replicates": 2,
            "first": 0,
            "seed": 3,
            "law": "",
            "axes": None,
            "jobs": 2,
        }
        assert (outcome.simulator, outcome.paired) == ("lazy", False)
        assert str(outcome).startswith("experiment: simulation (lazy, not paired)\n")
        told = outcome.to_dict()
        assert (told["simulator"], told["paired"]) == ("lazy", False)

    def test_a_dense_outcome_is_paired_unless_its_law_is_in_the_key(self):
        outcome = simulate(sized(40, 5))
        assert (outcome.simulator, outcome.paired) == ("dense", True)
        assert str(outcome).startswith("experiment: simulation (dense)\n")
        assert simulate(sized(40, 5), pairing="independent").paired is False
        predicted = llrsim.predict(sized(40, 5))
        assert predicted.paired is None
        assert "paired" not in predicted.to_dict()

    def test_a_plan_is_simulated_as_its_experiment(self, engine):
        large = sized(10, 3 * 10**5, loss="squared")
        assert simulate(large).simulator == simulate_plan(plan(large)).simulator == "lazy"
        assert simulate_plan(plan(large), simulator="dense").simulator == "dense"

    def test_a_dense_run_loads_nothing_lazy(self):
        code = (
            "import llrsim, sys\n"
            "llrsim.simulate(llrsim.load('quick'))\n"
            "print(sorted(name for name in sys.modules if '.lazy' in name and 'llrsim' in name))"
        )
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert told == "['llrsim.simulation.lazy', 'llrsim.simulation.lazy.support']\n"

    def test_too_large_is_refused_before_anything_is_laid_out(self):
        tracemalloc.start()
        with pytest.raises(MemoryError, match=r"need \d+\.\d GB \(1000000000 rows .*simulator = \"lazy\", or lower"):
            simulate_plan(plan(sized(10**9, 10**9)), simulator="dense")
        with pytest.raises(MemoryError, match=r"are free; lower train\.n"):
            simulate_plan(plan(sized(10**9, 10**9, solver=MINIBATCH)))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < 10**6

    def test_a_unit_of_a_sweep_passes_it_on(self, engine):
        assert simulate_unit(small(sweep__simulator="lazy"), 3, 2).simulator == "lazy"
        assert engine[0][1]["first"] == 3
        assert simulate_unit(small(), 0, 2).simulator == "dense"

    def test_a_study_of_sizes_passes_it_on(self, engine):
        experiment = sized(40, 8, ridge=0.5).with_values({"sweep.simulator": "lazy"})
        llrsim.check(experiment, dims=(8, 12, 16), replicates=8)
        assert len(engine) == 4
        assert all(options["law"] for _, options in engine)


class TestFactorials:
    EXPERIMENT = sized(60, 5, methods=("erm", "llr", "dfr"), ridge=0.1)

    def explained(self, simulator="auto", **options):
        experiment = self.EXPERIMENT.with_values({"sweep.simulator": simulator})
        return llrsim.explain(experiment, side="simulation", **options)

    def test_lazy_only_if_asked_for(self, engine):
        paired = self.explained(replicates=3)
        assert not engine
        assert "3 paired replicates" in paired["dfr"].sentence
        assert paired["dfr"].to_dict()["paired"] is True
        unpaired = self.explained("lazy", replicates=3)
        assert len(engine) == 1  # all cells of all methods in one plan
        assert "3 replicates, not paired" in unpaired["dfr"].sentence
        assert "3 replicates, not paired" in unpaired["dfr"].table()
        assert unpaired["dfr"].to_dict()["paired"] is False

    def test_lazy_where_memory_does_not_hold_it(self, engine, monkeypatch):
        monkeypatch.setattr("llrsim.attribution.explanation.chosen_for_factorial", lambda *_: "lazy")
        assert self.explained(replicates=2)["llr"].paired is False
        assert len(engine) == 1

    def test_size_alone_does_not_make_it_lazy(self, monkeypatch):
        wide = plan(sized(1000, 10**4))
        monkeypatch.setattr(memory, "free_bytes", lambda: 10**12)
        assert (chosen(wide, "auto"), chosen_for_factorial(wide, "auto", 2)) == ("lazy", "dense")
        monkeypatch.setattr(memory, "free_bytes", lambda: 3 * 10**8)
        assert (chosen_for_factorial(wide, "auto", 1), chosen_for_factorial(wide, "auto", 2)) == ("dense", "lazy")
        assert chosen_for_factorial(wide, "dense", 2) == "dense"
        assert chosen_for_factorial(plan(sized(1000, 10**4, solver=MINIBATCH)), "auto", 2) == "dense"

    def test_intervals_are_honest_without_pairing(self):
        """Gaussian cells without an effect, 2000 factorials: each effect's 95 % interval covers 0, to 4.5 sigma.

        With cells that are independent, and with cells that share most of their noise; pairing only makes the
        intervals narrower.
        """
        rng = np.random.default_rng(0)
        widths = []
        for shared in (0.0, 0.95):
            common = rng.normal(size=(2000, 1, 1, 12))
            own = rng.normal(size=(2000, 2, 2, 12))
            tables = 0.7 + 0.01 * (np.sqrt(shared) * common + np.sqrt(1 - shared) * own)
            ends = [split_of(table, ("composition", "collapse")).effects["collapse"].interval for table in tables]
            low, high = np.array(ends).T
            covered = ((low < 0) & (high > 0)).mean()
            assert abs(covered - 0.95) < 4.5 * np.sqrt(0.95 * 0.05 / 2000)
            widths.append((high - low).mean())
        assert widths[1] == pytest.approx(np.sqrt(0.05) * widths[0], rel=0.03)


class TestSweeps:
    def test_rows_say_what_simulated_them(self, engine, tmp_path):
        for simulator, is_paired in (("lazy", False), ("dense", True)):
            folder = tmp_path / simulator
            results = run_sweep(small(sweep__simulator=simulator), out=folder, jobs=1)
            assert {(row["simulator"], row["paired"]) for row in results.rows()} == {(simulator, is_paired)}
            assert {cell.simulation.paired for cell in results.outcomes()} == {is_paired}
            assert {cell.prediction.paired for cell in results.outcomes()} == {None}
        (only,) = {
            (row["simulator"], row["paired"])
            for row in run_sweep(small(), out=tmp_path / "none", predict_only=True).rows()
        }
        assert only == (None, None)

    def test_a_folder_keeps_to_what_it_was_asked_for(self, engine, tmp_path):
        run_sweep(small(), out=tmp_path, jobs=1)
        with pytest.raises(StoreError, match=r"sweep\.simulator: stored auto, asked lazy"):
            run_sweep(small(sweep__simulator="lazy"), out=tmp_path, jobs=1)
        assert not [asked for asked in engine if isinstance(asked, tuple)]

    def test_rows_that_are_there_stay_and_a_mixture_is_told(self, engine, tmp_path, monkeypatch):
        """A method that two cells share is stored once, though what else a cell fits may change its simulator."""
        grid = {"method.dfr.balance": ["weights", "subset"]}
        experiment = small(sweep__grid=grid, sweep__replicates=2)

        def by_balance(plan, simulator):
            return "lazy" if plan.stages[1].selection.used.sum() < plan.samples[1].counts.sum() else "dense"

        monkeypatch.setattr("llrsim.simulation.simulating.chosen", by_balance)
        unequal = experiment.with_values({"heldout.minority_ratio": 0.25})
        results = run_sweep(unequal, out=tmp_path, jobs=1)
        told = [(row["method"], row["simulator"], row["paired"]) for row in results.rows()]
        assert told == [("erm", "dense", True), ("dfr", "dense", True), ("erm", "dense", True), ("dfr", "lazy", False)]
        assert [(cell.simulation.simulator, cell.simulation.paired) for cell in open_results(tmp_path).outcomes()] == [
            ("dense", True),
            ("dense, lazy", False),
        ]

    def test_cells_that_cannot_be_lazy_fail_by_name(self, engine, tmp_path):
        experiment = small(sweep__simulator="lazy", head__solver=MINIBATCH)
        with pytest.raises(llrsim.sweep.SweepFailed, match=r"train\.n = 80: erm: head\.solver\.batch = 32"):
            run_sweep(experiment, out=tmp_path, jobs=1)

    def test_what_runs_is_compiled(self, engine, monkeypatch):
        compiled = []
        monkeypatch.setattr("llrsim.simulation.dense.warm_up", lambda heads: compiled.append("dense"))

        def needed(experiment):
            compiled.clear(), engine.clear()
            grid = Grid(experiment)
            compile_kernels([experiment.head], lambda _: None, simulators=simulators_of(grid))
            return [*compiled, *("lazy" for _ in engine)]

        assert needed(small()) == ["dense"]
        assert needed(small(sweep__simulator="lazy")) == ["lazy"]
        assert needed(small(sweep__grid={"features.noise.dim": [10, 10**6]})) == ["dense", "lazy"]
        assert needed(small(features__noise__dim=10**6)) == ["lazy"]
        compile_kernels([small().head], lambda _: None)
        assert compiled == []


class TestCommands:
    @pytest.fixture
    def file(self, tmp_path):
        path = tmp_path / "small.toml"
        path.write_text(small().to_toml())
        return str(path)

    def test_the_option_is_short_for_a_setting(self, engine, file, tmp_path, capsys):
        assert main(["simulate", file, "--set", "train.n=90", "--simulator", "lazy"]) == 0
        assert capsys.readouterr().out.startswith("small: simulation (lazy, not paired)\n")
        assert main(["explain", file, "--simulator", "lazy", "--replicates", "2", "--side", "simulation"]) == 0
        assert "2 replicates, not paired" in capsys.readouterr().out
        argv = ["sweep", file, "--simulator", "lazy", "--set", "sweep.replicates=2", "--jobs", "1", "--json"]
        assert main([*argv, "--out", str(tmp_path / "out")]) == 0
        assert '"simulator": "lazy", "paired": false' in capsys.readouterr().out
        assert main([*argv[:4], "--dry-run"]) == 0

    @pytest.mark.parametrize(
        ("options", "told"),
        [
            (["--simulator", "sparse"], "sweep.simulator = 'sparse': accepted: auto, dense, lazy"),
            (["--simulator", "lazy", "--set", "head.solver={steps=2,step_size=0.1,batch=8}"], "erm: head.solver.batch"),
            (["--simulator", "dense", "--set", "features.noise.dim=1000000000000"], 'choose simulator = "lazy"'),
        ],
    )
    @pytest.mark.parametrize("command", ["simulate", "explain"])
    def test_refusals_are_one_line(self, engine, file, capsys, command, options, told):
        assert main([command, file, *options]) == 2
        said = capsys.readouterr().err
        assert told in said
        assert said.count("\n") == 1
