"""Messages that are passed on: the sender's own bytes, until a moment, and what becomes of them told once."""

import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import dns.resolver
import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from pytest_django import Settings

from common import clock
from participants import discovery
from participants.models import Participant
from tests.support.exchange import drain, handled_by, receive
from tests.support.peer import Peer
from tests.support.polling import wait_for
from tests.support.receiver import OK, Posted, Receiver, Reply, receiving
from tests.support.zone import SILENT, serving
from uftp import connectivity
from uftp.delivery import attempts as delivery_attempts
from uftp.delivery import deliver as delivery
from uftp.delivery import http_client, leases, outbox
from uftp.delivery.forwarding import pass_on
from uftp.handlers import Incoming, Outcome, Party, PassOnResult, Rejection
from uftp.models import DeliveryAttempt, InboundMessage, OutboundMessage
from uftp.processing import responses
from uftp.protocol.sealing import unseal
from uftp.worker import sweep

pytestmark = pytest.mark.django_db(transaction=True)

ISPS = '<ISP Power="-500000" Start="1" Duration="4"/>'
UPDATE = {
    "ISP-Duration": "PT15M",
    "TimeZone": "Europe/Amsterdam",
    "Period": "2026-12-01",
    "CongestionPoint": "ean.871600000000000017",
    "ContractID": "contract 1",
    "Reference": "reference 1",
}


@dataclass
class App:
    """An app that passes each FlexReservationUpdate on to `agr`, and keeps what it is told came of it."""

    agr: Peer
    seconds: float = 3600.0
    told: list[PassOnResult] = field(default_factory=list)
    fails: int = 0

    def handle(self, incoming: Incoming) -> Outcome:
        now = clock.now()
        pass_on(
            incoming.inbound,
            recipient_role="AGR",
            recipient_domain=self.agr.domain,
            until=now + timedelta(seconds=self.seconds),
            now=now,
        )
        return Outcome(answered_by=f"AGR {self.agr.domain}", also_deliver_to=(("AGR", self.agr.domain),))

    def passed_on(self, passed: PassOnResult) -> list[Party]:
        """Rejects what was not delivered; before that, fails as often as told."""
        assert transaction.get_connection().in_atomic_block
        if not passed.delivered:
            responses.reject_later(passed.inbound, ["Undeliverable"], passed.at)
        if self.fails:
            self.fails -= 1
            raise RuntimeError("the app fails")
        self.told.append(passed)
        return [] if passed.delivered else [(passed.inbound.sender.role, passed.inbound.sender.domain)]


@pytest.fixture
def app(agr: Peer) -> Iterator[App]:
    made = App(agr)
    with handled_by(
        "FlexReservationUpdate", made.handle, accepts_recipient=lambda _: True, on_passed_on=made.passed_on
    ):
        yield made


def update(dso: Peer, agr: Peer, **attributes: str) -> bytes:
    return dso.xml("FlexReservationUpdate", ISPS, RecipientDomain=agr.domain, **UPDATE, **attributes)


def deliver(peer: Peer) -> list[Party]:
    """Deliver what is due; gives the wake-ups asked for."""
    wakes: list[Party] = []
    delivery.deliver_due(peer.role, peer.domain, wake=lambda role, domain: wakes.append((role, domain)))
    return wakes


def test_the_senders_own_bytes_go_out_in_its_name(receiver: Receiver, dso: Peer, agr: Peer, app: App) -> None:
    received = receive(dso, update(dso, agr))
    assert drain(dso) == [("AGR", agr.domain)]
    assert deliver(agr) == []
    (posted,) = receiver.posts
    assert posted.sealed == bytes(received.sealed)
    assert unseal(posted.sealed, [dso.public_key]) == received.content
    envelope = ElementTree.fromstring(posted.body).attrib
    assert (envelope["SenderDomain"], envelope["SenderRole"]) == (dso.domain, "DSO")
    received.refresh_from_db()
    assert (received.state, received.result, received.reason) == ("processed", "Accepted", "")
    passing = OutboundMessage.objects.get()
    assert (passing.state, passing.passes_on, passing.in_reply_to) == ("delivered", received, None)
    assert (passing.message_id, passing.version) == (received.message_id, "3.1.0")
    (result,) = app.told
    assert (result.inbound, result.delivered, result.detail, result.endpoint) == (
        received,
        True,
        "HTTP 200",
        receiver.url,
    )


