"""The presets: what they describe, and that the committed files are what the script writes."""

import numpy as np
import pytest

import llrsim
from figures import fit_presets as fit
from llrsim.experiment import preset_names
from llrsim.experiment.schema import STUDIES

DATA = {data.name: data for data in fit.DATA_SETS}


def test_the_committed_files_are_what_the_script_writes(tmp_path):
    for data in fit.DATA_SETS:
        fit.write(data, tmp_path)
    for written in tmp_path.iterdir():
        assert llrsim.load(str(written)).to_json() == llrsim.load(written.stem).to_json(), written.name
    assert {written.stem for written in tmp_path.iterdir()} == set(preset_names()) - {"quick", "phase", *STUDIES}


@pytest.mark.parametrize("name", DATA)
def test_predicted_erm_has_the_target_wga(name):
    target = {"waterbirds": 0.726, "celeba": 0.472, "civilcomments": 0.574}[name]
    assert llrsim.predict(llrsim.load(f"{name}-full"), "population")["erm"].wga == pytest.approx(target, abs=1e-5)
    assert llrsim.predict(llrsim.load(name), "population")["erm"].wga == pytest.approx(target, abs=5e-4)


@pytest.mark.parametrize("name", DATA)
def test_sizes_of_the_dense_presets(name):
    dense, full = llrsim.load(name), llrsim.load(f"{name}-full")
    assert sum(dense.train_counts()) == 4800
    ratio = sum(full.heldout_counts()) / sum(full.train_counts())
    assert sum(dense.heldout_counts()) == round(4800 * ratio)
    assert min(dense.train_counts() + dense.heldout_counts()) >= 10
    assert dense.noise_dim >= 200
    np.testing.assert_allclose(dense.train_proportions, full.train_proportions, atol=1 / 4800)


def test_the_majority_has_the_attribute_of_its_class():
    """a = y is the majority overall; CelebA's dark-haired class alone is slightly more often female."""
    for name in DATA:
        counts = np.array(llrsim.load(f"{name}-full").train_counts())
        assert counts[0] + counts[3] > counts[1] + counts[2]
