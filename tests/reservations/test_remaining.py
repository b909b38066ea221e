"""Which updates count, and by which version of its contract a day is settled."""

from __future__ import annotations

from datetime import date

import pytest

from reservations import updates
from reservations.models import Contract, ReservationUpdate
from reservations.profiles import Profile, Stretch
from reservations.remaining import DayFigures, figures
from tests.reservations.saying import (
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
    updates.settle_by_delivery(pending, delivered=True, source=clerk())
    assert (state(pending), on_day().remaining[:4]) == ("passed on", (0, 0, 1_000, 1_000))
    updates.settle(pending, accepted=True, source=clerk(), expected="passed on")
    assert (state(pending), on_day().remaining[:4]) == ("accepted", (0, 0, 1_000, 1_000))
    updates.settle(pending, accepted=False, source=clerk(), expected="accepted")
    assert (state(pending), on_day().remaining[:4]) == ("rejected", (1_000,) * 4)


def test_F12_an_update_that_is_undone_never_counts(pending: ReservationUpdate) -> None:
    updates.settle_by_delivery(pending, delivered=False, source=clerk())
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
