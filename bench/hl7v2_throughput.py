"""How many HL7 v2 messages per second are stored, applied and answered?

Everything on this machine: PostgreSQL with its safe settings, the gateway in its own process, the
senders in another. A message counts when its AA has come back: its bytes and its resources are
then committed. Prints one line per figure.

    python bench/hl7v2_throughput.py --connections 8 --messages 3000
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil

from liane.gateways.hl7v2.mllp import FrameParser, frame

CHU = "CHU&1.2.250.1.999.1.1&ISO"
TESTS = [
    ("2823-3", "Potassium", "mmol/L", "3.5 - 5.1"),
    ("2951-2", "Sodium", "mmol/L", "136 - 145"),
    ("2160-0", "Creatinine", "umol/L", "45 - 84"),
    ("718-7", "Hemoglobine", "g/dL", "12.0 - 16.0"),
    ("6690-2", "Leucocytes", "10*9/L", "4.0 - 10.0"),
    ("777-3", "Plaquettes", "10*9/L", "150 - 400"),
]


def _msh(kind: str, control: str, at: str, app: str) -> str:
    return (
        f"MSH|^~\\&|{app}|CHU|LIANE|GHT|{at}||{kind}|{control}|P|2.5^FRA^2.11|||||FRA|UNICODE UTF-8"
    )


def _pid(n: int) -> str:
    return (
        f"PID|1||B{n:07d}^^^{CHU}^PI||ESSAI{n}^Ada^Ada^^^^L||19{n % 80 + 10}0314|F|||"
        "3 rue du Banc^^VILLENEUVE^^99999^FRA^H~^^^^^^BDL^^99998||||||||||||||||||||N|VALI"
    )


def adt(event: str, n: int, control: str, at: str, unit: str, key: str) -> bytes:
    """An admission, a transfer or a discharge with its ZBE."""
    return (
        "\r".join(
            [
                _msh(f"ADT^{event}^ADT_{event}", control, at, "GAM"),
                f"EVN||{at}||||{at}",
                _pid(n),
                f"PV1|1|I|{unit}^{n % 14 + 1}^{n % 2 + 1}^CHU|R|||801^MERLE^Ada||||||||||||V{n}^^^{CHU}^VN",
                f"ZBE|{key}^MVT|{at}||INSERT|N||M^^^^^CHU^UF^^^{unit}|S^^^^^CHU^UF^^^{unit}|HMS",
            ]
        ).encode()
        + b"\r"
    )


def oru(n: int, control: str, at: str, order: str, results: int) -> bytes:
    """A laboratory report."""
    lines = [
        _msh("ORU^R01^ORU_R01", control, at, "SIL"),
        _pid(n),
        f"ORC|RE|P{order}^DPI|{order}^SIL",
        f"OBR|1|P{order}^DPI|{order}^SIL|BILAN^Bilan^L|||{at}|||||||||||||||{at}||LAB|F",
    ]
    for i in range(results):
        code, name, unit, limits = TESTS[i % len(TESTS)]
        sub = "" if i < len(TESTS) else str(i // len(TESTS))
        value = f"{random.uniform(3, 150):.1f}"
        lines.append(f"OBX|{i + 1}|NM|{code}^{name}^LN|{sub}|{value}|{unit}|{limits}|N|||F|||{at}")
    return "\r".join(lines).encode() + b"\r"


def course(connection: int, count: int, results: int):
    """What one connection sends: patients who come, move, have results and leave."""
    sent = 0
    patient = connection * 1_000_000
    while sent < count:
        patient += 1
        for step in range(6):
            if sent == count:
                return
            sent += 1
            control = f"{connection}-{sent}"
            at = time.strftime("%Y%m%d%H%M%S", time.localtime(time.time() - 3600 + step * 300))
            if step in (0, 2, 5):
                event = {0: "A01", 2: "A02", 5: "A03"}[step]
                yield adt(event, patient, control, at, f"31{step}1", f"{patient}-{step}")
            else:
                yield oru(patient, control, at, f"{patient}-{step}", results)


async def send(port: int, messages, times: list[float], answers: dict[str, int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    parser = FrameParser()
    for message in messages:
        began = time.perf_counter()
        writer.write(frame(message))
        found: list = []
        while not found:
            found = parser.feed(await reader.read(65536))
        times.append(time.perf_counter() - began)
        code = found[0].data.split(b"MSA|", 1)[1][:2].decode()
        answers[code] = answers.get(code, 0) + 1
        if code != "AA" and answers[code] <= 3:
            print(found[0].data.decode(), file=sys.stderr)
    writer.close()


def gateway(dsn: str, home: str, ports, stop, profile: str) -> None:
    """The gateway's own process."""
    import uvloop

    from liane.access.sessions import Sessions
    from liane.base import heap
    from liane.gateways.hl7v2.partners import ensure
    from liane.gateways.hl7v2.service import serve
    from liane.rooms import imaging, patients, record
    from liane.store import Database
    from liane.store.blobs import Blobs
    from liane.ui.services import Services

    async def run() -> None:
        rooms = (patients, record, imaging)
        projections = tuple(r.project for r in rooms if hasattr(r, "project"))
        database = await Database.open(dsn, min_size=4, max_size=12, projections=projections)
        async with database.transaction() as tx:
            await ensure(tx)
        services = Services(
            database=database,
            blobs=Blobs(Path(home) / "blobs"),
            home=Path(home),
            sessions=Sessions(database),
        )
        ended = asyncio.Event()

        async def watch() -> None:
            await asyncio.to_thread(stop.wait)
            ended.set()

        watching = asyncio.create_task(watch())
        heap.settle()
        await serve(services, "127.0.0.1", 0, ended, ready=ports.put)
        await watching
        await database.close()

    if profile:
        import cProfile

        profiler = cProfile.Profile(time.process_time)
        profiler.enable()
    uvloop.run(run())
    if profile:
        profiler.disable()
        profiler.dump_stats(profile)


