"""Which resources stand in a List? (`_list`, R4 section 3.1.1.4.13)"""

from __future__ import annotations

from liane.base.ids import is_fhir_id
from liane.store.search.model import Criterion, Sight
from liane.store.search.refusals import wrong_value
from liane.store.search.separators import unescape
from liane.store.search.sqltext import Arguments
from liane.store.search.visible import seen
from liane.store.search.ways import TENANT, Condition


def condition(_tenant: int, type_: str, asked: Criterion, sight: Sight) -> Condition:
    """Rows that an entry of one of the lists names, as far as the reader may see the list."""
    ids = [unescape(value).removeprefix("List/") for value in asked.values]
    for id_ in ids:
        if not is_fhir_id(id_):
            raise wrong_value("_list", id_, "l'identifiant d'une List", "the id of a List")

    def way(a: Arguments) -> str:
        row = a.name()
        tests = " and ".join(seen(a, row, "List", sight))
        wanted = a.add(type_, "text")
        return (
            "select r.rid from (select substring(x #>> '{}' from '^' || "  # noqa: S608 - names are ours, values are arguments
            f"{wanted} || '/([A-Za-z0-9.-]+)') as id from record.resource {row}, "
            f"jsonb_path_query(record.parsed({row}.body), '$.entry[*] ? (!(@.deleted == true))"
            f".item.reference') x where {tests} and {row}.id = any({a.add(ids, 'text[]')})) e "
            f"join record.resource r on r.tenant = {TENANT} and r.type = {wanted} and r.id = e.id"
        )

    return Condition(None, way, label="_list")
