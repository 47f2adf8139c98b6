"""What does the text of a filter (`Encounter?patient=Patient/1&status=finished`) ask for?

Only what can be decided from the resource itself: chains, `_has` and value sets would need the
record, and their answer would change without any event.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from liane.base.errors import Invalid, Issue
from liane.fhir import definitions
from liane.gateways.subscriptions.model import Criteria, Test
from liane.store.search.separators import split

LONGEST = 4000
_MODIFIERS = {
    "token": frozenset({"", "not", "missing"}),
    "string": frozenset({"", "exact", "contains", "missing"}),
    "reference": frozenset({"", "missing", "identifier"}),
    "date": frozenset({"", "missing"}),
    "number": frozenset({"", "missing"}),
    "quantity": frozenset({"", "missing"}),
    "uri": frozenset({"", "missing", "below", "above"}),
    "composite": frozenset({"", "missing"}),
}
_OWN = {"_id": "token", "_lastUpdated": "date"}


def parse(text: str, *, type_: str = "", path: str = "Subscription.criteria") -> Criteria:
    """Read `Type?name=value&...`, or only `name=value&...` when `type_` is known.

    Raises `Invalid` that names the part which is not understood, and what would be.
    """
    if len(text) > LONGEST:
        raise refused(path, "Filtre trop long.", "The filter is too long.")
    before, question, after = text.partition("?")
    asked = after if question else ("" if not type_ else text)
    of_type = before if question or not type_ else type_
    of_type = of_type.rsplit("/", 1)[-1]
    if of_type not in definitions.types() or (type_ and of_type != type_):
        raise refused(
            path,
            f"« {of_type[:60]} » n’est pas un type de ressource attendu ici.",
            f"'{of_type[:60]}' is not a resource type expected here.",
        )
    try:
        items = parse_qsl(asked, keep_blank_values=True, errors="strict", max_num_fields=50)
    except ValueError:
        raise refused(path, "Filtre illisible.", "The filter cannot be read.") from None
    return Criteria(of_type, tuple(_test(of_type, name, value, path) for name, value in items))


def _test(type_: str, name: str, value: str, path: str) -> Test:
    param, _, modifier = name.partition(":")
    known = definitions.search_parameters(type_).get(param)
    kind = _OWN.get(param) or (known.kind if known is not None else "")
    if not kind or kind == "special" or "." in name:
        accepted = ", ".join(sorted(definitions.search_parameters(type_)))
        raise refused(
            path,
            f"« {name[:80]} » ne peut pas filtrer {type_}. Acceptés : {accepted}.",
            f"'{name[:80]}' cannot filter {type_}. Accepted: {accepted}.",
        )
    allowed = _MODIFIERS[kind]
    narrowed = kind == "reference" and modifier in definitions.types()
    if modifier not in allowed and not narrowed:
        shown = ", ".join(f":{one}" for one in sorted(allowed) if one)
        raise refused(
            path,
            f"Le modificateur « :{modifier[:40]} » ne peut pas filtrer ici. Acceptés : {shown}.",
            f"The modifier ':{modifier[:40]}' cannot be used in a filter. Accepted: {shown}.",
        )
    if not value:
        raise refused(path, f"{name} n’a pas de valeur.", f"{name} has no value.")
    return Test(param, kind, modifier, tuple(split(value, ",")))


def refused(path: str, fr: str, en: str) -> Invalid:
    """The refusal of a Subscription or topic that asks for what cannot be done."""
    return Invalid(
        "subscription.refused",
        fr,
        en,
        "Voir la page « subscriptions » de la référence FHIR.",
        "See the page 'subscriptions' of the FHIR reference.",
        issues=(Issue("error", "not-supported", path, fr, en),),
    )
