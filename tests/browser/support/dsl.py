"""How the market of the browser tests is said: its participants' messages, and a clock that stands at each's moment."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from django.test import override_settings

from participants.models import Participant
from registry.models import Conflict
from reservations.models import Contract, ReservationUpdate
from tests.support.eans import ean
from tests.support.exchange import drain, receive
from tests.support.peer import Peer
from uftp.delivery import deliver
from uftp.models import InboundMessage, OutboundMessage

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Amsterdam")

POINTS = {
    "harbour": ("stroomnet.example", 1),
    "mill": ("stroomnet.example", 2),
    "station": ("stroomnet.example", 3),
    "north": ("stroomnet.example", 4),
    "beach": ("kustnet.example", 5),
    "dunes": ("kustnet.example", 6),
}
"""Name to DSO and number; ten connections lie behind each."""


def home(number: int) -> str:
    """The entity address of connection 1 to 60; those behind a point follow one another."""
    return ean(f"8716859000000{number:04d}")


def point(name: str) -> str:
    dso, number = POINTS[name]
    return f"ea1.2025-11.{'.'.join(reversed(dso.split('.')))}:{name}-{number:02d}"


def behind(name: str) -> list[str]:
    """The addresses of the connections behind a congestion point."""
    first = (POINTS[name][1] - 1) * 10 + 1
    return [home(number) for number in range(first, first + 10)]


@dataclass
class Market:
    """What was made, by the names that tests use."""

    now: datetime = NOW
    participants: dict[str, Participant] = field(default_factory=dict)
    """By domain."""
    peers: dict[str, Peer] = field(default_factory=dict)
    """By domain: with the keys, to send further messages."""
    messages: dict[str, InboundMessage] = field(default_factory=dict)
    """`old`, `given`, `kept`, `membership`, `several` and `third` (the same connection), `takeover` (twelve),
    `accepted`, `rejected`, `suspended`, `set aside`."""
    conflicts: dict[str, Conflict] = field(default_factory=dict)
    """`old`, `takeover` (one of twelve), `several` (one of two), `membership` (one of two), `given`, `kept`."""
    outbound: dict[str, OutboundMessage] = field(default_factory=dict)
    """`waiting`, `failed`."""
    contracts: dict[str, Contract] = field(default_factory=dict)
    """By ContractID: see `tests/browser/support/reserved.py`."""
    updates: dict[str, ReservationUpdate] = field(default_factory=dict)
    """`accepted`, `rejected`, `first`, `second`, `third` (of one day), `exception`, `settled` (undone before),
    `passed on`, `undone`, `received`."""

    @property
    def today(self) -> date:
        return self.now.astimezone(ZONE).date()


@contextmanager
def standing(at: datetime) -> Iterator[None]:
    """The clock stands at `at`."""
    with override_settings(DEBUG=True, CRO_NOW=at):
        yield


def say(
    made: Market, domain: str, at: datetime, message_type: str, inside: str = "", **attributes: str
) -> InboundMessage:
    """Have the participant `domain` send a message at `at`, the CRO handle it, and its answers delivered."""
    peer = made.peers[domain]
    with standing(at):
        message = receive(peer, xml(made, peer, at, message_type, inside, **attributes))
        drain(peer)
        deliver.deliver_due(peer.role, peer.domain, wake=lambda role, domain: None)
    return message


def xml(
    made: Market, peer: Peer, at: datetime, message_type: str, inside: str = "", **attributes: str
) -> bytes:
    number = InboundMessage.objects.count()
    said: dict[str, Any] = {
        "TimeStamp": at.isoformat(),
        "MessageID": str(uuid.uuid5(uuid.NAMESPACE_DNS, f"message {number} of {peer.domain}")),
        "ConversationID": str(uuid.uuid5(uuid.NAMESPACE_DNS, f"conversation {number} of {peer.domain}")),
        **({"TimeZone": ZONE.key} if "Portfolio" in message_type else {}),
        **attributes,
    }
    return peer.xml(message_type, inside, **said)


def decided(at: datetime) -> None:
    """Put what staff decided last back to `at`; entries are in the order of their moments."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE participants_auditentry DISABLE TRIGGER USER")
        cursor.execute(
            """
            UPDATE participants_auditentry SET moment = %(at)s
            WHERE id > (SELECT coalesce(max(id), 0) FROM participants_auditentry WHERE moment < %(at)s)
            """,
            {"at": at},
        )
        cursor.execute("ALTER TABLE participants_auditentry ENABLE TRIGGER USER")
