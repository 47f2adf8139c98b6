"""How does a reader choose day or night, French or English?

The choice is kept in two cookies of this browser that say nothing about the person.
"""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, post
from litestar.datastructures import Cookie

from liane.web import csrf

YEAR_SECONDS = 365 * 24 * 3600
CHOICES = {"theme": ("auto", "day", "night"), "language": ("fr", "en")}


def preference_handlers() -> list[Any]:
    """The address that keeps a choice and returns to the page it was made on."""

    @post("/preferences")
    async def keep(request: Request[Any, Any, Any]) -> Response[bytes]:
        csrf.check_origin(request)
        form = await request.form()
        cookies = [
            Cookie(
                key=f"liane_{name}",
                value=str(form[name]),
                max_age=YEAR_SECONDS,
                path="/",
                samesite="lax",
            )
            for name, allowed in CHOICES.items()
            if form.get(name) in allowed
        ]
        return Response(
            b"",
            status_code=303,
            headers={"Location": _own_page(str(form.get("back", "/")))},
            cookies=cookies,
        )

    return [keep]


def _own_page(address: str) -> str:
    """An address of ours and nothing else: a path, never another site."""
    own = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if own and "\r" not in address and "\n" not in address else "/"
