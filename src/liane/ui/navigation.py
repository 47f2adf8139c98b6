"""Which doors does the rail offer to this person?"""

from __future__ import annotations

from dataclasses import dataclass

from liane.access.actor import Actor
from liane.access.permissions import Permission
from liane.access.policy import permissions_of


@dataclass(frozen=True, slots=True)
class Door:
    """One entry of the rail."""

    key: str
    label: str
    """Message key."""
    href: str
    icon: str
    permission: Permission


DOORS = (
    Door("home", "ui.door.home", "/", "house", Permission.SIGNED_IN),
    Door("ward", "ui.door.ward", "/ward", "bed-double", Permission.BOARD_VIEW),
    Door("search", "ui.door.patients", "/search", "user-search", Permission.PATIENT_SEARCH),
    Door("documents", "ui.door.documents", "/documents", "file-text", Permission.DOCUMENT_READ),
    Door("identities", "ui.door.identities", "/identities", "users", Permission.IDENTITY_WRITE),
    Door("waiting", "ui.door.waiting", "/imaging/waiting", "image", Permission.MESSAGES_HELD),
    Door("interfaces", "ui.door.interfaces", "/interfaces", "network", Permission.INTERFACES_VIEW),
)


def doors_for(actor: Actor) -> list[Door]:
    """The doors that at least one role of this person opens."""
    allowed = {p for role in actor.roles for p in permissions_of(role.code)}
    return [
        door
        for door in DOORS
        if door.permission in allowed or door.permission is Permission.SIGNED_IN
    ]


def initials(name: str) -> str:
    """Two letters beside the name of the person signed in."""
    words = [word for word in name.replace("-", " ").split() if word[:1].isalpha()]
    return "".join(
        word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words)
    ).upper()
