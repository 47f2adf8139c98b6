"""What is asked of a server in each class of work: one resource, searches, bundles, conditions?"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from bench.fhir.client import Client, Reply, together
from bench.fhir.population import Draw
from bench.fhir.servers import Server
from bench.fhir.shapes import Shape

CONNECTIONS = 8
BUNDLE_CONNECTIONS = 4
AT_ONCE = 32
KINDS = (
    "Organization", "Practitioner", "Patient", "Encounter", "Condition", "Observation",
    "MedicationRequest", "Procedure", "Claim",
)  # fmt: skip
"""Made in this order, removed in the opposite one, so that nothing ever refers to nothing."""
LOCATION = re.compile(rb'"location"\s*:\s*"(?:[^"]*/)?([A-Z]\w+/[A-Za-z0-9.\-]{1,64})/_history')


@dataclass
class Taken:
    """What one run measured."""

    seconds: float = 0.0
    units: int = 0
    """Requests; for bundles, resources."""
    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    wrong: Counter[str] = field(default_factory=Counter)
    cpu: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Processor seconds of the program, of its database, of this client."""

    def note(self, name: str, began: float, reply: Reply, good: Sequence[int]) -> None:
        """One request, done."""
        self.units += 1
        if reply.status in good:
            self.times[name].append(time.perf_counter() - began)
        else:
            self.wrong[f"{name}: {reply.status} {_said(reply.body)}"] += 1


def _said(body: bytes) -> str:
    try:
        issue = orjson.loads(body)["issue"][0]
        return str(issue.get("diagnostics") or issue.get("details", {}).get("text", ""))[:160]
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError):
        return ""


async def measured(server: Server, taken: Taken, work: Any) -> Taken:
    """Run `work` and note how long it took and whose processor time it was."""
    program, database = server.cpu()
    own, began = time.process_time(), time.perf_counter()
    await work
    taken.seconds = time.perf_counter() - began
    now_program, now_database = server.cpu()
    taken.cpu = (now_program - program, now_database - database, time.process_time() - own)
    return taken


def templates(bundle: dict[str, Any]) -> dict[str, str]:
    """One resource of each kind, whose references name kinds in place of resources."""
    kinds = {e["fullUrl"]: e["resource"]["resourceType"] for e in bundle["entry"]}
    made: dict[str, str] = {}
    for entry in bundle["entry"]:
        resource = entry["resource"]
        kind = resource["resourceType"]
        if kind not in KINDS or kind in made:
            continue
        resource = {k: v for k, v in _pointed(resource, kinds).items() if k not in ("id", "meta")}
        if kind in ("Patient", "Organization", "Practitioner"):
            resource["identifier"] = [{"system": "urn:bench", "value": "@value@"}]
        made[kind] = orjson.dumps(resource).decode()
    return {kind: made[kind] for kind in KINDS if kind in made}


def _pointed(node: Any, kinds: dict[str, str]) -> Any:
    if isinstance(node, list):
        return [_pointed(one, kinds) for one in node]
    if not isinstance(node, dict):
        return node
    kind = kinds.get(node.get("reference", ""))
    if kind is not None:
        return {"reference": f"@{kind if kind in KINDS else 'Patient'}@"}
    return {name: _pointed(value, kinds) for name, value in node.items()}


async def crud(server: Server, forms: dict[str, str], seconds: float) -> Taken:
    """Nine resources that refer to one another: made, read, changed, removed, again and again."""
    taken = Taken()
    until = time.perf_counter() + seconds

    async def work(_: int, client: Client) -> None:
        while time.perf_counter() < until:
            await _once(client, forms, taken)

    run = together(server.port, server.headers, CONNECTIONS, work)
    return await measured(server, taken, run)


