"""Every reason against an update, and every boundary: a real message each, and the words of its real answer.

The contract of the fixture reserves 5 kW one way in ISPs 1 to 40, 3 kW the other way in 41 to 60, and nothing in the
rest of the day; its deadline is noon on the day before. Its AGR has no endpoint, so that the CRO answers it all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any

import pytest

from common import clock
from participants.models import Participant
from registry.market.market import ISP_DURATIONS, set_market
from registry.market.policies import set_policy
from registry.models import Market
from reservations.contracts.profiles import Profile, Stretch
from reservations.deadlines import Deadline
from reservations.isps import calendar
from reservations.models import Contract, ContractVersion, ReservationUpdate
from reservations.updates import lifecycle
from reservations.updates.checks import Situation, reasons_against
from tests.reservations.conftest import At
from tests.reservations.dsl import (
    CONTRACT,
    DAY,
    HOME,
    NOON,
    NOW,
    OTHER_POINT,
    POINT,
    PROFILE,
    Parties,
    Said,
    a_contract,
    another_agr,
    clerk,
    join,
    publish_connections,
    publish_point,
    said_in,
    say,
    send,
    some_parties,
    update_of,
    update_xml,
)
from tests.support.peer import CRO
from uftp.protocol.messages import ISP, FlexReservationUpdate, Metadata

SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)
"""Days of 92 and of 100 quarter-hours."""

AGR, DSO = "agr.example", "dso.example"
Given = Callable[[Parties], object]


@dataclass(frozen=True, kw_only=True)
class Case:
    """An update, what was `given` before it, and all `reasons` of its answer; Accepted without any."""

    isps: tuple[Said, ...] = ((1, 4, 0),)
    to: str = AGR
    said: Mapping[str, Any] = field(default_factory=dict)
    received: datetime | str = NOW
    given: tuple[Given, ...] = ()
    reasons: tuple[str, ...] = ()


@pytest.fixture
def parties(at: At, db: None) -> Parties:
    found = some_parties(dso=DSO, agr=AGR)
    a_contract(found.dso, found.agr)
    return found


def check(case: Case, parties: Parties, at: At) -> None:
    for given in case.given:
        given(parties)
    before = ReservationUpdate.objects.count()
    at(case.received)
    answer = say(parties.dso, update_xml(parties.dso, case.to, *case.isps, **case.said))
    told = said_in(answer.content)
    if case.reasons:
        assert (told["Result"], told.get("RejectionReason")) == ("Rejected", "; ".join(case.reasons))
    else:
        assert (told["Result"], told.get("RejectionReason")) == ("Accepted", None)
    assert ReservationUpdate.objects.count() == before + (not case.reasons)


def cases(table: dict[str, Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", table.values(), ids=table.keys())


def contract(**terms: Any) -> Given:
    """The contract says something else than the usual, or another contract does."""
    return lambda parties: a_contract(parties.dso, parties.agr, **terms)


def before(*said: Said, time_stamp: str, **more: Any) -> Given:
    """An update that is accepted before."""
    return lambda parties: say(
        parties.dso, update_xml(parties.dso, AGR, *said, TimeStamp=time_stamp, **more), "Accepted"
    )


def whole_day(watts: int = 5_000, minutes: int = 15) -> Profile:
    return Profile((Stretch(1, calendar.usual_count(minutes), watts),))


def of_another_agr(contract_id: str = CONTRACT, **terms: Any) -> Given:
    """The DSO has a contract of that ID with another AGR."""

    def given(parties: Parties) -> None:
        agr = another_agr(
            parties.dso, point=OTHER_POINT, home="ean.871600000000000994", domain="agr-2.example"
        )
        a_contract(parties.dso, agr, contract_id, point=OTHER_POINT, **terms)

    return given


def of_another_dso(parties: Parties) -> None:
    """Another DSO has a contract with the AGR."""
    dso = join("DSO", "dso-2.example")
    a_contract(dso, parties.agr, "theirs")


UNKNOWN = f"Unknown reference ContractID: {CONTRACT}"


@cases(
    {
        "another ID": Case(
            said={"contract_id": "other"},
            reasons=(f"Unknown reference ContractID: other is no contract between you and {AGR}",),
        ),
        "an ID in other letters": Case(
            said={"contract_id": "Flex-1"},
            reasons=(f"Unknown reference ContractID: Flex-1 is no contract between you and {AGR}",),
        ),
        "a long ID": Case(
            said={"contract_id": "c" * 1000},
            reasons=(f"Unknown reference ContractID: {'c' * 60}… is no contract between you and {AGR}",),
        ),
        "an AGR that has none": Case(
            given=(lambda parties: join("AGR", "agr-2.example"),),
            to="agr-2.example",
            reasons=(f"{UNKNOWN} is no contract between you and agr-2.example",),
        ),
        "a domain that nobody knows": Case(
            to="nobody.example", reasons=(f"{UNKNOWN} is no contract between you and nobody.example",)
        ),
        "the domain of a DSO": Case(to=DSO, reasons=(f"{UNKNOWN} is no contract between you and {DSO}",)),
        "another DSO's": Case(
            given=(of_another_dso,),
            said={"contract_id": "theirs"},
            reasons=(f"Unknown reference ContractID: theirs is no contract between you and {AGR}",),
        ),
        "a draft": Case(
            given=(contract(contract_id="draft", state="draft"),),
            said={"contract_id": "draft"},
            reasons=(f"Unknown reference ContractID: draft is no contract between you and {AGR}",),
        ),
        "its first day": Case(given=(contract(first=DAY),)),
        "the day before": Case(
            given=(contract(first=date(2026, 3, 5)),), reasons=(f"{UNKNOWN} is not in force on 2026-03-04",)
        ),
        "its last day": Case(given=(contract(last=DAY),)),
        "the day after": Case(
            given=(contract(last=date(2026, 3, 3)),), reasons=(f"{UNKNOWN} is not in force on 2026-03-04",)
        ),
        "ended, its last day": Case(given=(contract(last=DAY, state="ended"),)),
        "ended before": Case(
            given=(contract(last=date(2026, 3, 3), state="ended"),),
            reasons=(f"{UNKNOWN} is not in force on 2026-03-04",),
        ),
    }
)
def test_F1_a_contract_between_the_two_in_force_on_the_day(case: Case, parties: Parties, at: At) -> None:
    check(case, parties, at)


SEVERAL = f"{UNKNOWN} is a contract of yours with more than one AGR: address the AGR"


@cases(
    {
        "the only one": Case(to=CRO),
        "none": Case(
            to=CRO,
            said={"contract_id": "other"},
            reasons=("Unknown reference ContractID: other is no contract of yours",),
        ),
        "another DSO's": Case(
            to=CRO,
            given=(of_another_dso,),
            said={"contract_id": "theirs"},
            reasons=("Unknown reference ContractID: theirs is no contract of yours",),
        ),
        "two AGRs share it": Case(to=CRO, given=(of_another_agr(),), reasons=(SEVERAL,)),
        "two AGRs share it, but one is addressed": Case(given=(of_another_agr(),)),
        "two AGRs share it, never on one day": Case(
            to=CRO, given=(of_another_agr(last=date(2026, 1, 31), state="ended"),), reasons=(SEVERAL,)
        ),
        "the other one is a draft": Case(to=CRO, given=(of_another_agr(state="draft"),)),
        "the only one, not in force": Case(
            to=CRO,
            given=(contract(last=date(2026, 3, 3)),),
            reasons=(f"{UNKNOWN} is not in force on 2026-03-04",),
        ),
    }
)
def test_F2_addressed_to_the_cro_the_contract_is_one_of_the_dso_alone(
    case: Case, parties: Parties, at: At
) -> None:
    check(case, parties, at)


def ends(first: str, last: str) -> Given:
    """The AGR's connection ends."""
    return lambda parties: publish_connections(parties.agr, HOME, first=first, last=last)


