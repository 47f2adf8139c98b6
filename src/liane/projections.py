"""Which lean tables follow every write, whatever its door?"""

from liane.rooms.imaging.projection import project as project_images
from liane.rooms.patients import project as project_patients
from liane.rooms.record.projection import project as project_values
from liane.store.conformance import project as project_conformance
from liane.store.search.custom import project as project_parameters
from liane.store.terminology import project as project_terminology

PROJECTIONS = (
    project_patients,
    project_values,
    project_images,
    project_terminology,
    project_conformance,
    project_parameters,
)
"""Kept by the rooms inside the transaction of the write (see `store.resources.write_many`)."""
