"""HTML from elements. Whatever is not `Markup` is text and is escaped, so that no text of a folder becomes a tag."""

from __future__ import annotations

from html import escape

VOID = frozenset({"meta"})
"""Elements without an end."""


class Markup(str):
    """Text that is HTML already."""


Content = str | int | None
"""What an element holds: Markup as it is, other text escaped, nothing for None."""


def markup(content: Content) -> Markup:
    """HTML of any content.

    >>> markup("<b>"), markup(Markup("<b>")), markup(None)
    ('&lt;b&gt;', '<b>', '')
    """
    if content is None:
        return Markup()
    if isinstance(content, Markup):
        return content
    # A folder's name may hold bytes that are not UTF-8, which Python keeps as surrogates.
    return Markup(escape(str(content).encode("utf-8", "replace").decode("utf-8")))


def joined(*contents: Content, between: str = "") -> Markup:
    """Contents one after the other."""
    return Markup(between.join(markup(content) for content in contents))


def element(name: str, /, *contents: Content, **attributes: str | int | None) -> Markup:
    """An element; `class_` stands for class and `aria_label` for aria-label, and None leaves an attribute out.

    >>> element("td", "1 < 2", class_="number", colspan=2, id=None)
    '<td class="number" colspan="2">1 &lt; 2</td>'
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{markup(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{given}>" if name in VOID else f"<{name}{given}>{joined(*contents)}</{name}>")
