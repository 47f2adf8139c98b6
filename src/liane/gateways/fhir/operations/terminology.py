"""What does a code mean, is it right, and which codes belong together? (R4 terminology-service)"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from liane.base.errors import Invalid
from liane.gateways.fhir.exchange import Answer, Exchange
from liane.gateways.fhir.operations import asking
from liane.gateways.fhir.operations.registry import Level, Operation, Serve
from liane.gateways.fhir.operations.terminology_asking import (
    Request,
    answer,
    own,
    parameters,
    read,
    value_set,
)
from liane.store import Tx
from liane.store.terminology import (
    LookUp,
    Match,
    Verdict,
    Wanted,
    Wish,
    expand,
    in_code_system,
    in_value_set,
    inline_system,
    look_up,
    relation,
    resolving,
    translate,
)
from liane.store.terminology.asking import System

_LOOKUP = ("code", "system", "version", "coding", "date", "displayLanguage", "property")
_SUBSUMES = ("codeA", "codeB", "system", "version", "codingA", "codingB")
_IN_SYSTEM = (
    "url", "codeSystem", "code", "version", "display", "coding", "codeableConcept", "date",
    "abstract", "displayLanguage",
)  # fmt: skip
_IN_SET = (
    "url", "valueSet", "valueSetVersion", "code", "system", "systemVersion", "display", "coding",
    "codeableConcept", "date", "abstract", "displayLanguage",
)  # fmt: skip
_EXPAND = (
    "url", "valueSet", "valueSetVersion", "filter", "date", "offset", "count",
    "includeDesignations", "includeDefinition", "activeOnly", "excludeNested", "excludeNotForUI",
    "excludePostCoordinated", "displayLanguage", "system-version", "force-system-version",
)  # fmt: skip
_TRANSLATE = (
    "url", "conceptMap", "conceptMapVersion", "code", "system", "version", "source", "coding",
    "codeableConcept", "target", "targetsystem", "reverse",
)  # fmt: skip


async def lookup(exchange: Exchange, tx: Tx) -> Answer:
    """http://hl7.org/fhir/R4/codesystem-operation-lookup.html"""
    request = await read(exchange, tx, _LOOKUP)
    coding = request.codings()[0]
    if not coding.system:
        raise asking.missing("system", "le système du code", "the system of the code")
    system = await resolving.system(tx, coding.system, coding.version or request.text("version"))
    found = await look_up(tx, system, coding.code, language=request.language)
    wanted = {name for text in request.values.get("property", []) for name in text.split(",")}
    told = parameters(
        ("name", "valueString", found.header.title or found.header.url),
        ("version", "valueString", found.header.version),
        ("display", "valueString", found.concept.display or found.concept.code),
    )
    told["parameter"] += [*_designations(found, wanted), *_properties(found, wanted)]
    return answer(told)


def _designations(found: LookUp, wanted: set[str]) -> Iterable[dict[str, Any]]:
    if wanted and not any(n == "designation" or n.startswith("lang.") for n in wanted):
        return
    for one in found.concept.designations:
        if wanted and "designation" not in wanted and f"lang.{one.language}" not in wanted:
            continue
        part: list[dict[str, Any]] = []
        if one.language:
            part.append({"name": "language", "valueCode": one.language})
        if one.usage:
            part.append({"name": "use", "valueCoding": dict(one.usage)})
        part.append({"name": "value", "valueString": one.value})
        yield {"name": "designation", "part": part}


def _properties(found: LookUp, wanted: set[str]) -> Iterable[dict[str, Any]]:
    concept = found.concept
    said: list[tuple[str, dict[str, Any], str]] = []
    if concept.definition:
        said.append(("definition", {"valueString": concept.definition}, ""))
    said.append(("abstract", {"valueBoolean": concept.abstract}, ""))
    said.append(("inactive", {"valueBoolean": concept.inactive}, ""))
    known = {"definition", "abstract", "inactive", "parent", "child"}
    said += [(p.name, dict(p.shown), "") for p in concept.properties if p.name not in known]
    for name, near in (("parent", found.parents), ("child", found.children)):
        said += [(name, {"valueCode": one.code}, one.display) for one in near]
    for name, value, display in said:
        if wanted and name not in wanted:
            continue
        part: list[dict[str, Any]] = [
            {"name": "code", "valueCode": name},
            {"name": "value", **value},
        ]
        if display:
            part.append({"name": "description", "valueString": display})
        yield {"name": "property", "part": part}


