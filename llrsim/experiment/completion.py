"""Defaults of a method that depend on the others: the head that scores its rows, the data of a control."""

from collections.abc import Iterable

from msgspec.structs import replace

from ..kinds import KINDS
from .schema import Method


def completed(methods: Iterable[Method]) -> tuple[Method, ...]:
    """The methods with `from` of those that score rows set to the first ERM before them, and `data` of controls."""
    found: list[Method] = []
    for method in methods:
        if method.start is None and method.kind in KINDS and KINDS[method.kind].scored:
            method = replace(method, start=next((other.label for other in found if other.kind == "erm"), None))
        if method.control is not None and method.data is None:
            controlled = (other for other in found if other.label == method.control.of and other.kind in KINDS)
            method = replace(method, data=next((other.source for other in controlled), None))
        found.append(method)
    return tuple(found)
