"""Delivery: what each reply means, when it is tried again, and that nobody waits for a participant that is away."""

import socket
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from participants.models import Participant
from tests.support.peer import Peer
from tests.support.receiver import Posted, Receiver, Reply
from uftp import connectivity
from uftp.delivery import attempts as delivery_attempts
from uftp.delivery import deliver as delivery
from uftp.delivery import http_client, leases, outbox
from uftp.models import DeliveryAttempt, OutboundMessage
from uftp.worker import sweep

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def agr(receiver: Receiver) -> Participant:
    return Peer("AGR").register(receiver.url)


def send_test(participant: Participant) -> OutboundMessage:
    return connectivity.send_test_message(participant, timezone.now())


def deliver(participant: Participant) -> None:
    delivery.deliver_due(participant.role, participant.domain, wake=lambda role, domain: None)


def make_due() -> None:
    OutboundMessage.objects.filter(state="waiting").update(next_attempt_at=timezone.now())


@pytest.mark.parametrize(("messages", "held", "wakes"), [(1, 0, 0), (2, 0, 1), (3, 0, 1), (2, 1, 0)])
def test_one_more_is_woken_where_something_else_is_due_that_nobody_holds(
    receiver: Receiver, agr: Participant, messages: int, held: int, wakes: int
) -> None:
    for _ in range(messages):
        send_test(agr)
    for _ in range(held):
        assert leases.lease_oldest(agr.role, agr.domain, timezone.now())
    woken: list[tuple[str, str]] = []

    delivery.deliver_due(agr.role, agr.domain, wake=lambda role, domain: woken.append((role, domain)))

    assert woken == wakes * [(agr.role, agr.domain)]
    assert len(receiver.posts) == messages - held


def reply_with(status: int, body: bytes = b"", **headers: str) -> Any:
    reply: Reply = (status, {name.replace("_", "-"): value for name, value in headers.items()}, body)
    return lambda posted, before: reply


def test_a_message_is_posted_as_it_was_stored(receiver: Receiver, agr: Participant) -> None:
    message = send_test(agr)
    deliver(agr)
    message.refresh_from_db()
    assert (message.state, message.attempts, message.next_attempt_at) == ("delivered", 1, None)
    (posted,) = receiver.posts
    assert posted.sealed == bytes(message.sealed)
    assert posted.attributes["MessageID"] == message.message_id
    assert b'SenderDomain="cro.example"' in posted.body
    assert b'SenderRole="CRO"' in posted.body
    assert posted.headers["Content-Type"] == "text/xml; charset=utf-8"
    assert int(posted.headers["Content-Length"]) == len(posted.body)
    attempt = DeliveryAttempt.objects.get()
    assert (attempt.outcome, attempt.status, attempt.endpoint) == ("delivered", 200, receiver.url)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_2xx_is_delivered(receiver: Receiver, agr: Participant, status: int) -> None:
    assert outcome_of(receiver, agr, status) == ("delivered", "delivered")


@pytest.mark.parametrize("status", [401, 404, 407, 408, 419, 425, 429, 500, 502, 503, 504, 301, 302, 303])
def test_temporary_failures_are_tried_again(receiver: Receiver, agr: Participant, status: int) -> None:
    assert outcome_of(receiver, agr, status) == ("temporary", "waiting")
    message = OutboundMessage.objects.get()
    assert message.next_attempt_at is not None
    assert 3.5 < (message.next_attempt_at - timezone.now()).total_seconds() < 6.5
    receiver.reply = reply_with(200)
    make_due()
    deliver(agr)
    first, second = receiver.posts
    assert first.body == second.body
    message.refresh_from_db()
    assert (message.state, message.attempts) == ("delivered", 2)


@pytest.mark.parametrize("status", [400, 403, 405, 411, 413, 501])
def test_permanent_failures_are_not(receiver: Receiver, agr: Participant, status: int) -> None:
    assert outcome_of(receiver, agr, status) == ("permanent", "failed")
    message = OutboundMessage.objects.get()
    assert (message.next_attempt_at, message.finished_at is not None) == (None, True)


