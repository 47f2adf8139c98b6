"""Which rows have a code of a value set, or one above or below another? (R4, token modifiers)

The codes come from the terminology (`liane.store.terminology`); the rows from their keys.
"""

from __future__ import annotations

from liane.fhir import definitions
from liane.store.database import Tx
from liane.store.search.asking import Asking
from liane.store.search.refusals import refused, wrong_value
from liane.store.search.separators import unescape
from liane.store.search.tokens import system_and_code
from liane.store.search.ways import Condition, hashed_condition, none_of

MOST_CODES = 20_000
FORMS = frozenset({"in", "not-in", "above", "below"})

Pairs = set[tuple[str | None, str]]


async def condition(tx: Tx, asking: Asking) -> Condition:
    """The condition of `:in`, `:not-in`, `:above` or `:below`."""
    pairs: Pairs = set()
    for value in asking.criterion.values:
        if asking.criterion.modifier in ("in", "not-in"):
            pairs |= await _members(tx, asking, unescape(value))
        else:
            pairs |= await _relatives(tx, asking, value)
        if len(pairs) > MOST_CODES:
            raise refused(
                f"« {asking.criterion.param} » : plus de {MOST_CODES} codes à chercher ; précisez.",
                f"'{asking.criterion.param}': more than {MOST_CODES} codes to look for; "
                "be more precise.",
            )
    exact = [h for system, code in pairs for h in asking.keys("sc", system, code)]
    leading = list({h for _, code in pairs for h in asking.keys("c", code)})
    found = hashed_condition(exact, leading)
    return none_of(found) if asking.criterion.modifier == "not-in" else found


async def _members(tx: Tx, asking: Asking, url: str) -> Pairs:
    """The codes of a value set, named by its URL or as `ValueSet/id`."""
    from liane.store import terminology

    found = await terminology.codes_of(tx, url, limit=MOST_CODES)
    if found is None:
        raise wrong_value(
            f"{asking.criterion.param}:{asking.criterion.modifier}",
            url,
            "l'URL d'un ValueSet connu",
            "the URL of a known ValueSet",
        )
    return set(found)


async def _relatives(tx: Tx, asking: Asking, value: str) -> Pairs:
    """The code itself and those that it stands above (`:below`), or below (`:above`)."""
    from liane.store import terminology

    system, code = system_and_code(value)
    if code is None or not system:
        system = _implied_system(asking) if code else None
    if code is None or not system:
        raise wrong_value(asking.criterion.param, value, "système|code", "system|code")
    down = asking.criterion.modifier == "below"
    family = terminology.below if down else terminology.above
    relatives = await family(tx, system, code, limit=MOST_CODES)
    return {(system, one) for one in relatives} | {(system, code)}


def _implied_system(asking: Asking) -> str | None:
    """The only system of the required value set of a `code` element, if there is one."""
    for path, kind, _ in asking.known.places:
        steps = [step.strip('"[]*') for step in path.removeprefix("$.").split(".")]
        if kind == "code" and len(steps) == 1:
            element = definitions.elements(asking.type).get(steps[0])
            systems = definitions.value_set(element.value_set or "") if element else None
            if systems and len(systems) == 1:
                return next(iter(systems))
    return None
