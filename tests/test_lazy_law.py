"""The lazy simulator draws heads of exactly the dense simulator's law: two-sample tests, and errors that they see.

Each comparison is one `p_value`, Bonferroni-corrected over its tests and held against LEVEL. A tier has fewer than a
hundred of them, so one with the laws equal fails with probability below 1e-3, once and for all: seeds are fixed.
"""

from functools import cache

import numpy as np
import pytest
from lazy_cases import FEATURES, SHARES, entries, experiment, joint_p_value, p_value, simulated
from naive_lazy import MISTAKES, descents
from scipy import stats

from llrsim.model.draws import square_roots
from llrsim.model.losses import Status
from llrsim.model.plan import plan

LEVEL = 1e-5
slow = pytest.mark.slow


def descent(loss, **changes):
    return {"loss": loss, "solver": {"steps": 30, "step_size": 0.1, "path": [1, 3, 10]} | changes}


HEADS = {
    "logistic": {"loss": "logistic"},
    "squared hinge": {"loss": "squared_hinge"},
    "squared": {"loss": "squared"},
    "hinge": {"loss": "hinge"},
    "max margin": {"loss": "max_margin"},
    "logistic descent": descent("logistic"),
    "logistic descent with momentum": descent("logistic", momentum=0.9),
    "logistic descent, Nesterov": descent("logistic", momentum=0.9, nesterov=True),
    "squared hinge descent": descent("squared_hinge"),
    "hinge descent": descent("hinge"),
}
# Every direction is revealed in the last three, of the rows or of the noise; in the first two by the longer exact fits.
SIZES = {"300x150": (300, 150), "150x300": (150, 300), "40x20": (40, 20), "20x40": (20, 40), "30x6": (30, 6)}
BRIEFLY = {
    **{(size, head): 150 for size in ("20x40", "30x6") for head in HEADS},
    **{(size, head): 120 for size in ("300x150", "150x300") for head in ("logistic", "logistic descent")},
}


def fits(size, head, simulator, replicates, seed=0):
    found = simulated(
        experiment(*SIZES[size], [{"kind": "erm", "head": HEADS[head]}]), simulator, replicates, seed=seed
    )
    solved = {Status.CONVERGED, Status.FINISHED} | ({Status.NOT_SEPARABLE} if head == "max margin" else set())
    assert set(found["erm"].status) <= solved
    return entries(found, "erm")


@pytest.mark.parametrize(("size", "head"), BRIEFLY)
def test_heads_have_the_dense_law(size, head):
    replicates = BRIEFLY[size, head]
    assert p_value(fits(size, head, "lazy", replicates), fits(size, head, "dense", 4 * replicates)) > LEVEL


@slow
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("size", SIZES)
def test_heads_have_the_dense_law_in_thousands_of_replicates(size, head):
    replicates = 2000 if min(SIZES[size]) == 150 else 4000
    assert p_value(fits(size, head, "lazy", replicates, 1), fits(size, head, "dense", 2 * replicates, 1)) > LEVEL


ERM = {"kind": "erm"}
PULLED = {"kind": "llr", "anchor": 0.3, "from": "erm"}
ON_TRAIN = {"kind": "llr-on-train", "anchor": 0.3, "from": "erm"}
AVERAGED = {"kind": "dfr", "balance": "subset", "average": 5}
SPECTRUM = {"features": FEATURES | {"noise": {"spectrum": [(2.0, 5), (0.3, 7)], "std": [1.0, 0.7, 1.2, 0.9]}}}


def collapsed(noise, attribute=1.0):
    return {"train": {"n": 60, "proportions": SHARES, "collapse": {"noise": noise, "attribute": attribute}}}


