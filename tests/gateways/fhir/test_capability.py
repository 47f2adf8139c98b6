"""Promise: every line of the CapabilityStatement is true.

The tests walk the statement itself: a line that they have no way to exercise fails them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from liane.fhir import definitions, xml
from liane.gateways.fhir.operations import REGISTRY
from tests.gateways.fhir.conftest import Fhir, patient
from tests.gateways.fhir.smallest import smallest

VALUES = {
    "number": "5",
    "date": "2026",
    "string": "martin",
    "token": "urn:x|y",
    "reference": "Patient/x",
    "quantity": "5|http://unitsofmeasure.org|mg",
    "uri": "urn:x",
    "special": "48.8|2.3|10|km",
}


async def statement(fhir: Fhir) -> dict[str, Any]:
    answer = await fhir("GET", "/metadata", token="")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


class Life:
    """What one resource of a type goes through, one step for each interaction offered."""

    def __init__(self, fhir: Fhir, type_: str) -> None:
        self.fhir = fhir
        self.type = type_
        self.at = f"/{type_}"
        self.one = f"/{type_}/one"
        self.steps: dict[str, Callable[[], Awaitable[None]]] = {
            "update": self.update,
            "read": self.read,
            "vread": self.vread,
            "patch": self.patch,
            "create": self.create,
            "search-type": self.search,
            "history-instance": self.history,
            "history-type": self.history_of_type,
            "delete": self.delete,
        }

    async def expect(self, status: int, method: str, path: str, body: Any = None, **h: str) -> Any:
        answer = await self.fhir(method, path, body, **h)
        assert answer.status_code == status, (method, path, h, answer.text[:400])
        return answer

    async def update(self) -> None:
        await self.expect(201, "PUT", self.one, smallest(self.type, "one"))
        tagged = {**smallest(self.type, "one"), "language": "fr"}
        await self.expect(200, "PUT", self.one, tagged, If_Match='W/"1"')

    async def read(self) -> None:
        await self.expect(200, "GET", self.one, Accept="application/fhir+json")

    async def vread(self) -> None:
        await self.expect(200, "GET", f"{self.one}/_history/1", Accept="application/fhir+json")

    async def patch(self) -> None:
        steps = [{"op": "replace", "path": "/language", "value": "en"}]
        media = "application/json-patch+json"
        done = await self.expect(200, "PATCH", self.one, steps, Content_Type=media)
        assert done.json()["language"] == "en"

    async def create(self) -> None:
        await self.expect(201, "POST", self.at, smallest(self.type), Prefer="return=minimal")

    async def search(self) -> None:
        for method, path in (("GET", f"{self.at}?_id=one"), ("POST", f"{self.at}/_search?_id=one")):
            found = await self.expect(200, method, path)
            assert [e["resource"]["id"] for e in found.json()["entry"]] == ["one"]

    async def history(self) -> None:
        told = await self.expect(200, "GET", f"{self.one}/_history")
        assert len(told.json()["entry"]) == 3

    async def history_of_type(self) -> None:
        await self.expect(200, "GET", f"{self.at}/_history?_count=1")

    async def delete(self) -> None:
        await self.expect(204, "DELETE", self.one)
        await self.expect(410, "GET", self.one, Accept="application/fhir+json")

    async def flags(self, said: dict[str, Any]) -> None:
        """The other lines about the type."""
        body = smallest(self.type)
        assert said["versioning"] == "versioned-update"
        assert said["readHistory"]
        await self.expect(200, "GET", f"{self.one}/_history/1", Accept="application/fhir+json")
        assert said["updateCreate"]
        await self.expect(201, "PUT", f"{self.at}/two", smallest(self.type, "two"))
        assert said["conditionalCreate"]
        await self.expect(200, "POST", self.at, body, If_None_Exist="_id=two")
        assert said["conditionalRead"] == "full-support"
        known = await self.expect(304, "GET", f"{self.at}/two", If_None_Match='W/"1"')
        modified = known.headers["last-modified"]
        await self.expect(304, "GET", f"{self.at}/two", If_Modified_Since=modified)
        assert said["conditionalUpdate"]
        await self.expect(200, "PUT", f"{self.at}?_id=two", {**body, "language": "fr"})
        assert said["conditionalDelete"] == "single"
        await self.expect(204, "DELETE", f"{self.at}?_id=two")
        assert said["referencePolicy"] == ["literal", "logical", "local"]


@pytest.mark.parametrize("letters", ["AB", "CDE", "FGHI", "JKLM", "NOPQR", "STUVWXYZ"])
async def test_every_interaction_and_flag_of_every_type(fhir: Fhir, letters: str) -> None:
    said = (await statement(fhir))["rest"][0]["resource"]
    assert [one["type"] for one in said] == list(definitions.types())
    for one in said:
        if one["type"][0] not in letters:
            continue
        life = Life(fhir, one["type"])
        codes = [entry["code"] for entry in one["interaction"]]
        assert sorted(codes) == sorted(life.steps)
        for code, step in life.steps.items():
            assert code in codes
            await step()
        await life.flags(one)


async def test_every_search_parameter_and_include_is_taken(fhir: Fhir) -> None:
    for one in (await statement(fhir))["rest"][0]["resource"]:
        asked = [
            f"{parameter['name']}={_value(one['type'], parameter)}"
            for parameter in one["searchParam"]
        ]
        asked += [f"_include={name}" for name in one.get("searchInclude", ())]
        asked += [f"_revinclude={name}" for name in one.get("searchRevInclude", ())]
        for part in (asked[n : n + 12] for n in range(0, len(asked), 12)):
            answer = await fhir("GET", f"/{one['type']}?_id=none&{'&'.join(part)}")
            assert answer.status_code == 200, (part, answer.text[:400])
            assert "entry" not in answer.json()


def _value(type_: str, parameter: dict[str, str]) -> str:
    known = definitions.search_parameters(type_)[parameter["name"]]
    assert known.kind == parameter["type"]
    if known.kind == "composite":
        return "$".join(VALUES[part.kind] for part in known.components)
    if parameter["name"] == "_lastUpdated":
        return "2026"
    return VALUES[known.kind]


async def test_every_interaction_of_the_system(fhir: Fhir) -> None:
    rest = (await statement(fhir))["rest"][0]
    entry = {"resource": patient(), "request": {"method": "POST", "url": "Patient"}}
    steps: dict[str, tuple[str, str, Any]] = {
        "transaction": (
            "POST",
            "",
            {"resourceType": "Bundle", "type": "transaction", "entry": [entry]},
        ),
        "batch": ("POST", "", {"resourceType": "Bundle", "type": "batch", "entry": [entry]}),
        "history-system": ("GET", "/_history", None),
        "search-system": ("GET", "?_type=Patient&_count=5", None),
    }
    for one in rest["interaction"]:
        answer = await fhir(*steps[one["code"]])
        assert answer.status_code == 200, (one, answer.text[:300])
        assert answer.json()["resourceType"] == "Bundle"


async def test_every_compartment_is_searched(fhir: Fhir) -> None:
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    rest = (await statement(fhir))["rest"][0]
    names = [url.rpartition("/")[2] for url in rest["compartment"]]
    assert len(names) == 5
    for name in names:
        type_ = name[0].upper() + name[1:]
        for of in ("Observation", "*"):
            answer = await fhir("GET", f"/{type_}/none/{of}")
            assert answer.status_code == 200, answer.text
            assert "entry" not in answer.json()


async def test_every_operation_answers_at_its_address(fhir: Fhir) -> None:
    rest = (await statement(fhir))["rest"][0]
    said = [(None, one) for one in rest.get("operation", ())]
    said += [(r["type"], one) for r in rest["resource"] for one in r.get("operation", ())]
    assert {one["name"] for _, one in said} == {one.name for one in REGISTRY.operations}
    called: set[str] = set()
    for type_, one in said:
        assert one["definition"].startswith(("http://", "https://"))
        name = f"${one['name']}"
        addresses = [f"/{type_}/{name}", f"/{type_}/x/{name}"] if type_ else [f"/{name}"]
        methods = [(await fhir("OPTIONS", address)).headers.get("allow", "") for address in addresses]  # fmt: skip
        assert any("GET" in allowed or "POST" in allowed for allowed in methods), (type_, one)
        for address, allowed in zip(addresses, methods, strict=True):
            kind = address.replace(type_ or "-", "")
            if allowed and kind not in called:
                called.add(kind)
                await _require_served(fhir, address, allowed)


async def _require_served(fhir: Fhir, address: str, allowed: str) -> None:
    """The operation itself answers: its own answer or its own refusal."""
    for method in ("GET", "POST"):
        if method in allowed:
            body = {"resourceType": "Parameters"} if method == "POST" else None
            answer = await fhir(method, address, body)
            assert answer.status_code < 500, (address, answer.text[:400])
            assert answer.status_code != 405
            assert "fhir.address" not in answer.text


async def test_every_format(fhir: Fhir) -> None:
    said = await statement(fhir)
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    for name in said["format"]:
        answer = await fhir("GET", f"/Patient/p1?_format={name.replace('+', '%2B')}")
        assert answer.status_code == 200
        assert ("xml" in name) == answer.content.startswith(b"<")
    path = [{"name": "path", "valueString": "Patient"}, {"name": "name", "valueString": "active"}]
    step = {"name": "operation", "part": [{"name": "type", "valueCode": "add"}, *path, {"name": "value", "valueBoolean": True}]}  # fmt: skip
    parameters = {"resourceType": "Parameters", "parameter": [step]}
    bodies: dict[str, Any] = {
        "application/json-patch+json": [{"op": "add", "path": "/active", "value": True}],
        "application/xml-patch+xml": b'<diff xmlns:f="http://hl7.org/fhir"><add sel="f:Patient/f:identifier" pos="after"><active xmlns="http://hl7.org/fhir" value="true"/></add></diff>',
        "application/fhir+json": parameters,
        "application/fhir+xml": xml.dumps(parameters),
    }
    for number, media in enumerate(said["patchFormat"]):
        address = f"/Patient/f{number}"
        await fhir("PUT", address, patient(id=f"f{number}"))
        done = await fhir("PATCH", address, bodies[media], Content_Type=media)
        assert (done.status_code, done.json().get("active")) == (200, True), done.text[:300]


async def test_the_other_lines(fhir: Fhir) -> None:
    said = await statement(fhir)
    assert said["fhirVersion"] == "4.0.1"
    assert said["rest"][0]["security"]["service"][0]["coding"][0]["code"] == "SMART-on-FHIR"
    known = {"resourceType", "id", "url", "version", "name", "title", "status", "date", "kind"}
    known |= {"software", "implementation", "fhirVersion", "format", "patchFormat", "rest"}
    known |= {"instantiates"}
    assert set(said) <= known
    lines = {"mode", "security", "resource", "interaction", "operation", "compartment", "extension"}
    assert set(said["rest"][0]) <= lines
    types = {"type", "interaction", "versioning", "readHistory", "updateCreate", "operation"}
    types |= {"conditionalCreate", "conditionalRead", "conditionalUpdate", "conditionalDelete"}
    types |= {"extension", "referencePolicy", "searchInclude", "searchRevInclude", "searchParam"}
    for one in said["rest"][0]["resource"]:
        assert set(one) <= types
