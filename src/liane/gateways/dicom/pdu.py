"""How are the seven messages of a DICOM connection written as bytes (PS3.8 section 9.3)?

Pure: bytes in, values out, and back. Every declared length is compared with the bytes that are
there; anything that does not add up is `Malformed`, never a partial value.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

A_ASSOCIATE_RQ = 0x01
A_ASSOCIATE_AC = 0x02
A_ASSOCIATE_RJ = 0x03
P_DATA_TF = 0x04
A_RELEASE_RQ = 0x05
A_RELEASE_RP = 0x06
A_ABORT = 0x07

HEADER_BYTES = 6
ASSOCIATE_LIMIT_BYTES = 256 * 1024
"""128 contexts of 30 syntaxes stay well under this; a longer request is not a modality's."""

_HEADER = struct.Struct(">BxL")
_ITEM = struct.Struct(">BxH")
_FIXED = struct.Struct(">HH16s16s32s")
_PDV = struct.Struct(">LBB")

Buffer = bytes | bytearray | memoryview


class Malformed(Exception):
    """The bytes are not what PS3.8 says they must be."""


@dataclass(frozen=True, slots=True)
class ProposedContext:
    """One kind of object the peer would like to send, and the encodings it knows."""

    id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AnsweredContext:
    """Our answer to one proposed context; `result` 0 is acceptance (PS3.8 table 9-18)."""

    id: int
    result: int
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class UserInformation:
    """The user information item: sizes, names of the implementations, negotiated extras."""

    max_pdu_bytes: int = 0
    """0 means that the peer sets no limit."""
    implementation_uid: str = ""
    implementation_version: str = ""
    async_window: tuple[int, int] | None = None
    roles: tuple[tuple[str, int, int], ...] = ()
    """(SOP class, SCU role, SCP role), PS3.7 annex D.3.3.4."""
    identity_type: int | None = None


@dataclass(frozen=True, slots=True)
class AssociateRequest:
    """A peer asks to talk: who it is, whom it calls, what it would like to send."""

    called: str
    calling: str
    contexts: tuple[ProposedContext, ...]
    user: UserInformation = UserInformation()
    application_context: str = "1.2.840.10008.3.1.1.1"
    protocol_version: int = 1
    called_field: bytes = b""
    calling_field: bytes = b""


@dataclass(frozen=True, slots=True)
class AssociateAccept:
    """We agree to talk, on these contexts."""

    called_field: bytes
    calling_field: bytes
    contexts: tuple[AnsweredContext, ...]
    user: UserInformation
    application_context: str = "1.2.840.10008.3.1.1.1"


@dataclass(frozen=True, slots=True)
class AssociateReject:
    """We refuse to talk (PS3.8 table 9-21 gives the meaning of the three codes)."""

    result: int
    source: int
    reason: int


@dataclass(frozen=True, slots=True)
class Release:
    """The peer has finished (`reply` False) or confirms that it has (`reply` True)."""

    reply: bool


@dataclass(frozen=True, slots=True)
class Abort:
    """The conversation ends at once (PS3.8 table 9-26)."""

    source: int
    reason: int


@dataclass(frozen=True, slots=True)
class Fragment:
    """One presentation data value: a piece of a command or of a data set."""

    context: int
    is_command: bool
    is_last: bool
    data: memoryview


def read_header(data: Buffer, offset: int = 0) -> tuple[int, int]:
    """The kind of the next PDU and the number of bytes after its six-byte header."""
    kind, length = _HEADER.unpack_from(data, offset)
    return kind, length


def fragments(body: memoryview) -> Iterator[Fragment]:
    """The values of one P-DATA-TF; at least one, each of at least its two header bytes."""
    position, end = 0, len(body)
    if end == 0:
        raise Malformed("P-DATA-TF without a value")
    while position < end:
        if end - position < _PDV.size:
            raise Malformed("presentation data value shorter than its header")
        length, context, flags = _PDV.unpack_from(body, position)
        if length < 2 or length > end - position - 4:
            raise Malformed("presentation data value longer than its PDU")
        if flags & ~0x03:
            raise Malformed("unknown bits in a message control header")
        stop = position + 4 + length
        yield Fragment(context, bool(flags & 1), bool(flags & 2), body[position + 6 : stop])
        position = stop


def decode_associate_request(body: memoryview) -> AssociateRequest:
    """The body of an A-ASSOCIATE-RQ (PS3.8 table 9-11)."""
    if len(body) < _FIXED.size:
        raise Malformed("A-ASSOCIATE-RQ too short")
    version, _, called, calling, _ = _FIXED.unpack_from(body)
    application = ""
    user: UserInformation | None = None
    contexts: list[ProposedContext] = []
    for kind, value in _items(body[_FIXED.size :]):
        if kind == 0x10:
            application = _uid(value)
        elif kind == 0x20:
            contexts.append(_proposed(value))
        elif kind == 0x50:
            user = _user(value)
    if user is None:
        raise Malformed("an association request without user information")
    if not contexts or len(contexts) > 128:
        raise Malformed("an association needs 1 to 128 presentation contexts")
    if len({context.id for context in contexts}) != len(contexts):
        raise Malformed("a presentation context identifier is used twice")
    return AssociateRequest(
        _title(called), _title(calling), tuple(contexts), user, application, version,
        called, calling,
    )  # fmt: skip


def decode_abort(body: memoryview) -> Abort:
    """The body of an A-ABORT."""
    if len(body) != 4:
        raise Malformed("A-ABORT of a wrong length")
    return Abort(body[2], body[3])


