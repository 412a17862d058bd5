"""The simulator of what compares many simulations: factorials, sweeps and commands pass the choice on."""

import numpy as np
import pytest
from attribution_cases import split_of
from simulator_cases import MINIBATCH, engine, sized
from sweep_cases import small

import llrsim
from llrsim import Grid
from llrsim.commands import main
from llrsim.model.plan import plan
from llrsim.simulation import memory
from llrsim.simulation.choice import chosen, chosen_for_factorial
from llrsim.sweep import StoreError, open_results, run_sweep
from llrsim.sweep.run import compile_kernels, simulators_of

__all__ = ["engine"]


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
        monkeypatch.setattr("llrsim.attribution.chosen_for_factorial", lambda *_: "lazy")
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

        monkeypatch.setattr("llrsim.simulation.chosen", by_balance)
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
