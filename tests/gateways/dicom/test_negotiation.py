"""Is each machine told exactly what it may send, and refused for the right reason?"""

import pytest

from liane.gateways.dicom import negotiation, pdu, registry

CT = "1.2.840.10008.5.1.4.1.1.2"
FIND = "1.2.840.10008.5.1.4.1.2.1.1"


def asking(*contexts, **changes):
    proposed = tuple(
        pdu.ProposedContext(2 * number + 1, abstract, syntaxes)
        for number, (abstract, syntaxes) in enumerate(contexts)
    )
    return pdu.AssociateRequest(
        changes.pop("called", "LIANE"), changes.pop("calling", "CT1"), proposed, **changes
    )


def answers(*contexts):
    accept = negotiation.agree(asking(*contexts)).accept
    return [(context.result, context.transfer_syntax) for context in accept.contexts]


def test_the_first_syntax_of_the_peer_that_we_know_is_taken():
    j2k = "1.2.840.10008.1.2.4.90"
    assert answers((CT, ("1.2.3", j2k, registry.IMPLICIT_LITTLE))) == [(0, j2k)]


def test_the_deflated_syntax_is_refused():
    assert answers((CT, (registry.DEFLATED,))) == [(4, registry.DEFLATED)]


def test_links_to_pixels_elsewhere_are_refused():
    assert answers((CT, ("1.2.840.10008.1.2.4.94",)))[0][0] == 4


def test_a_service_we_do_not_offer_is_refused():
    assert answers((FIND, (registry.IMPLICIT_LITTLE,)))[0][0] == 3


def test_verification_takes_no_image_syntax():
    assert answers((registry.VERIFICATION, ("1.2.840.10008.1.2.4.90",)))[0][0] == 4


def test_every_storage_class_takes_every_accepted_syntax():
    agreed = negotiation.agree(
        asking(*[(uid, tuple(registry.transfer_syntaxes())) for uid in registry.storage_classes()])
    )
    assert len(agreed.contexts) == len(registry.storage_classes()) > 190


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"called": "OTHER"}, 7),
        ({"calling": ""}, 3),
        ({"application_context": "1.2.3"}, 2),
    ],
)
def test_requests_refused_by_the_user(changes, reason):
    refusal = negotiation.screen(asking((CT, ("1.2",)), **changes), ["LIANE"])
    assert (refusal.result, refusal.source, refusal.reason) == (1, 1, reason)


def test_another_protocol_version_is_refused_by_the_provider():
    refusal = negotiation.screen(asking((CT, ("1.2",)), protocol_version=2), ["LIANE"])
    assert (refusal.result, refusal.source, refusal.reason) == (1, 2, 2)


def test_we_never_become_the_user_of_a_service():
    user = pdu.UserInformation(roles=((CT, 1, 1), (FIND, 1, 1)))
    agreed = negotiation.agree(asking((CT, (registry.IMPLICIT_LITTLE,)), user=user))
    assert agreed.accept.user.roles == ((CT, 1, 0),)
