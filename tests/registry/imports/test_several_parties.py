"""What a file says of one participant is nothing about another: each keeps its own things apart, as with messages."""

from __future__ import annotations

import pytest

from common.csv.importing import Options
from common.csv.rejects import Rejects
from registry.market.policies import set_policy
from tests.registry.imports.files import (
    EAST,
    HOME,
    WEST,
    all_of,
    behind,
    participants,
    represented,
    take_connections,
    take_points,
    terms,
)

pytestmark = pytest.mark.django_db

FULL = Options(full=True, allow_shrink=True)


@pytest.fixture(autouse=True)
def _participants(db: None) -> None:
    participants()


def point(dso: str, connection: str = "", start: str = "", end: str = "", *, at: str = EAST) -> str:
    return f"{dso}.example,{at},2026-01-01,,true,AGR,DSO,{connection},{start},{end}"


def test_I3_a_full_file_ends_what_one_agr_has_of_a_connection_that_it_names_for_another() -> None:
    take_connections([f"first.example,{HOME},2026-01-01,", f"second.example,{HOME},2026-01-01,"])
    take_connections([f"second.example,{HOME},2026-01-01,"], FULL)
    assert represented() == {
        ("first", HOME, "2026-01-01 to 2026-11-22", "effective"),
        ("second", HOME, "2026-01-01 to 2026-11-22", "contested"),
        ("second", HOME, "from 2026-11-23", "effective"),
    }


def test_I3_a_full_file_ends_the_point_of_one_dso_at_an_address_that_it_names_for_another() -> None:
    take_points([point("grid", HOME, "2026-01-01"), point("other")])
    take_points([point("other")], FULL)
    assert terms() == {
        ("grid", EAST, "2026-01-01 to 2026-11-22", True, "AGR", "DSO"),
        ("other", EAST, "from 2026-01-01", True, "AGR", "DSO"),
    }
    assert behind() == {("grid", EAST, HOME, "2026-01-01 to 2026-11-22", "effective")}


def test_I3_with_lines_left_out_that_a_policy_makes_bad_no_congestion_point_ends() -> None:
    take_points([point("grid", HOME, "2026-01-01"), point("grid", at=WEST)])
    before = terms(), behind()
    bad = f"grid.example,{EAST},2026-01-01,,true,AGR,DSO,{HOME},2026-06-01,2025-01-01"
    never = point("other", HOME, "2026-06-01", "2025-01-01")
    imported = take_points(
        [point("grid"), never, bad], Options(full=True, allow_shrink=True, skip_bad_lines=True)
    )
    assert imported.warnings[-1] == "Lines are bad, so nothing that the file does not name was ended."
    assert {row[:2] for row in terms()} >= {row[:2] for row in before[0]}
    assert ("grid", WEST, "from 2026-01-01", True, "AGR", "DSO") in terms()


def test_P6_two_participants_that_name_the_same_do_not_name_it_twice() -> None:
    set_policy("P6", "reject", actor="kim")
    take_connections([f"first.example,{HOME},2026-01-01,", f"second.example,{HOME},2026-03-01,"])
    take_points([point("grid", HOME, "2026-01-01"), point("other", HOME, "2026-03-01")])
    assert {row[0] for row in represented()} == {"first", "second"}
    assert {row[0] for row in behind()} == {"grid", "other"}


def test_P6_two_dsos_may_have_different_terms_at_one_address() -> None:
    take_points([point("grid"), f"other.example,{EAST},2026-01-01,,false,DSO,,,,"])
    assert terms() == {
        ("grid", EAST, "from 2026-01-01", True, "AGR", "DSO"),
        ("other", EAST, "from 2026-01-01", False, "DSO", None),
    }


def test_P6_is_the_fault_of_those_lines_alone_that_are_the_same_participants() -> None:
    set_policy("P6", "reject", actor="kim")
    rejects = Rejects()
    take_points(
        [point("grid"), f"grid.example,{EAST},2026-06-01,,true,AGR,DSO,,,", point("other")],
        Options(skip_bad_lines=True),
        rejects=rejects,
    )
    assert [each.line for each in all_of(rejects)] == [2, 3]
    assert {row[0] for row in terms()} == {"other"}


def test_C4_only_the_lines_that_claim_the_days_of_another_are_bad() -> None:
    set_policy("representation conflicts", "reject", actor="kim")
    take_connections([f"first.example,{HOME},2026-06-01,2026-06-30"])
    rejects = Rejects()
    take_connections(
        [
            f"first.example,{HOME},2026-06-01,2026-06-30",
            f"second.example,{HOME},2026-06-15,2026-06-20",
            f"second.example,{HOME},2026-08-01,2026-08-31",
        ],
        Options(skip_bad_lines=True),
        rejects=rejects,
    )
    assert [(each.line, each.rule[:2]) for each in all_of(rejects)] == [(3, "C4")]
    assert ("second", HOME, "2026-08-01 to 2026-08-31", "effective") in represented()


def test_a_point_of_which_only_the_intraday_side_changes_is_counted_as_changed() -> None:
    take_points([point("grid"), point("other")])
    imported = take_points([f"grid.example,{EAST},2026-01-01,,true,AGR,,,,", point("other")])
    assert imported.counts["congestion points changed"] == 1
    assert imported.counts["congestion points unchanged"] == 1


def test_P6_blocks_of_one_agr_are_no_doubles_of_another_s() -> None:
    set_policy("P6", "reject", actor="kim")
    take_connections(
        [
            f"first.example,{HOME},2026-01-01,2026-01-31",
            f"first.example,{HOME},2026-03-01,2026-03-31",
            f"second.example,{HOME},2026-01-01,2026-12-31",
            f"second.example,{HOME},2027-01-01,2027-12-31",
        ]
    )
    assert ("first", HOME, "2026-03-01 to 2026-03-31", "effective") in represented()
