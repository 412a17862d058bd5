"""The same sweep by two of OpenBLAS's sets of kernels: rows agree within the tolerance that `sweep.comparing` states.

OPENBLAS_CORETYPE chooses the kernels, where NumPy's BLAS has more than one.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from llrsim.sweep.format import CHECKED, FIELDS
from llrsim.sweep.store import Reader
from llrsim.sweep.verify import difference

CORES = ("Nehalem", "Haswell", "SkylakeX")
TESTS = Path(__file__).parent

SWEEP = """
import sys
from pathlib import Path
import numpy, scipy.linalg
from threadpoolctl import threadpool_info
from sweep_cases import EVERY_METHOD, every
from llrsim.sweep import run_sweep

more = [{"kind": "llr", "name": loss, "head": {"loss": loss}} for loss in ("squared", "hinge", "squared_hinge")]
for simulator in ("dense", "lazy"):
    experiment = every(simulator, sweep__replicates=4, features__noise__dim=300)
    methods = (*experiment.method, *more)
    run_sweep(experiment.replace(method=methods), out=Path(sys.argv[1]) / simulator, jobs=1)
print(" ".join(sorted({pool["architecture"] for pool in threadpool_info() if pool["internal_api"] == "openblas"})))
"""


@pytest.fixture(scope="module")
def builds(tmp_path_factory):
    """Folders of the sweeps by set of kernels, for those that this processor has."""
    found = {}
    for core in CORES:
        folder = tmp_path_factory.mktemp(core)
        environment = os.environ | {"OPENBLAS_CORETYPE": core, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}
        words = [sys.executable, "-c", SWEEP, str(folder)]
        ran = subprocess.run(words, capture_output=True, text=True, env=environment)
        if ran.returncode < 0:  # a processor without the instructions ends the process
            continue
        assert ran.returncode == 0, ran.stderr
        found.setdefault(ran.stdout.strip(), folder)
    found.pop("", None)
    if len(found) < 2:
        pytest.skip(f"NumPy's BLAS has one set of kernels here: {', '.join(found) or 'it is not OpenBLAS'}")
    return found


def stored(folder, table):
    """FIELDS of every row of a table, by its key."""
    with Reader(folder) as reader:
        many = len(CHECKED[table]) - len(FIELDS)
        return {row[:many]: row[many:-1] for row in reader.sealed(table)}


def differing(builds, simulator, *, exact):
    """In what rows of the other builds differ from those of the first, a line each."""
    first, *others = (folder / simulator for folder in builds.values())
    found = []
    for other in others:
        for table in ("rows", "predictions"):
            one, two = stored(first, table), stored(other, table)
            assert one.keys() == two.keys()
            found += [told for key in one if (told := difference(one[key], two[key], exact=exact))]
    return found


@pytest.mark.parametrize("simulator", ["dense", "lazy"])
def test_rows_of_two_builds_agree_within_the_stated_tolerance(builds, simulator):
    assert differing(builds, simulator, exact=False) == []


def test_the_builds_do_differ(builds):
    """The control: were the variable without effect, every row would be the same to the bit."""
    assert [told for simulator in ("dense", "lazy") for told in differing(builds, simulator, exact=True)] != []
