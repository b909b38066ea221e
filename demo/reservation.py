"""Show a flexibility reservation: a contract, an update of its DSO for a day, the AGR's answer, the settlement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from shapeshifter_uftp.uftp import FlexReservationUpdate, FlexReservationUpdateResponse

from demo import exchange, screen, staff
from demo.exchange import same
from demo.participants import Participant
from reservations.isps import calendar

DAY = timedelta(days=1)
CONTRACTED, KEPT = 50_000, 20_000
"""Watts from 17:00 to 20:00, and what is left of them until 18:00."""


@dataclass(frozen=True)
class Reservation:
    """A contract between the demo's two participants, for a day on which the AGR has connections in `point`."""

    dso: Participant
    agr: Participant
    market: staff.Market
    point: str
    contract_id: str

    @property
    def hour(self) -> int:
        """Return how many ISPs an hour has."""
        minutes = calendar.minutes_of(self.market.isp_duration)
        assert minutes is not None
        return calendar.HOUR // minutes

    @property
    def first(self) -> int:
        """Return the number of the ISP that begins at 17:00."""
        return 17 * self.hour + 1

    @property
    def day(self) -> date:
        """Return the day after tomorrow, or the next day without a clock change."""
        day = self.market.today + 2 * DAY
        while calendar.count(day, calendar.HOUR // self.hour, self.market.time_zone) != 24 * self.hour:
            day += DAY
        return day

    def run(self, version: str) -> None:
        """Run all steps, in `version`."""
        screen.heading(f"Flexibility reservation, {version}")
        self.register()
        update = self.update_passed_on(version)
        self.answer(update, version)
        self.check_settlement()
        self.ask_too_much(version)

    def register(self) -> None:
        """Let staff import the contract."""
        line = {
            "dso": self.dso.domain,
            "agr": self.agr.domain,
            "contract_id": self.contract_id,
            "congestion_point": self.point,
            "start": self.market.today,
            "end": self.day + 5 * DAY,
            "isp_duration": self.market.isp_duration,
            "deadline_days": "",
            "deadline_time": "",
            "deadline_hours": 4,
            "state": "in force",
            "days": "every day",
            "first_isp": self.first,
            "last_isp": self.first + 3 * self.hour - 1,
            "reserved_w": CONTRACTED,
        }
        staff.import_contract([line])

    def update_passed_on(self, version: str) -> FlexReservationUpdate:
        """Post an update for the AGR to the CRO, which passes it on; return it as the AGR received it."""
        reserved, free = (self.first, self.hour, KEPT), (self.first + self.hour, 2 * self.hour, 0)
        sent = self.update("release", reserved, free)
        self.dso.send_to(self.agr, sent, version, by_the_cro=True)
        screen.show(sent)
        came = self.agr.expect(FlexReservationUpdate, sent)
        screen.note(f"passed on by {self.agr.cro.domain} in {came.sender_domain}'s own signature")
        same("the update that the AGR was passed", sent, came)
        return came

    def answer(self, update: FlexReservationUpdate, version: str) -> None:
        """Answer the DSO directly, and post a copy to the CRO, which records the outcome of the update."""
        answer = exchange.reservation_answer(update)
        self.agr.send_to(self.dso, answer, version)
        came = self.dso.expect(FlexReservationUpdateResponse, update)
        screen.show(came, update)
        exchange.check_answer(self.dso, update, came, answerer=self.agr.domain)
        self.agr.send_to(self.dso, answer, version, by_the_cro=True)
        staff.wait_for_state(str(update.message_id), "accepted")
        screen.note(f"a copy to {self.agr.cro.domain}: the update is accepted")

    def check_settlement(self) -> None:
        """Check that the settlement of the day has the contracted power and the remaining power."""
        lines = staff.settlement(self.contract_id, self.day)
        came = {int(line["isp"]): (int(line["contracted_w"]), int(line["remaining_w"])) for line in lines}
        for line in lines[:: self.hour]:
            values = (
                line["isp"],
                line["start"],
                line["contracted_w"],
                line["remaining_w"],
                line["released_w"],
            )
            screen.note("ISP {}, {}: {} W contracted, {} W remaining, {} W released".format(*values))
        expected = {
            isp: (CONTRACTED, KEPT if isp < self.first + self.hour else 0)
            for isp in range(self.first, self.first + 3 * self.hour)
        }
        same("watts of each ISP in the settlement", expected, came)

    def ask_too_much(self, version: str) -> None:
        """Check that an update with more than the contracted power is rejected with a reason, and not passed on."""
        sent = self.update("too much", (self.first, self.hour, CONTRACTED + 1))
        self.dso.send_to(self.agr, sent, version, by_the_cro=True)
        screen.show(sent)
        came = self.dso.expect(FlexReservationUpdateResponse, sent)
        screen.show(came, sent)
        exchange.check_answer(self.dso, sent, came, "Rejected: Power value rejection: …")

    def update(self, reference: str, *lines: tuple[int, int, int]) -> FlexReservationUpdate:
        return exchange.reservation_update(
            self.point,
            self.contract_id,
            reference,
            self.day,
            *lines,
            isp_duration=self.market.isp_duration,
            time_zone=self.market.time_zone,
        )