def taken_over(parties: Parties) -> None:
    """The AGR lets its connection go and claims it again when another has it: it is contested."""
    publish_connections(parties.agr, HOME, first="2026-02-01", last="2026-01-31")
    publish_connections(join("AGR", "agr-2.example"), HOME)
    publish_connections(parties.agr, HOME)


def claimed_by_two_dsos(parties: Parties) -> None:
    """A connection of the AGR's is contested behind OTHER_POINT: another DSO held it before."""
    home = "ean.871600000000000772"
    publish_point(join("DSO", "dso-2.example"), POINT, home)
    publish_point(parties.dso, OTHER_POINT, home)
    publish_connections(parties.agr, home)


def outlived(last: str) -> Given:
    """The congestion point ends, and by the policy its connection does not."""

    def do(parties: Parties) -> None:
        set_policy("P3", "accept", actor="clerk", now=clock.now())
        publish_point(parties.dso, POINT, HOME, last=last)

    return do


NOT_ACTIVE = (f"Invalid CongestionPoint: {POINT} has no connection of {AGR} on 2026-03-04",)


@cases(
    {
        "not the contract's": Case(
            given=(lambda parties: publish_point(parties.dso, OTHER_POINT, HOME),),
            said={"CongestionPoint": OTHER_POINT},
            reasons=(f"Invalid CongestionPoint: {OTHER_POINT} is not the congestion point of {CONTRACT}",),
        ),
        "one that nobody knows": Case(
            said={"CongestionPoint": "ea1.2026-01.example:x"},
            reasons=(
                f"Invalid CongestionPoint: ea1.2026-01.example:x is not the congestion point of {CONTRACT}",
            ),
        ),
        "the connection's last day": Case(given=(ends("2026-01-01", "2026-03-04"),)),
        "the connection ends the day before": Case(
            given=(ends("2026-01-01", "2026-03-03"),), reasons=NOT_ACTIVE
        ),
        "the point's last day": Case(given=(outlived("2026-03-04"),)),
        "the point ends the day before": Case(given=(outlived("2026-03-03"),), reasons=NOT_ACTIVE),
        "the connection is contested": Case(given=(taken_over,), reasons=NOT_ACTIVE),
        "never registered": Case(
            given=(contract(point=OTHER_POINT),),
            said={"CongestionPoint": OTHER_POINT},
            reasons=(f"Invalid CongestionPoint: {OTHER_POINT} has no connection of {AGR} on 2026-03-04",),
        ),
        "the connection is another DSO's": Case(
            given=(contract(point=OTHER_POINT), claimed_by_two_dsos),
            said={"CongestionPoint": OTHER_POINT},
            reasons=(f"Invalid CongestionPoint: {OTHER_POINT} has no connection of {AGR} on 2026-03-04",),
        ),
        "another DSO's point": Case(
            given=(
                contract(point=OTHER_POINT),
                lambda parties: publish_point(
                    join("DSO", "dso-2.example"), OTHER_POINT, "ean.871600000000000772"
                ),
                lambda parties: publish_connections(parties.agr, "ean.871600000000000772"),
            ),
            said={"CongestionPoint": OTHER_POINT},
            reasons=(f"Invalid CongestionPoint: {OTHER_POINT} has no connection of {AGR} on 2026-03-04",),
        ),
    }
)
def test_F3_the_contracts_congestion_point_with_a_connection_of_the_agr(
    case: Case, parties: Parties, at: At
) -> None:
    check(case, parties, at)


