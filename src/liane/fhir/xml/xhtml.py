"""Is a narrative harmless XHTML, and how is it written as text again?

R4 allows in a narrative the formatting of HTML 4 and nothing that acts (rule txt-1 of
https://hl7.org/fhir/R4/narrative.html): no script, form, frame, event or style sheet.
"""

from __future__ import annotations

import re
from html import escape
from html.entities import html5
from urllib.parse import urlsplit

from lxml.etree import _Element as Element

from liane.base import safe_xml
from liane.base.errors import Invalid
from liane.fhir.narrative import plain_text

NAMESPACE = "http://www.w3.org/1999/xhtml"
_PREFIX = f"{{{NAMESPACE}}}"
_XML_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"

ELEMENTS = frozenset({
    "a", "abbr", "acronym", "address", "area", "b", "bdo", "big", "blockquote", "br", "caption",
    "cite", "code", "col", "colgroup", "dd", "del", "dfn", "div", "dl", "dt", "em", "h1", "h2",
    "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd", "li", "map", "ol", "p", "pre", "q",
    "samp", "small", "span", "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th",
    "thead", "tr", "tt", "u", "ul", "var",
})  # fmt: skip
ATTRIBUTES = frozenset({
    "abbr", "accesskey", "align", "alt", "axis", "border", "cellpadding", "cellspacing", "char",
    "charoff", "charset", "cite", "class", "colspan", "compact", "coords", "datetime", "dir",
    "frame", "headers", "height", "href", "hreflang", "id", "ismap", "lang", "longdesc", "name",
    "nohref", "nowrap", "rel", "rev", "rowspan", "rules", "scope", "shape", "span", "src",
    "start", "style", "summary", "tabindex", "target", "title", "type", "usemap", "valign",
    "value", "width",
})  # fmt: skip
_ADDRESSES = frozenset({"href", "src", "longdesc", "cite"})
_SCHEMES = frozenset({"", "http", "https", "mailto", "tel", "ftp", "urn", "data"})
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]{1,30});")
_OF_XML = frozenset({"amp", "lt", "gt", "quot", "apos"})
_STYLE = re.compile(
    r"expression\s*\(|javascript\s*:|@import|behavior\s*:|binding\s*:", re.IGNORECASE
)


def read(div: Element) -> str:
    """The XHTML text of a parsed narrative; raises `Invalid` for anything but formatting."""
    problem = trouble(div)
    if problem is not None:
        raise Invalid(
            "narrative-unsafe",
            f"Le texte lisible (div) contient « {problem} », qui n’est pas permis dans un "
            "narratif FHIR (règle txt-1).",
            f"The narrative (div) holds '{problem}', which a FHIR narrative may not (rule txt-1).",
            "Ne garder que la mise en forme : paragraphes, listes, tableaux, liens, images.",
            "Keep formatting only: paragraphs, lists, tables, links, images.",
        )
    return _text(div)


def embedded(text: str) -> str:
    """The narrative `text` as it may stand inside an XML document.

    Word for word when it is well-formed, harmless XHTML; otherwise its plain words, escaped.
    """
    known = _ENTITY.sub(_numeric, text)
    try:
        root = safe_xml.parse(known.encode("utf-8"))
    except (Invalid, UnicodeEncodeError):
        return _inert(text)
    if trouble(root) is not None:
        return _inert(text)
    if "<?" in known or not str(root.tag).startswith(_PREFIX):
        return _text(root)
    return known.strip()


def trouble(root: Element) -> str | None:
    """The first name in the narrative that R4 does not allow there, or None."""
    if _local(root) != "div":
        return _local(root)
    for element in root.iter():
        name = _local(element)
        if name not in ELEMENTS:
            return name
        for attribute, value in element.attrib.items():
            if not _harmless(str(attribute), str(value)):
                return f"{name}/@{attribute}"
    return None


def _harmless(attribute: str, value: str) -> bool:
    if attribute == _XML_LANGUAGE:
        return True
    if attribute not in ATTRIBUTES:
        return False
    if attribute in _ADDRESSES:
        return _scheme(value) in _SCHEMES
    return attribute != "style" or not _STYLE.search(value)


def _scheme(address: str) -> str:
    plain = "".join(sign for sign in address if sign > " ")
    if plain.lower().startswith("data:"):
        return "data" if plain.lower().startswith("data:image/") else "data-other"
    try:
        return urlsplit(plain).scheme.lower()
    except ValueError:
        return "unreadable"


def _local(element: Element) -> str:
    tag = str(element.tag)
    return tag.removeprefix(_PREFIX) if tag.startswith(_PREFIX) or "{" not in tag else tag


def _text(root: Element) -> str:
    parts: list[str] = []
    _write(root, parts, f' xmlns="{NAMESPACE}"')
    return "".join(parts)


def _write(element: Element, parts: list[str], declared: str = "") -> None:
    name = _local(element)
    attributes = "".join(
        f' {"xml:lang" if key == _XML_LANGUAGE else key}="{escape(str(value))}"'
        for key, value in element.attrib.items()
    )
    text = element.text or ""
    if not text and len(element) == 0:
        parts.append(f"<{name}{declared}{attributes}/>")
        return
    parts.append(f"<{name}{declared}{attributes}>{escape(text, quote=False)}")
    for child in element:
        _write(child, parts)
        parts.append(escape(child.tail or "", quote=False))
    parts.append(f"</{name}>")


def _numeric(match: re.Match[str]) -> str:
    name = match.group(1)
    signs = html5.get(f"{name};")
    if signs is None or name in _OF_XML:
        return match.group(0)
    return "".join(f"&#{ord(sign)};" for sign in signs)


def _inert(text: str) -> str:
    words = escape(plain_text(text), quote=False)
    return f'<div xmlns="{NAMESPACE}"><p>{words}</p></div>'
