"""Tables as HTML: headers with scope, in a box of their own that scrolls, long ones folded after their first rows."""

from __future__ import annotations

from collections.abc import Sequence

from .columns import Table
from .markup import Content, Markup, element, joined

SHORT = 12
"""Rows up to which a table is shown whole."""

FIRST = 6
"""Rows of a longer one that are shown before it is unfolded."""

PRINTED = 120
"""Rows above which a table is not unfolded on paper."""

TEXT = 40
"""Characters above which a cell is a text, not a name or a number."""

MOST = 4000
"""Rows that a page holds of one table; the others stay in the folder."""


def folded(table: Table, caption: str, *, source: str) -> Markup:
    """The table, with its first rows to be seen and the others a click away; `source` says where all of them are."""
    count = len(table.rows)
    if count <= SHORT:
        return boxed(table.columns, table.rows, caption)
    held = table.rows[:MOST]
    note = f"all {count} rows" if len(held) == count else f"the first {MOST} of {count} rows; all are in {source}"
    long = count > PRINTED
    unfolded = element(
        "details",
        element("summary", f"{caption}: {note}"),
        boxed(table.columns, held, f"{caption}, {note}"),
        class_="long" if long else None,
    )
    first = boxed(table.columns, table.rows[:FIRST], f"{caption}, first {FIRST} of {count} rows", sortable=False)
    paper = element("p", f"The other rows are not printed; all are in {source}.", class_="paper") if long else Markup()
    return joined(unfolded, element("div", first, paper, class_="first"), between="\n")


def boxed(
    columns: Sequence[Content], rows: Sequence[Sequence[Content]], caption: str, *, sortable: bool = True
) -> Markup:
    """A table in a box that scrolls by itself, by keyboard too."""
    head = element("tr", *(element("th", name, scope="col") for name in columns))
    body = joined(*(_line(row) for row in rows), between="\n")
    whole = element(
        "table",
        element("caption", caption),
        element("thead", head),
        element("tbody", body),
        class_="sortable" if sortable and len(rows) > 1 else None,
    )
    return element("div", whole, class_="box", tabindex=0, role="region", aria_label=caption)


def _line(row: Sequence[Content]) -> Markup:
    first, *others = row
    cells = (element("td", cell, class_=_kind(cell)) for cell in others)
    return element("tr", element("th", first, scope="row", class_=_kind(first)), *cells)


def _kind(cell: Content) -> str | None:
    """The class of a cell with a text to be read, which may take several lines."""
    return "text" if isinstance(cell, str) and not isinstance(cell, Markup) and len(cell) > TEXT else None
