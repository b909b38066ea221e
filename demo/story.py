"""The steps of the demo's DSO and AGR, and the answers that they expect."""

from __future__ import annotations

import argparse
import secrets
import sys
from dataclasses import dataclass
from datetime import timedelta
from io import TextIOWrapper
from typing import Any

from django.core.management import CommandError
from django.db import DatabaseError
from shapeshifter_uftp.exceptions import ClientTransportException
from shapeshifter_uftp.uftp import (
    AgrPortfolioQueryResponse,
    PayloadMessage,
    TestMessage,
    request_response_map,
)

from common.check_digits import with_check_digit
from demo import exchange, screen, staff
from demo.exchange import ACCEPTED, NO_CONNECTIONS, DifferenceError, Line, Point, Portfolio, same
from demo.participants import NotReceivedError, Participant
from demo.reservation import Reservation

VERSIONS = ("3.0.0", "3.1.0")
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Addresses:
    """Entity addresses that no earlier run used, and the number in them."""

    number: str
    point: str
    shared: tuple[str, str]
    without_aggregator: str
    unallocated: str

    @classmethod
    def fresh(cls) -> Addresses:
        number = f"{secrets.randbelow(10**12):012}"
        first, second, third, fourth = (
            f"ean.{with_check_digit(f'8716{number}{digit}')}" for digit in range(1, 5)
        )
        return cls(number, f"ea1.2026-01.example.demo.dso:feeder-{number}", (first, second), third, fourth)


@dataclass(frozen=True)
class Demo:
    """The two running participants, and their market."""

    dso: Participant
    agr: Participant
    market: staff.Market

    def ask(self, asker: Participant, message: PayloadMessage, version: str, expected: str = ACCEPTED) -> Any:
        """Send `message`, show it and its answer, check the answer and return it."""
        asker.send(message, version)
        screen.show(message)
        answer = asker.expect(request_response_map[type(message)], message)
        screen.show(answer, message)
        exchange.check_answer(asker, message, answer, expected)
        return answer

    def ask_portfolio(self, version: str, points: tuple[Point, ...], unallocated: tuple[str, ...]) -> None:
        """Query the AGR's portfolio of today. If nothing is expected, the answer must be Rejected."""
        query = exchange.agr_query(self.market.today, time_zone=self.market.time_zone)
        answer = self.ask(self.agr, query, version, ACCEPTED if points or unallocated else NO_CONNECTIONS)
        expected = Portfolio(points or (exchange.placeholder(self.agr.cro.domain),), unallocated)
        same("the AGR's portfolio", expected, exchange.portfolio(answer))

    def test_connectivity(self, version: str) -> None:
        """Send a TestMessage from each participant to the CRO."""
        screen.heading(f"Connectivity test, {version}")
        for participant in (self.dso, self.agr):
            self.ask(participant, TestMessage(), version)

    def answer_test_messages(self) -> None:
        """Send a TestMessage from the CRO to each participant, whose library answers it."""
        screen.heading("Connectivity test by the CRO")
        for participant in (self.dso, self.agr):
            sent = staff.test_connectivity(participant)
            message = participant.mailbox.expect(TestMessage, sent.conversation_id)
            screen.show(message)
            same("MessageID of the CRO's TestMessage", sent.message_id, message.message_id)
            same("SenderDomain of the CRO's TestMessage", participant.cro.domain, message.sender_domain)
            same("RecipientDomain of the CRO's TestMessage", participant.domain, message.recipient_domain)
            answer = staff.wait_for_test_response(participant, sent.conversation_id)
            screen.show_stored(answer, participant.domain, participant.cro.domain, message)

    def publish_and_retrieve(self, version: str) -> None:
        """Run the five use cases, then withdraw what was published."""
        today, zone = self.market.today, self.market.time_zone
        addresses = Addresses.fresh()
        connected = (*addresses.shared, addresses.without_aggregator)
        represented = (*addresses.shared, addresses.unallocated)

        screen.heading(f"Publish congestion points, {version}")
        lines: list[Line] = [(address, today, None) for address in connected]
        self.ask(self.dso, exchange.dso_update(addresses.point, today, None, *lines, time_zone=zone), version)

        screen.heading(f"Publish connections, {version}")
        lines = [(address, today, None) for address in represented]
        self.ask(self.agr, exchange.agr_update(*lines, time_zone=zone), version)

        screen.heading(f"Retrieve congestion points, {version}")
        point = Point(self.dso.domain, addresses.point, True, "AGR", "DSO", addresses.shared)
        self.ask_portfolio(version, (point,), (addresses.unallocated,))

        screen.heading(f"Retrieve active aggregators, {version}")
        answer = self.ask(self.dso, exchange.dso_query(addresses.point, today, time_zone=zone), version)
        self.check_active_aggregators(answer, addresses)

        Reservation(self.dso, self.agr, self.market, addresses.point, f"DEMO-{addresses.number}").run(version)

        screen.heading(f"Withdraw what was published, {version}")
        lines = [(address, today, today) for address in connected]
        ends = exchange.dso_update(addresses.point, today, today, *lines, time_zone=zone)
        clipped = f"{addresses.point} ({len(lines)} connections) clipped with the congestion point"
        self.ask(self.dso, ends, version, f"{ACCEPTED}: Warning: Period out of bounds: {clipped}")
        self.ask_portfolio(version, (), represented)
        self.withdraw(version, represented)
        self.ask_portfolio(version, (), ())

    def check_active_aggregators(self, answer: Any, addresses: Addresses) -> None:
        """Check the AGR of each connection; or only the number for each AGR, if the policy discloses no more."""
        agr = self.agr.domain
        expected = [
            (addresses.shared[0], agr),
            (addresses.shared[1], agr),
            (addresses.without_aggregator, None),
        ]
        came = exchange.active_aggregators(answer)
        if self.market.counts_only:
            counted = sorted(str(domain) for lines in came.values() for _, domain in lines)
            same("AGR-Domain of each connection", ["None", agr, agr], counted)
        else:
            same("the active aggregators", {addresses.point: expected}, came)

    def withdraw(self, version: str, connections: tuple[str, ...]) -> None:
        """End the AGR's `connections` from today on."""
        lines = [(address, self.market.today, self.market.today - DAY) for address in connections]
        self.ask(self.agr, exchange.agr_update(*lines, time_zone=self.market.time_zone), version)

    def clear(self) -> None:
        """Withdraw what an interrupted run left registered for the AGR, so that its answers can be compared."""
        query = exchange.agr_query(self.market.today, time_zone=self.market.time_zone)
        self.agr.send(query)
        answer = self.agr.expect(AgrPortfolioQueryResponse, query)
        if str(answer.result) == "Accepted":
            screen.heading("Withdraw what an interrupted run has left")
            points, unallocated = exchange.portfolio(answer)
            real = {
                c for point in points if point.dso_domain != answer.sender_domain for c in point.connections
            }
            self.withdraw("3.1.0", tuple(sorted({*real, *unallocated})))

    def run(self) -> None:
        self.clear()
        self.answer_test_messages()
        for version in VERSIONS:
            self.test_connectivity(version)
            self.publish_and_retrieve(version)