@pytest.mark.parametrize(("version", "major"), [("3.0.0", 3), ("3.1.0", 3), ("4.0.0", 4)])
def test_a_permanent_refusal_ends_it_at_once_and_its_sender_is_answered(
    receiver: Receiver, dso: Peer, agr: Peer, app: App, version: str, major: int
) -> None:
    receiver.reply = lambda posted, before: (403, {}, b"no")
    received = receive(dso, update(dso, agr, Version=version), major)
    drain(dso)
    assert deliver(agr) == [("DSO", dso.domain)]
    (result,) = app.told
    assert (result.delivered, result.expired, result.detail) == (False, False, "HTTP 403: no")
    received.refresh_from_db()
    assert (received.state, received.result, received.reason) == ("processed", "Rejected", "Undeliverable")
    answer = OutboundMessage.objects.get(in_reply_to=received)
    document = ElementTree.fromstring(answer.content)
    assert (document.tag, answer.version) == ("FlexReservationUpdateResponse", version)
    reference = "ReferenceMessageID" if major == 4 else "FlexReservationUpdateMessageID"
    assert document.attrib[reference].lower() == received.message_id
    assert (document.attrib["Result"], document.attrib["RejectionReason"]) == ("Rejected", "Undeliverable")
    assert document.attrib["ConversationID"] == received.conversation_id
    with pytest.raises(ValueError, match="left without an answer"):
        responses.reject_later(received, ["again"], timezone.now())


def passed_on(receiver_of: Peer, dso: Peer, **attributes: str) -> OutboundMessage:
    """An update that was received and handled, and waits to be passed on."""
    received = receive(dso, update(dso, receiver_of, **attributes))
    drain(dso)
    return received.passings.get()


def make_due(**changes: Any) -> None:
    OutboundMessage.objects.filter(state="waiting").update(next_attempt_at=timezone.now(), **changes)


def state_of(message: OutboundMessage | InboundMessage) -> str:
    message.refresh_from_db()
    return message.state


def test_it_is_tried_again_in_the_same_bytes_and_told_at_the_end(
    receiver: Receiver, dso: Peer, agr: Peer, app: App
) -> None:
    receiver.reply = lambda posted, before: (503, {}, b"later") if before == 0 else OK
    passing = passed_on(agr, dso)
    deliver(agr)
    assert (state_of(passing), app.told) == ("waiting", [])
    make_due()
    deliver(agr)
    assert state_of(passing) == "delivered"
    assert receiver.posts[0].body == receiver.posts[1].body
    assert [result.delivered for result in app.told] == [True]


def test_duplicate_message_on_a_retry_is_a_delivery(
    receiver: Receiver, dso: Peer, agr: Peer, app: App
) -> None:
    def reply(posted: Posted, before: int) -> Reply:
        return (500, {}, b"") if before == 0 else (400, {}, b"Duplicate message")

    receiver.reply = reply
    passing = passed_on(agr, dso)
    deliver(agr)
    make_due()
    deliver(agr)
    assert state_of(passing) == "delivered"
    assert [(result.delivered, result.detail) for result in app.told] == [
        (True, "HTTP 400: Duplicate message")
    ]


def test_a_receiver_that_is_down_until_the_end_of_the_time(dso: Peer, app: App, agr: Peer) -> None:
    """The next attempt is never due after the end, and the one that is due at the end is the giving up."""
    with receiving() as gone:
        Participant.objects.filter(domain=agr.domain).update(endpoint=gone.url)
    app.seconds = 3
    passing = passed_on(agr, dso)
    assert deliver(agr) == []
    passing.refresh_from_db()
    assert (passing.state, passing.next_attempt_at) == ("waiting", passing.give_up_at)
    make_due(give_up_at=timezone.now())
    assert deliver(agr) == [("DSO", dso.domain)]
    assert state_of(passing) == "failed"
    assert DeliveryAttempt.objects.count() == 1, "no attempt from its end on"
    (result,) = app.told
    assert (result.delivered, result.expired, result.endpoint) == (False, True, "")
    words = "not delivered in time; the last attempt: Nobody answers at this address: nothing accepts connections there"
    assert result.detail.startswith(f"{words} (ConnectError: "), result.detail
    assert deliver(agr) == []
    assert len(app.told) == 1


