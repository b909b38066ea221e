"""Who may act: mode, standing, role, key and signature, as a participant meets them."""

from __future__ import annotations

from datetime import date

import pytest
from shapeshifter_uftp.exceptions import ClientTransportException
from shapeshifter_uftp.uftp import (
    AgrPortfolioQueryResponse,
    AgrPortfolioUpdate,
    DsoPortfolioQueryResponse,
    DsoPortfolioUpdateResponse,
    request_response_map,
)

from demo.exchange import (
    ACCEPTED,
    NO_CONNECTIONS,
    Portfolio,
    agr_query,
    agr_update,
    ask,
    check_answer,
    dso_query,
    dso_update,
    placeholder,
    portfolio,
    same,
)
from demo.participants import Participant
from tests.interop import raw
from tests.interop.conftest import Addresses, MakeParticipant
from tests.interop.running import RunningCro

SUSPENDED = "Rejected: Unauthorized: this participant is suspended"
CLOSED = "Rejected: Unauthorized: this CRO is in closed mode, and this participant is not authorized"
BARRED = "Rejected: Barred Sender"
both_versions = pytest.mark.parametrize("version", ["3.0.0", "3.1.0"])


def check_standing(participant: Participant, update: AgrPortfolioUpdate, expected: str) -> None:
    """`update` and a query are answered as `expected`; nothing of a rejected update is registered."""
    ask(participant, update, expected=expected)
    query = agr_query(update.connections[0].start_period.to_date())
    answer = ask(participant, query, expected=expected)
    registered = (update.connections[0].entity_address,) if expected == ACCEPTED else ()
    same("portfolio", Portfolio((placeholder(participant.cro.domain),), registered), portfolio(answer))


@pytest.mark.parametrize(
    ("standing", "expected"),
    [("known", ACCEPTED), ("authorized", ACCEPTED), ("suspended", SUSPENDED), ("barred", BARRED)],
)
def test_open_mode(
    make_participant: MakeParticipant, addresses: Addresses, today: date, standing: str, expected: str
) -> None:
    agr = make_participant("AGR", standing)
    check_standing(agr, agr_update((addresses.connection(), today, None)), expected)


@pytest.mark.usefixtures("closed")
@pytest.mark.parametrize(
    ("standing", "expected"),
    [("known", CLOSED), ("authorized", ACCEPTED), ("suspended", SUSPENDED), ("barred", BARRED)],
)
def test_closed_mode(
    make_participant: MakeParticipant, addresses: Addresses, today: date, standing: str, expected: str
) -> None:
    agr = make_participant("AGR", standing)
    check_standing(agr, agr_update((addresses.connection(), today, None)), expected)


def test_a_standing_changed_by_the_operator_counts_for_the_next_message(
    cro: RunningCro, agr: Participant, addresses: Addresses, today: date
) -> None:
    update = agr_update((addresses.connection(), today, None))
    cro.register(agr, standing="suspended")
    ask(agr, update, expected=SUSPENDED)
    cro.register(agr, standing="authorized")

    ask(agr, agr_update((addresses.connection(), today, None)))


@both_versions
def test_a_stranger_is_told_that_its_key_cannot_be_found(
    make_participant: MakeParticipant, today: date, version: str
) -> None:
    stranger = make_participant("AGR", standing=None)

    with pytest.raises(ClientTransportException) as refused:
        stranger.send(agr_query(today), version)

    assert refused.value.response.status_code == 419
    assert one_line(refused.value.response.text)


@pytest.mark.usefixtures("closed")
def test_a_stranger_is_told_the_same_in_closed_mode(make_participant: MakeParticipant, today: date) -> None:
    stranger = make_participant("DSO", standing=None)

    with pytest.raises(ClientTransportException) as refused:
        stranger.send(dso_query("ea1.2026-01.example:x", today))

    assert refused.value.response.status_code == 419


