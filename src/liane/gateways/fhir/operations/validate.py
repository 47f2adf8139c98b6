"""Would this resource be accepted, and what is there to say about it?

http://hl7.org/fhir/R4/resource-operation-validate.html. The answer is always 200 with every
finding, in the severity of the standard; what a write would do with them is each establishment's
choice.
"""

from __future__ import annotations

from typing import Any

from liane.access import gate
from liane.access.permissions import Permission
from liane.base.errors import Invalid, Issue
from liane.fhir.json import dumps
from liane.gateways.fhir import authority
from liane.gateways.fhir.exchange import Answer, Exchange
from liane.gateways.fhir.operations.registry import Operation
from liane.gateways.fhir.outcomes import shown_issue
from liane.store import Tx, conformance, resources
from liane.store.resources import Version

Json = dict[str, Any]
_MODES = ("create", "update", "delete", "profile")
_LIMIT_PROFILES = 20


async def serve(exchange: Exchange, tx: Tx) -> Answer:
    """Validate the resource sent, or the one stored when none is."""
    actor, type_ = exchange.actor, exchange.path[0]
    await gate.require(tx, actor, Permission.FHIR_API)
    mode = _mode(exchange)
    stored = await _stored(exchange, tx)
    resource = _sent(exchange)
    if mode == "delete":
        return _answer(exchange, await _about_deleting(exchange, tx, stored), stored)
    if resource is None:
        if stored is None:
            raise _nothing_sent()
        resource = stored.resource
    else:
        authority.require_type(actor, type_, "u" if mode == "update" else "c")
    issues: list[Issue] = _about_place(exchange, resource, mode)
    issues += await conformance.report(tx, resource, _profiles(exchange), sees=gate.sees(actor))
    return _answer(exchange, issues, stored)


def _mode(exchange: Exchange) -> str | None:
    mode = dict(exchange.parameters()).get("mode")
    if mode is not None and mode not in _MODES:
        accepted = ", ".join(_MODES)
        raise Invalid(
            "fhir.validate.mode",
            f"mode « {mode[:40]} » inconnu ; acceptés : {accepted}.",
            f"Unknown mode '{mode[:40]}'; accepted: {accepted}.",
        )
    if mode in ("update", "delete") and len(exchange.path) < 3:
        raise Invalid(
            "fhir.validate.instance",
            f"mode={mode} se demande sur une ressource : [type]/[id]/$validate.",
            f"mode={mode} is asked on a resource: [type]/[id]/$validate.",
        )
    return mode


async def _stored(exchange: Exchange, tx: Tx) -> Version | None:
    """The resource the address names, when this reader may know of it."""
    if len(exchange.path) < 3:
        return None
    type_, id_ = exchange.path[0], exchange.path[1]
    authority.require_type(exchange.actor, type_, "r")
    version = await resources.read(tx, type_, id_)
    if version is None or version.deleted:
        raise authority.absent(type_, id_)
    await authority.require_open(tx, exchange.actor, version)
    return version


def _sent(exchange: Exchange) -> Json | None:
    """The resource in the body: itself, or the part `resource` of a Parameters."""
    body = exchange.resource
    if body is None or body.get("resourceType") != "Parameters":
        return body
    if exchange.path[0] == "Parameters" and not _is_ours(body):
        return body
    for one in body.get("parameter", []):
        if isinstance(one, dict) and one.get("name") == "resource":
            resource = one.get("resource")
            if isinstance(resource, dict):
                return resource
    return None


def _is_ours(body: Json) -> bool:
    """Whether a Parameters resource holds the parameters of this operation."""
    entries = body.get("parameter", [])
    names = {one.get("name") for one in entries if isinstance(one, dict)}
    return bool(names) and names <= {"resource", "mode", "profile"}


def _profiles(exchange: Exchange) -> list[str]:
    asked = [value for name, value in exchange.parameters() if name == "profile"]
    if len(asked) > _LIMIT_PROFILES:
        raise Invalid(
            "fhir.validate.profiles",
            f"Au plus {_LIMIT_PROFILES} profils à la fois.",
            f"At most {_LIMIT_PROFILES} profiles at a time.",
        )
    return [url.partition("|")[0] for url in asked]


def _about_place(exchange: Exchange, resource: Json, mode: str | None) -> list[Issue]:
    """Whether the resource belongs to the address it was sent to."""
    type_ = exchange.path[0]
    found: list[Issue] = []
    if resource.get("resourceType") != type_:
        fr, en = f"une ressource {type_} est attendue ici", f"a {type_} resource is expected here"
        found.append(Issue("error", "invalid", "", fr, en))
    if mode == "update" and resource.get("id") != exchange.path[1]:
        fr = "l’identifiant n’est pas celui de l’adresse"
        en = "the id is not the one in the address"
        found.append(Issue("error", "invalid", f"{type_}.id", fr, en))
    return found


async def _about_deleting(exchange: Exchange, tx: Tx, stored: Version | None) -> list[Issue]:
    """Whether this actor may delete it."""
    authority.require_type(exchange.actor, exchange.path[0], "d")
    if stored is not None:
        await authority.require_write(tx, exchange.actor, {authority.patient_of(stored)})
    return []


def _nothing_sent() -> Invalid:
    return Invalid(
        "fhir.validate.resource",
        "Aucune ressource à vérifier.",
        "No resource to validate.",
        "L’envoyer telle quelle, ou dans Parameters sous « resource ».",
        "Send it as it is, or in Parameters as 'resource'.",
    )


def _answer(exchange: Exchange, issues: list[Issue], stored: Version | None) -> Answer:
    language = exchange.language
    shown = [_shown(issue, language) for issue in issues]
    if not shown:
        text = "No problem found." if language == "en" else "Aucun problème trouvé."
        shown = [{"severity": "information", "code": "informational", "diagnostics": text}]
    patient = authority.patient_of(stored) if stored is not None else None
    body = dumps({"resourceType": "OperationOutcome", "issue": shown})
    patients = (patient,) if stored is not None else ()
    return Answer(200, body, patients=patients, detail={"issues": len(issues)})


def _shown(issue: Issue, language: str) -> dict[str, object]:
    one = shown_issue(issue, language)
    rule = getattr(issue, "rule", "")
    if rule:
        one["details"] = {"text": rule}
    return one


OPERATIONS = (
    Operation(
        name="validate",
        levels=frozenset({"type", "instance"}),
        types=frozenset(),
        serve=serve,
        definition="http://hl7.org/fhir/OperationDefinition/Resource-validate",
    ),
)
