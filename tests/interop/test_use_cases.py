"""The four use cases, each answered as the participants' own library reads it."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from shapeshifter_uftp.uftp import TestMessage, TestMessageResponse

from demo.exchange import (
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
UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
both_versions = pytest.mark.parametrize("version", ["3.0.0", "3.1.0"])


@both_versions
def test_a_dso_publishes_congestion_points_and_retrieves_them(
    dso: Participant, addresses: Addresses, today: date, version: str
) -> None:
    point, lines = addresses.point(), [(c, today, None) for c in addresses.connections(3)]

    ask(dso, dso_update(point, today, None, *lines), version)

    answer = ask(dso, dso_query(point, today), version)
    same("connections", {point: [(c, None) for c, _, _ in lines]}, active_aggregators(answer))


@both_versions
def test_an_agr_publishes_connections_and_retrieves_its_congestion_points(
    make_participant: MakeParticipant, addresses: Addresses, today: date, version: str
) -> None:
    dso, other, agr = make_participant("DSO"), make_participant("DSO"), make_participant("AGR")
    first, second, elsewhere = sorted(addresses.point() for _ in range(3))
    mine, others, alone = addresses.connections(3), addresses.connection(), addresses.connection()
    ask(dso, dso_update(first, today, None, (mine[0], today, None), (others, today, None)), version)
    ask(
        dso,
        dso_update(second, today, None, (mine[1], today, None), mutex=False, day_ahead="DSO", intraday=None),
        version,
    )
    ask(other, dso_update(elsewhere, today, None, (mine[2], today, None), intraday="AGR"), version)

    ask(agr, agr_update(*((c, today, None) for c in (*mine, alone))), version)

    points = (
        Point(dso.domain, first, True, "AGR", "DSO", (mine[0],)),
        Point(dso.domain, second, False, "DSO", None, (mine[1],)),
        Point(other.domain, elsewhere, True, "AGR", "AGR", (mine[2],)),
    )
    answer = ask(agr, agr_query(today), version)
    same("portfolio", Portfolio(tuple(sorted(points)), (alone,)), portfolio(answer))


@both_versions
def test_a_dso_retrieves_the_active_aggregators_of_each_day(
    make_participant: MakeParticipant, addresses: Addresses, today: date, version: str
) -> None:
    dso, first, second = make_participant("DSO"), make_participant("AGR"), make_participant("AGR")
    point, (moving, staying) = addresses.point(), addresses.connections(2)
    changes_on = today + 10 * DAY
    ask(dso, dso_update(point, today, None, (moving, today, None), (staying, today, None)), version)
    ask(first, agr_update((moving, today, changes_on - DAY), (staying, today, None)), version)
    ask(second, agr_update((moving, changes_on, None)), version)

    for day, holder in ((today, first), (changes_on - DAY, first), (changes_on, second)):
        answer = ask(dso, dso_query(point, day), version)
        expected = {point: [(moving, holder.domain), (staying, first.domain)]}
        same(f"active aggregators on {day}", expected, active_aggregators(answer))
    before = ask(dso, dso_query(point, today - DAY), version)
    same("connections before the first day", {}, active_aggregators(before))


@both_versions
def test_the_cro_answers_a_test_message(dso: Participant, agr: Participant, version: str) -> None:
    for participant in (dso, agr):
        ask(participant, TestMessage(), version)


def test_a_participant_answers_the_test_message_of_the_cro(
    cro: RunningCro, dso: Participant, agr: Participant
) -> None:
    for participant in (dso, agr):
        arguments = ("--role", participant.role, "--domain", participant.domain)
        message_id, conversation_id = re.findall(UUID, cro.manage("send_test_message", *arguments))

        message = participant.mailbox.expect(TestMessage, conversation_id)

        same("MessageID", message_id, message.message_id)
        same(
            "domains",
            (cro.known_as.domain, participant.domain),
            (message.sender_domain, message.recipient_domain),
        )
        cro.wait_for_message("TestMessageResponse", conversation_id)


@both_versions
def test_an_agr_without_connections_gets_a_placeholder_and_the_reason(
    agr: Participant, today: date, version: str
) -> None:
    answer = ask(agr, agr_query(today), version, expected=NO_CONNECTIONS)

    same("portfolio", Portfolio((placeholder(agr.cro.domain),)), portfolio(answer))


@both_versions
def test_an_agr_with_only_unallocated_connections_gets_them_beside_a_placeholder(
    agr: Participant, addresses: Addresses, today: date, version: str
) -> None:
    mine = addresses.connections(2)
    ask(agr, agr_update(*((c, today, None) for c in mine)), version)

    answer = ask(agr, agr_query(today), version)

    same("portfolio", Portfolio((placeholder(agr.cro.domain),), tuple(mine)), portfolio(answer))


@both_versions
def test_a_dso_learns_the_same_of_anothers_congestion_point_as_of_none(
    make_participant: MakeParticipant, addresses: Addresses, today: date, version: str
) -> None:
    owner, curious = make_participant("DSO"), make_participant("DSO")
    point, connection = addresses.point(), addresses.connection()
    ask(owner, dso_update(point, today, None, (connection, today, None)), version)

    for asked in (point, addresses.point()):
        answer = ask(curious, dso_query(asked, today), version, expected=NO_CONNECTIONS)
        same("connections", {}, active_aggregators(answer))


@both_versions
def test_two_dsos_may_have_congestion_points_of_the_same_address(
    make_participant: MakeParticipant, addresses: Addresses, today: date, version: str
) -> None:
    point = addresses.point()
    for dso, connection in ((make_participant("DSO"), addresses.connection()) for _ in range(2)):
        ask(dso, dso_update(point, today, None, (connection, today, None)), version)
        answer = ask(dso, dso_query(point, today), version)
        same("connections", {point: [(connection, None)]}, active_aggregators(answer))


@pytest.mark.parametrize("start", ["today", "the day it began"])
@both_versions
def test_a_congestion_point_that_ends_today_is_gone_at_once(
    dso: Participant, agr: Participant, addresses: Addresses, today: date, version: str, start: str
) -> None:
    point, connection, began = addresses.point(), addresses.connection(), today - 5 * DAY
    ask(dso, dso_update(point, began, None, (connection, began, None)), version)
    ask(agr, agr_update((connection, began, None)), version)
    first = today if start == "today" else began

    clipped = (
        f"Accepted: Warning: Period out of bounds: {point} (1 connection) clipped with the congestion point"
    )
    ask(dso, dso_update(point, first, today, (connection, first, today)), version, expected=clipped)

    unallocated = Portfolio((placeholder(agr.cro.domain),), (connection,))
    same("portfolio today", unallocated, portfolio(ask(agr, agr_query(today), version)))
    was = Portfolio((Point(dso.domain, point, True, "AGR", "DSO", (connection,)),))
    same("portfolio yesterday", was, portfolio(ask(agr, agr_query(today - DAY), version)))
    yesterday = ask(dso, dso_query(point, today - DAY), version)
    same("yesterday", {point: [(connection, agr.domain)]}, active_aggregators(yesterday))


@both_versions
def test_a_connection_that_ends_today_counts_today(
    agr: Participant, addresses: Addresses, today: date, version: str
) -> None:
    connection = addresses.connection()
    ask(agr, agr_update((connection, today - DAY, None)), version)

    ask(agr, agr_update((connection, today - DAY, today)), version)

    last = portfolio(ask(agr, agr_query(today), version))
    same("unallocated today", (connection,), last.unallocated)
    ask(agr, agr_query(today + DAY), version, expected=NO_CONNECTIONS)


def test_20000_connections_in_one_update_come_back_in_one_query(
    dso: Participant, agr: Participant, addresses: Addresses, today: date
) -> None:
    point, connections = addresses.point(), addresses.connections(20_000)
    behind, elsewhere = connections[:15_000], connections[15_000:]

    ask(agr, agr_update(*((c, today, None) for c in connections)), within=60)
    ask(dso, dso_update(point, today, None, *((c, today, None) for c in behind)), within=60)

    came = portfolio(ask(agr, agr_query(today), within=60))
    expected = Portfolio((Point(dso.domain, point, True, "AGR", "DSO", tuple(behind)),), tuple(elsewhere))
    assert came == expected
    lines = active_aggregators(ask(dso, dso_query(point, today), within=60))
    assert lines == {point: [(c, agr.domain) for c in behind]}


def test_a_test_message_response_has_metadata_only(agr: Participant) -> None:
    message = TestMessage()
    agr.send(message)

    answer = agr.expect(TestMessageResponse, message)

    same("RejectionReason", None, answer.rejection_reason)