def the_market_is_changed(**values: str) -> Given:
    return lambda parties: set_market(**values, actor="clerk", reason="It was decided.")


@cases(
    {
        "in seconds": Case(said={"ISP_Duration": "PT900S"}),
        "with zeros": Case(said={"ISP_Duration": "P0DT0H15M"}),
        "twice as long": Case(
            said={"ISP_Duration": "PT30M"},
            reasons=("ISP duration rejected: PT30M is not the market's PT15M",),
        ),
        "none that an ISP can have": Case(
            said={"ISP_Duration": "PT7M"}, reasons=("ISP duration rejected: PT7M is not the market's PT15M",)
        ),
        "negative": Case(
            said={"ISP_Duration": "-PT15M"},
            reasons=("ISP duration rejected: -PT15M is not the market's PT15M",),
        ),
        "a year": Case(
            said={"ISP_Duration": "P1Y"}, reasons=("ISP duration rejected: P1Y is not the market's PT15M",)
        ),
        "endless": Case(
            said={"ISP_Duration": f"PT{'9' * 100}M"},
            reasons=(f"ISP duration rejected: PT{'9' * 58}… is not the market's PT15M",),
        ),
        "the contract's, which is the market's no more": Case(
            given=(the_market_is_changed(isp_duration="PT30M"),),
            reasons=(
                "ISP duration rejected: PT15M is not the market's PT30M",
                f"ISP duration rejected: PT15M of {CONTRACT} is not the market's PT30M",
            ),
        ),
        "the market's, which is not the contract's": Case(
            given=(the_market_is_changed(isp_duration="PT30M"),),
            said={"ISP_Duration": "PT30M"},
            reasons=(f"ISP duration rejected: PT15M of {CONTRACT} is not the market's PT30M",),
        ),
    }
)
def test_F4_the_isp_duration_is_the_markets_by_its_meaning(case: Case, parties: Parties, at: At) -> None:
    check(case, parties, at)


