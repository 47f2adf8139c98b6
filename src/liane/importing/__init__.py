"""How do files of the past enter the record, once, whatever happens on the way?

FHIR, HL7 v2, DICOM, CDA, and folders of PDF and CSV with a mapping file: `liane import PATH…`.
"""

from liane.importing.bringing import import_paths
from liane.importing.report import Report

__all__ = ["Report", "import_paths"]
