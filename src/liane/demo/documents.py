"""How does a letter travel to the record (MDM), first sent, replaced or withdrawn?"""

from __future__ import annotations

import base64

from liane.demo.adt import Move, pid, xcn
from liane.demo.hl7 import Raw, Sender, header, message, parts, segment, timestamp
from liane.demo.laboratory import visit
from liane.demo.letters import Letter, cda_of, pdf_of

VERSION = "2.6"


def letter_message(
    letter: Letter,
    move: Move,
    control_id: str,
    *,
    as_cda: bool = False,
    replaces: Letter | None = None,
) -> bytes:
    """MDM^T02, or MDM^T10 when it replaces an earlier letter. The body is a PDF or a CDA N1."""
    home = letter.unit.establishment
    event = "T10" if replaces else "T02"
    sender = Sender("SECRETARIAT", home.short)
    kind = f"MDM^{event}^MDM_T02"
    content = cda_of(letter) if as_cda else pdf_of(letter)
    form = ("TEXT", "XML") if as_cda else ("application", "pdf")
    encoded = base64.b64encode(content).decode("ascii")
    body = parts(None, *form, "Base64", Raw(encoded))
    code = parts(*letter.kind, "LN")
    return message(
        header(sender, kind, control_id, letter.at, version=VERSION),
        segment("EVN", {2: timestamp(letter.at)}),
        pid(letter.person, home, letter.at),
        visit(move),
        segment("ORC", {1: "RO" if replaces else "NW"}),
        segment("OBR", {1: "1", 4: code, 7: timestamp(letter.at)}),
        segment(
            "TXA",
            {
                1: "1",
                2: parts(*letter.kind, "LN"),
                3: "TEXT" if as_cda else "AP",
                4: timestamp(letter.at),
                9: xcn(letter.author),
                12: parts(letter.unique_id),
                13: parts(replaces.unique_id) if replaces else None,
                17: "AU",
                19: "AV",
            },
        ),
        segment("OBX", {1: "1", 2: "ED", 3: code, 5: body, 11: "C" if replaces else "F"}),
    )