@cases(
    {
        "the same hour in winter": Case(said={"TimeZone": "Africa/Lagos"}),
        "the same hour no more in summer": Case(
            said={"TimeZone": "Africa/Lagos", "period": "2026-07-01"},
            reasons=("TimeZone rejected: Africa/Lagos is not Europe/Amsterdam",),
        ),
        "on the day that the clock changes": Case(
            said={"TimeZone": "Africa/Lagos", "period": SPRING},
            reasons=("TimeZone rejected: Africa/Lagos is not Europe/Amsterdam",),
        ),
        "changed alike": Case(said={"TimeZone": "Europe/Paris", "period": SPRING}),
        "another hour": Case(
            said={"TimeZone": "Europe/London"},
            reasons=("TimeZone rejected: Europe/London is not Europe/Amsterdam",),
        ),
        "unknown": Case(
            said={"TimeZone": "Europe/Atlantis"},
            reasons=("TimeZone rejected: Europe/Atlantis is not Europe/Amsterdam",),
        ),
        "the contract's, which is the market's no more": Case(
            given=(the_market_is_changed(time_zone="Europe/London"),),
            reasons=(
                "TimeZone rejected: Europe/Amsterdam is not Europe/London",
                f"TimeZone rejected: Europe/Amsterdam of {CONTRACT} is not Europe/London",
            ),
        ),
        "the market's, which is not the contract's": Case(
            given=(the_market_is_changed(time_zone="Europe/London"),),
            said={"TimeZone": "Europe/London"},
            reasons=(f"TimeZone rejected: Europe/Amsterdam of {CONTRACT} is not Europe/London",),
        ),
    }
)
def test_F5_the_time_zone_has_the_markets_hours_on_the_day(case: Case, parties: Parties, at: At) -> None:
    check(case, parties, at)


A_WHOLE_DAY = contract(profile=whole_day())
ENDLESS = 10**18


@cases(
    {
        "the first": Case(isps=((1, 1, 0),)),
        "the last": Case(given=(A_WHOLE_DAY,), isps=((96, 1, 5_000),)),
        "the whole day": Case(given=(A_WHOLE_DAY,), isps=((1, 96, 0),)),
        "one after the last": Case(
            given=(A_WHOLE_DAY,),
            isps=((97, 1, 0),),
            reasons=("ISPs out of bounds: 97 outside 1-96 of 2026-03-04",),
        ),
        "one too long": Case(
            given=(A_WHOLE_DAY,),
            isps=((90, 11, 0),),
            reasons=("ISPs out of bounds: 97-100 outside 1-96 of 2026-03-04",),
        ),
        "endless": Case(
            given=(A_WHOLE_DAY,),
            isps=((1, ENDLESS, 0),),
            reasons=(f"ISPs out of bounds: 97-{ENDLESS} outside 1-96 of 2026-03-04",),
        ),
        "several, neighbours together": Case(
            given=(A_WHOLE_DAY,),
            isps=((300, 2, 0), (97, 2, 0), (1, 1, 0), (99, 1, 0), (200, 1, 0)),
            reasons=("ISPs out of bounds: 97-99, 200, 300-301 outside 1-96 of 2026-03-04",),
        ),
        "no more than twenty are named": Case(
            given=(A_WHOLE_DAY,),
            isps=tuple((start, 1, 0) for start in range(101, 151, 2)),
            reasons=(
                f"ISPs out of bounds: {', '.join(str(start) for start in range(101, 141, 2))} and 5 more"
                " outside 1-96 of 2026-03-04",
            ),
        ),
        "the last of a spring day": Case(
            given=(A_WHOLE_DAY,), said={"period": SPRING}, isps=((92, 1, 5_000),)
        ),
        "one after the last of a spring day": Case(
            given=(A_WHOLE_DAY,),
            said={"period": SPRING},
            isps=((92, 2, 0),),
            reasons=("ISPs out of bounds: 93 outside 1-92 of 2026-03-29",),
        ),
        "the last of an autumn day": Case(
            given=(A_WHOLE_DAY,), said={"period": AUTUMN}, isps=((100, 1, 5_000),)
        ),
        "one after the last of an autumn day": Case(
            given=(A_WHOLE_DAY,),
            said={"period": AUTUMN},
            isps=((97, 5, 0),),
            reasons=("ISPs out of bounds: 101 outside 1-100 of 2026-10-25",),
        ),
        "the last of the contract": Case(isps=((60, 1, 0),)),
        "one after the last of the contract": Case(
            isps=((61, 1, 0),), reasons=(f"ISPs out of bounds: 61 outside {CONTRACT} on 2026-03-04",)
        ),
        "partly outside the contract": Case(
            isps=((59, 5, 0), (80, 1, 0)),
            reasons=(f"ISPs out of bounds: 61-63, 80 outside {CONTRACT} on 2026-03-04",),
        ),
        "outside the contract and the day": Case(
            isps=((95, 4, 0),),
            reasons=(
                "ISPs out of bounds: 97-98 outside 1-96 of 2026-03-04",
                f"ISPs out of bounds: 95-96 outside {CONTRACT} on 2026-03-04",
            ),
        ),
        "nothing on that day of the week": Case(
            given=(contract(profile=Profile(PROFILE.every_day, weekdays={3: ()})),),
            reasons=(f"ISPs out of bounds: 1-4 outside {CONTRACT} on 2026-03-04",),
        ),
        "on that day of the week alone": Case(
            given=(contract(profile=Profile(weekdays={3: (Stretch(1, 4, 1),)})),)
        ),
        "nothing on that day": Case(
            given=(contract(profile=Profile(PROFILE.every_day, days={DAY: ()})),),
            reasons=(f"ISPs out of bounds: 1-4 outside {CONTRACT} on 2026-03-04",),
        ),
    }
)
def test_F6_the_isps_are_of_the_day_and_of_the_contract(case: Case, parties: Parties, at: At) -> None:
    check(case, parties, at)


