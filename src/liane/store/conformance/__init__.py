"""What are resources checked against, and what does a finding do to a write?

For the rest of the house:

- `judge(tx, establishment, resources, ...)`: called before a write; raises `Invalid`.
- `report(tx, resource, profiles, ...)`: everything that can be said of one resource (`$validate`).
- `known(tx)`: the definitions and the choices at this moment.
- `listen()`, `heard(type, id)`: the warnings of writes, for an answer that shows them.
- `project`: the projection that notices when a definition changes.
"""

from liane.store.conformance.choices import choices, choose
from liane.store.conformance.judging import heard, judge, listen, report
from liane.store.conformance.knowing import Known, known, project

__all__ = [
    "Known",
    "choices",
    "choose",
    "heard",
    "judge",
    "known",
    "listen",
    "project",
    "report",
]
