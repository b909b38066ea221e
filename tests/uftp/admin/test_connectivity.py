"""A TestMessage sent from the screens: its page shows step by step what becomes of it."""

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone
from guardian.shortcuts import assign_perm

from participants.models import AuditEntry, Participant
from tests.support.exchange import drain, receive
from tests.support.peer import Peer
from tests.support.polling import wait_for
from tests.support.receiver import Receiver, receiving
from uftp.admin.connectivity_steps import progress_of
from uftp.delivery import deliver as delivery
from uftp.models import OutboundMessage, Refusal

PARTICIPANTS = "/admin/participants/participant/"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def peer(db: None) -> Peer:
    return Peer("AGR", "agr.example")


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_superuser("kim", password="kim"))
    return client


def pages_of_tests(participant: Participant) -> str:
    return f"{PARTICIPANTS}{participant.pk}/test-message/"


def send(staff: Client, participant: Participant) -> str:
    """Send a TestMessage from the screens; gives its page."""
    answer = staff.post(pages_of_tests(participant))
    assert answer.status_code == 302
    return answer.headers["Location"]


def steps(staff: Client, page: str) -> tuple[str, bool]:
    """What the polled part of a test's page says, and whether it asks to be polled again."""

    def as_the_page() -> Any:
        """The part, once the page around it says the same: seconds go by between the two."""
        part = staff.get(f"{page}steps/")
        assert part.status_code == 200
        return part if text_of(part) in text_of(staff.get(page)) else None

    answer = wait_for("the page saying what its part says", as_the_page)
    return text_of(answer), f'data-poll="{page}steps/"' in answer.content.decode()