@pytest.mark.parametrize("duration", ISP_DURATIONS)
@pytest.mark.parametrize(("day", "hours"), [(DAY, 24), (SPRING, 23), (AUTUMN, 25)])
def test_F6_whatever_the_duration_of_an_isp(
    parties: Parties, at: At, duration: str, day: date, hours: int
) -> None:
    set_market(isp_duration=duration, actor="clerk")
    minutes = calendar.minutes_of(duration)
    assert minutes is not None
    a_contract(parties.dso, parties.agr, isp_minutes=minutes, profile=whole_day(minutes=minutes))
    many = hours * 60 // minutes
    said = {"period": day, "ISP_Duration": duration}
    check(Case(isps=((many, 1, 5_000), (1, 1, 5_000)), said=said), parties, at)
    reason = f"ISPs out of bounds: {many + 1} outside 1-{many} of {day}"
    check(Case(isps=((many, 2, 0),), said=said, reasons=(reason,)), parties, at)


@cases(
    {
        "neighbours": Case(isps=((1, 4, 0), (5, 4, 0))),
        "neighbours, the later first": Case(isps=((5, 4, 0), (1, 4, 0))),
        "overlap by one": Case(
            isps=((1, 5, 0), (5, 4, 0)), reasons=("ISP conflict: 5 named more than once",)
        ),
        "overlap by one, the later first": Case(
            isps=((5, 4, 0), (1, 5, 0)), reasons=("ISP conflict: 5 named more than once",)
        ),
        "the same": Case(isps=((3, 2, 0), (3, 2, 0)), reasons=("ISP conflict: 3-4 named more than once",)),
        "with another power": Case(
            isps=((3, 1, 0), (3, 1, 5_000)), reasons=("ISP conflict: 3 named more than once",)
        ),
        "one within another": Case(
            isps=((1, 40, 0), (10, 2, 0), (20, 1, 0)),
            reasons=("ISP conflict: 10-11, 20 named more than once",),
        ),
        "three times": Case(
            isps=((1, 4, 0), (2, 4, 0), (3, 4, 0)), reasons=("ISP conflict: 2-5 named more than once",)
        ),
        "on no day at all": Case(
            isps=((100, ENDLESS, 0), (ENDLESS, 5, 0)),
            reasons=(
                f"ISPs out of bounds: 100-{ENDLESS + 99} outside 1-96 of 2026-03-04",
                f"ISP conflict: {ENDLESS}-{ENDLESS + 4} named more than once",
            ),
        ),
    }
)
def test_F7_no_isp_is_named_twice(case: Case, parties: Parties, at: At) -> None:
    check(case, parties, at)


HOURS_BEFORE = contract(deadline=Deadline(hours=6), profile=whole_day())


