"""Theory against code: what a query of a Gaussian matrix reveals, rows in abstract coordinates, and their precision."""

import numpy as np
from scipy import stats
from test_theory_numbers import evaluate

from llrsim.model.draws import root_key
from llrsim.simulation.lazy import LazyGaussian
from llrsim.simulation.lazy.exchangeable import ExchangeableRows
from llrsim.simulation.lazy.noise import SectionLaw, nothing_revealed

NORMAL = stats.norm
FALSE_ALARM = 4.9  # standard errors: once in a million
RUNS = 2000


def columns_of(n, d=1, k=2):
    """One section of n rows with k standard signal coordinates."""
    one = np.ones(1)
    return SectionLaw(np.array([n]), one, np.zeros((1, k)), np.eye(k)[None], one, one, np.array([d]))


def off_by(values, expected):
    """How far the mean is from what is expected, in standard errors."""
    return abs(np.mean(values) - expected) / (np.std(values) / np.sqrt(len(values)))


def test_what_a_query_reveals():
    """At n = 3 and d = 4, the second answer's new part and its direction's image."""
    lengths, squares = np.empty((2, RUNS))
    for seed in range(RUNS):
        Z = LazyGaussian((3, 4), seed=seed)
        Z.rmatvec([1.0, 0.0, 0.0])
        lengths[seed] = Z.rmatvec([3.0, 4.0, 0.0])[1] / 4
        image = Z.matvec([0.0, 1.0])
        squares[seed] = image @ image
    assert off_by(lengths, evaluate("lazy.new_direction", "mean_length", m=3)) < FALSE_ALARM
    assert off_by(lengths, evaluate("lazy.new_direction", "mean_length", m=4)) > FALSE_ALARM
    assert off_by(squares - evaluate("lazy.image", "mean_square", chi=lengths), 0) < FALSE_ALARM


def test_gram_matrices_in_abstract_coordinates():
    """E exp(-tr(WA)/2) of two columns over five rows, and not of four."""
    gap, b, c = 1.3, 0.2, 0.5
    weights = np.array([[gap - 1 + b**2 / (1 + c), b], [b, c]])
    found = []
    for seed in range(RUNS):
        columns = ExchangeableRows(columns_of(5), root_key(seed), 0).columns[:2]
        found.append(np.exp(-np.sum(weights * (columns @ columns.T)) / 2))
    assert off_by(found, evaluate("exchangeable.axes", "laplace", n=5, gap=gap, b=b, c=c)) < FALSE_ALARM
    assert off_by(found, evaluate("exchangeable.axes", "laplace", n=4, gap=gap, b=b, c=c)) > FALSE_ALARM


def test_the_variance_of_rounded_normals():
    """Summed over all numbers of half precision; fresh normals are held in single precision."""
    numbers = np.arange(0x7C00, dtype=np.uint16).view(np.float16).astype(float)
    numbers = numbers[numbers < 9]
    middles = np.append(0, (numbers[1:] + numbers[:-1]) / 2)  # between which normals are rounded to one number
    nodes, weights = np.polynomial.legendre.leggauss(8)
    half = np.diff(middles)[:, None] / 2
    x = middles[:-1, None] + half * (1 + nodes)
    rounded = numbers[:-1, None]
    change = 2 * np.sum((rounded - x) * (rounded + x) * NORMAL.pdf(x) * half * weights)
    np.testing.assert_allclose(change, evaluate("lazy.single_precision", "change", p=11), rtol=1e-5)
    fresh = nothing_revealed(columns_of(4), root_key(0), 0, 2).fresh
    assert np.finfo(fresh.dtype).nmant + 1 == 24
