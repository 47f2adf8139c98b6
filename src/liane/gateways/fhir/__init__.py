"""How do other programs read and write the record in the language of FHIR R4? (`/fhir`)"""

from liane.gateways.fhir.service import fhir_router

__all__ = ["fhir_router"]
