"""What does a code mean, which codes belong to a set, and which stand below another?

For the rest of the house:

- `member(tx, value_set, system, code)`: True, False, or None when that cannot be known here;
  a system of "" means any.
- `codes_of(tx, value_set, limit)`: every (system, code) of a value set, for a search `:in`.
- `below(tx, system, code)` and `above(...)`: the code and all that stand under or over it.
- `expand`, `in_value_set`, `in_code_system`, `look_up`, `relation`, `translate`: the operations.
- `project`: the projection that keeps the tables in step with every write.
"""

from liane.store.terminology.checking import (
    Coding,
    Verdict,
    in_code_system,
    in_value_set,
    member,
)
from liane.store.terminology.expanding import Wish, expand
from liane.store.terminology.filing import project
from liane.store.terminology.looking import (
    LookUp,
    above,
    below,
    codes_of,
    inline_system,
    look_up,
    relation,
)
from liane.store.terminology.translating import Match, Wanted, translate

__all__ = [
    "Coding",
    "LookUp",
    "Match",
    "Verdict",
    "Wanted",
    "Wish",
    "above",
    "below",
    "codes_of",
    "expand",
    "in_code_system",
    "in_value_set",
    "inline_system",
    "look_up",
    "member",
    "project",
    "relation",
    "translate",
]