@cases(
    {
        "at the deadline": Case(received=NOON),
        "a second after": Case(
            received="2026-03-03T12:00:01+01:00",
            reasons=("Deadline expired: 2026-03-03T12:00:00+01:00 for 2026-03-04",),
        ),
        "a microsecond after": Case(
            received="2026-03-03T12:00:00.000001+01:00",
            reasons=("Deadline expired: 2026-03-03T12:00:00+01:00 for 2026-03-04",),
        ),
        "long after": Case(
            received="2026-03-09T00:00:00+01:00",
            reasons=("Deadline expired: 2026-03-03T12:00:00+01:00 for 2026-03-04",),
        ),
        "hours before the first ISP, at it": Case(
            given=(HOURS_BEFORE,), received="2026-03-03T18:00:00+01:00"
        ),
        "hours before the first ISP, a second after": Case(
            given=(HOURS_BEFORE,),
            received="2026-03-03T18:00:01+01:00",
            reasons=("Deadline expired: 2026-03-03T18:00:00+01:00 for 2026-03-04",),
        ),
        "on the day itself, in summer": Case(
            given=(contract(deadline=Deadline(days=0, at=time(3))),),
            said={"period": SPRING},
            received="2026-03-29T03:00:00+02:00",
        ),
        "on the day itself, in summer, a second after": Case(
            given=(contract(deadline=Deadline(days=0, at=time(3))),),
            said={"period": SPRING},
            received="2026-03-29T03:00:01+02:00",
            reasons=("Deadline expired: 2026-03-29T03:00:00+02:00 for 2026-03-29",),
        ),
        "hours before the day after the clock changed": Case(
            given=(contract(deadline=Deadline(hours=24)),),
            said={"period": date(2026, 3, 30)},
            received="2026-03-28T23:00:01+01:00",
            reasons=("Deadline expired: 2026-03-28T23:00:00+01:00 for 2026-03-30",),
        ),
    }
)
def test_F8_received_by_the_deadline(case: Case, parties: Parties, at: At) -> None:
    check(case, parties, at)


@cases(
    {
        "as contracted": Case(isps=((1, 40, 5_000), (41, 20, -3_000))),
        "nothing": Case(isps=((1, 60, 0),)),
        "one watt": Case(isps=((1, 1, 1), (41, 1, -1))),
        "one watt too many": Case(
            isps=((3, 1, 5_001),), reasons=("Power value rejection: 3 more than contracted",)
        ),
        "one watt too many the other way": Case(
            isps=((41, 1, -3_001),), reasons=("Power value rejection: 41 more than contracted",)
        ),
        "the other direction": Case(
            isps=((40, 1, -1), (41, 1, 1)),
            reasons=("Power value rejection: 40-41 not in the direction contracted",),
        ),
        "each its own": Case(
            isps=((1, 2, 6_000), (5, 2, -1), (10, 30, 5_000), (41, 4, -9_000), (50, 1, 9_000)),
            reasons=(
                "Power value rejection: 5-6, 50 not in the direction contracted",
                "Power value rejection: 1-2, 41-44 more than contracted",
            ),
        ),
        "across the change of direction": Case(
            isps=((39, 4, 5_000),), reasons=("Power value rejection: 41-42 not in the direction contracted",)
        ),
        "more than a number holds": Case(
            isps=((1, 1, 10**30),), reasons=(f"Invalid Message: {10**30} is no Power that can be kept",)
        ),
        "in the repeated hour": Case(
            given=(contract(profile=Profile((Stretch(9, 12, 2_000),))),),
            said={"period": AUTUMN},
            isps=((9, 8, 2_000),),
        ),
        "one watt too many in the repeated hour": Case(
            given=(contract(profile=Profile((Stretch(9, 12, 2_000),))),),
            said={"period": AUTUMN},
            isps=((13, 4, 2_001),),
            reasons=("Power value rejection: 13-16 more than contracted",),
        ),
        "0 W outside the contract is outside all the same": Case(
            isps=((61, 1, 0),), reasons=(f"ISPs out of bounds: 61 outside {CONTRACT} on 2026-03-04",)
        ),
    }
)
def test_F9_the_power_is_of_the_contracts_direction_and_no_more(case: Case, parties: Parties, at: At) -> None:
    check(case, parties, at)


NINE, TEN = "2026-03-02T08:00:00+00:00", "2026-03-02T07:59:59.999999Z"
OLDER = (
    "Subordinate sequence number: TimeStamp 2026-03-02T07:59:59.999999+00:00,"
    " after 2026-03-02T08:00:00+00:00 for 2026-03-04",
)


def settled(accepted: bool) -> Given:
    """Staff settle the latest update."""

    def given(parties: Parties) -> None:
        update = ReservationUpdate.objects.latest("id")
        lifecycle.record_outcome(
            update, accepted=accepted, source=clerk(), expected=lifecycle.state_of(update).state
        )

    return given


