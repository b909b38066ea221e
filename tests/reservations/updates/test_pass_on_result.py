"""Passing updates on to their AGR, over real sockets: what it gets, and what its DSO is told where it does not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from xml.etree import ElementTree

import pytest
from django.utils import timezone

from common import clock
from participants.models import Participant
from reservations.models import ReservationUpdate
from reservations.updates import lifecycle
from tests.reservations.conftest import At
from tests.reservations.dsl import (
    NOON,
    Parties,
    answer_to,
    clerk,
    deliver,
    make_due,
    said_in,
    send,
    state,
    states,
    update_of,
    update_xml,
)
from tests.support.exchange import drain, receive
from tests.support.polling import wait_for
from tests.support.receiver import Posted, Receiver, Reply
from uftp.models import DeliveryAttempt, OutboundMessage
from uftp.protocol.sealing import unseal

RELEASED = (1, 4, 1_000)
Answer = Callable[[Posted, int], Reply]


def an_update(parties: Parties, **values: str) -> ReservationUpdate:
    content = update_xml(parties.dso, parties.agr.domain, RELEASED, **values)
    return update_of(send(parties.dso, content, major=int(values.get("Version", "3")[0])))


def rejected_with(update: ReservationUpdate) -> str:
    """Why the DSO is told that its update is rejected, by an answer as good as any other."""
    update.message.refresh_from_db()
    answer = answer_to(update.message)
    assert answer is not None
    told = said_in(answer.content)
    assert (told["Result"], answer.recipient_domain) == ("Rejected", update.dso.domain)
    assert (update.message.result, update.message.reason) == ("Rejected", told["RejectionReason"])
    assert told["ConversationID"] == update.message.conversation_id
    return told["RejectionReason"]


def replies(status: int) -> Answer:
    return lambda posted, before: (status, {}, b"so it is")


@pytest.mark.parametrize("version", ["3.0.0", "3.1.0", "4.0.0"])
def test_F13_the_agr_gets_what_the_dso_signed(connected: Parties, receiver: Receiver, version: str) -> None:
    dso, agr = connected.dso, connected.agr
    content = update_xml(dso, agr.domain, RELEASED, Version=version)
    inbound = send(dso, content, major=int(version[0]))
    update = update_of(inbound)
    assert (state(update), answer_to(inbound)) == ("received", None)
    deliver(agr)
    (posted,) = receiver.posts
    assert posted.path == f"/shapeshifter/api/v{version[0]}/message"
    envelope = dict(ElementTree.fromstring(posted.body).attrib)
    assert (envelope["SenderDomain"], envelope["SenderRole"]) == (dso.domain, "DSO")
    assert posted.sealed == bytes(inbound.sealed)
    assert unseal(posted.sealed, [dso.public_key]) == content
    assert states(update) == [("received", "message"), ("passed on", "delivery")]
    change = lifecycle.state_of(update).recorded_by
    assert (change.message, change.reason) == (inbound, "HTTP 200")
    assert change.participants == sorted([update.dso_id, update.agr_id])
    inbound.refresh_from_db()
    assert (inbound.result, answer_to(inbound)) == ("Accepted", None), "the AGR answers it"


def test_F13_it_is_tried_again_in_the_same_bytes(connected: Parties, receiver: Receiver) -> None:
    receiver.reply = lambda posted, before: (503, {}, b"") if before == 0 else (200, {}, b"")
    update = an_update(connected)
    deliver(connected.agr)
    assert state(update) == "received"
    make_due()
    deliver(connected.agr)
    assert state(update) == "passed on"
    first, second = receiver.posts
    assert first.body == second.body


def test_F13_an_agr_that_refuses_it_for_good(connected: Parties, receiver: Receiver) -> None:
    receiver.reply = replies(400)
    update = an_update(connected)
    wakes = deliver(connected.agr)
    assert ("DSO", connected.dso.domain) in wakes
    assert states(update) == [("received", "message"), ("undone", "delivery")]
    assert lifecycle.state_of(update).recorded_by.reason == "HTTP 400: so it is"
    assert rejected_with(update) == f"Undeliverable: {connected.agr.domain} refused to take the message"
    make_due()
    deliver(connected.agr)
    assert len(receiver.posts) == 1


def test_F13_an_agr_that_cannot_be_reached_until_the_deadline(
    connected: Parties, receiver: Receiver, at: At
) -> None:
    receiver.reply = replies(503)
    at(NOON - timedelta(seconds=2))
    update = an_update(connected)
    deliver(connected.agr)
    assert (state(update), len(receiver.posts)) == ("received", 1)

    def given_up() -> bool:
        make_due()
        deliver(connected.agr)
        return state(update) == "undone"

    wait_for("the update is undone", given_up)
    posted = len(receiver.posts)
    assert states(update) == [("received", "message"), ("undone", "delivery")]
    assert "HTTP 503" in lifecycle.state_of(update).recorded_by.reason
    deadline = NOON.isoformat()
    why = f"Undeliverable: {connected.agr.domain} could not be reached by {deadline}, the deadline"
    assert rejected_with(update) == why
    make_due()
    deliver(connected.agr)
    assert len(receiver.posts) == posted
    last = DeliveryAttempt.objects.filter(message__passes_on=update.message).latest("started_at")
    assert last.started_at <= update.message.passings.get().give_up_at


def test_F13_one_that_is_handled_only_after_its_deadline_is_not_posted_any_more(
    connected: Parties, receiver: Receiver, at: At
) -> None:
    """It came in time, but the worker was down."""
    at(NOON)
    inbound = receive(connected.dso, update_xml(connected.dso, connected.agr.domain, RELEASED))
    at(NOON + timedelta(minutes=10))
    drain(connected.dso)
    update = update_of(inbound)
    assert (state(update), update.received_at) == ("received", NOON)
    deliver(connected.agr)
    assert receiver.posts == []
    assert states(update) == [("received", "message"), ("undone", "delivery")]
    assert rejected_with(update).startswith(f"Undeliverable: {connected.agr.domain} could not be reached by ")
    answer = answer_to(inbound)
    assert answer is not None
    assert answer.created_at == clock.now()


def test_F13_an_agr_whose_endpoint_is_taken_away(connected: Parties, at: At) -> None:
    at(NOON - timedelta(seconds=1))
    update = an_update(connected)
    Participant.objects.filter(domain=connected.agr.domain).update(endpoint="")

    def given_up() -> bool:
        make_due()
        deliver(connected.agr)
        return state(update) == "undone"

    wait_for("the update is undone", given_up)
    assert "could not be reached" in rejected_with(update)


def test_F13_staff_settle_an_undone_one_and_the_dsos_answer_stays(
    connected: Parties, receiver: Receiver
) -> None:
    receiver.reply = replies(403)
    update = an_update(connected)
    deliver(connected.agr)
    lifecycle.record_outcome(update, accepted=True, source=clerk(), expected="undone")
    assert states(update) == [("received", "message"), ("undone", "delivery"), ("accepted", "staff")]
    assert rejected_with(update).startswith("Undeliverable: ")


def test_M11_a_copy_of_an_undone_update_gets_the_stored_answer_again(
    connected: Parties, receiver: Receiver
) -> None:
    receiver.reply = replies(403)
    content = update_xml(connected.dso, connected.agr.domain, RELEASED)
    update = update_of(send(connected.dso, content))
    deliver(connected.agr)
    answer = answer_to(update.message)
    assert answer is not None
    type(answer).objects.filter(pk=answer.pk).update(state="delivered", next_attempt_at=None)
    send(connected.dso, content)
    answer.refresh_from_db()
    assert answer.state == "waiting"
    deliver(connected.agr)
    assert (state(update), len(receiver.posts)) == ("undone", 1)


def test_other_updates_go_on_where_one_is_refused(connected: Parties, receiver: Receiver) -> None:
    receiver.reply = lambda posted, before: (400, {}, b"") if before == 0 else (200, {}, b"")
    first = an_update(connected)
    second = an_update(connected)
    deliver(connected.agr)
    assert (state(first), state(second)) == ("undone", "passed on")


def test_F13_an_older_update_reaches_the_agr_before_a_newer_one(
    connected: Parties, receiver: Receiver
) -> None:
    """The older one, in a pause of hours, is tried when the newer one comes; that one goes when it has arrived."""
    receiver.reply = replies(503)
    older = an_update(connected)
    deliver(connected.agr)
    OutboundMessage.objects.filter(passes_on=older.message).update(
        next_attempt_at=timezone.now() + timedelta(hours=9)
    )
    newer = an_update(connected)
    deliver(connected.agr)
    assert (state(older), state(newer)) == ("received", "received")
    assert {posted.sealed for posted in receiver.posts} == {bytes(older.message.sealed)}
    receiver.posts.clear()
    receiver.reply = replies(200)
    newest = an_update(connected)
    deliver(connected.agr)
    assert [state(each) for each in (older, newer, newest)] == ["passed on"] * 3
    in_order = [bytes(each.message.sealed) for each in (older, newer, newest)]
    assert [posted.sealed for posted in receiver.posts] == in_order
    moments = [lifecycle.state_of(each).recorded_by.moment for each in (older, newer, newest)]
    assert moments == sorted(moments)
