"""Undone updates are sent again, or given an outcome, several as one action."""

from __future__ import annotations

import html
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from common import clock
from participants.models import AuditEntry
from reservations.models import ReservationUpdate
from reservations.updates import lifecycle
from reservations.updates.lifecycle import OutcomeError
from tests.reservations.conftest import At
from tests.reservations.dsl import (
    DAY,
    Parties,
    clerk,
    deliver,
    make_due,
    send,
    state,
    states,
    update_of,
    update_xml,
)
from tests.support.receiver import OK, Receiver
from uftp.models import CircuitBreaker, OutboundMessage

LIST = "/admin/reservations/reservationupdate/"
WHY = "the AGR's gateway is repaired"


@pytest.fixture
def kim(client: Client, transactional_db: None) -> Client:
    user = User.objects.create_user("kim", is_staff=True)
    user.groups.add(Group.objects.get(name="CRO operator"))
    client.force_login(user)
    return client


def undone(parties: Parties, receiver: Receiver, *days: int) -> list[ReservationUpdate]:
    """Updates of these days after DAY that the AGR's system has refused, each after deliveries were resumed."""
    receiver.reply = lambda posted, before: (400, {}, b"odd")
    found = []
    for after in days:
        content = update_xml(
            parties.dso, parties.agr.domain, (1, 4, 1_000), period=DAY + timedelta(days=after)
        )
        update = update_of(send(parties.dso, content))
        CircuitBreaker.objects.update(state="closed")
        deliver(parties.agr)
        assert state(update) == "undone"
        found.append(update)
    return found


def chosen(action: str, *updates: ReservationUpdate, **values: str) -> dict[str, Any]:
    return {"action": action, "_selected_action": [update.pk for update in updates], **values}


def did(client: Client, data: dict[str, Any]) -> str:
    answer = client.post(LIST, data, follow=True)
    assert answer.status_code == 200
    return html.unescape(answer.content.decode())


def test_F21_undone_updates_are_sent_again_together(
    kim: Client, connected: Parties, receiver: Receiver
) -> None:
    first, second = undone(connected, receiver, 0, 1)
    told = OutboundMessage.objects.filter(recipient_role="DSO").count()
    asked = did(kim, chosen("send_again", first, second))
    assert "Send again: 2 undone updates" in asked
    assert "tell the DSO" in asked
    assert "Done for 2 updates." in did(kim, chosen("send_again", first, second, reason=WHY))
    assert [state(each) for each in (first, second)] == ["received"] * 2
    receiver.reply = lambda posted, before: OK
    receiver.posts.clear()
    deliver(connected.agr)
    deliver(connected.agr)
    assert [posted.sealed for posted in receiver.posts] == [
        bytes(each.message.sealed) for each in (first, second)
    ]
    assert states(first) == [
        ("received", "message"),
        ("undone", "delivery"),
        ("received", "staff"),
        ("passed on", "delivery"),
    ]
    assert OutboundMessage.objects.filter(recipient_role="DSO").count() == told, (
        "the DSO is not answered again"
    )
    entries = AuditEntry.objects.filter(action="send reservation update again", reason=WHY)
    assert [entry.participants for entry in entries] == [sorted([first.dso_id, first.agr_id])] * 2


def test_F21_an_update_that_is_undone_again_is_not_answered_again(
    kim: Client, connected: Parties, receiver: Receiver
) -> None:
    """And an earlier refusal is not taken for the new one."""
    (update,) = undone(connected, receiver, 0)
    answers = OutboundMessage.objects.filter(in_reply_to=update.message).count()
    did(kim, chosen("send_again", update, reason=WHY))
    CircuitBreaker.objects.update(state="closed")
    receiver.reply = lambda posted, before: (503, {}, b"")
    deliver(connected.agr)
    assert state(update) == "received"
    receiver.reply = lambda posted, before: (400, {}, b"odd")
    make_due()
    deliver(connected.agr)
    assert states(update)[2:] == [("received", "staff"), ("undone", "delivery")]
    assert OutboundMessage.objects.filter(in_reply_to=update.message).count() == answers == 1


def test_F21_what_cannot_be_sent_again_is_said_with_why(
    kim: Client, connected: Parties, receiver: Receiver, at: At
) -> None:
    replaced, changed, fine = undone(connected, receiver, 0, 1, 2)
    receiver.reply = lambda posted, before: OK
    later = update_of(send(connected.dso, update_xml(connected.dso, connected.agr.domain, (1, 4, 500))))
    deliver(connected.agr)
    deliver(connected.agr)
    assert state(later) == "passed on"
    with pytest.raises(OutcomeError, match="only an undone one is sent again"):
        lifecycle.send_again(later, source=clerk(), now=clock.now())
    ReservationUpdate.objects.filter(pk=changed.pk).update(deadline=clock.now())
    said = did(kim, chosen("send_again", replaced, changed, fine, later, reason=WHY))
    assert "Done for 1 update." in said
    assert f"A later update for the same Period is in the place of {replaced}." in said
    assert f"The deadline of {changed} is over: it is not passed on any more." in said
    assert [state(each) for each in (replaced, changed, fine)] == ["undone", "undone", "received"]


def test_undone_updates_are_given_an_outcome_together(
    kim: Client, connected: Parties, receiver: Receiver
) -> None:
    updates = undone(connected, receiver, 0, 1)
    asked = did(kim, chosen("record_outcome", *updates))
    assert "Record the outcome: 2 undone updates" in asked
    values = {"outcome": "accepted", "expected": "undone", "reason": WHY}
    assert "Done for 2 updates." in did(kim, chosen("record_outcome", *updates, **values))
    assert [state(each) for each in updates] == ["accepted", "accepted"]
    assert "None of these updates is undone." in did(kim, chosen("record_outcome", *updates, **values))
    assert AuditEntry.objects.filter(action="record outcome of reservation update", reason=WHY).count() == 2
