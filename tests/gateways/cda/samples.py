"""Small invented CDA documents."""

from __future__ import annotations

from liane.base.i18n import load_catalogues, translator
from liane.gateways import cda

_WORDS = load_catalogues(["liane.gateways.cda"])


def to_html(data: bytes, language: str = "fr") -> str:
    """The document as a reader of that language sees it."""
    return cda.to_html(data, translator(language, _WORDS))


def document(text: str = "", *, body: str = "", extra: str = "") -> bytes:
    """A document about an invented patient, with one section holding `text`, or with `body`."""
    inner = body or (
        f"<structuredBody><component><section><title>Motif</title>{text}{extra}</section>"
        "</component></structuredBody>"
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
 <id root="1.2.3.4" extension="77"/>
 <code code="11488-4" codeSystem="2.16.840.1.113883.6.1" displayName="Consultation"/>
 <title>Compte rendu</title>
 <effectiveTime value="202405031011+0200"/>
 <confidentialityCode code="N"/><languageCode code="fr-FR"/>
 <setId root="1.2.3.5"/><versionNumber value="2"/>
 <recordTarget><patientRole>
  <id root="1.2.250.1.213.1.4.10" extension="279035121518989"/>
  <patient><name><family qualifier="BR">ESSAI</family><given>ZOE MARIE</given>
   <given qualifier="BR">ZOE</given><family qualifier="CL">MODELE</family>
   <given qualifier="CL">Zoé</given></name>
   <administrativeGenderCode code="F"/><birthTime value="19800102"/></patient>
 </patientRole></recordTarget>
 <author><time value="20240503"/><assignedAuthor><assignedPerson><name><prefix>Dr</prefix>
  <given>Paul</given><family>FICTIF</family></name></assignedPerson>
  <representedOrganization><name>Hôpital d’essai</name></representedOrganization>
 </assignedAuthor></author>
 <custodian><assignedCustodian><representedCustodianOrganization><name>Hôpital d’essai</name>
  </representedCustodianOrganization></assignedCustodian></custodian>
 <relatedDocument typeCode="RPLC"><parentDocument><id root="1.2.3.4" extension="76"/>
 </parentDocument></relatedDocument>
 <component>{inner}</component>
</ClinicalDocument>""".encode()
