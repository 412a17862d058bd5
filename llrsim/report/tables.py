"""Tables as HTML: headers with scope, in a box of their own that scrolls, long ones folded after their first rows."""

from __future__ import annotations

from collections.abc import Sequence

from .columns import Table
from .markup import Content, Markup, element, joined

SHORT = 12
"""Rows up to which a table is shown whole."""

FIRST = 6
"""Rows of a longer one that are shown before it is unfolded."""

PRINTED = 250
"""Rows above which a table is not unfolded on paper."""

MOST = 4000
"""Rows that a page holds of one table; the others stay in the folder."""


def folded(table: Table, caption: str, *, source: str) -> Markup:
    """The table, with its first rows to be seen and the others a click away; `source` says where all of them are."""
    count = len(table.rows)
    if count <= SHORT:
        return boxed(table.columns, table.rows, caption)
    held = table.rows[:MOST]
    note = f"All {count} rows" if len(held) == count else f"The first {MOST} of {count} rows; all are in {source}"
    long = count > PRINTED
    unfolded = element(
        "details",
        element("summary", note),
        boxed(table.columns, held, f"{caption}, {note[0].lower()}{note[1:]}"),
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
    return element("tr", element("th", first, scope="row"), *(element("td", cell) for cell in others))
