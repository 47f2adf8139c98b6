"""What can be asked of the record beyond reading, writing and searching? (`$name`)

A new module of this package is named here; nothing is found by accident.
"""

from liane.gateways.fhir import graphql
from liane.gateways.fhir.operations import (
    closure,
    diff,
    document,
    everything,
    export,
    importing,
    jobs,
    lastn,
    match,
    merge,
    meta,
    reindex,
    stats,
    subscription,
    summary,
    terminology,
    validate,
)
from liane.gateways.fhir.operations.registry import Level, Operation, Registry

__all__ = ["REGISTRY", "Level", "Operation", "Registry"]

REGISTRY = Registry(
    (
        *closure.OPERATIONS,
        *diff.OPERATIONS,
        *document.OPERATIONS,
        *everything.OPERATIONS,
        *export.OPERATIONS,
        *graphql.OPERATIONS,
        *importing.OPERATIONS,
        *jobs.OPERATIONS,
        *lastn.OPERATIONS,
        *match.OPERATIONS,
        *merge.OPERATIONS,
        *meta.OPERATIONS,
        *reindex.OPERATIONS,
        *stats.OPERATIONS,
        *subscription.OPERATIONS,
        *summary.OPERATIONS,
        *terminology.OPERATIONS,
        *validate.OPERATIONS,
    ),
)
