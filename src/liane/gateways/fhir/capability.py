"""What does this server offer? (CapabilityStatement and SMART configuration, from the code)

Interactions come from the table of the dispatch, operations from their registry, parameters from
the search itself: what is offered is said, and what is said is offered.
"""

from __future__ import annotations

from functools import cache, lru_cache
from importlib.metadata import version
from typing import Any

from liane.fhir import definitions
from liane.fhir.json import dumps
from liane.gateways.fhir import offered, patching
from liane.gateways.fhir.dispatch import INTERACTIONS
from liane.gateways.fhir.exchange import Choices
from liane.gateways.fhir.operations import REGISTRY, Operation, subscription

FORMATS = ("json", "xml", "application/fhir+json", "application/fhir+xml")
PATCH_FORMATS = (*sorted(patching.MEDIA_TYPES), "application/fhir+json", "application/fhir+xml")
_OF_THE_SYSTEM = ("history-system", "search-system")


def capability_statement(base: str, choices: Choices, tenant: int) -> str:
    """The CapabilityStatement text; http://hl7.org/fhir/R4/capabilitystatement.html"""
    return _statement(base, choices, tenant, offered.own(tenant))


@lru_cache(maxsize=8)
def _statement(base: str, choices: Choices, tenant: int, _own: frozenset[tuple[str, str]]) -> str:
    """Made once for each set of the establishment's own parameters."""
    return dumps(
        {
            "resourceType": "CapabilityStatement",
            "id": "liane",
            "url": f"{base}/metadata",
            "version": version("liane"),
            "name": "Liane",
            "title": "Liane",
            "status": "active",
            "date": "2026-11-22",
            "kind": "instance",
            "software": {"name": "Liane", "version": version("liane")},
            "implementation": {"description": "Liane", "url": base},
            "fhirVersion": "4.0.1",
            "format": list(FORMATS),
            "patchFormat": list(PATCH_FORMATS),
            **_guides(),
            "rest": [_rest(base, choices, tenant)],
        }
    )


def _guides() -> dict[str, Any]:
    """The statements of implementation guides whose operations are all there."""
    known = [subscription.GUIDE]
    if REGISTRY.find("system", None, "export") is not None:
        known.append("http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data")
    return {"instantiates": known}


def _rest(base: str, choices: Choices, tenant: int) -> dict[str, Any]:
    codes = {one.code for one in INTERACTIONS}
    whole = [code for code in _OF_THE_SYSTEM if code in codes]
    return {
        "extension": [subscription.websocket_extension(base)],
        "mode": "server",
        "security": _security(base),
        "resource": [_resource(type_, choices, tenant) for type_ in definitions.types()],
        "interaction": [{"code": code} for code in ("transaction", "batch", *whole)],
        **_named("operation", [_operation(one) for one in REGISTRY.of_system()]),
        "compartment": [
            f"http://hl7.org/fhir/CompartmentDefinition/{name[0].lower()}{name[1:]}"
            for name in definitions.compartments()
        ],
    }


def _resource(type_: str, choices: Choices, tenant: int) -> dict[str, Any]:
    codes = dict.fromkeys(one.code for one in INTERACTIONS if one.code not in _OF_THE_SYSTEM)
    extensions = subscription.topic_extensions() if type_ == "Subscription" else []
    return {
        **_named("extension", extensions),
        "type": type_,
        "interaction": [{"code": code} for code in codes],
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": choices.update_create,
        "conditionalCreate": True,
        "conditionalRead": "full-support",
        "conditionalUpdate": _has_conditional("update"),
        "conditionalDelete": _conditional_delete(choices),
        "referencePolicy": ["literal", "logical", "local"],
        **_named("searchInclude", offered.includes(type_)),
        **_named("searchRevInclude", offered.revincludes(type_)),
        **_named("searchParam", [_parameter(one) for one in offered.parameters(type_, tenant)]),
        **_named("operation", [_operation(one) for one in REGISTRY.of_type(type_)]),
    }


def _has_conditional(code: str) -> bool:
    return any(one.code == code and one.conditional for one in INTERACTIONS)


def _conditional_delete(choices: Choices) -> str:
    if not _has_conditional("delete"):
        return "not-supported"
    return "multiple" if choices.delete_many else "single"


def _parameter(one: definitions.SearchParameter) -> dict[str, str]:
    return {"name": one.name, "type": one.kind}


def _named(name: str, entries: list[Any]) -> dict[str, Any]:
    """A list that FHIR leaves out when it is empty."""
    return {name: entries} if entries else {}


def _operation(operation: Operation) -> dict[str, Any]:
    return {"name": operation.name, "definition": operation.definition}


def _security(base: str) -> dict[str, Any]:
    root = base.removesuffix("/fhir")
    coding = {
        "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
        "code": "SMART-on-FHIR",
    }
    return {
        "cors": False,
        "service": [{"coding": [coding]}],
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