def processor_seconds() -> dict[str, float]:
    """Processor time used so far by the gateway and by PostgreSQL."""
    spent = {"gateway": 0.0, "postgres": 0.0}
    for process in psutil.process_iter(["name", "cmdline", "ppid"]):
        try:
            times = process.cpu_times()
            if process.pid in MEASURED["gateway"]:
                spent["gateway"] += times.user + times.system
            elif process.info["ppid"] in MEASURED["postgres"]:
                spent["postgres"] += times.user + times.system + times.children_user
        except psutil.NoSuchProcess:
            continue
    return spent


MEASURED: dict[str, set[int]] = {"gateway": set(), "postgres": set()}


STATEMENTS = {
    "shared_preload_libraries": "'pg_stat_statements'",
    "pg_stat_statements.track_planning": "on",
    "pg_stat_statements.track": "all",
}


async def _settled(options: argparse.Namespace) -> None:
    """What autovacuum does within the first minute of an installation: give the planner figures."""
    import asyncpg

    connection = await asyncpg.connect(options.owner_dsn)
    await connection.execute("analyze")
    if options.statements:
        await connection.execute("create extension if not exists pg_stat_statements")
        await connection.execute("select pg_stat_statements_reset()")
    await connection.close()


async def _told(dsn: str, messages: int) -> None:
    """The statements that cost PostgreSQL most, in microseconds for each message."""
    import asyncpg

    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch(
        """select calls, plans, total_plan_time as planning, total_exec_time as running,
                  regexp_replace(left(query, 400), '\\s+', ' ', 'g') as text
           from pg_stat_statements order by total_plan_time + total_exec_time desc limit 30"""
    )
    print("  calls  plans planning  running  us per message")
    for row in rows:
        planning, running = (row[name] * 1000 / messages for name in ("planning", "running"))
        calls, plans = row["calls"] / messages, row["plans"] / messages
        print(f"{calls:7.2f}{plans:7.2f}{planning:9.0f}{running:9.0f}  {row['text'][:90]}")
    await connection.close()


