"""Which people make an identity office think twice?

Namesakes, twins, the same person entered twice with a typing error, a name longer than any form,
an unknown man, a test person, a protected identity: each is here at least once, on purpose.
"""

from __future__ import annotations

from datetime import date
from typing import Any

AWKWARD: tuple[dict[str, Any], ...] = (
    # Two namesakes born the same year.
    {
        "family": "LEFEBVRE",
        "given": ("Marie", "Louise"),
        "sex": "F",
        "birth": date(1961, 3, 12),
        "status": "qualifiee",
        "attributes": ("homonyme",),
    },
    {
        "family": "LEFEBVRE",
        "given": ("Marie", "Thérèse"),
        "sex": "F",
        "birth": date(1961, 11, 30),
        "status": "qualifiee",
        "attributes": ("homonyme",),
    },
    # Twins: same name, day and town; only the first name differs.
    {
        "family": "GUÉRIN",
        "given": ("Mathis",),
        "sex": "M",
        "birth": date(2015, 6, 2),
        "status": "qualifiee",
        "attributes": (),
    },
    {"same_as": ("Mathis", "GUÉRIN"), "given": ("Mathéo",), "sex": "M", "status": "qualifiee"},
    # The same man entered twice, the second time in an emergency.
    {
        "family": "LE GALL",
        "given": ("Jean-Baptiste", "Yves"),
        "sex": "M",
        "birth": date(1958, 9, 21),
        "status": "qualifiee",
        "attributes": (),
    },
    {
        "family": "LEGAL",
        "given": ("Jean Baptiste",),
        "sex": "M",
        "birth": date(1958, 9, 21),
        "status": "provisoire",
        "attributes": ("douteuse",),
    },
    # A name that no form foresaw.
    {
        "family": "DE MONTMORENCY-BOUTEVILLE DE LA ROCHEFOUCAULD-LIANCOURT",
        "given": ("Marie-Antoinette", "Élisabeth", "Constance", "Françoise"),
        "sex": "F",
        "birth": date(1944, 2, 29),
        "status": "qualifiee",
        "attributes": (),
    },
    {
        "family": "N'GUESSAN-D'ALMEIDA",
        "given": ("Anne-Cécile",),
        "sex": "F",
        "birth": date(1992, 12, 31),
        "status": "qualifiee",
        "attributes": (),
    },
    # An unknown man: nothing but an estimate of his age.
    {
        "family": "INCONNU",
        "given": ("Homme",),
        "sex": "M",
        "birth": date(1970, 1, 1),
        "status": "provisoire",
        "attributes": ("douteuse",),
        "allergies": None,
    },
    # The test person of the IT department.
    {
        "family": "TEST-DSI",
        "given": ("Fictive",),
        "sex": "F",
        "birth": date(1980, 1, 1),
        "status": "validee",
        "attributes": ("fictive",),
    },
    # Identity protected at her own request.
    {
        "family": "ROUSSEL",
        "given": ("Camille",),
        "sex": "F",
        "birth": date(1986, 4, 18),
        "status": "qualifiee",
        "attributes": (),
        "protected": True,
    },
    # A one-letter family name and a hyphenated first name.
    {
        "family": "Ô",
        "given": ("Thi-Mai",),
        "sex": "F",
        "birth": date(2001, 7, 7),
        "status": "validee",
        "attributes": (),
    },
)
