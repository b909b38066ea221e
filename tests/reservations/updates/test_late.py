"""What comes exactly at a deadline or after it, and what is for an AGR that may not act."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from participants.models import Mode, Participant
from registry.market.policies import set_policy
from reservations.models import ReservationUpdate
from reservations.settlement import remaining
from reservations.updates import lifecycle
from reservations.updates.lifecycle import ANSWER_TIME
from reservations.updates.pass_on_result import LEAST_TIME
from tests.reservations.conftest import At
from tests.reservations.dsl import (
    NOON,
    NOW,
    Parties,
    answer_to,
    clerk,
    deliver,
    response_xml,
    send,
    state,
    update_of,
    update_xml,
)
from tests.support.exchange import drain, receive
from tests.support.peer import CRO
from tests.support.receiver import Receiver
from uftp.models import InboundMessage, OutboundMessage

RELEASED = (1, 4, 1_000)
AS_CONTRACTED, AS_RELEASED = (5_000,) * 5, (*(1_000,) * 4, 5_000)
MOMENT = timedelta(microseconds=1)


def an_update(parties: Parties, to: str = "") -> ReservationUpdate:
    return update_of(send(parties.dso, update_xml(parties.dso, to or parties.agr.domain, RELEASED)))


def left(update: ReservationUpdate) -> tuple[int, ...]:
    (figures,) = remaining.figures([update.contract], update.period, update.period)
    return figures.remaining[:5]


@pytest.mark.parametrize("before", [timedelta(0), MOMENT, timedelta(seconds=3)])
def test_F13_what_is_received_at_its_deadline_is_in_time_and_tried(
    connected: Parties, receiver: Receiver, at: At, before: timedelta
) -> None:
    at(NOON - before)

    update = an_update(connected)
    deliver(connected.agr)

    assert (state(update), len(receiver.posts)) == ("passed on", 1)
    assert left(update) == AS_RELEASED


def test_F13_what_is_received_a_moment_after_its_deadline_is_rejected_and_not_tried(
    connected: Parties, receiver: Receiver, at: At
) -> None:
    at(NOON + MOMENT)

    inbound = send(connected.dso, update_xml(connected.dso, connected.agr.domain, RELEASED))
    deliver(connected.agr)

    assert (inbound.result, receiver.posts) == ("Rejected", [])
    assert inbound.reason.startswith("Deadline expired")


@pytest.mark.parametrize("after", [timedelta(0), LEAST_TIME - timedelta(seconds=1), LEAST_TIME])
def test_F13_its_time_ends_ten_seconds_after_its_receipt(
    connected: Parties, receiver: Receiver, at: At, after: timedelta
) -> None:
    """The same clock for both: when it is handled does not give it more time."""
    at(NOON)
    receive(connected.dso, update_xml(connected.dso, connected.agr.domain, RELEASED))
    at(NOON + after)

    began = timezone.now()
    drain(connected.dso)

    passing = OutboundMessage.objects.get(message_type="FlexReservationUpdate")
    assert passing.give_up_at - began >= LEAST_TIME - after
    deliver(connected.agr)
    posted = 1 if after < LEAST_TIME else 0
    assert (len(receiver.posts), OutboundMessage.objects.get(pk=passing.pk).state) == (
        posted,
        "delivered" if posted else "failed",
    )


def test_F13_long_before_the_deadline_the_time_ends_with_it(connected: Parties, at: At) -> None:
    began = timezone.now()
    an_update(connected)

    passing = OutboundMessage.objects.get(message_type="FlexReservationUpdate")

    assert NOON - NOW <= passing.give_up_at - began < NOON - NOW + timedelta(minutes=1)


@pytest.fixture
def update(connected: Parties) -> ReservationUpdate:
    """One that the AGR got in time."""
    found = an_update(connected)
    deliver(connected.agr)
    assert state(found) == "passed on"
    return found


def responds(parties: Parties, update: ReservationUpdate, result: str) -> InboundMessage:
    answer = response_xml(parties.agr, parties.dso.domain, update.message.message_id, result)
    return send(parties.agr, answer)


@pytest.mark.parametrize("after", [-ANSWER_TIME, timedelta(0), ANSWER_TIME])
def test_F19_an_agr_may_reject_until_an_hour_after_the_deadline(
    connected: Parties, update: ReservationUpdate, at: At, after: timedelta
) -> None:
    at(NOON + after)

    responds(connected, update, "Rejected")

    assert (state(update), left(update)) == ("rejected", AS_CONTRACTED)


def test_F19_a_later_rejection_changes_nothing_and_staff_decide(
    connected: Parties, update: ReservationUpdate, at: At
) -> None:
    at(NOON + ANSWER_TIME + MOMENT)

    told = responds(connected, update, "Rejected")

    assert (told.state, told.result) == ("processed", "Rejected")
    assert "came after its deadline, so staff decide" in told.reason
    assert (state(update), left(update)) == ("passed on", AS_RELEASED)
    lifecycle.record_outcome(update, accepted=False, source=clerk(), expected="passed on")
    assert (state(update), left(update)) == ("rejected", AS_CONTRACTED)


def test_F19_a_late_acceptance_is_recorded(connected: Parties, update: ReservationUpdate, at: At) -> None:
    at(NOON + timedelta(days=3))

    responds(connected, update, "Accepted")

    assert (state(update), left(update)) == ("accepted", AS_RELEASED)


def test_F19_under_the_policy_count_a_late_rejection_gives_the_outcome(
    connected: Parties, update: ReservationUpdate, at: At
) -> None:
    set_policy("late rejections", "count", actor="kim", now=NOW)
    at(NOON + timedelta(days=3))

    responds(connected, update, "Rejected")

    assert (state(update), left(update)) == ("rejected", AS_CONTRACTED)


def test_F19_the_policy_is_that_of_the_receipt(connected: Parties, update: ReservationUpdate, at: At) -> None:
    set_policy("late rejections", "count", actor="kim", now=NOON + timedelta(days=4))
    at(NOON + timedelta(days=3))

    responds(connected, update, "Rejected")

    assert state(update) == "passed on"


def may_not_act(parties: Parties, how: str) -> None:
    agr = Participant.objects.filter(domain=parties.agr.domain)
    if how == "closed":
        agr.update(standing="known")
        Participant.objects.filter(domain=parties.dso.domain).update(standing="authorized")
        Mode.objects.update_or_create(pk=1, defaults={"value": Mode.CLOSED})
    else:
        agr.update(standing=how)


@pytest.mark.parametrize("how", ["suspended", "barred", "closed"])
def test_F20_an_update_for_an_agr_that_may_not_act_is_passed_on(
    connected: Parties, receiver: Receiver, how: str
) -> None:
    may_not_act(connected, how)

    update = an_update(connected)
    deliver(connected.agr)

    assert (state(update), len(receiver.posts)) == ("passed on", 1)
    assert left(update) == AS_RELEASED


@pytest.mark.parametrize("how", ["suspended", "barred", "closed"])
def test_F20_under_the_policy_reject_it_is_rejected(connected: Parties, receiver: Receiver, how: str) -> None:
    set_policy("updates for AGRs that may not act", "reject", actor="kim", now=NOW)
    assert state(an_update(connected)) == "received"
    deliver(connected.agr)
    receiver.posts.clear()
    may_not_act(connected, how)

    inbound = send(connected.dso, update_xml(connected.dso, connected.agr.domain, RELEASED))
    deliver(connected.agr)

    assert inbound.reason == f"Undeliverable: {connected.agr.domain} may not act at present"
    assert (inbound.result, receiver.posts) == ("Rejected", [])
    assert answer_to(inbound) is not None
    # One for the CRO goes to nobody, so it is accepted as before.
    assert state(an_update(connected, CRO)) == "accepted"
