"""Which headers protect the identity pages in the browser?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "script-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def page_headers(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Nothing of these pages is cached or framed, and they load nothing from elsewhere.

    `form-action` is left open on purpose: after signing in, the form's answer redirects to the
    client's own address, and browsers apply that rule to redirects too.
    """

    def answer(request: Any) -> Any:
        response = get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return answer