def outcome_of(receiver: Receiver, agr: Participant, status: int) -> tuple[str, str]:
    receiver.reply = reply_with(status, Location=receiver.url + "/elsewhere")
    send_test(agr)
    deliver(agr)
    assert len(receiver.posts) == 1, "a redirect is not followed"
    return DeliveryAttempt.objects.get().outcome, OutboundMessage.objects.get().state


def test_duplicate_message_means_delivered_only_on_a_retry(receiver: Receiver, agr: Participant) -> None:
    def reply(posted: Posted, before: int) -> Reply:
        return (500, {}, b"") if before == 0 else (400, {}, b"Duplicate message")

    receiver.reply = reply
    message = send_test(agr)
    deliver(agr)
    make_due()
    deliver(agr)
    message.refresh_from_db()
    assert message.state == "delivered"
    other = send_test(agr)
    deliver(agr)
    other.refresh_from_db()
    assert other.state == "failed"


def test_retry_after_is_honoured(receiver: Receiver, agr: Participant) -> None:
    receiver.reply = reply_with(503, Retry_After="900")
    message = send_test(agr)
    deliver(agr)
    message.refresh_from_db()
    assert message.next_attempt_at is not None
    assert 890 < (message.next_attempt_at - timezone.now()).total_seconds() <= 900
    later = datetime.now(UTC) + timedelta(hours=1)
    receiver.reply = reply_with(503, Retry_After=later.strftime("%a, %d %b %Y %H:%M:%S GMT"))
    make_due()
    deliver(agr)
    message.refresh_from_db()
    assert message.next_attempt_at is not None
    assert 3500 < (message.next_attempt_at - timezone.now()).total_seconds() <= 3600


@pytest.mark.parametrize(
    "value",
    [
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Mon, 01 Jan 0001 00:00:00 +2359",
        "Fri, 31 Dec 2030 23:59:59 +99999999999999999999",
        "Fri, 32 Foo 2030 23:59:59 GMT",
        "9" * 300,
        "-5",
        "soon",
        "",
    ],
)
def test_an_absurd_retry_after_is_survived(receiver: Receiver, agr: Participant, value: str) -> None:
    """The attempt is recorded, and the next one is within the time that the message has."""
    receiver.reply = reply_with(503, Retry_After=value)
    message = send_test(agr)
    deliver(agr)
    message.refresh_from_db()
    assert (message.state, DeliveryAttempt.objects.get().status) == ("waiting", 503)
    assert message.next_attempt_at is not None
    assert timezone.now() < message.next_attempt_at <= message.give_up_at


def test_an_error_of_ours_is_a_recorded_temporary_failure(receiver: Receiver, agr: Participant) -> None:
    """Here a version that no table knows."""
    message = send_test(agr)
    OutboundMessage.objects.update(version="9.9.9")
    deliver(agr)
    message.refresh_from_db()
    attempt = DeliveryAttempt.objects.get()
    assert (message.state, message.claimed_until, attempt.outcome) == ("waiting", None, "temporary")
    assert attempt.detail.startswith("an error of ours: KeyError")
    assert not OutboundMessage.objects.filter(next_attempt_at__lte=timezone.now()).exists()


def test_pauses_grow_and_differ() -> None:
    for attempts, seconds in enumerate(
        [5, 30, 120, 600, 1800, 3600, 7200, 18000, 36000, 36000, 36000], start=1
    ):
        pauses = {delivery_attempts.pause_after(attempts, None).total_seconds() for _ in range(20)}
        assert len(pauses) > 1
        assert all(seconds * 0.8 <= pause <= seconds * 1.2 for pause in pauses)