@cases(
    {
        "the first": Case(said={"TimeStamp": TEN}),
        "later": Case(given=(before((1, 4, 0), time_stamp=TEN),), said={"TimeStamp": NINE}),
        "equal": Case(given=(before((1, 4, 0), time_stamp=NINE),), said={"TimeStamp": NINE}),
        "equal in another offset": Case(
            given=(before((1, 4, 0), time_stamp=NINE),), said={"TimeStamp": "2026-03-02T09:00:00+01:00"}
        ),
        "earlier": Case(given=(before((1, 4, 0), time_stamp=NINE),), said={"TimeStamp": TEN}, reasons=OLDER),
        "earlier, about other ISPs": Case(
            given=(before((1, 4, 0), time_stamp=NINE),),
            isps=((20, 1, 0),),
            said={"TimeStamp": TEN},
            reasons=OLDER,
        ),
        "earlier than one that was addressed to another": Case(
            given=(before((1, 4, 0), time_stamp=NINE),), to=CRO, said={"TimeStamp": TEN}, reasons=OLDER
        ),
        "earlier than an earlier version's": Case(
            given=(before((1, 4, 0), time_stamp=NINE), A_WHOLE_DAY), said={"TimeStamp": TEN}, reasons=OLDER
        ),
        "earlier than the latest but one": Case(
            given=(
                before((1, 4, 0), time_stamp=NINE),
                before((1, 4, 0), time_stamp="2026-03-02T08:00:01Z"),
                settled(accepted=False),
            ),
            said={"TimeStamp": TEN},
            reasons=OLDER,
        ),
        "earlier than a rejected one": Case(
            given=(before((1, 4, 0), time_stamp=NINE), settled(accepted=False)), said={"TimeStamp": TEN}
        ),
        "earlier than another Period's": Case(
            given=(before((1, 4, 0), time_stamp=NINE, period="2026-03-05"),), said={"TimeStamp": TEN}
        ),
        "earlier than another contract's": Case(
            given=(
                contract(contract_id="flex-2"),
                before((1, 4, 0), time_stamp=NINE, contract_id="flex-2"),
            ),
            said={"TimeStamp": TEN},
        ),
    }
)
def test_F10_no_older_than_what_is_in_place(case: Case, parties: Parties, at: At) -> None:
    check(case, parties, at)


@cases(
    {
        "without a contract, what needs none": Case(
            said={
                "contract_id": "other",
                "CongestionPoint": OTHER_POINT,
                "ISP_Duration": "PT30M",
                "TimeZone": "Europe/London",
                "period": SPRING,
            },
            isps=((40, 10, -9_000), (1, 1, 0), (1, 1, 0)),
            received="2026-04-01T00:00:00+02:00",
            reasons=(
                f"Unknown reference ContractID: other is no contract between you and {AGR}",
                "ISP duration rejected: PT30M is not the market's PT15M",
                "TimeZone rejected: Europe/London is not Europe/Amsterdam",
                "ISPs out of bounds: 47-49 outside 1-46 of 2026-03-29",
                "ISP conflict: 1 named more than once",
            ),
        ),
        "everything at once": Case(
            given=(before((1, 1, 0), time_stamp="2026-03-02T08:00:00Z"),),
            said={
                "CongestionPoint": OTHER_POINT,
                "TimeZone": "Europe/London",
                "TimeStamp": "2026-03-01T00:00:00Z",
            },
            isps=((38, 4, -1), (1, 2, 5_001), (2, 1, 0), (60, 2, 0), (96, 2, 1)),
            received="2026-03-03T12:00:01+01:00",
            reasons=(
                f"Invalid CongestionPoint: {OTHER_POINT} is not the congestion point of {CONTRACT}",
                "TimeZone rejected: Europe/London is not Europe/Amsterdam",
                "ISPs out of bounds: 97 outside 1-96 of 2026-03-04",
                f"ISPs out of bounds: 61, 96 outside {CONTRACT} on 2026-03-04",
                "ISP conflict: 2 named more than once",
                "Deadline expired: 2026-03-03T12:00:00+01:00 for 2026-03-04",
                "Power value rejection: 38-40 not in the direction contracted",
                "Power value rejection: 1-2 more than contracted",
                "Subordinate sequence number: TimeStamp 2026-03-01T00:00:00+00:00,"
                " after 2026-03-02T08:00:00+00:00 for 2026-03-04",
            ),
        ),
        "an ISP duration that is no ISP's leaves ISPs alone": Case(
            said={"ISP_Duration": "PT7M"},
            isps=((500, 2, 10_000), (500, 1, 0)),
            reasons=(
                "ISP duration rejected: PT7M is not the market's PT15M",
                "ISP conflict: 500 named more than once",
            ),
        ),
    }
)
def test_several_reasons_at_once(case: Case, parties: Parties, at: At) -> None:
    check(case, parties, at)


