"""How does a room declare a page, and what does the page's function receive?

A route names exactly one permission; there is no default. The edge (`liane.web`) signs the person
in, asks the gate, opens the transaction, journals the read before the answer leaves, and turns
errors into pages: a handler only reads or acts, then renders.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from litestar import Request, Response

from liane.access.permissions import Permission
from liane.base.i18n import Translator
from liane.ui.services import Services

if TYPE_CHECKING:
    from liane.access.actor import Actor
    from liane.store import Tx

Method = Literal["GET", "POST"]
Handler = Callable[..., Awaitable[Response[Any]]]


@dataclass(frozen=True, slots=True)
class Route:
    """One address of the house, with the one permission it needs."""

    method: Method
    path: str
    """Litestar-free notation: `/patients/{patient_id}`."""
    permission: Permission
    handler: Handler
    patient: str | None
    """The path parameter that is a patient id: the gate then decides for that patient."""
    action: str
    """What the journal calls it, e.g. `read chart`."""


@dataclass(slots=True)
class Routes:
    """The addresses of one room, listed in `assembly`."""

    room: str
    items: list[Route] = field(default_factory=list)

    def get(
        self, path: str, *, permission: Permission, patient: str | None = None, action: str = ""
    ) -> Callable[[Handler], Handler]:
        """Declare a page that reads. `action` is the journal's word (default: `read <name>`)."""
        return self._add("GET", path, permission, patient, action)

    def post(
        self, path: str, *, permission: Permission, patient: str | None = None, action: str = ""
    ) -> Callable[[Handler], Handler]:
        """Declare an address that acts; runs in a writing transaction."""
        return self._add("POST", path, permission, patient, action)

    def _add(
        self, method: Method, path: str, permission: Permission, patient: str | None, action: str
    ) -> Callable[[Handler], Handler]:
        def keep(handler: Handler) -> Handler:
            verb = "read" if method == "GET" else "act"
            word = action or f"{verb} {handler.__name__.replace('_', ' ')}"
            self.items.append(Route(method, path, permission, handler, patient, word))
            return handler

        return keep


@dataclass(slots=True)
class Context:
    """Everything a handler works with: who asks, the open transaction, words, services."""

    request: Request[Any, Any, Any]
    actor: Actor
    tx: Tx
    t: Translator
    services: Services
    theme: str = "auto"
    csrf_token: str = ""
    position: int | None = None
    """Where the change feed stood before the page was read: the live socket resumes from here."""
    journal_detail: dict[str, Any] = field(default_factory=dict)
    """Handlers may add facts for the journal line of this access (never clinical values)."""
    read_patients: list[str] = field(default_factory=list)
    """Patients whose data a list or search shows: one journal entry each."""
    _form: Mapping[str, str] | None = None

    @property
    def query(self) -> Mapping[str, str]:
        """The query string, last value of each name."""
        return dict(self.request.query_params.items())

    @property
    def fragment(self) -> bool:
        """Whether the page's own script asks for a part rather than the whole page."""
        return self.request.headers.get("HX-Request") == "true"

    async def form(self) -> Mapping[str, str]:
        """The posted fields (text only), last value of each name."""
        if self._form is None:
            data = await self.request.form()
            self._form = {key: value for key, value in data.items() if isinstance(value, str)}
        return self._form

    def render(self, template: str, /, status: int = 200, **values: Any) -> Response[bytes]:
        """An HTML page or part from a template; `context`, `t` and `actor` are known there."""
        assert self.services.templates is not None
        html = self.services.templates.render(template, context=self, t=self.t, **values)
        return Response(html.encode(), status_code=status, media_type="text/html")

    def json(self, body: bytes) -> Response[bytes]:
        """An answer of ready-made JSON bytes."""
        return Response(body, media_type="application/json")

    def redirect(self, url: str) -> Response[bytes]:
        """Send the browser to `url` (an address of ours) by GET."""
        return Response(b"", status_code=303, headers={"Location": url})
