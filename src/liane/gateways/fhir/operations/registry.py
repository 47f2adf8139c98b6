"""Which operations (`$name`) does this server offer, on what, and what carries them out?

Each module of this package exports `OPERATIONS`; the dispatch and the CapabilityStatement read
them from here, so that nothing is offered without being served, nor served without being said.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, overload

from liane.gateways.fhir.exchange import Answer, Exchange
from liane.store import Tx

Level = Literal["system", "type", "instance"]
Serve = Callable[[Exchange, Tx], Awaitable[Answer]]
ServeAlone = Callable[[Exchange, None], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation; http://hl7.org/fhir/R4/operations.html"""

    name: str
    """Without the `$`."""
    levels: frozenset[Level]
    types: frozenset[str]
    """Resource types it is offered on; empty: every type (or the system level only)."""
    serve: Serve | ServeAlone
    definition: str
    """Canonical address of its OperationDefinition."""
    writes: bool = False
    """Changes something: POST only, in a writing transaction; otherwise the server refuses any."""
    alone: bool = False
    """Opens its own transactions: it is served without one (`tx` is None)."""
    deeper: bool = False
    """Answers addresses below its own (`$export-poll/ID/file`); it reads `exchange.path`."""
    methods: frozenset[str] = frozenset({"GET", "POST"})

    def offered_on(self, level: Level, type_: str | None) -> bool:
        """Whether it can be called there."""
        if level not in self.levels:
            return False
        return level == "system" or not self.types or type_ in self.types

    def allows(self, method: str) -> bool:
        """Whether the method may call it; HEAD counts as GET."""
        wanted = "GET" if method == "HEAD" else method
        return wanted in self.methods and not (self.writes and wanted == "GET")

    @overload
    async def call(self, exchange: Exchange, tx: Tx) -> Answer: ...
    @overload
    async def call(self, exchange: Exchange, tx: None) -> Answer: ...
    async def call(self, exchange: Exchange, tx: Tx | None) -> Answer:
        """Carry it out, with the transaction it asks for."""
        return await self.serve(exchange, tx)  # type: ignore[arg-type] # `alone` says which


class Registry:
    """All operations, found by place and name."""

    def __init__(self, operations: tuple[Operation, ...]) -> None:
        self.operations = operations
        self._by_name: dict[str, list[Operation]] = {}
        for operation in operations:
            self._by_name.setdefault(operation.name, []).append(operation)

    def find(self, level: Level, type_: str | None, name: str) -> Operation | None:
        """The operation of that name offered there."""
        for operation in self._by_name.get(name, ()):
            if operation.offered_on(level, type_):
                return operation
        return None

    def of_system(self) -> list[Operation]:
        """Those called on the base address."""
        return [one for one in self.operations if "system" in one.levels]

    def of_type(self, type_: str) -> list[Operation]:
        """Those called on a type or on one of its instances."""
        return [
            one
            for one in self.operations
            if one.offered_on("type", type_) or one.offered_on("instance", type_)
        ]
