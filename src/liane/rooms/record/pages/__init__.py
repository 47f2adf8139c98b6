"""Which pages does the record offer? The chart, its tables, letters and history."""

import liane.rooms.record.pages.chart
import liane.rooms.record.pages.documents
import liane.rooms.record.pages.history
import liane.rooms.record.pages.results  # noqa: F401 - each declares its addresses
from liane.rooms.record.pages.routes import routes

__all__ = ["routes"]
