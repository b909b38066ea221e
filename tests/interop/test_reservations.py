"""Flexibility reservations: a DSO and an AGR exchange updates by way of the CRO, and answers directly."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from shapeshifter_uftp.uftp import FlexReservationUpdate, FlexReservationUpdateResponse

from demo.exchange import (
    agr_update,
    ask,
    check_answer,
    dso_update,
    reservation_answer,
    reservation_update,
    same,
)
from demo.participants import Participant
from tests.interop import raw
from tests.interop.conftest import Addresses, MakeParticipant
from tests.interop.running import RunningCro
from tests.support.polling import wait_for
from tests.support.receiver import receiving

DAY = timedelta(days=1)
CONTRACTED = 50_000
FIRST, LAST = 41, 52
"""The ISPs of the contract: from 10:00 to 13:00, where no clock changes."""

ZONE = ZoneInfo("Europe/Amsterdam")
UNCHANGING = ZoneInfo("Africa/Lagos")
"""A zone where no time of day comes twice."""
LONG_AGO = "2026-01-01T00:00:00+00:00"
both_versions = pytest.mark.parametrize("version", ["3.0.0", "3.1.0"])

Isp = tuple[int, int, int]
"""Start, Duration and Power in watts."""


@dataclass(frozen=True)
class Agreement:
    """A contract of a DSO with an AGR that has a connection behind the congestion point; each knows the other's key."""

    cro: RunningCro
    dso: Participant
    agr: Participant
    point: str
    contract_id: str
    day: date
    """A Period long before its deadline."""

    def said(self, *isps: Isp, **changed: Any) -> FlexReservationUpdate:
        """An update for `day`, but for what is `changed` of the library's attributes."""
        named = {"contract_id": self.contract_id, "point": self.point, "reference": "first", "day": self.day}
        for name in named:
            named[name] = changed.pop(name, named[name])
        update = reservation_update(
            named["point"], named["contract_id"], named["reference"], named["day"], *isps
        )
        return replace(update, **changed)

    def send(self, version: str, *isps: Isp, **changed: Any) -> FlexReservationUpdate:
        """Post an update to the CRO, addressed to the AGR."""
        update = self.said(*isps, **changed)
        self.dso.send_to(self.agr, update, version, by_the_cro=True)
        return update

    def pass_on(self, version: str, *isps: Isp, **changed: Any) -> FlexReservationUpdate:
        """The same; gives it as the AGR got it, once the CRO knows that it did."""
        update = self.send(version, *isps, **changed)
        came = self.agr.expect(FlexReservationUpdate, update)
        same("the update that the AGR got", update, came)
        self.await_states(update, "received", "passed on")
        return came

    def rejected(self, update: FlexReservationUpdate, expected: str) -> None:
        """The CRO's answer to the DSO is as expected, and the AGR learns nothing of the update."""
        answer = self.dso.expect(FlexReservationUpdateResponse, update)
        check_answer(self.dso, update, answer, expected)
        same("what came to the AGR", [], self.agr.mailbox.left())

    def states(self, update: FlexReservationUpdate) -> list[str]:
        """Every state that the CRO has recorded of an update, in order."""
        with psycopg.connect(self.cro.database) as database:
            rows = database.execute(
                """
                SELECT was.state FROM reservations_updatestate AS was
                JOIN reservations_reservationupdate AS said ON said.id = was.update_id
                JOIN uftp_inboundmessage AS message ON message.id = said.message_id
                JOIN uftp_sender AS sender ON sender.id = message.sender_id
                WHERE message.message_id = lower(%s) AND sender.domain = %s
                ORDER BY was.id
                """,
                [update.message_id, self.dso.domain],
            )
            return [row[0] for row in rows]

    def refused_with_401(self, update: FlexReservationUpdate) -> bool:
        """Return whether the CRO has recorded an attempt to pass the update on that was answered with 401."""
        with psycopg.connect(self.cro.database) as database:
            found = database.execute(
                """
                SELECT FROM uftp_deliveryattempt AS attempt
                JOIN uftp_outboundmessage AS outbound ON outbound.id = attempt.message_id
                JOIN uftp_inboundmessage AS message ON message.id = outbound.passes_on_id
                WHERE message.message_id = lower(%s) AND attempt.status = 401
                """,
                [update.message_id],
            )
            return bool(found.rowcount)

    def await_states(self, update: FlexReservationUpdate, *expected: str, within: float = 20.0) -> None:
        wait_for(
            f"the update being {', '.join(expected)}, and not {self.states(update)}",
            lambda: self.states(update) == list(expected),
            within,
        )

    def remaining(self) -> dict[int, int]:
        """Watts that remain reserved on `day` in each of the contract's ISPs, by the settlement."""
        days = ("--from", str(self.day), "--to", str(self.day), "--dso", self.dso.domain)
        printed = self.cro.manage("export_reservations", *days, "--contract", self.contract_id)
        return {int(row["isp"]): int(row["remaining_w"]) for row in csv.DictReader(StringIO(printed))}


