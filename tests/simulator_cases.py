"""Experiments whose simulator is to be chosen, and a stand-in for the lazy one."""

import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

import llrsim
from llrsim.simulation.dense import simulate_densely

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

    def simulate_lazily(plan, draws):
        asked.append((plan, draws))
        outcome = simulate_densely(plan, draws)
        return replace(outcome, simulator="lazy", gram=np.full_like(outcome.gram, np.nan))

    module = ModuleType(ENGINE)
    module.simulate_lazily, module.warm_up = simulate_lazily, lambda heads: asked.append(heads)
    monkeypatch.setitem(sys.modules, ENGINE, module)
    return asked
