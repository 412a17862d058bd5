"""The lazy Gaussian operator: one matrix has given all answers, whatever was asked and in whichever order."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.linalg import norm
from sizes import sized

from llrsim.simulation import lazy
from llrsim.simulation.lazy import LazyGaussian, operator
from llrsim.simulation.lazy import rows as threads
from llrsim.simulation.lazy.noise import CHUNK, CORRECTION
from llrsim.simulation.lazy.operator import FIRST_ROOM
from llrsim.simulation.lazy.rows import sweep_chunk

# The streams' 64-bit numbers wrap around, of which NumPy warns when they are not compiled.
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")

EXACT = 1e-12
"""Of algebra in double precision, relative to the lengths of the vectors."""


def padded(coefficients, size):
    return np.pad(coefficients, (0, size - len(coefficients)))


def inner(v, w):
    """Of the coefficients of two vectors of R^d."""
    shared = min(len(v), len(w))
    return v[:shared] @ w[:shared]


def descend(Z, steps, new_directions=()):
    """Momentum along Z' of a nonlinear function of Z v and of noise; at some steps v gains a new direction.

    Returns the pairs (v, Z v) and (r, Z'r).
    """
    random, (n, d) = np.random.default_rng(7), Z.shape
    v, products, answers = np.zeros(min(d, Z.directions + 2 * steps)), [], []
    velocity = np.zeros(len(v))
    for step in range(steps):
        if step in new_directions and Z.directions < d:
            new = Z.direction()
            v[: len(new)] += new
        known = v[: Z.directions].copy()
        products.append((known, Z.matvec(known)))
        r = np.tanh(products[-1][1]) + random.standard_normal(n) / (1 + step)
        answers.append((r, Z.rmatvec(r)))
        velocity *= 0.5
        velocity[: Z.directions] -= 0.1 / max(n, d) * answers[-1][1]
        v += velocity
    return products, answers


@pytest.mark.parametrize("shape", [(20, 20), (20, 7), (7, 20), (1, 5), (5, 1), (1, 1)])
@pytest.mark.parametrize("new_directions", [(), (0,), (0, 1, 3), (40,), range(2, 15)], ids=str)
def test_one_matrix_has_given_all_answers(shape, new_directions):
    """200 steps, by which all of it is known; from then on nothing is drawn."""
    (n, d), Z = shape, LazyGaussian(shape, tolerance=1e-13)
    products, answers = descend(Z, sized(200, 50), new_directions)
    assert Z.directions == d or Z.asked == n
    images = Z.images
    for v, product in products[1:]:
        assert norm(images[:, : len(v)] @ v - product) <= 1e-10 * norm(product)
    for r, answer in answers:
        assert norm(images.T @ r - padded(answer, Z.directions)) <= 1e-10 * norm(answer)
    known = Z.directions, Z.asked
    descend(Z, 3)
    assert (Z.directions, Z.asked) == known
    np.testing.assert_array_equal(Z.images, images)


def test_what_is_new_beyond_all_rows_has_no_image():
    """With every row asked, Z is known: it takes R^d off its R directions to zero."""
    Z = LazyGaussian((6, 9))
    for r in np.eye(6):
        Z.rmatvec(r)
    for _ in range(3):
        assert norm(Z.matvec(Z.direction())) <= EXACT * norm(Z.images)
    assert (Z.asked, Z.directions) == (6, 9)


def test_directions_are_orthogonal_to_each_other_and_to_earlier_answers():
    Z = LazyGaussian((30, 40))
    found = [Z.direction(), Z.rmatvec(np.ones(30)), Z.direction()]
    np.testing.assert_array_equal(found[0], [1.0])
    np.testing.assert_array_equal(found[2], [0.0, 0.0, 1.0])
    assert Z.asked == 1
    # The answer has a part along the direction that was there before.
    assert found[1][0] == pytest.approx(Z.images[:, 0].sum(), rel=EXACT)


class OneProjection(LazyGaussian):
    """A control: what rounding leaves along earlier left directions stays in the new one."""

    def rmatvec(self, r):
        answer = super().rmatvec(r)
        self._state.vectors[CORRECTION, : self.asked - 1] = 0.0
        return answer


@pytest.mark.parametrize("kind", [LazyGaussian, OneProjection])
def test_left_directions_stay_orthonormal_under_nearly_parallel_queries(kind):
    n, steps, random = sized(5000, 200), sized(60, 8), np.random.default_rng(1)
    Z, first = kind((n, 10**6)), random.standard_normal(n)
    for _ in range(steps):
        Z.rmatvec(first + 1e-8 * random.standard_normal(n))
    Z.matvec([])
    left = Z._state.left[: Z.asked]
    orthonormal = abs(left @ left.T - np.eye(Z.asked)).max() <= 1e-12
    assert (orthonormal and Z.asked == steps) == (kind is LazyGaussian)


def test_the_tolerance_decides_what_is_new():
    first, second = np.eye(2, 50)
    for tolerance, share, new in (
        (1e-10, 3e-10, True),
        (1e-10, 3e-11, False),
        (1e-6, 3e-7, False),
        (1e-13, 3e-13, True),
    ):
        Z = LazyGaussian((50, 10**9), tolerance=tolerance)
        before = Z.rmatvec(first)
        after = Z.rmatvec(first + share * second)
        assert Z.directions == 1 + new
        assert norm(padded(before, len(after)) - after) <= 3 * share * norm(before)


def test_adjointness_and_growth_beyond_the_first_room():
    n, random = sized(400, 90), np.random.default_rng(3)
    Z, steps = LazyGaussian((n, 10**12), seed=5), 2 * FIRST_ROOM + 3
    products, answers = descend(Z, steps, new_directions=range(0, steps, 7))
    assert Z.directions > 2 * FIRST_ROOM
    for v, product in [(v, Z.matvec(v)) for v in (random.standard_normal(Z.directions), *(a for _, a in answers))]:
        for r, answer in answers:
            assert abs(r @ product - inner(answer, v)) <= EXACT * norm(r) * norm(product)
    for v, product in products[1:]:
        assert norm(Z.matvec(v) - product) <= EXACT * norm(product)
    for r, answer in answers:
        again = Z.rmatvec(r)
        assert norm(again - padded(answer, len(again))) <= EXACT * norm(answer)


def test_products_are_linear_and_keep_their_digits_at_any_scale():
    Z, r = LazyGaussian((40, 60), seed=2), np.linspace(-1.0, 2.0, 40)
    answer = Z.rmatvec(r)
    for power in (-1000, -600, 600, 1000):
        np.testing.assert_allclose(Z.rmatvec(2.0**power * r), 2.0**power * answer, rtol=EXACT)
    assert Z.directions == 1
    np.testing.assert_array_equal(Z.rmatvec(np.zeros(40)), [0.0])
    np.testing.assert_array_equal(Z.matvec([]), np.zeros(40))
    np.testing.assert_array_equal(LazyGaussian((4, 6)).images, np.empty((4, 0)))


def test_answers_are_a_function_of_seed_and_queries():
    shape, runs = (30, 10**9), []
    for seed in (0, 0, 1):
        Z = LazyGaussian(shape, seed=seed)
        products, answers = descend(Z, 5, new_directions=(2,))
        runs.append(np.concatenate([*(answer for _, answer in answers), products[-1][1]]))
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.isin(runs[0], runs[2]).any()
    # What is asked first decides what is revealed: the same query in another order has another answer, of the same law.
    late = LazyGaussian(shape)
    late.rmatvec(np.eye(1, 30)[0])
    assert norm(late.rmatvec(np.ones(30))) != norm(LazyGaussian(shape).rmatvec(np.ones(30)))


def test_threads_share_the_rows_and_change_no_number():
    n, runs = 2 * CHUNK + sized(1000, 3), []
    for count in (0, 1, 3):
        with ThreadPoolExecutor(max(count, 1)) as pool:
            Z = LazyGaussian((n, 10**9), pool=pool if count else None)
            products, answers = descend(Z, sized(4, 1), new_directions=(0,))
            runs.append((products[-1][1], answers[-1][1], Z.images))
    for run in runs[1:]:
        for found, expected in zip(run, runs[0], strict=True):
            np.testing.assert_array_equal(found, expected)
    images = runs[0][2]
    # Chunks have random numbers of their own.
    assert abs(images[:CHUNK, 0] @ images[CHUNK : 2 * CHUNK, 0]) < 5 * np.sqrt(CHUNK)


@pytest.mark.parametrize("stopped_at", range(4))
def test_a_product_that_is_stopped_between_chunks_changes_no_later_answer(monkeypatch, stopped_at):
    """Ctrl-C reaches the thread that waits for the chunks: some are done, some never begin."""
    n, queries = 4 * CHUNK, np.random.default_rng(0).standard_normal((3, 4 * CHUNK))
    whole = LazyGaussian((n, 10**6))
    expected = [whole.rmatvec(r) for r in (*queries, queries[1])]

    def stopping(task, loss, softness, length, state, chunk):
        if chunk == stopped_at:
            raise KeyboardInterrupt
        sweep_chunk(task, loss, softness, length, state, chunk)

    with ThreadPoolExecutor(2) as pool:
        Z = LazyGaussian((n, 10**6), pool=pool)
        found = []
        for r in (*queries, queries[1]):
            with monkeypatch.context() as patched:
                patched.setattr(threads, "sweep_chunk", stopping)
                for stop_early in (lambda: Z.matvec(np.ones(Z.directions)), lambda r=r: Z.rmatvec(r)):
                    with pytest.raises(KeyboardInterrupt):
                        stop_early()
            found.append(Z.rmatvec(r))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("shape", "options", "kind", "message"),
    [
        ((0, 5), {}, ValueError, r"shape: \(0, 5\); expected n >= 1 and 1 <= d <= 10\^12"),
        ((5, 0), {}, ValueError, r"shape: \(5, 0\)"),
        ((5, 10**12 + 1), {}, ValueError, r"1 <= d <= 10\^12"),
        ((5,), {}, ValueError, r"shape: \(5,\); expected two integers"),
        (5, {}, TypeError, "shape: 5; expected two integers"),
        ((5, 1e9), {}, TypeError, r"shape: \(5, 1000000000.0\); expected two integers"),
        ((5, 5), {"seed": 0.5}, TypeError, "seed = 0.5: must be a whole number in"),
        ((5, 5), {"tolerance": 1e-15}, ValueError, "tolerance: 1e-15; expected 1e-14 <= tolerance < 1"),
        ((5, 5), {"tolerance": 1.0}, ValueError, "tolerance: 1.0"),
        ((5, 5), {"tolerance": np.nan}, ValueError, "tolerance: nan"),
        ((10**14, 5), {}, MemoryError, "100000000000000 rows.*needs 5200000.0 GB and .* GB are free; lower n"),
    ],
)
def test_what_cannot_be_made(shape, options, kind, message):
    with pytest.raises(kind, match=message):
        LazyGaussian(shape, **options)


def test_what_cannot_be_asked():
    Z = LazyGaussian((3, 2))
    for ask, name in ((Z.matvec, "v"), (Z.rmatvec, "r")):
        for wrong, kind, message in (
            (np.ones((3, 1)), ValueError, r"shape \(3, 1\); expected a vector"),
            (1.0, ValueError, r"shape \(\); expected a vector"),
            ([0.0, np.nan, 1.0], ValueError, "entry 1 is nan; expected finite"),
            ([np.inf, 0.0, 1.0], ValueError, "entry 0 is inf"),
            ([1j, 0.0, 1.0], TypeError, "type complex128; expected real"),
            (["a"], TypeError, "expected real"),
        ):
            with pytest.raises(kind, match=f"{name}: .*{message}"):
                ask(wrong)
    with pytest.raises(ValueError, match="r: 2 entries; expected n = 3"):
        Z.rmatvec(np.ones(2))
    with pytest.raises(ValueError, match=r"v: 1 coefficients, but 0 directions.*`rmatvec` and `direction` reveal"):
        Z.matvec([1.0])
    Z.direction()
    Z.rmatvec(np.ones(3))
    with pytest.raises(ValueError, match=r"direction: all d = 2 directions of R\^d are known"):
        Z.direction()
    assert (Z.directions, Z.asked) == (2, 1)


def test_memory_is_judged_before_each_direction(monkeypatch):
    n = 10**4
    Z = LazyGaussian((n, 10**9))
    for _ in range(FIRST_ROOM):
        Z.direction()
    monkeypatch.setattr(operator, "free_bytes", lambda: 12 * n * (FIRST_ROOM + 1) - 1)
    for ask in (Z.direction, lambda: Z.rmatvec(np.ones(n))):
        with pytest.raises(MemoryError, match=f"direction {FIRST_ROOM + 1} of Z: needs .* GB and .* GB are free"):
            ask()
    monkeypatch.setattr(operator, "free_bytes", lambda: 8 * n * FIRST_ROOM - 1)
    with pytest.raises(MemoryError, match="images: needs"):
        _ = Z.images
    assert Z.directions == FIRST_ROOM
    monkeypatch.setattr(operator, "free_bytes", lambda: None)
    assert len(Z.rmatvec(np.ones(n))) == FIRST_ROOM + 1


def test_the_package_offers_what_it_has():
    assert lazy.LazyGaussian is LazyGaussian
    assert repr(LazyGaussian((3, 4))) == "LazyGaussian((3, 4): 0 directions known, 0 asked)"
    with pytest.raises(AttributeError, match="offers LazyGaussian"):
        _ = lazy.LazyOperator