def usual_day(day: date) -> date:
    """Give the day, or the next one on which no clock changes."""

    def begins(of: date) -> datetime:
        return datetime.combine(of, time(), ZONE).astimezone(UTC)

    while begins(day + DAY) - begins(day) != DAY:
        day += DAY
    return day


@pytest.fixture
def make_agreement(
    cro: RunningCro, make_participant: MakeParticipant, addresses: Addresses, today: date, tmp_path: Path
) -> Iterator[Callable[..., Agreement]]:
    """Makes agreements; what is given is written into the file that the contract comes from.

    Where another `zone` is given, the market is in it from the contract on to the end of the test.
    """

    def make(zone: ZoneInfo = ZONE, **given: object) -> Agreement:
        dso, agr = make_participant("DSO"), make_participant("AGR")
        dso.others, agr.others = [agr], [dso]
        point, home = addresses.point(), addresses.connection()
        since = today - 5 * DAY
        ask(dso, dso_update(point, since, None, (home, since, None)))
        ask(agr, agr_update((home, since, None)))
        line = {
            "dso": dso.domain,
            "agr": agr.domain,
            "contract_id": "flex-1",
            "congestion_point": point,
            "start": since,
            "end": today + 40 * DAY,
            "isp_duration": "PT15M",
            "deadline_days": "",
            "deadline_time": "",
            "deadline_hours": 4,
            "state": "in force",
            "days": "every day",
            "first_isp": FIRST,
            "last_isp": LAST,
            "reserved_w": CONTRACTED,
            **given,
        }
        cro.manage("set_market", "--time-zone", zone.key)
        file = tmp_path / f"{dso.domain}.csv"
        file.write_text(f"{','.join(line)}\n{','.join(map(str, line.values()))}\n")
        assert "Contracts new: 1" in cro.manage("import_contracts", str(file))
        return Agreement(cro, dso, agr, point, "flex-1", usual_day(today + 3 * DAY))

    yield make
    cro.manage("set_market", "--time-zone", ZONE.key)


@pytest.fixture
def agreement(make_agreement: Callable[..., Agreement]) -> Agreement:
    return make_agreement()


@both_versions
def test_an_update_reaches_the_agr_in_the_dsos_own_signature_and_is_answered_directly(
    agreement: Agreement, version: str
) -> None:
    """The AGR's library verifies what it gets with the key of the sender that the envelope names."""
    dso, agr = agreement.dso, agreement.agr
    update = agreement.pass_on(version, (FIRST, 4, 20_000), (FIRST + 4, 8, 0))
    same("remaining", [20_000] * 4 + [0] * 8, list(agreement.remaining().values()))

    answer = reservation_answer(update)
    agr.send_to(dso, answer, version)
    came = dso.expect(FlexReservationUpdateResponse, update)
    check_answer(dso, update, came, answerer=agr.domain)
    agreement.await_states(update, "received", "passed on")

    agr.send_to(dso, answer, version, by_the_cro=True)
    agreement.await_states(update, "received", "passed on", "accepted")
    same("remaining", [20_000] * 4 + [0] * 8, list(agreement.remaining().values()))
    same("what else came to the DSO", [], dso.mailbox.left())
    same("what else came to the AGR", [], agr.mailbox.left())


