"""What a CRO does not handle, cannot deliver at once, or tells less of."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from shapeshifter_uftp.uftp import (
    FlexRequest,
    FlexRequestISP,
    FlexReservationUpdate,
    FlexReservationUpdateISP,
    PayloadMessage,
    request_response_map,
)
from xsdata.models.datatype import XmlDuration

from demo.exchange import (
    ACCEPTED,
    active_aggregators,
    agr_query,
    agr_update,
    ask,
    check_answer,
    dso_query,
    dso_update,
    portfolio,
    same,
    xml_date,
)
from demo.participants import NotReceivedError, Participant
from tests.interop import raw
from tests.interop.conftest import Addresses, MakeParticipant
from tests.interop.running import RunningCro
from tests.support.processes import free_port

both_versions = pytest.mark.parametrize("version", ["3.0.0", "3.1.0"])


@pytest.fixture
def counts_only(cro: RunningCro) -> Iterator[None]:
    """The CRO telling DSOs numbers only while the test runs."""
    cro.manage("set_policy", "disclosure", "counts")
    yield
    cro.manage("set_policy", "disclosure", "per connection")


def flex_message(kind: type[FlexRequest | FlexReservationUpdate], point: str, day: date) -> PayloadMessage:
    common = {
        "isp_duration": XmlDuration("PT15M"),
        "period": xml_date(day),
        "congestion_point": point,
        "contract_id": "contract-1",
    }
    if kind is FlexReservationUpdate:
        return FlexReservationUpdate(
            isps=[FlexReservationUpdateISP(power=1000, start=1, duration=1)], reference="first", **common
        )
    return FlexRequest(
        isps=[FlexRequestISP(min_power=0, max_power=1000, start=1, duration=1)],
        revision=1,
        expiration_date_time=datetime.now(UTC).isoformat(),
        **common,
    )


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (FlexRequest, "Invalid Message: a CRO does not handle FlexRequest"),
        (FlexReservationUpdate, "Unknown reference ContractID: contract-1 is no contract of yours"),
    ],
)
@both_versions
def test_flexibility_messages_that_this_cro_has_nothing_to_do_with_are_rejected(
    dso: Participant,
    addresses: Addresses,
    today: date,
    version: str,
    kind: type[FlexRequest | FlexReservationUpdate],
    why: str,
) -> None:
    message = raw.complete(dso, flex_message(kind, addresses.point(), today), version)

    posted = raw.post(dso, raw.xml_of(message))

    assert posted.status_code == 200, posted.text
    answer = dso.expect(request_response_map[kind], message)
    check_answer(dso, message, answer, f"Rejected: {why}")


@both_versions
def test_a_time_stamp_far_ahead_is_invalid(
    agr: Participant, addresses: Addresses, today: date, version: str
) -> None:
    ahead = (datetime.now(UTC) + timedelta(minutes=6)).isoformat()
    update = agr_update((addresses.connection(), today, None), time_stamp=ahead)

    why = f"TimeStamp {ahead} is 6 minutes ahead of this CRO's clock, more than 5"
    ask(agr, update, version, expected=f"Rejected: Invalid Message: {why}")

    ask(agr, agr_update((addresses.connection(), today, None)), version)


@both_versions
def test_another_time_zone_of_the_same_offset_is_taken_and_any_other_rejected(
    agr: Participant, addresses: Addresses, today: date, version: str
) -> None:
    line = (addresses.connection(), today, None)
    ask(agr, agr_update(line, time_zone="Europe/Brussels"), version)

    for other in ("America/New_York", "Europe/Atlantis"):
        refused = f"Rejected: TimeZone rejected: {other} is not Europe/Amsterdam"
        ask(agr, agr_update(line, time_zone=other), version, expected=refused)


@pytest.mark.usefixtures("counts_only")
def test_a_dso_that_is_told_counts_learns_no_connection(
    dso: Participant, make_participant: MakeParticipant, addresses: Addresses, today: date
) -> None:
    first, second = make_participant("AGR"), make_participant("AGR")
    point, connections = addresses.point(), addresses.connections(4)
    ask(dso, dso_update(point, today, None, *((c, today, None) for c in connections)))
    ask(first, agr_update(*((c, today, None) for c in connections[:2])))
    ask(second, agr_update((connections[2], today, None)))

    told = [active_aggregators(ask(dso, dso_query(point, today)))[point] for _ in range(2)]

    for lines in told:
        same("number of addresses", 4, len({address for address, _ in lines}))
        domains = sorted(str(domain) for _, domain in lines)
        same("AGR-Domain of each", sorted(["None", first.domain, first.domain, second.domain]), domains)
        assert all(address.startswith("ea1.") and address not in connections for address, _ in lines)
    assert not {a for a, _ in told[0]} & {a for a, _ in told[1]}


def test_an_answer_that_cannot_be_delivered_is_delivered_where_the_participant_is_next(
    cro: RunningCro, agr: Participant, addresses: Addresses, today: date
) -> None:
    listening, agr.endpoint = agr.endpoint, f"http://127.0.0.1:{free_port()}/nobody-here"
    cro.register(agr)
    update = agr_update((addresses.connection(), today, None))
    agr.send(update)
    with pytest.raises(NotReceivedError):
        agr.expect(request_response_map[type(update)], update, within=2)

    agr.endpoint = listening
    cro.register(agr)

    answer = agr.expect(request_response_map[type(update)], update, within=60)
    check_answer(agr, update, answer, ACCEPTED)
    same("connections", 1, len(portfolio(ask(agr, agr_query(today))).unallocated))
