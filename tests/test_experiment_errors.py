"""Every wrong description is refused with one error that names the key, the value and what is accepted."""

import math

import pytest
from experiment_tables import SMALL, STUDY, changed

from llrsim.experiment import ExperimentError, load

DESCENT = {"steps": 10, "step_size": 0.1}
MEANS = [[0.0, 1.0]] * 4
IDENTITY = [[1.0, 0.0], [0.0, 1.0]]


def moments(means=MEANS, covariances=(IDENTITY,) * 4):
    """Changes that give means and covariances in place of core and spurious coordinates."""
    return {("features",): {"noise": {"dim": 40}, "means": means, "covariances": list(covariances)}}


def method(**keys):
    """Changes that make the only methods erm and one with these keys."""
    return {("method",): [{"kind": "erm"}, {"name": "m"} | keys]}


CASES = [
    # unknown and missing keys, and types
    (
        {("train", "proportion"): [1]},
        r"train\.proportion: unknown key; did you mean train\.proportions\?; accepted in train: n, ",
    ),
    ({("tran",): {}}, r"tran: unknown key; did you mean train\?; accepted in the file: name, features"),
    ({("features", "core", "men"): 1}, r"features\.core\.men: unknown key; did you mean features\.core\.mean\?"),
    (method(kind="dfr", gama=4.0), r"method\.m\.gama: unknown key; did you mean method\.m\.gamma\?"),
    (
        method(kind="llr", head={"ridg": 1}),
        r"method\.m\.head\.ridg: unknown key; did you mean method\.m\.head\.ridge\?",
    ),
    ({("features",): None}, "features: missing"),
    ({("train",): None}, "train: missing"),
    ({("features", "noise"): None}, r"features\.noise: missing"),
    ({("features", "core", "std"): None}, r"features\.core\.std: missing"),
    ({("train", "n"): "many"}, r"train\.n = 'many': must be a whole number"),
    ({("train", "n"): 900.5}, r"train\.n = 900\.5: must be a whole number"),
    ({("train", "n"): True}, r"train\.n = True: must be a whole number"),
    ({("train", "collapse"): 0.5}, r"train\.collapse = 0\.5: must be a table"),
    ({("train", "proportions"): [0.5, "x", 0, 0]}, r"train\.proportions\[1\] = 'x': must be a number"),
    ({("method",): {"kind": "erm"}}, r"method = .*must be a list of tables, \[\[method\]\]"),
    (method(kind="dfr", average="x"), r"method\.m\.average = 'x': must be a whole number"),
    ({("name",): "  "}, "name = '  ': must be text"),
    ({("name",): "a\nb"}, r"name = 'a\\nb': must be printable"),
    ({("train", "n"): 2**60}, r"train\.n = 1152921504606846976: whole numbers must lie within"),
    ({("train", "n"): 2**50}, r"train\.n = 1125899906842624: must be from 4"),
    ({("train", "n"): object()}, r"train\.n = <object .*a object is not accepted"),
    # studies
    ({("study",): STUDY | {"id": "e6"}}, r"study\.id = 'e6': no such study; did you mean e06\?; accepted: e01, "),
    ({("study",): STUDY | {"id": "os"}}, r"study\.id = 'os': no such study; accepted: e01"),
    ({("study",): STUDY | {"rule": " "}}, r"study\.rule = ' ': must be text that is not blank"),
    ({("study",): STUDY | {"claim": 1}}, r"study\.claim = 1: must be a string"),
    ({("study",): STUDY | {"outcome": "yes"}}, r"study\.outcome: unknown key; accepted in study: id, question"),
    ({("study",): {"id": "e06"}}, r"study\.question: missing"),
    # NaN and infinity anywhere
    ({("features", "core", "mean"): math.nan}, r"features\.core\.mean = nan: must be a finite"),
    ({("features", "noise", "std"): [1, 1, math.inf, 1]}, r"features\.noise\.std\[2\] = inf"),
    ({("train", "proportions"): [math.nan] * 4}, r"train\.proportions\[0\] = nan"),
    ({("head",): {"ridge": math.inf}}, r"head\.ridge = inf"),
    ({("sweep",): {"grid": {"head.ridge": [0.1, math.nan]}}}, r"sweep\.grid\.head\.ridge\[1\] = nan"),
    # features
    ({("features", "core", "std"): -0.1}, r"features\.core\.std = -0\.1: must be at least 0"),
    (
        {("features", "core"): {"mean": [1, 2], "std": [1, 1, 1]}},
        r"features\.core\.std = \[1\.0, 1\.0, 1\.0\]: must be a number or 2",
    ),
    ({("features", "core", "mean"): []}, r"features\.core\.mean = \[\]"),
    ({("features", "noise", "std"): -1}, r"features\.noise\.std = -1\.0: must be at least 0"),
    (
        {("features", "noise", "std"): [1, 1]},
        r"features\.noise\.std = \[1\.0, 1\.0\]: must be a list of 4, one per group",
    ),
    ({("features", "noise", "dim"): -1}, r"features\.noise\.dim = -1: must be from 0"),
    ({("features", "noise", "dim"): None}, r"features\.noise\.dim = None: give exactly one"),
    ({("features", "noise", "spectrum"): [1.0]}, r"features\.noise\.dim = 40: give exactly one"),
    ({("features", "noise"): {"spectrum": [[-1.0, 2]]}}, r"features\.noise\.spectrum = .*eigenvalue >= 0"),
    ({("features", "noise"): {"spectrum": [[1.0, 0]]}}, r"features\.noise\.spectrum = .*multiplicity >= 1"),
    ({("features",): {"noise": {"dim": 4}}}, r"features\.core: missing"),
    ({("features", "labels"): [-1, -1, 1, 2]}, r"features\.labels = \[-1, -1, 1, 2\]: must be -1 or 1"),
    ({("features", "labels"): [1, 1, 1, 1]}, r"features\.labels = .*both present"),
    ({("features", "labels"): [-1, -1, 1, 1]}, r"features\.attributes: missing; spurious"),
    ({("features", "attributes"): [1, -1]}, r"features\.attributes = \[1\.0, -1\.0\]: must be a list of 4"),
    ({("features", "means"): MEANS}, r"features\.core: give either means"),
    (moments(means=[[0.0, 1.0]] * 3), r"features\.means = .*must be a list of 4"),
    (moments(means=[[0.0], [1.0, 2.0], [1.0], [1.0]]), r"features\.means = .*of one length"),
    (moments(covariances=[IDENTITY] * 3), r"features\.covariances = .*must be a list of 4"),
    (moments(covariances=[IDENTITY] * 3 + [[[1.0]]]), r"features\.covariances\[3\] = .*2 rows of 2"),
    (
        moments(covariances=[[[1.0, 0.2], [0.1, 1.0]]] * 4),
        r"features\.covariances\[0\]\[1\]\[0\] = 0\.1: must be 0\.2, .*symmetric",
    ),
    (
        moments(covariances=[IDENTITY, [[1.0, 1.0], [1.0, 1.0]]] * 2),
        r"features\.covariances\[1\] = .*positive definite",
    ),
    (moments(covariances=[[[1.0, 2.0], [2.0, 1.0]]] * 4), r"features\.covariances\[0\] = .*smallest eigenvalue -1;"),
    # samples
    (
        {("train", "proportions"): [0.5, 0.3, 0.1, 0.09]},
        r"train\.proportions = .*must sum to 1; the sum is 0\.01 short of it",
    ),
    ({("train", "proportions"): [0.5, 0.5]}, r"train\.proportions = \[0\.5, 0\.5\]: must be a list of 4"),
    ({("train", "proportions"): [1.2, -0.2, 0, 0]}, r"train\.proportions = .*numbers in \[0, 1\]"),
    ({("train", "proportions"): None}, r"train\.proportions: missing; give exactly one of counts, proportions"),
    ({("train", "counts"): [1, 2, 3, 4]}, r"train\.counts: beside train\.proportions; give exactly one"),
    ({("train", "n"): None}, r"train\.n: missing; give n, n_per_dim or counts"),
    ({("train", "n"): 3}, r"train\.n = 3: must be from 4, the number of groups"),
    ({("train", "n_per_dim"): 2.0}, r"train\.n_per_dim = 2\.0: give either"),
    ({("train",): {"n_per_dim": 0.05, "proportions": [0.25] * 4}}, r"train\.n_per_dim = 0\.05: must be .*here 2"),
    ({("train",): {"n_per_dim": -1, "proportions": [0.25] * 4}}, r"train\.n_per_dim = -1\.0: must be above 0"),
    ({("train",): {"n": 11, "counts": [1, 2, 3, 4]}}, r"train\.n = 11: must be 10, the sum of train\.counts"),
    ({("train",): {"n_per_dim": 11, "counts": [1, 2, 3, 4]}}, r"train\.n_per_dim = 11\.0: counts give the size"),
    ({("train",): {"counts": [1, 2, -3, 4]}}, r"train\.counts = \[1, 2, -3, 4\]: must be whole numbers of at least 0"),
    ({("train",): {"counts": [1, 0, 0, 2]}}, r"train\.counts = \[1, 0, 0, 2\]: must be from 4 rows"),
    ({("train", "collapse", "noise"): 1.5}, r"train\.collapse\.noise = 1\.5: must be in \[0, 1\]"),
    ({("heldout", "collapse"): {"attribute": [0, 0, -0.1, 0]}}, r"heldout\.collapse\.attribute = .*in \[0, 1\]"),
    ({("test",): {"collapse": {"noise": [0.5]}}}, r"test\.collapse\.noise = \[0\.5\]: must be a list of 4"),
    ({("test",): {"proportions": [0.5, 0.5, 0.5, 0.5]}}, r"test\.proportions = .*the sum is 1 above it"),
    ({("heldout",): None}, "heldout: missing; method llr is fitted on the held-out sample"),
    (
        {("heldout",): None, ("method",): [{"kind": "llr-on-train"}]},
        "heldout: missing; method llr-on-train takes the size",
    ),
    (
        {("heldout", "minority_ratio"): None},
        r"heldout\.proportions: missing; give exactly one of counts, proportions, minority_ratio",
    ),
    ({("heldout", "n"): None}, r"heldout\.n: missing"),
    ({("heldout", "minority_ratio"): -0.1}, r"heldout\.minority_ratio = -0\.1: must be at least 0"),
    ({("features", "attributes"): [1, 1, 1, 1]}, r"heldout\.minority_ratio = 0\.25: needs groups with a = y"),
    ({("heldout", "class_prior"): 1.0}, r"heldout\.class_prior = 1\.0: must be inside \(0, 1\)"),
    (
        {("heldout",): {"counts": [9, 9, 9, 9], "class_prior": 0.4}},
        r"heldout\.class_prior = 0\.4: goes with minority_ratio",
    ),
    ({("heldout", "annotation_noise"): 0.6}, r"heldout\.annotation_noise = 0\.6: must be in \[0, 0\.5\]"),
    # heads
    (
        {("head",): {"loss": "logistc"}},
        r"head\.loss = 'logistc': no such loss; did you mean logistic\?; accepted: squared",
    ),
    ({("head",): {"ridge": -1}}, r"head\.ridge = -1\.0: must be at least 0"),
    ({("head",): {"solver": "newton"}}, r"head\.solver = 'newton': accepted: exact, a table"),
    ({("head",): {"solver": {"steps": 5}}}, r"head\.solver\.step_size: missing"),
    ({("head",): {"solver": DESCENT | {"steps": 0}}}, r"head\.solver\.steps = 0: must be at least 1"),
    ({("head",): {"solver": DESCENT | {"step_size": 0}}}, r"head\.solver\.step_size = 0\.0: must be above 0"),
    ({("head",): {"solver": DESCENT | {"nesterov": True}}}, r"head\.solver\.nesterov = true: changes nothing without"),
    ({("head",): {"solver": DESCENT | {"momentum": 1}}}, r"head\.solver\.momentum = 1\.0: must be in \[0, 1\)"),
    ({("head",): {"solver": DESCENT | {"batch": 0}}}, r"head\.solver\.batch = 0: must be at least 1"),
    ({("head",): {"solver": DESCENT | {"clip": 0}}}, r"head\.solver\.clip = 0\.0: must be above 0"),
    ({("head",): {"solver": DESCENT | {"path": [5, 3]}}}, r"head\.solver\.path = \[5, 3\]: must be rising steps"),
    ({("head",): {"solver": DESCENT | {"path": [5, 11]}}}, r"head\.solver\.path = \[5, 11\]: must be .* 10"),
    (
        {("head",): {"solver": DESCENT | {"stepz": 1}}},
        r"head\.solver\.stepz: unknown key; did you mean head\.solver\.steps\?",
    ),
    (
        {("head",): {"loss": "max_margin", "solver": DESCENT | {"batch": 8}}},
        r"head\.solver = .*max_margin has no gradient",
    ),
    # methods
    ({("method",): []}, r"method = \[\]: give at least one"),
    ({("method",): [{}]}, r"method\[0\]\.kind = '': no such kind; accepted: erm, llr, llr-on-train, cb-llr, dfr"),
    (method(kind="dfrr"), r"method\.m\.kind = 'dfrr': no such kind; did you mean dfr\?"),
    ({("method",): [{"kind": "erm"}, {"kind": "erm"}]}, r"method\.erm\.name = 'erm': two methods share it"),
    (method(kind="llr", name="a b"), r"method\[1\]\.name = 'a b': must be up to 64 letters"),
    (
        method(kind="llr", balance="subset"),
        r"method\.m\.balance = 'subset': llr balances nothing; accepted for cb-llr, dfr",
    ),
    (method(kind="dfr", balance="subsets"), r"method\.m\.balance = 'subsets': accepted: weights, subset, upsample"),
    (method(kind="dfr", average=5), r"method\.m\.average = 5: heads differ only with balance = 'subset'"),
    (method(kind="dfr", average=0), r"method\.m\.average = 0: must be at least 1"),
    (method(kind="dfr", data="test"), r"method\.m\.data = 'test': accepted: heldout, train, fresh-train"),
    (
        method(kind="llr-on-train", data="heldout"),
        r"method\.m\.data = 'heldout': llr-on-train is fitted on training data",
    ),
    (method(kind="llr", anchor=0.1), r"method\.m\.anchor = 0\.1: needs `from`"),
    (method(kind="llr", anchor=-0.1), r"method\.m\.anchor = -0\.1: must be at least 0"),
    (
        method(kind="llr", **{"from": "erv"}),
        r"method\.m\.from = 'erv': no earlier method .*did you mean erm\?; accepted: erm",
    ),
    (method(kind="llr", **{"from": "m"}), r"method\.m\.from = 'm': no earlier method"),
    (method(kind="llr", head={"ridge": -1}), r"method\.m\.head\.ridge = -1\.0: must be at least 0"),
    (
        method(kind="llr", anchor=1, **{"from": "erm", "head": {"loss": "max_margin"}}),
        r"method\.m\.anchor = 1\.0: max_margin",
    ),
    (
        {("head",): {"loss": "max_margin"}} | method(kind="llr", head={"solver": DESCENT}),
        r"method\.m\.head\.solver = .*max_margin",
    ),
    # rules and controls
    (method(kind="dfr", gamma=4.0), r"method\.m\.gamma = 4\.0: is a key of afr, not dfr"),
    (method(kind="afr", gamma=-1), r"method\.m\.gamma = -1\.0: must be at least 0"),
    (method(kind="afr", gamma=math.nan), r"method\[1\]\.gamma = nan: must be a finite number"),
    (method(kind="afr", gamma=2e30), r"method\[1\]\.gamma = 2e\+30: numbers must lie within ±1e\+30"),
    (method(kind="afr", **{"from": "er"}), r"method\.m\.from = 'er': no earlier method .*did you mean erm"),
    ({("method",): [{"kind": "afr", "name": "m"}]}, r"method\.m\.from: missing; give the earlier method whose head"),
    (
        {("head",): {"loss": "squared"}} | method(kind="afr"),
        r"method\.m\.from = 'erm': its loss is squared, and scores are read as log-odds",
    ),
    (method(kind="self"), r"method\.m\.k: missing"),
    (method(kind="self", k=0), r"method\.m\.k = 0: must be at least 1"),
    (method(kind="self", k=3, by="chance"), r"method\.m\.by = 'chance': accepted: loss, disagreement"),
    (method(kind="self", k=3, by="disagreement"), r"method\.m\.against: missing"),
    (method(kind="self", k=3, by="disagreement", against="erm"), r"method\.m\.against = 'erm': is the head of `from`"),
    (method(kind="self", k=3, against="erm"), r"method\.m\.against = 'erm': goes with by = 'disagreement'"),
    (method(kind="group-dro", ascent=1.0), r"method\.m\.ascent = 1\.0: goes with a descent"),
    (method(kind="group-dro", head={"solver": DESCENT}), r"method\.m\.ascent: missing"),
    (method(kind="group-dro", ascent=0, head={"solver": DESCENT}), r"method\.m\.ascent = 0\.0: must be above 0"),
    (method(kind="group-dro", head={"ridge": 0}), r"method\.m\.head\.ridge = 0\.0: must be above 0"),
    (method(kind="group-dro", head={"loss": "hinge"}), r"method\.m\.head\.loss = 'hinge': group-dro takes squared"),
    (
        method(kind="group-dro", ascent=1, head={"solver": DESCENT | {"batch": 4}}),
        r"method\.m\.head\.solver\.batch = 4: group-dro descends on full batches",
    ),
    (
        method(kind="logit-adjusted", head={"loss": "squared"}),
        r"method\.m\.head\.loss = 'squared': logits are adjusted",
    ),
    (method(kind="logit-adjusted", stretch=-1), r"method\.m\.stretch = -1\.0: must be at least 0"),
    (method(kind="llr", control={"kind": "mass-matched"}), r"method\.m\.control\.of"),
    (
        method(kind="llr", control={"kind": "matched", "of": "erm"}),
        r"method\.m\.control\.kind = 'matched': accepted: mass-matched, size-matched",
    ),
    (method(kind="llr", control={"kind": "mass-matched", "of": "er"}), r"method\.m\.control\.of = 'er': no earlier"),
    (
        method(kind="llr", data="heldout", control={"kind": "mass-matched", "of": "erm"}),
        r"method\.m\.data = 'heldout': masses are those of erm on its own data; accepted: train",
    ),
    (
        method(kind="dfr", control={"kind": "mass-matched", "of": "erm"}),
        r"method\.m\.control = 'mass-matched': a control weighs rows .*not dfr",
    ),
    (method(kind="llr", angle_to="m"), r"method\.m\.angle_to = 'm': no earlier method"),
    # sweeps
    ({("sweep",): {"replicates": 0}}, r"sweep\.replicates = 0: must be at least 1"),
    ({("sweep",): {"seed": -1}}, r"sweep\.seed = -1: must be at least 0"),
    ({("sweep",): {"simulator": "sparse"}}, r"sweep\.simulator = 'sparse': accepted: auto, dense, lazy"),
    ({("sweep",): {"grid": 5}}, r"sweep\.grid = 5: must be a table of axes"),
    ({("sweep",): {"zip": {"train.n": [5]}}}, r"sweep\.zip = .*must be a list of tables"),
    ({("sweep",): {"grid": {"train.m": [5]}}}, r"train\.m: unknown key"),
    (
        {("sweep",): {"grid": {"method.dfr.average": [5]}}},
        r"method\.dfr\.average: no method is called 'dfr'; did you mean method\.dfr-5\?",
    ),
    ({("sweep",): {"grid": {"train.n.x": [5]}}}, r"train\.n\.x: n is not a table"),
    ({("sweep",): {"grid": {"train.n": []}}}, r'sweep axis "train\.n" = \[\]: is empty'),
    ({("sweep",): {"grid": {"train.n": [5, 5]}}}, r'sweep axis "train\.n" = \[5, 5\]: repeats a value'),
    ({("sweep",): {"grid": {"train.n": [5, "x"]}}}, r'sweep axis "train\.n"\[1\] = \'x\': must be a whole number'),
    ({("sweep",): {"grid": {"train.n": 5}}}, r'sweep axis "train\.n" = 5: accepted: a list, '),
    ({("sweep",): {"grid": {"head.ridge": {"log10": [0, 1]}}}}, r'sweep axis "head\.ridge" = .*accepted: a list, '),
    (
        {("sweep",): {"grid": {"head.ridge": {"log10": [0, 1], "num": 0}}}},
        r'sweep axis "head\.ridge": num = 0: must be from 1',
    ),
    (
        {("sweep",): {"grid": {"head.ridge": {"log10": [0, 400], "num": 3}}}},
        r'sweep axis "head\.ridge": log10 = .*\[-300, 300\]',
    ),
    (
        {("sweep",): {"grid": {"head.ridge": {"linear": 4, "num": 3}}}},
        r'sweep axis "head\.ridge"\.linear = 4: must be a list',
    ),
    ({("sweep",): {"grid": {"sweep.seed": [1, 2]}}}, r'sweep axis "sweep\.seed": a cell cannot change it'),
    ({("sweep",): {"grid": {"method.llr.name": ["a"]}}}, r'sweep axis "method\.llr\.name": a cell cannot change it'),
    ({("sweep",): {"zip": [{"train.n": [5, 6], "head.ridge": [1]}]}}, r"sweep\.zip: .*equal lengths"),
    ({("sweep",): {"zip": [{"train.n": [5, 6]}, {}]}}, r"sweep\.zip\[1\] = {}: holds no axis"),
    ({("sweep",): {"grid": {"train.n": [5]}, "zip": [{"train.n": [5]}]}}, r'sweep axis "train\.n": given twice'),
]


@pytest.mark.parametrize(("changes", "message"), CASES, ids=[message for _, message in CASES])
def test_a_wrong_value_is_named(changes, message):
    with pytest.raises(ExperimentError, match=message):
        load(changed(changes))


def test_the_small_experiment_is_valid():
    load(SMALL)


def test_annotation_noise_needs_pairs_of_groups():
    tables = changed({("heldout",): {"counts": [9, 9, 9, 9, 9], "annotation_noise": 0.1}})
    tables["train"] = {"counts": [9, 9, 9, 9, 9]}
    tables["features"] |= {"labels": [-1, -1, 1, 1, 1], "attributes": [-1, 1, -1, 0, 1]}
    with pytest.raises(ExperimentError, match=r"heldout\.annotation_noise = 0\.1: needs two groups in each class"):
        load(tables)
