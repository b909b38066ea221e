"""What becomes of an update: by the AGR's answer, by staff, and what counts of it for settlement."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dns.resolver
import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from participants import discovery
from participants.models import AuditEntry, Participant
from registry.changes import Source
from registry.models import Change
from reservations.models import Contract, ContractVersion, ReservationUpdate, UpdateState
from reservations.settlement import remaining
from reservations.updates import lifecycle
from reservations.updates.lifecycle import OutcomeError
from tests.reservations.conftest import At
from tests.reservations.dsl import (
    CONTRACT,
    DAY,
    NOON,
    NOW,
    OTHER_POINT,
    POINT,
    Parties,
    a_contract,
    another_agr,
    answer_to,
    clerk,
    deliver,
    join,
    participant,
    publish_connections,
    publish_point,
    response_xml,
    said_in,
    say,
    send,
    some_parties,
    state,
    states,
    update_of,
    update_xml,
)
from tests.support.exchange import drain, receive
from tests.support.peer import CRO, Peer
from tests.support.polling import wait_for
from tests.support.receiver import Receiver
from tests.support.zone import BROKEN, SILENT, Zone, serving
from uftp.models import InboundMessage, OutboundMessage, Sender
from uftp.processing.dead_letters import process_again

RELEASED = (1, 4, 1_000)


def an_update(parties: Parties, *isps: tuple[int, int, int], **values: Any) -> ReservationUpdate:
    """One that is addressed to the AGR and taken."""
    content = update_xml(parties.dso, parties.agr.domain, *(isps or (RELEASED,)), **values)
    return update_of(send(parties.dso, content, major=int(values.get("Version", "3")[0])))


def passed_on(parties: Parties, *isps: tuple[int, int, int], **values: Any) -> ReservationUpdate:
    """One that the AGR has got."""
    update = an_update(parties, *isps, **values)
    deliver(parties.agr)
    assert state(update) == "passed on"
    return update


def responds(
    parties: Parties, update: ReservationUpdate, result: str = "Accepted", to: str = "", **values: str
) -> InboundMessage:
    """The AGR sends the CRO a copy of its answer to the DSO, or one of the CRO's own (`to`)."""
    answer = response_xml(parties.agr, to or parties.dso.domain, update.message.message_id, result, **values)
    return send(parties.agr, answer, major=int(values.get("Version", "3")[0]))


def left(update: ReservationUpdate) -> tuple[int, ...]:
    """The watts that remain in the first five ISPs of the update's Period."""
    (figures,) = remaining.figures([update.contract], update.period, update.period)
    return figures.remaining[:5]


AS_CONTRACTED, AS_RELEASED = (5_000,) * 5, (*(1_000,) * 4, 5_000)


def test_what_is_said_is_kept_as_said(connected: Parties) -> None:
    content = update_xml(connected.dso, connected.agr.domain, (5, 2, 300), (1, 1, 0), Reference="ref 7")
    update = update_of(send(connected.dso, content))
    version = ContractVersion.objects.get()
    assert (update.contract, update.version) == (version.contract, version)
    assert (update.dso, update.agr) == (participant(connected.dso), participant(connected.agr))
    assert (update.period, update.reference, update.addressed_to) == (DAY, "ref 7", "AGR")
    assert (update.time_stamp, update.received_at, update.deadline) == (NOW, NOW, NOON)
    assert update.isps == [[5, 2, 300], [1, 1, 0]]
    change = update.recorded_by
    assert (change.kind, change.message) == ("message", update.message)
    assert change.participants == sorted([update.dso_id, update.agr_id])
    assert change.moment is not None


@pytest.mark.parametrize("version", ["3.0.0", "3.1.0", "4.0.0"])
@pytest.mark.parametrize(("result", "then"), [("Accepted", "accepted"), ("Rejected", "rejected")])
@pytest.mark.parametrize("to_cro", [False, True], ids=["to the DSO", "to the CRO"])
def test_F15_the_agrs_answer_settles_it(
    connected: Parties, version: str, result: str, then: str, to_cro: bool
) -> None:
    update = passed_on(connected, Version=version)
    assert left(update) == AS_RELEASED
    to = CRO if to_cro else connected.dso.domain
    response = responds(connected, update, result, to, Version=version)
    assert (response.state, response.result, response.reason) == ("processed", result, "")
    assert states(update) == [("received", "message"), ("passed on", "delivery"), (then, "message")]
    assert lifecycle.state_of(update).recorded_by.message == response
    assert left(update) == (AS_RELEASED if then == "accepted" else AS_CONTRACTED)
    assert not OutboundMessage.objects.filter(in_reply_to=response).exists(), "a response is never answered"


