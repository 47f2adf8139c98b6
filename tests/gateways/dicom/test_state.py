"""Does the conversation follow the state table of the standard, in every case?"""

from pathlib import Path

import pytest
from pynetdicom.fsm import TRANSITION_TABLE

from liane.gateways.dicom import state
from liane.gateways.dicom.association import Association
from liane.gateways.dicom.listener import Listener


def test_the_table_equals_that_of_an_independent_implementation():
    theirs = {(where, event): action for (event, where), action in TRANSITION_TABLE.items()}
    assert dict(state.TRANSITIONS) == theirs


def test_an_event_out_of_place_is_named():
    with pytest.raises(state.Unexpected, match=r"Evt9 .*Sta1"):
        state.action("Sta1", "Evt9")


def test_every_action_an_acceptor_can_meet_is_bound():
    # An acceptor never asks: it opens no association and starts no release.
    own = {"Evt1", "Evt2", "Evt9", "Evt11", "Evt8"}
    reached, ahead, met = set(), ["Sta1"], set()
    while ahead:
        where = ahead.pop()
        reached.add(where)
        for event in set(state.EVENTS) - own:
            name = state.TRANSITIONS.get((where, event))
            if name is None:
                continue
            met.add(name)
            ahead += [n for n in state.NEXT_STATES[name] if n not in reached]
    bound = Association(Listener(None, Path(), ()))._actions
    assert met <= set(bound)
    assert reached == {"Sta1", "Sta2", "Sta3", "Sta6", "Sta8", "Sta13"}
