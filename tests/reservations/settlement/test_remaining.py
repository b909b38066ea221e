"""Which updates count, and by which version of its contract a day is settled."""

from __future__ import annotations

from datetime import date

import pytest

from registry.market.market import set_market
from reservations.contracts.profiles import Profile, Stretch
from reservations.models import Contract, ReservationUpdate
from reservations.settlement.remaining import DayFigures, figures
from reservations.updates import lifecycle
from tests.reservations.dsl import (
    CONTRACT,
    DAY,
    Parties,
    a_contract,
    clerk,
    send,
    state,
    update_of,
    update_xml,
)

PROFILE = Profile((Stretch(1, 4, 1_000),))
LESS = Profile((Stretch(2, 4, 600),))


@pytest.fixture
def contract(parties: Parties) -> Contract:
    return a_contract(parties.dso, parties.agr, profile=PROFILE)


@pytest.fixture
def pending(connected: Parties) -> ReservationUpdate:
    """An update that is to be passed on: nothing of its first two ISPs is needed."""
    a_contract(connected.dso, connected.agr, profile=PROFILE)
    return said(connected, (1, 2, 0))


def said(parties: Parties, *isps: tuple[int, int, int]) -> ReservationUpdate:
    return update_of(send(parties.dso, update_xml(parties.dso, parties.agr.domain, *isps)))


def on_day(day: date = DAY) -> DayFigures:
    (found,) = figures([Contract.objects.get(contract_id=CONTRACT)], day, day)
    return found


def test_F12_an_update_counts_while_it_is_passed_on_or_accepted(pending: ReservationUpdate) -> None:
    assert (state(pending), on_day().remaining[:4]) == ("received", (1_000,) * 4)
    lifecycle.record_delivery(pending, delivered=True, source=clerk())
    assert (state(pending), on_day().remaining[:4]) == ("passed on", (0, 0, 1_000, 1_000))
    lifecycle.record_outcome(pending, accepted=True, source=clerk(), expected="passed on")
    assert (state(pending), on_day().remaining[:4]) == ("accepted", (0, 0, 1_000, 1_000))
    lifecycle.record_outcome(pending, accepted=False, source=clerk(), expected="accepted")
    assert (state(pending), on_day().remaining[:4]) == ("rejected", (1_000,) * 4)


def test_F12_an_update_that_is_undone_never_counts(pending: ReservationUpdate) -> None:
    lifecycle.record_delivery(pending, delivered=False, source=clerk())
    assert (state(pending), on_day().remaining[:4]) == ("undone", (1_000,) * 4)


def test_F17_a_day_with_an_update_that_counts_keeps_the_version_it_was_checked_against(
    contract: Contract, parties: Parties
) -> None:
    said(parties, (1, 1, 900))
    a_contract(parties.dso, parties.agr, profile=LESS)

    assert on_day().contracted[:4] == (1_000,) * 4
    assert on_day().remaining[:4] == (900, 1_000, 1_000, 1_000)
    assert on_day(date(2026, 3, 5)).contracted[:4] == (0, 600, 600, 600)


def test_F17_the_latest_update_s_version_settles_the_day(contract: Contract, parties: Parties) -> None:
    said(parties, (1, 2, 900))
    a_contract(parties.dso, parties.agr, profile=LESS)
    said(parties, (4, 1, 100))

    settled = on_day()
    assert settled.version.number == contract.versions.count() == 3
    assert settled.contracted[:4] == (0, 600, 600, 600)
    assert settled.remaining[:4] == (0, 600, 600, 100)


def test_F17_a_day_that_the_contract_has_no_more_is_not_settled(contract: Contract, parties: Parties) -> None:
    said(parties, (1, 1, 0))
    a_contract(parties.dso, parties.agr, profile=PROFILE, last=date(2026, 3, 3))
    assert not list(figures([contract], DAY, DAY))


def in_isps_of(minutes: int, parties: Parties, *isps: tuple[int, int, int]) -> None:
    """The market's ISPs, and so the contract's, are of so many minutes, and the DSO says `isps` of them."""
    duration = "PT1H" if minutes == 60 else f"PT{minutes}M"
    set_market(isp_duration=duration, actor="clerk")
    first_hours = Profile((Stretch(1, 180 // minutes, 1_000),))
    a_contract(parties.dso, parties.agr, isp_minutes=minutes, profile=first_hours)
    content = update_xml(parties.dso, parties.agr.domain, *isps, ISP_Duration=duration)
    assert send(parties.dso, content).result == "Accepted"


def test_F11_an_hour_that_was_released_stays_so_in_quarter_hours(parties: Parties) -> None:
    in_isps_of(60, parties, (2, 1, 200))
    in_isps_of(15, parties, (6, 1, 100))
    settled = on_day()
    assert settled.remaining[:12] == (*(1_000,) * 4, 200, 100, 200, 200, *(1_000,) * 4)
    assert [by and by.isps[0] for by in settled.source[3:7]] == [None, (5, 4, 200), [6, 1, 100], (5, 4, 200)]


def test_F11_quarter_hours_that_were_released_stay_so_in_hours_that_they_fill(parties: Parties) -> None:
    in_isps_of(15, parties, (1, 3, 200), (5, 2, 300), (7, 2, 300), (9, 2, 0), (11, 2, 100))
    in_isps_of(60, parties, (3, 1, 400))
    assert on_day().remaining[:3] == (1_000, 300, 400)


def test_F11_isps_of_which_none_divides_the_other(parties: Parties) -> None:
    in_isps_of(20, parties, (1, 3, 200), (4, 1, 300), (5, 2, 400))
    in_isps_of(15, parties, (12, 1, 0))
    assert on_day().remaining[:9] == (200, 200, 200, 200, 300, 1_000, 400, 400, 1_000)
