"""What does one entry of a transaction want to write, before anything is looked up?"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal

from liane.base.errors import Conflict, Invalid
from liane.base.ids import new_id
from liane.fhir import definitions
from liane.gateways.fhir import authority, dispatch, interactions
from liane.gateways.fhir.conditional import criteria_of, require_same_id
from liane.gateways.fhir.exchange import Exchange
from liane.gateways.fhir.writes import checked_type
from liane.store.resources import Version

Kind = Literal["delete", "create", "update", "patch"]
_RANKS: dict[Kind, int] = {"delete": 0, "create": 1, "update": 2, "patch": 2}
_LETTERS: dict[Kind, Literal["c", "u", "d"]] = {
    "delete": "d",
    "create": "c",
    "update": "u",
    "patch": "u",
}
_RESTFUL = re.compile(r"(https?://[^\s?#]+/)([A-Z][A-Za-z]{2,40}/[A-Za-z0-9\-.]{1,64})")


@dataclass(slots=True)
class Plan:
    """One entry that writes."""

    index: int
    exchange: Exchange
    full_url: str | None
    kind: Kind
    type: str
    id: str | None = None
    criteria: str | None = None
    """The condition that names the resource, if one does."""
    resource: dict[str, Any] = field(default_factory=dict)
    is_new: bool = False
    """The id is ours and new, so nothing needs to be looked for."""
    done: bool = False
    """Nothing is left to write."""
    met: Version | None = None
    """The version that met the condition."""

    @property
    def key(self) -> tuple[str, str]:
        """Type and id."""
        return self.type, str(self.id)

    @property
    def rank(self) -> int:
        """When it is written (R4: deletes, creates, updates and patches)."""
        return _RANKS[self.kind]

    def names(self) -> list[str]:
        """By which links other entries mean this one."""
        return [self.full_url] if self.full_url else []

    def becomes(self, id_: str) -> None:
        """Give the resource its id."""
        self.id = id_
        if self.kind in ("create", "update"):
            self.resource = {**self.resource, "id": id_}

    def meet(self, found: Version | None) -> None:
        """What the condition has found decides what is left to do."""
        self.met = found
        if self.kind == "create":
            self.done = found is not None
            self.id = found.id if found is not None else self.id
        elif found is not None:
            if self.kind == "update":
                require_same_id(self.resource.get("id"), found.id)
            self.becomes(found.id)
        elif self.kind == "update":
            sent = self.resource.get("id")
            self.is_new = sent is None
            self.becomes(str(sent) if sent is not None else new_id())
        elif self.kind == "delete":
            self.done = True
        else:
            raise authority.absent(self.type, "?")

    def require_still(self, now: Version | None) -> None:
        """Refuse (409) when what met the condition has changed before it could be locked, or an
        id that must be free is not.
        """
        there = now is not None and not now.deleted
        if self.criteria is not None and self.met is None and there:
            raise Conflict(
                "store.exists",
                f"{self.type}/{self.id} existe déjà.",
                f"{self.type}/{self.id} exists already.",
            )
        if self.met is not None and (now is None or now.version != self.met.version):
            raise Conflict(
                "store.overtaken",
                f"{self.type}/{self.id} a changé au même moment.",
                f"{self.type}/{self.id} changed at the same moment.",
            )
        if self.kind == "update" and not there:
            interactions.require_update_create(self.exchange)


def plan_of(index: int, one: Exchange, full_url: str | None) -> Plan:
    """The plan of an entry. Raises `LianeError` saying what is wrong with it."""
    found = dispatch.writing_of(one)
    kind: Kind = found.code  # type: ignore[assignment] # the table's codes of what writes
    authority.require_type(one.actor, one.type, _LETTERS[kind])
    plan = Plan(index, one, full_url, kind, one.type)
    if kind in ("create", "update"):
        plan.resource = checked_type(one.body, one.type)
    if kind == "create":
        plan.criteria = one.if_none_exist
        plan.is_new = True
        plan.becomes(new_id())
    elif found.conditional:
        plan.criteria = criteria_of(one)
    else:
        _require_same(index, plan, one.id)
        plan.becomes(one.id)
    return plan


def _require_same(index: int, plan: Plan, id_: str) -> None:
    if plan.kind == "update" and plan.resource.get("id", id_) != id_:
        raise Invalid(
            "fhir.id-mismatch",
            f"Entrée {index} : l’identifiant du corps n’est pas celui de l’adresse.",
            f"Entry {index}: the id in the body is not the id in the address.",
        )


def sender_base(plan: Plan) -> str:
    """`http://lab/fhir/`, when the fullUrl says that the sender keeps the resource there."""
    match = _RESTFUL.fullmatch(plan.full_url or "")
    return match[1] if match else ""


def conditional_links(node: Any, found: set[str]) -> None:
    """Collect every reference that is a search."""
    if type(node) is dict:
        text = node.get("reference")
        if type(text) is str and "?" in text and text.partition("?")[0] in definitions.types():
            found.add(text)
        for value in node.values():
            if type(value) is dict or type(value) is list:
                conditional_links(value, found)
    elif type(node) is list:
        for item in node:
            if type(item) is dict:
                conditional_links(item, found)
