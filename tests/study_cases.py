"""Made-up tables of the studies, and what each has to decide."""

from itertools import product

from llrsim.studies import evidence as data_sets
from llrsim.studies.evidence import columns

SHARP, BLUNT = (0.001, 60), (0.2, 3)
"""Standard error and replicates: enough to decide everything here, and nothing."""


def row(part, precision, numbers, **at):
    """A row of a table with these quantities, all equally precise."""
    error, count = precision
    return {"part": part, **at} | {
        key: value for name, mean in numbers.items() for key, value in columns(name, mean, error, count).items()
    }


def e01_rows(precision, waterbirds=0.1, iid=0.0, collapses=(0.5, 1.0)):
    gains = {"own": dict.fromkeys(data_sets.NAMES.values(), 0.02) | {"Waterbirds": waterbirds}}
    gains["iid"] = dict.fromkeys(data_sets.NAMES.values(), 0.0) | {"CelebA": iid}
    return [
        row("cell", precision, {"gain": gain, "gain_bias": 0.5 * gain}, method="llr", data_set=name)
        | {"heldout": heldout, "train_collapse": tau}
        for tau in collapses
        for heldout, own in gains.items()
        for name, gain in own.items()
        if heldout == "iid" or tau < 1
    ]


def e02_rows(precision, squared=0.0, logistic=0.0, power=2):
    rows = [{"part": "nc1", "tau": tau, "nc1_train": tau**power, "nc1_heldout": 1.0} for tau in (0.01, 1.0)]
    return rows + [
        row("change", precision, {"direction_change": change, "change": 2 * change}, method=method, tau=0.01)
        for method, change in (("squared", squared), ("logistic", logistic))
    ]


def e03_rows(precision, *shares, ridges=("equal", "effective")):
    """Of two heads under two kinds of collapse, cells with these shares of balance and of uncollapsed features."""
    return [
        row("simulated", precision, split(balance, collapse), head=head, kind=kind, ridge=ridge)
        | {"heldout_ratio": 1.0, "rows_per_dim": 2.0}
        for (head, kind), (balance, collapse) in zip(
            product(("ridge", "max margin"), ("class", "group")), shares, strict=True
        )
        for ridge in ridges
    ]


def split(balance, collapse):
    numbers = {"gain": balance + collapse, "dominance": balance - 2 * collapse, "difference": balance - collapse}
    return {"balance": balance, "collapse": collapse} | numbers


CARRIED, SHARED, LOST = (0.1, 0.0), (0.1, 0.2), (0.02, -0.1)
"""Shares of balance and of uncollapsed features where balance dominates, where it does not, and without a gain."""


def e04_rows(precision, *gains):
    return [
        row("cell", precision, {"gain": gain}, method="retrained", data_set=name, train_collapse=0.5, test_collapse=1.0)
        for name, gain in zip(data_sets.NAMES.values(), gains, strict=False)
    ] + [row("cell", precision, {"gain": -0.1}, method="size-matched")]


def e05_rows(precision, *cells):
    return [
        row("change", precision, {"shrunk": shrunk, "change": change}, ratio=ratio)
        for ratio, (shrunk, change) in zip((0.1, 1.0), cells, strict=True)
    ]


def e06_rows(precision, difference=0.0, correlation=0.99, taus=(0.5, 1.0)):
    pairs = [(0.05, 0.1), (0.05, 1.0), (0.1, 1.0)]
    rows = [
        row("pair", precision, {"difference": value if tau < 1 else 0.0}, heldout_collapse=tau, heldout_ratio=0.2)
        | {"train_ratio": first, "other_ratio": second}
        for tau in taus
        for (first, second), value in zip(pairs, (0.0, 0.0, difference), strict=True)
    ]
    return rows + [row("correlation", precision, {"correlation": correlation}, heldout_collapse=tau) for tau in taus]


def e07_rows(precision, over_erm=(0.1, 0.1, 0.1), over_llr=(0.1, 0.1, 0.1), equality=0.0):
    rows = [
        row("order", precision, {"difference": step}, data_set="a", next="b", against=against)
        for against, steps in (("erm", over_erm), ("llr", over_llr))
        for step in steps
    ]
    for name, label, against in (("MultiNLI", "cb-llr", "llr"), ("Waterbirds", "dfr", "cb-llr")):
        at = {"data_set": name, "method": label, "against": against}
        rows.append(row("gain", precision, {"gain": equality, "gain_bias": 0.0}, **at))
    return rows


