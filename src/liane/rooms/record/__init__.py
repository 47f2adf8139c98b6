"""What does the record (DPI) own, and what may gateways and other rooms ask of it?

Owns Observation, DiagnosticReport, DocumentReference, ServiceRequest, Appointment, Condition,
AllergyIntolerance, medication resources, and every resource type that no other room owns.
"""

from liane.rooms.record.actions import (
    file_appointment,
    file_document,
    file_order,
    file_report,
    withdraw_document,
    write_resource,
    write_resources,
)
from liane.rooms.record.rules import decoded_base64, document_id

__all__ = [
    "decoded_base64",
    "document_id",
    "file_appointment",
    "file_document",
    "file_order",
    "file_report",
    "withdraw_document",
    "write_resource",
    "write_resources",
]