# Methods, what else is changed, and the methods whose heads are compared jointly: those that start from others.
METHODS = {
    "collapse": ([ERM], collapsed(0.25, 0.25), ["erm"]),
    "collapse of some groups": ([ERM], collapsed([0.0, 1.0, 0.25, 0.0], [0.0, 1.0, 0.5, 0.0]), ["erm"]),
    "collapse of all groups": ([ERM], collapsed(0.0, 0.0), ["erm"]),
    "class weights": ([{"kind": "cb-llr"}], {}, ["cb-llr"]),
    "group weights": ([{"kind": "dfr"}], {}, ["dfr"]),
    "subset": ([{"kind": "dfr", "balance": "subset"}], {}, ["dfr"]),
    "upsample": ([{"kind": "dfr", "balance": "upsample"}], {}, ["dfr"]),
    "upsample, squared": ([{"kind": "dfr", "balance": "upsample", "head": {"loss": "squared"}}], {}, ["dfr"]),
    "annotation noise": (
        [{"kind": "dfr"}], {"heldout": {"n": 50, "minority_ratio": 0.3, "annotation_noise": 0.25}}, ["dfr"]
    ),
    "pulled to a head of another sample": ([ERM, PULLED], {}, ["erm", "llr"]),
    "pulled, squared": ([ERM, PULLED | {"head": {"loss": "squared"}}], {}, ["erm", "llr"]),
    "descent from a head of another sample": (
        [ERM, {"kind": "llr", "from": "erm", "head": descent("logistic")}], {}, ["erm", "llr"]
    ),
    "pulled to a head of the same rows": ([ERM, ON_TRAIN], {}, ["llr-on-train"]),
    "descent from a head of the same rows": (
        [ERM, {"kind": "llr-on-train", "from": "erm", "head": descent("logistic", momentum=0.9)}], {}, ["llr-on-train"]
    ),
    "pulled to a head pulled to a head": (
        [ERM, ON_TRAIN, PULLED | {"from": "llr-on-train"}], {}, ["llr-on-train", "llr"]
    ),
    "pulled to a head of the same rows, some wrongly annotated": (
        [{"kind": "dfr"}, {"kind": "llr", "anchor": 0.3, "from": "dfr"}],
        {"heldout": {"n": 50, "minority_ratio": 0.3, "annotation_noise": 0.25}},
        ["llr"],
    ),
    "weighted by a head's scores": ([ERM, {"kind": "afr", "anchor": 0.1, "data": "heldout"}], {}, ["erm", "afr"]),
    "weighted by a head's scores, descent": (
        [ERM, {"kind": "afr", "data": "heldout", "head": descent("logistic")}], {}, ["erm", "afr"]
    ),
    "weighted by scores of its own rows": ([ERM, {"kind": "afr", "anchor": 0.1, "data": "train"}], {}, ["afr"]),
    "the hardest rows": ([ERM, {"kind": "self", "k": 35}], {}, ["erm", "self"]),
    "averaged": ([AVERAGED], {}, ["dfr"]),
    "averaged descents from a head of another sample": (
        [ERM, AVERAGED | {"anchor": 0.3, "from": "erm", "head": descent("logistic")}], {}, ["erm", "dfr"]
    ),
    "two eigenvalues": ([ERM, PULLED], SPECTRUM, ["erm", "llr"]),
    "two eigenvalues, descents": (
        [ERM | {"head": descent("hinge")}, PULLED | {"head": descent("logistic")}], SPECTRUM, ["erm", "llr"]
    ),
    "two eigenvalues, averaged": ([AVERAGED], SPECTRUM, ["dfr"]),
}  # fmt: skip


@pytest.mark.parametrize("replicates", [pytest.param(100, id="100"), pytest.param(4000, id="4000", marks=slow)])
@pytest.mark.parametrize("case", METHODS)
def test_methods_have_the_dense_law(case, replicates):
    methods, changes, labels = METHODS[case]
    described = experiment(60, 12, methods, **(HELDOUT | changes))
    found = [of_methods(described, labels, *how) for how in (("lazy", replicates), ("dense", 4 * replicates))]
    assert p_value(*found) > LEVEL


HELDOUT = {"heldout": {"n": 50, "minority_ratio": 0.3}}


def of_methods(described, labels, simulator, replicates):
    """`entries` of the methods, and the masses of the last one where a rule makes them (they sum to one)."""
    outcome = simulated(described, simulator, replicates)
    assert all(outcome[label].kept.all() for label in labels)
    made = outcome[labels[-1]].masses
    return np.column_stack([entries(outcome, *labels), *([] if made is None else [made[:, 1:]])])


