"""Promise: the answer of $diff, applied as a patch, turns the first resource into the second."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from liane.fhir.patching import fhirpath_patch
from liane.gateways.fhir.operations.differing import steps

words = st.sampled_from(["a", "b", "c", "é"])
names = st.fixed_dictionaries(
    {}, optional={"family": words, "given": st.lists(words, min_size=1, max_size=3), "use": st.sampled_from(["official", "usual"])}
).filter(bool)  # fmt: skip
points = st.fixed_dictionaries(
    {"value": words}, optional={"system": st.sampled_from(["phone", "email"])}
)
contacts = st.fixed_dictionaries(
    {"name": names},
    optional={"telecom": st.lists(points, min_size=1, max_size=3), "gender": st.sampled_from(["male", "female"])},
)  # fmt: skip
patients = st.fixed_dictionaries(
    {"resourceType": st.just("Patient")},
    optional={
        "active": st.booleans(),
        "birthDate": st.sampled_from(["1950-01-01", "1960"]),
        "gender": st.sampled_from(["male", "female"]),
        "name": st.lists(names, min_size=1, max_size=3),
        "contact": st.lists(contacts, min_size=1, max_size=3),
        "maritalStatus": st.fixed_dictionaries({"text": words}),
        "deceasedBoolean": st.booleans(),
    },
)
observations = st.fixed_dictionaries(
    {
        "resourceType": st.just("Observation"),
        "status": st.sampled_from(["final", "amended"]),
        "code": st.fixed_dictionaries({"text": words}),
    },
    optional={
        "valueQuantity": st.fixed_dictionaries(
            {"value": st.integers(0, 5)}, optional={"unit": words}
        ),
        "note": st.lists(st.fixed_dictionaries({"text": words}), min_size=1, max_size=4),
        "component": st.lists(
            st.fixed_dictionaries(
                {"code": st.fixed_dictionaries({"text": words}), "valueString": words}
            ),
            min_size=1,
            max_size=3,
        ),
    },
)


@given(st.one_of(st.tuples(patients, patients), st.tuples(observations, observations)))
@settings(max_examples=150, deadline=None)
def test_the_steps_lead_from_one_to_the_other(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    before, after = pair
    taken = steps(before, after)
    parameters: dict[str, Any] = {"resourceType": "Parameters", "parameter": taken}
    assert fhirpath_patch(before, parameters) == after if taken else before == after
