"""Figures inside a page: as SVG whose text stays text, or as PNG where the SVG would be larger than that is worth."""

from __future__ import annotations

import io
import re
from base64 import b64encode
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from matplotlib.figure import Figure

from ..plots import style
from .markup import Markup, element

LARGEST = 600_000
"""Characters of an SVG above which a figure is a PNG."""

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_HREF = f"{{{XLINK}}}href"
_FOREIGN = {f"{{{SVG}}}metadata", f"{{{SVG}}}style"}

# Names of methods and sweeps are not mathematics, whatever signs they hold.
_MORE: dict[str, Any] = {"svg.fonttype": "none", "svg.hashsalt": "llrsim", "text.parse_math": False}


def settings() -> AbstractContextManager[None]:
    """What figures for a page are made and written under."""
    return style.settings(**_MORE)


@dataclass(frozen=True)
class Picture:
    """A figure as HTML, and the question or title that is written over it."""

    title: str
    image: Markup


def picture(draw: Callable[[], Figure], name: str) -> Picture:
    """The figure that `draw` makes; `name`, unique in the page, keeps its ids apart from those of the others.

    In place of one that cannot be drawn stands the reason, so that the tables beside it are not lost with it.
    """
    try:
        return _drawn(draw, name)
    except Exception as error:
        return Picture("", element("p", f"This figure could not be drawn ({type(error).__name__}: {error})."))


def _drawn(draw: Callable[[], Figure], name: str) -> Picture:
    with settings():
        figure = draw()
        title = "; ".join(figure.get_suptitle().splitlines())
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
        image = inlined(file.getvalue(), title, name)
        if len(image) > LARGEST:
            file = io.BytesIO()
            figure.savefig(file, format="png", dpi=200, metadata={"Software": None})
            data = b64encode(file.getvalue()).decode()
            image = element("img", src=f"data:image/png;base64,{data}", alt=title)
    return Picture(title, image)


def inlined(svg: bytes, title: str, name: str) -> Markup:
    """An SVG file as an element of a page: with a title, without metadata and styles of its own.

    Of its ids only those stay that it refers to itself, with `name` before them.
    """
    root = ElementTree.fromstring(svg)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in _FOREIGN:
                parent.remove(child)
    used = {reference for node in root.iter() for item in node.attrib.items() for reference in _references(*item)}
    for node in root.iter():
        if node.get("id", "") not in used:
            node.attrib.pop("id", None)
        for key, value in node.attrib.items():
            for reference in [value] if key == "id" else _references(key, value):
                value = value.replace(reference, f"{name}-{reference}")
            node.set(key, value)
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.set("role", "img")
    root.set("aria-labelledby", f"{name}-title")
    told = ElementTree.Element(f"{{{SVG}}}title", {"id": f"{name}-title"})
    told.text = title
    root.insert(0, told)
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _references(key: str, value: str) -> list[str]:
    """The ids that an attribute refers to, as `#id` in a link and `url(#id)` elsewhere."""
    return [value[1:]] if key == _HREF else re.findall(r"url\(#([^)]+)\)", value)
