"""Copies, reused identifiers and messages out of order."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

from shapeshifter_uftp.uftp import AgrPortfolioUpdate, AgrPortfolioUpdateResponse

from demo.exchange import (
    ACCEPTED,
    NO_CONNECTIONS,
    agr_query,
    agr_update,
    ask,
    check_answer,
    dso_query,
    portfolio,
    same,
)
from demo.participants import Participant
from tests.interop import raw
from tests.interop.conftest import Addresses


def test_an_identical_copy_gets_the_same_answer_again(
    agr: Participant, addresses: Addresses, today: date
) -> None:
    connection = addresses.connection()
    message = agr_update((connection, today, None))
    first = ask(agr, message)
    ask(agr, agr_update((connection, today, today)))

    again = ask(agr, message)

    same("the answer to the copy", first, again)
    ask(agr, agr_query(today + timedelta(days=1)), expected=NO_CONNECTIONS)


def test_a_copy_of_a_query_gets_the_answer_of_then(
    agr: Participant, addresses: Addresses, today: date
) -> None:
    query = agr_query(today)
    first = ask(agr, query, expected=NO_CONNECTIONS)
    ask(agr, agr_update((addresses.connection(), today, None)))

    same("the answer to the copy", first, ask(agr, query, expected=NO_CONNECTIONS))


def test_a_message_id_that_was_used_for_something_else_is_a_duplicate(
    agr: Participant, addresses: Addresses, today: date
) -> None:
    first, second = addresses.connections(2)
    original = agr_update((first, today, None))
    ask(agr, original)

    for message_id in (original.message_id, str(original.message_id).upper()):
        reused = agr_update((second, today, None), message_id=message_id)
        why = f"Duplicate Identifier: MessageID {message_id} was used before, with other content"
        ask(agr, reused, expected=f"Rejected: {why}")
        same("ConversationID", False, reused.conversation_id == original.conversation_id)

    same("unallocated", (first,), portfolio(ask(agr, agr_query(today))).unallocated)


def test_two_senders_may_use_the_same_message_id(
    agr: Participant, dso: Participant, today: date, addresses: Addresses
) -> None:
    message_id = str(uuid4())
    ask(agr, agr_update((addresses.connection(), today, None), message_id=message_id))
    ask(dso, dso_query(addresses.point(), today, message_id=message_id), expected=NO_CONNECTIONS)


def test_an_older_time_stamp_is_subordinate(agr: Participant, addresses: Addresses, today: date) -> None:
    connection, moment = addresses.connection(), datetime.now(UTC)
    ask(agr, agr_update((connection, today, None), time_stamp=moment.isoformat()))

    older = (moment - timedelta(microseconds=1)).isoformat()
    late = agr_update((connection, today, today), time_stamp=older)
    ask(agr, late, expected=subordinate(f"TimeStamp {older}, after {moment.isoformat()} was accepted"))
    ask(agr, agr_update((connection, today, None), time_stamp=moment.isoformat()))

    open_ended = ask(agr, agr_query(today + timedelta(days=100)))
    same("unallocated", (connection,), portfolio(open_ended).unallocated)


def test_an_older_sequence_is_subordinate_whatever_its_time_stamp(
    agr: Participant, addresses: Addresses, today: date
) -> None:
    connection = addresses.connection()
    open_ended = (connection, today, None)
    send_with_sequence(agr, agr_update(open_ended), 5, ACCEPTED)
    send_with_sequence(agr, agr_update((connection, today, today)), 4, subordinate("4, after 5 was accepted"))
    newest = agr_update(open_ended)
    send_with_sequence(agr, newest, 5, ACCEPTED)
    earlier = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    send_with_sequence(agr, agr_update(open_ended, time_stamp=earlier), 6, ACCEPTED)
    late = agr_update((connection, today, today), time_stamp=earlier)
    ask(agr, late, expected=subordinate(f"TimeStamp {earlier}, after {newest.time_stamp} was accepted"))

    answer = ask(agr, agr_query(today + timedelta(days=100)))
    same("unallocated", (connection,), portfolio(answer).unallocated)


def test_updates_are_handled_in_the_order_in_which_they_came(
    agr: Participant, addresses: Addresses, today: date
) -> None:
    connection = addresses.connection()
    updates = [agr_update((connection, today, today + timedelta(days=number))) for number in range(20)]
    for update in updates:
        agr.send(update)

    for update in updates:
        check_answer(agr, update, agr.expect(AgrPortfolioUpdateResponse, update), ACCEPTED)
    ask(agr, agr_query(today + timedelta(days=19)))
    ask(agr, agr_query(today + timedelta(days=20)), expected=NO_CONNECTIONS)


def subordinate(detail: str) -> str:
    return f"Rejected: Subordinate sequence number: {detail}"


def send_with_sequence(agr: Participant, update: AgrPortfolioUpdate, sequence: int, expected: str) -> None:
    """Send `update` with a Sequence, which the library does not know, and check its answer."""
    xml = raw.with_attribute(raw.xml_of(raw.complete(agr, update)), "Sequence", sequence)
    answer = raw.post(agr, xml)
    assert answer.status_code == 200, answer.text
    response = agr.expect(AgrPortfolioUpdateResponse, update)
    check_answer(agr, update, response, expected)
