"""How does a FHIR resource travel as XML and come back without losing anything?

`loads` gives the same dictionary that the JSON form gives (`liane.fhir.json`), `dumps` writes it
as XML; both follow the compiled definitions (https://hl7.org/fhir/R4/xml.html).
"""

from liane.fhir.xml.reading import loads
from liane.fhir.xml.writing import dumps

__all__ = ["dumps", "loads"]
