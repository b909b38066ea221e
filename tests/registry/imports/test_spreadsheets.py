"""Files that a spreadsheet has opened and saved: what it adds is ignored, what it has rewritten is refused by name."""

from __future__ import annotations

import pytest

from common.csv.importing import ImportRefused
from common.csv.rejects import Rejects
from common.csv.spreadsheets import near_duplicates
from tests.registry.imports.files import EAST, HOME, participants, take_connections, take_points

pytestmark = pytest.mark.django_db

LOST = (
    "a spreadsheet has rewritten this number, and its last digits are lost; make the file again from its source, and"
    " let the spreadsheet import this column as text"
)
AS_TEXT = "a spreadsheet has rewritten it; format the column as text, or as YYYY-MM-DD"
FIRST_DAY = "not a day as YYYY-MM-DD from 0001-01-02 to 9999-12-30"


@pytest.fixture(autouse=True)
def _participants(db: None) -> None:
    participants()


def rule(take: object, line: str) -> str:
    """Why the line is bad."""
    rejects = Rejects()
    with pytest.raises(ImportRefused):
        take([line], rejects=rejects)  # type: ignore[operator]
    (reject,) = rejects.first
    return f"{reject.column}: {reject.rule}"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ('"8,71686E+17"', LOST),
        ("8.71686E+17", LOST),
        ("8.71685900012637E+017", LOST),
        ("871685900012636543", "not an entity address; write ean. before the digits"),
    ],
)
def test_a_number_that_a_spreadsheet_has_rewritten_is_refused_with_what_to_do(value: str, why: str) -> None:
    assert rule(take_connections, f"first.example,{value},2026-01-01,") == f"connection: address: {why}"
    line = f"grid.example,{value},2026-01-01,,true,AGR,,,,"
    assert rule(take_points, line) == f"congestion_point: address: {why}"


@pytest.mark.parametrize(
    "day", ["1-1-2026", "01/01/2026", "1.1.26", "2026/01/01", "2026-01-01 00:00:00", "46023"]
)
def test_a_day_that_a_spreadsheet_has_rewritten_is_refused_with_what_to_do(day: str) -> None:
    assert rule(take_connections, f"first.example,{HOME},{day},") == f"start: day: {FIRST_DAY}; {AS_TEXT}"
    assert rule(take_connections, f"first.example,{HOME},2026-01-01,{day}").endswith(AS_TEXT)
    line = f"grid.example,{EAST},2026-01-01,,true,AGR,,{HOME},{day},"
    assert rule(take_points, line) == f"connection_start: day: {FIRST_DAY}; {AS_TEXT}"


@pytest.mark.parametrize("text", ["WAAR", "onwaar", "WAHR", "Falsch", "VRAI"])
def test_true_in_a_spreadsheets_own_language_is_refused_with_what_to_do(text: str) -> None:
    said = rule(take_points, f"grid.example,{EAST},2026-01-01,,{text},AGR,,,,")
    assert said == (
        "mutex_offers_supported: boolean: a spreadsheet has written it in its own language; write true or false, and"
        " format the column as text"
    )


def test_TRUE_in_capitals_is_true() -> None:
    take_points([f"grid.example,{EAST},2026-01-01,,TRUE,AGR,,,,"])


def test_a_domain_in_capitals_is_refused_with_the_right_one() -> None:
    line = f"Grid.example,{EAST},2026-01-01,,true,AGR,,,,"
    assert rule(take_points, line) == "dso: participant: a domain is in lower case; write grid.example"
    line = f"First.Example,{HOME},2026-01-01,"
    assert rule(take_connections, line) == "agr: participant: a domain is in lower case; write first.example"


def test_a_congestion_point_that_differs_from_another_only_in_case_is_pointed_at() -> None:
    lower, capital = "ea1.2026-01.grid.example:feeder-1", "ea1.2026-01.Grid.example:feeder-1"
    take_points([f"grid.example,{lower},2026-01-01,,true,AGR,,,,"])
    (warning,) = take_points([f"grid.example,{capital},2026-01-01,,true,AGR,,,,"]).warnings
    assert warning == f"Nearly the same congestion point: {capital} beside {lower}"
    assert not take_points([f"other.example,{capital},2026-01-01,,true,AGR,,,,"]).warnings


def test_of_many_near_duplicates_the_first_are_named_and_all_counted() -> None:
    def lines(domain: str) -> list[str]:
        names = [f"ea1.2026-01.{domain}:feeder-{number:02}" for number in range(25)]
        return [f"grid.example,{name},2026-01-01,,true,AGR,,,," for name in names]

    take_points(lines("grid.example"))
    (warning,) = take_points(lines("Grid.example")).warnings
    assert warning.count(" beside ") == 20
    assert warning.endswith("feeder-19 and 5 more")


def test_near_duplicates_differ_only_in_zeros_or_case() -> None:
    names = [("", name) for name in ("00123", "123", "C-07", "c-7", "C-70", "10", "1")]
    found = [(name, other) for _, name, other in near_duplicates(names, [("x", "10"), ("", "C-7")])]
    assert found == [("00123", "123"), ("123", "00123"), ("C-07", "C-7"), ("c-7", "C-07")]
