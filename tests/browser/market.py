"""A small market for staff to look at, made by real messages of its participants up to a summer's day.

Two DSOs and six AGRs, sixty connections behind six congestion points. Names, numbers and moments are the same each
time, so that pictures of it are: messages are received by a clock that stands at the moment each was sent, and what
the database stamps by its own clock is put back to then.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from django.test import Client, override_settings

from participants.keys import format_public_key
from participants.models import Participant
from participants.registering import add_or_update_participant
from registry import coverage
from registry.changes import Source
from registry.conflicts import settle
from registry.models import Change, Conflict
from tests.support.exchange import drain, handled_by, receive
from tests.support.peer import Peer
from tests.support.receiver import OK, Posted, Reply, receiving
from uftp import delivery
from uftp.handling import Incoming, Outcome
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
    return f"ean.8716859000000{number:05d}"


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

    @property
    def today(self) -> date:
        return self.now.astimezone(ZONE).date()


@contextmanager
def standing(at: datetime) -> Iterator[None]:
    """The clock stands at `at`."""
    with override_settings(DEBUG=True, CRO_NOW=at):
        yield


def market() -> Market:
    """Fill the database."""
    made = Market()
    with receiving() as receiver:
        receiver.reply = _reply
        _register(made)
        Participant.objects.update(endpoint=receiver.url)
        _publish(made)
        _dispute(made)
        _today(made)
    _as_at_the_time(made)
    coverage.count(today=made.today, now=NOW)
    _look_up(made)
    return made


def _reply(posted: Posted, before: int) -> Reply:
    """What the participants' systems answer: one is under maintenance, one has lost the CRO's key."""
    recipient = posted.said["RecipientDomain"]
    if recipient == "buurtstroom.example" and posted.said["TimeStamp"] >= "2026-07":
        return 503, {}, b"Under maintenance"
    if recipient == "kustnet.example" and posted.said["TimeStamp"] >= "2026-07":
        return 401, {}, b"The signature does not verify"
    return OK


def _register(made: Market) -> None:
    at = datetime(2025, 12, 1, 9, tzinfo=UTC)
    for role, domain, name, standing_ in (
        ("DSO", "stroomnet.example", "Stroomnet Nederland", "authorized"),
        ("DSO", "kustnet.example", "Kustnet", "authorized"),
        ("AGR", "flexwerk.example", "Flexwerk Energie", "authorized"),
        ("AGR", "zonkracht.example", "Zonkracht", "authorized"),
        ("AGR", "buurtstroom.example", "Buurtstroom Coöperatie", "authorized"),
        ("AGR", "stil.example", "Stil Vermogen", "authorized"),
        ("AGR", "nieuwkomer.example", "", "known"),
        ("AGR", "dwarsflex.example", "Dwarsflex", "authorized"),
    ):
        peer = Peer(role, domain, sha256(domain.encode()).digest())
        made.peers[domain] = peer
        made.participants[domain], _ = add_or_update_participant(
            role=role,
            domain=domain,
            public_key=format_public_key(peer.public_key),
            endpoint=f"https://uftp.{domain}/shapeshifter/api/v3/message",
            name=name,
            standing=standing_,
            actor="lee",
            now=at,
        )
    _decided(at)


def _publish(made: Market) -> None:
    """Both DSOs' congestion points, and who represents whom since the beginning of the year."""
    for dso, minute in (("stroomnet.example", 0), ("kustnet.example", 20)):
        begin = datetime(2026, 1, 5, 9, minute, tzinfo=UTC)
        lines = "".join(_point(name) for name, (its_dso, _) in POINTS.items() if its_dso == dso)
        say(made, dso, begin, "DSOPortfolioUpdate", lines)
    flexwerk = [*behind("harbour"), *behind("mill")[:8], *behind("beach")[:4]]
    say(
        made,
        "flexwerk.example",
        datetime(2026, 1, 6, 8, 30, tzinfo=UTC),
        "AGRPortfolioUpdate",
        _homes(flexwerk),
    )
    zonkracht = [*behind("station")[:5], *behind("dunes")[:6]]
    say(
        made,
        "zonkracht.example",
        datetime(2026, 1, 6, 10, tzinfo=UTC),
        "AGRPortfolioUpdate",
        _homes(zonkracht),
    )
    ends = _homes(behind("north")[:2], last="2026-12-31")
    say(made, "buurtstroom.example", datetime(2026, 2, 2, 14, tzinfo=UTC), "AGRPortfolioUpdate", ends)


