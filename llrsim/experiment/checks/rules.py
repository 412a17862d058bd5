"""What methods must satisfy whose weights, or whose loss, are made by a rule of their own; and their controls."""

import math
from collections.abc import Mapping

from ..errors import ExperimentError, require, shown, suggestion
from ..schema import KINDS, FitOptions, Method

_OWN = {name: kind for kind, made in KINDS.items() for name in made.own}
"""Kind that a key belongs to."""


def check_rule(key: str, method: Method, head: FitOptions, earlier: Mapping[str, tuple[Method, FitOptions]]) -> None:
    """Raise ExperimentError unless the keys of a method's rule fit its kind, its head and the methods before it.

    `earlier` has those by label, with their effective heads.
    """
    for name, kind in _OWN.items():
        if getattr(method, name) is not None and method.kind != kind:
            raise ExperimentError(
                f"{key}.{name} = {shown(getattr(method, name))}: is a key of {kind}, not {method.kind}"
            )
    if KINDS[method.kind].scored:
        _check_scorer(f"{key}.from", method.start, earlier)
    if method.kind == "afr":
        require(0 <= (method.gamma or 0.0) < math.inf, f"{key}.gamma", method.gamma, "at least 0")
    if method.kind == "self":
        _check_selection(key, method, earlier)
    if method.kind == "group-dro":
        _check_adversary(key, method, head)
    if method.kind == "logit-adjusted":
        _check_adjustment(key, method, head)
    _check_control(key, method, earlier)
    if method.angle_to is not None:
        _check_known(f"{key}.angle_to", method.angle_to, earlier)


def _check_known(key: str, label: str, earlier: Mapping[str, object]) -> None:
    if label not in earlier:
        known = f"accepted: {', '.join(earlier)}" if earlier else "this is the first method"
        raise ExperimentError(
            f"{key} = {shown(label)}: no earlier method has this label{suggestion(label, tuple(earlier))}; {known}"
        )


def _check_scorer(key: str, label: str | None, earlier: Mapping[str, tuple[Method, FitOptions]]) -> None:
    if label is None:
        raise ExperimentError(f"{key}: missing; give the earlier method whose head scores the rows, for example erm")
    _check_known(key, label, earlier)
    loss = earlier[label][1].loss
    if loss != "logistic":
        raise ExperimentError(
            f"{key} = {shown(label)}: its loss is {loss}, and scores are read as log-odds; accepted: a method with "
            "loss = 'logistic'"
        )


def _check_selection(key: str, method: Method, earlier: Mapping[str, tuple[Method, FitOptions]]) -> None:
    if method.k is None:
        raise ExperimentError(f"{key}.k: missing; give the number of rows to select")
    require(method.k >= 1, f"{key}.k", method.k, "at least 1")
    if method.by == "disagreement":
        _check_scorer(f"{key}.against", method.against, earlier)
        if method.against == method.start:
            raise ExperimentError(f"{key}.against = {shown(method.against)}: is the head of `from`, and agrees with it")
    elif method.against is not None:
        raise ExperimentError(f"{key}.against = {shown(method.against)}: goes with by = 'disagreement'")


def _check_adversary(key: str, method: Method, head: FitOptions) -> None:
    if head.loss not in ("squared", "logistic", "squared_hinge"):
        raise ExperimentError(f"{key}.head.loss = {shown(head.loss)}: group-dro takes squared, logistic, squared_hinge")
    if isinstance(head.solver, str):
        if method.ascent is not None:
            raise ExperimentError(
                f"{key}.ascent = {method.ascent}: goes with a descent; exact fits find the worst masses themselves"
            )
        require(head.ridge + method.anchor > 0, f"{key}.head.ridge", head.ridge, "above 0 with the exact solver")
        return
    if method.ascent is None:
        raise ExperimentError(f"{key}.ascent: missing; give the step size of the group masses, above 0")
    require(0 < method.ascent < math.inf, f"{key}.ascent", method.ascent, "above 0")
    if head.solver.batch is not None:
        raise ExperimentError(f"{key}.head.solver.batch = {head.solver.batch}: group-dro descends on full batches only")


def _check_adjustment(key: str, method: Method, head: FitOptions) -> None:
    if head.loss != "logistic":
        raise ExperimentError(f"{key}.head.loss = {shown(head.loss)}: logits are adjusted in the logistic loss only")
    for name in ("adjust", "stretch"):
        require(0 <= getattr(method, name) < math.inf, f"{key}.{name}", getattr(method, name), "at least 0")


def _check_control(key: str, method: Method, earlier: Mapping[str, tuple[Method, FitOptions]]) -> None:
    control = method.control
    if control is None:
        return
    _check_known(f"{key}.control.of", control.of, earlier)
    other = earlier[control.of][0]
    if method.kind not in ("erm", "llr", "llr-on-train"):
        raise ExperimentError(
            f"{key}.control = {shown(control.kind)}: a control weighs rows by another method's groups or size alone; "
            f"accepted for kinds erm, llr, llr-on-train, not {method.kind}"
        )
    if control.kind == "mass-matched" and method.source != other.source:
        raise ExperimentError(
            f"{key}.data = {shown(method.source)}: masses are those of {control.of} on its own data; accepted: "
            f"{other.source}"
        )
    if other.average > 1:
        raise ExperimentError(
            f"{key}.control.of = {shown(control.of)}: averages heads over subsets; accepted: average = 1"
        )
