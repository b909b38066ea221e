"""What staff see of messages that are passed on: for whom, to whom, and that only the sender sends one again."""

import html
import json
import re
import uuid
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.db import transaction
from django.test import Client
from django.utils import timezone
from guardian.shortcuts import assign_perm

from participants.models import AuditEntry, Participant
from tests.support.exchange import receive
from tests.support.peer import Peer
from uftp.connectivity import send_test_message
from uftp.delivery.forwarding import pass_on
from uftp.models import DeliveryAttempt, InboundMessage, OutboundMessage

pytestmark = pytest.mark.django_db(transaction=True)

IN, OUT = "/admin/uftp/inboundmessage/", "/admin/uftp/outboundmessage/"
AGR, DSO = "flex.example", "grid.example"
PEERS = {AGR: Peer("AGR", AGR), DSO: Peer("DSO", DSO)}


@pytest.fixture
def participants() -> dict[str, Participant]:
    return {domain: peer.register(f"http://127.0.0.1:9/{domain}") for domain, peer in PEERS.items()}


@pytest.fixture
def received(participants: dict[str, Participant]) -> InboundMessage:
    """A message of the DSO's that is passed on to the AGR; any type will do."""
    received = receive(PEERS[DSO], PEERS[DSO].xml())
    InboundMessage.objects.update(state="processed", result="Accepted")
    with transaction.atomic():
        until = timezone.now() + timedelta(hours=1)
        pass_on(received, recipient_role="AGR", recipient_domain=AGR, until=until, now=timezone.now())
    return received


@pytest.fixture
def passing(received: InboundMessage) -> OutboundMessage:
    return received.passings.get()


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("kim", password="kim"))
    return client


@pytest.fixture
def limited(client: Client, participants: dict[str, Participant]) -> Client:
    """Staff who may do whatever there is to do with messages, for nobody so far."""
    user = User.objects.create_user("sam", password="sam", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(codename__startswith="view_")
        | Permission.objects.filter(codename__in=["change_inboundmessage", "change_outboundmessage"])
    )
    client.force_login(user)
    return client


def page_text(client: Client, page: str) -> str:
    answer = client.get(page)
    assert answer.status_code == 200, (page, answer.status_code)
    return html.unescape(answer.content.decode())


def page_of(message: InboundMessage | OutboundMessage) -> str:
    return f"{IN if isinstance(message, InboundMessage) else OUT}{message.pk}/change/"


def test_the_two_messages_lead_to_each_other(
    staff: Client, received: InboundMessage, passing: OutboundMessage
) -> None:
    sent, came = page_text(staff, page_of(passing)), page_text(staff, page_of(received))
    assert f'<a href="{page_of(received)}">DSO {DSO}</a>, as it signed it' in sent
    assert f'<a href="{page_of(passing)}">AGR {AGR}</a>' in came
    assert "Waiting" in came
    assert "It is not passed on any more from " in sent
    assert f"AGR {AGR}, passed on" in page_text(staff, OUT)
    at = timezone.now()
    OutboundMessage.objects.update(state="delivered", finished_at=at, next_attempt_at=None)
    came = page_text(staff, page_of(received))
    assert "Delivered</span> at " in came
    assert "Answered by" not in came


