"""Which values of an element can a search be asked about? (R4 section 3.1.1, search)

One small function per pair of search kind and datatype. The generated extractors call them with
the collecting `Extracted`, the names of the parameters the element answers, and its value.
Intervals are half open; an open end is None.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

from liane.fhir.dates import interval
from liane.fhir.references import Reference, parse

Json = dict[str, Any]
Names = tuple[str, ...]
_CURRENCY = "urn:iso:std:iso:4217"
# Beyond this power of ten a number is kept in the body but cannot be searched.
_LARGEST_EXPONENT = 100


class Token(NamedTuple):
    """A code, an identifier or a truth value."""

    param: str
    system: str | None
    code: str | None


class Ref(NamedTuple):
    """What a reference points to: type and id here, a business identifier, or a URL elsewhere."""

    param: str
    type: str | None
    id: str | None
    identifier: tuple[str | None, str] | None = None
    url: str | None = None


class Text(NamedTuple):
    """A string as written."""

    param: str
    text: str


class Span(NamedTuple):
    """The instants a date can mean, `low` included, `high` not; None is open."""

    param: str
    low: datetime | None
    high: datetime | None


class Amount(NamedTuple):
    """A number or quantity; `low` and `high` differ from `value` for ranges and comparators."""

    param: str
    value: Decimal | None
    low: Decimal | None
    high: Decimal | None
    system: str | None = None
    code: str | None = None
    unit: str | None = None
    """The unit as people read it, where it is not the code."""


class Uri(NamedTuple):
    """A URI compared as a whole."""

    param: str
    uri: str


Value = Token | Ref | Text | Span | Amount | Uri


class Composite(NamedTuple):
    """Values that stand together in one place of a resource."""

    param: str
    parts: tuple[Value, ...]


class Extracted:
    """Everything of one resource that a search can be asked about."""

    __slots__ = (
        "_resource",
        "at",
        "composites",
        "dates",
        "numbers",
        "patient",
        "references",
        "strings",
        "tokens",
        "uris",
    )

    def __init__(self, resource: Json | None = None) -> None:
        self._resource = resource
        self.patient: str | None = None
        self.at: datetime | None = None
        self.tokens: list[Token] = []
        self.references: list[Ref] = []
        self.strings: list[Text] = []
        self.dates: list[Span] = []
        self.numbers: list[Amount] = []
        self.uris: list[Uri] = []
        self.composites: list[Composite] = []

    def __bool__(self) -> bool:
        return any((self.tokens, self.numbers, self.strings, self.dates, self.references))

    def values(self) -> Iterable[Value]:
        """Every simple value, kinds in a fixed order."""
        yield from self.tokens
        yield from self.references
        yield from self.strings
        yield from self.dates
        yield from self.numbers
        yield from self.uris

    @property
    def text(self) -> str:
        """The words a person would read in the resource, for full-text search."""
        from liane.fhir.narrative import words

        return words(self._resource or {})


def token_code(o: Extracted, names: Names, value: str, system: str | None) -> None:
    """A `code`, with the system its required value set implies."""
    for name in names:
        o.tokens.append(Token(name, system, value))


def token_text(o: Extracted, names: Names, value: str) -> None:
    """A string, id or URI searched as a token."""
    for name in names:
        o.tokens.append(Token(name, None, value))


def token_boolean(o: Extracted, names: Names, value: bool) -> None:
    """A truth value."""
    for name in names:
        o.tokens.append(Token(name, None, "true" if value else "false"))


def token_coding(o: Extracted, names: Names, value: Json) -> None:
    """A Coding."""
    code = value.get("code")
    if code is not None:
        system = value.get("system")
        for name in names:
            o.tokens.append(Token(name, system, code))


def token_concept(o: Extracted, names: Names, value: Json) -> None:
    """Each Coding of a CodeableConcept."""
    for coding in value.get("coding", ()):
        token_coding(o, names, coding)


def token_identifier(o: Extracted, names: Names, value: Json) -> None:
    """An Identifier, and under `name:of-type` its value qualified by its type's codes."""
    text = value.get("value")
    if text is None:
        return
    system = value.get("system")
    for name in names:
        o.tokens.append(Token(name, system, text))
    for coding in value.get("type", {}).get("coding", ()):
        code = coding.get("code")
        if code is not None:
            for name in names:
                of_type = f"{name}:of-type"
                o.tokens.append(Token(of_type, coding.get("system"), f"{code}|{text}"))


def token_contact(o: Extracted, names: Names, value: Json) -> None:
    """A telephone number or address of a ContactPoint."""
    text = value.get("value")
    if text is not None:
        for name in names:
            o.tokens.append(Token(name, None, text))


@lru_cache(maxsize=16384)
def _parsed(text: str) -> Reference:
    return parse(text)


def reference(o: Extracted, names: Names, value: Json, target: str | None = None) -> None:
    """A Reference; with `target`, only when it points to that type (`resolve() is T`)."""
    literal = value.get("reference")
    identifier = value.get("identifier")
    known = value.get("type")
    type_ = id_ = url = None
    if literal is not None:
        parts = _parsed(literal)
        known = parts.type or known
        if parts.local:
            type_, id_ = parts.type, parts.id
        elif parts.fragment is None:
            url = parts.url
    if target is not None and known != target:
        return
    business = None
    if identifier is not None and identifier.get("value") is not None:
        business = (identifier.get("system"), identifier["value"])
    if id_ is None and url is None and business is None:
        return
    for name in names:
        o.references.append(Ref(name, type_ or known, id_, business, url))


