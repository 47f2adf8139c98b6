"""Do codes that stand outside a binding exist in the system they name?"""

from __future__ import annotations

from typing import Any

from liane.fhir import ucum
from liane.fhir.profiles.findings import Finding, finding
from liane.fhir.profiles.visit import Visit

_UCUM = "http://unitsofmeasure.org"


def check_coding(value: Any, path: str, visit: Visit) -> None:
    """A Coding whose complete code system is at hand names a code of it."""
    _check(value.get("system"), value.get("code"), f"{path}.code", visit)


def check_concept(value: Any, path: str, visit: Visit) -> None:
    """A coding of a concept that names a code system at hand names a code too."""
    for index, coding in enumerate(value.get("coding", ())):
        url = coding.get("system")
        if type(url) is not str or "code" in coding or "_code" in coding:
            continue
        system = visit.catalogue.terms.system(url)
        if system is not None and system.complete:
            visit.issues.append(_without_code(f"{path}.coding[{index}]", url))


def check_quantity(value: Any, path: str, visit: Visit) -> None:
    """A unit coded in UCUM is one."""
    code, system = value.get("code"), value.get("system")
    if system != _UCUM:
        _check(system, code, f"{path}.code", visit)
    elif type(code) is str and ucum.unit(code) is None:
        visit.issues.append(_unknown(f"{path}.code", code, "UCUM"))


def check_map_group(value: Any, path: str, visit: Visit) -> None:
    """The codes of a concept map exist in the systems it maps between."""
    source, target = value.get("source"), value.get("target")
    for index, element in enumerate(value.get("element", ())):
        place = f"{path}.element[{index}]"
        _check(source, element.get("code"), f"{place}.code", visit)
        for number, one in enumerate(element.get("target", ())):
            _check(target, one.get("code"), f"{place}.target[{number}].code", visit)


def _check(url: Any, code: Any, path: str, visit: Visit) -> None:
    if type(url) is not str or type(code) is not str:
        return
    system = visit.catalogue.terms.system(url)
    if system is not None and system.complete and code not in system.parents:
        visit.issues.append(_unknown(path, code, url))


def _without_code(path: str, system: str) -> Finding:
    return finding(
        "terminology",
        "code-system",
        path,
        f"un code de {system} est attendu",
        f"a code of {system} is expected",
        code="code-invalid",
    )


def _unknown(path: str, code: str, system: str) -> Finding:
    return finding(
        "terminology",
        "code-system",
        path,
        f"le code « {code[:64]} » n’existe pas dans {system}",
        f"the code '{code[:64]}' does not exist in {system}",
        code="code-invalid",
    )