@pytest.mark.parametrize("off", [{"gamma": 4.8}, {"k": 39}])
def test_a_rule_with_another_number_is_seen(off):
    kind = {"gamma": {"kind": "afr", "data": "heldout"}, "k": {"kind": "self", "k": 35}}[next(iter(off))]
    right, wrong = (experiment(60, 12, [ERM, kind | changed], **HELDOUT) for changed in ({}, off))
    label = [kind["kind"]]
    assert p_value(of_methods(wrong, label, "lazy", 100), of_methods(right, label, "dense", 400)) < LEVEL


# Controls


@cache
def right(replicates):
    """Dense logistic fits at n = 300 and d = 150."""
    return fits("300x150", "logistic", "dense", replicates)


# With the replicates that the first tier sees them in.
ERRORS = {
    "a noise scale 5 % off": ({"features": FEATURES | {"noise": {"dim": 150, "std": [1.05, 0.7, 1.2, 0.9]}}}, 800),
    "a ridge 5 % off": ({"head": {"ridge": 0.0525}}, 150),
    "rows of another group": ({"train": {"n": 300, "proportions": [0.4, 0.15, 0.1, 0.35]}}, 150),
}


@pytest.mark.parametrize("error", ERRORS)
def test_another_experiment_is_seen(error):
    changes, replicates = ERRORS[error]
    wrong = simulated(experiment(300, 150, [ERM], **changes), "lazy", replicates)
    assert p_value(entries(wrong, "erm"), right(1600)) < LEVEL


@slow
@pytest.mark.parametrize("error", ERRORS)
def test_another_experiment_is_seen_in_thousands_of_replicates(error):
    wrong = simulated(experiment(300, 150, [ERM], **ERRORS[error][0]), "lazy", 2000)
    assert p_value(entries(wrong, "erm"), right(4000)) < LEVEL


def test_a_missing_direction_is_seen():
    """One noise coordinate of six fewer: every chi variable has a degree of freedom too few, also the last ones."""
    wrong = simulated(experiment(30, 5, [ERM]), "lazy", 1000)
    assert p_value(entries(wrong, "erm"), fits("30x6", "logistic", "dense", 4000)) < LEVEL


@pytest.mark.parametrize("size", ["30x6", pytest.param("40x20", marks=slow)])
@pytest.mark.parametrize("mistake", [None, *MISTAKES])
def test_a_mistake_in_the_algorithm_is_seen(mistake, size):
    """A plain version of the algorithm has the dense law without a mistake, and with any of them another one."""
    described = experiment(*SIZES[size], [ERM | {"head": descent("logistic", steps=12, step_size=0.3, path=[1, 3, 6])}])
    sample, ridge = plan(described).samples[0], described.head.ridge
    law = sample.mixture
    paths = descents(
        np.random.default_rng(0), 4000, rows=sample.counts, labels=law.labels, means=law.means,
        roots=square_roots(law.covariances), sigma=law.noise_std, dim=law.noise_dim, ridge=ridge, steps=12,
        step_size=0.3, mistake=mistake,
    )[:, [0, 2, 5, 11]]  # fmt: skip
    drawn = np.concatenate([paths, paths[:, :, -1:]], axis=2).reshape(len(paths), -1)
    p = p_value(drawn, entries(simulated(described, "dense", 8000), "erm"))
    assert p > LEVEL if mistake is None else p < LEVEL


def test_the_p_values_of_equal_laws_are_uniform():
    """Dense against dense, 60 times: the joint test's p-values, and the corrected ones are not too often small."""
    pairs = fits("30x6", "logistic", "dense", 30_000).reshape(60, 2, 250, 5)
    joint = [joint_p_value(a, b, np.zeros(5), np.arange(5)) for a, b in pairs]
    assert stats.kstest(joint, "uniform").pvalue > LEVEL
    corrected = np.array([p_value(a, b) for a, b in pairs])
    assert np.count_nonzero(corrected < 0.05) <= stats.binom.isf(LEVEL, 60, 0.05)
