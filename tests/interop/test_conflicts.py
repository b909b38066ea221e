"""Two parties claim the same connection: what each of them reads, and what a settlement changes."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest

from demo.exchange import (
    ACCEPTED,
    NO_CONNECTIONS,
    Point,
    Portfolio,
    active_aggregators,
    agr_query,
    agr_update,
    ask,
    dso_query,
    dso_update,
    placeholder,
    portfolio,
    same,
)
from demo.participants import Participant
from tests.interop.conftest import Addresses, MakeParticipant
from tests.interop.running import RunningCro

DAY = timedelta(days=1)


def open_conflicts(cro: RunningCro, connection: str) -> list[dict[str, Any]]:
    """The open conflicts that name `connection`, as `list_conflicts` shows them."""
    rows = json.loads(cro.manage("list_conflicts", "--open", "--json"))
    return [row for row in rows if connection in json.dumps(row)]


def held(what: str, first: date) -> str:
    """The answer to a claim of days that another holds, open-ended from `first` on."""
    return f"Accepted: Warning: Connection conflict: {what} (from {first}) held by another, contested until settled"


def irregular(*texts: str, result: str = "Accepted: Warning") -> str:
    """The answer to a message with irregular periods."""
    return f"{result}: " + "; ".join(f"Period out of bounds: {text}" for text in texts)


@pytest.mark.parametrize("version", ["3.0.0", "3.1.0"])
def test_a_claim_of_a_connection_that_another_holds_is_held_with_a_warning(
    make_participant: MakeParticipant, addresses: Addresses, today: date, version: str
) -> None:
    dso, holder, claimant = (make_participant(role) for role in ("DSO", "AGR", "AGR"))
    point, connection = addresses.point(), addresses.connection()
    ask(dso, dso_update(point, today, None, (connection, today, None)), version)
    ask(holder, agr_update((connection, today, None)), version)

    claim = agr_update((connection, today + DAY, None))
    ask(claimant, claim, version, expected=held(connection, today + DAY))
    answer = ask(dso, dso_query(point, today + DAY), version)
    same("active aggregators", {point: [(connection, holder.domain)]}, active_aggregators(answer))
    mine = ask(claimant, agr_query(today + DAY), version)
    same("the claimant's portfolio", Portfolio((placeholder(dso.cro.domain),)), portfolio(mine))
    ask(claimant, agr_query(today), version, expected=NO_CONNECTIONS)


def test_the_daily_resending_of_a_whole_portfolio_does_not_undo_a_settlement(
    cro: RunningCro, make_participant: MakeParticipant, addresses: Addresses, today: date
) -> None:
    dso, loser, winner = (make_participant(role) for role in ("DSO", "AGR", "AGR"))
    point, (disputed, undisputed) = addresses.point(), addresses.connections(2)
    lines = [(disputed, today, None), (undisputed, today, None)]
    ask(dso, dso_update(point, today, None, *lines))
    ask(loser, agr_update(*lines))
    ask(winner, agr_update((disputed, today, None)), expected=held(disputed, today))
    (conflict,) = open_conflicts(cro, disputed)

    cro.manage("settle_conflict", str(conflict["id"]), "give", "--reason", "moved house")

    for _ in range(2):
        ask(loser, agr_update(*lines))
        ask(winner, agr_update((disputed, today, None)))
        expected = {point: [(disputed, winner.domain), (undisputed, loser.domain)]}
        same("aggregators", expected, active_aggregators(ask(dso, dso_query(point, today))))
        mine = Point(dso.domain, point, True, "AGR", "DSO", (undisputed,))
        same("the loser's portfolio", Portfolio((mine,)), portfolio(ask(loser, agr_query(today))))
        given = Point(dso.domain, point, True, "AGR", "DSO", (disputed,))
        same("the winner's portfolio", Portfolio((given,)), portfolio(ask(winner, agr_query(today))))
    assert open_conflicts(cro, disputed) == []


@pytest.mark.parametrize(("decision", "arguments"), [("keep", ()), ("split", ("--at",))])
def test_the_other_settlements_hold_too(
    cro: RunningCro,
    make_participant: MakeParticipant,
    addresses: Addresses,
    today: date,
    decision: str,
    arguments: tuple[str, ...],
) -> None:
    dso, holder, claimant = (make_participant(role) for role in ("DSO", "AGR", "AGR"))
    point, connection, at = addresses.point(), addresses.connection(), today + 5 * DAY
    ask(dso, dso_update(point, today, None, (connection, today, None)))
    ask(holder, agr_update((connection, today, None)))
    ask(claimant, agr_update((connection, today, None)), expected=held(connection, today))
    (conflict,) = open_conflicts(cro, connection)

    options = (*arguments, str(at)) if arguments else ()
    cro.manage("settle_conflict", str(conflict["id"]), decision, *options, "--reason", "agreed")

    ask(holder, agr_update((connection, today, None)))
    ask(claimant, agr_update((connection, today, None)))
    later = holder if decision == "keep" else claimant
    for day, party in ((today, holder), (at - DAY, holder), (at, later)):
        answer = ask(dso, dso_query(point, day))
        same(f"aggregator on {day}", {point: [(connection, party.domain)]}, active_aggregators(answer))


def test_a_freed_connection_goes_to_the_one_who_waits(
    cro: RunningCro, make_participant: MakeParticipant, addresses: Addresses, today: date
) -> None:
    dso, holder, claimant = (make_participant(role) for role in ("DSO", "AGR", "AGR"))
    point, connection = addresses.point(), addresses.connection()
    ask(dso, dso_update(point, today, None, (connection, today, None)))
    ask(holder, agr_update((connection, today, None)))
    ask(claimant, agr_update((connection, today, None)), expected=held(connection, today))

    ask(holder, agr_update((connection, today, today)))

    for day, party in ((today, holder), (today + DAY, claimant)):
        answer = ask(dso, dso_query(point, day))
        same(f"aggregator on {day}", {point: [(connection, party.domain)]}, active_aggregators(answer))
    ask(holder, agr_query(today + DAY), expected=NO_CONNECTIONS)


def test_a_connection_behind_anothers_congestion_point_is_held_with_a_warning(
    make_participant: MakeParticipant, addresses: Addresses, today: date
) -> None:
    holder, claimant, agr = (make_participant(role) for role in ("DSO", "DSO", "AGR"))
    held_at, claimed_at, connection = addresses.point(), addresses.point(), addresses.connection()
    ask(holder, dso_update(held_at, today, None, (connection, today, None)))
    ask(agr, agr_update((connection, today, None)))

    update = dso_update(claimed_at, today, None, (connection, today, None))
    ask(claimant, update, expected=held(f"{connection} at {claimed_at}", today))

    theirs = ask(claimant, dso_query(claimed_at, today))
    same("the claimant's connections", {}, active_aggregators(theirs))
    point = Point(holder.domain, held_at, True, "AGR", "DSO", (connection,))
    same("the AGR's portfolio", Portfolio((point,)), portfolio(ask(agr, agr_query(today))))


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (-40, -31, irregular("{} ({} to {}) ends more than 30 days in the past, registered as stated")),
        (-40, -29, ACCEPTED),
        (
            5,
            3,
            irregular(
                "{} ({} to {}) ends before it starts, and nothing is registered that it would withdraw",
                result="Rejected",
            ),
        ),
    ],
)
def test_irregular_periods_of_an_agrs_connection(
    agr: Participant, addresses: Addresses, today: date, start: int, end: int, expected: str
) -> None:
    connection = addresses.connection()
    line = (connection, today + start * DAY, today + end * DAY)

    ask(agr, agr_update(line), expected=expected.format(*line))


def test_a_connection_that_outlasts_its_congestion_point_is_clipped_with_a_warning(
    dso: Participant, addresses: Addresses, today: date
) -> None:
    point, connection, last = addresses.point(), addresses.connection(), today + 3 * DAY

    update = dso_update(point, today, last, (connection, today - DAY, None))
    there = f"{connection} at {point} (from {today - DAY})"
    clipped = irregular(
        f"{there} ends after its congestion point, adjusted to the congestion point's end",
        f"{there} starts before its congestion point, adjusted to the congestion point's start",
    )
    ask(dso, update, expected=clipped)
    extended = dso_update(point, today - DAY, None, (addresses.connection(), today, None))
    left = f"{point} (1 connection) clipped earlier with the congestion point and not brought back"
    ask(dso, extended, expected=irregular(left))

    for day in (today - DAY, last + DAY):
        came = active_aggregators(ask(dso, dso_query(point, day)))
        assert connection not in json.dumps(came)
