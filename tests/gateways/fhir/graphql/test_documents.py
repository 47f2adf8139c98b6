"""Promise: any words at all are a document that is understood, or refused in both languages."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liane.base.errors import Invalid
from liane.gateways.fhir.graphql.checking import check_instance, check_system
from liane.gateways.fhir.graphql.documents import Document
from liane.gateways.fhir.graphql.reading import Asked

pytestmark = pytest.mark.unit

WORDS = [
    *[
        "{",
        "}",
        "{",
        "}",
        "(",
        ")",
        ":",
        "!",
        "$",
        "@",
        "...",
        "[",
        "]",
        "=",
        "|",
        "&",
        "#x",
        "query",
        "fragment",
        "on",
        "mutation",
    ],
    *[
        "id",
        "name",
        "family",
        "value",
        "valueQuantity",
        "resource",
        "reference",
        "subject",
        "edges",
        "PatientList",
    ],
    *[
        "PatientConnection",
        "Patient",
        "Observation",
        "Query",
        "_reference:",
        "patient",
        "fhirpath:",
        "_count:",
        "1",
    ],
    *[
        "@first",
        "@flatten",
        "@singleton",
        "@skip(if:",
        "true)",
        "@include",
        "@slice(path:",
        "'use')",
        "F",
        "...F",
        "null",
    ],
    *[
        '"x"',
        "1.5",
        "true",
        "$v",
        "$v:",
        "String!",
        "[String]",
        '"""a"""',
        "{name{family}}",
        "contained",
        "__typename",
    ],
]


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.sampled_from(WORDS), max_size=20),
    st.dictionaries(st.just("v"), st.none() | st.integers() | st.lists(st.text(max_size=2))),
)
def test_any_words_are_understood_or_refused(
    words: list[str], variables: dict[str, object]
) -> None:
    for text in (" ".join(words), "{" + " ".join(words) + "}"):
        for check in (check_system, lambda document: check_instance(document, "Patient")):
            try:
                check(Document(Asked(text, variables, None)))
            except Invalid as refusal:
                assert len(refusal.fr) > 10 < len(refusal.en)  # noqa: PT017 - of every refusal


def test_types_within_types_are_looked_at_within_bounds() -> None:
    inner = "id"
    for _ in range(6):
        kinds = "".join(
            f"... on {kind} {{id}} " for kind in ("Patient", "Group", "Device", "Person")
        )
        inner = f"{kinds} ... on DomainResource {{contained {{{inner}}}}}"
    try:
        check_instance(Document(Asked(f"{{contained {{{inner}}}}}", {}, None)), "Patient")
    except Invalid as refusal:
        assert "too" in refusal.en or "deeper" in refusal.en  # noqa: PT017 - either is right
