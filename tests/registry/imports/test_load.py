"""Files of representations and of congestion points: whole or not at all, by the rules of messages."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from common.csv.importing import ImportRefused, Options, Shrunk
from common.csv.rejects import Rejects
from common.previews import ConsequencesChanged
from participants.models import AuditEntry, Participant
from registry.changes import Source
from registry.decisions.reverse_import import reverse_import
from registry.market.policies import set_policy
from registry.models import Change, Conflict, CongestionPoint, Connection, Representation, RevisionPlace
from registry.previews.effects import preview
from registry.updates.publish import publish_congestion_points, publish_representations
from tests.registry.imports.files import (
    EAST,
    FARM,
    FILE,
    HOME,
    SHOP,
    TODAY,
    WEST,
    all_of,
    behind,
    participants,
    represented,
    take_connections,
    take_points,
    terms,
)
from tests.support.eans import ean
from uftp.protocol.streaming import PointLine

pytestmark = pytest.mark.django_db

SKIP = Options(skip_bad_lines=True)
FIRST_DAY = "not a day as YYYY-MM-DD from 0001-01-02 to 9999-12-30"
LAST_DAY = "not a day as YYYY-MM-DD from 0001-01-02 to 9999-12-31"
REWRITTEN = "a spreadsheet has rewritten it; format the column as text, or as YYYY-MM-DD"
FULL = Options(full=True)


@pytest.fixture(autouse=True)
def _participants(db: None) -> None:
    participants()


def point(
    connection: str = "",
    start: str = "",
    end: str = "",
    *,
    days: str = "2026-01-01,",
    at: str = EAST,
    dso: str = "grid",
) -> str:
    return f"{dso}.example,{at},{days},true,AGR,DSO,{connection},{start},{end}"


def rejected(take: object, lines: list[str], options: Options | None = None) -> list[str]:
    """What is said of the lines, which are refused."""
    rejects = Rejects()
    with pytest.raises(ImportRefused):
        take(lines, options, rejects=rejects)  # type: ignore[operator]
    assert [str(each) for each in all_of(rejects)] == [str(each) for each in rejects.first]
    return [str(each) for each in rejects.first]


def test_representations_of_several_agrs_are_one_change() -> None:
    imported = take_connections(
        [f"first.example,{HOME},2026-01-01,", f"second.example,{SHOP},2026-12-01,2027-01-31"]
    )
    assert represented() == {
        ("first", HOME, "from 2026-01-01", "effective"),
        ("second", SHOP, "2026-12-01 to 2027-01-31", "effective"),
    }
    change = Change.objects.get()
    assert (imported.change, imported.lines) == (change.pk, 2)
    assert imported.counts == {
        "representations new": 2,
        "representations changed": 0,
        "representations ended": 0,
        "representations unchanged": 0,
    }
    assert (change.kind, change.actor, change.file_name) == ("import", "kim", FILE)
    assert change.participants == list(
        Participant.objects.filter(role="AGR").order_by("pk").values_list("pk", flat=True)
    )
    assert AuditEntry.objects.get(action="import representations").subject == FILE


def test_congestion_points_with_their_connections() -> None:
    imported = take_points(
        [
            point(HOME, "2026-01-01"),
            point(SHOP, "2026-02-01", "2026-12-31"),
            point(at=WEST, days="2026-01-01,2026-12-31"),
            point(FARM, "2026-01-01", dso="other"),
        ]
    )
    assert terms() == {
        ("grid", EAST, "from 2026-01-01", True, "AGR", "DSO"),
        ("grid", WEST, "2026-01-01 to 2026-12-31", True, "AGR", "DSO"),
        ("other", EAST, "from 2026-01-01", True, "AGR", "DSO"),
    }
    assert behind() == {
        ("grid", EAST, HOME, "from 2026-01-01", "effective"),
        ("grid", EAST, SHOP, "2026-02-01 to 2026-12-31", "effective"),
        ("other", EAST, FARM, "from 2026-01-01", "effective"),
    }
    assert imported.counts["congestion points new"] == 3
    assert imported.counts["memberships new"] == 3


def test_D8_two_dsos_in_one_file_have_each_a_point_at_the_same_address() -> None:
    take_points([point(HOME, "2026-01-01"), point(SHOP, "2026-01-01", dso="other", days="2026-06-01,")])
    assert {row.dso.domain for row in CongestionPoint.objects.all()} == {"grid.example", "other.example"}
    assert ("other", EAST, SHOP, "from 2026-06-01", "effective") in behind()


def test_several_terms_of_a_point_and_values_as_spreadsheets_write_them() -> None:
    take_points(
        [
            f"grid.example,{EAST},2026-01-01,2026-12-31,TRUE,AGR,,{HOME},2026-01-01,",
            f"grid.example,{EAST},2027-01-01,9999-12-31,0,DSO,AGR,,,",
        ]
    )
    assert terms() == {
        ("grid", EAST, "2026-01-01 to 2026-12-31", True, "AGR", None),
        ("grid", EAST, "from 2027-01-01", False, "DSO", "AGR"),
    }
    assert behind() == {("grid", EAST, HOME, "from 2026-01-01", "effective")}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "nobody.example,ean.871685900000000011,2026-01-01,",
            "column agr: participant: not registered as AGR: nobody.example",
        ),
        (
            "grid.example,ean.871685900000000011,2026-01-01,",
            "column agr: participant: not registered as AGR, only as DSO: grid.example",
        ),
        ("first.example,ean.12,2026-01-01,", "column connection: address: not an entity address"),
        ("first.example,,2026-01-01,", "column connection: address: is empty"),
        (f",{HOME},2026-01-01,", "column agr: participant: is empty"),
        (f"first.example,ean.{'1' * 35},2026-01-01,", "column connection: address: not an entity address"),
        ("first.example,ea1.2026-01.grid,2026-01-01,", "column connection: address: not an entity address"),
        (
            "first.example,ea1.2026-01.a:b\x07,2026-01-01,",
            "column connection: address: U+0007 at character 16; an entity address is printable ASCII",
        ),
        ("first.example,ea1.2000-01.example.cro:x,2026-01-01,", "column connection: D10: lies under"),
        (f"first.example,{HOME},,", "column start: day: is empty"),
        (f"first.example,{HOME},01-01-2026,", f"column start: day: {FIRST_DAY}; {REWRITTEN}: 01-01-2026"),
        (f"first.example,{HOME},2026-02-29,", "column start: day: not a day"),
        (f"first.example,{HOME},2100-02-29,", "column start: day: not a day"),
        (f"first.example,{HOME},0001-01-01,", f"column start: day: {FIRST_DAY}: 0001-01-01"),
        (f"first.example,{HOME},9999-12-31,", f"column start: day: {FIRST_DAY}: 9999-12-31"),
        (
            f"first.example,{HOME},2026-01-01,2026-04-31",
            f"column end: day: {LAST_DAY}: 2026-04-31",
        ),
        (f"first.example,{HOME},2026-01-01,2026-1-1", "column end: day: not a day"),
        (f"first.example,{HOME},2026-01-01", "file: 3 fields, where the header has 4."),
        (f"first.example,{HOME},2026-01-01,2025-12-31", "column end: P1: ends before it starts"),
    ],
)
def test_I1_a_bad_line_is_named_and_nothing_is_taken(line: str, said: str) -> None:
    told = rejected(take_connections, [f"first.example,{SHOP},2026-01-01,", line])
    assert len(told) == 1
    assert told[0].startswith("line 3")
    assert said in told[0]
    assert not Change.objects.exists()
    assert not Connection.objects.exists()


@pytest.mark.parametrize("day", ["2024-02-29", "2000-02-29", "0001-01-02", "9999-12-30", "2026-12-31"])
def test_days_of_the_calendar_are_taken(day: str) -> None:
    take_connections([f"first.example,{HOME},{day},{day}"])
    assert represented() == {("first", HOME, day, "effective")}


def test_9999_12_31_is_open_ended() -> None:
    take_connections([f"first.example,{HOME},2026-01-01,9999-12-31"])
    assert represented() == {("first", HOME, "from 2026-01-01", "effective")}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            point(HOME, "2026-01-01", dso="first"),
            "column dso: participant: not registered as DSO, only as AGR: first",
        ),
        (point(HOME, "2026-01-01", at="east"), "column congestion_point: address"),
        (point(HOME, "2026-01-01", at="ea1.2000-01.example.cro:x"), "column congestion_point: D10"),
        (point(HOME, "2026-01-01", days=","), "column start: day: is empty"),
        (point(HOME, "2026-01-01", days="2026-01-01,never"), "column end: day"),
        (point(HOME, "").replace(",true,", ",maybe,").replace(f"{HOME},", f"{HOME},2026-01-01"), "boolean"),
        (
            point(HOME, "2026-01-01").replace(",AGR,DSO,", ",agr,DSO,"),
            "column day_ahead_redispatch_by: redispatch",
        ),
        (
            point(HOME, "2026-01-01").replace(",AGR,DSO,", ",AGR,CRO,"),
            "column intraday_redispatch_by: redispatch",
        ),
        (point("ean.1", "2026-01-01"), "column connection: address"),
        (point("ea1.2000-01.example.cro:x", "2026-01-01"), "column connection: D10"),
        (point(HOME), "column connection_start: day: is empty"),
        (point(HOME, "2026-01-01", "soon"), "column connection_end: day"),
        (point("", "2026-01-01"), "column connection: address: is empty, but its days are given"),
        (point(HOME, "2020-01-01", "2020-12-31"), "column connection_start: P5: lies outside"),
        (point(HOME, "2026-03-01", "2026-02-01"), "column connection_end: P1: ends before it starts"),
        (point(days="2026-03-01,2026-02-01", at=WEST), "column end: P1: ends before it starts"),
    ],
)
def test_I1_a_bad_line_of_a_congestion_point_is_named(line: str, said: str) -> None:
    told = rejected(take_points, [point(SHOP, "2026-01-01"), line])
    assert len(told) == 1
    assert told[0].startswith("line 3")
    assert said in told[0]
    assert not CongestionPoint.objects.exists()


def test_I1_every_bad_line_is_told_at_once() -> None:
    told = rejected(
        take_connections,
        [
            "nobody.example,ean.1,tomorrow,",
            f"first.example,{HOME},2026-01-01,2025-01-01",
            "too,few",
            f"first.example,{SHOP},2026-01-01,",
            f"second.example,{FARM},2026-13-01,",
        ],
    )
    places = [
        "line 2, column agr: participant: ",
        "line 2, column connection: address: ",
        "line 2, column start: day: ",
        "line 3, column end: P1: ",
        "line 4: file: ",
        "line 6, column start: day: ",
    ]
    assert len(told) == len(places)
    assert all(said.startswith(place) for said, place in zip(told, places, strict=True)), told


def test_I1_different_terms_on_one_day_are_bad_on_each_line_of_the_point() -> None:
    told = rejected(
        take_points,
        [
            point(HOME, "2026-01-01"),
            point(SHOP, "2026-01-01").replace(",true,", ",false,"),
            point(FARM, "2026-01-01", at=WEST),
        ],
    )
    assert told == [
        f"line 2, column congestion_point: P6: is named twice on one day with different terms: {EAST}",
        f"line 3, column congestion_point: P6: is named twice on one day with different terms: {EAST}",
    ]


def test_I2_bad_lines_are_left_out_on_demand() -> None:
    rejects = Rejects()
    imported = take_connections(
        [
            f"first.example,{HOME},2026-01-01,",
            "first.example,ean.1,2026-01-01,",
            f"first.example,{SHOP},2026-01-01,2025-01-01",
            f"second.example,{FARM},2026-01-01,",
        ],
        SKIP,
        rejects=rejects,
    )
    assert represented() == {
        ("first", HOME, "from 2026-01-01", "effective"),
        ("second", FARM, "from 2026-01-01", "effective"),
    }
    assert [each.line for each in all_of(rejects)] == [3, 4]
    assert (rejects.lines, imported.lines, imported.counts["representations new"]) == (2, 4, 2)
    assert not Connection.objects.filter(address=SHOP).exists()


def test_I2_lines_that_are_bad_only_without_others_are_left_out_too() -> None:
    set_policy("P4", "reject", actor="kim")
    rejects = Rejects()
    take_points(
        [
            point(HOME, "2026-01-01", days="2026-01-01,"),
            point(SHOP, "2025-01-01", days="2026-01-01,"),
            point(FARM, "2026-01-01", days="2026-01-01,2026-06-30", at=WEST),
            point(HOME, "2026-01-01", days="2026-03-01,", at=WEST).replace(",true,", ",false,"),
        ],
        SKIP,
        rejects=rejects,
    )
    assert [(each.line, each.rule[:2]) for each in all_of(rejects)] == [(3, "P4"), (4, "P6"), (5, "P6")]
    assert behind() == {("grid", EAST, HOME, "from 2026-01-01", "effective")}


def test_I3_a_full_file_ends_what_it_does_not_name_with_today() -> None:
    take_connections([f"first.example,{ean(f'871685900000001{n:02}')},2026-01-01," for n in range(10)])
    take_connections([f"second.example,{FARM},2027-01-01,", f"second.example,{SHOP},2026-01-01,2026-06-30"])
    imported = take_connections(
        [
            *(f"first.example,{ean(f'871685900000001{n:02}')},2026-01-01," for n in range(9)),
            f"second.example,{FARM},2027-01-01,",
        ],
        FULL,
    )
    assert ("first", "ean.871685900000001094", "2026-01-01 to 2026-11-22", "effective") in represented()
    assert ("second", SHOP, "2026-01-01 to 2026-06-30", "effective") in represented()
    assert imported.counts["representations ended"] == 1
    assert imported.counts["representations unchanged"] == 10


def test_I3_a_full_file_ends_points_and_the_connections_behind_them() -> None:
    several = [point(HOME, "2026-01-01", at=f"{EAST}{n}") for n in range(9)]
    take_points([*several, point(SHOP, "2026-01-01", at=WEST)])
    imported = take_points(several, FULL)
    assert ("grid", WEST, "2026-01-01 to 2026-11-22", True, "AGR", "DSO") in terms()
    assert ("grid", WEST, SHOP, "2026-01-01 to 2026-11-22", "effective") in behind()
    assert len(terms()) == 10
    assert imported.counts["congestion points ended"] == 1
    assert imported.counts["memberships ended"] == 1
    assert imported.warnings == ()


def test_I3_a_full_file_ends_connections_of_a_point_that_it_names() -> None:
    homes = [ean(f"871685900000001{n:02}") for n in range(10)]
    take_points([point(home, "2026-01-01") for home in homes])
    take_points([point(home, "2026-01-01") for home in homes[1:]], FULL)
    assert ("grid", EAST, homes[0], "2026-01-01 to 2026-11-22", "effective") in behind()
    assert ("grid", EAST, homes[1], "from 2026-01-01", "effective") in behind()


def test_I3_without_full_nothing_ends_whatever_the_policy_for_messages() -> None:
    set_policy("omitted connections", "end", actor="kim")
    take_connections([f"first.example,{HOME},2026-01-01,"])
    take_connections([f"first.example,{SHOP},2026-01-01,"])
    assert ("first", HOME, "from 2026-01-01", "effective") in represented()


@pytest.mark.parametrize(("kept", "stops"), [(8, False), (7, True), (0, True)])
def test_I3_a_file_that_has_shrunk_by_more_than_a_fifth_stops(kept: int, stops: bool) -> None:
    lines = [f"first.example,{ean(f'871685900000001{n:02}')},2026-01-01," for n in range(10)]
    take_connections(lines)
    if not stops:
        take_connections(lines[:kept], FULL)
        return
    before = represented()
    with pytest.raises(Shrunk, match=rf"end {10 - kept} of the 10 representations"):
        take_connections(lines[:kept], FULL)
    assert represented() == before
    take_connections(lines[:kept], Options(full=True, allow_shrink=True))
    assert sum("2026-11-22" in days for _, _, days, _ in represented()) == 10 - kept


def test_I3_congestion_points_have_a_guard_of_their_own() -> None:
    homes = [point(ean(f"871685900000001{n:02}"), "2026-01-01") for n in range(50)]
    take_points([*homes, point(at=WEST)])
    with pytest.raises(Shrunk, match="end 1 of the 2 congestion points"):
        take_points(homes, FULL)


def test_I3_with_bad_lines_left_out_nothing_ends() -> None:
    lines = [f"first.example,{ean(f'871685900000001{n:02}')},2026-01-01," for n in range(10)]
    take_connections(lines)
    before = represented()
    for bad in (
        "first.example,ean.871685900000001094,never,",
        "first.example,ean.871685900000001094,2026-01-01,2020-01-01",
    ):
        if "2020" in bad:
            set_policy("P2", "reject", actor="kim")
        imported = take_connections([*lines[:9], bad], Options(full=True, skip_bad_lines=True))
        assert imported.warnings == ("Lines are bad, so nothing that the file does not name was ended.",)
        assert represented() == before


def test_I4_the_same_file_again_changes_nothing() -> None:
    lines = [f"first.example,{HOME},2026-01-01,", f"second.example,{HOME},2026-06-01,2026-12-31"]
    points = [point(HOME, "2026-01-01"), point(HOME, "2026-06-01", dso="other"), point(at=WEST)]
    take_connections(lines)
    take_points(points)
    before = represented(), behind(), terms(), Change.objects.count(), AuditEntry.objects.count()
    for options in (Options(), FULL):
        again = take_connections(lines, options)
        assert (again.change, again.counts["representations unchanged"]) == (None, 2)
        assert take_points(points, options).change is None
    assert (represented(), behind(), terms(), Change.objects.count(), AuditEntry.objects.count()) == before


@pytest.mark.parametrize("end", [TODAY, TODAY - timedelta(days=400)])
def test_I5_the_last_day_of_a_point_is_its_last_day(end: date) -> None:
    lines = [point(HOME, "2020-01-01", str(end), days=f"2020-01-01,{end}")]
    take_points(lines)
    assert terms() == {("grid", EAST, f"2020-01-01 to {end}", True, "AGR", "DSO")}
    assert behind() == {("grid", EAST, HOME, f"2020-01-01 to {end}", "effective")}
    assert take_points(lines).change is None


def test_I5_a_file_gives_back_the_day_on_which_a_message_ended_the_point() -> None:
    dso = Participant.objects.get(domain="grid.example")
    terms_line = (0, EAST, date(2026, 1, 1), TODAY, True, "AGR", "DSO")

    def ends(today: date) -> set[tuple[str, ...]]:
        publish_congestion_points(
            dso, [PointLine(*terms_line)], today=today, source=Source.of_import("as sent")
        )
        return {(when,) for _, _, when, *_ in terms()}

    take_points([point(HOME, "2026-01-01")])
    ended = ends(TODAY)
    assert ended == {(f"2026-01-01 to {TODAY - timedelta(days=1)}",)}
    exported = [point(days=f"2026-01-01,{TODAY - timedelta(days=1)}")]
    assert take_points(exported).change is None, "what is exported changes nothing, and forgets nothing"
    assert ends(TODAY + timedelta(days=1)) == ended
    imported = take_points([point(days=f"2026-01-01,{TODAY}")])
    given_back = {(f"2026-01-01 to {TODAY}",)}
    assert {(when,) for _, _, when, *_ in terms()} == given_back
    assert ends(TODAY + timedelta(days=1)) == given_back, "the file says what the last day is"
    assert imported.change is not None
    reverse_import(imported.change, source=Source.of_staff("kim", "wrong file"), today=TODAY)
    assert ends(TODAY + timedelta(days=1)) == ended, "the reversal remembers it again"


def test_C1_days_that_another_holds_are_contested() -> None:
    take_connections([f"first.example,{HOME},2026-01-01,"])
    imported = take_connections([f"second.example,{HOME},2026-06-01,"])
    assert ("second", HOME, "from 2026-06-01", "contested") in represented()
    assert Conflict.objects.get().opened_by_id == imported.change
    assert "contested until settled" in imported.warnings[0]


def test_C2_a_connection_that_changes_hands_within_a_file_is_never_contested() -> None:
    take_connections([f"second.example,{HOME},2026-01-01,"])
    take_connections([f"first.example,{HOME},2026-12-01,", f"second.example,{HOME},2026-01-01,2026-11-30"])
    assert represented() == {
        ("second", HOME, "2026-01-01 to 2026-11-30", "effective"),
        ("first", HOME, "from 2026-12-01", "effective"),
    }
    assert not Conflict.objects.exists()


def test_C6_of_two_that_claim_a_free_day_in_one_file_the_one_on_record_first_holds_it() -> None:
    take_connections([f"second.example,{HOME},2026-01-01,", f"first.example,{HOME},2026-01-01,"])
    assert represented() == {
        ("first", HOME, "from 2026-01-01", "effective"),
        ("second", HOME, "from 2026-01-01", "contested"),
    }


def test_C4_under_the_policy_reject_the_line_is_bad() -> None:
    set_policy("representation conflicts", "reject", actor="kim")
    set_policy("membership conflicts", "reject", actor="kim")
    take_connections([f"first.example,{HOME},2026-01-01,"])
    take_points([point(HOME, "2026-01-01")])
    told = rejected(
        take_connections, [f"second.example,{SHOP},2026-01-01,", f"second.example,{HOME},2026-01-01,"]
    )
    assert told == [f"line 3, column connection: C4: Connection conflict, days are held by another: {HOME}"]
    told = rejected(
        take_points, [point(SHOP, "2026-01-01", dso="other"), point(HOME, "2026-01-01", dso="other")]
    )
    assert [each.split(",")[0] for each in told] == ["line 3"]
    take_points([point(SHOP, "2026-01-01", dso="other"), point(HOME, "2026-01-01", dso="other")], SKIP)
    assert ("other", EAST, SHOP, "from 2026-01-01", "effective") in behind()
    assert ("other", EAST, HOME, "from 2026-01-01", "contested") not in behind()


def test_C5_newest_wins_for_files_too() -> None:
    set_policy("representation conflicts", "newest wins", actor="kim")
    take_connections([f"first.example,{HOME},2026-01-01,"])
    take_connections([f"second.example,{HOME},2026-11-22,"])
    assert ("second", HOME, "from 2026-11-22", "effective") in represented()
    assert ("first", HOME, "from 2026-11-22", "refused") in represented()


@pytest.mark.parametrize("rule", ["P1", "P2", "P6", "P7"])
def test_P_rules_that_reject_make_lines_bad(rule: str) -> None:
    take_connections([f"first.example,{HOME},2028-01-01,"])
    set_policy(rule, "reject", actor="kim")
    line = {
        "P1": f"first.example,{SHOP},2026-02-01,2026-01-01",
        "P2": f"first.example,{SHOP},2026-01-01,2026-02-01",
        "P6": f"first.example,{SHOP},2026-06-01,",
        "P7": f"first.example,{HOME},2026-01-01,2026-12-31",
    }[rule]
    lines = [f"second.example,{FARM},2026-01-01,", line]
    if rule == "P6":
        lines.append(line)
    told = rejected(take_connections, lines)
    assert [(each.split(",")[0], rule in each) for each in told] == [(f"line {len(lines) + 1}", True)]


@pytest.mark.parametrize("rule", ["P3", "P4"])
def test_P_rules_about_points_that_reject_make_lines_bad(rule: str) -> None:
    set_policy(rule, "reject", actor="kim")
    days = {"P3": ("2026-01-01", ""), "P4": ("2025-01-01", "2026-06-30")}[rule]
    told = rejected(take_points, [point(HOME, *days, days="2026-01-01,2026-06-30")])
    assert len(told) == 1
    assert f"line 2, column connection_{'end' if rule == 'P3' else 'start'}: {rule}: " in told[0]


def test_P3_is_adjusted_with_a_warning() -> None:
    imported = take_points([point(HOME, "2026-01-01", days="2026-01-01,2026-12-31")])
    assert behind() == {("grid", EAST, HOME, "2026-01-01 to 2026-12-31", "effective")}
    assert "ends after its congestion point, adjusted" in imported.warnings[0]


def test_D3_a_line_that_ends_before_it_starts_withdraws_and_is_told() -> None:
    take_connections([f"first.example,{HOME},2026-01-01,", f"first.example,{SHOP},2026-01-01,"])
    imported = take_connections(
        [f"first.example,{SHOP},2026-01-01,", f"first.example,{HOME},2027-03-01,2027-02-01"]
    )
    assert ("first", HOME, "2026-01-01 to 2027-02-01", "effective") in represented()
    assert imported.warnings == (
        "Withdrawn: line 3 ends before it starts, and so withdraws what is registered from the day after its end on",
    )


def test_D3_a_point_that_ends_before_it_starts_is_told() -> None:
    take_points([point(days="2026-01-01,")])
    imported = take_points([point(days="2027-03-01,2027-02-01")])
    assert terms() == {("grid", EAST, "2026-01-01 to 2027-02-01", True, "AGR", "DSO")}
    assert imported.warnings[0].startswith("Withdrawn: line 2 ends before it starts")


def test_S3_a_file_moves_no_senders_place() -> None:
    take_connections([f"first.example,{HOME},2026-01-01,"])
    assert not RevisionPlace.objects.exists()


def test_H1_what_a_file_replaces_stays_in_the_history() -> None:
    first = take_connections([f"first.example,{HOME},2026-01-01,"])
    second = take_connections([f"first.example,{HOME},2026-01-01,2026-12-31"])
    row = Representation.objects.get(recorded_by=first.change)
    assert row.superseded_by_id == second.change


def test_a_file_and_a_message_say_the_same() -> None:
    """What an AGR's update registers is not changed by the same statements in a file."""
    agr = Participant.objects.get(domain="first.example")
    publish_representations(
        agr,
        [(HOME, date(2026, 1, 1), None), (SHOP, date(2026, 3, 1), date(2026, 3, 31))],
        today=TODAY,
        source=Source.of_staff("kim", "a stand-in for a message"),
    )
    lines = [f"first.example,{HOME},2026-01-01,", f"first.example,{SHOP},2026-03-01,2026-03-31"]
    assert take_connections(lines).change is None


def test_C14_what_was_shown_is_what_is_done() -> None:
    lines = [f"first.example,{HOME},2026-01-01,"]
    shown = preview(lambda: take_connections(lines).change)
    assert not Change.objects.exists()
    take_connections([f"second.example,{HOME},2026-01-01,"])
    with pytest.raises(ConsequencesChanged):
        take_connections(lines, expected=shown.fingerprint)
    shown = preview(lambda: take_connections(lines).change)
    take_connections(lines, expected=shown.fingerprint)
    assert ("first", HOME, "from 2026-01-01", "contested") in represented()
    with pytest.raises(ConsequencesChanged):
        take_connections(lines, expected=shown.fingerprint)


def test_an_empty_file_changes_nothing() -> None:
    assert take_connections([]).lines == 0
    take_points([point(HOME, "2026-01-01")])
    with pytest.raises(Shrunk):
        take_points([], FULL)
