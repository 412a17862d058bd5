"""A record as the terminal shows it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group
from rich.table import Table

from ..sweep.provenance import processor_of, versions_of
from .comparing import NOTED, Change
from .pairs import Quartiles
from .record import Measured, Record

_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))


def quantity(value: float, unit: str) -> str:
    """A number above 0 with a prefix that leaves one to three digits before the point.

    >>> quantity(0.00123, "s"), quantity(9.1e9, "B/s"), quantity(68100.0, "rows/s")
    ('1.23 ms', '9.1 GB/s', '68.1 k rows/s')
    """
    size, prefix = next(((size, prefix) for size, prefix in _PREFIXES if value >= size), _PREFIXES[-1])
    # Symbols take the prefix to themselves, words stand apart from it.
    apart = " " if prefix and len(unit.split("/")[0]) > 1 and unit.islower() else ""
    return f"{value / size:.3g} {prefix}{apart}{unit}"


def shown(record: Record) -> Group:
    """The table, what could not be measured, and what it all ran on."""
    return Group(_table(record), *_skipped(record), *_surroundings(record))


def _table(record: Record) -> Table:
    table = Table(title="llrsim against references, by turns in one process on one BLAS thread: medians and quartiles")
    for name in ("measurement", "reference"):
        table.add_column(name, overflow="fold")
    for name in ("llrsim", "reference", "ratio (quartiles)"):
        table.add_column(name, justify="right", no_wrap=True)
    for limit in record.limits:
        table.add_row(limit.name, "", "", quantity(limit.rate.median, limit.unit), "")
    table.add_section()
    for row in record.rows:
        table.add_row(
            row.name,
            row.reference,
            _side(row, row.llrsim),
            _side(row, row.reference_time),
            _ratio(row.ratio),
        )
    return table


def _side(row: Measured, seconds: Quartiles) -> str:
    return quantity(row.amount / seconds.median, row.unit) if row.amount else quantity(seconds.median, "s")


def _ratio(ratio: Quartiles | None) -> str:
    if ratio is None:
        return ""
    median, low, high = (
        f"{value:.0f}" if value >= 100 else f"{value:.3g}" for value in (ratio.median, ratio.low, ratio.high)
    )
    return f"{median} ({low} to {high})"


def _skipped(record: Record) -> Iterator[str]:
    for row in record.skipped:
        yield f"not measured: {row.name} against {row.reference}: {row.reason}"


def _surroundings(record: Record) -> Iterator[str]:
    machine = record.environment
    versions = versions_of(machine, "scikit-learn")
    yield f"ratio: the reference's time over llrsim's, larger is faster\n{versions}"
    for pool in machine["blas"]:
        about = f"{pool['internal_api']} {pool['version']}, {pool['architecture']}"
        yield f"BLAS: {about}, threads: {pool['num_threads']}"
    yield processor_of(machine)


def changes_shown(changes: tuple[Change, ...], elsewhere: list[str]) -> Group:
    """The change of every ratio, with those to note marked, and in what the machines differ."""
    table = Table(title="ratios, before and now")
    table.add_column("measurement", overflow="fold")
    for name in ("before", "now", "change", ""):
        table.add_column(name, justify="right", no_wrap=True)
    for change in changes:
        table.add_row(change.name, _ratio(change.before), _ratio(change.now), _relative(change), _mark(change))
    rule = f"marked: changes of more than {NOTED:.0%} where the quartiles of the two do not overlap"
    return Group(table, rule, *(f"measured on something else: {line}" for line in elsewhere))


def _relative(change: Change) -> str:
    if change.relative is None:
        return "gone" if change.now is None else "new"
    return f"{change.relative:+.0%}"


def _mark(change: Change) -> str:
    if not change.noted or change.relative is None:
        return ""
    return "faster" if change.relative > 0 else "slower"
