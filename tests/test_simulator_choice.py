"""Which simulator runs: what the lazy one refuses, the rule of `auto`, and the doors of a simulation."""

import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from simulator_cases import MINIBATCH, engine, sized
from sweep_cases import small

import llrsim
from llrsim.experiment import ExperimentError
from llrsim.model.losses import Status
from llrsim.model.plan import plan
from llrsim.simulation import memory, simulate, simulate_plan
from llrsim.simulation.choice import LEAST_RIDGE, SMALL, chosen, dense_seconds, lazy_seconds
from llrsim.simulation.engine import Draws
from llrsim.simulation.lazy.support import MOST_EIGENSPACES, obstacle
from llrsim.sweep.units import simulate_unit

__all__ = ["engine"]


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
            (sized(20_000, 20_000, loss="squared_hinge", ridge=0.1), "lazy"),
            (sized(2100, 1000, loss="squared_hinge", ridge=1e-4), "dense"),  # a lazy fit does not converge
            (sized(20_000, 20_000, loss="squared_hinge", ridge=1e-5), "dense"),
            (sized(20_000, 20_000, loss="squared_hinge", ridge=1e-5, solver={"steps": 5, "step_size": 0.1}), "lazy"),
            (sized(20_000, 20_000, ridge=1e-5), "lazy"),
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
            {"loss": "squared_hinge", "ridge": 0.01},
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

    def test_a_small_ridge_is_small_beside_the_noise(self):
        wide = sized(20_000, 20_000, loss="squared_hinge", ridge=0.1)
        loud = wide.with_values({"features.noise.std": 20.0})
        quiet = wide.with_values({"features.noise.std": 0.01, "head.ridge": 1e-5})
        assert [chosen(plan(one), "auto") for one in (wide, loud, quiet)] == ["lazy", "dense", "lazy"]

    @pytest.mark.parametrize("shape", [(120, 80), (80, 240)])
    def test_squared_hinge_converges_lazily_down_to_the_least_ridge(self, shape):
        """With noise of unit mean square; the ridge of the second case is the least that is ever chosen."""
        for ridge in (0.1, LEAST_RIDGE):
            outcome = simulate(
                sized(*shape, loss="squared_hinge", ridge=ridge).with_values({"sweep.simulator": "lazy"}), 3
            )
            assert (outcome["erm"].status == Status.CONVERGED).all()
            assert (outcome["erm"].certificate <= 1e-9).all()

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
        ((_, draws),) = engine
        assert draws == Draws(replicates=2, first=0, seed=3, law="", jobs=2)
        assert outcome.name == experiment.name
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
        assert engine[0][1].first == 3
        assert simulate_unit(small(), 0, 2).simulator == "dense"

    def test_a_study_of_sizes_passes_it_on(self, engine):
        experiment = sized(40, 8, ridge=0.5).with_values({"sweep.simulator": "lazy"})
        llrsim.check(experiment, dims=(8, 12, 16), replicates=8)
        assert len(engine) == 4
        assert all(draws.law for _, draws in engine)
