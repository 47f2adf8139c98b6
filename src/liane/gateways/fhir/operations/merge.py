"""How does a program say that two identities are one person, see it first, or take it back?

`Patient/$merge` and `Patient/$undo-merge`, by the action of the patients room: everything of the
retired identity moves in one transaction, and can be given back exactly.
"""

from __future__ import annotations

from typing import Any

from liane.access import gate
from liane.access.permissions import Permission
from liane.base.errors import Invalid, NotFound
from liane.fhir.json import dumps
from liane.gateways.fhir import authority
from liane.gateways.fhir.exchange import Answer, Exchange
from liane.gateways.fhir.operations import asking
from liane.gateways.fhir.operations.registry import Operation
from liane.rooms import patients
from liane.store import Tx, resources
from liane.store.resources import Version


class _Preview(Exception):
    """Carries what a merge would give out of the work that is undone."""

    def __init__(self, answer: Answer) -> None:
        super().__init__("preview")
        self.answer = answer


async def merge(exchange: Exchange, tx: Tx) -> Answer:
    """http://hl7.org/fhir/patient-operation-merge.html; `preview=true` changes nothing."""
    authority.require_type(exchange.actor, "Patient", "u")
    await gate.require(tx, exchange.actor, Permission.IDENTITY_MERGE)
    asked = asking.asked(exchange, ("preview", "delete-source"))
    if asking.flag(asked, "delete-source"):
        raise asking.wrong(
            "delete-source",
            "true",
            "l’identité retirée est gardée, inactive, pour que la fusion puisse être annulée",
            "the retired identity is kept, inactive, so that the merge can be undone",
        )
    if asking.part(exchange.resource, "result-patient", "resource") is not None:
        raise asking.unknown(exchange, "result-patient", _ACCEPTED)
    source = await _named(exchange, tx, "source-patient")
    target = await _named(exchange, tx, "target-patient")
    if source == target:
        raise Invalid(
            "fhir.merge-same",
            "source-patient et target-patient désignent la même identité.",
            "source-patient and target-patient name the same identity.",
        )
    if not asking.flag(asked, "preview"):
        return await _merged(exchange, tx, source, target)
    try:
        async with tx.savepoint():
            raise _Preview(await _merged(exchange, tx, source, target, preview=True))
    except _Preview as preview:
        return preview.answer


_ACCEPTED = (
    "source-patient", "source-patient-identifier", "target-patient", "target-patient-identifier",
    "preview", "delete-source",
)  # fmt: skip


async def _merged(
    exchange: Exchange, tx: Tx, source: str, target: str, *, preview: bool = False
) -> Answer:
    merge_id = await patients.merge(
        tx, exchange.actor, target, source, source="FHIR $merge", at=tx.now
    )
    survivor = await resources.read(tx, "Patient", target)
    assert survivor is not None
    words = {
        "fr": "Aperçu : rien n’a été changé." if preview else "Les identités sont fusionnées.",
        "en": "Preview: nothing was changed." if preview else "The identities are merged.",
    }
    known = [] if preview else [{"name": "merge", "valueId": merge_id}]
    return _answer(exchange, words, survivor, known, (source, target))


async def undo(exchange: Exchange, tx: Tx) -> Answer:
    """Take a merge back: each thing returns to the identity it came from."""
    authority.require_type(exchange.actor, "Patient", "u")
    asked = asking.asked(exchange, ("merge",))
    merge_id = asking.single(asked, "merge")
    if merge_id is None:
        raise asking.missing("merge", "l’id donné par $merge", "the id that $merge gave")
    await patients.undo_merge(tx, exchange.actor, merge_id)
    words = {"fr": "La fusion est annulée.", "en": "The merge is undone."}
    return _answer(exchange, words, None, [], (None,))


def _answer(
    exchange: Exchange,
    words: dict[str, str],
    survivor: Version | None,
    more: list[dict[str, Any]],
    shown: tuple[str | None, ...],
) -> Answer:
    issue = {
        "severity": "information",
        "code": "informational",
        "diagnostics": words[exchange.language],
    }
    outcome = {"resourceType": "OperationOutcome", "issue": [issue]}
    parameters = [{"name": "outcome", "resource": outcome}, *more]
    if survivor is not None:
        parameters.append({"name": "result", "resource": survivor.resource})
    told = {"resourceType": "Parameters", "parameter": parameters}
    return Answer(200, dumps(told), patients=shown, detail={"merge": True})


async def _named(exchange: Exchange, tx: Tx, name: str) -> str:
    """The identity named by reference or by number."""
    reference = asking.part(exchange.resource, name, "valueReference")
    text = str((reference or {}).get("reference", "")) if isinstance(reference, dict) else ""
    if text:
        type_, slash, id_ = text.removeprefix(f"{exchange.parts.base}/").partition("/")
        if type_ != "Patient" or not slash or not id_:
            raise asking.wrong(name, text, "attendu : Patient/<id>", "expected: Patient/<id>")
        found = await resources.read(tx, "Patient", id_)
        if found is None or found.deleted:
            raise asking.absent(f"Patient/{id_}")
        return id_
    number = asking.part(exchange.resource, f"{name}-identifier", "valueIdentifier")
    if not isinstance(number, dict) or not number.get("value"):
        raise asking.missing(
            name, "une référence ou un identifiant", "a reference or an identifier"
        )
    known = patients.Identifier(str(number.get("system", "")), str(number["value"]))
    by_number = await patients.find_patient(tx, [known])
    if by_number is None:
        raise NotFound(
            "fhir.not-found",
            f"{name} : aucun patient ne porte ce numéro.",
            f"{name}: no patient has this number.",
        )
    return by_number


OPERATIONS = (
    Operation(
        "merge",
        frozenset({"type"}),
        frozenset({"Patient"}),
        merge,
        "http://hl7.org/fhir/OperationDefinition/Patient-merge",
        writes=True,
    ),
    Operation(
        "undo-merge",
        frozenset({"type"}),
        frozenset({"Patient"}),
        undo,
        "https://liane.example/fhir/OperationDefinition/Patient-undo-merge",
        writes=True,
    ),
)
