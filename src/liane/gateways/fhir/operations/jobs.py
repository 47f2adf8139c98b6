"""Where does an asker follow a request that is answered later? (`$job`)"""

from __future__ import annotations

from liane.gateways.fhir.asynchronous import polling
from liane.gateways.fhir.operations.registry import Operation

OPERATIONS = (
    Operation(
        "job",
        frozenset({"system"}),
        frozenset(),
        polling.serve,
        "https://liane.example/fhir/OperationDefinition/job",
        alone=True,
        deeper=True,
        methods=frozenset({"GET", "DELETE"}),
    ),
)
