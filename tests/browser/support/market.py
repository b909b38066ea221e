"""A small market for staff to look at, made by real messages of its participants up to a summer's day.

Two DSOs and six AGRs, sixty connections behind six congestion points. Names, numbers and moments are the same each
time, so that pictures of it are: messages are received by a clock that stands at the moment each was sent, and what
the database stamps by its own clock is put back to then.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256

from django.db import connection
from django.test import Client

from participants.keys import format_public_key
from participants.models import Participant
from participants.registration import add_or_update_participant
from registry.changes import Source
from registry.decisions.settle import settle
from registry.models import Change, Conflict
from registry.queries import coverage
from tests.browser.support import reserved
from tests.browser.support.dsl import (
    NOW,
    POINTS,
    ZONE,
    Market,
    behind,
    decided,
    home,
    point,
    say,
    standing,
    xml,
)
from tests.support.exchange import drain, handled_by, receive
from tests.support.peer import Peer
from tests.support.receiver import OK, Posted, Reply, receiving
from uftp.handlers import Incoming, Outcome
from uftp.models import InboundMessage, OutboundMessage


def market() -> Market:
    """Fill the database."""
    made = Market()
    with receiving() as receiver:
        receiver.reply = _reply
        _register(made)
        Participant.objects.update(endpoint=receiver.url)
        _publish(made)
        reserved.agree(made)
        _dispute(made)
        reserved.update_in_june(made)
        _today(made)
        reserved.update_today(made)
    _as_at_the_time(made)
    coverage.update_coverage(today=made.today, now=NOW)
    _look_up(made)
    return made


def _reply(posted: Posted, before: int) -> Reply:
    """What the participants' systems answer: one is under maintenance, one does not know the CRO, one refuses."""
    if refused := reserved.replied(posted):
        return refused
    recipient = posted.attributes["RecipientDomain"]
    if recipient == "buurtstroom.example" and posted.attributes["TimeStamp"] >= "2026-07":
        return 503, {}, b"Under maintenance"
    if recipient == "kustnet.example" and posted.attributes["TimeStamp"] >= "2026-07":
        return 403, {}, b"This CRO is not registered here"
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
    decided(at)


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
        decided(at)
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
    decided(at(7))
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
        message = receive(peer, xml(made, peer, at, "AGRPortfolioUpdate", _homes([home(38)], "2026-08-01")))
        InboundMessage.objects.filter(pk=message.pk).update(attempts=2)

        def fails(incoming: Incoming) -> Outcome:
            raise RuntimeError("No space left in the temporary folder")

        with handled_by("AGRPortfolioUpdate", fails):
            drain(peer)
    made.messages["set aside"] = message


def _refuse(made: Market, at: datetime) -> None:
    """Two refused requests: an unknown sender's, and one with somebody else's signature."""
    stranger = Peer("AGR", "onbekend.example", sha256(b"stranger").digest())
    forged = Peer("AGR", "zonkracht.example", sha256(b"forged").digest())
    with standing(at):
        for peer in (stranger, forged):
            content = xml(made, peer, at, "TestMessage")
            answer = Client().post(
                "/shapeshifter/api/v3/message", peer.envelope(content), content_type="text/xml; charset=utf-8"
            )
            assert 400 <= answer.status_code < 500, answer.content


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
    UPDATE registry_change c
    SET moment = m.received_at + CASE c.kind WHEN 'delivery' THEN interval '3 seconds' ELSE interval '1 second' END
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
    # What is passed on is given up at its deadline.
    """
    UPDATE uftp_outboundmessage o SET give_up_at = u.deadline
    FROM reservations_reservationupdate u WHERE u.message_id = o.passes_on_id
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
        made.outbound[state] = OutboundMessage.objects.filter(state=state, passes_on=None)[0]


__all__ = ["NOW", "PUT_BACK", "Market", "behind", "home", "market", "point", "say", "standing"]
