"""What does this server offer? (CapabilityStatement and SMART configuration, from the code)"""

from __future__ import annotations

from functools import cache
from typing import Any

from liane.fhir import definitions
from liane.fhir.json import dumps
from liane.gateways.fhir.operations import REGISTRY, Operation

_INTERACTIONS = (
    "read",
    "vread",
    "update",
    "delete",
    "history-instance",
    "history-type",
    "create",
    "search-type",
)
_COMPARTMENT_ONLY = frozenset({"_text", "_content", "_query"})


@cache
def capability_statement(base: str) -> str:
    """The CapabilityStatement text; http://hl7.org/fhir/R4/capabilitystatement.html"""
    return dumps(
        {
            "resourceType": "CapabilityStatement",
            "id": "liane",
            "url": f"{base}/metadata",
            "name": "Liane",
            "title": "Liane",
            "status": "active",
            "date": "2026-11-22",
            "kind": "instance",
            "software": {"name": "Liane"},
            "implementation": {"description": "Liane", "url": base},
            "fhirVersion": "4.0.1",
            "format": ["json", "application/fhir+json"],
            "rest": [
                {
                    "mode": "server",
                    "security": _security(base),
                    "resource": [_resource(type_) for type_ in definitions.types()],
                    "interaction": [
                        {"code": code} for code in ("transaction", "batch", "history-system")
                    ],
                    **_named("operation", [_operation(one) for one in REGISTRY.of_system()]),
                }
            ],
        }
    )


def _resource(type_: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "type": type_,
        "interaction": [{"code": code} for code in _INTERACTIONS],
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": True,
        "conditionalRead": "not-match",
        "conditionalUpdate": True,
        "conditionalDelete": "not-supported",
        "searchParam": [
            {"name": parameter.name, "type": parameter.kind}
            for parameter in definitions.search_parameters(type_).values()
            if parameter.kind != "special" and parameter.name not in _COMPARTMENT_ONLY
        ],
    }
    return entry | _named("operation", [_operation(one) for one in REGISTRY.of_type(type_)])


def _named(name: str, entries: list[dict[str, Any]]) -> dict[str, Any]:
    """A list that FHIR leaves out when it is empty."""
    return {name: entries} if entries else {}


def _operation(operation: Operation) -> dict[str, Any]:
    return {"name": operation.name, "definition": operation.definition}


def _security(base: str) -> dict[str, Any]:
    root = base.removesuffix("/fhir")
    return {
        "cors": False,
        "service": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
                        "code": "SMART-on-FHIR",
                    }
                ]
            }
        ],
        "extension": [
            {
                "url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris",
                "extension": [
                    {"url": "token", "valueUri": f"{root}/id/o/token/"},
                    {"url": "authorize", "valueUri": f"{root}/id/o/authorize/"},
                ],
            }
        ],
    }


@cache
def smart_configuration(base: str) -> str:
    """http://hl7.org/fhir/smart-app-launch/conformance.html"""
    identity = f"{base.removesuffix('/fhir')}/id/o"
    return dumps(
        {
            "issuer": identity,
            "jwks_uri": f"{identity}/.well-known/jwks.json",
            "authorization_endpoint": f"{identity}/authorize/",
            "token_endpoint": f"{identity}/token/",
            "introspection_endpoint": f"{identity}/introspect/",
            "revocation_endpoint": f"{identity}/revoke_token/",
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "grant_types_supported": ["authorization_code", "client_credentials"],
            "response_types_supported": ["code"],
            "scopes_supported": ["openid", "system/*.cruds", "user/*.cruds"],
            "code_challenge_methods_supported": ["S256"],
            "capabilities": [
                "client-confidential-symmetric",
                "permission-user",
                "permission-v1",
                "permission-v2",
            ],
        }
    )
