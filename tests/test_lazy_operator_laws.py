"""The lazy Gaussian operator against a matrix drawn whole: the joint law of what an adaptive method sees.

Kolmogorov-Smirnov tests on lengths, cosines and singular values, Holm-corrected. Each error that the construction could
have is a control that the same tests, at the same count, reject.
"""

import numpy as np
import pytest
from numpy.linalg import norm
from scipy import stats

from llrsim.simulation.lazy import LazyGaussian
from llrsim.simulation.lazy.noise import CORRECTION, DIMS, GRADIENT, MIXING, USED

FALSE_ALARM = 1e-4
"""Of each family of tests, at fixed seeds."""

DENSE_RUNS = 2000


class DenseGaussian:
    """The same answers by a matrix, in coordinates of R^d; `direction` is uniform off all earlier answers."""

    def __init__(self, shape, seed):
        self._random = np.random.default_rng(seed)
        self.images, self._known = self._random.standard_normal(shape), []

    def matvec(self, v):
        return self.images @ v

    def rmatvec(self, r):
        self._known.append(self.images.T @ r)
        return self._known[-1]

    def direction(self):
        basis = np.linalg.qr(np.array(self._known).T)[0]
        new = self._random.standard_normal(self.images.shape[1])
        new -= basis @ (basis.T @ new)
        self._known.append(new / norm(new))
        return self._known[-1]


def cosine(v, w):
    shared = min(len(v), len(w))
    return v[:shared] @ w[:shared] / (norm(v) * norm(w))


def seen(Z, n):
    """What an adaptive method sees, by the end of which all of Z is known for n or d at most 5."""
    r1 = np.linspace(-1.0, 2.0, n)
    a1 = Z.rmatvec(r1)
    f1 = Z.matvec(a1)
    r2 = np.tanh(f1) + r1[::-1]
    a2 = Z.rmatvec(r2)
    f2 = Z.matvec(a2)
    w = Z.direction()
    fw = Z.matvec(w)
    r3 = np.cos(f2 + fw) + fw
    a3 = Z.rmatvec(r3)
    f3 = Z.matvec(a3)
    r4 = np.sin(f3) - r1
    a4 = Z.rmatvec(r4)
    f4 = Z.matvec(a4)
    r5 = np.tanh(f4 - f3) + r2
    a5 = Z.rmatvec(r5)
    values = np.linalg.svd(Z.images, compute_uv=False)
    return [
        *(norm(a) / norm(r) for a, r in ((a1, r1), (a2, r2), (a3, r3), (a4, r4), (a5, r5))),
        *(norm(f) / norm(a) for f, a in ((f1, a1), (f2, a2), (fw, w), (f3, a3), (f4, a4))),
        *(cosine(a, b) for a, b in ((a1, a2), (w, a3), (a1, a3), (a2, a3), (a3, a4), (w, a4), (a4, a5), (w, a5))),
        *(cosine(f, g) for f, g in ((r1, f2), (f1, f2), (fw, f1), (r2, fw), (f3, fw), (r1, f4), (f4, f3))),
        cosine(r1, f2) * cosine(a1, a2),
        cosine(f3, fw) * cosine(a3, w),
        values[0],
        values[-1],
        values @ values,
    ]


def runs_of(kind, shape, count):
    return np.array([seen(kind(shape, seed=seed), shape[0]) for seed in range(count)])


def differing(first, second):
    """The least Holm-corrected p-value. What is zero by construction has to be: rounding is no difference."""
    pairs = zip(first.T.round(9), second.T.round(9), strict=True)
    p = [stats.ks_2samp(a, b, method="asymp").pvalue for a, b in pairs]
    return min(1.0, min(p) * len(p))


@pytest.fixture(scope="module")
def dense():
    return {shape: runs_of(DenseGaussian, shape, DENSE_RUNS) for shape in SHAPES}


SHAPES = [(6, 5), (4, 7)]
COUNTS = [pytest.param(300, id="300"), pytest.param(4000, marks=pytest.mark.slow, id="4000")]


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_law_is_that_of_a_gaussian_matrix(shape, count, dense):
    assert differing(runs_of(LazyGaussian, shape, count), dense[shape]) > FALSE_ALARM


class OneDegreeTooFew(LazyGaussian):
    """The chi variables have one degree of freedom too few."""

    def __init__(self, shape, seed):
        super().__init__(shape, seed=seed)
        self._state.spaces[DIMS, 0] -= 1


class ForgetsDirections(LazyGaussian):
    """The chi variables have a degree of freedom for a direction that `direction` has taken."""

    def direction(self):
        new = super().direction()
        self._state.spaces[USED, 0] -= 1
        return new


class ImageNotProjected(LazyGaussian):
    """The image of a new direction is not corrected on the left directions asked before: g for (I - UU')g."""

    def rmatvec(self, r):
        right, left = self.directions, self.asked
        answer = super().rmatvec(r)
        if self.directions > right:
            self._state.matrices[MIXING, right, :left] = 0.0
        return answer

    def direction(self):
        new = super().direction()
        self._state.matrices[MIXING, self.directions - 1, : self.asked] = 0.0
        return new


class ImageWithoutLength(LazyGaussian):
    """The image of a new direction lacks the chi variable along the new left direction."""

    def rmatvec(self, r):
        right = self.directions
        answer = super().rmatvec(r)
        if self.directions > right:
            left, state = self.asked - 1, self._state
            # What the scaled query had of the new left direction, times chi, is the last entry of the gradient.
            length = state.vectors[GRADIENT, len(state.signal) + right] * state.vectors[CORRECTION, left]
            state.matrices[MIXING, right, left] -= length
        return answer


class ImageLengthTwice(LazyGaussian):
    """The image keeps its fresh normal's part along the new left direction, beside the chi variable."""

    def rmatvec(self, r):
        right = self.directions
        answer = super().rmatvec(r)
        if self.directions > right:
            self.matvec([])  # finishes the new left direction
            left = self.asked - 1
            self._state.matrices[MIXING, right, left] += self._state.fresh[right] @ self._state.left[left]
        return answer


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(
    "control", [OneDegreeTooFew, ForgetsDirections, ImageNotProjected, ImageWithoutLength, ImageLengthTwice]
)
def test_errors_of_the_construction_are_seen(control, count, dense):
    assert differing(runs_of(control, (6, 5), count), dense[6, 5]) < FALSE_ALARM
