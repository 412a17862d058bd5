"""Keyed streams: NumPy's own numbers for the same state, and no overlap between keys."""

import numpy as np
import pytest
from scipy import stats

from llrsim.model.draws import Role, chi, fill_normal, key, next_uint64, root_key, shuffle

# 64-bit numbers wrap around, of which NumPy warns when they are not compiled.
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")


def numpy_generator(root: int, role: int, replicate: int, group: int) -> np.random.Generator:
    """NumPy's SFC64 with the same three words, set through its public state."""
    bits = np.random.SFC64(0)
    state = bits.state
    state["state"]["state"][:] = [root, replicate, (role << 32) | group, 1]
    state["has_uint32"] = 0
    bits.state = state
    bits.random_raw(12)
    return np.random.Generator(bits)


@pytest.mark.parametrize("words", [(1, 0, 0, 0), (2**63 + 5, 3, 1000, 3)])
def test_the_stream_is_numpys(words):
    state = np.empty(4, np.uint64)
    key(state, np.uint64(words[0]), *words[1:])
    reference = numpy_generator(*words)
    assert [int(next_uint64(state)) for _ in range(5)] == [int(w) for w in reference.bit_generator.random_raw(5)]
    # Long enough to pass every branch of the ziggurat hundreds of times, and rows of every rest beside fours.
    for shape in ((3000, 40), (900, 1), (900, 2), (900, 7), (1, 9001)):
        out = np.empty(shape)
        fill_normal(state, out)
        np.testing.assert_allclose(out, reference.standard_normal(shape), rtol=1e-12)
    assert int(next_uint64(state)) == int(reference.bit_generator.random_raw())


def test_normals_in_single_precision_are_rounded():
    rounded, exact = np.empty((30, 1001), np.float32), np.empty((30, 1001))
    for out in (rounded, exact):
        state = np.empty(4, np.uint64)
        key(state, root_key(0), 1, 2, 3)
        fill_normal(state, out)
    assert (rounded == exact.astype(np.float32)).all()


def test_more_rows_extend_fewer():
    state = np.empty(4, np.uint64)
    short, long = np.empty((7, 5)), np.empty((20, 5))
    for out in (short, long):
        key(state, root_key(0), 1, 2, 3)
        fill_normal(state, out)
    assert (short == long[:7]).all()


def test_every_part_of_the_key_matters():
    def first(seed=0, law="", role=1, replicate=2, group=3):
        state = np.empty(4, np.uint64)
        key(state, root_key(seed, law), role, replicate, group)
        return int(next_uint64(state))

    streams = [first(), first(seed=1), first(law="a"), first(role=2), first(replicate=3), first(group=2)]
    assert len(set(streams)) == len(streams)
    assert len(set(Role)) == len(Role.__members__)


def test_normals_of_neighbouring_keys_are_independent_normals():
    """A Kolmogorov-Smirnov and a correlation test, false alarm 1e-4 each at a fixed seed; the scale is the control."""
    state, out = np.empty(4, np.uint64), np.empty((2, 50_000))
    for replicate in range(2):
        key(state, root_key(11), 0, replicate, 0)
        fill_normal(state, out[replicate : replicate + 1])
    assert stats.kstest(out[0], "norm").pvalue > 1e-4
    assert abs(np.corrcoef(out)[0, 1]) < 3.9 / np.sqrt(out.shape[1])
    assert stats.kstest(1.05 * out[0], "norm").pvalue < 1e-4


def test_shuffle_is_a_uniform_permutation():
    """Chi-square over the 24 orders of four, false alarm 1e-4; a biased start is the control."""
    state = np.empty(4, np.uint64)
    key(state, root_key(5), 0, 0, 0)
    seen: dict[tuple[int, ...], int] = {}
    for _ in range(24_000):
        order = np.arange(4)
        shuffle(state, order)
        seen[tuple(order.tolist())] = seen.get(tuple(order.tolist()), 0) + 1
    assert len(seen) == 24
    assert stats.chisquare(list(seen.values())).pvalue > 1e-4
    tilted = [count + (120 if i < 12 else -120) for i, count in enumerate(sorted(seen.values()))]
    assert stats.chisquare(tilted).pvalue < 1e-4


@pytest.mark.parametrize("degrees", [1, 2, 3, 10, 10**4, 10**12])
def test_chi_has_the_length_of_a_normal_vector(degrees):
    """Kolmogorov-Smirnov at a false-alarm rate of 1e-4 a case; a degree of freedom off is caught where it shows."""
    state, found = np.empty(4, np.uint64), np.empty(4000)
    key(state, root_key(3), int(Role.LAZY_LENGTH), 0, 0)
    for i in range(found.size):
        found[i] = chi(state, degrees)
    # Far out, chi is normal about the root of d - 1/2 with variance 1/2, up to 1 / d.
    law = stats.chi(degrees) if degrees < 10**6 else stats.norm(np.sqrt(degrees - 0.5), np.sqrt(0.5))
    assert stats.kstest(found, law.cdf).pvalue > 1e-4
    if degrees <= 10:
        assert stats.kstest(found, stats.chi(degrees + 1).cdf).pvalue < 1e-4


def test_chi_of_nothing_is_zero():
    state = np.empty(4, np.uint64)
    key(state, np.uint64(1), 0, 0, 0)
    assert chi(state, 0) == 0.0
