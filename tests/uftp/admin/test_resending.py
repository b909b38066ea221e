"""What staff have sent again, and what they are told of what is not; recipients that are paused after a refusal."""

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone
from guardian.shortcuts import assign_perm

from participants.models import AuditEntry, Participant
from tests.support.exchange import receive
from tests.support.peer import Peer
from uftp.connectivity import send_test_message
from uftp.delivery.circuits import open_after_refusal
from uftp.delivery.forwarding import pass_on
from uftp.models import CircuitBreaker, DeliveryAttempt, InboundMessage, OutboundMessage

pytestmark = pytest.mark.django_db(transaction=True)

OUT = "/admin/uftp/outboundmessage/"
UNVERIFIED = f"{OUT}refused-with-401/"
AGR, DSO = "flex.example", "grid.example"
PEERS = {AGR: Peer("AGR", AGR), DSO: Peer("DSO", DSO)}
HOUR = timedelta(hours=1)


@pytest.fixture
def participants() -> dict[str, Participant]:
    return {domain: peer.register(f"http://127.0.0.1:9/{domain}") for domain, peer in PEERS.items()}


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("kim", password="kim"))
    return client


def passing() -> OutboundMessage:
    """A message of the DSO's that waits to be passed on to the AGR, after the earlier ones."""
    received = receive(PEERS[DSO], PEERS[DSO].xml())
    InboundMessage.objects.filter(pk=received.pk).update(state="processed", result="Accepted")
    with transaction.atomic():
        until = timezone.now() + HOUR
        pass_on(received, recipient_role="AGR", recipient_domain=AGR, until=until, now=timezone.now())
    message = received.passings.get()
    OutboundMessage.objects.filter(pk=message.pk).update(
        next_attempt_at=until - timedelta(seconds=30), not_before=until, attempts=3
    )
    return message


def own(participant: Participant, **values: Any) -> OutboundMessage:
    message = send_test_message(participant, timezone.now())
    OutboundMessage.objects.filter(pk=message.pk).update(**values)
    return message


def refused(message: OutboundMessage, *statuses: int) -> None:
    for status in statuses:
        DeliveryAttempt.objects.create(
            message=message,
            started_at=timezone.now(),
            status=status,
            outcome="temporary",
            detail=f"HTTP {status}",
        )


def shown(client: Client, page: str) -> str:
    answer = client.get(page, follow=True)
    assert answer.status_code == 200, (page, answer.status_code)
    return html.unescape(answer.content.decode())


def page_of(message: OutboundMessage) -> str:
    return f"{OUT}{message.pk}/change/"


def jobs() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT queueing_lock FROM procrastinate_jobs"
            " WHERE status = 'todo' AND queue_name = 'outbox' ORDER BY queueing_lock"
        )
        return [row[0] for row in cursor]


def test_send_again_does_what_it_can_for_each_and_says_which_not_and_why(
    staff: Client, participants: dict[str, Participant]
) -> None:
    failed = own(participants[AGR], state="failed", finished_at=timezone.now(), next_attempt_at=None)
    waiting = own(participants[AGR], attempts=7, next_attempt_at=timezone.now() + HOUR)
    posted = own(participants[AGR], claimed_until=timezone.now() + HOUR)
    first, behind, ended = passing(), passing(), passing()
    OutboundMessage.objects.filter(pk=ended.pk).update(state="failed", finished_at=timezone.now())
    chosen = {
        "action": "send_again",
        "_selected_action": [each.pk for each in (failed, waiting, posted, first, behind, ended)],
    }

    asked = html.unescape(staff.post(OUT, chosen).content.decode())

    assert "Send again: 4 messages" in asked
    assert "2 of the selected messages are left out" in asked
    why = "It was passed on, and that has ended: only its sender can send it again, as a message of its own."
    for message, text in (
        (posted, "It is being sent at this moment: look at its attempts."),
        (ended, why),
        (
            behind,
            f"It waits for message {first.pk} of the same sender: that one is sent now, and this one after it.",
        ),
    ):
        assert re.search(rf"TestMessage {message.pk}</a>.*?<td>{re.escape(text)}</td>", asked), text
    said = html.unescape(
        staff.post(OUT, {**chosen, "reason": "its system is back"}, follow=True).content.decode()
    )
    assert "4 messages are to be sent again." in said
    assert f"Message {behind.pk}: It waits for message {first.pk} of the same sender" in said
    assert f"Message {posted.pk}: It is being sent at this moment" in said
    assert f"Message {ended.pk}: {why}" in said
    now = timezone.now()
    due = OutboundMessage.objects.filter(next_attempt_at__lte=now, state="waiting", claimed_until=None)
    assert set(due) == {failed, waiting, first}
    first.refresh_from_db()
    assert (first.attempts, first.not_before is not None and first.not_before <= now) == (3, False)
    assert timedelta(0) < first.give_up_at - now <= HOUR, "until the same end as before"
    assert jobs() == [f"outbox AGR {AGR}"]


def test_what_waits_to_be_passed_on_is_sent_now_from_its_page(
    staff: Client, participants: dict[str, Participant]
) -> None:
    message = passing()
    assert "Send now" in shown(staff, page_of(message))
    said = staff.post(f"{OUT}{message.pk}/send-again/", {"reason": "it is back"}, follow=True)
    assert b"1 message is to be sent again." in said.content
    message.refresh_from_db()
    assert message.next_attempt_at is not None
    assert message.next_attempt_at <= timezone.now()


