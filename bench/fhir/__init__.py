"""How does Liane's FHIR server compare with HAPI FHIR JPA on the same machine and database?"""
