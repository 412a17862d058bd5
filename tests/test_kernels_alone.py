"""What a process loaded before a kernel changes none of its digits."""

import importlib
import os
import pkgutil
import random
import subprocess
import sys
from pathlib import Path

import pytest
from sweep_cases import small
from test_shards import stored

import llrsim
from llrsim import _jit
from llrsim.sweep import run_sweep

# Logistic fits of dense and of lazy samples, whose sums rounded otherwise in one row of sixty while callers had
# copies of their callees.
EXPERIMENT = small(sweep__grid={"features.noise.dim": [3, 100_000], "head.ridge": [0.1, 0.2]}, sweep__replicates=50)


def kernels():
    found = {}
    for module in pkgutil.walk_packages(llrsim.__path__, "llrsim."):
        if not module.name.endswith("__main__"):
            for value in vars(importlib.import_module(module.name)).values():
                if hasattr(value, "targetoptions"):
                    found[value.__module__, value.__name__] = value
    return [found[name] for name in sorted(found)]


@pytest.mark.skipif(bool(_jit.settings.DISABLE_JIT), reason="nothing is compiled")
def test_every_kernel_is_inlined_where_it_is_called():
    assert len(kernels()) > 100
    assert [k.__name__ for k in kernels() if not k.targetoptions.get("forceinline")] == []


def main(folder, seed):
    """Load all cached kernels in an order of their own, then sweep."""
    loaded = [(k, key[0]) for k in kernels() for key in k._cache._cache_file._load_index()]
    random.Random(int(seed)).shuffle(loaded)
    for kernel, signature in loaded:
        kernel.compile(signature)
    run_sweep(EXPERIMENT, out=Path(folder), jobs=1)
    sys.stdout.write(f"{len(loaded)}\n")


@pytest.mark.skipif(bool(_jit.settings.DISABLE_JIT), reason="nothing is compiled")
def test_the_order_in_which_kernels_are_loaded_changes_no_row(tmp_path):
    run_sweep(EXPERIMENT, out=tmp_path / "here", jobs=1)
    expected = stored(tmp_path / "here")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    for seed in (1, 3):
        ran = subprocess.run(
            [sys.executable, __file__, str(tmp_path / f"{seed}"), str(seed)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        assert int(ran.stdout.split()[-1]) > 50
        assert stored(tmp_path / f"{seed}") == expected


if __name__ == "__main__":
    main(*sys.argv[1:])
