"""Staff reverse a decision about 31 conflicts, and an import, as one change each."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from common.csv.importing import Options
from common.previews import ConsequencesChanged
from participants.models import AuditEntry, Participant
from registry.changes import Source
from registry.decisions.reverse_import import reverse_import
from registry.decisions.reverse_many import settle_many_anew
from registry.decisions.settle import DecisionError, settle, settle_anew, settle_many, similar_conflicts
from registry.market.policies import set_policy
from registry.models import Change, Conflict, Representation
from registry.previews.effects import of_change, preview
from registry.updates.publish import publish_representations
from tests.registry.admin.pages import TODAY as JUNE
from tests.registry.admin.pages import home, party, represented
from tests.registry.imports import files
from tests.registry.imports.files import (
    EAST,
    HOME,
    SHOP,
    behind,
    participants,
    take_connections,
    take_points,
    terms,
)
from tests.registry.world import assert_sound

pytestmark = pytest.mark.django_db

BY_KIM = Source.of_staff("kim", "the contract was another one")
HOMES = range(1, 32)
"""31 connections."""


def anew(change: int, decision: str, **more: Any) -> int:
    return settle_many_anew(change, decision, **{"at": None, "source": BY_KIM, "today": JUNE, **more})


def undo(change: int | None, **more: Any) -> int:
    assert change is not None
    return reverse_import(change, **{"source": BY_KIM, "today": files.TODAY, **more})


def effective(agr: str) -> int:
    """How many connections the AGR represents."""
    rows = Representation.objects.current().filter(agr__domain=agr, standing="effective")
    return rows.values("connection").distinct().count()


@pytest.fixture
def decided() -> int:
    """The change by which staff gave 31 connections of one.example to two.example."""
    represented("one.example", *HOMES)
    represented("two.example", *HOMES)
    first = Conflict.objects.filter(closed_by=None)[0]
    return settle_many(similar_conflicts(first), "give", at=None, source=BY_KIM, today=JUNE)


def test_C15_a_decision_about_31_conflicts_is_reversed_as_one(decided: int) -> None:
    assert (effective("one.example"), effective("two.example")) == (0, 31)
    seen = preview(lambda: anew(decided, "keep"))
    assert effective("two.example") == 31
    assert [(total.participant, total.gained, total.lost) for total in seen.parties] == [
        ("one.example", 31, 0),
        ("two.example", 0, 31),
    ]
    assert seen.warnings == ()

    change = anew(decided, "keep", expected=seen.fingerprint)

    assert of_change(change).fingerprint == seen.fingerprint
    assert (effective("one.example"), effective("two.example")) == (31, 0)
    replaced = Conflict.objects.filter(closed_by=change)
    assert replaced.filter(decision="keep", replaces__closed_by=decided, decided_by="kim").count() == 31
    assert Conflict.objects.filter(closed_by=decided, decision="give").count() == 31
    assert Change.objects.get(pk=change).reverses_id == decided
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.after and entry.after["conflicts"]) == ("settle conflicts anew", 31)
    assert_sound()


def test_C15_a_reversal_can_be_reversed(decided: int) -> None:
    anew(anew(decided, "keep"), "give")
    assert (effective("one.example"), effective("two.example")) == (0, 31)


def test_C15_conflicts_that_were_decided_since_are_left_out_and_named(decided: int) -> None:
    early, late = Conflict.objects.filter(closed_by=decided).order_by("pk")[:2]
    settle_anew(early.pk, "keep", at=None, source=BY_KIM, today=JUNE)
    publish_representations(
        party("AGR", "two.example"),
        [(late.connection.address, JUNE, date(2026, 5, 1))],
        today=JUNE,
        source=Source.of_staff("two", "gives it up"),
    )
    seen = preview(lambda: anew(decided, "keep"))
    assert seen.parties[0].gained == 29
    assert seen.warnings[0] == "2 of the 31 conflicts are not decided again."
    assert f"Conflict {early.pk} cannot be decided again: these days were decided later" in seen.warnings[1]
    assert seen.warnings[2] == (
        f"Conflict {late.pk} cannot be decided again: AGR two.example no longer claims these days."
    )
    anew(decided, "keep", expected=seen.fingerprint)
    assert effective("two.example") == 0


def test_C15_a_split_day_divides_each(decided: int) -> None:
    change = anew(decided, "split", at=date(2026, 7, 1))
    assert (
        Conflict.objects.filter(closed_by=change, decision="split", split_at=date(2026, 7, 1)).count() == 31
    )
    assert (effective("one.example"), effective("two.example")) == (31, 31)
    assert_sound()


def test_C15_what_cannot_be_reversed_says_why(decided: int) -> None:
    with pytest.raises(DecisionError, match=r"it is so already: AGR two\.example gets the days"):
        anew(decided, "give")
    with pytest.raises(DecisionError, match="A settlement needs a reason"):
        anew(decided, "keep", source=Source.of_staff("kim", " "))
    with pytest.raises(DecisionError, match="A split needs a day within"):
        anew(decided, "split", at=date(2031, 1, 1))
    opened = Conflict.objects.filter(closed_by=decided)[0].opened_by_id
    with pytest.raises(DecisionError, match="decided no conflict"):
        anew(opened, "keep")


def test_C15_a_preview_that_is_stale_does_nothing(decided: int) -> None:
    seen = preview(lambda: anew(decided, "keep"))
    one = Conflict.objects.filter(closed_by=decided)[0]
    settle_anew(one.pk, "keep", at=None, source=BY_KIM, today=JUNE)
    with pytest.raises(ConsequencesChanged):
        anew(decided, "keep", expected=seen.fingerprint)
    assert effective("two.example") == 30


def test_C16_an_import_is_reversed_as_one() -> None:
    """New days go, ended days come back, contested ones are no longer claimed, and what was there before stays."""
    participants()
    take_connections([f"first.example,{HOME},2026-01-01,", f"second.example,{SHOP},2026-01-01,"])
    before = files.represented()
    imported = take_connections(
        [
            f"first.example,{HOME},2026-01-01,2026-12-31",
            f"first.example,{SHOP},2027-01-01,",
            *(f"first.example,{home(number)},2026-01-01," for number in HOMES),
        ]
    ).change
    assert Conflict.objects.filter(closed_by=None).count() == 1
    seen = preview(lambda: undo(imported))
    change = undo(imported, expected=seen.fingerprint)
    assert files.represented() == before
    assert not Conflict.objects.filter(closed_by=None).exists()
    assert Change.objects.get(pk=change).reverses_id == imported
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.subject) == ("reverse import", f"change {imported}: {files.FILE}")
    assert sorted(entry.participants) == sorted(Change.objects.get(pk=imported).participants)
    with pytest.raises(DecisionError, match=f"reversed already, by change {change}"):
        undo(imported)
    assert_sound()


def test_C16_a_full_file_that_ended_too_much_is_reversed() -> None:
    participants()
    take_connections([f"first.example,{home(number)},2026-01-01," for number in HOMES])
    before = files.represented()
    imported = take_connections(
        [f"first.example,{HOME},2026-01-01,"], Options(full=True, allow_shrink=True)
    ).change
    undo(imported)
    assert files.represented() == before


def test_C16_what_was_changed_since_stays() -> None:
    participants()
    imported = take_connections([f"first.example,{at},2026-01-01," for at in (HOME, SHOP)]).change
    publish_representations(
        Participant.objects.get(domain="first.example"),
        [(HOME, date(2026, 1, 1), date(2026, 12, 31))],
        today=files.TODAY,
        source=Source.of_staff("first", "shorter"),
    )
    seen = preview(lambda: undo(imported))
    assert seen.warnings == ()
    undo(imported)
    assert files.represented() == set(), "the days that it kept are those of the import"
    assert_sound()


def test_C16_days_that_were_claimed_again_since_stay() -> None:
    participants()
    imported = take_connections([f"first.example,{HOME},2026-01-01,"]).change
    first, say = Participant.objects.get(domain="first.example"), Source.of_staff("first", "again")
    for last in (date(2025, 12, 31), None):
        publish_representations(first, [(HOME, date(2026, 1, 1), last)], today=files.TODAY, source=say)
    with pytest.raises(DecisionError, match="all that this import changed was changed since"):
        undo(imported)
    assert files.represented() == {("first", HOME, "from 2026-01-01", "effective")}


def test_C16_days_that_passed_to_another_are_contested() -> None:
    participants()
    take_connections([f"first.example,{HOME},2026-01-01,"])
    imported = take_connections([f"first.example,{HOME},2026-01-01,2026-12-31"]).change
    take_connections([f"second.example,{HOME},2027-01-01,"])
    undo(imported)
    conflict = Conflict.objects.get(closed_by=None)
    assert (conflict.holder.domain, conflict.claimant.domain) == ("second.example", "first.example")
    settle(conflict.pk, "give", at=None, source=BY_KIM, today=files.TODAY)
    assert_sound()


def test_C16_days_that_the_import_gave_to_a_waiting_party_are_its_no_more() -> None:
    """Standings, the waiting order and conflicts are as before: nobody changed anything since."""
    participants()
    third = Participant.objects.create(role="AGR", domain="third.example")
    take_connections([f"first.example,{HOME},2026-01-01,"])
    take_connections([f"second.example,{HOME},2026-01-01,"])
    take_connections([f"third.example,{HOME},2026-03-01,"])
    refused = Conflict.objects.get(claimant=third, holder__domain="first.example")
    settle(refused.pk, "keep", at=None, source=BY_KIM, today=files.TODAY)
    before = files.represented(), waiting(), contested()
    imported = take_connections([f"first.example,{HOME},2026-01-01,2026-12-31"]).change
    assert contested() != before[2]
    undo(imported)
    assert (files.represented(), waiting(), contested()) == before
    assert_sound()


def waiting() -> set[tuple[str, object, int | None]]:
    rows = Representation.objects.current().select_related("agr")
    return {(row.agr.domain, row.period.lower, row.waiting_since_id) for row in rows}


def contested() -> set[tuple[str, str, str]]:
    rows = Conflict.objects.filter(closed_by=None).select_related("holder", "claimant")
    return {(row.holder.domain, row.claimant.domain, str(row.period)) for row in rows}


def test_C16_under_newest_wins_the_former_holder_gets_its_days_back() -> None:
    participants()
    take_connections([f"first.example,{HOME},2026-01-01,"])
    before = files.represented()
    set_policy("representation conflicts", "newest wins", actor="kim", reason="")
    imported = take_connections([f"second.example,{HOME},2027-01-01,"]).change
    undo(imported)
    assert files.represented() == before


def test_C16_congestion_points_get_back_their_terms_and_their_connections() -> None:
    participants()

    def line(at: str, days: str, connection: str = "", redispatch: str = "AGR") -> str:
        return f"grid.example,{at},{days},true,{redispatch},DSO,{connection},{'2026-01-01' if connection else ''},"

    take_points([line(EAST, "2026-01-01,", HOME)])
    before = terms(), behind()
    imported = take_points(
        [line(EAST, "2026-01-01,2026-12-31", SHOP, "DSO"), line(files.WEST, "2026-01-01,", files.FARM)]
    ).change
    assert (terms(), behind()) != before
    change = undo(imported)
    assert (terms(), behind()) == before
    assert len(of_change(change).terms) == 2
    assert_sound()


def test_C16_only_an_import_is_reversed_and_only_with_a_reason(decided: int) -> None:
    with pytest.raises(DecisionError, match="is not an import"):
        undo(decided)
    with pytest.raises(DecisionError, match="needs a reason"):
        undo(decided, source=Source.of_staff("kim", ""))
