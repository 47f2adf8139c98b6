"""Has the demonstration group been loaded, and from which instant does its story count?

Apart from the loading itself, so that a start that finds everything there loads nothing.
"""

from __future__ import annotations

from datetime import datetime

from liane.demo.resources import LIANE, Resource, concept, extension, instant

MARKER = "liane-demo"


def marker(anchor: datetime, *, complete: bool) -> Resource:
    """The resource that says what was loaded, and from which instant the story counts."""
    return {
        "resourceType": "Basic",
        "id": MARKER,
        "extension": [
            extension("demo-anchor", valueInstant=instant(anchor)),
            extension("demo-complete", valueBoolean=complete),
        ],
        "code": concept("Démonstration", f"{LIANE}/basic", "demo"),
    }


def read_marker(resource: Resource | None) -> tuple[datetime | None, bool]:
    """The instant the story counts from, and whether the loading came to its end."""
    values = {one["url"].rpartition("/")[2]: one for one in (resource or {}).get("extension", ())}
    anchor = values.get("demo-anchor", {}).get("valueInstant")
    complete = bool(values.get("demo-complete", {}).get("valueBoolean"))
    return (datetime.fromisoformat(anchor) if anchor else None), complete