def test_what_is_passed_on_is_not_shown_as_accepted(
    staff: Client, participants: dict[str, Participant], received: InboundMessage, passing: OutboundMessage
) -> None:
    """Its recipient answers it: not in its page, a list, its filters, a file, its sender's page or the dashboard."""
    own = receive(PEERS[DSO], PEERS[DSO].xml())
    InboundMessage.objects.filter(pk=own.pk).update(state="processed", result="Accepted", reason="taken")
    party = f"/admin/participants/participant/{participants[DSO].pk}/change/"
    InboundMessage.objects.filter(pk=received.pk).update(received_at=timezone.now())

    def badges(page: str) -> list[str]:
        return [
            text for text in re.findall(r'class="badge[^"]*">([^<]*)</span>', page) if text != "Processed"
        ]

    def told(state: str, words: str) -> None:
        OutboundMessage.objects.update(state=state, finished_at=timezone.now())
        assert badges(page_text(staff, IN)) == ["Accepted", words]
        assert badges(page_text(staff, page_of(received)))[0] == words
        assert badges(page_text(staff, f"{IN}?result=Accepted")) == ["Accepted"]
        assert badges(page_text(staff, f"{IN}?result=passed+on")) == [words]
        exported = staff.get(f"{IN}export/").getvalue().decode().splitlines()
        assert [words in line and "Accepted" not in line for line in exported[1:]] == [False, True]
        lines = _run("--in").splitlines()
        assert lines[0].endswith("processed Accepted taken")
        assert lines[1].endswith(f"processed {words.lower()} to AGR {AGR}")

    told("waiting", "Being passed on")
    told("delivered", "Passed on")
    told("failed", "Passed on")
    assert "Accepted" in page_text(staff, party)
    InboundMessage.objects.filter(pk=own.pk).delete()
    assert "TestMessage, Passed on" in page_text(staff, party)
    card = re.search(r'<th scope="row">TestMessage</th>(.*?)</tr>', page_text(staff, "/admin/"))
    assert card
    assert re.findall(r">([0-9]+)<", card[1]) == ["0", "0", "1", "0"]
    InboundMessage.objects.update(result="Rejected", reason="Undeliverable: gone")
    assert badges(page_text(staff, IN)) == ["Rejected"]
    assert page_text(staff, f"{IN}?result=passed+on").count('class="badge') == 0
    assert _run("--in").strip().endswith("processed Rejected Undeliverable: gone")
    row = json.loads(_run("--in", "--json"))[0]
    assert (row["result"], row["passed_on_to"], row["passing"]) == ("Rejected", f"AGR {AGR}", "failed")


@pytest.mark.parametrize("state", ["failed", "delivered"])
def test_nothing_is_tried_again_of_what_waits_no_more(
    staff: Client, participants: dict[str, Participant], passing: OutboundMessage, state: str
) -> None:
    own = send_test_message(participants[AGR], timezone.now())
    for message in (passing, own):
        for status, detail in ((None, "ConnectError: refused"), (419, "HTTP 419"), (503, "HTTP 503")):
            DeliveryAttempt.objects.create(
                message=message,
                started_at=timezone.now(),
                status=status,
                outcome="temporary",
                detail=detail,
            )
        assert page_text(staff, page_of(message)).count("It is tried again by itself.") == 3
    OutboundMessage.objects.update(state=state, finished_at=timezone.now(), next_attempt_at=None)
    for page in (page_of(passing), page_of(own), "/admin/uftp/deliveryattempt/"):
        text = page_text(staff, page)
        assert "tried again by itself" not in text
        assert "Nobody answers at this address" in text
        assert "public key" in text


def test_other_messages_say_nothing_of_passing_on(
    staff: Client, participants: dict[str, Participant]
) -> None:
    own = send_test_message(participants[AGR], timezone.now())
    assert "assed on" not in page_text(staff, page_of(own))
    assert ", passed on" not in page_text(staff, OUT)


def test_what_was_passed_on_in_vain_is_not_among_what_staff_are_to_send_again(
    staff: Client, participants: dict[str, Participant], passing: OutboundMessage
) -> None:
    own = send_test_message(participants[AGR], timezone.now())
    OutboundMessage.objects.update(state="failed", finished_at=timezone.now())
    dashboard = page_text(staff, "/admin/")
    found = re.search(r'href="(/admin/uftp/outboundmessage/\?[^"]*state__exact=failed[^"]*)"', dashboard)
    assert found
    card = page_text(staff, f"/admin/participants/participant/{participants[AGR].pk}/change/")
    linked = re.search(r'href="(/admin/uftp/outboundmessage/\?[^"]*state__exact=failed[^"]*)">1</a>', card)
    assert linked
    for failed in (found[1], linked[1]):
        page = page_text(staff, failed)
        assert page_of(own) in page
        assert page_of(passing) not in page
    page = page_text(staff, f"{OUT}?passed_on=yes")
    assert page_of(passing) in page
    assert page_of(own) not in page


@pytest.mark.parametrize("state", ["failed", "delivered"])
def test_it_is_not_offered_to_be_sent_again(
    staff: Client, participants: dict[str, Participant], passing: OutboundMessage, state: str
) -> None:
    """Neither from its page nor by its address, nor among others in the list."""
    own = send_test_message(participants[AGR], timezone.now())
    OutboundMessage.objects.update(state=state, finished_at=timezone.now(), attempts=7)
    page = page_text(staff, page_of(passing))
    assert "send-again" not in page
    assert ("Only its sender can send it again" in page) == (state == "failed")
    again = f"{OUT}{passing.pk}/send-again/"
    for answer in (staff.get(again, follow=True), staff.post(again, {"reason": "because"}, follow=True)):
        assert "only its sender can send it again" in html.unescape(answer.content.decode())
    chosen = {"action": "send_again", "_selected_action": [passing.pk, own.pk]}
    text = staff.post(OUT, chosen).content.decode()
    assert "1 of the selected messages is left out" in text
    response = staff.post(OUT, {**chosen, "reason": "because"}, follow=True)
    assert b"1 message is to be sent again" in response.content
    passing.refresh_from_db()
    own.refresh_from_db()
    assert (passing.state, passing.attempts, own.state, own.attempts) == (state, 7, "waiting", 0)
    assert [entry.subject for entry in AuditEntry.objects.filter(action="send again")] == [
        f"{own} to AGR {AGR}"
    ]


