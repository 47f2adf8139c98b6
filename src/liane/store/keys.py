"""Under which keys is a resource filed, so that each question finds it?

Every value is turned into a 64-bit hash of tenant, type, parameter, form and value. A row keeps
all its hashes (`keys`); only one per value also stands in the index `record.ix`. A question drives
by the index and then asks the row for the exact form. Reading and writing share this module, so
they cannot disagree. `record.key_of` makes the same hash in the database, so that a chain of
references is one join and never a list of ids carried to and fro.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, lru_cache
from hashlib import sha256
from typing import Any

from liane.base.text import fold, phonetic_fr
from liane.fhir import definitions, ucum
from liane.fhir.extraction import Amount, Composite, Extracted, Ref, Span, Text, Token, extract
from liane.store import custom_values

TEXT_LIMIT = 160
"""Characters of a folded string that the index keeps; a longer one is found by its beginning."""
LONG_SPAN_MS = 31 * 86_400_000
OPEN_LOW = -(1 << 62)
OPEN_HIGH = 1 << 62
INFINITE = 1e300

# Types whose letters and notes are searched by their words.
WORDED = frozenset(
    {
        "AllergyIntolerance", "CarePlan", "ClinicalImpression", "Communication", "Composition",
        "Condition", "DiagnosticReport", "DocumentReference", "FamilyMemberHistory", "Flag",
        "Goal", "ImagingStudy", "Media", "MedicationRequest", "Procedure",
        "QuestionnaireResponse", "RiskAssessment", "ServiceRequest",
    }
)  # fmt: skip


def told(tenant: int, type_: str, param: str, form: str, *parts: str | None) -> str:
    """The text that `key` and `record.key_of` hash; `None` and the empty text are different."""
    values = "\x1f".join("\x01" if part is None else part for part in parts)
    return f"{tenant}\x1e{type_}\x1e{param}\x1e{form}\x1e{values}"


@lru_cache(maxsize=131_072)
def key(tenant: int, type_: str, param: str, form: str, *parts: str | None) -> int:
    """The hash of one value in one form."""
    text = told(tenant, type_, param, form, *parts)
    digest = sha256(text.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def milliseconds(at: datetime) -> int:
    """Milliseconds since 1970, also before it."""
    delta = at - datetime(1970, 1, 1, tzinfo=UTC)
    return delta.days * 86_400_000 + delta.seconds * 1000 + delta.microseconds // 1000


def order_of(at: datetime | None) -> int:
    """The place of a resource in an index, newest first; undated ones stand before all others,
    as PostgreSQL sorts them, so that they are seen rather than buried.
    """
    return OPEN_LOW if at is None else -milliseconds(at)


@cache
def one_patient(type_: str) -> str | None:
    """The element (`subject` or `patient`) that names at most one patient, if the type has it.

    For these types the column `patient` answers questions about the patient by itself.
    """
    ties = definitions.resources().get(type_, {}).get("patient", ())
    elements = definitions.elements(type_)
    for name in ("subject", "patient"):
        element = elements.get(name)
        if element is not None and element.maximum == 1 and set(ties) & {"subject", "patient"}:
            return name
    return None


@dataclass(slots=True)
class Keys:
    """All keys of one resource."""

    patient: str | None = None
    at: datetime | None = None
    all: set[int] = field(default_factory=set)
    indexed: set[int] = field(default_factory=set)
    dates: set[tuple[int, int, int]] = field(default_factory=set)
    numbers: set[tuple[int, float, float]] = field(default_factory=set)
    texts: set[tuple[int, str]] = field(default_factory=set)
    words: str | None = None


def keys_of(tenant: int, resource: dict[str, Any]) -> Keys:
    """The keys of `resource`, whose `id` must be set."""
    return _Filing(tenant, resource["resourceType"]).file(resource)


def keys_of_values(tenant: int, type_: str, found: Extracted) -> Keys:
    """The keys of some values of a resource, for an index that is made or taken down."""
    return _Filing(tenant, type_).file_values(found)


class _Filing:
    def __init__(self, tenant: int, type_: str) -> None:
        self.tenant = tenant
        self.type = type_
        self.keys = Keys()

    def file(self, resource: dict[str, Any]) -> Keys:
        found = extract(resource)
        custom_values.add(self.tenant, self.type, resource, found)
        keys = self.keys
        if found.at is not None:
            keys.at = found.at.replace(microsecond=found.at.microsecond // 1000 * 1000)
        keys.patient = self._patient(found)
        self._index(self._key("_type", "all"))
        self.file_values(found)
        if self.type == "Location" and "position" in resource:
            self._position(resource["position"])
        keys.words = _words(resource, found)
        return keys

    def file_values(self, found: Extracted) -> Keys:
        """The keys of the values alone."""
        for token in found.tokens:
            self._token(token)
        for ref in found.references:
            self._reference(ref)
        for text in found.strings:
            self._string(text.param, text.text)
        for span in found.dates:
            self._date(span)
        for amount in found.numbers:
            self._amount(amount)
        for uri in found.uris:
            self._uri(uri.param, uri.uri)
        for composite in found.composites:
            self._composite(composite)
        return self.keys

    def _patient(self, found: Extracted) -> str | None:
        name = one_patient(self.type)
        if name is not None:
            for ref in found.references:
                if ref.param in (name, "patient") and ref.type == "Patient" and ref.id:
                    return ref.id
        return found.patient

    def _key(self, param: str, form: str, *parts: str | None) -> int:
        return key(self.tenant, self.type, param, form, *parts)

    def _present(self, param: str) -> None:
        self.keys.all.add(self._key(param, "present"))

    def _index(self, hashed: int) -> None:
        self.keys.all.add(hashed)
        self.keys.indexed.add(hashed)

    def _token(self, token: Token) -> None:
        if token.param.startswith("combo-"):
            return  # asked as the plain parameter or its component- sibling
        self._present(token.param)
        code, system = token.code, token.system
        if code is not None:
            self._index(self._key(token.param, "c", code))
            self.keys.all.add(self._key(token.param, "sc", system, code))
        if system is not None:
            self.keys.all.add(self._key(token.param, "s", system))

    def _reference(self, ref: Ref) -> None:
        self._present(ref.param)
        if ref.id is not None and ref.type is not None:
            hashed = self._key(ref.param, "r", ref.type, ref.id)
            self.keys.all.add(hashed)
            if not (ref.param in ("subject", "patient") and self._is_the_patient(ref)):
                self.keys.indexed.add(hashed)
        if ref.identifier is not None:
            system, value = ref.identifier
            self._index(self._key(ref.param, "ri", value))
            self.keys.all.add(self._key(ref.param, "rsi", system, value))
        if ref.url is not None:
            self._index(self._key(ref.param, "ru", ref.url))
            plain, bar, _ = ref.url.partition("|")
            if bar:
                self._index(self._key(ref.param, "ru", plain))

    def _uri(self, param: str, uri: str) -> None:
        self._present(param)
        self._index(self._key(param, "u", uri))
        plain, bar, _ = uri.partition("|")
        if bar:
            self._index(self._key(param, "u", plain))
        if not param.startswith("_"):
            # In order, for `:below`; the few of every type (`_profile`) are looked for in the body.
            self.keys.texts.add((self._key(param, "ut"), uri[:TEXT_LIMIT].replace("\0", "")))

    def _position(self, position: dict[str, Any]) -> None:
        """Latitude and longitude, for `near`."""
        for axis in ("latitude", "longitude"):
            if position.get(axis) is not None:
                degrees = float(position[axis])
                self.keys.numbers.add((self._key("near", axis), degrees, degrees))
        self._present("near")

    def _is_the_patient(self, ref: Ref) -> bool:
        same = ref.type == "Patient" and ref.id == self.keys.patient
        return same and one_patient(self.type) is not None

    def _string(self, param: str, text: str) -> None:
        self._present(param)
        self.keys.all.add(self._key(param, "x", text))
        self._text(self._key(param, "t"), text, sounding=param == "phonetic")

    def _text(self, hashed: int, text: str, *, sounding: bool = False) -> None:
        folded = folded_text(text, sounding=sounding)
        if folded:
            self.keys.texts.add((hashed, folded))

    def _date(self, span: Span) -> None:
        self._present(span.param)
        low, high, form = _stretch(span)
        self.keys.dates.add((self._key(span.param, form), low, high))

    def _amount(self, amount: Amount) -> None:
        if amount.param.startswith("combo-"):
            return
        self._present(amount.param)
        self._number(amount.param, "n", "q", amount)
        if amount.code is not None:
            self.keys.all.add(self._key(amount.param, "unit", amount.system, amount.code))
        if amount.unit is not None:
            self.keys.all.add(self._key(amount.param, "unit", None, amount.unit))

    def _number(self, param: str, plain: str, measured: str, amount: Amount, *within: str) -> None:
        """The number as it stands, and as an amount of its unit (of the canonical one in UCUM)."""
        low, high = _bounds(amount)
        numbers = self.keys.numbers
        numbers.add((self._key(param, number_form(plain, low, high), *within), low, high))
        if amount.code is None:
            return
        unit, low, high = measured_in(amount.system, amount.code, amount.low, amount.high)
        numbers.add((self._key(param, number_form(measured, low, high), *within, unit), low, high))

    def _composite(self, composite: Composite) -> None:
        param = composite.param
        if param.startswith("combo-"):
            return
        first, second, *rest = composite.parts
        if not isinstance(first, Token) or first.code is None:
            return
        self._present(param)
        self.keys.all.add(self._key(param, "sc", first.system, first.code))
        code = first.code
        match second:
            case Amount() if rest:
                last = rest[0]
                if isinstance(last, Amount):
                    low, high = _bounds(second)[0], _bounds(last)[1]
                    self.keys.numbers.add((self._key(param, "cnn", code), low, high))
            case Amount():
                self._token_amount(param, first, second)
            case Token():
                self._token_token(param, first, second)
            case Span():
                low, high, form = _stretch(second)
                self.keys.dates.add((self._key(param, f"c{form}", code), low, high))
            case Text():
                self._text(self._key(param, "ct", code), second.text)
            case Ref():
                self._index(self._key(param, "cr", code, second.type, second.id))

    def _token_amount(self, param: str, token: Token, amount: Amount) -> None:
        """The number is filed under its code: a question about both is one range."""
        self._number(param, "cn", "cq", amount, token.code or "")
        if amount.code is not None:
            self.keys.all.add(self._key(param, "cu", token.code, amount.system, amount.code))

    def _token_token(self, param: str, first: Token, second: Token) -> None:
        self._index(self._key(param, "cc", first.code, second.code))
        for a in {None, first.system}:
            for b in {None, second.system}:
                self.keys.all.add(self._key(param, "scsc", a, first.code, b, second.code))


def number_form(form: str, low: float, high: float) -> str:
    """Single numbers and ranges are filed apart, so that a comparison reads one end of an index."""
    return form if low == high else f"{form}-range"


def folded_text(text: str, *, sounding: bool = False) -> str:
    """A string as it is filed and asked: folded, cut, or as it sounds (`phonetic`)."""
    folded = phonetic_fr(text) if sounding else fold(text)
    return folded[:TEXT_LIMIT].replace("\0", "")


def measured_in(
    system: str | None, code: str, low: Decimal | None, high: Decimal | None
) -> tuple[str, float, float]:
    """An amount in the canonical unit when UCUM has one, else in the unit it came with."""
    known = ucum.unit(code) if system in (None, ucum.SYSTEM) else None
    if known is None:
        return code, *_as_floats(low, high)
    return (
        f"={known.base}",
        *_as_floats(
            None if low is None else known.of(low), None if high is None else known.of(high)
        ),
    )


def _as_floats(low: Decimal | None, high: Decimal | None) -> tuple[float, float]:
    return (
        -INFINITE if low is None else float(low),
        INFINITE if high is None else float(high),
    )


def _stretch(span: Span) -> tuple[int, int, str]:
    """Beginning and end in milliseconds, and whether it is filed with the short or the long."""
    low = OPEN_LOW if span.low is None else milliseconds(span.low)
    high = OPEN_HIGH if span.high is None else max(milliseconds(span.high), low + 1)
    return low, high, "long" if high - low > LONG_SPAN_MS else "short"


def _bounds(amount: Amount) -> tuple[float, float]:
    return _as_floats(amount.low, amount.high)


def _words(resource: dict[str, Any], found: Extracted) -> str | None:
    type_ = resource["resourceType"]
    if type_ in WORDED or (
        type_ == "Observation" and ("valueString" in resource or "note" in resource)
    ):
        return fold(found.text)[:200_000].replace("\0", " ") or None
    return None
