"""Is guessing slow, hashing bounded, and nobody locked out?"""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from liane.base.errors import Invalid, NotFound
from liane.identity.smart import covered, is_system_scope
from liane.identity.throttle import LONGEST_WAIT_SECONDS, Throttle
from tests.house import PASSWORD, House
from tests.signing_in import submit_form


class Hands:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def test_a_few_mistakes_cost_nothing_then_each_waits_longer_up_to_a_few_seconds() -> None:
    throttle = Throttle(30, Hands())
    waits = []
    for _ in range(12):
        waits.append(throttle.wait_seconds("claire"))
        throttle.failed("claire", "10.0.0.1")
    assert waits[:3] == [0, 0, 0]
    assert waits[3:7] == [0.5, 1, 2, 4]
    assert max(waits) == LONGEST_WAIT_SECONDS


def test_the_right_password_ends_the_wait_and_time_does_too() -> None:
    clock = Hands()
    throttle = Throttle(30, clock)
    for _ in range(50):
        throttle.failed("claire", "10.0.0.1")
    clock.at += 16 * 60
    assert throttle.wait_seconds("claire") == 0
    for _ in range(50):
        throttle.failed("claire", "10.0.0.1")
    throttle.succeeded("claire")
    assert throttle.wait_seconds("claire") == 0


def test_an_address_that_fails_too_often_waits_for_the_next_minute() -> None:
    clock = Hands()
    throttle = Throttle(30, clock)
    for number in range(30):
        throttle.failed(f"account-{number}", "10.0.0.9")
    assert throttle.address_refused("10.0.0.9")
    assert not throttle.address_refused("10.0.0.1")
    clock.at += 61
    assert not throttle.address_refused("10.0.0.9")


def test_few_may_wait_at_once_and_places_are_given_back() -> None:
    throttle = Throttle(30, Hands())
    with ExitStack() as waiting:
        mine = [waiting.enter_context(throttle.waiting("10.0.0.9")) for _ in range(12)]
        assert mine == [True] * 8 + [False] * 4
        others = [waiting.enter_context(throttle.waiting(f"10.0.1.{n}")) for n in range(60)]
        assert others.count(True) == 56
    with throttle.waiting("10.0.0.9") as free:
        assert free


async def test_an_attacked_carer_still_signs_in_from_a_known_device(house: House) -> None:
    from liane.identity import commands
    from liane.identity import throttle as throttling

    await asyncio.to_thread(commands.add_user, house.identity, "hunted.one", "H", PASSWORD)

    async def attempt(client: httpx.AsyncClient, password: str) -> tuple[int, float]:
        form = await client.get(f"{house.base_url}/id/accounts/login/")
        begun = time.monotonic()
        answer = await submit_form(client, form, "hunted.one", password)
        return answer.status_code, time.monotonic() - begun

    async with house.browser() as own:
        assert (await attempt(own, PASSWORD))[0] == 302
        own.cookies.delete("liane_id_session")
        for _ in range(5):
            throttling.throttle().failed("hunted.one", "10.9.9.9")
        async with house.browser() as stranger:
            status, seconds = await attempt(stranger, PASSWORD)
            assert (status, seconds > 1.5) == (302, True)  # slower, and still open
        for _ in range(5):
            throttling.throttle().failed("hunted.one", "10.9.9.9")
        status, seconds = await attempt(own, PASSWORD)
        assert (status, seconds < 1) == (302, True)


def test_memory_is_bounded_under_a_flood_of_names() -> None:
    throttle = Throttle(30, Hands())
    for number in range(25_000):
        throttle.failed(f"account-{number}", f"10.{number}")
    assert len(throttle._accounts) == len(throttle._addresses) == 20_000


