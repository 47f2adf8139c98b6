"""Which patient is this person? (`Patient/$match`)

http://hl7.org/fhir/R4/patient-operation-match.html, by the rules with which the identity staff
look for duplicates. Only patients this reader may see are ever named.
"""

from __future__ import annotations

from liane.base.errors import Invalid
from liane.fhir.json import dumps
from liane.fhir.validation import check
from liane.gateways.fhir import authority
from liane.gateways.fhir.answers import bundle, link
from liane.gateways.fhir.exchange import Answer, Exchange
from liane.gateways.fhir.operations import asking
from liane.gateways.fhir.operations.registry import Operation
from liane.rooms import patients
from liane.store import Tx, resources

GRADE = "http://hl7.org/fhir/StructureDefinition/match-grade"
COUNT = 20
COUNT_LIMIT = 100


async def serve(exchange: Exchange, tx: Tx) -> Answer:
    """Those who could be the person described, the surest first, with score and grade."""
    authority.require_type(exchange.actor, "Patient", "r")
    authority.require_type(exchange.actor, "Patient", "s")
    asked = asking.asked(exchange, ("onlyCertainMatches", "count"))
    described = asking.part(exchange.resource, "resource", "resource")
    if not isinstance(described, dict) or described.get("resourceType") != "Patient":
        raise Invalid(
            "fhir.match",
            "Un Parameters avec « resource » (un Patient) est attendu.",
            "A Parameters with 'resource' (a Patient) is expected.",
        )
    check(described)
    found = await patients.match_patients(tx, exchange.actor, described)
    if asking.flag(asked, "onlyCertainMatches"):
        certain = [one for one in found if one.grade == "certain"]
        # Several who are certain are none: the caller must not choose by itself.
        found = certain if len(certain) == 1 else []
    found = found[: asking.number(asked, "count", COUNT, COUNT_LIMIT)]
    bodies = await resources.read_many(tx, "Patient", [one.patient for one in found])
    entries = [
        _entry(exchange, one, bodies[one.patient].body) for one in found if one.patient in bodies
    ]
    body = bundle("searchset", entries, [("self", link(exchange, []))], len(entries))
    shown = tuple(one.patient for one in found) or (None,)
    return Answer(200, body, patients=shown, detail={"match": True, "count": len(entries)})


def _entry(exchange: Exchange, one: patients.Match, body: str) -> str:
    search = {
        "extension": [{"url": GRADE, "valueCode": one.grade}],
        "mode": "match",
        "score": one.score,
    }
    full = dumps(f"{exchange.parts.base}/Patient/{one.patient}")
    return f'{{"fullUrl":{full},"resource":{body},"search":{dumps(search)}}}'


OPERATIONS = (
    Operation(
        "match",
        frozenset({"type"}),
        frozenset({"Patient"}),
        serve,
        "http://hl7.org/fhir/OperationDefinition/Patient-match",
        methods=frozenset({"POST"}),
    ),
)