@both_versions
def test_an_update_that_the_agr_rejects_no_longer_counts(agreement: Agreement, version: str) -> None:
    dso, agr = agreement.dso, agreement.agr
    update = agreement.pass_on(version, (FIRST, 12, 0))

    answer = reservation_answer(update, "Rejected", "not in time for us")
    agr.send_to(dso, answer, version)
    check_answer(
        dso,
        update,
        dso.expect(FlexReservationUpdateResponse, update),
        "Rejected: not in time for us",
        answerer=agr.domain,
    )
    agr.send_to(dso, answer, version, by_the_cro=True)

    agreement.await_states(update, "received", "passed on", "rejected")
    same("remaining", {CONTRACTED}, set(agreement.remaining().values()))


@both_versions
def test_a_copy_of_an_update_is_taken_and_leads_to_nothing(agreement: Agreement, version: str) -> None:
    dso, agr = agreement.dso, agreement.agr
    update = raw.complete(dso, agreement.said((FIRST, 1, 0), recipient_domain=agr.domain), version)
    for _ in range(2):
        posted = raw.post(dso, raw.xml_of(update))
        assert posted.status_code == 200, posted.text
    assert isinstance(update, FlexReservationUpdate)
    agr.expect(FlexReservationUpdate, update)
    agreement.await_states(update, "received", "passed on")

    agreement.pass_on(version, (FIRST, 1, 0), reference="second")

    same("what else came to the AGR", [], agr.mailbox.left())
    same("what came to the DSO", [], dso.mailbox.left())


@both_versions
def test_the_cro_answers_what_is_addressed_to_it(agreement: Agreement, version: str) -> None:
    update = raw.complete(agreement.dso, agreement.said((FIRST, 12, 10_000)), version)
    assert isinstance(update, FlexReservationUpdate)
    posted = raw.post(agreement.dso, raw.xml_of(update))
    assert posted.status_code == 200, posted.text
    agreement.rejected(update, "Accepted")
    same("remaining", {10_000}, set(agreement.remaining().values()))


@both_versions
def test_the_cro_answers_for_an_agr_without_an_endpoint(
    cro: RunningCro, agreement: Agreement, version: str
) -> None:
    agr = agreement.agr
    cro.manage("add_participant", "--role", "AGR", "--domain", agr.domain, "--endpoint", "")
    update = agreement.send(version, (FIRST, 12, 0))
    agreement.rejected(update, "Accepted")
    same("states", ["accepted"], agreement.states(update))


REASONS: dict[str, tuple[list[Isp], dict[str, Any], str]] = {
    "unknown contract": (
        [(FIRST, 1, 0)],
        {"contract_id": "flex-9"},
        "Unknown reference ContractID: flex-9 is no contract between you and {agr}",
    ),
    "not in force": (
        [(FIRST, 1, 0)],
        {"day": 41},
        "Unknown reference ContractID: flex-1 is not in force on {day}",
    ),
    "congestion point": (
        [(FIRST, 1, 0)],
        {"point": "ean.871600000000000093"},
        "Invalid CongestionPoint: ean.871600000000000093 is not the congestion point of flex-1",
    ),
    "ISP duration": (
        [(FIRST, 1, 0)],
        {"isp_duration": "PT5M"},
        "ISP duration rejected: PT5M is not the market's PT15M",
    ),
    "time zone": (
        [(FIRST, 1, 0)],
        {"time_zone": "America/New_York"},
        "TimeZone rejected: America/New_York is not Europe/Amsterdam",
    ),
    "after the day": (
        [(FIRST, 1, 0), (97, 4, 0)],
        {},
        "ISPs out of bounds: 97-100 outside 1-96 of {day}",
    ),
    "outside the contract": (
        [(FIRST - 2, 3, 0), (LAST, 2, 0)],
        {},
        "ISPs out of bounds: 39-40, 53 outside flex-1 on {day}",
    ),
    "twice": ([(FIRST, 4, 0), (FIRST + 3, 1, 0)], {}, "ISP conflict: 44 named more than once"),
    "deadline": ([(FIRST, 1, 0)], {"day": -1}, "Deadline expired: {deadline} for {day}"),
    "direction": (
        [(FIRST, 2, -1)],
        {},
        "Power value rejection: 41-42 not in the direction contracted",
    ),
    "too much": (
        [(FIRST, 1, CONTRACTED), (LAST, 1, CONTRACTED + 1)],
        {},
        "Power value rejection: 52 more than contracted",
    ),
}
"""What is said of which ISPs, what else is changed (a day is counted from today), and the RejectionReason."""