def test_one_password_is_hashed_at_a_time_and_the_queue_is_short(house: House) -> None:
    from liane.identity import hashing

    running, most = [], []
    lock = threading.Lock()

    def work(_: int) -> str:
        try:
            with hashing._queue.turn():
                with lock:
                    running.append(1)
                    most.append(len(running))
                time.sleep(0.002)
                with lock:
                    running.pop()
        except hashing.TooManySignIns:
            return "refused"
        return "done"

    with ThreadPoolExecutor(200) as pool:
        outcomes = list(pool.map(work, range(200)))
    assert max(most) == 1
    assert "refused" in outcomes
    assert outcomes.count("done") >= hashing.QUEUE_LIMIT


async def test_passwords_are_kept_as_argon2id_with_19_mebibytes(
    house: House, test_database: Any
) -> None:
    import asyncpg

    from liane.identity import commands

    await asyncio.to_thread(commands.add_user, house.identity, "kept.hash", "K", PASSWORD)
    connection = await asyncpg.connect(test_database.identity_dsn)
    kept = await connection.fetchval(
        "select password from identity.liane_identity_account where username = 'kept.hash'"
    )
    await connection.close()
    assert kept.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")


async def test_the_roles_of_the_record_and_of_identity_cannot_read_one_another(
    house: House, test_database: Any
) -> None:
    import asyncpg

    if test_database.external:
        pytest.skip("one role for everything in this database")
    record = await asyncpg.connect(test_database.app_dsn)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await record.fetch("select * from identity.liane_identity_account")
    await record.close()
    identity = await asyncpg.connect(test_database.identity_dsn)
    for table in ("record.resource", "journal.entry", "access.session"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await identity.fetch(f"select * from {table}")
    await identity.close()


async def test_weak_passwords_odd_logins_and_unknown_scopes_are_refused_in_words(
    house: House,
) -> None:
    from liane.identity import commands

    for login, password in (
        ("a.b", "short"),
        ("a.b", "password1"),
        ("é", PASSWORD),
        ("", PASSWORD),
    ):
        with pytest.raises(Invalid):
            await asyncio.to_thread(commands.add_user, house.identity, login, "A B", password)
    for scope in ("", "everything", "system/*.", "user/*.cruds", "system/patient.rs"):
        with pytest.raises(Invalid):
            await asyncio.to_thread(commands.add_client, house.identity, "x", scope)
    with pytest.raises(NotFound):
        await asyncio.to_thread(commands.set_password, house.identity, "no.one", PASSWORD)
    with pytest.raises(NotFound):
        await asyncio.to_thread(commands.remove_client, house.identity, "none")


async def test_lists_and_clearing_work(house: House) -> None:
    from liane.identity import commands

    await asyncio.to_thread(commands.add_user, house.identity, "listed.one", "Listed One", PASSWORD)
    found = await asyncio.to_thread(commands.users, house.identity)
    assert any(line.login == "listed.one" and line.name == "Listed One" for line in found)
    made = await asyncio.to_thread(commands.add_client, house.identity, "listed", "system/*.rs")
    listed = await asyncio.to_thread(commands.clients, house.identity)
    assert (made["client_id"], "listed", "system/*.rs") in listed
    await asyncio.to_thread(commands.clear_expired, house.identity)


@pytest.mark.parametrize(
    ("wanted", "allowed", "expected"),
    [
        ("system/Patient.rs", ["system/*.cruds"], True),
        ("system/Patient.read", ["system/*.rs"], True),
        ("system/Patient.cruds", ["system/Patient.rs", "system/Patient.cud"], True),
        ("system/Patient.c", ["system/*.rs"], False),
        ("user/Patient.r", ["system/*.cruds"], False),
        ("system/Patient.", ["system/*.cruds"], False),
        ("system/*.r", ["system/Patient.r"], False),
        ("openid", ["openid"], True),
        ("admin", ["system/*.cruds"], False),
    ],
)
def test_scopes_narrow_and_never_widen(wanted: str, allowed: list[str], expected: bool) -> None:
    assert covered(wanted, allowed) is expected


def test_what_is_a_system_scope() -> None:
    assert is_system_scope("system/*.cruds")
    assert is_system_scope("system/ImagingStudy.rs")
    assert not is_system_scope("system/ImagingStudy.sr")
    assert not is_system_scope("openid")