def test_given_up_without_an_attempt_of_its_own(agr: Participant) -> None:
    """What waits behind others for a participant that cannot be reached fails in its time, and not before."""
    for _ in range(5):
        send_test(agr)
    not_yet = send_test(agr)
    Participant.objects.update(endpoint="")
    OutboundMessage.objects.exclude(pk=not_yet.pk).update(give_up_at=timezone.now())
    deliver(agr)
    assert OutboundMessage.objects.filter(state="failed", next_attempt_at=None).count() == 5
    assert DeliveryAttempt.objects.count() == 1
    not_yet.refresh_from_db()
    assert not_yet.state == "waiting"


def test_what_is_overdue_is_still_delivered_where_the_participant_can_be_reached(
    receiver: Receiver, agr: Participant
) -> None:
    """So that nothing is lost by a CRO that was off for longer than the retry hours."""
    for _ in range(3):
        send_test(agr)
    OutboundMessage.objects.update(give_up_at=timezone.now() - timedelta(days=1))
    sweep.sweep(timezone.now())
    deliver(agr)
    assert set(OutboundMessage.objects.values_list("state", flat=True)) == {"delivered"}


def test_given_up_after_the_retry_hours(receiver: Receiver, agr: Participant) -> None:
    receiver.reply = reply_with(503)
    message = send_test(agr)
    assert message.give_up_at - timezone.now() > timedelta(hours=23)
    OutboundMessage.objects.update(give_up_at=timezone.now() + timedelta(seconds=1))
    deliver(agr)
    message.refresh_from_db()
    assert message.state == "waiting"
    assert message.next_attempt_at == message.give_up_at, "once more at the end"
    OutboundMessage.objects.update(give_up_at=timezone.now(), next_attempt_at=timezone.now())
    deliver(agr)
    message.refresh_from_db()
    assert message.state == "failed"


def test_sent_again_by_staff(receiver: Receiver, agr: Participant) -> None:
    receiver.reply = reply_with(403)
    message = send_test(agr)
    deliver(agr)
    receiver.reply = reply_with(200)
    assert outbox.send_again(message) == [("AGR", agr.domain)]
    deliver(agr)
    message.refresh_from_db()
    assert message.state == "delivered"
    assert receiver.posts[0].body == receiver.posts[1].body
    assert DeliveryAttempt.objects.count() == 2


def test_no_endpoint_is_temporary() -> None:
    stranger = Peer("AGR").register()
    message = send_test(stranger)
    deliver(stranger)
    message.refresh_from_db()
    assert (message.state, DeliveryAttempt.objects.get().outcome) == ("waiting", "temporary")


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://127.0.0.1:{port}/x/api/v3/message",
        "https://localhost:{port}/",
        "https://127.0.0.1.nip.example:{port}/",
    ],
)
def test_private_addresses_are_not_posted_to(receiver: Receiver, settings: Any, endpoint: str) -> None:
    settings.UFTP_ALLOW_PRIVATE_ENDPOINTS = False
    agr = Peer("AGR").register()
    Participant.objects.update(endpoint=endpoint.format(port=receiver.port))
    send_test(agr)
    deliver(agr)
    attempt = DeliveryAttempt.objects.get()
    assert (attempt.outcome, attempt.status) == ("temporary", None)
    assert receiver.posts == []


