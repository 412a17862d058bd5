"""The vectorised exponential and what is built on it, against the C library's."""

from math import exp, log, nan

import numpy as np
import pytest

from llrsim._jit import kernel
from llrsim.model.losses import (
    LOGISTIC,
    SQUARED,
    SQUARED_HINGE,
    curvature,
    curvature_from_slope,
    exponential,
    slope,
    slopes,
)

MARGINS = np.concatenate([np.linspace(-30.0, 30.0, 241), [-1e300, -800.0, 800.0, 1e300]])


@kernel
def exponentials(x, out):
    """The private kernel, opened to Python."""
    for i in range(x.size):
        out[i] = exponential(x[i])


@kernel
def all_slopes(loss, margins, out):
    slopes(loss, margins, 0, margins.size, out)


@kernel
def curvatures_from_slopes(loss, s, out):
    for i in range(s.size):
        out[i] = curvature_from_slope(loss, s[i])


def applied(kernel, *arguments):
    out = np.empty(len(arguments[-1]))
    kernel(*arguments, out)
    return out


def test_exponential_is_the_c_library_s_to_the_last_digits():
    """Where the reduction to a multiple of log 2 changes over, too; beyond 4e-16 a constant has a wrong digit."""
    halves = (np.arange(-1010, 1011) + 0.5) * log(2.0)
    x = np.concatenate([np.linspace(-700.0, 700.0, 4001), halves, np.nextafter(halves, 0.0), [0.0, -708.0, 709.0]])
    np.testing.assert_allclose(applied(exponentials, x), [exp(t) for t in x], rtol=4.5e-16, atol=0.0)
    assert np.isnan(applied(exponentials, np.array([nan]))).all()


def test_logistic_slope_keeps_its_relative_accuracy_and_its_ends():
    inside = MARGINS[abs(MARGINS) < 700]
    literal = [-1.0 / (1.0 + exp(m)) for m in inside]
    np.testing.assert_allclose(applied(all_slopes, LOGISTIC, inside), literal, rtol=1e-15, atol=0.0)
    assert applied(all_slopes, LOGISTIC, np.array([-1e300, -800.0])).tolist() == [-1.0, -1.0]
    assert (abs(applied(all_slopes, LOGISTIC, np.array([800.0, 1e300]))) < 1e-300).all()
    assert np.isnan(applied(all_slopes, LOGISTIC, np.array([nan]))).all()


@pytest.mark.parametrize("loss", [SQUARED, LOGISTIC, SQUARED_HINGE])
def test_slopes_are_the_slope_of_each_margin_and_give_the_curvature(loss):
    found = applied(all_slopes, loss, MARGINS)
    np.testing.assert_array_equal(found, [slope(loss, m) for m in MARGINS])
    bends = [curvature(loss, m) for m in MARGINS]
    np.testing.assert_allclose(applied(curvatures_from_slopes, loss, found), bends, rtol=1e-14, atol=2e-16)
