"""Where does a person see who they are here, choose day or night, and leave?"""

from __future__ import annotations

from typing import Any

from litestar import Response

from liane.access.permissions import Permission
from liane.ui.routing import Context, Routes

routes = Routes("ui")


@routes.get("/me", permission=Permission.SIGNED_IN)
async def read_account(context: Context) -> Response[Any]:
    """The signed-in person: roles, units, display, language, sign-out."""
    return context.render("ui/me.html")