async def subsumes(exchange: Exchange, tx: Tx) -> Answer:
    """http://hl7.org/fhir/R4/codesystem-operation-subsumes.html"""
    request = await read(exchange, tx, _SUBSUMES)
    first, first_system = _side(request, "A")
    second, second_system = _side(request, "B")
    resource = await own(exchange, tx)
    url = request.text("system") or first_system or str((resource or {}).get("url", ""))
    if not url:
        raise asking.missing("system", "le système des deux codes", "the system of both codes")
    if {first_system, second_system} - {"", url}:
        raise Invalid(
            "fhir.operation-value",
            "Les deux codes doivent être du même système.",
            "Both codes must be of the same system.",
        )
    version = request.text("version") or str((resource or {}).get("version", ""))
    system = await resolving.system(tx, url, version)
    outcome = await relation(tx, system, first, second)
    return answer(parameters(("outcome", "valueCode", outcome)))


def _side(request: Request, side: str) -> tuple[str, str]:
    """The code of one side, and its system when it was told."""
    name = f"coding{side}"
    if name in request.parts or name in request.values:
        coding = request.coding(name)
        return coding.code, coding.system
    code = request.text(f"code{side}")
    if not code:
        raise asking.missing(f"code{side}", f"ou {name}", f"or {name}")
    return code, ""


async def validate_in_system(exchange: Exchange, tx: Tx) -> Answer:
    """http://hl7.org/fhir/R4/codesystem-operation-validate-code.html"""
    request = await read(exchange, tx, _IN_SYSTEM)
    resource = await own(exchange, tx)
    codings = request.codings()
    verdict = Verdict(False)
    for coding in codings:
        system = await _system_of(request, tx, resource, coding.system)
        if coding.system and coding.system != system.header.url:
            verdict = Verdict(
                False,
                f"Le code est de « {coding.system[:200]} », pas de « {system.header.url[:200]} ».",
                f"The code is of '{coding.system[:200]}', not of '{system.header.url[:200]}'.",
            )
            continue
        verdict = await in_code_system(
            tx, system, coding, language=request.language, abstract=request.flag("abstract", True)
        )
        if verdict.result:
            break
    return answer(_verdict(exchange, verdict))


async def _system_of(
    request: Request, tx: Tx, resource: dict[str, Any] | None, told: str
) -> System:
    if "codeSystem" in request.parts:
        return inline_system(request.parts["codeSystem"])
    version = request.text("version")
    if resource is not None:
        return await resolving.system(tx, str(resource.get("url", "")), version)
    url = request.text("url") or told
    if not url:
        raise asking.missing(
            "url", "l’adresse canonique du système", "the canonical address of the system"
        )
    return await resolving.system(tx, url, version)


async def validate_in_set(exchange: Exchange, tx: Tx) -> Answer:
    """http://hl7.org/fhir/R4/valueset-operation-validate-code.html"""
    request = await read(exchange, tx, _IN_SET)
    codings = request.codings()
    resource = await value_set(request, tx)
    verdict = await in_value_set(
        tx, resource, codings, language=request.language, abstract=request.flag("abstract", True)
    )
    return answer(_verdict(exchange, verdict))


def _verdict(exchange: Exchange, verdict: Verdict) -> dict[str, Any]:
    told = parameters(
        ("message", "valueString", verdict.en if exchange.language == "en" else verdict.fr),
        ("display", "valueString", verdict.display),
        ("code", "valueCode", verdict.concept.code if verdict.concept else ""),
        ("system", "valueUri", verdict.system),
        ("version", "valueString", verdict.version),
    )
    result = {"name": "result", "valueBoolean": verdict.result}
    told["parameter"] = [result, *told.get("parameter", [])]
    return told


