"""The noise spectrum by runs of equal eigenvalues: what is expanded, merged and refused; a billion dimensions."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import llrsim
from llrsim.experiment import ExperimentError
from llrsim.model.losses import Loss
from llrsim.model.mixture import GroupMixture
from llrsim.model.neural_collapse import from_mixture
from llrsim.model.plan import features
from llrsim.prediction.problem import ProportionalProblem

EXACT = 1e-12
BILLION = 10**9
# Few values, so that runs and repeats of a value come up.
RUNS = st.lists(st.tuples(st.sampled_from([0.0, 0.3, 1.0, 2.5]), st.integers(0, 4)), max_size=6)


def mixture(noise_dim, **options):
    return GroupMixture.of(means=[[-1.0], [-0.8], [1.0], [0.7]], covariances=[[0.36]], noise_dim=noise_dim, **options)


def experiment(noise, *, rows, loss):
    return llrsim.load(
        {
            "features": {"core": {"mean": 1.0, "std": 0.6}, "spurious": {"mean": 1.5, "std": 0.3}, "noise": noise},
            "train": {"n": rows, "proportions": [0.4, 0.1, 0.1, 0.4], "collapse": {"noise": 0.5}},
            "heldout": {"n": rows // 2, "proportions": [0.3, 0.2, 0.2, 0.3]},
            "head": {"loss": loss, "ridge": 0.05},
            "method": [
                {"kind": "erm"},
                {"kind": "dfr"},
                {"kind": "dfr", "name": "subset", "balance": "subset"},
                {"kind": "dfr", "name": "upsample", "balance": "upsample"},
            ],
        }
    )


@given(RUNS)
def test_runs_expand_to_the_spectrum_that_was_given(runs):
    listed = np.array([value for value, length in runs for _ in range(length)])
    law = mixture(len(listed), spectrum=listed)
    assert law.spectrum.tolist() == listed.tolist()
    assert law.noise_dim == len(listed)
    assert (np.diff(law.eigenvalues) != 0).all()
    assert (law.multiplicities > 0).all()
    values, multiplicities = [value for value, _ in runs], [length for _, length in runs]
    compact = mixture(len(listed), spectrum=values, multiplicities=multiplicities)
    assert compact.eigenvalues.tolist() == law.eigenvalues.tolist()
    assert compact.multiplicities.tolist() == law.multiplicities.tolist()


@given(RUNS)
def test_eigenspaces_merge_runs_of_one_value(runs):
    listed = np.array([value for value, length in runs for _ in range(length)])
    values, dimensions = mixture(len(listed), spectrum=listed).eigenspaces()
    expected = np.unique(listed, return_counts=True)
    assert (values.tolist(), dimensions.tolist()) == (expected[0].tolist(), expected[1].tolist())


def test_isotropic_noise_is_one_run_and_no_noise_none():
    assert (mixture(7).eigenvalues.tolist(), mixture(7).multiplicities.tolist()) == ([1.0], [7])
    assert (mixture(0).eigenvalues.tolist(), mixture(0).multiplicities.tolist()) == ([], [])


@pytest.mark.parametrize(
    ("noise_dim", "options", "message"),
    [
        (-1, {}, "noise_dim = -1"),
        (3, {"spectrum": [1.0, 2.0]}, "spectrum: 2 eigenvalues; expected noise_dim = 3"),
        (3, {"spectrum": [1.0, -2.0, 1.0]}, "spectrum: .* nonnegative"),
        (3, {"spectrum": [1.0, np.nan, 1.0]}, "spectrum.*: must be finite"),
        (4, {"spectrum": [[1.0, 2.0], [1.0, 2.0]]}, r"spectrum: shape \(2, 2\)"),
        (3, {"spectrum": [1.0, 2.0], "multiplicities": [3]}, "multiplicities: .* expected \\(2,\\)"),
        (
            3,
            {"spectrum": [1.0, 2.0], "multiplicities": [4, -1]},
            "multiplicities: -1; expected whole numbers of at least 0",
        ),
        (3, {"spectrum": [1.0, 2.0], "multiplicities": [3, 1]}, "spectrum: 4 eigenvalues; expected noise_dim = 3"),
    ],
)
def test_bad_spectra_are_named(noise_dim, options, message):
    with pytest.raises(ValueError, match=message):
        mixture(noise_dim, **options)


def test_columns_are_drawn_in_the_order_given():
    """Powers of four, so that the scaled columns are those of isotropic noise to the last bit."""
    plain, _, _ = mixture(5).sample(12, seed=2)
    scaled, _, _ = mixture(5, spectrum=[4.0, 0.25, 16.0], multiplicities=[2, 1, 2]).sample(12, seed=2)
    assert (scaled[:, 1:] == plain[:, 1:] * [2.0, 2.0, 0.5, 4.0, 4.0]).all()


def test_an_experiments_runs_reach_its_law():
    law = features(experiment({"spectrum": [[2.0, 3], [2.0, 4], 1.0, [2.0, 5]]}, rows=100, loss="squared"))
    assert (law.eigenvalues.tolist(), law.multiplicities.tolist()) == ([2.0, 1.0, 2.0], [7, 1, 5])


def test_separate_runs_of_one_value_are_one_eigenvalue_of_the_limit():
    problem = ProportionalProblem.of(
        mixture(10, spectrum=[2.0, 1.0, 2.0], multiplicities=[3, 2, 5]), Loss.SQUARED, counts=[10, 5, 5, 10]
    )
    assert (problem.eigenvalues.tolist(), problem.eigenvalue_shares.tolist()) == ([1.0, 2.0], [0.2, 0.8])


def test_neural_collapse_counts_every_coordinate():
    values, multiplicities = [2.0, 0.5, 2.0], [3, 6, 1]
    noisy = from_mixture(mixture(10, spectrum=values, multiplicities=multiplicities, noise_std=0.7))
    bare, trace = from_mixture(mixture(0)), np.repeat(values, multiplicities).sum()
    between = 0.85 + 0.9  # class means
    assert noisy.cdnv - bare.cdnv == pytest.approx(0.49 * trace / between**2, rel=EXACT)


@pytest.mark.parametrize("limit", ["population", "proportional"])
@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_a_billion_dimensions_take_no_memory(loss, limit):
    """Less than a megabyte at the peak, where one bit a coordinate would take 125."""

    def predicted(spike):
        noise = {"spectrum": [[spike, BILLION // 4], [1.0, BILLION // 2], [spike, BILLION // 4]]}
        return llrsim.predict(experiment(noise, rows=BILLION, loss=loss), limit).to_dict()

    predicted(9.0)  # Compiles, imports; the other value keeps what was planned from being used again.
    tracemalloc.start()
    try:
        methods = predicted(8.0)["methods"]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1e6
    assert [method["status"] for method in methods.values()] == ["converged"] * 4


@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("values", [[1.0], [9.0, 1.0, 9.0]], ids=["isotropic", "spectrum"])
def test_the_proportional_limit_depends_on_the_ratio_alone(loss, values):
    """At n = 2d, a billion dimensions and sixty have the same heads to 1e-12; at n = 3d they are seen to differ."""

    def heads(dim, rows):
        noise = {"spectrum": [[value, dim // len(values)] for value in values]}
        found = llrsim.predict(experiment(noise, rows=rows, loss=loss), "proportional")
        return np.array([[*m.heads.signal[0], m.heads.bias[0], m.heads.noise_norm[0]] for m in found])

    large = heads(900_000_000, 1_800_000_000)
    assert heads(60, 120) == pytest.approx(large, rel=EXACT, abs=EXACT)
    assert np.abs(heads(60, 180) - large).max() > 1e-3


@pytest.mark.parametrize("key", ["dim", "spectrum"])
def test_dimensions_are_limited_to_what_counts_are_exact_for(key):
    def noise(dim):
        return {"dim": dim} if key == "dim" else {"spectrum": [[2.0, 1], [1.0, dim - 1]]}

    assert experiment(noise(10**12), rows=100, loss="squared").noise_dim == 10**12
    with pytest.raises(ExperimentError, match=rf"features\.noise\.{key} = .*1000000000000"):
        experiment(noise(10**12 + 1), rows=100, loss="squared")
