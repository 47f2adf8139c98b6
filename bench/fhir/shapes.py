"""Which thirty searches are asked, and what leads each of them?"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True)
class Shape:
    """One kind of search; `text` names the values to draw."""

    name: str
    group: str
    text: str
    sorted_by: str = ""

    def path(self, values: dict[str, str]) -> str:
        """The address below `/fhir`, with these values."""
        return "/" + self.text.format(**{k: quote(v, safe="-.") for k, v in values.items()})


def _shape(group: str, name: str, text: str, sorted_by: str = "") -> Shape:
    return Shape(name, group, text, sorted_by)


SHAPES = (
    _shape("patient", "newest results", "Observation?patient={patient}&_sort=-date&_count=50", "effectiveDateTime"),
    _shape("patient", "results of one code", "Observation?patient={patient}&code={code}&_count=50"),
    _shape("patient", "one code, newest", "Observation?patient={patient}&code={code}&_sort=-date&_count=1", "effectiveDateTime"),
    _shape("patient", "vital signs since", "Observation?patient={patient}&category=vital-signs&date=ge{year}-01-01&_count=50"),
    _shape("patient", "active conditions", "Condition?patient={patient}&clinical-status=active&_count=50"),
    _shape("patient", "newest stays", "Encounter?patient={patient}&_sort=-date&_count=20", "period"),
    _shape("patient", "active treatments", "MedicationRequest?patient={patient}&status=active&_count=50"),
    _shape("patient", "procedures with stays", "Procedure?patient={patient}&_include=Procedure:encounter&_count=20"),
    _shape("patient", "results of a stay", "Observation?encounter={encounter}&_count=50"),
    _shape("patient", "identity with conditions", "Patient?_id={person}&_revinclude=Condition:patient&_count=20"),
    _shape("code", "code, newest 50", "Observation?code={any}&_sort=-date&_count=50", "effectiveDateTime"),
    _shape("code", "code without system", "Observation?code={bare}&_count=20"),
    _shape("code", "code since, newest", "Observation?code={any}&date=ge{year}-01-01&_sort=-date&_count=50", "effectiveDateTime"),
    _shape("code", "code in a month", "Observation?code={any}&date={month}&_count=50"),
    _shape("code", "two codes, newest", "Observation?code={any},{code}&_sort=-date&_count=20", "effectiveDateTime"),
    _shape("code", "condition by code", "Condition?code={condition}&_count=20"),
    _shape("code", "active drug by code", "MedicationRequest?code={drug}&status=active&_count=20"),
    _shape("code", "procedure by code, newest", "Procedure?code={procedure}&_sort=-date&_count=20", "performedPeriod"),
    _shape("count", "count of a code", "Observation?code={any}&_summary=count"),
    _shape("count", "count of women", "Patient?gender=female&_summary=count"),
    _shape("count", "count of stays of a year", "Encounter?date=ge{year}-01-01&date=lt{after}-01-01&_summary=count"),
    _shape("composite", "code and value", "Observation?code-value-quantity=http://loinc.org%7C29463-7%24gt{kilos}&_count=20"),
    _shape("composite", "component and value", "Observation?component-code-value-quantity=http://loinc.org%7C8480-6%24gt{pressure}&_count=20"),
    _shape("chain", "code by patient name", "Observation?subject:Patient.family={family}&code={code}&_count=20"),
    _shape("chain", "conditions by identifier", "Condition?patient.identifier={identifier}&_count=50"),
    _shape("chain", "patients that have a code", "Patient?_has:Observation:patient:code={any}&_count=20"),
    _shape("person", "name begins", "Patient?family={beginning}&_count=20"),
    _shape("person", "name contains", "Patient?family:contains={inside}&_count=20"),
    _shape("person", "identifier", "Patient?identifier={identifier}"),
    _shape("person", "born between", "Patient?birthdate=ge{born}-01-01&birthdate=lt{unborn}-01-01&_count=20"),
)  # fmt: skip