async def _once(client: Client, forms: dict[str, str], taken: Taken) -> None:
    known: dict[str, str] = {}
    texts: dict[str, str] = {}
    for kind, form in forms.items():
        text = form.replace("@value@", secrets.token_hex(8))
        for other, reference in known.items():
            text = text.replace(f"@{other}@", reference)
        began = time.perf_counter()
        reply = await client.ask("POST", f"/{kind}", text.encode())
        taken.note("create", began, reply, (201,))
        if reply.status != 201:
            return
        known[kind] = kind + reply.location.partition(f"/{kind}")[2].partition("/_history")[0]
        texts[kind] = text
    for reference in known.values():
        began = time.perf_counter()
        taken.note("read", began, await client.ask("GET", f"/{reference}"), (200,))
    for kind, reference in known.items():
        own = reference.partition("/")[2]
        changed = f'{{"id":"{own}","language":"fr",{texts[kind][1:]}'
        began = time.perf_counter()
        reply = await client.ask("PUT", f"/{reference}", changed.encode())
        taken.note("update", began, reply, (200,))
    for reference in reversed(known.values()):
        began = time.perf_counter()
        taken.note("delete", began, await client.ask("DELETE", f"/{reference}"), (200, 204))


async def search(server: Server, shapes: Sequence[Shape], draw: Draw, seconds: float) -> Taken:
    """Every shape in turn, with new values each time."""
    taken = Taken()
    until = time.perf_counter() + seconds
    turn = 0

    async def work(_: int, client: Client) -> None:
        nonlocal turn
        while time.perf_counter() < until:
            shape = shapes[turn % len(shapes)]
            turn += 1
            path = shape.path(draw.values())
            began = time.perf_counter()
            taken.note(shape.name, began, await client.ask("GET", path), (200,))

    run = together(server.port, server.headers, CONNECTIONS, work)
    return await measured(server, taken, run)


async def bundles(
    server: Server, texts: Sequence[tuple[bytes, int]], ids: list[str] | None = None
) -> Taken:
    """Post these transactions (text, number of entries); `ids` takes what they became, in order."""
    taken = Taken()
    became: list[list[str]] = [[] for _ in texts]
    ahead = iter(range(len(texts)))

    async def work(_: int, client: Client) -> None:
        for number in ahead:
            text, entries = texts[number]
            began = time.perf_counter()
            reply = await client.ask("POST", "", text)
            taken.note("bundle", began, reply, (200,))
            taken.units += entries - 1 if reply.status == 200 else -1
            if ids is not None:
                became[number] = [one.decode() for one in LOCATION.findall(reply.body)]
                became[number] += [""] * (entries - len(became[number]))

    run = together(server.port, server.headers, BUNDLE_CONNECTIONS, work)
    await measured(server, taken, run)
    if ids is not None:
        ids.extend(one for some in became for one in some)
    return taken


async def conditional(server: Server, groups: int) -> tuple[Taken, Counter[int]]:
    """Groups of equal conditional creates at once; how many resources each group ended with."""
    taken = Taken()
    values = [f"bench-{secrets.token_hex(8)}" for _ in range(groups)]
    start = [asyncio.Barrier(AT_ONCE) for _ in values]

    async def work(_: int, client: Client) -> None:
        for value, barrier in zip(values, start, strict=True):
            person = {
                "resourceType": "Patient",
                "identifier": [{"system": "urn:bench", "value": value}],
            }
            wanted = {"If-None-Exist": f"identifier=urn:bench%7C{value}"}
            await barrier.wait()
            began = time.perf_counter()
            reply = await client.ask("POST", "/Patient", orjson.dumps(person), wanted)
            taken.note("conditional create", began, reply, (200, 201))

    await measured(server, taken, together(server.port, server.headers, AT_ONCE, work))
    found: Counter[int] = Counter()
    client = Client(server.port, server.headers)
    for value in values:
        reply = await client.ask("GET", f"/Patient?identifier=urn:bench%7C{value}&_summary=count")
        found[int(orjson.loads(reply.body)["total"])] += 1
    client.close()
    return taken, found