@pytest.mark.parametrize("case", REASONS)
@both_versions
def test_every_reason_reaches_the_dso(agreement: Agreement, today: date, version: str, case: str) -> None:
    isps, changed, reason = REASONS[case]
    day = today + changed["day"] * DAY if "day" in changed else agreement.day
    said = {**changed, "day": day}
    update = agreement.send(version, *isps, **said)
    begins = datetime.combine(day, time(), ZONE).astimezone(UTC)
    deadline = (begins - timedelta(hours=4)).astimezone(ZONE).isoformat()
    agreement.rejected(
        update, f"Rejected: {reason.format(agr=agreement.agr.domain, day=day, deadline=deadline)}"
    )
    same("states", [], agreement.states(update))


@both_versions
def test_an_update_older_than_the_last_is_rejected(agreement: Agreement, version: str) -> None:
    agreement.pass_on(version, (FIRST, 1, 0))
    update = agreement.send(version, (FIRST, 1, 1), reference="older", time_stamp=LONG_AGO)
    agreement.rejected(update, "Rejected: Subordinate sequence number: …")


@both_versions
def test_several_reasons_at_once_name_their_isps(agreement: Agreement, version: str) -> None:
    update = agreement.send(
        version, (FIRST, 1, -5), (FIRST, 1, 60_000), (90, 8, 0), time_zone="America/New_York"
    )
    reasons = [
        "TimeZone rejected: America/New_York is not Europe/Amsterdam",
        f"ISPs out of bounds: 97 outside 1-96 of {agreement.day}",
        f"ISPs out of bounds: 90-96 outside flex-1 on {agreement.day}",
        "ISP conflict: 41 named more than once",
        "Power value rejection: 41 not in the direction contracted",
        "Power value rejection: 41 more than contracted",
    ]
    agreement.rejected(update, f"Rejected: {'; '.join(reasons)}")


@both_versions
def test_what_the_agr_refuses_for_good_is_undone(agreement: Agreement, version: str) -> None:
    """The response that says so is taken by the DSO's library."""
    with receiving() as receiver, psycopg.connect(agreement.cro.database) as database:
        receiver.reply = lambda posted, before: (400, {}, b"refused")
        database.execute(
            "UPDATE participants_participant SET endpoint = %s WHERE role = 'AGR' AND domain = %s",
            [receiver.url, agreement.agr.domain],
        )
        database.commit()
        update = agreement.send(version, (FIRST, 12, 0))
        agreement.rejected(
            update, f"Rejected: Undeliverable: {agreement.agr.domain} refused to take the message"
        )
    same("states", ["received", "undone"], agreement.states(update))
    same("remaining", {CONTRACTED}, set(agreement.remaining().values()))


@both_versions
def test_what_the_agr_cannot_verify_is_not_undone(
    agreement: Agreement, make_participant: MakeParticipant, version: str
) -> None:
    """Its system has another key for the DSO and answers 401, which may be mended within a day."""
    impostor = make_participant("DSO", standing=None)
    impostor.domain = agreement.dso.domain
    agreement.agr.others = [impostor]
    update = agreement.send(version, (FIRST, 12, 0))
    wait_for("an attempt that is answered with 401", lambda: agreement.refused_with_401(update), 20)
    same("states", ["received"], agreement.states(update))


@both_versions
def test_what_does_not_reach_the_agr_until_the_deadline_is_undone(
    make_agreement: Callable[..., Agreement], version: str
) -> None:
    """The deadline of the day after it is in a few seconds, by a time of day that means one moment."""
    soon = (datetime.now(UTC) + timedelta(seconds=15)).astimezone(UNCHANGING)
    said = {"deadline_hours": "", "deadline_days": 1, "deadline_time": f"{soon:%H:%M:%S}"}
    agreement = make_agreement(zone=UNCHANGING, **said)
    agreement.agr.stop()
    update = agreement.send(version, (FIRST, 12, 0), day=soon.date() + DAY, time_zone=UNCHANGING.key)
    wait_for("the update being checked", lambda: agreement.states(update) == ["received"])
    agreement.await_states(update, "received", "undone", within=40)
    assert datetime.now(UTC) >= soon.replace(microsecond=0)
    deadline = soon.replace(microsecond=0).isoformat()
    words = f"{agreement.agr.domain} could not be reached by {deadline}, the deadline"
    agreement.rejected(update, f"Rejected: Undeliverable: {words}")