def test_F15_an_agr_that_rejects_afterwards_leaves_what_was_reserved(connected: Parties) -> None:
    first = passed_on(connected, (1, 4, 3_000), TimeStamp="2026-03-02T07:00:00Z")
    responds(connected, first)
    second = passed_on(connected, (1, 2, 0), TimeStamp="2026-03-02T07:30:00Z")
    assert left(second) == (0, 0, 3_000, 3_000, 5_000)
    response = responds(connected, second, "Rejected", RejectionReason="we need it")
    assert response.reason == "we need it"
    assert left(second) == (*(3_000,) * 4, 5_000)


def test_F15_a_message_id_in_capitals_is_the_same(connected: Parties) -> None:
    message_id = "ABCDEF00-0000-4000-8000-00000000ABCD"
    update = passed_on(connected, MessageID=message_id)
    answer = response_xml(connected.agr, connected.dso.domain, message_id)
    assert send(connected.agr, answer).reason == ""
    assert state(update) == "accepted"


def test_F15_the_answer_may_come_before_the_delivery_is_recorded(
    connected: Parties, receiver: Receiver
) -> None:
    update = an_update(connected)
    responds(connected, update)
    assert states(update) == [("received", "message"), ("accepted", "message")]
    deliver(connected.agr)
    assert len(receiver.posts) == 1
    assert update.message.passings.get().state == "delivered"
    assert states(update) == [("received", "message"), ("accepted", "message")]
    assert update.message.changes.count() == 1, "the delivery changes nothing"


@pytest.mark.parametrize("result", ["Accepted", "Rejected"])
def test_F15_what_the_agr_answered_stands_though_its_reply_to_the_delivery_says_otherwise(
    connected: Parties, receiver: Receiver, result: str
) -> None:
    receiver.reply = lambda posted, before: (400, {}, b"we have that already")
    update = an_update(connected)
    responds(connected, update, result)
    assert deliver(connected.agr) == []
    assert state(update) == result.lower()
    update.message.refresh_from_db()
    assert (update.message.result, answer_to(update.message)) == ("Accepted", None)


def test_F15_the_first_answer_counts(connected: Parties) -> None:
    update = passed_on(connected)
    responds(connected, update, "Accepted")
    response = responds(connected, update, "Rejected", RejectionReason="no")
    assert response.result == "Rejected"
    assert response.reason.startswith("no; reference-1 for 2026-03-04 was accepted before, by ")
    assert f"by FlexReservationUpdateResponse of AGR {connected.agr.domain} on " in response.reason
    assert states(update)[2:] == [("accepted", "message")]
    assert left(update) == AS_RELEASED
    response = responds(connected, update, "Accepted")
    assert "was accepted before" in response.reason


def test_F15_an_answer_to_one_that_is_undone_changes_nothing_but_staff_may(
    connected: Parties, receiver: Receiver
) -> None:
    receiver.reply = lambda posted, before: (403, {}, b"")
    update = an_update(connected)
    deliver(connected.agr)
    assert state(update) == "undone"
    response = responds(connected, update)
    assert response.reason.startswith("reference-1 for 2026-03-04 was undone before")
    assert (state(update), left(update)) == ("undone", AS_CONTRACTED)
    lifecycle.record_outcome(update, accepted=True, source=clerk(), expected="undone")
    assert (state(update), left(update)) == ("accepted", AS_RELEASED)


def test_F15_an_answer_to_one_that_the_cro_accepted_itself_changes_nothing(parties: Parties) -> None:
    update = update_of(send(parties.dso, update_xml(parties.dso, CRO, RELEASED)))
    response = responds(parties, update, "Rejected")
    assert "was accepted before" in response.reason
    assert states(update) == [("accepted", "message")]


NO_SUCH = "refers to no reservation update that this AGR was sent"


