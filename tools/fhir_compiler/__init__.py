"""How do the published FHIR R4 definitions become the compact tables the platform reads?"""
