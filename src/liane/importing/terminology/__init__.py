"""How do the published nomenclatures enter the terminology tables?

CIM-10, CCAM, the public base of medicines (BDPM), LOINC, the value sets of the French health
agency (JDV), and any FHIR terminology resources: `liane terminology load KIND PATH…`. None of them
is shipped: a site loads the files it has the right to use.
"""

from liane.importing.terminology.loading import KINDS, load

__all__ = ["KINDS", "load"]