def e08_rows(precision, *gaps, erm=0.5):
    """Two anchors; at each the best gamma, one within reach of it, and one that is far worse and so not tuned."""
    heads = {"class_cosine": 0.5, "spurious_weight": 0.3, "majority_accuracy": 0.9}
    at = list(product((0.0, 1.0), (2.0, 4.0, 16.0)))
    ends = [entry for own in gaps for entry in zip((0.8, 0.79, 0.3), (*own, 0.3), strict=True)]
    rows = [
        row("cell", precision, {"tuning_wga": wga, "tuning_gain": wga - erm, "gap": gap}, method="afr", **heads)
        | {"anchor": anchor, "gamma": gamma}
        for (anchor, gamma), (wga, gap) in zip(at, ends, strict=True)
    ]
    return rows + [{"part": "cell", "method": "erm", "anchor": anchor, "gamma": gamma} | heads for anchor, gamma in at]


def e09_rows(precision, correlation=0.95, gain=0.0, equal=0.1, poorer=0.01):
    """SELF, where `equal` is the gain of the larger share at equal k; the converged fit, which decides nothing."""
    rows = [
        row("correlation", precision, {"correlation": value}, fit=fit)
        for fit, value in (("descent", correlation), ("converged", -0.9))
    ]
    rows += [
        row("equal-k", precision, {"share_difference": apart, "difference": value}, fit=fit, k=k)
        for k, apart, value, fit in (
            (25, 0.4, equal, "descent"),
            (400, poorer, -0.1, "descent"),
            (25, 0.4, -0.5, "converged"),
        )
    ]
    return rows + [
        row("cell", precision, {"gain": value}, method=method, k=k, minority_share=share, heldout_share=0.1)
        for method, k, share, value in (
            ("by-loss", 25, 0.5, 0.2),
            ("by-loss", 400, 0.12, gain),
            ("by-loss-converged", 400, 0.12, 0.3),
        )
    ]


def e10_rows(precision, few=0.1, many=0.0):
    gains = {0.25: 0.1, 1.0: few, 2.0: 0.03, 8.0: many, 16.0: 0.0}
    return [row("cell", precision, {"gain": gain}, method="twenty", rows_per_dim=size) for size, gain in gains.items()]


def e11_rows(precision, inside=0.1, outside=-0.1):
    """A subset has a fifth of the rows: it interpolates at n/d = 2 though the weighted head does not."""
    gains = {0.5: inside, 0.75: 0.1, 1.1: 0.0, 2.0: 0.2, 12.0: outside, 24.0: -0.05}
    return [
        row("cell", precision, {"gain": gain}, method=method, loss="squared", rows_per_dim=size, threshold=1.0)
        | {"fitted_per_dim": part * size}
        for size, gain in gains.items()
        for method, part in (("weights", 1.0), ("subset", 0.2))
    ]


def e12_rows(precision, loss=0.1, shortfall=0.2):
    """At s = 3 the loss is forced, so that it decides nothing."""
    rows = [
        row("loss", precision, {"loss": value, "forced": forced}, method="dfr", scale=s)
        for s, value, forced in ((1.5, 0.05, -0.1), (2.0, loss, -0.05), (3.0, 0.0, 0.1))
    ]
    rows += [row("closed", precision, {"closed": 0.5}, scale=s) for s in (1.0, 1.5, 2.0)]
    return rows + [row("shortfall", precision, {"shortfall": e}, scale=s) for s, e in ((1.5, 0.1), (2.0, shortfall))]


def e14_rows(precision, balance=0.1, cost=-0.1, spread=0.5):
    at = {"n": 100, "ratio": 1.0, "other_n": 800, "other_ratio": 0.05}
    rows = [row(part, precision, {"difference": value}, **at) for part, value in (("balance", balance), ("cost", cost))]
    spreads = ((800, spread), (100, -0.5))
    return rows + [row("spread", precision, {"log_ratio": value}, **at | {"other_n": n}) for n, value in spreads]


