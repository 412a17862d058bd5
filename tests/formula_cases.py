"""Formulas and experiments that the tests of the judge share: T1 in closed form, right and with a planted error."""

import numpy as np
from scipy.special import ndtr, ndtri

import llrsim

BALANCED = {
    "name": "balanced",
    "features": {
        "core": {"mean": 1.4, "std": 1.0},
        "spurious": {"mean": 1.2, "std": 1.0},
        "noise": {"dim": 10},
    },
    "train": {"n": 1000, "proportions": [0.475, 0.025, 0.025, 0.475]},
    "head": {"loss": "squared", "ridge": 0.0},
    "method": [{"kind": "erm"}],
}
"""T1 at S_y = 1.96, S_a = 1.44, rho = .9: minority .717614, majority .965557."""

LOGISTIC = BALANCED | {
    "name": "logistic",
    "features": BALANCED["features"] | {"noise": {"dim": 100}},
    "train": {"n": 200, "proportions": [0.475, 0.025, 0.025, 0.475]},
    "head": {"loss": "logistic", "ridge": 0.01},
    "sweep": {"simulator": "dense"},
}
"""T8 at n/d = 2."""


RETRAINED = {
    "features": {"core": {"mean": [1.0, 0.5], "std": 0.5}, "spurious": {"mean": 2.0, "std": 0.8}, "noise": {"dim": 40}},
    "train": {"n": 400, "proportions": [0.45, 0.05, 0.1, 0.4], "collapse": {"noise": 0.5, "attribute": [0.1] * 4}},
    "heldout": {"n": 120, "minority_ratio": 0.5, "class_prior": 0.25},
    "head": {"loss": "squared", "ridge": 0.1},
    "method": [{"kind": "erm"}, {"kind": "dfr", "name": "dfr-s", "balance": "subset", "head": {"ridge": 0.3}}],
}


def t1(rho, S_y, S_a, factor=1.0):
    """Group accuracies of T1; `factor` multiplies the argument of every Phi."""
    c_y, c_a = 1 + (1 - rho**2) * S_a, rho
    scale = np.sqrt(c_y**2 * S_y + c_a**2 * S_a) / factor
    majority, minority = ndtr((c_y * S_y + c_a * S_a) / scale), ndtr((c_y * S_y - c_a * S_a) / scale)
    return [majority, minority, minority, majority]


def t1_off(rho, S_y, S_a):
    return t1(rho, S_y, S_a, 1.02)


def t1_wga(rho, S_y, S_a):
    return min(t1(rho, S_y, S_a))


def t1_wga_off(rho, S_y, S_a):
    return min(t1(rho, S_y, S_a, 1.02))


def t8(experiment):
    return llrsim.predict(experiment)["erm"].group_accuracy


def t8_off(experiment):
    return ndtr(1.02 * ndtri(t8(experiment)))
