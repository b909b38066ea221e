"""Congestion points that end, and refusals, over DSOPortfolioUpdates: what is answered on which day.

The rules themselves are told in `tests/registry/updates/`. Here each comes as a message, on the market's day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta

import pytest
from lxml import etree

from registry.changes import Source
from registry.decisions.settle import settle
from registry.market.policies import set_policy
from registry.models import Conflict, CongestionPointConnection, CongestionPointTerms
from registry.periods import list_in_words
from tests.support.eans import ean
from tests.support.exchange import exchange
from tests.support.peer import Peer

pytestmark = pytest.mark.django_db(transaction=True)

TODAY = date(2030, 6, 12)
P, Q = ean(87100000000000001), ean(87100000000000002)
X, Y, Z = (ean(87160000000000000 + number) for number in (1, 2, 3))
ACCEPTED = ("Accepted", None)

Entry = tuple[str, int, int | None, Iterable[str]]
"""A congestion point, its first and last day counted from TODAY, and the connections listed with the same days."""


class Day:
    """The market's day, which the test sets, and what DSOs send on it."""

    def __init__(self, stop_clock: Callable[[datetime], None]) -> None:
        self.stop_clock = stop_clock
        self.go_to(0)

    def go_to(self, day: int) -> None:
        self.now = datetime(2030, 6, 12, 10, tzinfo=UTC) + timedelta(days=day)
        self.stop_clock(self.now)

    def send(self, dso: Peer, *entries: Entry, terms: Iterable[str] = ()) -> tuple[str | None, str | None]:
        """Have an update handled, and return its result and reason; `terms` are the entries' mutex attributes."""
        mutex = [*terms, *["false"] * len(entries)]
        inside = "".join(
            f"<CongestionPoint EntityAddress={point!r} {days(first, last)} MutexOffersSupported={offers!r}"
            " DayAheadRedispatchBy='AGR'>"
            + "".join(f"<Connection EntityAddress={each!r} {days(first, last)}/>" for each in listed)
            + "</CongestionPoint>"
            for (point, first, last, listed), offers in zip(entries, mutex, strict=False)
        )
        content = dso.xml(
            "DSOPortfolioUpdate", inside, TimeZone="Europe/Amsterdam", TimeStamp=self.now.isoformat()
        )
        answer = etree.fromstring(exchange(dso, content).content)
        return answer.get("Result"), answer.get("RejectionReason")


def on(day: int) -> date:
    return TODAY + timedelta(days=day)


def days(first: int, last: int | None) -> str:
    end = "" if last is None else f" EndPeriod='{on(last)}'"
    return f"StartPeriod='{on(first)}'{end}"


def warning(*texts: str) -> tuple[str, str]:
    return "Accepted", "Warning: " + "; ".join(f"Period out of bounds: {text}" for text in texts)


def stays(block: str) -> str:
    return f"{P} ({block}) has a separate, later period, which is kept"


CLIPPED = f"{P} (1 connection) clipped with the congestion point"


def of_point(dso: Peer, point: str = P) -> str:
    rows = CongestionPointTerms.objects.current().filter(
        congestion_point__address=point, congestion_point__dso__domain=dso.domain
    )
    return list_in_words(sorted((row.period for row in rows), key=lambda period: period.lower))


def of_connection(dso: Peer, connection: str, point: str = P) -> list[str]:
    rows = CongestionPointConnection.objects.current().filter(
        dso__domain=dso.domain, connection__address=connection, congestion_point__address=point
    )
    return [f"{row.standing} {list_in_words([row.period])}" for row in rows.order_by("period")]


def period(first: int, last: int | None = None) -> str:
    return f"from {on(first)}" if last is None else f"{on(first)} to {on(last)}"


@pytest.fixture
def day(stop_clock: Callable[[datetime], None]) -> Day:
    return Day(stop_clock)


@pytest.fixture
def dsos(day: Day) -> list[Peer]:
    peers = [Peer("DSO") for _ in range(3)]
    for peer in peers:
        peer.register()
    return peers


@pytest.fixture
def dso(dsos: list[Peer]) -> Peer:
    return dsos[0]