def test_F15_an_answer_to_nothing_is_kept_and_changes_nothing(connected: Parties) -> None:
    update = passed_on(connected)
    answer = response_xml(connected.agr, CRO, "00000000-0000-4000-8000-000000000000")
    response = send(connected.agr, answer)
    assert (response.state, response.result, response.reason) == ("processed", "Accepted", NO_SUCH)
    assert state(update) == "passed on"


def test_F15_an_answer_to_what_another_agr_was_sent_changes_nothing(connected: Parties) -> None:
    update = passed_on(connected)
    other = join("AGR", "other.example")
    response = send(other, response_xml(other, connected.dso.domain, update.message.message_id, "Rejected"))
    assert response.reason == NO_SUCH
    assert state(update) == "passed on"


def test_F15_an_answer_to_another_dso_is_not_this_ones(connected: Parties) -> None:
    update = passed_on(connected)
    assert responds(connected, update, to="dso-2.example").reason == NO_SUCH
    assert state(update) == "passed on"


def test_F15_an_answer_is_handled_without_the_bytes_of_the_update(connected: Parties) -> None:
    """They may be megabytes."""
    update = passed_on(connected)
    receive(connected.agr, response_xml(connected.agr, connected.dso.domain, update.message.message_id))
    with CaptureQueriesContext(connection) as captured:
        drain(connected.agr)
    assert state(update) == "accepted"
    assert not [query["sql"] for query in captured if '."sealed"' in (query["sql"] or "")]


def test_F15_only_an_agr_answers(connected: Parties) -> None:
    update = passed_on(connected)
    content = response_xml(connected.dso, CRO, update.message.message_id)
    assert (
        send(connected.dso, content).reason
        == "Invalid SenderRole: DSO may not send FlexReservationUpdateResponse"
    )
    assert state(update) == "passed on"


@pytest.mark.parametrize(
    ("standing", "why"),
    [("barred", "Barred Sender"), ("suspended", "Unauthorized: this participant is suspended")],
)
def test_M3_what_a_barred_agr_answers_is_not_handled(connected: Parties, standing: str, why: str) -> None:
    update = passed_on(connected)
    Participant.objects.filter(domain=connected.agr.domain).update(standing=standing)
    assert responds(connected, update).reason == why
    assert state(update) == "passed on"


@pytest.fixture
def two_of_one_id(
    connected: Parties, receiver: Receiver
) -> tuple[ReservationUpdate, ReservationUpdate, Peer]:
    """Two DSOs' updates with one MessageID to one AGR, and the other DSO."""
    other = join("DSO", "dso-2.example")
    publish_point(other, OTHER_POINT, "ean.871600000000000420")
    publish_connections(connected.agr, "ean.871600000000000420")
    a_contract(other, connected.agr, point=OTHER_POINT)
    message_id = "00000000-0000-4000-8000-000000000001"
    first = an_update(connected, MessageID=message_id)
    second = an_update(Parties(other, connected.agr), MessageID=message_id, CongestionPoint=OTHER_POINT)
    deliver(connected.agr)
    assert (state(first), state(second)) == ("passed on", "passed on")
    return first, second, other


def test_F15_the_recipient_tells_which_of_two_dsos_updates_is_answered(
    connected: Parties, two_of_one_id: tuple[ReservationUpdate, ReservationUpdate, Peer]
) -> None:
    first, second, other = two_of_one_id
    responds(connected, first, "Rejected", to=other.domain)
    assert (state(first), state(second)) == ("passed on", "rejected")
    responds(connected, first, "Accepted")
    assert (state(first), state(second)) == ("accepted", "rejected")


def test_F15_the_conversation_tells_which_of_two_dsos_updates_is_answered_to_the_cro(
    connected: Parties, two_of_one_id: tuple[ReservationUpdate, ReservationUpdate, Peer]
) -> None:
    first, second, _ = two_of_one_id
    response = responds(connected, first, to=CRO)
    why = "several DSOs used that MessageID, and the ConversationID does not tell which is meant"
    assert response.reason == why
    assert (state(first), state(second)) == ("passed on", "passed on")
    conversation = second.message.conversation_id.upper()
    assert responds(connected, first, to=CRO, ConversationID=conversation).reason == ""
    assert (state(first), state(second)) == ("passed on", "accepted")