CASES = {
    "e01": [
        ("confirmed", e01_rows(SHARP)),
        ("refuted", e01_rows(SHARP, waterbirds=0.02)),
        ("complicated", e01_rows(SHARP, iid=-0.05)),
        ("undecided", e01_rows(BLUNT)),
        ("undecided", e01_rows((None, 1))),
        ("by construction", e01_rows(SHARP, collapses=(1.0,))),
    ],
    "e02": [
        ("confirmed", e02_rows(SHARP)),
        ("refuted", e02_rows(SHARP, 0.05, -0.05)),
        ("complicated", e02_rows(SHARP, 0.0, -0.05)),
        ("undecided", e02_rows(BLUNT)),
        ("refuted", e02_rows(SHARP, power=1)),
        ("refuted", e02_rows(BLUNT, power=1)),
        ("undecided", e02_rows(SHARP)[1:]),
    ],
    "e03": [
        ("confirmed", e03_rows(SHARP, *[CARRIED] * 4)),
        ("confirmed", e03_rows(SHARP, CARRIED, LOST, CARRIED, LOST)),
        ("refuted", e03_rows(SHARP, *[SHARED] * 4)),
        ("refuted", e03_rows(SHARP, SHARED, LOST, LOST, LOST)),
        ("refuted", e03_rows(SHARP, *[(-0.2, 0.3)] * 4)),
        ("complicated", e03_rows(SHARP, CARRIED, CARRIED, SHARED, CARRIED)),
        ("undecided", e03_rows(BLUNT, *[CARRIED] * 4)),
        ("undecided", e03_rows((None, 1), *[CARRIED] * 4)),
        ("undecided", e03_rows(SHARP, CARRIED, CARRIED, (0.1, 0.05), CARRIED)),
        ("undecided", e03_rows(SHARP, *[LOST] * 4)),
        ("undecided", []),
    ],
    "e04": [
        ("confirmed", e04_rows(SHARP, 0.0, -0.2, 0.005)),
        ("refuted", e04_rows(SHARP, 0.1, 0.2, 0.3)),
        ("complicated", e04_rows(SHARP, 0.1, 0.0, 0.0)),
        ("undecided", e04_rows(BLUNT, 0.0, 0.0, 0.0)),
        ("by construction", e04_rows(SHARP)),
    ],
    "e05": [
        ("confirmed", e05_rows(SHARP, (0.5, 0.0), (0.9, 0.0))),
        ("refuted", e05_rows(SHARP, (0.5, 0.1), (0.4, -0.1))),
        ("complicated", e05_rows(SHARP, (0.5, 0.1), (0.5, 0.0))),
        ("undecided", e05_rows(BLUNT, (0.5, 0.0), (0.5, 0.0))),
    ],
    "e06": [
        ("confirmed", e06_rows(SHARP)),
        ("refuted", e06_rows(SHARP, difference=0.05)),
        ("refuted", e06_rows(SHARP, correlation=0.5)),
        ("undecided", e06_rows(BLUNT)),
        ("undecided", e06_rows(SHARP, difference=0.01)),
        ("by construction", e06_rows(SHARP, taus=(1.0,))),
    ],
    "e07": [
        ("confirmed", e07_rows(SHARP)),
        ("refuted", e07_rows(SHARP, (0.1, -0.1, 0.1), (-0.1, 0.1, 0.1))),
        ("complicated", e07_rows(SHARP, (0.1, -0.1, 0.1))),
        ("undecided", e07_rows(BLUNT)),
        ("complicated", e07_rows(SHARP, equality=0.05)),
        ("undecided", e07_rows(SHARP, equality=0.01)),
    ],
    "e08": [
        ("confirmed", e08_rows(SHARP, (0.0, 0.0), (0.0, 0.0))),
        ("refuted", e08_rows(SHARP, (0.05, 0.05), (-0.05, 0.05))),
        ("complicated", e08_rows(SHARP, (0.0, 0.05), (0.0, 0.0))),
        ("undecided", e08_rows(BLUNT, (0.0, 0.0), (0.0, 0.0))),
        ("undecided", e08_rows(SHARP, (0.0, 0.0), (0.0, 0.0), erm=0.795)),
    ],
    "e09": [
        ("confirmed", e09_rows(SHARP)),
        ("refuted", e09_rows(SHARP, correlation=0.2)),
        ("refuted", e09_rows(SHARP, gain=0.1)),
        ("refuted", e09_rows(SHARP, equal=-0.1)),
        ("refuted", e09_rows(SHARP, poorer=0.2)),
        ("undecided", e09_rows(BLUNT)),
    ],
    "e10": [
        ("confirmed", e10_rows(SHARP)),
        ("refuted", e10_rows(SHARP, few=0.0)),
        ("refuted", e10_rows(SHARP, many=0.05)),
        ("undecided", e10_rows(BLUNT)),
    ],
    "e11": [
        ("confirmed", e11_rows(SHARP)),
        ("refuted", e11_rows(SHARP, inside=-0.1)),
        ("refuted", e11_rows(SHARP, outside=0.05)),
        ("undecided", [row for row in e11_rows(SHARP) if row["rows_per_dim"] < 12]),
        ("undecided", e11_rows(BLUNT)),
    ],
    "e12": [
        ("confirmed", e12_rows(SHARP)),
        ("refuted", e12_rows(SHARP, loss=0.0)),
        ("refuted", e12_rows(SHARP, shortfall=-0.05)),
        ("undecided", e12_rows(BLUNT)),
    ],
    "e14": [
        ("confirmed", e14_rows(SHARP)),
        ("refuted", e14_rows(SHARP, balance=0.0)),
        ("refuted", e14_rows(SHARP, cost=0.0, spread=-0.5)),
        ("complicated", e14_rows(SHARP, cost=0.0)),
        ("complicated", e14_rows(SHARP, spread=-0.5)),
        ("undecided", e14_rows(SHARP, spread=0.0)),
        ("undecided", e14_rows(BLUNT)),
    ],
}