def test_D5_a_message_that_corrects_an_old_block_leaves_the_current_one(day: Day, dso: Peer) -> None:
    day.send(dso, (P, -50, -20, [X]))
    assert day.send(dso, (P, -5, None, [X])) == ACCEPTED
    assert day.send(dso, (P, -50, -21, [X])) == warning(stays(period(-5)))
    assert of_point(dso) == f"{period(-50, -21)}, {period(-5)}"
    assert of_connection(dso, X) == [f"effective {period(-5)}"]


def test_D5_a_message_that_ends_a_point_means_the_same_on_the_next_day(day: Day, dso: Peer) -> None:
    day.send(dso, (P, -5, None, [X]))
    assert day.send(dso, (P, -5, 0, [X]), (Q, 0, 0, [X])) == warning(CLIPPED)
    for later in (0, 1, 2):
        day.go_to(later)
        assert day.send(dso, (P, -5, 0, [X]), (Q, 0, 0, [X])) == ACCEPTED
        assert of_point(dso) == period(-5, -1)
        assert of_point(dso, Q) == ""
    left = f"{P} (1 connection) clipped earlier with the congestion point and not brought back"
    assert day.send(dso, (P, -5, 1, [X])) == warning(left), (
        "both days are over, and the point reaches further"
    )
    assert of_point(dso) == period(-5, 1)


@pytest.mark.parametrize("start", [-50, 0])
def test_D5_a_message_that_ends_a_point_says_that_a_later_block_stays(
    day: Day, dso: Peer, start: int
) -> None:
    day.send(dso, (P, -50, 10, [Y]))
    day.send(dso, (P, 20, None, [X]))
    assert day.send(dso, (P, start, 0, [Y])) == warning(stays(period(20)), CLIPPED)
    assert of_point(dso) == f"{period(-50, -1)}, {period(20)}"
    assert of_connection(dso, X) == [f"effective {period(20)}"]


def test_D6_a_message_counts_what_any_of_its_entries_clips(day: Day, dso: Peer) -> None:
    day.send(dso, (P, -50, None, [X, Y]))
    told = day.send(dso, (P, -50, -1, [X]), (P, 0, 30, [X]), terms=["false", "true"])
    assert told == warning(CLIPPED)
    assert of_connection(dso, Y) == [f"effective {period(-50, 30)}"]


def test_D7_a_message_does_not_omit_what_it_names_under_an_entry_that_ends(day: Day, dso: Peer) -> None:
    set_policy("omitted connections", "end", actor="clerk")
    day.send(dso, (P, -50, None, [X, Y, Z]))
    assert day.send(dso, (P, -50, -1, [Y]), (P, 0, None, [X])) == ACCEPTED
    assert of_connection(dso, Y) == [f"effective {period(-50)}"]
    assert of_connection(dso, Z) == [f"effective {period(-50, 0)}"]


def keep() -> None:
    """Have staff leave the days of the only open conflict with their holder."""
    settle(
        Conflict.objects.get(closed_by=None).pk,
        "keep",
        at=None,
        source=Source.of_staff("clerk", "agreed"),
        today=TODAY,
    )


def test_C3_a_message_does_not_evade_a_refusal_at_another_point(day: Day, dsos: list[Peer]) -> None:
    first, _, third = dsos
    day.send(first, (P, 0, None, [Z]))
    day.send(third, (P, 0, None, [Z]))
    keep()
    set_policy("membership conflicts", "allow", actor="clerk")
    day.go_to(1)
    assert day.send(third, (Q, 0, None, [Z])) == ACCEPTED
    assert of_connection(third, Z) == of_connection(third, Z, Q) == [f"refused {period(0)}"]
    assert of_connection(first, Z) == [f"effective {period(0)}"]


def test_C3_a_message_of_who_got_the_day_opens_it_against_the_next_holder(day: Day, dsos: list[Peer]) -> None:
    first, second, third = dsos
    day.send(first, (P, 0, None, [Z]))
    day.send(third, (P, 0, None, [Z]))
    keep()
    set_policy("membership conflicts", "allow", actor="clerk")
    day.go_to(1)
    day.send(second, (P, 0, None, [Z]))
    set_policy("membership conflicts", "hold", actor="clerk")
    day.go_to(2)
    day.send(first, (P, 1, 0, []))
    assert of_connection(third, Z) == [f"refused {on(0)}", f"contested {period(1)}"]
    opened = Conflict.objects.get(closed_by=None)
    assert (opened.holder.domain, opened.claimant.domain) == (second.domain, third.domain)
