"""Which pages does the patients room offer? Home, ward board, search, identity."""

from liane.rooms.patients.pages import board, home, identity, search
from liane.rooms.patients.pages.routes import routes

__all__ = ["board", "home", "identity", "routes", "search"]
