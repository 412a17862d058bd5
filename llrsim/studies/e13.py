"""E13, learned features: is it balance or collapse where a network collapses by itself?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from ..model.mixture import Array
from ..outcome import interval_of_least, of_least_mean, plain
from ..plots.style import look
from . import evidence
from .evidence import (
    Finding,
    Row,
    Verdict,
    above,
    concluded,
    estimate,
    measured,
    of_part,
    settled_in_parts,
    wga_columns,
    worst,
)

if TYPE_CHECKING:
    from ..outcome import LearnedFeatures, Outcome
    from ..sweep.results import Results

ACCURACY = 0.99
DROP = 10.0
GAP = 2.0
MARGIN = 0.01
TRAINED = "trained"
BALANCED = 1.0
COMPARISONS = 8

RIDGES = {0.01: "", 0.0001: "-light"}
"""Ridge of the heads -> what the labels of its methods end with."""

_WORDS = {
    "confirmed": "with learned collapse too, balance carries the gain of retraining",
    "refuted": "with learned collapse, features that did not collapse carry the gain of retraining",
    "complicated": "with learned collapse, what carries the gain depends on the ridge and on the way to balance",
}
_NOT_LEARNED = {"undecided": "the network has not collapsed, so that nothing is said of learned collapse"}


def table(results: Results, *, jobs: int = 1) -> list[Row]:
    """Rows `cell` (a method), `features` (what a network learned) and `effect` (the gains, at one ridge).

    Features and effects are those of a kind of network; effects are paired by replicate over its cells.
    """
    rows: list[Row] = []
    found: dict[str, dict[float, Outcome]] = {}
    for cell in results.outcomes():
        kind, ratio = cell.axes["network.kind"], cell.axes["heldout.minority_ratio"]
        for label in results.experiment.method_labels:
            rows.append({"part": "cell", "kind": kind, "heldout_ratio": ratio, **measured(cell, label)})
        assert cell.simulation is not None, "`measured` has asked for it"
        found.setdefault(kind, {})[ratio] = cell.simulation
    for kind, by_ratio in found.items():
        training, balanced = by_ratio[min(by_ratio)], by_ratio[BALANCED]
        if training.features is not None:
            rows.append({"part": "features", "kind": kind, **_features(training.features)})
        for ridge, suffix in RIDGES.items():
            rows.append({"part": "effect", "kind": kind, "ridge": ridge, **_effects(training, balanced, suffix)})
    return rows


def _features(features: LearnedFeatures) -> Row:
    """NC1 as its decimal logarithm, whose mean is that of the geometric mean, and the network's own accuracies."""
    own = features.output_accuracy
    count = len(own)
    errors = own.std(axis=0, ddof=1) / np.sqrt(count) if count > 1 else None
    ends = None if errors is None else interval_of_least(own.mean(axis=0), errors, count)
    return {
        "train_accuracy": plain(features.train_accuracy.min()),
        **estimate("log_untrained", np.log10(features.nc1_untrained)),
        **estimate("log_train", np.log10(features.nc1_train)),
        **estimate("log_heldout", np.log10(features.nc1_heldout)),
        **wga_columns("output_wga", of_least_mean(own), ends),
    }


def _effects(training: Outcome, balanced: Outcome, suffix: str) -> Row:
    """The gains and shares of the rule, and the comparisons between them."""

    def wga(outcome: Outcome, method: str) -> Array:
        return worst(outcome[f"{method}{suffix}"])

    llr, dfr = wga(training, "llr"), wga(training, "dfr")
    llr_on_train, dfr_on_train = wga(training, "llr-on-train"), wga(training, "dfr-on-train")
    composition, weighting, collapse = wga(balanced, "llr") - llr, dfr - llr, llr - llr_on_train
    weighting_on_train = dfr_on_train - llr_on_train
    share_weighting = (weighting + weighting_on_train) / 2
    share_features = (collapse + dfr - dfr_on_train) / 2
    told = {
        "composition": composition,
        "weighting": weighting,
        "collapse": collapse,
        "weighting_on_train": weighting_on_train,
        "share_weighting": share_weighting,
        "share_features": share_features,
        "composition_over_collapse": composition - collapse,
        "weighting_over_collapse": weighting - collapse,
        "share_over_share": share_weighting - share_features,
    }
    return {name: number for quantity, values in told.items() for name, number in estimate(quantity, values).items()}


def verdict(rows: Sequence[Mapping[str, Any]]) -> Verdict:
    """Gains and shares of the trained network at each ridge, where its collapse was learned."""
    (features,) = of_part(rows, "features", kind=TRAINED)
    effects = of_part(rows, "effect", kind=TRAINED)
    learned = _learned(features)
    findings = [finding for row in effects for finding in _compared(row)]
    collapsed = all(finding.holds for finding in learned)
    told = [finding.told for finding in (*learned, *findings)] + [_on_train(row) for row in effects]
    return concluded(
        "e13",
        [*learned, *findings],
        _WORDS if collapsed else _NOT_LEARNED,
        outcome=settled_in_parts(findings) if collapsed else "undecided",
        by_construction=_controls(rows),
        told=told,
    )


def _on_train(row: Mapping[str, Any]) -> str:
    """What group weights gain where the rows have been seen in training."""
    ends = row["weighting_on_train"], row["weighting_on_train_low"], row["weighting_on_train_high"]
    return Finding(f"at ridge {row['ridge']:g}: gain of weighting on training features", *ends, None).told