def _dispute(made: Market) -> None:
    """What was contested and settled in June, and what is open: one connection, several claimants, two DSOs, twelve."""
    mill = behind("mill")
    _claim(
        made, "old", "buurtstroom.example", datetime(2026, 5, 20, 7, 45, tzinfo=UTC), mill[:1], "2026-06-01"
    )
    _claim(made, "given", "zonkracht.example", datetime(2026, 6, 8, 9, tzinfo=UTC), mill[1:2], "2026-07-01")
    _claim(made, "kept", "buurtstroom.example", datetime(2026, 6, 9, 9, tzinfo=UTC), mill[2:3], "2026-07-01")
    for name, decision, at, reason in (
        (
            "given",
            "give",
            datetime(2026, 6, 10, 9, 15, tzinfo=UTC),
            "The prosumer signed with Zonkracht on 2 June.",
        ),
        (
            "kept",
            "keep",
            datetime(2026, 6, 11, 15, tzinfo=UTC),
            "Buurtstroom has no contract with this prosumer.",
        ),
    ):
        conflict = Conflict.objects.get(opened_by__message=made.messages[name])
        by = Source.of_staff("lee", reason)
        change = settle(conflict.pk, decision, at=None, source=by, today=at.astimezone(ZONE).date())
        Change.objects.filter(pk=change).update(moment=at)
        _decided(at)
        made.conflicts[name] = conflict
    claimed = _point("beach", also=behind("north")[8:])
    made.messages["membership"] = say(
        made, "kustnet.example", datetime(2026, 6, 15, 13, tzinfo=UTC), "DSOPortfolioUpdate", claimed
    )
    _claim(
        made, "several", "zonkracht.example", datetime(2026, 6, 24, 11, tzinfo=UTC), mill[3:4], "2026-08-01"
    )
    _claim(
        made, "third", "buurtstroom.example", datetime(2026, 6, 25, 12, tzinfo=UTC), mill[3:4], "2026-09-01"
    )
    twelve = [*behind("harbour"), *mill[4:6]]
    at = datetime(2026, 6, 30, 18, 20, tzinfo=UTC)
    _claim(made, "takeover", "zonkracht.example", at, twelve, "2026-08-01")


def _claim(made: Market, name: str, domain: str, at: datetime, homes: list[str], first: str) -> None:
    made.messages[name] = say(made, domain, at, "AGRPortfolioUpdate", _homes(homes, first))


def _today(made: Market) -> None:
    """The last 24 hours: questions, tests, rejections, a message set aside, answers that do not arrive."""

    def at(hour: int, minute: int = 0) -> datetime:
        return datetime(2026, 7, 1, hour, minute, tzinfo=UTC)

    day = {"Period": "2026-07-02"}
    for hour in (3, 4, 5):
        for minute, name in enumerate(("harbour", "mill", "station")):
            named = {"EntityAddress": point(name), **day}
            say(made, "stroomnet.example", at(hour, minute), "DSOPortfolioQuery", **named)
    say(made, "flexwerk.example", at(6, 15), "AGRPortfolioQuery", **day)
    say(made, "zonkracht.example", at(6, 40), "AGRPortfolioQuery", **day)
    add_or_update_participant(
        role="AGR",
        domain="dwarsflex.example",
        standing="suspended",
        actor="lee",
        now=at(7),
        reason="The contract ended on 30 June.",
    )
    _decided(at(7))
    say(made, "nieuwkomer.example", at(8, 5), "TestMessage")
    say(made, "flexwerk.example", at(8, 10), "TestMessage")
    backwards = f'<Connection EntityAddress="{home(60)}" StartPeriod="2026-09-01" EndPeriod="2026-08-01"/>'
    made.messages["rejected"] = say(made, "nieuwkomer.example", at(8, 20), "AGRPortfolioUpdate", backwards)
    say(made, "kustnet.example", at(8, 30), "DSOPortfolioQuery", EntityAddress=point("beach"), **day)
    _claim(made, "accepted", "buurtstroom.example", at(9, 30), behind("north")[2:4], "2026-08-01")
    say(made, "buurtstroom.example", at(9, 45), "AGRPortfolioQuery", **day)
    _claim(made, "suspended", "dwarsflex.example", at(10), [home(45)], "2026-08-01")
    _set_aside(made, at(10, 20))
    _refuse(made, at(11))


