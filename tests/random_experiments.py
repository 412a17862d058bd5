"""Small valid experiments at random, of every shape and scale that a file can describe, as tables."""

import numpy as np

from llrsim.experiment import Experiment, ExperimentError, load

LOSSES = ("squared", "logistic", "hinge", "squared_hinge", "max_margin")
KINDS = ("erm", "llr", "llr-on-train", "cb-llr", "dfr", "afr", "self", "group-dro", "logit-adjusted")
MOST_ROWS, MOST_NOISE = 200, 60


def random_experiment(rng: np.random.Generator) -> Experiment:
    """A valid experiment; of what does not go together, another is drawn."""
    while True:
        try:
            return load(random_tables(rng))
        except ExperimentError:
            continue


def random_tables(rng):
    """Tables that are valid more often than not."""
    groups = 4 if rng.random() < 0.8 else int(rng.integers(2, 7))
    scale = 10 ** rng.uniform(-6, 6) if rng.random() < 0.25 else 1.0
    tables = {
        "name": "random",
        "features": _features(rng, groups, scale),
        "train": _sample(rng, groups),
        "heldout": _sample(rng, groups, heldout=True),
        "head": _head(rng, scale),
        "method": _methods(rng, scale),
        "sweep": {"seed": int(rng.integers(2**31)), "replicates": 2},
    }
    if rng.random() < 0.2:
        tables["test"] = {"proportions": rng.dirichlet(np.ones(groups)).tolist(), "collapse": _collapse(rng, groups)}
    return tables


def _wild(rng, low=-6, high=6):
    return float(10 ** rng.uniform(low, high))


def _per_group(rng, draw, groups):
    return [draw() for _ in range(groups)] if rng.random() < 0.3 else draw()


def _features(rng, groups, scale):
    dim = int(rng.integers(0, MOST_NOISE + 1))
    noise = {"dim": dim, "std": _per_group(rng, lambda: scale * float(rng.choice([0.0, 0.3, 1.0, 3.0])), groups)}
    if rng.random() < 0.2 and dim:
        del noise["dim"]
        noise["spectrum"] = [[_wild(rng, -2, 2), int(rng.integers(1, 9))] for _ in range(int(rng.integers(1, 5)))]
    features = {"noise": noise}
    if groups != 4 or rng.random() < 0.2:
        features["labels"] = rng.permutation([-1, 1, *rng.choice([-1, 1], groups - 2)]).tolist()
        features["attributes"] = rng.choice([-1.0, 1.0, 0.5], groups).tolist()
    if rng.random() < 0.25:
        k = int(rng.integers(1, 4))
        factors = rng.normal(size=(groups, k, k)) + 0.3 * np.eye(k)
        features["means"] = (scale * rng.normal(size=(groups, k))).tolist()
        features["covariances"] = (scale**2 * (factors @ factors.transpose(0, 2, 1))).tolist()
        return features
    for name in ("core", "spurious"):
        if rng.random() < 0.8:
            count = int(rng.integers(1, 4))
            means = (scale * rng.normal(size=count) * _wild(rng, -1, 1)).tolist()
            stds = (scale * rng.choice([0.0, 0.1, 0.6, 2.0], count)).tolist()
            features[name] = {"mean": means, "std": stds} if count > 1 else {"mean": means[0], "std": stds[0]}
    return features


def _collapse(rng, groups):
    def factor():
        return float(rng.choice([0.0, 0.25, 0.5, 1.0]))

    return {"noise": _per_group(rng, factor, groups), "attribute": _per_group(rng, factor, groups)}


def _sample(rng, groups, *, heldout=False):
    sample = {"collapse": _collapse(rng, groups)} if rng.random() < 0.5 else {}
    if rng.random() < 0.4:
        return sample | {"counts": rng.choice([0, 1, 2, 5, 12, 30], groups).tolist()}
    sample |= {"n": int(rng.integers(groups, MOST_ROWS + 1))}
    if heldout and rng.random() < 0.5:
        sample |= {"minority_ratio": float(rng.choice([0.0, 0.05, 0.3, 1.0, 2.0]))}
        return sample | ({"annotation_noise": float(rng.uniform(0, 0.5))} if rng.random() < 0.4 else {})
    shares = rng.dirichlet(np.full(groups, 0.5))
    return sample | {"proportions": shares.tolist()}


def _head(rng, scale):
    return {"loss": str(rng.choice(LOSSES)), "ridge": _ridge(rng, scale), "solver": _solver(rng, scale)}


def _ridge(rng, scale):
    if rng.random() < 0.15:
        return 0.0
    return _wild(rng) if rng.random() < 0.3 else scale**2 * _wild(rng, -4, 1)


def _solver(rng, scale):
    if rng.random() < 0.6:
        return "exact"
    steps = int(rng.integers(1, 41))
    descent = {"steps": steps, "step_size": _wild(rng) if rng.random() < 0.2 else _wild(rng, -3, 0) / scale**2}
    if rng.random() < 0.3:
        descent |= {"momentum": float(rng.uniform(0.01, 0.99)), "nesterov": bool(rng.random() < 0.5)}
    if rng.random() < 0.3:
        descent["batch"] = int(rng.integers(1, 40))
    if rng.random() < 0.2:
        descent["clip"] = _wild(rng, -2, 2)
    if rng.random() < 0.4:
        descent["path"] = sorted({int(step) for step in rng.integers(0, steps + 1, 3)})
    return descent


def _methods(rng, scale):
    methods = [{"kind": "erm"}]
    for place in range(int(rng.integers(0, 5))):
        methods.append(_method(rng, scale, f"m{place}", [method.get("name", "erm") for method in methods]))
    return methods


def _method(rng, scale, name, earlier):
    kind = str(rng.choice(KINDS))
    method = {"kind": kind, "name": name}
    if kind in ("cb-llr", "dfr"):
        method["balance"] = str(rng.choice(["weights", "subset", "upsample"]))
        if method["balance"] == "subset":
            method["average"] = int(rng.integers(1, 4))
    if kind == "afr":
        method["gamma"] = _wild(rng, -2, 3)
    if kind == "self":
        method["k"] = int(rng.integers(1, 60))
        if rng.random() < 0.3:
            method |= {"by": "disagreement", "against": str(rng.choice(earlier))}
    if kind == "logit-adjusted":
        method |= {"adjust": float(rng.uniform(0, 2)), "stretch": float(rng.choice([0.0, 0.3]))}
        method["unit"] = str(rng.choice(["class", "group"]))
    if kind in ("erm", "llr", "llr-on-train") and rng.random() < 0.3:
        control = str(rng.choice(["mass-matched", "size-matched"]))
        method["control"] = {"kind": control, "of": str(rng.choice(earlier))}
    if rng.random() < 0.4:
        method["from"] = str(rng.choice(earlier))
        if rng.random() < 0.5:
            method["anchor"] = scale**2 * _wild(rng, -3, 1)
    if rng.random() < 0.2:
        method["angle_to"] = str(rng.choice(earlier))
    if rng.random() < 0.4 or kind in ("afr", "self", "logit-adjusted", "group-dro"):
        method["head"] = _head(rng, scale)
        if kind == "logit-adjusted":
            method["head"]["loss"] = "logistic"
        if kind == "group-dro" and method["head"]["solver"] != "exact":
            method["ascent"] = _wild(rng, -3, 0)
            method["head"]["solver"].pop("batch", None)
    if kind not in ("erm", "llr-on-train") and rng.random() < 0.2:
        method["data"] = str(rng.choice(["heldout", "train", "fresh-train"]))
    return method
