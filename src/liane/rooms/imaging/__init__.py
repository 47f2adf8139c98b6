"""Which images of a patient exist, and how are they shown?

Owns the FHIR resource ImagingStudy. Gateways hand received objects to `file_instances`; the chart
asks `studies_of`. The names below are loaded when first used: the child process that decodes
pixels lives in this package too, and must not load the house.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from liane.rooms.imaging.actions import attach_study, file_instances, publish_study
    from liane.rooms.imaging.pages import routes
    from liane.rooms.imaging.projection import project
    from liane.rooms.imaging.reads import StudyLine, studies_of
    from liane.rooms.imaging.values import Filed, Instance, Policy, Subject

__all__ = [
    "Filed",
    "Instance",
    "Policy",
    "StudyLine",
    "Subject",
    "attach_study",
    "file_instances",
    "project",
    "publish_study",
    "routes",
    "studies_of",
]

_HOMES = {
    "actions": ("attach_study", "file_instances", "publish_study"),
    "pages": ("routes",),
    "projection": ("project",),
    "reads": ("StudyLine", "studies_of"),
    "values": ("Filed", "Instance", "Policy", "Subject"),
}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(name)