def _set_aside(made: Market, at: datetime) -> None:
    """A message whose handling failed three times for a reason of the CRO's."""
    peer = made.peers["flexwerk.example"]
    with standing(at):
        message = receive(peer, _xml(made, peer, at, "AGRPortfolioUpdate", _homes([home(38)], "2026-08-01")))
        InboundMessage.objects.filter(pk=message.pk).update(attempts=2)

        def fails(incoming: Incoming) -> Outcome:
            raise RuntimeError("No space left in the temporary folder")

        with handled_by("AGRPortfolioUpdate", fails):
            drain(peer)
    made.messages["set aside"] = message


def _refuse(made: Market, at: datetime) -> None:
    """Two posts that do not get past the door: a stranger, and somebody else's signature."""
    stranger = Peer("AGR", "onbekend.example", sha256(b"stranger").digest())
    forged = Peer("AGR", "zonkracht.example", sha256(b"forged").digest())
    with standing(at):
        for peer in (stranger, forged):
            content = _xml(made, peer, at, "TestMessage")
            answer = Client().post(
                "/shapeshifter/api/v3/message", peer.envelope(content), content_type="text/xml; charset=utf-8"
            )
            assert 400 <= answer.status_code < 500, answer.content


def say(
    made: Market, domain: str, at: datetime, message_type: str, inside: str = "", **attributes: str
) -> InboundMessage:
    """Have the participant `domain` send a message at `at`, the CRO handle it, and its answers delivered."""
    peer = made.peers[domain]
    with standing(at):
        message = receive(peer, _xml(made, peer, at, message_type, inside, **attributes))
        drain(peer)
        delivery.deliver_due(peer.role, peer.domain, wake=lambda role, domain: None)
    return message


def _xml(
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


def _homes(addresses: Iterable[str], first: str = "2026-01-01", last: str = "") -> str:
    end = f' EndPeriod="{last}"' if last else ""
    return "".join(
        f'<Connection EntityAddress="{address}" StartPeriod="{first}"{end}/>' for address in addresses
    )


def _point(name: str, also: Iterable[str] = ()) -> str:
    """A congestion point with its connections, and others from August on."""
    terms = 'MutexOffersSupported="true" DayAheadRedispatchBy="AGR" IntradayRedispatchBy="DSO"'
    lines = _homes(behind(name)) + _homes(also, "2026-08-01")
    return f'<CongestionPoint EntityAddress="{point(name)}" StartPeriod="2026-01-01" {terms}>{lines}</CongestionPoint>'


PUT_BACK = (
    # Changes, messages and deliveries bear the moments of their messages.
    """
    UPDATE registry_change c SET moment = m.received_at + interval '1 second'
    FROM uftp_inboundmessage m WHERE m.id = c.message_id
    """,
    """
    UPDATE uftp_inboundmessage SET processed_at = received_at + interval '1 second' WHERE processed_at IS NOT NULL
    """,
    """
    UPDATE uftp_outboundmessage SET
        give_up_at = created_at + interval '1 day',
        finished_at = created_at + (finished_at - finished_at) + interval '2 seconds',
        next_attempt_at = created_at + (next_attempt_at - next_attempt_at) + interval '3 hours'
    """,
    """
    UPDATE uftp_deliveryattempt a SET
        started_at = m.created_at + interval '1 second', finished_at = m.created_at + interval '2 seconds',
        endpoint = 'https://uftp.' || m.recipient_domain || '/shapeshifter/api/v3/message'
    FROM uftp_outboundmessage m WHERE m.id = a.message_id
    """,
    """
    UPDATE participants_participant SET
        created_at = '2025-12-01 09:00+00', endpoint = 'https://uftp.' || domain || '/shapeshifter/api/v3/message'
    """,
)


def _decided(at: datetime) -> None:
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


def _as_at_the_time(made: Market) -> None:
    with connection.cursor() as cursor:
        for statement in PUT_BACK:
            cursor.execute(statement)


def _look_up(made: Market) -> None:
    """The rows as they stand in the end."""
    opened = Conflict.objects.filter(closed_by=None).order_by("pk")
    for name in ("old", "takeover", "several", "membership"):
        made.conflicts[name] = opened.filter(opened_by__message=made.messages[name])[0]
    for name in ("given", "kept"):
        made.conflicts[name].refresh_from_db()
    for message in made.messages.values():
        message.refresh_from_db()
    for participant in made.participants.values():
        participant.refresh_from_db()
    for state in ("waiting", "failed"):
        made.outbound[state] = OutboundMessage.objects.filter(state=state)[0]


__all__ = ["NOW", "Market", "behind", "home", "market", "point", "say", "standing"]
