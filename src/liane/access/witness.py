"""Where, outside the database, is it written how far the journal had come?

A text file of signed heads, one JSON object a line, each naming the SHA-256 of the line before it.
Whoever rewrites, cuts or restores the database cannot make it agree with heads that were already
published. Copy the file (or point a second folder) to a place the database's administrators
cannot write: with one local copy only, someone who holds both the database and this folder and
the key can still rewrite all three.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

LONGEST_LINE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Head:
    """The state of the journal at one instant: everything up to `seq` hashes to `order`."""

    tenant: int
    seq: int
    order: str
    chains: dict[str, tuple[int, str]]
    """By establishment: place and hash of the last entry of its chain."""
    at: datetime


class Witness:
    """The signed heads of one tenant, in one folder or several."""

    def __init__(self, folders: Sequence[Path], key_file: Path, tenant: int) -> None:
        self.files = tuple(folder / f"heads-{tenant}.jsonl" for folder in folders)
        self.key_file = key_file
        self.tenant = tenant
        self.published = 0
        """The last entry this process has published: a quiet hour costs nothing."""

    @classmethod
    def at_home(cls, home: Path, tenant: int, others: Sequence[Path] = ()) -> Witness:
        """The witness of an installation: below its data folder, and in `others`."""
        key = home / "secrets" / "journal-ed25519.pem"
        return cls([home / "journal", *others], key, tenant)

    @property
    def public_key_file(self) -> Path:
        """The public half, beside the first file: verification needs no secret."""
        return self.files[0].with_suffix(".pub")

    def publish(self, head: Head) -> bool:
        """Append the head, signed and durable, to every file; False when it says nothing new."""
        key = self._private_key()
        news = [self._append(file, head, key) for file in self.files]
        self.published = head.seq
        return any(news)

    def _append(self, file: Path, head: Head, key: Ed25519PrivateKey) -> bool:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "rb+") as opened:
            fcntl.flock(opened, fcntl.LOCK_EX)
            last = _last_line(opened)
            if last and int(_parsed(last)["seq"]) >= head.seq:
                # Another process was quicker; or the database went back, which is for the
                # verification to say: the file never does.
                return False
            body = {
                "tenant": head.tenant,
                "seq": head.seq,
                "order": head.order,
                "chains": head.chains,
                "at": head.at.isoformat(),
                "previous": hashlib.sha256(last).hexdigest(),
            }
            body["signature"] = base64.b64encode(key.sign(_signed_part(body))).decode()
            opened.seek(0, os.SEEK_END)
            opened.write(_repair(opened) + json.dumps(body, sort_keys=True).encode() + b"\n")
            opened.flush()
            os.fsync(opened.fileno())
        return True

    def lines(self, file: Path, size: int) -> Iterator[tuple[bytes, dict[str, Any]]]:
        """Each complete line of the first `size` bytes, as bytes and as a value ({} when the line
        is no head).
        """
        if not size:
            return
        read = 0
        with file.open("rb") as opened:
            for line in opened:
                read += len(line)
                if read > size:
                    return
                if line.endswith(b"\n"):
                    yield line.rstrip(b"\n"), _parsed(line)

    def signed(self, body: dict[str, Any]) -> bool:
        """Whether this head carries the installation's signature."""
        try:
            signature = base64.b64decode(str(body.get("signature", "")), validate=True)
            self._public_key().verify(signature, _signed_part(body))
        except (InvalidSignature, ValueError, TypeError, OSError):
            return False
        return True

    def _public_key(self) -> Ed25519PublicKey:
        key = serialization.load_pem_public_key(self.public_key_file.read_bytes())
        if not isinstance(key, Ed25519PublicKey):
            raise TypeError("the witness's public key is not Ed25519")
        return key

    def _private_key(self) -> Ed25519PrivateKey:
        if not self.key_file.exists():
            _make_key(self.key_file)
        key = serialization.load_pem_private_key(self.key_file.read_bytes(), None)
        if not isinstance(key, Ed25519PrivateKey):
            raise TypeError(f"{self.key_file} is not an Ed25519 key")
        if not self.public_key_file.exists():
            self.public_key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.public_key_file.write_bytes(
                key.public_key().public_bytes(
                    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
                )
            )
        return key


def _make_key(file: Path) -> None:
    """Whole or not at all; when two processes start together the first one's key is the key."""
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(pem)
            out.flush()
            os.fsync(out.fileno())
        try:
            os.link(draft, file)
        except FileExistsError:
            pass  # Another process was first.
    finally:
        draft.unlink(missing_ok=True)


def _signed_part(body: dict[str, Any]) -> bytes:
    return json.dumps(
        {name: value for name, value in body.items() if name != "signature"}, sort_keys=True
    ).encode()


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        body = json.loads(line)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _last_line(opened: Any) -> bytes:
    """The last whole head, without its line end; empty when there is none."""
    size = opened.seek(0, os.SEEK_END)
    opened.seek(max(0, size - LONGEST_LINE))
    lines = opened.read().split(b"\n")
    whole = [line for line in lines[:-1] if isinstance(_parsed(line).get("seq"), int)]
    return bytes(whole[-1]) if whole else b""


def _repair(opened: Any) -> bytes:
    """A line end first, when the machine died in the middle of the last line."""
    size = opened.seek(0, os.SEEK_END)
    if size == 0:
        return b""
    opened.seek(size - 1)
    torn = opened.read(1) != b"\n"
    opened.seek(0, os.SEEK_END)
    return b"\n" if torn else b""
