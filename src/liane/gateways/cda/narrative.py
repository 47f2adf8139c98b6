"""How does a narrative block of a section become plain HTML? (CDA R2, section 4.3.5)

Every element of the narrative schema has its one line here; any other element is passed over and
its words are kept. Attributes are rebuilt, never copied.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from lxml.etree import _Element as Element

from liane.base.i18n import Translator
from liane.base.text import visible
from liane.gateways.cda.codec import NS

LIMIT_SPAN = 100
LIMIT_DEPTH = 60

_PLAIN = {
    "paragraph": "p",
    "item": "li",
    "thead": "thead",
    "tbody": "tbody",
    "tfoot": "tfoot",
    "tr": "tr",
    "sub": "sub",
    "sup": "sup",
    "footnote": "small",
}
_STYLES = {
    "bold": "strong",
    "italics": "em",
    "emphasis": "em",
    "underline": "u",
    "highlight": "mark",
}
_ALIGNED = {"left", "right", "center"}


class Narrative:
    """Turns narrative blocks of one section into HTML; `pictures` are data addresses by ID."""

    def __init__(self, pictures: Mapping[str, str], t: Translator) -> None:
        self._pictures = pictures
        self._t = t

    def html(self, text: Element) -> str:
        """The HTML of a `text` element."""
        return f'<div class="cda-text">{self._inside(text, 0)}</div>'

    def _inside(self, element: Element, depth: int) -> str:
        parts = [_words(element.text)]
        if depth < LIMIT_DEPTH:
            for child in element:
                parts += (self._element(child, depth + 1), _words(child.tail))
        else:
            parts.append(_words("".join(str(t) for t in element.itertext())))
        return "".join(parts)

    def _element(self, element: Element, depth: int) -> str:
        name = str(element.tag).removeprefix(NS)
        if name == "br":
            return "<br>"
        if name == "renderMultiMedia":
            return self._picture(element) + self._inside(element, depth)
        inner = self._inside(element, depth)
        if name in _PLAIN:
            return f"<{_PLAIN[name]}>{inner}</{_PLAIN[name]}>"
        match name:
            case "content":
                return _styled(element, inner)
            case "caption":
                return self._caption(element, inner)
            case "list":
                tag = "ol" if element.get("listType") == "ordered" else "ul"
                return f"<{tag}>{inner}</{tag}>"
            case "table":
                return f'<div class="cda-table"><table>{inner}</table></div>'
            case "td" | "th":
                return f"<{name}{_spans(element)}>{inner}</{name}>"
            case "linkHtml":
                return _link(element, inner)
            case "col" | "colgroup":
                return ""
        return inner

    def _caption(self, element: Element, inner: str) -> str:
        parent = element.getparent()
        inside_table = parent is not None and str(parent.tag) == f"{NS}table"
        return f"<caption>{inner}</caption>" if inside_table else f"<strong>{inner}</strong> "

    def _picture(self, element: Element) -> str:
        shown = []
        for reference in (element.get("referencedObject") or "").split():
            address = self._pictures.get(reference)
            if address is None:
                words = escape(self._t("cda.picture.missing"))
                shown.append(f'<span class="cda-missing">{words}</span>')
            else:
                shown.append(f'<img class="cda-picture" alt="" src="{address}">')
        return "".join(shown)


def _words(text: str | None) -> str:
    return "" if not text else escape(visible(text))


def _styled(element: Element, inner: str) -> str:
    for code in (element.get("styleCode") or "").lower().split():
        tag = _STYLES.get(code)
        if tag is not None:
            inner = f"<{tag}>{inner}</{tag}>"
    if element.get("revised") == "delete":
        inner = f"<del>{inner}</del>"
    elif element.get("revised") == "insert":
        inner = f"<ins>{inner}</ins>"
    return inner


def _spans(element: Element) -> str:
    made = ""
    for name in ("colspan", "rowspan"):
        value = element.get(name) or ""
        if value.isascii() and value.isdecimal() and 1 < int(value[:4]) <= LIMIT_SPAN:
            made += f' {name}="{int(value[:4])}"'
    align = (element.get("align") or "").lower()
    if align in _ALIGNED:
        made += f' class="cda-{align}"'
    return made


def _link(element: Element, inner: str) -> str:
    """A link is shown, not offered: its words, then the address a reader may copy."""
    address = visible(element.get("href") or "").strip()
    if address.lower().startswith(("https://", "http://")) and len(address) < 500:
        return f'{inner} <span class="cda-address">({escape(address)})</span>'
    return inner
