"""Experiments with any combination of the features that change what a method's output is made of, as tables."""

FACTORS = {
    "anchor": (True, False),
    "spectrum": (True, False),
    "average": (True, False),
    "annotation_noise": (True, False),
    "empty_group": (True, False),
    "early_stopping": (True, False),
    "control": ("mass-matched", "size-matched", "none"),
    "collapse": ("partial", "full", "none"),
    "unequal_scales": (True, False),
    "loss": ("logistic", "squared"),
    "kind": ("dfr", "cb-llr", "afr", "self"),
    "balance": ("subset", "upsample", "weights"),
}

NINE = (
    "anchor", "spectrum", "average", "annotation_noise", "empty_group", "early_stopping", "control", "collapse",
    "unequal_scales",
)  # fmt: skip

REFUSED = {
    "only cb-llr and dfr choose subsets": (
        lambda c: c["kind"] in ("afr", "self") and c["balance"] != "weights",
        r"balance = '\w+': \w+ balances nothing; accepted for cb-llr, dfr",
    ),
    "heads are averaged over subsets": (
        lambda c: c["average"] and c["balance"] != "subset",
        r"average = 3: heads differ only with balance = 'subset'",
    ),
    "an average has no control": (
        lambda c: c["average"] and c["control"] != "none",
        r"control.of = 'main': averages heads over subsets; accepted: average = 1",
    ),
}
"""Why a file is refused: the combination, and the words of the error."""

UNPREDICTED = {
    "descents have a limit for the squared loss only": lambda c: c["early_stopping"] and c["loss"] != "squared",
    "descents are not averaged": lambda c: c["early_stopping"] and c["average"],
    "an earlier head's noise is one more coordinate on isotropic noise only": (
        lambda c: c["spectrum"] and c["anchor"] and c["collapse"] != "full"
    ),
    "a score and the rest of the noise are correlated under a spectrum": (
        lambda c: c["spectrum"] and c["kind"] in ("afr", "self") and c["control"] != "size-matched"
    ),
}
"""Why an outcome is `no-prediction`."""


def why_refused(case):
    """The reasons for which a case has no experiment."""
    return [reason for reason, (when, _) in REFUSED.items() if when(case)]


def why_unpredicted(case):
    """The reasons for which an experiment has no prediction."""
    return [reason for reason, when in UNPREDICTED.items() if when(case)]


def tables(case, scale=1):
    """The experiment of a case; its output is the method `output(case)`. Sizes are multiplied by `scale`.

    Held-out samples have 61 or 53 rows, primes, so that shares of them have different remainders.
    """
    wide = case["unequal_scales"]
    noise = {"std": [0.7, 1.3, 1.1, 0.9] if wide else 1.0}
    noise |= {"spectrum": [[2.5, 2 * scale], [0.4, 4 * scale]]} if case["spectrum"] else {"dim": 6 * scale}
    shared = [0.1, -0.2, 0.0, 0.2] if wide else [0.1] * 4
    variances = [(0.4, 0.3), (0.9, 0.2), (0.3, 0.6), (0.5, 0.4)] if wide else [(0.4, 0.3)] * 4
    covariances = [[[s, r], [r, t]] for (s, t), r in zip(variances, shared, strict=True)]
    empty = case["empty_group"]
    e = {
        "name": "features",
        "features": {
            "means": [[-1.0, -1.2], [-0.8, 1.0], [1.1, -0.9], [0.9, 1.3]],
            "covariances": covariances,
            "noise": noise,
        },
        "train": {"counts": [scale * n for n in ([40, 7, 0, 33] if empty else [40, 7, 5, 28])]},
        "heldout": {"counts": [scale * n for n in ([24, 0, 7, 22] if empty else [24, 9, 7, 21])]},
        "head": {"loss": case["loss"], "ridge": 0.1},
    }
    if case["annotation_noise"]:
        e["heldout"]["annotation_noise"] = 0.2
    if case["collapse"] != "none":
        full = case["collapse"] == "full"
        e["train"]["collapse"] = {"noise": 0.0 if full else [0.5, 0.4, 0.6, 0.3], "attribute": [0.6, 0.5, 0.3, 0.4]}
        e["heldout"]["collapse"] = {"noise": [0.8, 0.6, 0.9, 0.7], "attribute": [0.9, 0.5, 0.7, 0.8]}
        e["test"] = {"collapse": {"noise": [0.9, 1.0, 0.7, 0.8], "attribute": [1.0, 0.8, 0.9, 0.6]}}
    main = {"kind": case["kind"], "name": "main"}
    if case["kind"] in ("afr", "self"):
        main |= {"data": "heldout", "from": "erm"} | ({"gamma": 3.0} if case["kind"] == "afr" else {"k": 17 * scale})
    if case["balance"] != "weights":
        main["balance"] = case["balance"]
    if case["average"]:
        main["average"] = 3
    changes = {"anchor": 0.3, "from": "erm"} if case["anchor"] else {}
    if case["early_stopping"]:
        solver = {"steps": 6, "step_size": 0.4, "momentum": 0.3, "path": [0, 2, 6]}
        changes["head"] = {"solver": solver}
    # Scores are log-odds: the head that scores is logistic.
    erm = {"kind": "erm", "head": {"loss": "logistic"}} if case["kind"] in ("afr", "self") else {"kind": "erm"}
    e["method"] = [erm, main | changes]
    if case["control"] != "none":
        e["method"].append(
            {"kind": "llr", "name": "control", "control": {"kind": case["control"], "of": "main"}} | changes
        )
    return e


def output(case):
    """The method whose output has the case's features."""
    return "main" if case["control"] == "none" else "control"
