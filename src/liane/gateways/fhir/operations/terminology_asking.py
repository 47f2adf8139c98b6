"""What exactly is a terminology operation asked: which code, of which system, value set or map?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from liane.base.errors import Invalid
from liane.fhir.json import dumps
from liane.gateways.fhir import authority
from liane.gateways.fhir.exchange import Answer, Exchange
from liane.gateways.fhir.operations import asking
from liane.store import Tx
from liane.store.terminology import Coding, resolving
from liane.store.terminology.code_systems import objects

_COMPLEX = {
    "coding": "valueCoding",
    "codingA": "valueCoding",
    "codingB": "valueCoding",
    "codeableConcept": "valueCodeableConcept",
    "valueSet": "resource",
    "codeSystem": "resource",
    "conceptMap": "resource",
}
MOST_CODINGS = 100


@dataclass(frozen=True, slots=True)
class Request:
    """The parameters of one call, checked against those the operation has."""

    exchange: Exchange
    values: Mapping[str, list[str]]
    parts: Mapping[str, Any]
    """Codings, concepts and resources of a Parameters body, by name."""

    def text(self, name: str) -> str:
        """A parameter that may be given once; empty when it is not there."""
        return asking.single(self.values, name) or ""

    @property
    def language(self) -> str:
        """The language wanted for displays (`displayLanguage`)."""
        return self.text("displayLanguage").split(",")[0].split(";")[0].strip()

    def flag(self, name: str, default: bool = False) -> bool:
        """True or false."""
        return asking.flag(self.values, name, default)

    def whole(self, name: str) -> int | None:
        """A whole number from 0."""
        text = self.text(name)
        if not text:
            return None
        if not (text.isascii() and text.isdecimal() and len(text) < 10):
            raise asking.wrong(name, text, "attendu : un entier", "expected: a whole number")
        return int(text)

    def codings(self) -> list[Coding]:
        """The code or codes to look at. Raises `Invalid` when there is none, or two ways of one."""
        ways = [
            name for name in ("code", "coding", "codeableConcept")
            if name in self.values or name in self.parts
        ]  # fmt: skip
        if len(ways) != 1:
            raise asking.missing(
                "code",
                "donner exactement un de code, coding, codeableConcept",
                "give exactly one of code, coding, codeableConcept",
            )
        if ways[0] == "code":
            system = self.text("system")
            version = self.text("systemVersion") or (self.text("version") if system else "")
            return [Coding(self.text("code"), system, version, self.text("display"))]
        if ways[0] == "coding":
            return [self.coding("coding")]
        listed = objects(self.parts["codeableConcept"].get("coding"))[:MOST_CODINGS]
        return [coding_of(one) for one in listed]

    def coding(self, name: str) -> Coding:
        """A coding of the body, or `system|code` of a query."""
        if name in self.parts:
            return coding_of(self.parts[name])
        text = self.text(name)
        system, sign, code = text.partition("|")
        if not sign or not code:
            raise asking.wrong(name, text, "attendu : système|code", "expected: system|code")
        return Coding(code, system)


def coding_of(value: Any) -> Coding:
    """A Coding of the body. Raises `Invalid` when it has no code."""
    if not isinstance(value, dict) or not isinstance(value.get("code"), str):
        raise asking.missing("coding", "un Coding avec un code", "a Coding with a code")
    return Coding(
        value["code"],
        str(value.get("system", "")),
        str(value.get("version", "")),
        str(value.get("display", "")),
    )


async def read(exchange: Exchange, tx: Tx, accepted: tuple[str, ...]) -> Request:
    """Check who asks and what; terminology belongs to no patient.

    Raises `Denied` for a reader who may not read this type, `Invalid` for an unknown parameter.
    """
    type_ = exchange.path[0]
    authority.require_type(exchange.actor, type_, "r")
    await authority.require_read(tx, exchange.actor, None, type_)
    values = asking.asked(exchange, accepted)
    parts = dict(_complex(exchange.resource))
    for name in parts:
        if name not in accepted and not exchange.lenient:
            raise asking.unknown(exchange, name, accepted)
    return Request(exchange, values, parts)


def _complex(resource: dict[str, Any] | None) -> Iterator[tuple[str, Any]]:
    """The parts of a Parameters body; another resource is the one the operation works on."""
    if resource is None:
        return
    type_ = str(resource.get("resourceType", ""))
    if type_ != "Parameters":
        yield type_[:1].lower() + type_[1:], resource
        return
    for entry in objects(resource.get("parameter")):
        name = str(entry.get("name", ""))
        kind = _COMPLEX.get(name)
        if kind is None:
            continue
        if not isinstance(entry.get(kind), dict):
            raise Invalid(
                "fhir.operation-value",
                f"{name} : {kind} est attendu.",
                f"{name}: {kind} is expected.",
            )
        yield name, entry[kind]


async def own(exchange: Exchange, tx: Tx) -> dict[str, Any] | None:
    """The resource that the address names, when it names one. Raises `NotFound`."""
    if exchange.path[1].startswith("$"):
        return None
    found = await resolving.body(tx, exchange.path[0], exchange.path[1])
    if found is None:
        raise asking.absent("/".join(exchange.path[:2]))
    return found


async def value_set(request: Request, tx: Tx) -> dict[str, Any]:
    """The value set that is meant: of the address, in the body, or by its canonical address."""
    found = await own(request.exchange, tx)
    if found is not None:
        return found
    inline = request.parts.get("valueSet")
    if inline is not None:
        if inline.get("resourceType") != "ValueSet":
            raise asking.wrong("valueSet", "", "attendu : un ValueSet", "expected: a ValueSet")
        return dict(inline)
    url = request.text("url")
    if not url:
        raise asking.missing(
            "url", "l’adresse canonique du jeu de valeurs, ou valueSet",
            "the canonical address of the value set, or valueSet",
        )  # fmt: skip
    return await resolving.required_value_set(tx, url, request.text("valueSetVersion"))


def parameters(*entries: tuple[str, str, Any]) -> dict[str, Any]:
    """A Parameters resource of (name, kind of value, value); what is empty is left out."""
    told = [{"name": name, kind: value} for name, kind, value in entries if value not in ("", None)]
    found: dict[str, Any] = {"resourceType": "Parameters"}
    if told:
        found["parameter"] = told
    return found


def answer(resource: dict[str, Any]) -> Answer:
    """The resource as the answer; it shows no patient."""
    return Answer(200, dumps(resource))