def text_of(answer: Any) -> str:
    """What a page says, without its mark-up."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", answer.content.decode())).split())


def deliver(participant: Participant) -> None:
    delivery.deliver_due(participant.role, participant.domain, wake=lambda role, domain: None)


def answer(peer: Peer, receiver: Receiver, **attributes: str) -> None:
    """Answer the latest TestMessage that came."""
    test = receiver.posts[-1].attributes
    receive(
        peer,
        peer.xml(
            "TestMessageResponse",
            ConversationID=test["ConversationID"],
            **{"Result": "Accepted", **attributes},
        ),
    )
    drain(peer)


def test_stored_delivered_and_answered(staff: Client, peer: Peer, receiver: Receiver) -> None:
    participant = peer.register(receiver.url)
    page = send(staff, participant)
    assert steps(staff, page)[1]
    assert "being delivered" in steps(staff, page)[0]

    deliver(participant)
    text, more = steps(staff, page)
    assert more
    assert "HTTP 200" in text
    assert receiver.url in text
    assert "its answer is awaited" in text

    answer(peer, receiver)
    text, more = steps(staff, page)
    assert not more
    assert re.search(r"answered after (under 0\.1|\d+\.\d) s", text)
    assert "TestMessageResponse" in text
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.subject, entry.participants) == (
        "kim",
        "sent TestMessage",
        "AGR agr.example",
        [participant.pk],
    )


def test_an_answer_that_rejects_is_told(staff: Client, peer: Peer, receiver: Receiver) -> None:
    participant = peer.register(receiver.url)
    page = send(staff, participant)
    deliver(participant)

    answer(peer, receiver, Result="Rejected", RejectionReason="Unauthorized")

    text, more = steps(staff, page)
    assert not more
    assert "answered Rejected" in text
    assert ": Unauthorized" in text
    assert "does not accept the test. Ask the participant why" in text


def test_an_endpoint_that_does_not_answer(staff: Client, peer: Peer) -> None:
    with receiving() as gone:
        url = gone.url
    participant = peer.register(url)
    page = send(staff, participant)

    deliver(participant)

    text, more = steps(staff, page)
    assert more
    assert "not delivered so far" in text
    assert "Nobody answers at this address: nothing accepts connections there. (connection refused)" in text
    assert url in text
    assert re.search(r"Next attempt at [^,]*, in \d+ seconds?\. Attempts go on until \d{4}-", text)
    assert "What to do:" in text


def test_what_is_tried_in_vain_leads_to_where_it_is_put_right(staff: Client, peer: Peer) -> None:
    participant = peer.register("http://127.0.0.1:9/")
    page = send(staff, participant)
    test = OutboundMessage.objects.get()
    ways = (
        f'href="{PARTICIPANTS}{participant.pk}/change/#id_endpoint">Correct the endpoint',
        f'href="/admin/uftp/outboundmessage/{test.pk}/send-again/">Send now',
    )
    lee = User.objects.create_user("lee", is_staff=True)
    lee.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    assign_perm("participants.view_participant", lee, participant)
    looking = Client()
    looking.force_login(lee)
    assert "Send now" not in staff.get(page).content.decode()

    deliver(participant)

    for way in ways:
        assert way in staff.get(page).content.decode()
        assert way not in looking.get(page).content.decode()


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-3, "The next attempt is due."),
        (0, "The next attempt is due."),
        (0.2, ", in 1 second."),
        (1, ", in 1 second."),
        (40, ", in 40 seconds."),
        (90, ", in 90 seconds."),
        (300, ", in 5 minutes."),
        (7_200, ", in 2 hours."),
    ],
)
def test_the_next_attempt_is_in_words(staff: Client, peer: Peer, seconds: float, expected: str) -> None:
    send(staff, peer.register("http://127.0.0.1:9/"))
    test = OutboundMessage.objects.get()
    now = timezone.now()
    attempt = {"outcome": "temporary", "detail": "ConnectTimeout: late", "started_at": now}
    test.delivery_attempts.create(**attempt)
    test.next_attempt_at = now + timedelta(seconds=seconds)

    steps_now = progress_of(test, now).steps

    assert f"{expected} Attempts go on until" in str(steps_now[1].text)
    assert ("Next attempt at" in str(steps_now[1].text)) == (seconds > 0)
    assert "at once" not in str(steps_now[0].text)
    assert "(connection timed out)" in str(steps_now[1].text)


REFUSALS = {
    401: ("could not verify this CRO's signature", "This CRO is cro.example, and its public key is cs1."),
    419: ("does not find this CRO's public key", "its public key is cs1."),
    404: ("Nothing takes messages at that address", "Compare the endpoint"),
}


@pytest.mark.parametrize("status", REFUSALS)
def test_a_system_that_does_not_take_it(staff: Client, peer: Peer, receiver: Receiver, status: int) -> None:
    participant = peer.register(receiver.url)
    receiver.reply = lambda posted, before: (status, {}, b"")
    page = send(staff, participant)

    deliver(participant)

    text, more = steps(staff, page)
    assert more, "it is tried again"
    for text_of in REFUSALS[status]:
        assert text_of in text


def test_no_endpoint_at_all(staff: Client, peer: Peer) -> None:
    participant = peer.register("")
    page = send(staff, participant)

    deliver(participant)

    text, _ = steps(staff, page)
    assert "It is not known where to send it." in text
    assert "Enter the endpoint on the participant's page." in text


def make_older(page: str, by: timedelta) -> None:
    """Have the test of `page` be that much older."""
    test = OutboundMessage.objects.get(pk=int(page.rstrip("/").rpartition("/")[2]))
    test.created_at -= by
    test.give_up_at -= by
    if test.finished_at:
        test.finished_at -= by
    test.save()


def test_after_a_while_without_an_answer_it_says_what_to_look_at(
    staff: Client, peer: Peer, receiver: Receiver
) -> None:
    participant = peer.register(receiver.url)
    page = send(staff, participant)
    deliver(participant)

    make_older(page, timedelta(minutes=1))
    text, more = steps(staff, page)
    assert more
    assert "Ask the participant whether its system has MessageID" in text

    Refusal.objects.create(
        at=timezone.now(),
        role="AGR",
        domain="agr.example",
        major=3,
        status=401,
        line="no",
        size=1,
        verified=False,
    )
    text, _ = steps(staff, page)
    assert "this CRO refused a request in its name" in text
    assert "Compare the public key" in text

    make_older(page, timedelta(hours=1))
    text, more = steps(staff, page)
    assert not more
    assert "no longer updated by itself" in text


def test_the_page_of_the_participant_tells_the_latest(staff: Client, peer: Peer, receiver: Receiver) -> None:
    participant = peer.register(receiver.url)
    first, second = send(staff, participant), send(staff, participant)

    text = staff.get(f"{PARTICIPANTS}{participant.pk}/change/").content.decode()
    assert f'href="{second}"' in text
    assert "being delivered" in text
    overview = staff.get(pages_of_tests(participant)).content.decode()
    assert f'href="{first}"' in overview
    assert f'href="{second}"' in overview


def test_a_test_belongs_to_its_participant(staff: Client, peer: Peer, receiver: Receiver) -> None:
    page = send(staff, peer.register(receiver.url))
    other = Peer("AGR", "other.example").register(receiver.url)
    number = page.rstrip("/").rpartition("/")[2]

    assert staff.get(f"{pages_of_tests(other)}{number}/").status_code == 404
    assert staff.get(f"{pages_of_tests(other)}{number}/steps/").status_code == 404


def test_who_may_only_look_sends_none(peer: Peer, receiver: Receiver) -> None:
    participant = peer.register(receiver.url)
    lee = User.objects.create_user("lee", is_staff=True)
    lee.user_permissions.set(
        Permission.objects.filter(codename__in=["view_participant", "see_every_participant"])
    )
    client = Client()
    client.force_login(lee)

    assert client.post(pages_of_tests(participant)).status_code == 403
    assert "Send" not in client.get(pages_of_tests(participant)).content.decode()
    assert not OutboundMessage.objects.exists()


def test_many_participants_are_tested_from_the_list(staff: Client, peer: Peer) -> None:
    chosen = [peer.register("http://127.0.0.1:9/"), Peer("DSO", "grid.example").register()]

    text = staff.post(
        PARTICIPANTS,
        {"action": "send_test_messages", "_selected_action": [str(each.pk) for each in chosen]},
        follow=True,
    ).content.decode()

    assert OutboundMessage.objects.count() == 2
    for test in OutboundMessage.objects.all():
        assert f"/test-message/{test.pk}/" in text
