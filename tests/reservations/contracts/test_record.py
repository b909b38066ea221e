"""Contracts between DSOs and AGRs: recorded in versions, put in force, ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection

from participants.admin_base.audited import changes_in_words
from participants.models import AuditEntry, Participant
from registry.changes import Source, wait_for_stamped_changes
from registry.market.market import set_market
from registry.models import Change
from reservations.contracts.profiles import Profile, Stretch
from reservations.contracts.record import (
    ContractError,
    Terms,
    back_to_draft,
    end,
    put_in_force,
    record,
    terms_of,
)
from reservations.deadlines import Deadline
from reservations.models import Contract, ContractVersion, ReservationUpdate, VersionProfile
from reservations.settlement.remaining import figures
from tests.registry.admin.test_staff_at_once import at_once
from tests.reservations.dsl import CONTRACT, DAY, POINT, Parties, send, update_xml

State = ContractVersion.State
STAFF = Source.of_staff("kim", "as agreed")
UNEXPLAINED = Source.of_staff("kim", "  ")
CHRISTMAS = date(2026, 12, 25)

TERMS = Terms(
    congestion_point=POINT,
    first=date(2026, 1, 1),
    last=None,
    isp_minutes=15,
    deadline=Deadline(days=1, at=time(10)),
    profile=Profile(
        (Stretch(1, 8, 1000), Stretch(41, 60, -500)),
        weekdays={7: ()},
        days={CHRISTMAS: (Stretch(1, 96, 2000),)},
    ),
)
"""Nothing on Sundays, and the whole of Christmas Day."""


@pytest.fixture
def dso(db: None) -> Participant:
    return Participant.objects.create(role="DSO", domain="grid.example")


@pytest.fixture
def agr(db: None) -> Participant:
    return Participant.objects.create(role="AGR", domain="agr.example")


@pytest.fixture
def contract(dso: Participant, agr: Participant) -> Contract:
    """In force, in version 1."""
    version = record(dso, agr, "C-1", TERMS, state=State.IN_FORCE, source=STAFF)
    assert version is not None
    return version.contract


def again(contract: Contract, terms: Terms = TERMS, **values: Any) -> ContractVersion | None:
    given = {"state": State.IN_FORCE, "source": STAFF, **values}
    return record(contract.dso, contract.agr, contract.contract_id, terms, **given)


def current(contract: Contract) -> ContractVersion:
    return ContractVersion.objects.current().get(contract=contract)


def told(error: pytest.ExceptionInfo[ContractError]) -> list[tuple[str, str]]:
    return error.value.errors


def test_a_contract_is_recorded_and_says_the_same_when_read(dso: Participant, agr: Participant) -> None:
    version = record(dso, agr, "C-1", TERMS, state=State.DRAFT, source=STAFF, expected=0)
    assert version is not None
    assert (version.number, version.state, version.time_zone) == (1, "draft", "Europe/Amsterdam")
    assert terms_of(version) == terms_of(ContractVersion.objects.get()) == TERMS
    change = version.recorded_by
    assert (change.kind, change.actor, change.reason) == ("staff", "kim", "as agreed")
    assert change.moment is not None
    assert change.participants == sorted([dso.pk, agr.pk])


def test_what_staff_record_is_in_the_audit_trail(contract: Contract) -> None:
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.reason) == ("kim", "add contract", "as agreed")
    assert entry.subject == "contract C-1 of DSO grid.example and AGR agr.example"
    assert entry.before is None
    assert entry.participants == sorted([contract.dso_id, contract.agr_id])
    data = {
        "state": "in force",
        "congestion point": POINT,
        "days": "from 2026-01-01",
        "ISP duration": "PT15M",
        "time zone": "Europe/Amsterdam",
        "deadline": "the day before at 10:00",
        "every day": "1-8: 1,000 W, 41-60: −500 W",
        "Sunday": "nothing",
        "2026-12-25": "1-96: 2,000 W",
        "version": 1,
        "change": Change.objects.get().pk,
    }
    assert entry.after == data
    again(contract, replace(TERMS, deadline=Deadline(hours=6), profile=Profile(TERMS.profile.every_day)))
    entry = AuditEntry.objects.get(action="change contract")
    before = {name: data[name] for name in ("deadline", "Sunday", "2026-12-25")}
    assert entry.before == before
    assert entry.after == {
        "deadline": "6 hours before the day begins",
        "Sunday": None,
        "2026-12-25": None,
        "version": 2,
        "change": Change.objects.latest("pk").pk,
    }


def test_single_days_that_an_end_leaves_out_are_told_with_an_arrow(
    dso: Participant, agr: Participant
) -> None:
    version = record(dso, agr, "C-1", TERMS, state=State.IN_FORCE, source=STAFF)
    assert version
    end(version.contract, CHRISTMAS - timedelta(days=1), source=STAFF)
    told = changes_in_words(AuditEntry.objects.latest("pk"))
    assert "2026-12-25: 1-96: 2,000 W → –" in told
    assert "state: in force → ended" in told


def test_an_import_is_not_noted_as_what_staff_do(dso: Participant, agr: Participant) -> None:
    record(dso, agr, "C-1", TERMS, state=State.IN_FORCE, source=Source.of_import("contracts.csv"))
    assert not AuditEntry.objects.exists()
    assert Change.objects.get().kind == "import"


def test_F17_a_change_is_a_next_version_and_the_earlier_one_is_kept(contract: Contract) -> None:
    for number, point in enumerate(("ean.871685900000000028", "ean.871685900000000035"), start=2):
        version = again(contract, replace(TERMS, congestion_point=point), expected=number - 1)
        assert version is not None
        assert version.number == number
    versions = list(ContractVersion.objects.order_by("number"))
    assert [(each.number, each.superseded_by) for each in versions] == [
        (1, versions[1].recorded_by),
        (2, versions[2].recorded_by),
        (3, None),
    ]
    assert terms_of(versions[0]) == TERMS


@pytest.mark.parametrize(
    "every_day",
    [
        (Stretch(41, 60, -500), Stretch(1, 8, 1000)),
        (Stretch(1, 4, 1000), Stretch(5, 8, 1000), Stretch(9, 40, 0), Stretch(41, 60, -500)),
    ],
    ids=["in another order", "in other pieces"],
)
def test_the_same_terms_again_change_nothing(contract: Contract, every_day: tuple[Stretch, ...]) -> None:
    profile = Profile(every_day, {7: (Stretch(1, 96, 0),)}, TERMS.profile.days)
    assert again(contract, replace(TERMS, profile=profile, last=date(9999, 12, 31))) is None
    assert again(contract, source=UNEXPLAINED) is None
    assert ContractVersion.objects.count() == Change.objects.count() == AuditEntry.objects.count() == 1


def test_nothing_on_a_day_of_the_week_differs_from_not_naming_it(contract: Contract) -> None:
    assert again(contract, replace(TERMS, profile=replace(TERMS.profile, weekdays={}))) is not None
    assert VersionProfile.objects.filter(version=current(contract), weekday=7).count() == 0


def test_contracts_of_one_id_between_others_are_others(contract: Contract, dso: Participant) -> None:
    other = Participant.objects.create(role="AGR", domain="other.example")
    version = record(dso, other, "C-1", TERMS, state=State.IN_FORCE, source=STAFF, expected=0)
    assert version is not None
    assert version.number == 1
    assert record(dso, other, "c-1", TERMS, state=State.DRAFT, source=STAFF, expected=0) is not None
    assert current(contract).number == 1


def test_what_was_changed_meanwhile_is_not_overwritten(contract: Contract) -> None:
    again(
        contract,
        replace(TERMS, deadline=Deadline(hours=3)),
        source=Source.of_staff("robin", "shorter"),
        expected=1,
    )
    for verb in (
        lambda: again(contract, expected=1),
        lambda: end(contract, date(2026, 3, 31), source=STAFF, expected=1),
        lambda: put_in_force(contract, source=STAFF, expected=1),
    ):
        with pytest.raises(
            ContractError, match=r"Meanwhile the contract was changed by robin on .* version 2"
        ):
            verb()
    assert current(contract).number == 2


def test_a_contract_that_is_to_be_new_is_not_there_already(contract: Contract) -> None:
    with pytest.raises(
        ContractError, match="have a contract of this ContractID already, recorded by kim on"
    ) as error:
        again(contract, replace(TERMS, congestion_point="feeder"), source=UNEXPLAINED, expected=0)
    assert [field for field, _ in told(error)] == ["contract_id"], "all else is about another contract"


def test_everything_that_is_wrong_is_said_at_once(dso: Participant, agr: Participant) -> None:
    terms = Terms(
        congestion_point="feeder 7",
        first=date(2026, 2, 1),
        last=date(2026, 1, 31),
        isp_minutes=30,
        deadline=Deadline(days=1, hours=5),
        profile=Profile((Stretch(48, 49, 1), Stretch(1, 4, 1), Stretch(3, 3, 5)), days={CHRISTMAS: ()}),
    )
    with pytest.raises(ContractError) as raised:
        record(agr, dso, " ", terms, state=State.DRAFT, source=STAFF)
    assert [field for field, _ in told(raised)] == [
        "dso",
        "agr",
        "contract_id",
        "congestion_point",
        "end",
        "deadline_hours",
        "isp_duration",
        "first_isp",
        "days",
    ]
    said = dict(told(raised))
    assert said["dso"] == "AGR agr.example is not registered as DSO."
    assert said["isp_duration"] == "PT30M is not the market's ISP duration, which is PT15M."
    assert said["first_isp"] == "every day: ISP 3 is named twice."
    assert said["days"] == "2026-12-25: This day lies outside the contract's days."
    assert not Contract.objects.exists()
    assert not Change.objects.exists()


@pytest.mark.parametrize(
    ("field", "terms"),
    [
        ("congestion_point", {"congestion_point": ""}),
        ("congestion_point", {"congestion_point": "ean.87168590000"}),
        ("congestion_point", {"congestion_point": "ea1.2026-01.example.grid:a\x00b"}),
        ("congestion_point", {"congestion_point": f"ea1.2026-01.example.grid:{'a' * 245}"}),
        ("start", {"first": date(1969, 12, 31)}),
        ("end", {"last": date(2025, 12, 31)}),
        ("isp_duration", {"isp_minutes": 60}),
        ("deadline_hours", {"deadline": Deadline()}),
        ("deadline_hours", {"deadline": Deadline(days=1, at=time(10), hours=3)}),
        ("deadline_time", {"deadline": Deadline(days=1)}),
        ("deadline_time", {"deadline": Deadline(days=1, at=time(10, 0, 0, 1))}),
        ("deadline_days", {"deadline": Deadline(at=time(10))}),
        ("deadline_days", {"deadline": Deadline(days=367, at=time(10))}),
        ("deadline_hours", {"deadline": Deadline(hours=-1)}),
        ("first_isp", {"profile": Profile((Stretch(0, 1, 5),))}),
        ("last_isp", {"profile": Profile((Stretch(1, 97, 5),))}),
        ("last_isp", {"profile": Profile(weekdays={7: (Stretch(9, 8, 5),)})}),
        ("last_isp", {"profile": Profile(days={date(2026, 3, 29): (Stretch(1, 93, 5),)})}),
        ("reserved_w", {"profile": Profile((Stretch(1, 1, -(10**12) - 1),))}),
        ("first_isp", {"profile": Profile((Stretch(1, 4, 5), Stretch(4, 5, 5)))}),
        ("days", {"profile": Profile(days={date(2025, 12, 31): ()})}),
    ],
)
def test_terms_that_cannot_be_name_their_field(
    dso: Participant, agr: Participant, field: str, terms: dict[str, Any]
) -> None:
    with pytest.raises(ContractError) as raised:
        record(dso, agr, "C-1", replace(TERMS, **terms), state=State.IN_FORCE, source=STAFF)
    assert field in [each for each, _ in told(raised)]
    assert raised.value.field == told(raised)[0][0]


@pytest.mark.parametrize(
    "terms",
    [
        {"congestion_point": f"ea1.2026-01.example.grid:{'a' * 232}"},
        {"last": date(2026, 1, 1), "profile": Profile()},
        {"deadline": Deadline(days=0, at=time(10))},
        {"deadline": Deadline(hours=0)},
        {"profile": Profile(days={date(2026, 10, 25): (Stretch(97, 100, 10**12),)})},
        {"profile": Profile(days={date(2026, 1, 1): ()}), "last": date(2026, 1, 1)},
    ],
)
def test_terms_at_the_edge_are_taken(dso: Participant, agr: Participant, terms: dict[str, Any]) -> None:
    said = replace(TERMS, **terms)
    version = record(dso, agr, "C-1", said, state=State.IN_FORCE, source=STAFF)
    assert version is not None
    assert terms_of(version) == said


def test_the_isp_duration_and_the_time_zone_are_the_markets(dso: Participant, agr: Participant) -> None:
    set_market(time_zone="Europe/London", isp_duration="PT30M", actor="kim")
    with pytest.raises(ContractError) as raised:
        record(dso, agr, "C-1", TERMS, state=State.IN_FORCE, source=STAFF)
    assert raised.value.field == "isp_duration"
    terms = replace(TERMS, isp_minutes=30, profile=Profile((Stretch(1, 48, 7),)))
    version = record(dso, agr, "C-1", terms, state=State.IN_FORCE, source=STAFF)
    assert version is not None
    assert (version.isp_minutes, version.time_zone) == (30, "Europe/London")


def test_a_contract_takes_over_the_markets_time_zone_when_it_is_recorded_again(contract: Contract) -> None:
    set_market(time_zone="Europe/London", actor="kim")
    version = again(contract)
    assert version is not None
    assert (version.number, version.time_zone) == (2, "Europe/London")


def test_a_contract_in_force_and_every_change_of_it_need_a_reason(dso: Participant, agr: Participant) -> None:
    draft = record(dso, agr, "C-1", TERMS, state=State.DRAFT, source=UNEXPLAINED)
    assert draft is not None
    other = replace(TERMS, last=date(2026, 6, 30), profile=Profile())
    assert again(draft.contract, other, state=State.DRAFT, source=UNEXPLAINED) is not None
    for verb in (
        lambda: put_in_force(draft.contract, source=UNEXPLAINED),
        lambda: again(draft.contract, source=UNEXPLAINED),
        lambda: record(dso, agr, "C-2", TERMS, state=State.IN_FORCE, source=UNEXPLAINED),
    ):
        with pytest.raises(ContractError) as raised:
            verb()
        assert raised.value.field == "reason"
    assert put_in_force(draft.contract, source=STAFF) is not None
    for verb in (
        lambda: again(draft.contract, source=UNEXPLAINED),
        lambda: end(draft.contract, date(2026, 3, 1), source=UNEXPLAINED),
        lambda: back_to_draft(draft.contract, source=UNEXPLAINED),
    ):
        with pytest.raises(ContractError) as raised:
            verb()
        assert raised.value.field == "reason"
    assert current(draft.contract).number == 3


def test_a_draft_is_put_in_force_as_it_stands(dso: Participant, agr: Participant) -> None:
    draft = record(dso, agr, "C-1", TERMS, state=State.DRAFT, source=STAFF)
    assert draft is not None
    version = put_in_force(draft.contract, source=STAFF, expected=1)
    assert version is not None
    assert (version.number, version.state, terms_of(version)) == (2, "in force", TERMS)
    assert put_in_force(draft.contract, source=STAFF, expected=2) is None


def test_a_contract_ends_with_an_earlier_last_day(contract: Contract) -> None:
    version = end(contract, date(2026, 12, 24), source=STAFF, expected=1)
    assert version is not None
    assert (version.number, version.state) == (2, "ended")
    everything_else = replace(TERMS, last=date(2026, 12, 24), profile=replace(TERMS.profile, days={}))
    assert terms_of(version) == everything_else
    earlier = end(contract, date(2026, 1, 1), source=STAFF, expected=2)
    assert earlier is not None
    assert terms_of(earlier).last == date(2026, 1, 1)
    assert end(contract, date(2026, 1, 1), source=STAFF, expected=3) is None


def test_a_contract_does_not_end_before_it_begins_or_later_than_it_does(contract: Contract) -> None:
    with pytest.raises(ContractError, match="begins on 2026-01-01: it cannot end before") as error:
        end(contract, date(2025, 12, 31), source=STAFF)
    assert error.value.field == "end"
    end(contract, date(2026, 6, 30), source=STAFF)
    with pytest.raises(ContractError, match="ends with 2026-06-30 already: change its days"):
        end(contract, date(2026, 7, 1), source=STAFF)


def test_a_draft_cannot_end(dso: Participant, agr: Participant) -> None:
    draft = record(dso, agr, "C-1", TERMS, state=State.DRAFT, source=STAFF)
    assert draft is not None
    with pytest.raises(ContractError, match="is a draft: only one in force can end"):
        end(draft.contract, date(2026, 6, 30), source=STAFF)


def test_an_ended_contract_has_a_last_day(dso: Participant, agr: Participant) -> None:
    with pytest.raises(ContractError, match="An ended contract has a last day") as error:
        record(dso, agr, "C-1", TERMS, state=State.ENDED, source=STAFF)
    assert error.value.field == "end"


def test_an_ended_contract_gets_days_and_force_again(contract: Contract) -> None:
    end(contract, date(2026, 6, 30), source=STAFF)
    version = put_in_force(contract, source=STAFF, expected=2)
    assert version is not None
    assert (version.state, terms_of(version).last) == ("in force", date(2026, 6, 30))
    assert again(contract, expected=3) is not None


def test_a_contract_ends_as_it_was_agreed_whatever_the_market_has_become(contract: Contract) -> None:
    set_market(time_zone="Europe/London", isp_duration="PT30M", actor="kim")
    version = end(contract, date(2026, 12, 31), source=STAFF)
    assert version is not None
    assert (version.isp_minutes, version.time_zone) == (15, "Europe/Amsterdam")


def test_a_contract_becomes_a_draft_again_while_no_update_is_about_it(contract: Contract) -> None:
    version = back_to_draft(contract, source=STAFF, expected=1)
    assert version is not None
    assert (version.number, version.state) == (2, "draft")


def test_a_contract_with_updates_becomes_no_draft_again(parties: Parties) -> None:
    send(parties.dso, update_xml(parties.dso, parties.agr.domain, (1, 4, 0)))
    assert ReservationUpdate.objects.count() == 1
    contract = Contract.objects.get(contract_id=CONTRACT)
    with pytest.raises(ContractError, match="updates are about it: it cannot become a draft again") as error:
        back_to_draft(contract, source=STAFF)
    assert error.value.field == "state"
    put_in_force(contract, source=STAFF)
    end(contract, DAY, source=STAFF)
    with pytest.raises(ContractError, match="is ended and updates are about it"):
        again(contract, terms_of(current(contract)), state=State.DRAFT)


def test_days_after_the_last_are_not_settled_and_count_again_with_their_days(parties: Parties) -> None:
    inbound = send(parties.dso, update_xml(parties.dso, parties.agr.domain, (1, 4, 0)))
    contract = Contract.objects.get(contract_id=CONTRACT)
    before = terms_of(current(contract))
    (settled,) = figures([contract], DAY, DAY)
    assert [each.message_id for each in settled.updates] == [inbound.message_id]
    end(contract, date(2026, 3, 3), source=STAFF)
    assert list(figures([contract], DAY, DAY)) == []
    again(contract, before)
    (counts_again,) = figures([contract], DAY, DAY)
    assert (counts_again.remaining, counts_again.source) == (settled.remaining, settled.source)
    assert counts_again.version.number == 1


def test_what_was_known_of_a_contract_before_a_change_stays(contract: Contract) -> None:
    before = Change.objects.get().moment
    assert before is not None
    end(contract, date(2026, 6, 30), source=STAFF)
    wait_for_stamped_changes()
    (known,) = ContractVersion.objects.known_at(before)
    assert known.number == 1
    assert ContractVersion.objects.known_at(datetime.now(UTC)).get().number == 2


@pytest.mark.django_db(transaction=True)
def test_two_changes_at_once_are_one_after_the_other_and_numbers_have_no_gaps() -> None:
    dso = Participant.objects.create(role="DSO", domain="grid.example")
    agr = Participant.objects.create(role="AGR", domain="agr.example")

    def change(watts: int) -> ContractVersion | None:
        terms = replace(TERMS, profile=Profile((Stretch(1, 1, watts),)))
        return record(dso, agr, "C-1", terms, state=State.IN_FORCE, source=STAFF)

    at_once(*(partial(change, watts) for watts in range(1, 9)))
    versions = list(ContractVersion.objects.order_by("number").select_related("recorded_by"))
    assert [version.number for version in versions] == list(range(1, 9))
    assert [version.superseded_by_id for version in versions] == [
        *(version.recorded_by_id for version in versions[1:]),
        None,
    ]
    moments = [version.recorded_by.moment for version in versions]
    assert moments == sorted(moments)


def test_a_contract_is_recorded_in_a_bounded_number_of_statements(
    contract: Contract, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(30, connection=connection):
        again(contract, replace(TERMS, last=date(2027, 1, 1)))
