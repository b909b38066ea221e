"""Messages that are passed on: the sender's own bytes, until a moment, and what becomes of them told once."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from xml.etree import ElementTree

import pytest
from django.db import transaction
from django.utils import timezone

from participants import clock
from tests.support.exchange import drain, handled_by, receive
from tests.support.peer import Peer
from tests.support.receiver import Receiver, receiving
from uftp import answering, delivery
from uftp.handling import Incoming, Outcome, Party, Passed
from uftp.models import OutboundMessage
from uftp.passing_on import pass_on
from uftp.sealing import unseal

pytestmark = pytest.mark.django_db(transaction=True)

ISPS = '<ISP Power="-500000" Start="1" Duration="4"/>'
UPDATE = {
    "ISP-Duration": "PT15M",
    "TimeZone": "Europe/Amsterdam",
    "Period": "2026-12-01",
    "CongestionPoint": "ean.871600000000000001",
    "ContractID": "contract 1",
    "Reference": "reference 1",
}


@dataclass
class App:
    """An app that passes each FlexReservationUpdate on to `agr`, and keeps what it is told came of it."""

    agr: Peer
    seconds: float = 3600.0
    told: list[Passed] = field(default_factory=list)
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
        return Outcome(answered_by=f"AGR {self.agr.domain}", wakes=(("AGR", self.agr.domain),))

    def passed_on(self, passed: Passed) -> list[Party]:
        """Rejects what was not delivered; before that, fails as often as told."""
        assert transaction.get_connection().in_atomic_block
        if not passed.delivered:
            answering.reject_afterwards(passed.inbound, ["Undeliverable"], passed.at)
        if self.fails:
            self.fails -= 1
            raise RuntimeError("the app fails")
        self.told.append(passed)
        return [] if passed.delivered else [(passed.inbound.sender.role, passed.inbound.sender.domain)]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def dso() -> Peer:
    sender = Peer("DSO")
    sender.register()
    return sender


@pytest.fixture
def agr(receiver: Receiver) -> Peer:
    recipient = Peer("AGR")
    recipient.register(receiver.url)
    return recipient


@pytest.fixture
def app(agr: Peer) -> Iterator[App]:
    made = App(agr)
    with handled_by(
        "FlexReservationUpdate", made.handle, may_be_addressed_to=lambda _: True, passed_on=made.passed_on
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
    (told,) = app.told
    assert (told.inbound, told.delivered, told.detail, told.endpoint) == (
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
    (told,) = app.told
    assert (told.delivered, told.expired, told.detail) == (False, False, "HTTP 403: no")
    received.refresh_from_db()
    assert (received.state, received.result, received.reason) == ("processed", "Rejected", "Undeliverable")
    answer = OutboundMessage.objects.get(in_reply_to=received)
    said = ElementTree.fromstring(answer.content)
    assert (said.tag, answer.version) == ("FlexReservationUpdateResponse", version)
    reference = "ReferenceMessageID" if major == 4 else "FlexReservationUpdateMessageID"
    assert said.attrib[reference].lower() == received.message_id
    assert (said.attrib["Result"], said.attrib["RejectionReason"]) == ("Rejected", "Undeliverable")
    assert said.attrib["ConversationID"] == received.conversation_id
    with pytest.raises(ValueError, match="left without an answer"):
        answering.reject_afterwards(received, ["again"], timezone.now())
