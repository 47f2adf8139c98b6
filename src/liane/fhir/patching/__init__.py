"""What is a resource once a patch has been applied to it? (R4 http, patch)

Three kinds: JSON Patch (RFC 6902), FHIRPath Patch (a Parameters resource) and XML Patch
(RFC 5261). All work on a copy; none changes the type, the id or the version of the resource.
"""

from liane.fhir.patching.fhirpath_patching import fhirpath_patch
from liane.fhir.patching.json_patching import json_patch
from liane.fhir.patching.refusals import PatchInapplicable, PatchInvalid
from liane.fhir.patching.xml_patching import xml_patch

__all__ = ["PatchInapplicable", "PatchInvalid", "fhirpath_patch", "json_patch", "xml_patch"]
