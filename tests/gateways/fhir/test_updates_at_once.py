"""Promise: whoever writes at the same moment, no change that was answered with success is lost."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from liane.store import Database
from tests.conftest import TestDatabase
from tests.gateways.fhir.conftest import patient
from tests.gateways.fhir.serving import TOKEN, Served

JSON_PATCH = {"Content-Type": "application/json-patch+json"}


def phone(name: str) -> dict[str, str]:
    return {"system": "other", "value": name}


class Counting(RuleBasedStateMachine):
    """Several clients change one patient: a counter that each raises by one, a list each adds to.

    The model knows only what was answered with success.
    """

    base: str
    threads: ThreadPoolExecutor

    def __init__(self) -> None:
        super().__init__()
        self.http = httpx.Client(base_url=self.base, headers=TOKEN, timeout=30)
        self.number = uuid4().hex
        self.criteria = f"identifier=urn:count|{self.number}"
        made = self.http.post(
            f"{self.base}/Patient", json=self.body(0, []), headers={"If-None-Exist": self.criteria}
        )
        assert made.status_code == 201
        self.id = made.json()["id"]
        self.count = 0
        self.added: set[str] = set()
        self.version = 1

    def body(self, count: int, telecom: list[Any]) -> dict[str, Any]:
        identifier = [{"system": "urn:count", "value": self.number}]
        body = patient(identifier=identifier, multipleBirthInteger=count)
        return {**body, "telecom": telecom} if telecom else body

    def read(self) -> tuple[dict[str, Any], str]:
        answer = self.http.get(f"{self.base}/Patient/{self.id}")
        return answer.json(), answer.headers["etag"]

    def at_once(self, clients: int, act: Callable[[], httpx.Response]) -> list[int]:
        answers = list(self.threads.map(lambda _: act(), range(clients)))
        statuses = [answer.status_code for answer in answers]
        assert set(statuses) <= {200, 412}, [answer.text[:300] for answer in answers]
        self.version += statuses.count(200)
        return statuses

    def raised(self, path: str) -> httpx.Response:
        """Read, add one, write back if nobody has written meanwhile."""
        now, tag = self.read()
        now["multipleBirthInteger"] += 1
        if "?" in path:
            del now["id"]
        return self.http.put(f"{self.base}{path}", json=now, headers={"If-Match": tag})

    @rule(clients=st.integers(1, 6))
    def raise_by_id(self, clients: int) -> None:
        statuses = self.at_once(clients, lambda: self.raised(f"/Patient/{self.id}"))
        assert 200 in statuses
        self.count += statuses.count(200)

    @rule(clients=st.integers(1, 6))
    def raise_by_condition(self, clients: int) -> None:
        statuses = self.at_once(clients, lambda: self.raised(f"/Patient?{self.criteria}"))
        assert 200 in statuses
        self.count += statuses.count(200)

    @rule(clients=st.integers(1, 6), conditional=st.booleans())
    def add_by_patch(self, clients: int, conditional: bool) -> None:
        """Without If-Match each patch applies to what the others have left."""
        target = f"?{self.criteria}" if conditional else f"/{self.id}"
        names = [uuid4().hex for _ in range(clients)]
        left = list(names)
        first = "telecom" not in self.read()[0]
        if first:
            return self.start_list()

        def patch() -> httpx.Response:
            step = {"op": "add", "path": "/telecom/-", "value": phone(left.pop())}
            return self.http.patch(f"{self.base}/Patient{target}", json=[step], headers=JSON_PATCH)

        assert self.at_once(clients, patch) == [200] * clients
        self.added |= set(names)
        return None

    def start_list(self) -> None:
        name = uuid4().hex
        step = {"op": "add", "path": "/telecom", "value": [phone(name)]}
        answer = self.http.patch(f"{self.base}/Patient/{self.id}", json=[step], headers=JSON_PATCH)
        assert answer.status_code == 200
        self.version += 1
        self.added.add(name)

    @rule()
    def write_with_an_old_version(self) -> None:
        """Whoever has read before the last change is refused, in all three ways."""
        if self.version == 1:
            return
        old = {"If-Match": f'W/"{self.version - 1}"'}
        body = self.body(-1, [])
        for path in (f"/Patient/{self.id}", f"/Patient?{self.criteria}"):
            sent = body if "?" in path else {**body, "id": self.id}
            assert self.http.put(f"{self.base}{path}", json=sent, headers=old).status_code == 412
            assert self.http.delete(f"{self.base}{path}", headers=old).status_code == 412
        step = [{"op": "replace", "path": "/multipleBirthInteger", "value": -1}]
        refused = self.http.patch(
            f"{self.base}/Patient/{self.id}", json=step, headers={**JSON_PATCH, **old}
        )
        assert refused.status_code == 412

    @rule()
    def in_a_transaction(self) -> None:
        now, tag = self.read()
        now["multipleBirthInteger"] += 1
        request = {"method": "PUT", "url": f"Patient/{self.id}", "ifMatch": tag}
        sent = {
            "resourceType": "Bundle",
            "type": "transaction",
            "entry": [{"resource": now, "request": request}],
        }
        statuses = self.at_once(3, lambda: self.http.post(f"{self.base}/", json=sent))
        assert statuses.count(200) == 1
        self.count += 1

    @invariant()
    def nothing_is_lost(self) -> None:
        now, tag = self.read()
        assert now["multipleBirthInteger"] == self.count
        assert {one["value"] for one in now.get("telecom", [])} == self.added
        assert tag == f'W/"{self.version}"'

    def teardown(self) -> None:
        history = self.http.get(f"{self.base}/Patient/{self.id}/_history?_count=500").json()
        numbers = [int(e["response"]["etag"].strip('W/"')) for e in history["entry"]]
        assert numbers == list(range(self.version, 0, -1))
        self.http.close()


def count(database: Database, dsn: str, home: Path, examples: int, steps: int) -> None:
    assert database.tenant
    with Served(dsn, home) as served, ThreadPoolExecutor(6) as threads:
        machine = type("Counted", (Counting,), {"base": served.base, "threads": threads})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )


def test_no_update_is_lost(database: Database, test_database: TestDatabase, tmp_path: Path) -> None:
    count(database, test_database.app_dsn, tmp_path, 5, 8)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_no_update_is_lost_long(
    database: Database, test_database: TestDatabase, tmp_path: Path
) -> None:
    count(database, test_database.app_dsn, tmp_path, 150, 30)