def test_M10_an_update_with_a_message_id_used_before_is_rejected(connected: Parties) -> None:
    message_id = "00000000-0000-4000-8000-000000000001"
    update = passed_on(connected, MessageID=message_id)
    again = update_xml(connected.dso, connected.agr.domain, (1, 1, 0), MessageID=message_id)
    inbound = send(connected.dso, again)
    assert inbound.result == "Rejected"
    assert (
        inbound.reason == f"Duplicate Identifier: MessageID {message_id} was used before, with other content"
    )
    assert not ReservationUpdate.objects.exclude(pk=update.pk).exists()


def test_M11_a_copy_of_an_update_is_not_passed_on_again(connected: Parties, receiver: Receiver) -> None:
    content = update_xml(connected.dso, connected.agr.domain, RELEASED)
    send(connected.dso, content)
    send(connected.dso, content)
    deliver(connected.agr)
    assert len(receiver.posts) == 1
    assert ReservationUpdate.objects.count() == 1


@pytest.mark.parametrize("accepted", [True, False])
@pytest.mark.parametrize("before", ["passed on", "accepted", "rejected", "undone"])
def test_F15_staff_settle_any_that_is_not_on_its_way(
    connected: Parties, receiver: Receiver, before: str, accepted: bool
) -> None:
    if before == "undone":
        receiver.reply = lambda posted, number: (403, {}, b"")
    update = an_update(connected)
    deliver(connected.agr)
    if before in ("accepted", "rejected"):
        responds(connected, update, before.capitalize())
    assert state(update) == before
    then = "accepted" if accepted else "rejected"
    if before == then:
        with pytest.raises(OutcomeError, match=f"is {before} already"):
            lifecycle.record_outcome(update, accepted=accepted, source=clerk(), expected=before)
        return
    change = lifecycle.record_outcome(
        update, accepted=accepted, source=clerk("By telephone."), expected=before
    )
    assert states(update)[-2:] == [(before, states(update)[-2][1]), (then, "staff")]
    settled = lifecycle.state_of(update).recorded_by
    assert (settled.pk, settled.actor, settled.reason) == (change, "clerk", "By telephone.")
    assert left(update) == (AS_RELEASED if accepted else AS_CONTRACTED)
    entry = AuditEntry.objects.get(action="record outcome of reservation update")
    assert (entry.actor, entry.reason) == ("clerk", "By telephone.")
    assert entry.subject == f"reference-1 for 2026-03-04 under {CONTRACT}"
    assert entry.before == {"state": before}
    assert entry.after == {"state": then, "update": update.pk, "change": change}
    assert entry.participants == sorted([update.dso_id, update.agr_id])


def test_F15_staff_settle_one_with_a_reference_of_any_length(connected: Parties) -> None:
    update = passed_on(connected, Reference="r" * 10_000)
    lifecycle.record_outcome(update, accepted=True, source=clerk(), expected="passed on")
    assert AuditEntry.objects.latest("id").subject == f"{'r' * 59}… for 2026-03-04 under {CONTRACT}"
    assert update.reference == "r" * 10_000


def test_F15_staff_wait_for_one_that_is_on_its_way(connected: Parties) -> None:
    update = an_update(connected)
    with pytest.raises(OutcomeError, match="still waits to be passed on"):
        lifecycle.record_outcome(update, accepted=True, source=clerk(), expected="received")
    assert states(update) == [("received", "message")]


def test_F15_staff_say_why(connected: Parties) -> None:
    update = passed_on(connected)
    with pytest.raises(OutcomeError, match="needs a reason"):
        lifecycle.record_outcome(
            update, accepted=True, source=Source.of_staff("clerk", "  "), expected="passed on"
        )


def test_F15_staff_settle_what_they_looked_at(connected: Parties) -> None:
    update = passed_on(connected)
    responds(connected, update, "Rejected")
    changes = Change.objects.count()
    with pytest.raises(OutcomeError, match=r"was rejected meanwhile by FlexReservationUpdateResponse of AGR"):
        lifecycle.record_outcome(update, accepted=True, source=clerk(), expected="passed on")
    assert (state(update), Change.objects.count()) == ("rejected", changes)
    assert not AuditEntry.objects.filter(action="record outcome of reservation update").exists()