async def measure(port: int, options: argparse.Namespace) -> None:
    each = options.messages // options.connections
    for name, count in (("warm-up", 60), ("run", each)):
        if name == "run":
            await _settled(options)
        times: list[float] = []
        answers: dict[str, int] = {}
        before = processor_seconds()
        began = time.perf_counter()
        offset = 0 if name == "run" else 500
        await asyncio.gather(
            *(
                send(port, course(c + offset, count, options.results), times, answers)
                for c in range(options.connections)
            )
        )
        took = time.perf_counter() - began
    spent = {k: v - before[k] for k, v in processor_seconds().items()}
    if options.statements:
        await _told(options.owner_dsn, len(times))
    times.sort()
    for who, seconds in spent.items():
        print(f"processor {who:10}{seconds / len(times) * 1000:8.2f} ms per message")
    print(f"messages            {len(times)}  answers {answers}")
    print(f"throughput          {len(times) / took:8.1f} messages/s")
    for share in (50, 95, 99):
        print(f"answer time p{share}     {times[int(len(times) * share / 100) - 1] * 1000:8.1f} ms")
    print(f"answer time mean    {statistics.mean(times) * 1000:8.1f} ms")


async def large(port: int) -> None:
    """One message of 5,000 OBX beside senders of small ones."""
    small: list[float] = []
    answers: dict[str, int] = {}
    stop = asyncio.Event()

    async def others(c: int) -> None:
        for message in course(c + 900, 100_000, 6):
            if stop.is_set():
                return
            await send(port, [message], small, answers)

    tasks = [asyncio.create_task(others(c)) for c in range(2)]
    await asyncio.sleep(1)
    before = len(small)
    times: list[float] = []
    await send(port, [oru(77_000_000, "large", "20260301101500", "LARGE", 5000)], times, answers)
    during = small[before:]
    stop.set()
    await asyncio.gather(*tasks)
    print(
        f"5,000 OBX           {times[0] * 1000:8.1f} ms, others at worst {max(during) * 1000:8.1f} ms"
    )


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--connections", type=int, default=8)
    reader.add_argument("--messages", type=int, default=3000)
    reader.add_argument("--results", type=int, default=6, help="OBX per ORU")
    reader.add_argument("--profile", default="", help="file for the gateway's cProfile")
    reader.add_argument("--no-large", action="store_true")
    reader.add_argument("--statements", action="store_true", help="where PostgreSQL's time goes")
    options = reader.parse_args()
    from liane.store.embedded import EmbeddedServer
    from liane.store.migrate import migrate

    home = tempfile.mkdtemp(prefix="liane-bench-hl7v2-")
    given = os.environ.get("LIANE_TEST_DATABASE_URL")
    settings = STATEMENTS if options.statements else {}
    server = None if given else EmbeddedServer(Path(home) / "postgres", settings=settings)
    if server is not None:
        server.start()
    options.owner_dsn = given or server.owner_dsn
    if options.statements:
        options.owner_dsn = server.cluster.dsn("postgres")
    try:
        asyncio.run(migrate(given or server.owner_dsn))
        context = multiprocessing.get_context("spawn")
        ports, stop = context.Queue(), context.Event()
        process = context.Process(
            target=gateway, args=(given or server.app_dsn, home, ports, stop, options.profile)
        )
        process.start()
        MEASURED["gateway"] = {process.pid}
        MEASURED["postgres"] = {
            p.pid
            for p in psutil.process_iter(["cmdline"])
            if "postgres" in " ".join(p.info["cmdline"] or [])
            and home in " ".join(p.info["cmdline"] or [])
        }
        try:
            port = ports.get(timeout=60)
            asyncio.run(measure(port, options))
            if not options.no_large:
                asyncio.run(large(port))
        finally:
            stop.set()
            process.join(15)
            if process.is_alive():
                process.kill()
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
