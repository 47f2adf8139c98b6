"""Who lives and works in the demonstration hospital, and what happens there day and night?

A synthetic hospital group (`group`, `people`, `stories`), its first loading (`seed`) and its daily
life (`simulator`). Everything is invented by this package; nobody in it exists. It speaks to the
platform as any outside system does: FHIR, HL7 v2 over MLLP and DICOM on the real ports.
"""
