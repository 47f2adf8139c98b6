"""Which commands does an operator have, and what does each do?

Every command says what it did and ends with status 0, or says what is wrong and what to do and
ends with another status.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence

from liane.base.errors import LianeError
from liane.settings import Settings, described, load

Command = Callable[[Settings, argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        settings = load()
        command: Command = given.command
        return command(settings, given)
    except LianeError as error:
        print(f"liane: {error.en} {error.advice_en}".strip(), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="liane",
        description="Liane, one open hospital platform. Not a CE-marked medical device: "
        "synthetic data only.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_processes(commands)
    _add_accounts(commands)
    _add_data(commands)
    _add_operations(commands)
    return parser


def _add_processes(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    _add(commands, "demo", "start the whole platform with a synthetic hospital group", _demo)
    for process in (
        _add(commands, "serve", "web pages, FHIR API, DICOMweb, sign-in, live socket", _serve),
        _add(commands, "gateway", "doors of machines: HL7 v2 over MLLP, DICOM", _gateway),
        _add(commands, "worker", "jobs that follow the change feed", _worker),
    ):
        process.add_argument("--held", action="store_true", help=argparse.SUPPRESS)
    simulate = _add(commands, "simulate", "play a hospital on the real doors", _simulate)
    simulate.add_argument("words", nargs=argparse.REMAINDER, help="passed on to the simulator")


def _add_accounts(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    user = commands.add_parser("user", help="staff accounts").add_subparsers(required=True)
    add_user = _add(user, "add", "add a staff account", _user_add)
    add_user.add_argument("login")
    add_user.add_argument("--role", required=True, help="ide, medecin, pharmacien, dsi ...")
    add_user.add_argument("--establishment", required=True, help="Organization id, e.g. chu")
    add_user.add_argument("--unit", action="append", default=[], help="care unit (repeatable)")
    add_user.add_argument(
        "--scope", choices=("unit", "establishment", "group"), default="unit", help="reach"
    )
    add_user.add_argument("--name", default="", help="given and family name; default: the login")
    add_user.add_argument(
        "--password-stdin", action="store_true", help="read the password from standard input"
    )
    client = commands.add_parser("client", help="API clients").add_subparsers(required=True)
    add_client = _add(client, "add", "add an API client (client_credentials)", _client_add)
    add_client.add_argument("name", help="a label, need not be unique")
    add_client.add_argument("--scope", required=True, help='e.g. "system/*.cruds"')
    add_client.add_argument("--establishment", default=None, help="limit to one establishment")
    add_client.add_argument("--json", action="store_true", help="print JSON")

    partner = commands.add_parser("partner", help="systems that send").add_subparsers(required=True)
    _add(
        partner,
        "accept-loopback",
        "let every HL7 v2 and DICOM system of this machine send (demonstration, tests)",
        _partner_loopback,
    )


def _add_data(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    bring = _add(commands, "import", "bring files into the record; repeatable", _import)
    bring.add_argument("paths", nargs="+", metavar="PATH")
    bring.add_argument("--mapping", help="TOML file that maps CSV columns and PDF file names")
    psql = _add(commands, "psql", "psql as the database owner: liane psql -- ARGS", _psql)
    psql.add_argument("words", nargs=argparse.REMAINDER)

    terminology = commands.add_parser("terminology", help="nomenclatures")
    loading = _add(
        terminology.add_subparsers(required=True),
        "load",
        "load the published files of a nomenclature; repeatable, by edition",
        _terminology_load,
    )
    loading.add_argument("kind", metavar="KIND", help="cim10, ccam, bdpm, loinc, jdv or fhir")
    loading.add_argument("paths", nargs="+", metavar="PATH")
    loading.add_argument("--edition", default="", help="version, when the files do not say it")
    loading.add_argument("--url", default="", help="canonical address, when not the usual one")

    package = commands.add_parser("package", help="packages of FHIR definitions")
    packages = package.add_subparsers(required=True)
    add_package = _add(packages, "add", "load a package (.tgz) of profiles", _package_add)
    add_package.add_argument("file", metavar="FILE.tgz")
    _add(packages, "list", "the packages loaded", _package_list)
    remove = _add(packages, "remove", "take a package out", _package_remove)
    remove.add_argument("name", metavar="NAME[@VERSION]")


def _add_operations(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    _add(commands, "migrate", "bring the database to this release", _migrate)
    _add(commands, "settings", "every setting with meaning, unit and default", _settings)
    _add(commands, "doctor", "check the installation and say how to mend it", _doctor)
    validation = _add(
        commands, "validation", "what a finding does to a write: block, warn or ignore", _validation
    )
    validation.add_argument("kind", nargs="?", help="a kind of finding; none: list all")
    validation.add_argument(
        "effect", nargs="?", choices=("block", "warn", "ignore", "default"), default="default"
    )
    validation.add_argument("--establishment", default="", help="default: the whole group")
    journal = commands.add_parser("journal", help="the journal").add_subparsers(required=True)
    _add(journal, "verify", "recompute the proofs; non-zero when anything was altered", _verify)


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    meaning: str,
    command: Command,
) -> argparse.ArgumentParser:
    added = commands.add_parser(name, help=meaning, description=meaning)
    added.set_defaults(command=command)
    return added


def _demo(settings: Settings, _given: argparse.Namespace) -> int:
    from liane.demonstration import run_demo

    return asyncio.run(run_demo(settings))


def _serve(settings: Settings, given: argparse.Namespace) -> int:
    from liane.assembly import run_web

    return run_web(settings) if _released(given) else 0


def _gateway(settings: Settings, given: argparse.Namespace) -> int:
    from liane.assembly import run_gateway

    return run_gateway(settings) if _released(given) else 0


def _worker(settings: Settings, given: argparse.Namespace) -> int:
    from liane.assembly import run_worker

    return run_worker(settings) if _released(given) else 0


def _released(given: argparse.Namespace) -> bool:
    """`liane demo` starts its processes at once; a line says when the database is prepared."""
    return not given.held or bool(sys.stdin.readline())


def _simulate(settings: Settings, given: argparse.Namespace) -> int:
    from liane.demonstration import run_simulator

    return run_simulator(settings, [word for word in given.words if word != "--"])


def _user_add(settings: Settings, given: argparse.Namespace) -> int:
    from liane.accounts import add_user

    return add_user(settings, given)


def _client_add(settings: Settings, given: argparse.Namespace) -> int:
    from liane.accounts import add_client

    return add_client(settings, given)


def _partner_loopback(settings: Settings, _given: argparse.Namespace) -> int:
    from liane.accounts import accept_loopback

    return accept_loopback(settings)


def _import(settings: Settings, given: argparse.Namespace) -> int:
    from liane.operations import run_import

    return asyncio.run(run_import(settings, given.paths, given.mapping))


def _terminology_load(settings: Settings, given: argparse.Namespace) -> int:
    from liane.operations import load_terminology

    return asyncio.run(
        load_terminology(settings, given.kind, given.paths, given.edition, given.url)
    )


def _package_add(settings: Settings, given: argparse.Namespace) -> int:
    from liane.operations import add_package

    return asyncio.run(add_package(settings, given.file))


def _package_list(settings: Settings, _given: argparse.Namespace) -> int:
    from liane.operations import list_packages

    return asyncio.run(list_packages(settings))


def _package_remove(settings: Settings, given: argparse.Namespace) -> int:
    from liane.operations import remove_package

    return asyncio.run(remove_package(settings, given.name))


def _validation(settings: Settings, given: argparse.Namespace) -> int:
    from liane.operations import choose_validation

    return asyncio.run(choose_validation(settings, given.establishment, given.kind, given.effect))


def _psql(settings: Settings, given: argparse.Namespace) -> int:
    from liane.operations import run_psql

    return run_psql(settings, [word for word in given.words if word != "--"])


def _migrate(settings: Settings, _given: argparse.Namespace) -> int:
    from liane.installation import database_running, prepare

    with database_running(settings) as dsns:
        prepare(settings, dsns)
    print("The database is at this release.")
    return 0


def _settings(_settings: Settings, _given: argparse.Namespace) -> int:
    for variable, meaning, unit, default in described():
        shown = default or "(empty)"
        print(f"{variable:<30} {meaning} [{unit}] default: {shown}")
    return 0


def _doctor(settings: Settings, _given: argparse.Namespace) -> int:
    from liane.doctor import examine

    return asyncio.run(examine(settings))


def _verify(settings: Settings, _given: argparse.Namespace) -> int:
    from liane.operations import verify_journal

    return asyncio.run(verify_journal(settings))


if __name__ == "__main__":
    sys.exit(main())
