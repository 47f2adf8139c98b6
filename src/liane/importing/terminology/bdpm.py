"""How is the French public base of medicines (BDPM) read from its tab-separated files?

Two code systems: the specialities (CIS) and their presentations (CIP, thirteen digits).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from liane.importing.terminology.nomenclature import Builder, Edition, Found, rows_of, unreadable
from liane.store.terminology.concepts import Designation, Header

CIS = "urn:oid:1.2.250.1.213.2.3.1"
CIP = "urn:oid:1.2.250.1.213.2.3.2"
_SOURCE = "ANSM, base de données publique des médicaments"
_GENERIC = {"0": "princeps", "1": "générique", "2": "générique", "4": "substituable"}
Said = list[tuple[str, str, Any]]


def read(paths: list[Path], edition: Edition) -> Found:
    """Specialities and presentations; `CIS_bdpm.txt` must be there, the other files add to it."""
    files = {path.name.lower().split(".")[0]: path for path in paths}
    main = files.get("cis_bdpm")
    if main is None:
        raise unreadable(paths[0], "un dossier avec CIS_bdpm.txt", "a folder with CIS_bdpm.txt")
    found = Found()
    more = _additions(files, found)
    cis = Builder(Header(CIS, edition.version, title="CIS (BDPM)", source=_SOURCE))
    for number, row in _lines(main, 11, found):
        code, name = row[0], row[1]
        said: Said = [
            ("forme", "String", row[2]),
            *(("voie", "String", way) for way in row[3].split(";") if way),
            ("statut-amm", "String", row[4]),
            ("commercialisation", "String", row[6]),
            ("date-amm", "String", row[7]),
            ("titulaire", "String", row[10]),
            *more.get(code, []),
        ]
        gone = row[4] in ("Autorisation abrogée", "Autorisation archivée", "Autorisation retirée")
        if not cis.add(code, name, said=said, inactive=gone):
            found.refuse(f"{main.name}, {number}", f"CIS {code} en double / given twice")
    found.systems.append(cis.content)
    if "cis_cip_bdpm" in files:
        found.systems.append(_presentations(files["cis_cip_bdpm"], edition, cis, found))
    return found


def _additions(files: dict[str, Path], found: Found) -> dict[str, Said]:
    """What the other files say of each speciality."""
    more: dict[str, Said] = {}
    if "cis_compo_bdpm" in files:
        for _, row in _lines(files["cis_compo_bdpm"], 7, found):
            substance = {"system": "urn:oid:1.2.250.1.213.2.3.3", "code": row[2], "display": row[3]}
            more.setdefault(row[0], []).append(("substance", "Coding", substance))
            if row[4]:
                more[row[0]].append(("dosage", "String", f"{row[3]} {row[4]}"[:400]))
    if "cis_gener_bdpm" in files:
        for _, row in _lines(files["cis_gener_bdpm"], 4, found):
            told = f"{row[0]} : {row[1]} ({_GENERIC.get(row[3], row[3])})"
            more.setdefault(row[2], []).append(("groupe-generique", "String", told))
    if "cis_mitm" in files:
        for _, row in _lines(files["cis_mitm"], 2, found):
            atc = {"system": "http://www.whocc.no/atc", "code": row[1]}
            more.setdefault(row[0], []).append(("atc", "Coding", atc))
    return more


def _presentations(path: Path, edition: Edition, cis: Builder, found: Found) -> Any:
    names = {concept.code: concept.display for concept in cis.content.concepts}
    cip = Builder(Header(CIP, edition.version, title="CIP (BDPM)", source=_SOURCE))
    for number, row in _lines(path, 7, found):
        name = f"{names.get(row[0], row[0])} : {row[2]}"
        said: Said = [
            ("cis", "Code", row[0]),
            ("etat", "String", row[4]),
            ("date-declaration", "String", row[5]),
            ("agrement", "String", row[7] if len(row) > 7 else ""),
            *(
                ("taux", "String", rate)
                for rate in (row[8] if len(row) > 8 else "").split(";")
                if rate
            ),
        ]
        seven = [Designation(row[1], "", {"text": "CIP7"})]
        gone = row[3] == "Présentation abrogée"
        if not cip.add(row[6], name, designations=seven, said=said, inactive=gone):
            found.refuse(f"{path.name}, {number}", f"CIP {row[6]} en double / given twice")
    return cip.content


def _lines(path: Path, least: int, found: Found) -> Iterator[tuple[int, list[str]]]:
    """Lines that have the columns expected and begin with a number; others are refused."""
    for number, row in rows_of(path, "\t"):
        cells = [cell.strip() for cell in row]
        if len(cells) < least or not cells[0].isdecimal():
            found.refuse(
                f"{path.name}, {number}",
                f"{len(cells)} colonnes, {least} au moins attendues / columns expected",
            )
            continue
        yield number, cells