async def expand_set(exchange: Exchange, tx: Tx) -> Answer:
    """http://hl7.org/fhir/R4/valueset-operation-expand.html"""
    request = await read(exchange, tx, _EXPAND)
    resource = await value_set(request, tx)
    versions = dict(
        text.split("|", 1)
        for name in ("system-version", "force-system-version")
        for text in request.values.get(name, [])
        if "|" in text
    )
    wish = Wish(
        filter=request.text("filter"),
        offset=request.whole("offset") or 0,
        count=request.whole("count"),
        active_only=request.flag("activeOnly"),
        include_designations=request.flag("includeDesignations"),
        include_definition=request.flag("includeDefinition"),
        exclude_not_for_ui=request.flag("excludeNotForUI"),
        language=request.language,
        versions=versions,
    )
    return answer(await expand(tx, resource, wish))


async def translate_code(exchange: Exchange, tx: Tx) -> Answer:
    """http://hl7.org/fhir/R4/conceptmap-operation-translate.html"""
    request = await read(exchange, tx, _TRANSLATE)
    inline = await own(exchange, tx) or request.parts.get("conceptMap")
    found: list[Match] = []
    known = False
    for coding in request.codings():
        wanted = Wanted(
            code=coding.code,
            system=coding.system,
            source=request.text("source"),
            target=request.text("target"),
            target_system=request.text("targetsystem"),
            reverse=request.flag("reverse"),
        )
        matches = await translate(
            tx,
            wanted,
            map_url=request.text("url"),
            map_version=request.text("conceptMapVersion"),
            inline=inline,
        )
        known = known or matches is not None
        found += matches or []
    if not known:
        raise asking.absent(f"ConceptMap {request.text('url') or request.text('target')}"[:200])
    return answer(_matches(exchange, found))


def _matches(exchange: Exchange, found: list[Match]) -> dict[str, Any]:
    result = any(one.matching for one in found)
    fr, en = "Aucune correspondance n’a été trouvée.", "No match was found."
    message = "" if result else (en if exchange.language == "en" else fr)
    told = parameters(("message", "valueString", message))
    entries = [{"name": "result", "valueBoolean": result}, *told.get("parameter", [])]
    return {**told, "parameter": [*entries, *(_match(one) for one in found)]}


def _match(one: Match) -> dict[str, Any]:
    part: list[dict[str, Any]] = [{"name": "equivalence", "valueCode": one.equivalence}]
    if one.code:
        coding = {"system": one.system, "code": one.code, "display": one.display}
        kept = {name: value for name, value in coding.items() if value}
        part.append({"name": "concept", "valueCoding": kept})
    for product in one.products:
        coding = {"system": product.get("system", ""), "code": product.get("value", "")}
        part.append(
            {
                "name": "product",
                "part": [
                    {"name": "element", "valueUri": product.get("property", "")},
                    {"name": "concept", "valueCoding": {k: v for k, v in coding.items() if v}},
                ],
            }
        )
    if one.map:
        part.append({"name": "source", "valueUri": one.map})
    return {"name": "match", "part": part}


def _operation(name: str, type_: str, levels: Iterable[Level], serve: Serve) -> Operation:
    definition = f"http://hl7.org/fhir/OperationDefinition/{type_}-{name}"
    return Operation(name, frozenset(levels), frozenset({type_}), serve, definition)


_BOTH: tuple[Level, ...] = ("type", "instance")
OPERATIONS = (
    _operation("lookup", "CodeSystem", ("type",), lookup),
    _operation("subsumes", "CodeSystem", _BOTH, subsumes),
    _operation("validate-code", "CodeSystem", _BOTH, validate_in_system),
    _operation("expand", "ValueSet", _BOTH, expand_set),
    _operation("validate-code", "ValueSet", _BOTH, validate_in_set),
    _operation("translate", "ConceptMap", _BOTH, translate_code),
)
