"""In which words is a delivery refused before it is a message?"""

from __future__ import annotations

from liane.base.errors import Invalid, Unavailable


def interrupted() -> Unavailable:
    """Safe, but its effects must wait for the database."""
    return Unavailable(
        "hl7v2.interrupted",
        "Message reçu et conservé ; il sera appliqué dès que la base de données répondra.",
        "Message received and kept; it will be applied as soon as the database answers.",
        "Inutile de le renvoyer.",
        "There is no need to send it again.",
    )


def too_large(limit: int) -> Invalid:
    """Longer than the limit, or without end."""
    return Invalid(
        "hl7v2.too-large",
        f"Le message dépasse {limit // 1048576} Mio, ou n'a pas de fin.",
        f"The message exceeds {limit // 1048576} MiB, or has no end.",
        "Envoyez les documents volumineux par un autre canal ; vérifiez l'encadrement MLLP.",
        "Send large documents another way; check the MLLP framing.",
    )


def untyped() -> Invalid:
    """A header without a message type."""
    return Invalid(
        "hl7v2.no-type",
        "L'en-tête ne dit pas de quel type de message il s'agit (MSH-9 vide).",
        "The header does not say which kind of message it is (MSH-9 is empty).",
        "Demandez à l'émetteur de remplir MSH-9, puis de renvoyer le message.",
        "Ask the sender to fill in MSH-9, then to send the message again.",
        hl7_code="101",
        location="MSH^1^9",
    )


def unframed() -> Invalid:
    """Bytes that are no MLLP frame."""
    return Invalid(
        "hl7v2.unframed",
        "Les octets reçus ne sont pas encadrés par MLLP.",
        "The bytes received are not framed by MLLP.",
        "Réglez l'émetteur sur MLLP : <VT> message <FS><CR>.",
        "Set the sender to MLLP: <VT> message <FS><CR>.",
    )


def cut_short() -> Invalid:
    """A frame that never ended."""
    return Invalid(
        "hl7v2.cut-short",
        "La fin du message n'est jamais arrivée.",
        "The end of the message never came.",
        "L'émetteur n'a reçu aucun accusé et doit renvoyer le message.",
        "The sender got no acknowledgement and must send the message again.",
    )
