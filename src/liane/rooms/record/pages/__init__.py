"""Which pages does the record offer? The chart, its tables, letters and history."""

from liane.rooms.record.pages import chart, documents, history, results
from liane.rooms.record.pages.routes import routes

__all__ = ["chart", "documents", "history", "results", "routes"]