def test_a_worker_that_was_down_beyond_the_end_posts_nothing(
    receiver: Receiver, dso: Peer, agr: Peer, app: App
) -> None:
    app.seconds = -1
    passing = passed_on(agr, dso)
    own = connectivity.send_test_message(Participant.objects.get(domain=agr.domain), timezone.now())
    OutboundMessage.objects.filter(pk=own.pk).update(give_up_at=timezone.now() - timedelta(days=1))
    sweep.sweep(timezone.now())
    assert deliver(agr).count(("DSO", dso.domain)) == 1
    assert (state_of(passing), state_of(own)) == ("failed", "delivered")
    assert [posted.message_type for posted in receiver.posts] == ["TestMessage"]
    (result,) = app.told
    assert (result.expired, result.detail) == (True, "not delivered in time; there was no attempt")
    passing.passes_on.refresh_from_db()
    assert passing.passes_on.result == "Rejected"


def test_what_is_held_up_before_its_post_until_the_time_is_over_is_not_posted(
    receiver: Receiver, dso: Peer, agr: Peer, app: App, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here by the look-up of the endpoint, where it is published: the name server is silent for a while."""
    Participant.objects.filter(domain=agr.domain).update(endpoint="")
    settings.DISCOVERY_DNS = True
    app.seconds = 2
    with serving() as zone:
        name = f"_http._agr._usef.{agr.domain}"
        zone.cname(name, "uftp.agr.example.")
        zone.trouble[name] = SILENT
        zone.resolver.timeout = 0.2
        monkeypatch.setattr(discovery, "LOOKUP_SECONDS", 60.0)
        monkeypatch.setattr(dns.resolver, "default_resolver", zone.resolver)
        passing = passed_on(agr, dso)

        def work() -> None:
            try:
                deliver(agr)
            finally:
                connection.close()

        worker = threading.Thread(target=work)
        worker.start()
        claimed = OutboundMessage.objects.filter(claimed_until__lt=passing.give_up_at + timedelta(minutes=1))
        wait_for("the lease", claimed.exists)
        wait_for("the end of the time", lambda: timezone.now() >= passing.give_up_at)
        del zone.trouble[name]
        worker.join(30)
    assert (state_of(passing), receiver.posts, DeliveryAttempt.objects.count()) == ("failed", [], 0)
    assert [result.expired for result in app.told] == [True]


def test_a_post_that_ends_in_vain_after_the_time_is_the_last_one(
    receiver: Receiver, dso: Peer, agr: Peer, app: App
) -> None:
    passing = passed_on(agr, dso)
    lease = leases.lease_oldest("AGR", agr.domain, timezone.now())
    assert lease is not None
    result = delivery.classify(http_client.Reply(503, "", None), receiver.url, again=False)
    delivery_attempts.record(lease, result, timezone.now(), lease.give_up_at)
    assert state_of(passing) == "failed"
    (reported,) = app.told
    assert (reported.expired, reported.detail) == (True, "not delivered in time; the last attempt: HTTP 503")
    assert reported.endpoint == receiver.url


def test_the_end_is_reckoned_by_the_time_that_passes_where_the_clock_stands(
    dso: Peer, agr: Peer, app: App, settings: Any
) -> None:
    settings.DEBUG, settings.CRO_NOW = True, datetime(2030, 1, 1, 12, tzinfo=UTC)
    app.seconds = 600
    passing = passed_on(agr, dso)
    assert timedelta(seconds=590) < passing.give_up_at - timezone.now() <= timedelta(seconds=600)
    deliver(agr)
    assert app.told[0].at == settings.CRO_NOW


def test_a_participant_that_cannot_be_reached_holds_nothing_back_beyond_its_end(
    dso: Peer, agr: Peer, app: App
) -> None:
    """What is given up in bulk is our own; each message that is passed on is told of by itself."""
    Participant.objects.filter(domain=agr.domain).update(endpoint="http://127.0.0.1:9/x/api/v3/message")
    now = timezone.now()
    first, soon, late, over = (passed_on(agr, dso) for _ in range(4))
    own = connectivity.send_test_message(Participant.objects.get(domain=agr.domain), now)
    OutboundMessage.objects.filter(pk=first.pk).update(next_attempt_at=now - timedelta(hours=1))
    OutboundMessage.objects.filter(pk=soon.pk).update(give_up_at=now + timedelta(seconds=9))
    OutboundMessage.objects.filter(pk__in=[own.pk, over.pk]).update(give_up_at=now)
    assert ("DSO", dso.domain) in deliver(agr)
    assert [state_of(each) for each in (first, soon, late, own)] == ["waiting"] * 3 + ["failed"]
    tried = DeliveryAttempt.objects.order_by("pk").values_list("message", flat=True)
    assert list(tried) == [first.pk, soon.pk], "near its end, one that was never tried is tried once"
    assert soon.next_attempt_at is not None
    assert now < soon.next_attempt_at <= soon.give_up_at
    assert late.next_attempt_at is not None
    assert now + timedelta(seconds=25) < late.next_attempt_at < late.give_up_at
    assert (state_of(over), [result.inbound.pk for result in app.told]) == ("failed", [over.passes_on_id])


@pytest.mark.parametrize("reply", [OK, (403, {}, b"no")])
def test_an_app_that_fails_is_told_again_without_another_post(
    receiver: Receiver, dso: Peer, agr: Peer, app: App, reply: Reply
) -> None:
    """What it wrote is undone, and what came back is kept: also beyond the end of the message's time."""
    receiver.reply = lambda posted, before: reply
    app.fails = 2
    passing = passed_on(agr, dso)
    assert deliver(agr) == []
    assert (state_of(passing), passing.claimed_until, app.told) == ("waiting", None, [])
    assert passing.next_attempt_at is not None
    assert timezone.now() < passing.next_attempt_at < timezone.now() + timedelta(seconds=10)
    make_due(give_up_at=timezone.now())
    assert deliver(agr) == []
    assert not OutboundMessage.objects.filter(in_reply_to=passing.passes_on).exists()
    make_due()
    wakes = deliver(agr)
    assert state_of(passing) == ("delivered" if reply == OK else "failed")
    assert wakes == ([] if reply == OK else [("DSO", dso.domain)])
    assert [(result.delivered, result.expired) for result in app.told] == [(reply == OK, False)]
    assert app.told[0].endpoint == receiver.url
    assert (len(receiver.posts), DeliveryAttempt.objects.count()) == (1, 1)
    assert OutboundMessage.objects.filter(in_reply_to=passing.passes_on).count() == (reply != OK)


def test_an_app_that_fails_at_the_end_of_the_time_is_told_again(
    receiver: Receiver, dso: Peer, agr: Peer, app: App
) -> None:
    app.seconds, app.fails = -1, 1
    passing = passed_on(agr, dso)
    deliver(agr)
    assert (state_of(passing), app.told) == ("waiting", [])
    make_due()
    deliver(agr)
    assert (state_of(passing), [result.expired for result in app.told]) == ("failed", [True])
    assert (receiver.posts, DeliveryAttempt.objects.count()) == ([], 0)


def test_a_worker_that_was_held_up_does_not_tell_twice(
    receiver: Receiver, dso: Peer, agr: Peer, app: App
) -> None:
    passing = passed_on(agr, dso)
    now = timezone.now()
    held_up = leases.lease_oldest("AGR", agr.domain, now)
    assert held_up is not None
    OutboundMessage.objects.update(claimed_until=now)
    deliver(agr)
    assert state_of(passing) == "delivered"
    refused = delivery.classify(http_client.Reply(403, "", None), receiver.url, again=False)
    assert delivery_attempts.record(held_up, refused, now, timezone.now()) == ()
    assert (state_of(passing), [result.delivered for result in app.told]) == ("delivered", [True])
    assert DeliveryAttempt.objects.count() == 2, "its attempt is kept all the same"


def test_message_ids_are_unique_among_each_senders_own(
    receiver: Receiver, dso: Peer, agr: Peer, app: App
) -> None:
    """A DSO may use that of a message of ours; two DSOs may use the same; and one of ours after them."""
    other = Peer("DSO")
    other.register()
    own = connectivity.send_test_message(Participant.objects.get(domain=agr.domain), timezone.now())
    passings = [passed_on(agr, peer, MessageID=own.message_id) for peer in (dso, other)]
    deliver(agr)
    assert [state_of(each) for each in (own, *passings)] == ["delivered"] * 3
    assert sorted(posted.message_type for posted in receiver.posts) == [
        "FlexReservationUpdate",
        "FlexReservationUpdate",
        "TestMessage",
    ]
    with pytest.raises(IntegrityError, match="outbound_own_message_id"):
        OutboundMessage.objects.filter(pk=passings[0].pk).update(passes_on=None)


def test_a_message_is_passed_on_to_a_recipient_once(dso: Peer, agr: Peer, app: App) -> None:
    passing = passed_on(agr, dso)
    now = timezone.now()
    until = now + timedelta(hours=1)
    with pytest.raises(IntegrityError, match="outbound_passed_on_once"):
        pass_on(passing.passes_on, recipient_role="AGR", recipient_domain=agr.domain, until=until, now=now)
    pass_on(passing.passes_on, recipient_role="AGR", recipient_domain="more.example", until=until, now=now)
    assert OutboundMessage.objects.filter(passes_on=passing.passes_on).count() == 2


def test_nobody_sends_it_again_but_its_sender(receiver: Receiver, dso: Peer, agr: Peer, app: App) -> None:
    passing = passed_on(agr, dso)
    waiting = passing.next_attempt_at
    assert outbox.send_again(passing, waiting_too=True) == []
    passing.refresh_from_db()
    assert passing.next_attempt_at == waiting
    deliver(agr)
    assert outbox.send_again(passing) == []
    assert state_of(passing) == "delivered"


def test_a_copy_of_a_message_that_was_passed_on_leads_to_nothing(
    receiver: Receiver, dso: Peer, agr: Peer, app: App
) -> None:
    content = update(dso, agr)
    received = receive(dso, content)
    drain(dso)
    deliver(agr)
    assert receive(dso, content) == received
    assert drain(dso) == []
    assert [message.passes_on for message in OutboundMessage.objects.all()] == [received]
    assert deliver(agr) == []
    assert (len(receiver.posts), len(app.told)) == (1, 1)


def test_a_copy_of_a_message_that_was_rejected_afterwards_has_that_sent_again(
    receiver: Receiver, dso: Peer, agr: Peer, app: App
) -> None:
    receiver.reply = lambda posted, before: (403, {}, b"no")
    content = update(dso, agr)
    received = receive(dso, content)
    drain(dso)
    deliver(agr)
    with receiving() as at_dso:
        Participant.objects.filter(domain=dso.domain).update(endpoint=at_dso.url)
        deliver(dso)
        receive(dso, content)
        deliver(dso)
        assert len(at_dso.answers_to(received.message_id)) == 2
        assert at_dso.posts[0].body == at_dso.posts[1].body
        assert at_dso.posts[0].attributes["Result"] == "Rejected"
    assert len(receiver.posts) == 1


def test_the_recipients_answer_is_handled_wherever_it_is_addressed_to_and_never_answered(
    dso: Peer, agr: Peer
) -> None:
    handled: list[str] = []

    def handle(incoming: Incoming) -> Outcome:
        handled.append(incoming.header.recipient_domain)
        if incoming.header.attributes["Result"] == "Rejected":
            raise Rejection(["it is about no message that is known here"])
        return Outcome(also_deliver_to=(("DSO", dso.domain), ("AGR", "other.example")))

    def answered(**attributes: str) -> InboundMessage:
        reference = {"FlexReservationUpdateMessageID": str(uuid.uuid4())}
        content = agr.xml(
            "FlexReservationUpdateResponse", RecipientDomain=dso.domain, **reference, **attributes
        )
        return receive(agr, content)

    with handled_by("FlexReservationUpdateResponse", handle, accepts_recipient=lambda _: True):
        accepted = answered(Result="Accepted")
        assert drain(agr) == [("AGR", "other.example"), ("DSO", dso.domain)]
        rejected = answered(Result="Rejected", RejectionReason="not ours")
        assert drain(agr) == []
    assert handled == [dso.domain] * 2
    assert (state_of(accepted), accepted.result, accepted.reason) == ("processed", "Accepted", "")
    assert (state_of(rejected), rejected.result) == ("processed", "Rejected")
    assert rejected.reason == "not ours; it is about no message that is known here"
    assert not OutboundMessage.objects.exists()


def ids_at(receiver: Receiver) -> list[str]:
    """The MessageIDs that were posted, in the order in which they came."""
    return [posted.attributes["MessageID"] for posted in receiver.posts]


def in_seconds(message: OutboundMessage) -> float:
    """How long until the next attempt."""
    message.refresh_from_db()
    assert message.next_attempt_at is not None
    return (message.next_attempt_at - timezone.now()).total_seconds()


def test_they_arrive_in_their_senders_order_and_a_later_one_has_the_earlier_tried_at_once(
    receiver: Receiver, dso: Peer, agr: Peer, app: App
) -> None:
    receiver.reply = lambda posted, before: (503, {}, b"later") if before == 0 else OK
    first = passed_on(agr, dso)
    deliver(agr)
    OutboundMessage.objects.update(next_attempt_at=timezone.now() + timedelta(minutes=50))
    second, third = passed_on(agr, dso), passed_on(agr, dso)
    deliver(agr)
    assert [state_of(each) for each in (first, second, third)] == ["delivered"] * 3
    assert ids_at(receiver) == [each.message_id for each in (first, first, second, third)]
    assert [result.inbound.pk for result in app.told] == [
        each.passes_on_id for each in (first, second, third)
    ]


def test_a_later_one_waits_where_the_earlier_fails_again_and_is_due_again_before_its_end(
    receiver: Receiver, dso: Peer, agr: Peer, app: App
) -> None:
    receiver.reply = lambda posted, before: (503, {}, b"later")
    first, second = passed_on(agr, dso), passed_on(agr, dso)
    deliver(agr)
    assert [each.attempts for each in (first, second) if not each.refresh_from_db()] == [1, 0]
    assert not OutboundMessage.objects.filter(next_attempt_at__lte=timezone.now()).exists()
    assert sweep.idle(timezone.now())
    second.refresh_from_db()
    assert second.next_attempt_at == second.give_up_at - timedelta(seconds=30)
    OutboundMessage.objects.filter(pk=second.pk).update(
        give_up_at=timezone.now() + timedelta(seconds=20), next_attempt_at=timezone.now()
    )
    deliver(agr)
    expected = [first.message_id, first.message_id, second.message_id]
    assert ids_at(receiver) == expected, (
        "the first once more for the sake of the second, and then that one once"
    )
    OutboundMessage.objects.filter(pk=second.pk).update(next_attempt_at=timezone.now())
    deliver(agr)
    expected.append(first.message_id)
    assert ids_at(receiver) == expected, "the second had its try: it waits for the first again"
    second.refresh_from_db()
    assert second.next_attempt_at == second.give_up_at
    make_due(give_up_at=timezone.now())
    deliver(agr)
    assert [(result.expired, result.detail) for result in app.told] == [
        (True, "not delivered in time; the last attempt: HTTP 503: later")
    ] * 2
    assert ids_at(receiver) == expected


@pytest.mark.parametrize("trouble", ["answers 503", "asks to wait", "is not reached"])
def test_F13_an_update_at_its_deadline_is_tried_once_behind_an_earlier_one(
    receiver: Receiver, dso: Peer, agr: Peer, app: App, trouble: str
) -> None:
    """One that came at its deadline has 10 seconds; the earlier one has an hour, and fails as `trouble` says."""
    headers = {"Retry-After": "900"} if trouble == "asks to wait" else {}
    receiver.reply = lambda posted, before: (503, headers, b"")
    first = passed_on(agr, dso)
    deliver(agr)
    if trouble == "is not reached":
        Participant.objects.filter(domain=agr.domain).update(endpoint="http://127.0.0.1:9/x/api/v3/message")
    app.seconds = 10
    second = passed_on(agr, dso)
    deliver(agr)
    tried = list(DeliveryAttempt.objects.order_by("pk").values_list("message", flat=True))
    assert tried == [first.pk] * (1 if trouble == "asks to wait" else 2) + [second.pk]
    assert (state_of(first), state_of(second), app.told) == ("waiting", "waiting", [])
    OutboundMessage.objects.filter(pk=second.pk).update(
        next_attempt_at=timezone.now(), give_up_at=timezone.now()
    )
    deliver(agr)
    (result,) = app.told
    assert (result.inbound.pk, result.expired) == (second.passes_on_id, True)
    assert "the last attempt: " in result.detail


def test_F13_an_update_at_its_deadline_is_tried_once_after_the_post_of_an_earlier_one(
    receiver: Receiver, dso: Peer, agr: Peer, app: App
) -> None:
    """It came while the earlier one was being posted, and waited for the answer to that."""
    came = threading.Event()

    def reply(posted: Posted, before: int) -> Reply:
        assert came.wait(20)
        return 503, {}, b""

    receiver.reply = reply
    first = passed_on(agr, dso)

    def work() -> None:
        try:
            deliver(agr)
        finally:
            connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    wait_for("the POST of the first", OutboundMessage.objects.filter(claimed_until__isnull=False).exists)
    app.seconds = 10
    second = passed_on(agr, dso)
    deliver(agr)
    came.set()
    worker.join(30)
    assert ids_at(receiver) == [first.message_id, second.message_id]
    assert (state_of(first), state_of(second), app.told) == ("waiting", "waiting", [])


def test_F13_a_long_post_of_an_earlier_update_does_not_keep_one_at_its_deadline_from_its_try(
    receiver: Receiver, dso: Peer, agr: Peer, app: App
) -> None:
    first = passed_on(agr, dso)
    now = timezone.now()
    assert leases.lease_oldest("AGR", agr.domain, now) is not None, "a worker posts it"
    app.seconds = 10
    second = passed_on(agr, dso)
    deliver(agr)
    assert receiver.posts == []
    lease_ends = OutboundMessage.objects.get(pk=first.pk).claimed_until
    assert lease_ends is not None
    OutboundMessage.objects.filter(pk=first.pk).update(claimed_until=lease_ends - timedelta(seconds=3))
    OutboundMessage.objects.filter(pk=second.pk).update(next_attempt_at=timezone.now())
    deliver(agr)
    assert ids_at(receiver) == [second.message_id]
    assert (state_of(first), state_of(second)) == ("waiting", "delivered")


def test_F13_after_an_only_try_is_delivered_no_older_update_of_the_same_end_follows(
    receiver: Receiver, dso: Peer, agr: Peer, app: App
) -> None:
    """The AGR would keep the older one last. What ends later, of other days, goes on."""
    later = passed_on(agr, dso)
    app.seconds = 20
    older, newer = passed_on(agr, dso), passed_on(agr, dso)
    receiver.reply = lambda posted, before: (
        OK if posted.attributes["MessageID"] == newer.message_id else (503, {}, b"")
    )
    deliver(agr)
    assert ids_at(receiver)[-1] == newer.message_id
    assert older.message_id in ids_at(receiver)
    assert [state_of(each) for each in (later, older, newer)] == ["waiting", "waiting", "delivered"]
    assert older.next_attempt_at == older.give_up_at
    assert later.next_attempt_at is not None
    assert later.next_attempt_at < later.give_up_at
    app.seconds = 3600
    passed_on(agr, dso)
    receiver.reply = lambda posted, before: (503, {}, b"")
    posts = len(receiver.posts)
    deliver(agr)
    assert older.message_id not in ids_at(receiver)[posts:]
    assert state_of(older) == "waiting"
    assert older.next_attempt_at == older.give_up_at


def test_one_whose_time_is_over_ends_while_an_earlier_one_waits(
    receiver: Receiver, dso: Peer, agr: Peer, app: App
) -> None:
    receiver.reply = lambda posted, before: (503, {}, b"later")
    first, second, third = (passed_on(agr, dso) for _ in range(3))
    deliver(agr)
    OutboundMessage.objects.filter(pk=second.pk).update(
        give_up_at=timezone.now(), next_attempt_at=timezone.now()
    )
    deliver(agr)
    assert [state_of(each) for each in (first, second, third)] == ["waiting", "failed", "waiting"]
    assert in_seconds(third) > 3000
    assert ids_at(receiver) == [first.message_id]
    receiver.reply = lambda posted, before: OK
    OutboundMessage.objects.filter(pk=first.pk).update(next_attempt_at=timezone.now())
    deliver(agr)
    assert ids_at(receiver) == [each.message_id for each in (first, first, third)]


@pytest.mark.parametrize("end", ["refused", "over"])
def test_one_that_ends_lets_the_next_go(receiver: Receiver, dso: Peer, agr: Peer, app: App, end: str) -> None:
    receiver.reply = lambda posted, before: (503, {}, b"")
    first, second = passed_on(agr, dso), passed_on(agr, dso)
    deliver(agr)
    receiver.reply = lambda posted, before: (403, {}, b"") if (before, end) == (1, "refused") else OK
    now = timezone.now()
    over = {"give_up_at": now} if end == "over" else {}
    OutboundMessage.objects.filter(pk=first.pk).update(next_attempt_at=now, **over)
    deliver(agr)
    assert [state_of(each) for each in (first, second)] == ["failed", "delivered"]


def test_a_later_one_does_not_cut_short_the_wait_that_the_recipient_asked_for(
    receiver: Receiver, dso: Peer, agr: Peer, app: App
) -> None:
    receiver.reply = lambda posted, before: (503, {"Retry-After": "900"}, b"")
    first = passed_on(agr, dso)
    deliver(agr)
    passed_on(agr, dso)
    deliver(agr)
    assert ids_at(receiver) == [first.message_id]
    assert 880 < in_seconds(first) <= 900
    OutboundMessage.objects.filter(pk=first.pk).update(next_attempt_at=timezone.now() + timedelta(hours=2))
    passed_on(agr, dso)
    deliver(agr)
    assert ids_at(receiver) == [first.message_id]
    assert 880 < in_seconds(first) <= 900, "due when it asked for, and no later"


def test_neither_other_senders_nor_our_own_messages_wait_in_a_line(
    receiver: Receiver, dso: Peer, agr: Peer, app: App
) -> None:
    other = Peer("DSO")
    other.register()

    def reply(posted: Posted, before: int) -> Reply:
        return (503, {}, b"") if posted.attributes["SenderDomain"] == dso.domain else OK

    receiver.reply = reply
    mine, later, theirs = passed_on(agr, dso), passed_on(agr, dso), passed_on(agr, other)
    own = connectivity.send_test_message(Participant.objects.get(domain=agr.domain), timezone.now())
    deliver(agr)
    assert [state_of(each) for each in (mine, later, theirs, own)] == [
        "waiting",
        "waiting",
        "delivered",
        "delivered",
    ]
    assert later.message_id not in ids_at(receiver)


def test_a_later_one_is_not_claimed_while_the_earlier_is_being_posted(
    receiver: Receiver, dso: Peer, agr: Peer, app: App
) -> None:
    first, second = passed_on(agr, dso), passed_on(agr, dso)
    now = timezone.now()
    held = leases.lease_oldest("AGR", agr.domain, now)
    assert held is not None
    assert held.id == first.pk
    assert leases.lease_oldest("AGR", agr.domain, timezone.now()) is None
    assert in_seconds(second) > 3000
    delivery.attempt(held, "AGR", agr.domain)
    assert in_seconds(second) <= 0
    deliver(agr)
    assert ids_at(receiver) == [first.message_id, second.message_id]


def test_a_later_one_is_put_off_briefly_while_what_became_of_the_earlier_is_recorded(
    receiver: Receiver, dso: Peer, agr: Peer, app: App
) -> None:
    """Else it might be put off for long just after the end of the earlier one let it go."""
    first, second = passed_on(agr, dso), passed_on(agr, dso)
    OutboundMessage.objects.filter(pk=first.pk).update(next_attempt_at=timezone.now() + timedelta(minutes=5))
    found: list[object] = []

    def work() -> None:
        try:
            found.append(leases.lease_oldest("AGR", agr.domain, timezone.now()))
        finally:
            connection.close()

    with transaction.atomic():
        OutboundMessage.objects.filter(pk=first.pk).update(state="delivered", next_attempt_at=None)
        worker = threading.Thread(target=work)
        worker.start()
        worker.join(30)
        assert found == [None]
    assert -5 < in_seconds(second) <= 1
    wait_for("the end of the brief wait", lambda: in_seconds(second) <= 0)
    deliver(agr)
    assert state_of(second) == "delivered"


@pytest.mark.parametrize("seconds", [3600, 29])
def test_several_workers_keep_the_order(
    receiver: Receiver, dso: Peer, agr: Peer, app: App, seconds: float
) -> None:
    """Also of what came shortly before its end, while the recipient takes all."""
    app.seconds = seconds
    other = Peer("DSO")
    other.register()
    lines = [[passed_on(agr, peer) for _ in range(8)] for peer in (dso, other)]

    def work() -> None:
        try:
            while OutboundMessage.objects.filter(state="waiting").exists():
                deliver(agr)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    for line in lines:
        its = [each.message_id for each in line]
        assert [each for each in ids_at(receiver) if each in its] == its
    assert len(receiver.posts) == len(app.told) == 16


@pytest.mark.parametrize(
    ("left", "attempts", "least", "most"),
    [(3600, 9, 480, 720), (400, 4, 369, 371), (20, 4, 18, 21), (32, 2, 0, 36)],
)
def test_the_last_try_is_shortly_before_the_end_and_none_is_hours_away(
    receiver: Receiver, dso: Peer, agr: Peer, app: App, left: int, attempts: int, least: int, most: int
) -> None:
    """`left` seconds before its end, after as many attempts: the next is due in `least` to `most` seconds."""
    receiver.reply = lambda posted, before: (503, {}, b"")
    passing = passed_on(agr, dso)
    make_due(give_up_at=timezone.now() + timedelta(seconds=left), attempts=attempts - 1)
    deliver(agr)
    assert least < in_seconds(passing) < most


def test_a_participant_that_cannot_be_reached_gets_the_last_try_all_the_same(
    dso: Peer, agr: Peer, app: App
) -> None:
    Participant.objects.filter(domain=agr.domain).update(endpoint="http://127.0.0.1:9/x/api/v3/message")
    other = Peer("DSO")
    other.register()
    passed_on(agr, dso)
    waits = passed_on(agr, other)
    OutboundMessage.objects.filter(pk=waits.pk).update(give_up_at=timezone.now() + timedelta(seconds=40))
    deliver(agr)
    assert state_of(waits) == "waiting"
    assert 5 < in_seconds(waits) <= 10
