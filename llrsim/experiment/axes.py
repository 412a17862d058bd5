"""Axes of a sweep: from and to their form in a file, their values, and what they must satisfy."""

import math
from typing import Any, get_args

from .conversion import convert, plain
from .errors import ExperimentError, shown
from .paths import Path, split, type_at
from .schema import Axis, Section

FORMS = "a list, { linear = [first, last], num = n } or { log10 = [first, last], num = n }"
LONGEST = 10**5  # values of one axis; the product of axes has no limit


def axis_from_table(key: str, form: Any, root: type[Section], labels: tuple[str, ...]) -> Axis:
    """The axis that a file writes as `"key" = form`, its values of the type the key has."""
    if isinstance(form, list):
        return Axis(key=key, values=axis_values(Axis(key=key, values=tuple(form)), root, labels))
    if isinstance(form, dict) and set(form) in ({"linear", "num"}, {"log10", "num"}):
        return convert({"key": key, **form}, Axis, f'sweep axis "{key}"')
    raise ExperimentError(f'sweep axis "{key}" = {shown(form)}: accepted: {FORMS}')


def typed_axis(axis: Axis, root: type[Section], labels: tuple[str, ...]) -> Axis:
    """Return an axis that Python built as a file's is read, its values of the type the key has."""
    where = f'sweep axis "{axis.key}"'
    if not isinstance(axis.key, str):
        raise ExperimentError(f"{where}: the key must be a dotted path, such as train.n")
    if axis.values is None:
        return convert(plain(axis, where), Axis, where)
    spaced = any(form is not None for form in (axis.linear, axis.log10, axis.num))
    if spaced or not isinstance(axis.values, list | tuple):
        raise ExperimentError(f"{where}: accepted: {FORMS}")
    given = Axis(key=axis.key, values=tuple(plain(axis.values, where)))
    return Axis(key=axis.key, values=axis_values(given, root, labels))


def spacing_to_table(axis: Axis) -> dict[str, Any]:
    """The form of an evenly spaced axis as a file writes it."""
    ends = {"linear": axis.linear, "log10": axis.log10}
    return {name: list(pair) for name, pair in ends.items() if pair is not None} | {"num": axis.num}


def axis_values(axis: Axis, root: type[Section], labels: tuple[str, ...]) -> tuple[Any, ...]:
    """The values of an axis, of the type its key has; spaced values of a whole-number key are rounded.

    Raises:
        ExperimentError: unknown key, a key that no cell may change, a wrong type, or no values.
    """
    path = split(axis.key, labels)
    kind = type_at(root, path, axis.key)
    _check_sweepable(axis, path)
    values = axis.values if axis.values is not None else _spaced(axis, whole=int in (kind, *get_args(kind)))
    if not values:
        raise ExperimentError(f'sweep axis "{axis.key}" = []: is empty; accepted: {FORMS}')
    typed = tuple(convert(value, kind, f'sweep axis "{axis.key}"[{index}]') for index, value in enumerate(values))
    return typed


def _check_sweepable(axis: Axis, path: Path) -> None:
    if (
        path[0] in ("name", "sweep", "study")
        or path == ("method",)
        or (path[0] == "method" and path[2:] in ((), ("name",)))
    ):
        raise ExperimentError(
            f'sweep axis "{axis.key}": a cell cannot change it; accepted: keys of features, train, heldout, test, '
            "head and method.<label>, except a method's name"
        )


def _spaced(axis: Axis, *, whole: bool) -> tuple[float, ...] | tuple[int, ...]:
    ends = axis.linear if axis.linear is not None else axis.log10
    if ends is None or (axis.linear is not None and axis.log10 is not None):
        raise ExperimentError(f'sweep axis "{axis.key}": accepted: {FORMS}')
    if axis.num is None or not 1 <= axis.num <= LONGEST:
        raise ExperimentError(f'sweep axis "{axis.key}": num = {shown(axis.num)}: must be from 1 to {LONGEST}')
    first, last = ends
    steps = max(axis.num - 1, 1)
    points = [first + (last - first) * step / steps for step in range(axis.num - 1)] + [last if axis.num > 1 else first]
    if axis.log10 is not None:
        if max(map(abs, points)) > 300:
            raise ExperimentError(f'sweep axis "{axis.key}": log10 = {shown(list(ends))}: must lie in [-300, 300]')
        points = [10.0**point for point in points]
    if not all(map(math.isfinite, points)):
        raise ExperimentError(f'sweep axis "{axis.key}" = {shown(list(ends))}: must be finite')
    return tuple(map(round, points)) if whole else tuple(points)
