"""Does every address name one permission, and does nothing answer a stranger?"""

from __future__ import annotations

import httpx
import pytest
from tests.running import Installation

from liane.access.permissions import Permission
from liane.assembly import ROUTES
from liane.ui.routing import Route

ALL = [route for room in ROUTES for route in room.items]


def named(route: Route) -> str:
    return f"{route.method} {route.path}"


@pytest.mark.unit
@pytest.mark.parametrize("route", ALL, ids=named)
def test_a_route_names_exactly_one_permission_that_is_not_public(route: Route) -> None:
    assert isinstance(route.permission, Permission)
    assert route.permission is not Permission.PUBLIC


@pytest.mark.unit
@pytest.mark.parametrize("route", ALL, ids=named)
def test_a_route_below_a_patient_asks_the_gate_for_that_patient(route: Route) -> None:
    if "/patients/{patient_id}" in route.path:
        assert route.patient == "patient_id"


@pytest.mark.unit
def test_no_two_routes_share_an_address() -> None:
    names = [named(route) for route in ALL]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("route", ALL, ids=named)
def test_a_stranger_is_sent_to_sign_in_and_learns_nothing(
    route: Route, installation: Installation
) -> None:
    path = route.path.replace("{", "").replace("}", "")
    answer = httpx.request(route.method, installation.base_url + path, trust_env=False)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in?next=")
    assert answer.content == b""


PUBLIC = (
    "/health/live",
    "/health/ready",
    "/fhir/metadata",
    "/fhir/.well-known/smart-configuration",
    "/id/o/.well-known/openid-configuration",
    "/id/o/.well-known/jwks.json",
    "/static/liane.css",
)
CLOSED = ("/fhir/Patient", "/fhir/Patient/x", "/fhir/_history", "/dicomweb/studies")


@pytest.mark.parametrize("path", PUBLIC)
def test_public_addresses_answer_everyone(path: str, installation: Installation) -> None:
    assert httpx.get(installation.base_url + path, trust_env=False).status_code == 200


@pytest.mark.parametrize("path", CLOSED)
def test_program_addresses_ask_for_a_token(path: str, installation: Installation) -> None:
    answer = httpx.get(installation.base_url + path, trust_env=False)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "path", ["/", "/fhir/metadata", "/sign-in", "/nowhere", "/id/accounts/login/"]
)
def test_every_answer_tells_the_browser_what_never_to_do(
    path: str, installation: Installation
) -> None:
    headers = httpx.get(installation.base_url + path, trust_env=False).headers
    assert headers["x-content-type-options"] == "nosniff"
    policy = headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy or "default-src 'self'" in policy
