"""Small invented code systems and value sets for the terminology tests."""

from __future__ import annotations

from typing import Any

ANIMALS = "http://example.org/animals"

CODE_SYSTEM: dict[str, Any] = {
    "resourceType": "CodeSystem",
    "id": "animals",
    "url": ANIMALS,
    "version": "1.0",
    "name": "Animals",
    "status": "active",
    "content": "complete",
    "caseSensitive": True,
    "hierarchyMeaning": "is-a",
    "valueSet": f"{ANIMALS}/all",
    "property": [
        {"code": "legs", "type": "integer"},
        {"code": "habitat", "type": "code"},
        {"code": "status", "type": "code"},
        {"code": "notSelectable", "type": "boolean"},
    ],
    "concept": [
        {
            "code": "animal",
            "display": "Animal",
            "property": [{"code": "notSelectable", "valueBoolean": True}],
            "concept": [
                {
                    "code": "mammal",
                    "display": "Mammal",
                    "designation": [{"language": "fr", "value": "Mammifère"}],
                    "property": [{"code": "legs", "valueInteger": 4}],
                    "concept": [
                        {
                            "code": "cat",
                            "display": "Domestic cat",
                            "definition": "A small carnivore",
                            "designation": [
                                {
                                    "language": "fr",
                                    "use": {"system": "http://snomed.info/sct", "code": "900000000000013009"},
                                    "value": "Chat domestique",
                                }
                            ],
                            "property": [
                                {"code": "legs", "valueInteger": 4},
                                {"code": "habitat", "valueCode": "house"},
                            ],
                        },
                        {
                            "code": "bat",
                            "display": "Bat",
                            "property": [
                                {"code": "legs", "valueInteger": 2},
                                {"code": "habitat", "valueCode": "cave"},
                            ],
                        },
                    ],
                },
                {"code": "bird", "display": "Bird", "property": [{"code": "legs", "valueInteger": 2}]},
                {
                    "code": "dodo",
                    "display": "Dodo",
                    "property": [
                        {"code": "status", "valueCode": "retired"},
                        {"code": "parent", "valueCode": "bird"},
                    ],
                },
            ],
        },
        {"code": "flyer", "display": "Flying animal",
         "property": [{"code": "child", "valueCode": "bat"}, {"code": "child", "valueCode": "bird"}]},
    ],
}  # fmt: skip


def value_set(
    *include: dict[str, Any], exclude: list[dict[str, Any]] | None = None, **more: Any
) -> dict[str, Any]:
    """A value set of these includes."""
    compose: dict[str, Any] = {"include": list(include)}
    if exclude:
        compose["exclude"] = exclude
    return {"resourceType": "ValueSet", "status": "active", "compose": compose, **more}


def filtered(property_: str, op: str, value: str) -> dict[str, Any]:
    """An include of the animals by one filter."""
    return {"system": ANIMALS, "filter": [{"property": property_, "op": op, "value": value}]}


def codes(expanded: dict[str, Any]) -> list[str]:
    """The codes of an expansion, in its order."""
    return [one["code"] for one in expanded["expansion"].get("contains", [])]
