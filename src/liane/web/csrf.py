"""How does the server know that a write was asked for by one of its own pages?

Two independent signs: the browser's own word on where the request comes from (Sec-Fetch-Site or
Origin), and a token that only a page of this session can know.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from litestar import Request

from liane.access.sessions import Session, csrf_matches
from liane.base.errors import Denied

FIELD = "csrf"
HEADER = "X-CSRF-Token"


def check_origin(request: Request[Any, Any, Any]) -> None:
    """Raise `Denied` when the browser says that another site asked for this."""
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    foreign_site = site is not None and site not in ("same-origin", "none")
    foreign_origin = origin is not None and urlsplit(origin).netloc != request.headers.get("Host")
    if foreign_site or foreign_origin:
        raise _refused()


def check_token(session: Session, given: str | None) -> None:
    """Raise `Denied` when the token is missing or not the session's."""
    if not csrf_matches(session, given):
        raise _refused()


def _refused() -> Denied:
    return Denied(
        "web.csrf",
        "Cette action n'a pas été demandée depuis une page de Liane ouverte par vous.",
        "This action was not asked for from a Liane page that you opened.",
        "Rechargez la page puis recommencez ; rien n'a été modifié.",
        "Reload the page and try again; nothing was changed.",
    )
