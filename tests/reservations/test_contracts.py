"""Contracts between DSOs and AGRs: recorded in versions, put in force, ended."""

from __future__ import annotations

from datetime import date, time

import pytest

from participants.models import Participant
from registry.changes import Source
from reservations.contracts import Terms, end, put_in_force, record, terms_of
from reservations.deadlines import Deadline
from reservations.models import ContractVersion
from reservations.profiles import Profile, Stretch

State = ContractVersion.State
POINT = "ean.871685900000000001"
STAFF = Source.of_staff("kim", "as agreed")

TERMS = Terms(
    congestion_point=POINT,
    first=date(2026, 1, 1),
    last=None,
    isp_minutes=15,
    deadline=Deadline(days=1, at=time(10)),
    profile=Profile((Stretch(1, 8, 1000), Stretch(41, 60, -500))),
)


@pytest.fixture
def dso(db: None) -> Participant:
    return Participant.objects.create(role="DSO", domain="grid.example")


@pytest.fixture
def agr(db: None) -> Participant:
    return Participant.objects.create(role="AGR", domain="agr.example")


def test_smoke(dso: Participant, agr: Participant) -> None:
    first = record(dso, agr, "C-1", TERMS, state=State.DRAFT, source=STAFF, expected=0)
    assert first is not None and first.number == 1
    assert terms_of(first) == TERMS
    second = put_in_force(first.contract, source=STAFF, expected=1)
    assert second is not None and second.state == "in force"
    third = end(first.contract, date(2026, 3, 1), source=STAFF)
    assert third is not None and third.number == 3
