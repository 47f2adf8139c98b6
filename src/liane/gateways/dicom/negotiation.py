"""May this machine talk to us, and about what (PS3.8 section 9.3.4, PS3.7 annex D)?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from liane.gateways.dicom import pdu, registry

ACCEPTED = 0
ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
TRANSFER_SYNTAXES_NOT_SUPPORTED = 4

MAX_PDU_BYTES = 256 * 1024
"""What we announce; large PDUs cost the fewest turns of the event loop per image."""

PERMANENT, TRANSIENT = 1, 2
BY_USER, BY_ACSE, BY_PRESENTATION = 1, 2, 3

UNKNOWN_APPLICATION_CONTEXT = pdu.AssociateReject(PERMANENT, BY_USER, 2)
CALLING_TITLE_NOT_RECOGNISED = pdu.AssociateReject(PERMANENT, BY_USER, 3)
CALLED_TITLE_NOT_RECOGNISED = pdu.AssociateReject(PERMANENT, BY_USER, 7)
PROTOCOL_VERSION_NOT_SUPPORTED = pdu.AssociateReject(PERMANENT, BY_ACSE, 2)
TEMPORARY_CONGESTION = pdu.AssociateReject(TRANSIENT, BY_PRESENTATION, 1)
LOCAL_LIMIT_EXCEEDED = pdu.AssociateReject(TRANSIENT, BY_PRESENTATION, 2)


@dataclass(frozen=True, slots=True)
class Agreement:
    """What both sides settled on: our answer, and per context its class and syntax."""

    accept: pdu.AssociateAccept
    contexts: dict[int, tuple[str, str]]
    """context identifier -> (SOP class UID, transfer syntax UID)"""
    peer_max_pdu_bytes: int


def screen(request: pdu.AssociateRequest, titles: Sequence[str]) -> pdu.AssociateReject | None:
    """The rejection that the request deserves by itself, or None.

    `titles` are the AE titles we answer to; an empty sequence answers to any.
    """
    if not request.protocol_version & 1:
        return PROTOCOL_VERSION_NOT_SUPPORTED
    if request.application_context != registry.APPLICATION_CONTEXT:
        return UNKNOWN_APPLICATION_CONTEXT
    if titles and request.called not in titles:
        return CALLED_TITLE_NOT_RECOGNISED
    if not request.calling:
        return CALLING_TITLE_NOT_RECOGNISED
    return None


def agree(request: pdu.AssociateRequest) -> Agreement:
    """Answer every proposed context, and say how large our messages may be."""
    answers: list[pdu.AnsweredContext] = []
    contexts: dict[int, tuple[str, str]] = {}
    for proposed in request.contexts:
        result, syntax = _answer(proposed)
        answers.append(pdu.AnsweredContext(proposed.id, result, syntax))
        if result == ACCEPTED:
            contexts[proposed.id] = (proposed.abstract_syntax, syntax)
    user = pdu.UserInformation(
        max_pdu_bytes=MAX_PDU_BYTES,
        implementation_uid=registry.IMPLEMENTATION_UID,
        implementation_version=registry.IMPLEMENTATION_VERSION,
        async_window=None if request.user.async_window is None else (1, 1),
        roles=_roles(request, contexts),
    )
    accept = pdu.AssociateAccept(request.called_field, request.calling_field, tuple(answers), user)
    return Agreement(accept, contexts, request.user.max_pdu_bytes)


def _answer(proposed: pdu.ProposedContext) -> tuple[int, str]:
    """The first syntax we know wins: the peer lists first what it holds or likes best."""
    first = proposed.transfer_syntaxes[0]
    if proposed.abstract_syntax == registry.VERIFICATION:
        known = {registry.IMPLICIT_LITTLE, registry.EXPLICIT_LITTLE, registry.EXPLICIT_BIG}
    elif proposed.abstract_syntax in registry.storage_classes():
        known = set(registry.transfer_syntaxes())
    else:
        return ABSTRACT_SYNTAX_NOT_SUPPORTED, first
    for syntax in proposed.transfer_syntaxes:
        if syntax in known:
            return ACCEPTED, syntax
    return TRANSFER_SYNTAXES_NOT_SUPPORTED, first


def _roles(
    request: pdu.AssociateRequest, contexts: dict[int, tuple[str, str]]
) -> tuple[tuple[str, int, int], ...]:
    """We only receive: the peer may be the user of a service, never its provider."""
    accepted = {abstract for abstract, _ in contexts.values()}
    return tuple((uid, scu, 0) for uid, scu, _ in request.user.roles if uid in accepted)
