"""How is a French health identity number (INS) of a made-up person written, with its key?

INS-NIR: sex, year, month, place of birth (COG), order, then a key of two digits. Only the OID of
test numbers is used here, so that no number of this package can be taken for a real one.
"""

from __future__ import annotations

from datetime import date

INS_TEST_OID = "1.2.250.1.213.1.4.10"
INS_AUTHORITY = "ASIP-SANTE-INS-NIR"


def ins_key(number: str) -> str:
    """The two-digit key of 13 characters; Corsican 2A and 2B count as 19 and 18."""
    digits = int(number.replace("2A", "19").replace("2B", "18"))
    return f"{97 - digits % 97:02d}"


def ins_number(sex: str, birth: date, cog: str, order: int) -> str:
    """The 15 characters: 13 of the number and 2 of the key."""
    number = f"{1 if sex == 'M' else 2}{birth:%y%m}{cog}{order % 1000:03d}"
    return number + ins_key(number)
