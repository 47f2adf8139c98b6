"""Where are the hospital's facts kept, and how are they found again?"""

from liane.store.database import Database, Tx

__all__ = ["Database", "Tx"]
