"""Problems of two groups for the derivations of the proportional limit, and their results at numbers."""

from functools import cache

import numpy as np
import pytest
from sympy import lambdify
from test_theory_numbers import EXACT, derived

from llrsim.model.losses import Loss
from llrsim.model.mixture import GroupMixture
from llrsim.prediction.problem import ProportionalProblem

SPECTRUM = np.repeat([0.5, 2.0], [40, 80])


@cache
def compiled(name):
    """Names of the symbols of a derivation's results, and a function of their values."""
    formulas = derived(name).result
    symbols = sorted(set().union(*(formula.free_symbols for formula in formulas.values())), key=str)
    return [symbol.name for symbol in symbols], lambdify(symbols, list(formulas.values()), "scipy", cse=True)


def evaluate(name, values):
    """All results of a derivation at numbers, by name; `values` may hold more than is needed."""
    symbols, function = compiled(name)
    return dict(zip(derived(name).result, function(*(values[symbol] for symbol in symbols)), strict=True))


def two_groups(seed, loss=Loss.LOGISTIC, *, k=2, spectrum=SPECTRUM, shares=None, **options):
    """A problem with one group a class, k signal coordinates, and everything else at random."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(2, k, k))
    mixture = GroupMixture.of(
        means=rng.normal(size=(2, k)),
        covariances=0.3 * root @ root.transpose(0, 2, 1) + 0.05 * np.eye(k),
        noise_dim=120,
        noise_std=rng.uniform(0.5, 1.5, size=2),
        spectrum=spectrum,
        labels=(-1, 1),
        attributes=(-1, 1),
    )
    share = rng.uniform(0.2, 0.8)
    counts = 240 * np.array([share, 1 - share] if shares is None else shares)
    options = {"mass": rng.dirichlet([5, 5]), "ridge": 0.07, "anchor": 0.3, "centre": rng.normal(size=k + 1)} | options
    return ProportionalProblem.of(mixture, loss, counts=counts, **options)


def symbols_of(problem):
    """The derivations' symbols for a problem of two groups: pi1, m12, s112, sigma1, ..."""
    values = {"delta": problem.ratio, "lambda": problem.ridge, "lambda0": problem.anchor, "b0": problem.centre[-1]}
    values |= {f"u0{i + 1}": u for i, u in enumerate(problem.centre[:-1])}
    values |= {f"e{j + 1}": e for j, e in enumerate(problem.eigenvalues)}
    values |= {f"s{j + 1}": s for j, s in enumerate(problem.eigenvalue_shares)}
    for g in range(2):
        n = g + 1
        names = ("pi", "omega", "y", "sigma", "kappa")
        of_group = (problem.shares, problem.weights, problem.labels, problem.noise_std, problem.margins)
        values |= {f"{name}{n}": array[g] for name, array in zip(names, of_group, strict=True)}
        k = problem.means.shape[1]
        values |= {f"m{n}{i + 1}": problem.means[g, i] for i in range(k)}
        values |= {f"s{n}{i + 1}{j + 1}": problem.covariances[g, i, j] for i in range(k) for j in range(i, k)}
    return values


def head_symbols(u, b, **others):
    return {f"u{i + 1}": weight for i, weight in enumerate(u)} | {"b": b} | others


def close(found, expected, exact=EXACT):
    """Equal up to rounding of the largest of the expected numbers."""
    return found == pytest.approx(expected, rel=exact, abs=exact * np.max(np.abs(expected)))