@pytest.mark.parametrize(
    ("status", "outcome", "means"),
    [
        (401, "permanent", "which is that of the message's sender"),
        (419, "temporary", "the public key of the message's sender"),
        (403, "permanent", "It is not passed on again: its sender has to see to it"),
        (503, "temporary", "It is tried again by itself"),
    ],
)
def test_an_attempt_means_what_it_means_for_the_sender(
    staff: Client, passing: OutboundMessage, status: int, outcome: str, means: str
) -> None:
    attempt = DeliveryAttempt.objects.create(
        message=passing, started_at=timezone.now(), status=status, outcome=outcome, detail=f"HTTP {status}"
    )
    for page in (page_of(passing), f"/admin/uftp/deliveryattempt/{attempt.pk}/change/"):
        text = page_text(staff, page)
        assert means in text
        assert "send it again" not in text
        assert "this CRO's public key" not in text


def test_limited_staff_see_it_with_its_recipient_and_follow_links_to_what_they_may_see(
    limited: Client,
    participants: dict[str, Participant],
    received: InboundMessage,
    passing: OutboundMessage,
) -> None:
    assert limited.get(page_of(passing)).status_code == limited.get(page_of(received)).status_code == 404
    user = User.objects.get(username="sam")
    assign_perm("participants.change_participant", user, participants[AGR])
    sent = page_text(limited, page_of(passing))
    assert f"DSO {DSO}, as it signed it" in sent
    assert page_of(received) not in sent
    assert limited.get(page_of(received)).status_code == 404
    assign_perm("participants.change_participant", user, participants[DSO])
    assert page_of(received) in page_text(limited, page_of(passing))
    user.userobjectpermission_set.filter(object_pk=participants[AGR].pk).delete()
    came = page_text(limited, page_of(received))
    assert f"AGR {AGR}" in came
    assert page_of(passing) not in came
    assert limited.get(page_of(passing)).status_code == 404


def test_the_lists_for_scripts_name_the_envelopes_sender(
    participants: dict[str, Participant], received: InboundMessage, passing: OutboundMessage
) -> None:
    send_test_message(participants[AGR], timezone.now())
    rows = json.loads(_run("--out", "--json"))
    found = [(row["passes_on"], row["sender_role"], row["sender_domain"]) for row in rows]
    assert found == [(None, "CRO", "cro.example"), (received.pk, "DSO", DSO)]
    own, passed_on, came = _run().splitlines()
    assert f"passed on for DSO {DSO}, waiting" in passed_on
    assert "passed on" not in own
    assert came.endswith(f"processed being passed on to AGR {AGR}")
    assert "passes_on" not in json.loads(_run("--in", "--json"))[0]


def _run(*arguments: str) -> str:
    out = StringIO()
    call_command("list_messages", *arguments, stdout=out)
    return out.getvalue()


def test_one_behind_another_is_not_said_to_be_tried(
    staff: Client, received: InboundMessage, passing: OutboundMessage
) -> None:
    now = timezone.now()
    received.pk, received.message_id = None, str(uuid.uuid4())
    received.save()
    later = pass_on(
        received,
        recipient_role=passing.recipient_role,
        recipient_domain=passing.recipient_domain,
        until=now + timedelta(hours=1),
        now=now,
    )
    page = page_text(staff, page_of(OutboundMessage.objects.get(pk=later)))
    first = f'<a href="{page_of(passing)}">message {passing.pk}</a>'
    assert f"It is delivered after {first} of the same sender." in page
    assert "is due" not in page
    assert "Attempt 1 is due" in page_text(staff, page_of(passing))
    OutboundMessage.objects.filter(pk=passing.pk).update(state="delivered", next_attempt_at=None)
    assert "Attempt 1 is due" in page_text(staff, page_of(OutboundMessage.objects.get(pk=later)))