def test_the_list_says_after_which_message_one_is_tried(
    staff: Client, participants: dict[str, Participant]
) -> None:
    """And not a time, which is that of its end; the page says the same."""
    first, second, third = passing(), passing(), passing()
    page = shown(staff, OUT)
    assert f'after <a href="{page_of(first)}">message {first.pk}</a>' in page
    assert f'after <a href="{page_of(second)}">message {second.pk}</a>' in page
    assert page.count(f"message {third.pk}<") == 0
    third.refresh_from_db()
    said = shown(staff, page_of(third))
    assert (
        f'It is delivered after <a href="{page_of(second)}">message {second.pk}</a> of the same sender.'
        in said
    )
    OutboundMessage.objects.filter(pk=first.pk).update(state="delivered", finished_at=timezone.now())
    assert f"message {first.pk}<" not in shown(staff, OUT)


def test_all_that_was_refused_with_401_is_sent_again(
    staff: Client, participants: dict[str, Participant]
) -> None:
    """What waits, what was given up, and what is passed on; of all, whatever else came before; nothing else."""
    ended = {"state": "failed", "finished_at": timezone.now(), "next_attempt_at": None}
    later = {"next_attempt_at": timezone.now() + HOUR}
    given_up, waiting, other = (own(participants[AGR], **values) for values in (ended, later, ended))
    of_dso, line = own(participants[DSO], **ended), passing()
    refused(given_up, 503, 401)
    refused(waiting, 401)
    refused(other, 401, 403)
    refused(of_dso, 401)
    refused(line, 401)
    page = shown(staff, UNVERIFIED)
    assert re.findall(r"<td>(\w+ [\w.]+)</td><td>(\d+)</td>", page) == [
        (f"AGR {AGR}", "3"),
        (f"DSO {DSO}", "1"),
    ]
    assert UNVERIFIED in shown(staff, OUT)
    assert "Say why" in html.unescape(staff.post(UNVERIFIED, {"reason": " "}).content.decode())

    said = staff.post(UNVERIFIED, {"reason": "they have our new key"}, follow=True)

    assert b"4 messages refused with 401 are sent again." in said.content
    due = OutboundMessage.objects.filter(next_attempt_at__lte=timezone.now(), state="waiting")
    assert set(due) == {given_up, waiting, of_dso, line}
    assert sorted(AuditEntry.objects.values_list("action", "subject", "reason")) == [
        ("send again", f"1 messages to DSO {DSO} that were refused with 401", "they have our new key"),
        ("send again", f"3 messages to AGR {AGR} that were refused with 401", "they have our new key"),
    ]
    assert jobs() == [f"outbox AGR {AGR}", f"outbox DSO {DSO}"]


def test_limited_staff_send_again_what_was_refused_of_their_own_participants(
    client: Client, participants: dict[str, Participant]
) -> None:
    user = User.objects.create_user("sam", password="sam", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(codename__startswith="view_")
        | Permission.objects.filter(codename="change_outboundmessage")
    )
    client.force_login(user)
    ended = {"state": "failed", "finished_at": timezone.now()}
    messages = [own(participants[domain], **ended) for domain in (AGR, DSO)]
    for message in messages:
        refused(message, 401)
    assign_perm("participants.change_participant", user, participants[AGR])
    assert DSO not in shown(client, UNVERIFIED)
    assert client.get(f"{UNVERIFIED}?participant={participants[DSO].pk}").status_code == 404
    assign_perm("participants.view_participant", user, participants[DSO])
    user = User.objects.get(pk=user.pk)
    assert client.get(f"{UNVERIFIED}?participant={participants[DSO].pk}").status_code == 403
    client.post(f"{UNVERIFIED}?participant={participants[AGR].pk}", {"reason": "because"})
    assert sorted(OutboundMessage.objects.values_list("recipient_domain", "state")) == [
        (AGR, "waiting"),
        (DSO, "failed"),
    ]


def test_staff_are_told_of_a_recipient_that_is_paused_and_resume_deliveries(
    staff: Client, participants: dict[str, Participant]
) -> None:
    message = own(participants[AGR])
    open_after_refusal(("AGR", AGR), message.pk, "HTTP 400: <odd>", timezone.now())
    CircuitBreaker.objects.update(next_trial_at=timezone.now() + HOUR)
    circuit = CircuitBreaker.objects.get()
    page = f"/admin/uftp/circuitbreaker/{circuit.pk}/change/"
    assert "/admin/uftp/circuitbreaker/?state__exact=open" in shown(staff, "/admin/")
    card = shown(staff, f"/admin/participants/participant/{participants[AGR].pk}/change/")
    assert f'<a href="{page}">one message at a time after a refusal; see why, or resume</a>' in card
    assert "one at a time after a refusal, from " in shown(staff, OUT)
    assert "has refused a message, so one message at a time is tried" in shown(staff, page_of(message))
    assert "HTTP 400: <odd>" in shown(staff, page)
    resume = f"/admin/uftp/circuitbreaker/{circuit.pk}/resume/"
    assert resume in shown(staff, page)
    assert "HTTP 400: <odd>" in shown(staff, resume)

    said = staff.post(resume, {"reason": "repaired"}, follow=True)

    assert f"Deliveries to AGR {AGR} go on.".encode() in said.content
    circuit.refresh_from_db()
    assert (circuit.state, jobs()) == ("closed", [f"outbox AGR {AGR}"])
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject, entry.participants) == (
        "resume deliveries",
        f"AGR {AGR}",
        [participants[AGR].pk],
    )
    assert resume not in shown(staff, page)
    assert "go on already" in staff.post(resume, {"reason": "again"}, follow=True).content.decode()


@pytest.mark.parametrize("key", ["0", "9" * 5_000, "one"])
def test_a_participant_that_is_none_is_not_found(staff: Client, key: str) -> None:
    assert staff.get(UNVERIFIED, {"participant": key}).status_code == 404