def run() -> int:
    parser = argparse.ArgumentParser(description="A DSO and an AGR against a running CRO, over HTTP.")
    parser.add_argument("--url", default=staff.default_url(), help="of the CRO (default: %(default)s)")
    url = parser.parse_args().url
    started: list[Participant] = []
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    try:
        print(f"A DSO and an AGR, built on shapeshifter-uftp, and the CRO at {url}")
        cro = staff.find_cro(url)
        for role, domain in (("DSO", "dso.demo.example"), ("AGR", "agr.demo.example")):
            started.append(Participant(role, domain, cro))
            staff.register(started[-1])
        dso, agr = started
        dso.others, agr.others = [agr], [dso]
        Demo(dso, agr, staff.look_up_market()).run()
    except staff.NoCroError as missing:
        return failed(str(missing))
    except DifferenceError as difference:
        return failed(f"Not as expected: {difference}")
    except NotReceivedError as missing:
        return failed(
            f"Not as expected: {missing}.\n"
            "Is a worker running, and UFTP_ALLOW_PRIVATE_ENDPOINTS true? `manage.py list_messages --out` "
            "shows what became of the CRO's messages."
        )
    except ClientTransportException as refused:
        return failed(f"Not as expected: the CRO refused a message. {refused}")
    except (CommandError, DatabaseError) as wrong:
        return failed(f"A command of the CRO's failed: {wrong}")
    finally:
        for participant in started:
            participant.stop()
    print(f"\nAll as expected: five use cases and TestMessages, in {' and '.join(VERSIONS)}.")
    return 0


def failed(text: str) -> int:
    print(f"\n{text}", file=sys.stderr)
    return 1
