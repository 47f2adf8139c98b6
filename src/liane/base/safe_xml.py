"""How is XML from outside read so that it can neither reach the disk, nor the network, nor swell?

A document type declaration is refused where it starts: with it go external entities, entity
expansion and external DTDs. Depth and size are limited; base64 texts of tens of megabytes pass.
"""

from __future__ import annotations

from typing import cast

from lxml import etree
from lxml.etree import _Element as Element

from liane.base.errors import Invalid

LIMIT_BYTES = 64 * 1024 * 1024
LIMIT_DEPTH = 100
LIMIT_NODES = 2_000_000

_XINCLUDE = "{http://www.w3.org/2001/XInclude}"
_XSLT = "{http://www.w3.org/1999/XSL/Transform}"


class _Guard:
    """A parser target that counts depth and nodes while the tree is built."""

    def __init__(self, depth: int, nodes: int, namespaces: tuple[str, ...]) -> None:
        self._refused_namespaces = namespaces
        self._builder = etree.TreeBuilder()
        self._depth_limit = depth
        self._nodes_left = nodes
        self._depth = 0
        self._refusal: Invalid | None = None

    def _refuse(self, code: str, french: str, english: str) -> Invalid:
        """Remember the refusal: lxml closes the target before it lets an exception through."""
        self._refusal = _refused(code, french, english)
        return self._refusal

    def start(self, tag: str, attributes: dict[str, str], nsmap: dict[str, str]) -> object:
        self._depth += 1
        self._nodes_left -= 1
        if self._depth > self._depth_limit:
            raise self._refuse(
                "xml-too-deep",
                f"Ce XML est imbriqué sur plus de {self._depth_limit} niveaux.",
                f"This XML nests deeper than {self._depth_limit} levels.",
            )
        if self._nodes_left < 0:
            raise self._refuse(
                "xml-too-many-nodes",
                "Ce XML contient trop d’éléments.",
                "This XML holds too many elements.",
            )
        if tag.startswith(self._refused_namespaces):
            raise self._refuse(
                "xml-active",
                "XInclude et XSLT ne sont pas acceptés.",
                "XInclude and XSLT are not accepted.",
            )
        # lxml announces the default namespace as '' and wants it back as None.
        prefixes = {prefix or None: uri for prefix, uri in nsmap.items()}
        # Without entity resolution libxml2 announces every '&' of an attribute as '&#38;'.
        plain = {name: value.replace("&#38;", "&") for name, value in attributes.items()}
        return self._builder.start(tag, plain, prefixes)

    def end(self, tag: str) -> object:
        self._depth -= 1
        return self._builder.end(tag)

    def data(self, data: str) -> None:
        self._builder.data(data)

    def doctype(self, *_: str | None) -> None:
        """Called where the declaration starts, before anything in it is believed."""
        raise self._refuse(
            "xml-doctype",
            "Une déclaration DOCTYPE n’est pas acceptée.",
            "A DOCTYPE declaration is not accepted.",
        )

    def comment(self, text: str) -> None:
        """Comments are not kept."""

    def pi(self, target: str, data: str | None = None) -> None:
        """Processing instructions (style sheets among them) are not kept."""

    def close(self) -> Element:
        if self._refusal is not None:
            raise self._refusal
        try:
            return cast("Element", self._builder.close())
        except etree.XMLSyntaxError:
            # Asked too early, because the parser has stopped: it says itself where and why.
            return etree.Element("unfinished")


def parse(
    data: bytes,
    *,
    limit_bytes: int = LIMIT_BYTES,
    depth: int = LIMIT_DEPTH,
    style_sheets: bool = False,
) -> Element:
    """The root element of `data`, comments and processing instructions left out.

    Raises `Invalid` for a DOCTYPE, an encoding that cannot be read, malformed XML, more than
    `limit_bytes`, more than `depth` levels, XInclude, or XSLT unless `style_sheets` (a French
    self-presenting document stands inside its own style sheet, which is never run).
    """
    if len(data) > limit_bytes:
        raise _refused(
            "xml-too-large",
            f"Ce XML dépasse la limite de {limit_bytes} octets.",
            f"This XML is larger than the limit of {limit_bytes} bytes.",
        )
    namespaces = (_XINCLUDE,) if style_sheets else (_XINCLUDE, _XSLT)
    parser = etree.XMLParser(
        target=_Guard(depth, LIMIT_NODES, namespaces),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        # Only lifts the limit on one text (10 MB), which a scanned letter in base64 exceeds. The
        # limits it also lifts are held above: no DOCTYPE, so no entity; depth and nodes counted.
        huge_tree=len(data) > 8_000_000,
    )
    try:
        return cast("Element", etree.fromstring(data, parser))
    except (etree.XMLSyntaxError, LookupError, ValueError) as problem:
        raise _refused(
            "xml-malformed",
            f"Ce XML est mal formé ({problem}).",
            f"This XML is malformed ({problem}).",
        ) from None


def _refused(code: str, french: str, english: str) -> Invalid:
    return Invalid(code, french, english)