def test_F15_a_late_answer_changes_nothing_of_what_staff_settled(connected: Parties) -> None:
    update = passed_on(connected)
    lifecycle.record_outcome(update, accepted=False, source=clerk(), expected="passed on")
    assert "was rejected before, by clerk on" in responds(connected, update).reason
    assert state(update) == "rejected"


def test_H1_what_was_known_at_a_moment_stays(connected: Parties) -> None:
    update = passed_on(connected)
    known = lifecycle.state_of(update).recorded_by.moment
    responds(connected, update, "Rejected")

    def then() -> Any:
        (figures,) = remaining.figures([update.contract], DAY, DAY, known_at=known)
        return figures.remaining[:5]

    assert (then(), left(update)) == (AS_RELEASED, AS_CONTRACTED)
    lifecycle.record_outcome(update, accepted=True, source=clerk(), expected="rejected")
    moments = list(Change.objects.order_by("pk").values_list("moment", flat=True))
    assert moments == sorted(moments)
    assert then() == AS_RELEASED
    rows = UpdateState.objects.filter(update=update, superseded_by=None)
    assert [row.state for row in rows] == ["accepted"]


def test_F14_addressed_to_the_cro_it_is_accepted_at_once_and_never_passed_on(
    connected: Parties, receiver: Receiver
) -> None:
    inbound = send(connected.dso, update_xml(connected.dso, CRO, RELEASED))
    update = update_of(inbound)
    assert (update.addressed_to, states(update)) == ("CRO", [("accepted", "message")])
    answer = answer_to(inbound)
    assert answer is not None
    assert said_in(answer.content)["Result"] == "Accepted"
    deliver(connected.agr)
    assert receiver.posts == []
    assert left(update) == AS_RELEASED


def test_F14_an_agr_without_an_endpoint(parties: Parties) -> None:
    inbound = send(parties.dso, update_xml(parties.dso, parties.agr.domain, RELEASED))
    update = update_of(inbound)
    assert (update.addressed_to, states(update)) == ("AGR", [("accepted", "message")])
    answer = answer_to(inbound)
    assert answer is not None
    assert (answer.result, answer.reason, answer.recipient_domain) == ("Accepted", "", parties.dso.domain)


@pytest.fixture
def zone(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Zone]:
    """What participants publish, with discovery on."""
    with serving() as zone:
        monkeypatch.setattr(dns.resolver, "default_resolver", zone.resolver)
        settings.DISCOVERY_DNS = True
        yield zone


def test_F14_an_agr_that_publishes_no_endpoint(parties: Parties, zone: Zone) -> None:
    assert states(an_update(parties)) == [("accepted", "message")]


def test_F14_an_agr_that_publishes_one(parties: Parties, zone: Zone) -> None:
    zone.cname(f"_http._agr._usef.{parties.agr.domain}", "uftp.agr.example.")
    assert states(an_update(parties)) == [("received", "message")]


def test_F14_a_look_up_that_fails_counts_as_an_endpoint(parties: Parties, zone: Zone) -> None:
    zone.trouble[f"_http._agr._usef.{parties.agr.domain}"] = BROKEN
    assert states(an_update(parties)) == [("received", "message")]