def test_a_public_name_that_resolves_to_a_private_address_is_not_posted_to(
    receiver: Receiver, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The resolver is another system: it says what an attacker has put into DNS."""
    resolved = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", receiver.port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: resolved)
    settings.UFTP_ALLOW_PRIVATE_ENDPOINTS = False
    with pytest.raises(http_client.NoReply, match="not a public address"):
        http_client.post(f"https://agr.example.com:{receiver.port}/", b"<x/>", seconds=5)
    assert receiver.posts == []


def test_a_reply_that_drips_ends_with_its_time() -> None:
    """One byte every 0.3 s never ends by a time limit on each read alone."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                for _ in range(40):
                    try:
                        connection.sendall(b"H")
                    except OSError:
                        return
                    time.sleep(0.3)

        threading.Thread(target=drip, daemon=True).start()
        started = time.monotonic()
        with pytest.raises(http_client.NoReply):
            http_client.post(f"http://127.0.0.1:{server.getsockname()[1]}/", b"<x/>", seconds=1)
        assert time.monotonic() - started < 3


def test_the_rest_waits_for_a_participant_that_cannot_be_reached() -> None:
    """One attempt, and what else is due is held back without counting one."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        agr = Peer("AGR").register(f"http://127.0.0.1:{taken.getsockname()[1]}/shapeshifter/api/v3/message")
        for _ in range(5):
            send_test(agr)
        deliver(agr)
    assert DeliveryAttempt.objects.count() == 1
    assert sorted(OutboundMessage.objects.values_list("attempts", flat=True)) == [0, 0, 0, 0, 1]
    assert not OutboundMessage.objects.filter(next_attempt_at__lte=timezone.now()).exists()


def test_a_message_is_posted_by_one_at_a_time(receiver: Receiver, agr: Participant) -> None:
    """Eight at once, twenty messages: each is posted once."""
    for _ in range(20):
        send_test(agr)

    def work() -> None:
        from django.db import connection

        try:
            deliver(agr)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    deliver(agr)
    assert len(receiver.posts) == len({posted.attributes["MessageID"] for posted in receiver.posts}) == 20
    assert set(OutboundMessage.objects.values_list("state", flat=True)) == {"delivered"}


def test_one_that_was_held_up_beyond_its_claim_changes_nothing(receiver: Receiver, agr: Participant) -> None:
    """A paused worker comes back after another has taken over, before its POST and after it."""
    message = send_test(agr)
    now = timezone.now()
    early = leases.lease_oldest("AGR", agr.domain, now)
    assert early is not None
    assert leases.lease_oldest("AGR", agr.domain, now + timedelta(seconds=40)) is None
    second = leases.lease_oldest("AGR", agr.domain, now + timedelta(seconds=46))
    assert second is not None
    assert second.attempts == 2
    result = delivery.classify(http_client.Reply(500, "", None), receiver.url, again=False)
    delivery_attempts.record(early, result, now, timezone.now())
    message.refresh_from_db()
    assert (message.state, message.claimed_until is not None) == ("waiting", True)
    delivery.attempt(second, "AGR", agr.domain)
    message.refresh_from_db()
    assert message.state == "delivered"
    late = replace(early, expires_at=time.monotonic())
    assert delivery.attempt(late, "AGR", agr.domain) is None
    assert len(receiver.posts) == 1


def test_one_that_was_held_up_until_staff_sent_the_message_again_changes_nothing(
    receiver: Receiver, agr: Participant
) -> None:
    """Attempts are counted anew then, so that its attempt and that of the later claim are both the first."""
    message = send_test(agr)
    now = timezone.now()
    held_up = leases.lease_oldest("AGR", agr.domain, now)
    assert held_up is not None
    OutboundMessage.objects.update(claimed_until=now)
    deliver(agr)
    assert outbox.send_again(message)
    later = leases.lease_oldest("AGR", agr.domain, timezone.now())
    assert later is not None
    assert later.attempts == held_up.attempts
    result = delivery.classify(http_client.Reply(403, "", None), receiver.url, again=False)
    delivery_attempts.record(held_up, result, now, timezone.now())
    message.refresh_from_db()
    assert (message.state, message.claimed_until is not None) == ("waiting", True)


def test_messages_are_listed(
    receiver: Receiver, agr: Participant, capsys: pytest.CaptureFixture[str]
) -> None:
    message = send_test(agr)
    deliver(agr)
    call_command("list_messages", "--out", "--json")
    assert message.message_id in capsys.readouterr().out
    call_command("list_messages", "--in")
    assert capsys.readouterr().out == ""