@pytest.mark.parametrize("version", ["3.0.0", "3.1.0", "4.0.0"])
def test_in_every_version(parties: Parties, version: str) -> None:
    major = int(version[0])
    taken = update_xml(parties.dso, AGR, (1, 4, 2_000), Version=version)
    told = said_in(say(parties.dso, taken, "Accepted", major=major).content)
    reference = "ReferenceMessageID" if major == 4 else "FlexReservationUpdateMessageID"
    assert told[reference] == said_in(taken)["MessageID"]
    assert (told["Version"], told["ConversationID"]) == (version, said_in(taken)["ConversationID"])
    refused = update_xml(parties.dso, AGR, (1, 4, 6_000), Version=version)
    told = said_in(say(parties.dso, refused, "Rejected", major=major).content)
    assert told["RejectionReason"] == "Power value rejection: 1-4 more than contracted"


@pytest.mark.parametrize("period", ["2026-03-04+01:00", "2026-03-04Z"])
def test_a_period_with_an_offset_is_the_day_it_names(parties: Parties, period: str) -> None:
    inbound = send(parties.dso, update_xml(parties.dso, AGR, (1, 4, 0), period=period))
    assert update_of(inbound).period == DAY


def test_M2_an_agr_may_not_say_what_is_left_reserved(parties: Parties) -> None:
    answer = say(parties.agr, update_xml(parties.agr, CRO, (1, 4, 0)))
    assert answer.reason.startswith("Invalid SenderRole")


def test_a_message_of_any_size_is_checked_in_no_time() -> None:
    """Laid out ISP by ISP it would not end at all."""
    metadata = Metadata(
        version="3.1.0",
        sender_domain=DSO,
        recipient_domain=AGR,
        time_stamp=NOW,
        message_id="m",
        conversation_id="c",
    )
    elements = tuple(
        ISP(power=(-1) ** number * number, start=number % 90 + 1, duration=ENDLESS)
        for number in range(100_000)
    )
    said = FlexReservationUpdate(
        metadata=metadata,
        time_zone="Europe/Amsterdam",
        isp_duration="PT15M",
        period=DAY,
        congestion_point=POINT,
        contract_id=CONTRACT,
        reference="r",
        isps=elements,
    )
    version = ContractVersion(
        contract=Contract(agr=Participant(role="AGR", domain=AGR), contract_id=CONTRACT),
        congestion_point=POINT,
        isp_minutes=15,
        time_zone="Europe/Amsterdam",
        deadline_hours=1,
    )
    began = datetime.now(UTC)
    found = reasons_against(
        said,
        Situation(market=Market(), received_at=NOW, version=version, profile=whole_day(), active=True),
    )
    assert (datetime.now(UTC) - began).total_seconds() < 20
    assert found == [
        f"ISPs out of bounds: 97-{ENDLESS + 89} outside 1-96 of 2026-03-04",
        f"ISP conflict: 1-{ENDLESS + 89} named more than once",
        "Power value rejection: 2-96 not in the direction contracted",
        "Power value rejection: 1-96 more than contracted",
    ]


@pytest.mark.parametrize(
    ("contract_id", "odd"),
    [
        ("C-1 ", "U+0020 at character 4"),
        ("C-1\u00a0", "U+00A0 at character 4"),
        ("C\u200b1", "U+200B at character 2"),
    ],
)
def test_E1_an_odd_character_in_a_contract_id_is_named(
    parties: Parties, at: At, contract_id: str, odd: str
) -> None:
    at(NOW)
    answer = say(parties.dso, update_xml(parties.dso, AGR, (1, 4, 0), contract_id=contract_id))
    first, unknown = said_in(answer.content)["RejectionReason"].split("; ")
    assert first.startswith("Invalid Message: C")
    assert first.endswith(f"({odd}) is not printable ASCII without white space at its ends")
    assert unknown.startswith("Unknown reference ContractID: C")


def test_E1_a_contract_recorded_before_the_rule_is_named_as_it_is_recorded(parties: Parties, at: At) -> None:
    Contract.objects.update(contract_id="Vertrag ü")
    at(NOW)
    say(parties.dso, update_xml(parties.dso, AGR, (1, 4, 0), contract_id="Vertrag ü"), "Accepted")