def _learned(features: Mapping[str, Any]) -> list[Finding]:
    """The three conditions on which the study is about learned collapse at all."""
    accuracy = features["train_accuracy"]
    drop = _ratio(features, "log_untrained", "log_train")
    gap = _ratio(features, "log_heldout", "log_train")
    return [
        Finding("least training accuracy", accuracy, None, None, accuracy is not None and accuracy >= ACCURACY),
        Finding("NC1 before over after training", drop, None, None, drop is not None and drop >= DROP),
        Finding("NC1 held out over training", gap, None, None, gap is not None and gap >= GAP),
    ]


def _ratio(features: Mapping[str, Any], above: str, below: str) -> float | None:
    """Ratio of two geometric means; None without them."""
    ends = features[above], features[below]
    return None if None in ends else float(10 ** (ends[0] - ends[1]))


def _compared(row: Mapping[str, Any]) -> list[Finding]:
    at = f"at ridge {row['ridge']:g}"
    texts = {
        "composition": (f"{at}: gain of a balanced composition", MARGIN),
        "composition_over_collapse": (f"{at}: composition over collapse", 0.0),
        "weighting_over_collapse": (f"{at}: weighting over collapse", 0.0),
        "share_over_share": (f"{at}: share of weighting over share of features", 0.0),
    }
    return [
        above(text, row, quantity, threshold, comparisons=COMPARISONS) for quantity, (text, threshold) in texts.items()
    ]


def _controls(rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The collapse gains that are zero, with the largest that was measured."""
    rows = [row for row in of_part(rows, "effect") if row["kind"] != TRAINED and row["collapse_low"] is not None]
    if not rows:
        return ()
    row = max(rows, key=lambda row: abs(row["collapse"]))
    return (
        f"raw and random features do not tell training rows from held-out ones, so that their collapse gain is zero, "
        f"measured as {row['collapse']:+.3f} [{row['collapse_low']:+.3f}, {row['collapse_high']:+.3f}] at most",
    )


_SERIES = {
    "llr-on-train": "no weights, training features",
    "dfr-on-train": "group weights, training features",
    "llr": "no weights, held-out features",
    "dfr": "group weights, held-out features",
}
_STATES = {"log_untrained": "before training", "log_train": "after it", "log_heldout": "held out"}
_EFFECTS = {
    "composition": "composition",
    "weighting": "weighting",
    "collapse": "collapse",
    "share_weighting": "share of\nweighting",
    "share_features": "share of\nfeatures",
}


def figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Worst-group accuracy by kind of features and held-out ratio; below, NC1, and gains of the trained network."""
    cells = [{**row, "heldout_ratio": float(f"{row['heldout_ratio']:.2g}")} for row in of_part(rows, "cell")]
    kinds = list(dict.fromkeys(row["kind"] for row in cells))
    drawn, axes = evidence.panels(
        "Balance or collapse, where a network collapses by itself?", len(kinds), 2, height=6.4
    )
    for ax, kind in zip(axes[0], kinds, strict=True):
        for place, method in enumerate(_SERIES):
            evidence.curve(ax, of_part(cells, "cell", kind=kind, method=method), "heldout_ratio", place=place)
        evidence.log_ticks(ax, [row["heldout_ratio"] for row in cells])
        ax.set_title(f"{kind}, head ridge {max(RIDGES):g}")
        ax.set_xlabel("held-out minority : majority")
    axes[0, 0].set_ylabel("worst-group accuracy")
    _draw_collapse(axes[1, 0], of_part(rows, "features"))
    for ax, ridge in zip(axes[1, 1:], RIDGES, strict=False):
        for row in of_part(rows, "effect", kind=TRAINED, ridge=ridge):
            _draw_effects(ax, row)
    _level(axes[0])
    _level(axes[1, 1:])
    axes[1, 1].set_ylabel("gain in worst-group accuracy")
    evidence.legend(drawn, [(name, place) for place, name in enumerate(_SERIES.values())], cells, style="none")
    return drawn


def _draw_collapse(ax: Any, features: Sequence[Mapping[str, Any]]) -> None:
    for place, (quantity, name) in enumerate(_STATES.items(), start=len(_SERIES)):
        evidence.points(
            ax, np.arange(len(features)) + 0.2 * (place - len(_SERIES) - 1), features, quantity, place=place
        )
        ax.plot([], [], **look(place), linestyle="none", label=name)
    ax.set_xticks(range(len(features)), [row["kind"].replace("-", "-\n") for row in features])
    ax.margins(x=0.15, y=0.2)
    ax.legend(fontsize=7, loc="lower left")
    ax.set_ylabel("log10 NC1")
    ax.set_title("collapse of the features")


def _draw_effects(ax: Any, row: Mapping[str, Any]) -> None:
    evidence.band(ax, MARGIN)
    for at, quantity in enumerate(_EFFECTS):
        evidence.points(ax, [at], [row], quantity, place=0)
    ax.set_xticks(range(len(_EFFECTS)), list(_EFFECTS.values()), rotation=90)
    ax.set_title(f"{TRAINED}, head ridge {row['ridge']:g}")


def _level(axes: Sequence[Any]) -> None:
    """One range for all, wide enough for each."""
    ends = np.array([ax.get_ylim() for ax in axes])
    for ax in axes:
        ax.set_ylim(ends[:, 0].min(), ends[:, 1].max())