def encode(pdu: AssociateAccept | AssociateReject | Release | Abort) -> bytes:
    """The bytes of a PDU that an acceptor sends."""
    match pdu:
        case AssociateAccept():
            return _framed(A_ASSOCIATE_AC, _accept_body(pdu))
        case AssociateReject():
            return _framed(A_ASSOCIATE_RJ, bytes((0, pdu.result, pdu.source, pdu.reason)))
        case Release():
            return _framed(A_RELEASE_RP if pdu.reply else A_RELEASE_RQ, bytes(4))
        case Abort():
            return _framed(A_ABORT, bytes((0, 0, pdu.source, pdu.reason)))


def encode_associate_request(pdu: AssociateRequest) -> bytes:
    """The bytes of an A-ASSOCIATE-RQ (what a peer sends; also used to try the decoder)."""
    items = [_item(0x10, pdu.application_context.encode("ascii"))]
    for context in pdu.contexts:
        syntaxes = b"".join(_item(0x40, uid.encode("ascii")) for uid in context.transfer_syntaxes)
        abstract = _item(0x30, context.abstract_syntax.encode("ascii"))
        items.append(_item(0x20, bytes((context.id, 0, 0, 0)) + abstract + syntaxes))
    items.append(_item(0x50, _user_body(pdu.user)))
    called, calling = (name.encode("ascii").ljust(16) for name in (pdu.called, pdu.calling))
    fixed = _FIXED.pack(pdu.protocol_version, 0, called, calling, bytes(32))
    return _framed(A_ASSOCIATE_RQ, fixed + b"".join(items))


def encode_fragment(context: int, data: bytes, *, is_command: bool, is_last: bool = True) -> bytes:
    """One P-DATA-TF that carries one value."""
    flags = (1 if is_command else 0) | (2 if is_last else 0)
    return _framed(P_DATA_TF, _PDV.pack(len(data) + 2, context, flags) + data)


def _framed(kind: int, body: bytes) -> bytes:
    return _HEADER.pack(kind, len(body)) + body


def _item(kind: int, value: bytes) -> bytes:
    return _ITEM.pack(kind, len(value)) + value


def _items(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    position, end = 0, len(data)
    while position < end:
        if end - position < _ITEM.size:
            raise Malformed("item shorter than its header")
        kind, length = _ITEM.unpack_from(data, position)
        position += _ITEM.size
        if length > end - position:
            raise Malformed("item longer than what holds it")
        yield kind, data[position : position + length]
        position += length


def _uid(value: memoryview) -> str:
    """A UID as written; peers pad with NUL or a space, which PS3.8 annex F does not forbid us."""
    text = bytes(value).rstrip(b"\0 ")
    if len(text) > 64 or not text.isascii():
        raise Malformed("not a UID")
    return text.decode("ascii")


def _title(field: bytes) -> str:
    """An AE title without its padding; unprintable bytes become `?` so that logs stay one line."""
    text = field.decode("latin-1").strip(" \0")
    return "".join(sign if " " <= sign <= "~" else "?" for sign in text)


def _proposed(value: memoryview) -> ProposedContext:
    if len(value) < 4:
        raise Malformed("presentation context too short")
    abstract = ""
    syntaxes: list[str] = []
    for kind, inner in _items(value[4:]):
        if kind == 0x30:
            abstract = _uid(inner)
        elif kind == 0x40:
            syntaxes.append(_uid(inner))
    if not abstract or not syntaxes or value[0] % 2 == 0:
        raise Malformed("presentation context incomplete or of an even identifier")
    return ProposedContext(value[0], abstract, tuple(syntaxes))


def _user(value: memoryview) -> UserInformation:
    size, uid, version = 0, "", ""
    window: tuple[int, int] | None = None
    roles: list[tuple[str, int, int]] = []
    identity: int | None = None
    for kind, inner in _items(value):
        if kind == 0x51:
            if len(inner) != 4:
                raise Malformed("maximum length of a wrong length")
            size = int.from_bytes(inner, "big")
        elif kind == 0x52:
            uid = _uid(inner)
        elif kind == 0x55:
            version = _title(bytes(inner[:16]))
        elif kind == 0x53 and len(inner) == 4:
            window = (int.from_bytes(inner[:2], "big"), int.from_bytes(inner[2:], "big"))
        elif kind == 0x54:
            roles.append(_role(inner))
        elif kind == 0x58 and len(inner) >= 2:
            identity = inner[0]
    return UserInformation(size, uid, version, window, tuple(roles), identity)


def _role(value: memoryview) -> tuple[str, int, int]:
    if len(value) < 4 or int.from_bytes(value[:2], "big") != len(value) - 4:
        raise Malformed("role selection of a wrong length")
    return _uid(value[2:-2]), value[-2], value[-1]


def _user_body(user: UserInformation) -> bytes:
    parts = [_item(0x51, user.max_pdu_bytes.to_bytes(4, "big"))]
    parts.append(_item(0x52, user.implementation_uid.encode("ascii")))
    if user.async_window is not None:
        asked = b"".join(number.to_bytes(2, "big") for number in user.async_window)
        parts.append(_item(0x53, asked))
    for uid, scu, scp in user.roles:
        name = uid.encode("ascii")
        parts.append(_item(0x54, len(name).to_bytes(2, "big") + name + bytes((scu, scp))))
    parts.append(_item(0x55, user.implementation_version.encode("ascii")))
    return b"".join(parts)


def _accept_body(pdu: AssociateAccept) -> bytes:
    items = [_item(0x10, pdu.application_context.encode("ascii"))]
    for context in pdu.contexts:
        syntax = _item(0x40, context.transfer_syntax.encode("ascii"))
        items.append(_item(0x21, bytes((context.id, 0, context.result, 0)) + syntax))
    items.append(_item(0x50, _user_body(pdu.user)))
    fixed = _FIXED.pack(1, 0, pdu.called_field, pdu.calling_field, bytes(32))
    return fixed + b"".join(items)
