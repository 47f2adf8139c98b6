"""How does a notification go out as a letter?

With `empty` content the letter only says that something has happened. Anything more is attached
as FHIR JSON, and only over an encrypted connection or to a server of this machine.
"""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime

from liane.base.errors import Denied, Unavailable
from liane.gateways.subscriptions.model import Channel
from liane.gateways.subscriptions.policy import MailServer

_HERE = ("127.0.0.1", "localhost", "::1")


def letter(
    server: MailServer, channel: Channel, key: str, what: str, bundle: str, now: datetime
) -> EmailMessage:
    """The letter. Its Message-ID is the same whenever the same events are repeated."""
    message = EmailMessage()
    domain = server.sender.rpartition("@")[2] or "liane.invalid"
    message["From"] = server.sender
    message["To"] = channel.endpoint
    message["Subject"] = f"Liane : {what}"
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{key.replace('/', '.')}@{domain}>"
    message["Idempotency-Key"] = f'"{key}"'
    message.set_content(
        "Une notification FHIR vous attend dans Liane.\n"
        "A FHIR notification awaits you in Liane.\n\n"
        f"{what} ({key})\n"
    )
    if bundle and channel.content != "empty":
        message.add_attachment(
            bundle.encode(), maintype="application", subtype="fhir+json", filename="bundle.json"
        )
    return message


async def send(server: MailServer, channel: Channel, message: EmailMessage) -> None:
    """Hand the letter to the mail server. Raises `Unavailable` when it does not take it."""
    if channel.content != "empty" and server.security == "none" and server.host not in _HERE:
        raise Denied(
            "subscription.mail-in-clear",
            "Un contenu médical ne part pas par un courrier en clair.",
            "Clinical content does not leave by mail in clear.",
            "Réglez LIANE_SMTP_SECURITY sur starttls ou tls.",
            "Set LIANE_SMTP_SECURITY to starttls or tls.",
        )
    try:
        await asyncio.to_thread(_send, server, channel.timeout_seconds or 10, message)
    except (OSError, smtplib.SMTPException) as problem:
        raise Unavailable(
            "subscription.mail",
            f"Le serveur de courrier n’a pas pris la lettre ({type(problem).__name__}).",
            f"The mail server did not take the letter ({type(problem).__name__}).",
            "Vérifier le serveur de courrier des réglages (liane doctor) ; l’envoi est retenté.",
            "Check the mail server of the settings (liane doctor); it is tried again.",
        ) from problem


def _send(server: MailServer, seconds: int, message: EmailMessage) -> None:
    context = ssl.create_default_context()
    if server.security == "tls":
        connection: smtplib.SMTP = smtplib.SMTP_SSL(
            server.host, server.port, timeout=seconds, context=context
        )
    else:
        connection = smtplib.SMTP(server.host, server.port, timeout=seconds)
    with connection as smtp:
        if server.security == "starttls":
            smtp.starttls(context=context)
        if server.user and server.password_file is not None:
            smtp.login(server.user, server.password_file.read_text("utf-8").strip())
        smtp.send_message(message)
