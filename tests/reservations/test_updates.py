"""What becomes of an update."""

from __future__ import annotations

from tests.reservations.saying import Parties, say, send, state, states, update_of, update_xml
from tests.support.peer import CRO


def test_F14_an_agr_without_an_endpoint(parties: Parties) -> None:
    inbound = send(parties.dso, update_xml(parties.dso, parties.agr.domain, (1, 4, 0)))
    assert (inbound.result, inbound.reason) == ("Accepted", "")
    assert states(update_of(inbound)) == [("accepted", "message")]
    answer = say(parties.dso, update_xml(parties.dso, CRO, (1, 4, 0)))
    assert (answer.result, answer.reason) == ("Accepted", "")


def test_passed(connected: Parties) -> None:
    inbound = send(connected.dso, update_xml(connected.dso, connected.agr.domain, (1, 4, 0)))
    assert (inbound.result, inbound.reason) == ("Accepted", "")
    assert state(update_of(inbound)) == "received"