@both_versions
def test_an_agr_may_not_send_a_dsos_messages(
    agr: Participant, addresses: Addresses, today: date, version: str
) -> None:
    point = addresses.point()
    update = dso_update(point, today, None, (addresses.connection(), today, None))
    for message, kind, name in (
        (dso_query(point, today), DsoPortfolioQueryResponse, "DSOPortfolioQuery"),
        (update, DsoPortfolioUpdateResponse, "DSOPortfolioUpdate"),
    ):
        posted = raw.post(agr, raw.xml_of(raw.complete(agr, message, version)))
        assert posted.status_code == 200, posted.text
        answer = agr.expect(kind, message)
        check_answer(agr, message, answer, expected=f"Rejected: Invalid SenderRole: AGR may not send {name}")


def test_an_agr_is_not_known_as_a_dso_by_its_domain(agr: Participant, today: date) -> None:
    message = raw.complete(agr, dso_query("ea1.2026-01.example:x", today))
    sealed = raw.seal(agr, raw.xml_of(message))

    answer = raw.post_envelope(agr, raw.envelope(agr.domain, "DSO", sealed))

    assert answer.status_code == 419


def test_a_tampered_message_is_refused(agr: Participant, addresses: Addresses, today: date) -> None:
    message = raw.complete(agr, agr_update((addresses.connection(), today, None)))
    sealed = raw.seal(agr, raw.xml_of(message))
    tampered = sealed.replace(b"Europe/Amsterdam", b"Europe/Brussels ")

    answer = raw.post_envelope(agr, raw.envelope(agr.domain, agr.role, tampered))

    assert (answer.status_code, one_line(answer.text)) == (401, True)
    ask(agr, agr_query(today), expected=NO_CONNECTIONS)


def test_anothers_signature_is_refused(make_participant: MakeParticipant, today: date) -> None:
    victim, forger = make_participant("AGR"), make_participant("AGR")
    sealed = raw.seal(forger, raw.xml_of(raw.complete(victim, agr_query(today))))

    answer = raw.post_envelope(forger, raw.envelope(victim.domain, "AGR", sealed))

    assert answer.status_code == 401


def test_a_key_rotation_lets_both_keys_in(
    cro: RunningCro, agr: Participant, addresses: Addresses, today: date
) -> None:
    ask(agr, agr_update((addresses.connection(), today, None)))
    successor = Participant(agr.role, agr.domain, agr.cro)
    try:
        cro.register(successor)

        ask(successor, agr_update((addresses.connection(), today, None)))
        late = agr_query(today)
        agr.send(late)

        answer = successor.mailbox.expect(AgrPortfolioQueryResponse, str(late.conversation_id))
        same("connections", 2, len(portfolio(answer).unallocated))
    finally:
        successor.stop()


def test_the_envelopes_sender_is_answered_when_the_inner_one_differs(
    make_participant: MakeParticipant, addresses: Addresses, today: date
) -> None:
    agr, other = make_participant("AGR"), make_participant("AGR")
    message = agr_update((addresses.connection(), today, None), sender_domain=other.domain)

    assert raw.post(agr, raw.xml_of(raw.complete(agr, message))).status_code == 200

    answer = agr.expect(request_response_map[type(message)], message)
    why = f"{other.domain} in the message, {agr.domain} in the envelope"
    check_answer(agr, message, answer, expected=f"Rejected: Mismatch SenderDomain: {why}")
    assert other.mailbox.left() == []


def test_a_message_for_another_cro_is_rejected(agr: Participant, addresses: Addresses, today: date) -> None:
    message = agr_update((addresses.connection(), today, None), recipient_domain="other-cro.example")

    assert raw.post(agr, raw.xml_of(raw.complete(agr, message))).status_code == 200

    answer = agr.expect(request_response_map[type(message)], message)
    why = f"other-cro.example is not this CRO, which is {agr.cro.domain}"
    check_answer(agr, message, answer, expected=f"Rejected: Unknown RecipientDomain: {why}")


def one_line(text: str) -> bool:
    """Whether an error's body is one line that says something."""
    return len(text.strip().splitlines()) == 1
