"""Who hears of what happens in the record, without having to ask? (FHIR Subscriptions)"""

from liane.gateways.subscriptions.policy import MailServer, Policy
from liane.gateways.subscriptions.registering import subscription_writer, topic_writer
from liane.gateways.subscriptions.service import serve
from liane.gateways.subscriptions.sockets import Sockets

__all__ = [
    "MailServer",
    "Policy",
    "Sockets",
    "serve",
    "subscription_writer",
    "topic_writer",
]