def reference_url(o: Extracted, names: Names, value: str) -> None:
    """A canonical or uri; one that names a resource of this server is found by its id too."""
    parts = _parsed(value)
    for name in names:
        if parts.local:
            o.references.append(Ref(name, parts.type, parts.id, None, value))
        elif parts.fragment is None:
            o.references.append(Ref(name, None, None, None, value))


def reference_inline(o: Extracted, names: Names, value: Json) -> None:
    """A resource that stands in place (the first entry of a Bundle)."""
    for name in names:
        o.references.append(Ref(name, value.get("resourceType"), value.get("id")))


def string_text(o: Extracted, names: Names, value: str) -> None:
    """A string."""
    for name in names:
        o.strings.append(Text(name, value))


_NAME_PARTS = ("family", "text", "given", "prefix", "suffix")
_ADDRESS_PARTS = ("line", "city", "district", "state", "country", "postalCode", "text")


def string_name(o: Extracted, names: Names, value: Json) -> None:
    """Every part of a HumanName."""
    _parts(o, names, value, _NAME_PARTS)


def string_address(o: Extracted, names: Names, value: Json) -> None:
    """Every part of an Address."""
    _parts(o, names, value, _ADDRESS_PARTS)


def string_concept(o: Extracted, names: Names, value: Json) -> None:
    """The words of a CodeableConcept."""
    _parts(o, names, value, ("text",))
    for coding in value.get("coding", ()):
        _parts(o, names, coding, ("display",))


def _parts(o: Extracted, names: Names, value: Json, keys: Names) -> None:
    for key in keys:
        part = value.get(key)
        if part is None:
            continue
        for text in part if type(part) is list else (part,):
            if text is not None:
                for name in names:
                    o.strings.append(Text(name, text))


def date_point(o: Extracted, names: Names, value: str) -> None:
    """A date, dateTime or instant."""
    low, high = interval(value)
    for name in names:
        o.dates.append(Span(name, low, high))


def date_period(o: Extracted, names: Names, value: Json) -> None:
    """A Period, open where it has no start or end."""
    start, end = value.get("start"), value.get("end")
    low = interval(start)[0] if start is not None else None
    high = interval(end)[1] if end is not None else None
    if low is not None or high is not None:
        for name in names:
            o.dates.append(Span(name, low, high))


def date_timing(o: Extracted, names: Names, value: Json) -> None:
    """The outer bounds of a Timing: its events and its repetition."""
    spans = [interval(event) for event in value.get("event", ()) if event is not None]
    if spans:
        low, high = min(low for low, _ in spans), max(high for _, high in spans)
        for name in names:
            o.dates.append(Span(name, low, high))
    bounds = value.get("repeat", {}).get("boundsPeriod")
    if bounds is not None:
        date_period(o, names, bounds)


def _decimal(value: Decimal | int | None) -> Decimal | None:
    if value is None:
        return None
    number_ = Decimal(value)
    if number_ and abs(number_.adjusted()) > _LARGEST_EXPONENT:
        return None
    return number_


def number(o: Extracted, names: Names, value: Decimal | int) -> None:
    """An integer or decimal."""
    amount = _decimal(value)
    if amount is not None:
        for name in names:
            o.numbers.append(Amount(name, amount, amount, amount))


def quantity(o: Extracted, names: Names, value: Json) -> None:
    """A Quantity; `<5` reaches from nothing up to 5. The unit stands in where no code does."""
    amount = _decimal(value.get("value"))
    if amount is None:
        return
    comparator = value.get("comparator")
    low = None if comparator in ("<", "<=") else amount
    high = None if comparator in (">", ">=") else amount
    system = value.get("system")
    read = value.get("unit")
    code = value.get("code") or read
    if read == code:
        read = None
    for name in names:
        o.numbers.append(Amount(name, amount, low, high, system, code, read))


def quantity_range(o: Extracted, names: Names, value: Json) -> None:
    """A Range."""
    ends = value.get("low", {}), value.get("high", {})
    low, high = (_decimal(end.get("value")) for end in ends)
    if low is None and high is None:
        return
    unit = ends[0] or ends[1]
    for name in names:
        amount = Amount(name, None, low, high, unit.get("system"), unit.get("code"))
        o.numbers.append(amount)


def money(o: Extracted, names: Names, value: Json) -> None:
    """A Money, its currency as the code."""
    amount = _decimal(value.get("value"))
    if amount is not None:
        currency = value.get("currency")
        for name in names:
            o.numbers.append(Amount(name, amount, amount, amount, _CURRENCY, currency))


def uri(o: Extracted, names: Names, value: str) -> None:
    """A URI."""
    for name in names:
        o.uris.append(Uri(name, value))


def composite(o: Extracted, names: Names, *parts: Extracted) -> None:
    """Every combination of the values found in one place."""
    for combination in product(*(list(part.values()) for part in parts)):
        for name in names:
            o.composites.append(Composite(name, combination))