@contextmanager
def looking_up(zone: Zone, parties: Parties, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Drain the DSO's inbox in a thread, whose look-up of the AGR's endpoint gets no answer until the end."""
    name = f"_http._agr._usef.{parties.agr.domain}"
    zone.trouble[name] = SILENT
    zone.resolver.timeout = 0.2
    monkeypatch.setattr(discovery, "LOOKUP_SECONDS", 60.0)

    def work() -> None:
        try:
            drain(parties.dso)
        finally:
            connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        wait_for("the look-up", lambda: name in zone.asked)
        yield
    finally:
        zone.cname(name, "uftp.agr.example.")
        del zone.trouble[name]
        worker.join(30)


@pytest.mark.django_db(transaction=True)
def test_F14_no_row_is_held_while_dns_is_asked(
    zone: Zone, parties: Parties, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name server is silent at first: meanwhile other transactions get the sender and the contract at once."""
    inbound = receive(parties.dso, update_xml(parties.dso, parties.agr.domain, RELEASED))
    with looking_up(zone, parties, monkeypatch):
        with transaction.atomic():
            held = Sender.objects.select_for_update(nowait=True)
            assert held.get(pk=inbound.sender_id).domain == parties.dso.domain
            assert Contract.objects.select_for_update(nowait=True).get().contract_id == CONTRACT
        inbound.refresh_from_db()
        assert inbound.state == "received", "the look-up goes on"
    assert states(update_of(inbound)) == [("received", "message")]


@pytest.mark.django_db(transaction=True)
def test_F14_one_worker_looks_up_and_a_try_counts_once(
    zone: Zone, parties: Parties, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another worker that comes to the same inbox meanwhile neither asks nor counts a try: it leaves at once."""
    inbound = receive(parties.dso, update_xml(parties.dso, parties.agr.domain, RELEASED))
    InboundMessage.objects.filter(pk=inbound.pk).update(attempts=1)
    with looking_up(zone, parties, monkeypatch):
        began = time.monotonic()
        drain(parties.dso)
        assert time.monotonic() - began < 10, "the other worker did not leave before the answer came"
        inbound.refresh_from_db()
        assert (inbound.state, inbound.attempts) == ("received", 2)
    assert states(update_of(inbound)) == [("received", "message")]
    inbound.refresh_from_db()
    assert (inbound.state, inbound.attempts) == ("processed", 2)


def test_F10_one_that_is_on_its_way_is_in_place_and_one_that_is_undone_is_not(
    connected: Parties, receiver: Receiver
) -> None:
    an_update(connected, TimeStamp="2026-03-02T07:30:00Z")
    older = update_xml(connected.dso, CRO, RELEASED, TimeStamp="2026-03-02T07:00:00Z")
    assert say(connected.dso, older, "Rejected").reason.startswith("Subordinate sequence number: ")
    receiver.reply = lambda posted, before: (403, {}, b"")
    deliver(connected.agr)
    older = update_xml(connected.dso, CRO, RELEASED, TimeStamp="2026-03-02T07:00:00Z")
    say(connected.dso, older, "Accepted")


def test_F12_only_passed_on_and_accepted_count(connected: Parties, receiver: Receiver) -> None:
    update = an_update(connected)
    assert left(update) == AS_CONTRACTED, "received"
    deliver(connected.agr)
    assert left(update) == AS_RELEASED, "passed on"
    responds(connected, update, "Rejected")
    assert left(update) == AS_CONTRACTED, "rejected"
    lifecycle.record_outcome(update, accepted=True, source=clerk(), expected="rejected")
    assert left(update) == AS_RELEASED, "accepted"
    receiver.reply = lambda posted, before: (403, {}, b"")
    undone = an_update(connected, (1, 1, 0))
    deliver(connected.agr)
    assert (state(undone), left(undone)) == ("undone", AS_RELEASED)


def test_F8_one_that_is_processed_again_was_received_when_it_was(parties: Parties, at: At) -> None:
    """A message that was set aside, and is handled after the deadline."""
    inbound = receive(parties.dso, update_xml(parties.dso, CRO, RELEASED))
    InboundMessage.objects.filter(pk=inbound.pk).update(state="set aside")
    at("2026-03-09T09:00:00+01:00")
    assert process_again(inbound)
    drain(parties.dso)
    inbound.refresh_from_db()
    assert (inbound.result, inbound.reason, inbound.received_at) == ("Accepted", "", NOW)
    update = update_of(inbound)
    assert (update.received_at, state(update)) == (NOW, "accepted")


def test_F2_of_two_contracts_of_one_id_each_agr_gets_its_own(at: At, db: None) -> None:
    parties = some_parties()
    a_contract(parties.dso, parties.agr)
    other = another_agr(parties.dso, point=OTHER_POINT, home="ean.871600000000000420")
    a_contract(parties.dso, other, point=OTHER_POINT)
    first = an_update(parties, CongestionPoint=POINT)
    second = an_update(Parties(parties.dso, other), CongestionPoint=OTHER_POINT)
    assert (first.agr, second.agr) == (participant(parties.agr), participant(other))
