"""What the name, heads, methods and sweeps must satisfy beyond their types."""

import math
import re
from collections.abc import Container
from itertools import pairwise

from ..axes import axis_values
from ..conversion import convert, plain
from ..errors import ExperimentError, require, shown, suggestion
from ..schema import KINDS, LOSSES, Descent, FitOptions, Heldout, Method, Section, Sweep
from .rules import check_rule

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}\Z")
_BALANCED = ("cb-llr", "dfr")


def check_name(name: str) -> None:
    """Raise ExperimentError for a blank name."""
    require(bool(name.strip()), "name", name, "text that is not blank")


def checked_head(key: str, head: FitOptions) -> FitOptions:
    """Return fitting options that Python built as a file's are read: types converted, values that can be fitted.

    Raises:
        ExperimentError: as a file with these options does, in the same words.
    """
    typed: FitOptions = convert(plain(head, key), FitOptions, key)
    check_head(key, typed)
    return typed


def check_anchor(key: str, anchor: float, missing: str | None) -> None:
    """Raise ExperimentError unless a head can be pulled so; `missing` is what should give the head to pull to."""
    require(0 <= anchor < math.inf, key, anchor, "at least 0")
    if anchor > 0 and missing is not None:
        raise ExperimentError(f"{key} = {anchor}: needs {missing}")


def check_head(key: str, head: FitOptions) -> None:
    """Raise ExperimentError unless the head can be fitted."""
    if head.loss not in LOSSES:
        raise ExperimentError(
            f"{key}.loss = {shown(head.loss)}: no such loss{suggestion(head.loss, LOSSES)}; "
            f"accepted: {', '.join(LOSSES)}"
        )
    require(0 <= head.ridge < math.inf, f"{key}.ridge", head.ridge, "at least 0")
    if isinstance(head.solver, Descent):
        if head.loss == "max_margin":
            raise ExperimentError(
                f"{key}.solver = {shown(head.solver)}: max_margin has no gradient to descend; accepted: exact"
            )
        _check_descent(f"{key}.solver", head.solver)


def _check_descent(key: str, descent: Descent) -> None:
    require(descent.steps >= 1, f"{key}.steps", descent.steps, "at least 1")
    require(0 < descent.step_size < math.inf, f"{key}.step_size", descent.step_size, "above 0")
    require(0 <= descent.momentum < 1, f"{key}.momentum", descent.momentum, "in [0, 1)")
    if descent.nesterov and descent.momentum == 0:
        raise ExperimentError(f"{key}.nesterov = true: changes nothing without {key}.momentum, which must be above 0")
    require(descent.batch is None or descent.batch >= 1, f"{key}.batch", descent.batch, "at least 1")
    require(descent.clip is None or 0 < descent.clip < math.inf, f"{key}.clip", descent.clip, "above 0")
    path = descent.path
    rising = all(earlier < later for earlier, later in pairwise(path))
    inside = not path or (path[0] >= 0 and path[-1] <= descent.steps)
    require(rising and inside, f"{key}.path", path, f"rising steps from 0 to {key}.steps, {descent.steps}")


def check_methods(methods: tuple[Method, ...], head: FitOptions, heldout: Heldout | None) -> None:
    """Raise ExperimentError unless every method is defined and has what it needs."""
    if not methods:
        raise ExperimentError("method = []: give at least one [[method]], or leave it out for erm, llr, cb-llr and dfr")
    earlier: dict[str, tuple[Method, FitOptions]] = {}
    for index, method in enumerate(methods):
        _check_names(method, index, earlier)
        _check_fit(f"method.{method.label}", method, tuple(earlier))
        check_rule(f"method.{method.label}", method, head.changed_by(method.head), earlier)
        if method.head is not None:
            check_head(f"method.{method.label}.head", head.changed_by(method.head))
        missing = "`from`, the earlier method whose head it is pulled to" if method.start is None else None
        check_anchor(f"method.{method.label}.anchor", method.anchor, missing)
        if method.anchor > 0 and head.changed_by(method.head).loss == "max_margin":
            raise ExperimentError(
                f"method.{method.label}.anchor = {method.anchor}: max_margin has no penalty to anchor"
            )
        if heldout is None and (method.source == "heldout" or method.kind == "llr-on-train"):
            need = "takes the size of" if method.kind == "llr-on-train" else "is fitted on"
            raise ExperimentError(f"heldout: missing; method {method.label} {need} the held-out sample")
        earlier[method.label] = method, head.changed_by(method.head)


def _check_names(method: Method, index: int, earlier: Container[str]) -> None:
    if method.kind not in KINDS:
        key = f"method.{method.label}.kind" if method.label else f"method[{index}].kind"
        raise ExperimentError(
            f"{key} = {shown(method.kind)}: no such kind{suggestion(method.kind, KINDS)}; accepted: {', '.join(KINDS)}"
        )
    accepted = "up to 64 letters, digits and any of _ . + -, the first a letter or a digit"
    require(bool(_LABEL.match(method.name)), f"method[{index}].name", method.name, accepted)
    if method.name in earlier:
        raise ExperimentError(
            f"method.{method.name}.name = {method.name!r}: two methods share it; give the second a unique name"
        )


def _check_fit(key: str, method: Method, earlier: tuple[str, ...]) -> None:
    if method.balance != "weights" and method.kind not in _BALANCED:
        raise ExperimentError(
            f"{key}.balance = {method.balance!r}: {method.kind} balances nothing; accepted for {', '.join(_BALANCED)}"
        )
    require(method.average >= 1, f"{key}.average", method.average, "at least 1")
    if method.average > 1 and method.balance != "subset":
        raise ExperimentError(
            f"{key}.average = {method.average}: heads differ only with balance = 'subset'; accepted: 1"
        )
    if method.kind in ("erm", "llr-on-train") and method.source != "train" and method.control is None:
        raise ExperimentError(
            f"{key}.data = {method.data!r}: {method.kind} is fitted on training data; accepted: train"
        )
    if method.start is not None and method.start not in earlier:
        known = f"accepted: {', '.join(earlier)}" if earlier else "this is the first method"
        raise ExperimentError(
            f"{key}.from = {shown(method.start)}: no earlier method has this label"
            f"{suggestion(method.start, earlier)}; {known}"
        )


def check_sweep(sweep: Sweep, root: type[Section], labels: tuple[str, ...]) -> None:
    """Raise ExperimentError unless the sweep's numbers, axes and zips are valid; values of axes only by type.

    The first key of a zip stands for all of them in figures and tables, so its values are distinct; others' may recur.
    """
    require(sweep.replicates >= 1, "sweep.replicates", sweep.replicates, "at least 1")
    require(sweep.seed >= 0, "sweep.seed", sweep.seed, "at least 0")
    seen: set[str] = set()
    for place, axes in enumerate((sweep.grid, *sweep.zip)):
        together, lengths = place > 0, {}
        for axis in axes:
            if axis.key in seen:
                raise ExperimentError(f'sweep axis "{axis.key}": given twice')
            seen.add(axis.key)
            values = axis_values(axis, root, labels)
            if len(set(values)) < len(values) and (not together or axis is axes[0]):
                raise ExperimentError(f'sweep axis "{axis.key}" = {shown(list(values))}: repeats a value')
            lengths[axis.key] = len(values)
        if together and not axes:
            raise ExperimentError(f"sweep.zip[{place - 1}] = {{}}: holds no axis; give it one, or leave the table out")
        if together and len(set(lengths.values())) != 1:
            raise ExperimentError(f"sweep.zip: axes that move together must have equal lengths, not {lengths}")
