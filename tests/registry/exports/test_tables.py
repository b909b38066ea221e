"""Files that are written from the registry: what is in them, and that an import takes them back unchanged."""

from __future__ import annotations

import gzip
import io
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from errno import ENOSPC
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.csv.importing import ImportRefused, ImportRequest, ImportResult, Options, import_file
from common.csv.reader import read_rows
from participants.imports.load import PARTICIPANT_COLUMNS, ParticipantImporter
from participants.models import AuditEntry, Participant, PublicKey
from registry.exports.tables import export_congestion_points, export_connections, export_participants
from registry.imports.load import CONGESTION_POINT_COLUMNS, CONNECTION_COLUMNS
from registry.management.exports import ExportCommand
from registry.market.policies import set_policy
from registry.models import CongestionPointTerms
from tests.participants.conftest import key_text, raw_key
from tests.registry.imports.files import (
    EAST,
    FARM,
    HOME,
    SHOP,
    TODAY,
    WEST,
    behind,
    participants,
    represented,
    take_connections,
    take_points,
    terms,
)
from tests.registry.world import CLEAR
from tests.support.eans import ean

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FULL = Options(full=True)
ODD = 'ea1.2026-01.example.grid:feeder "7", size; east'


@pytest.fixture(autouse=True)
def _participants(db: None, stop_clock: Callable[[datetime], None]) -> None:
    stop_clock(NOW)
    participants()


def connections(agr: str | None = None) -> list[str]:
    """The lines of the file of connections, without its header."""
    return b"".join(export_connections(agr)).decode().splitlines()[1:]


def points(dso: str | None = None) -> list[str]:
    """The lines of the file of congestion points, without its header."""
    return b"".join(export_congestion_points(dso)).decode().splitlines()[1:]


def empty() -> None:
    """Take away everything that the registry knows; participants stay."""
    with connection.cursor() as cursor:
        cursor.execute(CLEAR)


def nothing_changes(imported: ImportResult) -> bool:
    return imported.change is None and not any(
        count for words, count in imported.counts.items() if not words.endswith("unchanged")
    )


def test_the_headers_are_those_of_the_imports() -> None:
    assert [
        b"".join(pieces).decode().splitlines()[0].split(",")
        for pieces in (export_participants(NOW), export_congestion_points(), export_connections())
    ] == [list(PARTICIPANT_COLUMNS), list(CONGESTION_POINT_COLUMNS), list(CONNECTION_COLUMNS)]


QUOTED = '"{}"'.format(ODD.replace('"', '""'))
CONNECTIONS = [
    f"first.example,{QUOTED},2026-01-01,2027-12-31",
    f"first.example,{HOME},2020-01-01,2020-12-31",
    f"first.example,{HOME},2026-01-01,",
    f"first.example,{SHOP},2026-01-01,2026-11-22",
    f"second.example,{HOME},2026-06-01,2026-12-31",
    f"second.example,{FARM},2027-01-01,9999-12-30",
]


def test_connections_as_they_are_claimed_whatever_their_standing() -> None:
    take_connections(reversed(CONNECTIONS))
    assert {standing for *_, standing in represented()} == {"effective", "contested"}

    assert connections() == CONNECTIONS
    assert connections("second.example") == CONNECTIONS[-2:]


def test_days_that_are_held_in_part_are_one_line() -> None:
    take_connections([f"first.example,{HOME},2026-03-01,2026-03-31"])
    take_connections([f"second.example,{HOME},2026-01-01,2026-12-31"])
    assert len(represented()) == 4

    assert connections("second.example") == [f"second.example,{HOME},2026-01-01,2026-12-31"]


def point(at: str, days: str, terms: str = "true,AGR,DSO", connection: str = ",,", dso: str = "grid") -> str:
    return f"{dso}.example,{at},{days},{terms},{connection}"


POINTS = [
    point(EAST, "2026-01-01,2026-06-30", "true,AGR,DSO", f"{HOME},2026-01-01,2026-12-31"),
    point(EAST, "2026-01-01,2026-06-30", "true,AGR,DSO", f"{SHOP},2026-02-01,2026-03-31"),
    point(EAST, "2026-07-01,2026-12-31", "false,AGR,", f"{SHOP},2026-07-01,2026-07-01"),
    point(EAST, "2027-02-01,", "false,AGR,"),
    point(QUOTED, "2026-01-01,", "false,DSO,", f"{HOME},2026-01-01,"),
    point(WEST, "2020-01-01,2020-12-31", connection=f"{FARM},2020-01-01,2020-12-31"),
    point(EAST, "2026-01-01,2026-11-22", dso="other", connection=f"{HOME},2026-01-01,2026-11-22"),
]


def test_congestion_points_with_each_membership_once_beside_terms_that_it_overlaps() -> None:
    take_points(reversed(POINTS))
    assert {standing for *_, standing in behind()} == {"effective", "contested"}

    assert points() == POINTS
    assert points("other.example") == POINTS[-1:]


def test_days_on_the_same_terms_are_one_line() -> None:
    take_points([point(EAST, "2026-01-01,2026-06-30")])
    take_points([point(EAST, "2026-07-01,2026-12-31")])

    assert points() == [point(EAST, "2026-01-01,2026-12-31")]


def test_a_congestion_point_without_days_has_no_line() -> None:
    take_points([point(EAST, "2027-01-01,", connection=f"{HOME},2027-01-01,")])
    take_points([point(EAST, "2027-01-01,2026-12-31"), point(WEST, "2026-01-01,")])
    assert CongestionPointTerms.objects.count() == 2

    assert points() == [point(WEST, "2026-01-01,")]


def test_a_membership_that_begins_outside_the_days_of_its_point_stands_beside_terms_that_it_overlaps() -> (
    None
):
    for rule in ("P3", "P4"):
        set_policy(rule, "accept", actor="kim")
    lines = [
        point(EAST, "2026-01-01,2026-06-30", connection=f"{SHOP},2025-07-01,2026-03-31"),
        point(EAST, "2026-09-01,2026-12-31", connection=f"{FARM},2026-08-01,2027-02-28"),
        point(EAST, "2027-06-01,", connection=f"{HOME},2027-05-01,"),
    ]
    take_points(lines)

    assert points() == lines
    assert nothing_changes(take_points(points(), FULL))


@pytest.mark.parametrize("options", [Options(), Options(full=True)])
def test_I4_what_was_exported_changes_nothing(options: Options) -> None:
    take_connections(CONNECTIONS)
    take_points(POINTS)
    before = represented(), behind(), terms()

    again = take_connections(connections(), options), take_points(points(), options)

    assert [nothing_changes(each) for each in again] == [True, True], again
    assert (represented(), behind(), terms()) == before


def test_what_was_exported_makes_the_same_registry_elsewhere() -> None:
    take_connections(CONNECTIONS)
    take_points(POINTS)
    files = connections(), points()
    empty()
    assert (connections(), points()) == ([], [])

    take_points(files[1])
    take_connections(files[0])

    assert (connections(), points()) == files


DAYS = st.integers(-60, 60).map(lambda day: TODAY + timedelta(days=day))


@st.composite
def blocks(draw: st.DrawFn) -> str:
    """Some days, as the last columns of a line."""
    first = draw(DAYS)
    last = draw(st.none() | st.integers(0, 60).map(lambda days: first + timedelta(days=days)))
    return f"{first},{last or ''}"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from(("first", "second")), st.sampled_from((HOME, SHOP)), blocks())),
    st.lists(
        st.tuples(
            st.sampled_from(("grid", "other")),
            st.sampled_from((EAST, WEST)),
            blocks(),
            st.booleans(),
            blocks(),
        )
    ),
)
def test_whatever_is_registered_is_taken_back_unchanged(
    claims: list[tuple[str, str, str]], said: list[tuple[str, str, str, bool, str]]
) -> None:
    """One import after the other, so that later ones extend, shorten and contest what is there."""
    with transaction.atomic():
        for agr, address, days in claims:
            take_connections([f"{agr}.example,{address},{days}"])
        for dso, address, days, mutex, behind_it in said:
            lines = [point(address, days, f"{str(mutex).lower()},AGR,", f"{HOME},{behind_it}", dso=dso)]
            take_points(lines, Options(skip_bad_lines=True))
        files = connections(), points()

        again = take_connections(files[0], FULL), take_points(files[1], FULL)
        assert [nothing_changes(each) for each in again] == [True, True], files
        assert (connections(), points()) == files

        empty()
        take_connections(files[0])
        take_points(files[1])
        assert (connections(), points()) == files
        transaction.set_rollback(True)


def test_a_file_is_written_without_being_held_in_memory() -> None:
    take_connections(
        f"first.example,{ean(87168590000000000 + number)},2026-01-01," for number in range(20_000)
    )
    size = 0

    tracemalloc.start()
    try:
        for piece in export_connections():
            size += len(piece)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert size > 900_000
    assert peak < 400_000


def participant_file() -> bytes:
    return b"".join(export_participants(NOW))


def take_participants(content: bytes, options: Options) -> ImportResult:
    request = ImportRequest(now=NOW, file_name="participants.csv", actor="kim", options=options)
    return import_file(ParticipantImporter, read_rows(io.BytesIO(content), PARTICIPANT_COLUMNS), request)


def some_participants() -> None:
    """Participants with all that a file may say, and keys that have ended, will end, and have yet to begin."""
    first = Participant.objects.get(domain="first.example")
    first.name, first.endpoint = '=Größe & "Söhne", Inc.; east', "https://first.example/message?a=1,2"
    first.save()
    Participant.objects.filter(domain="grid.example").update(standing="barred", name='24 " ½')
    for number, begins, ends in ((1, None, -1), (2, None, 1), (3, 1, None), (4, None, None)):
        PublicKey.objects.create(
            participant=first,
            text=key_text(number),
            valid_from=begins and NOW + timedelta(days=begins),
            valid_until=ends and NOW + timedelta(days=ends),
        )


def test_participants_with_their_keys_that_have_not_ended() -> None:
    some_participants()

    keys = " ".join(sorted(key_text(number) for number in (2, 3, 4)))
    assert participant_file().decode() == (
        "role,domain,public_key,endpoint,standing,name\n"
        f'AGR,first.example,{keys},"https://first.example/message?a=1,2",authorized,'
        '"=Größe & ""Söhne"", Inc.; east"\n'
        "AGR,second.example,,,authorized,\n"
        'DSO,grid.example,,,barred,"24 "" ½"\n'
        "DSO,other.example,,,authorized,\n"
    )


def test_a_name_that_is_stored_with_line_breaks_is_written_on_one_line() -> None:
    """It may not be any more; an import would read several lines."""
    Participant.objects.filter(domain="grid.example").update(name="two\r\nlines\x85and\tÿ \u2028tab")

    file = participant_file()

    assert "DSO,grid.example,,,authorized,two lines and ÿ  tab\n" in file.decode()
    imported = take_participants(file, Options())
    assert imported.sentences == (
        "Changed: DSO grid.example: name two\r\nlines\x85and\tÿ \u2028tab → two lines and ÿ  tab",
    )


@pytest.mark.parametrize("options", [Options(), Options(full=True)])
def test_I4_exported_participants_change_nothing(options: Options) -> None:
    some_participants()

    imported = take_participants(participant_file(), options)

    assert imported.sentences == ()
    assert imported.counts["unchanged"] == 4
    assert not AuditEntry.objects.exists()


def test_exported_participants_are_the_same_elsewhere() -> None:
    some_participants()
    file = participant_file()
    Participant.objects.all().delete()

    take_participants(file, Options())

    assert participant_file() == file
    assert {bytes(key.value) for key in PublicKey.objects.all()} == {raw_key(2), raw_key(3), raw_key(4)}


def run(command: str, *arguments: str) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_the_commands_write_to_standard_output_and_into_files(tmp_path: Path) -> None:
    take_connections(CONNECTIONS)
    take_points(POINTS)
    for command, pieces in (
        ("export_connections", export_connections()),
        ("export_congestion_points", export_congestion_points()),
        ("export_participants", export_participants(NOW)),
    ):
        content = b"".join(pieces)
        plain, packed, again = (tmp_path / name for name in ("a.csv", "a.csv.gz", "b.csv.gz"))

        assert run(command) == content.decode()
        for path in (plain, packed, again):
            assert run(command, "--output", str(path)) == ""
        assert plain.read_bytes() == gzip.decompress(packed.read_bytes()) == content
        assert packed.read_bytes() == again.read_bytes(), "the same content makes the same file"
        errors = StringIO()
        call_command(command, "--output", str(plain), stderr=errors)
        assert errors.getvalue() == f"{plain}: {len(content.splitlines()) - 1} lines after the header\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.csv.gz", "b.csv.gz"]


def test_the_commands_write_what_is_of_one_party() -> None:
    take_connections(CONNECTIONS)
    take_points(POINTS)

    assert run("export_connections", "--agr", "second.example").splitlines()[1:] == CONNECTIONS[-2:]
    assert run("export_congestion_points", "--dso", "other.example").splitlines()[1:] == POINTS[-1:]
    with pytest.raises(CommandError, match=r"grid\.example is not registered as AGR"):
        run("export_connections", "--agr", "grid.example")
    with pytest.raises(CommandError, match=r"first\.example is not registered as DSO"):
        run("export_congestion_points", "--dso", "first.example")
    for command, option in (("export_connections", "--agr"), ("export_congestion_points", "--dso")):
        with pytest.raises(CommandError, match=r"An empty domain is not registered"):
            run(command, option, "")


def test_a_file_that_cannot_be_written_whole_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    path.write_text("as it was")

    def pieces() -> Iterator[bytes]:
        yield b"agr,connection,start,end\n"
        raise OSError(ENOSPC, "No space left on device")

    with pytest.raises(CommandError, match=r"all\.csv: No space left on device"):
        ExportCommand().write(pieces(), path)
    with pytest.raises(CommandError, match=r"none/all\.csv: No such file or directory"):
        run("export_connections", "--output", str(tmp_path / "none/all.csv"))
    with pytest.raises(CommandError, match=r"^\.: "):
        run("export_connections", "--output", ".")

    assert path.read_text() == "as it was"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.django_db(transaction=True)
def test_the_commands_take_back_what_they_wrote_packed_or_not(tmp_path: Path) -> None:
    some_participants()
    take_connections(CONNECTIONS)
    take_points(POINTS)
    kinds = {
        "participants": participant_file(),
        "congestion_points": b"".join(export_congestion_points()),
        "connections": b"".join(export_connections()),
    }
    for kind, before in kinds.items():
        path = tmp_path / f"{kind}.csv.gz"
        run(f"export_{kind}", "--output", str(path))

        assert run(f"import_{kind}", str(path), "--full").startswith("Nothing to change.")
        assert gzip.decompress(path.read_bytes()) == before


@pytest.mark.django_db(transaction=True)
def test_the_name_of_the_file_is_on_record_as_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "october.csv"
    path.write_text(
        participant_file().decode().replace("DSO,other.example,,,authorized", "DSO,other.example,,,barred")
    )

    run("import_participants", str(path))
    assert AuditEntry.objects.get(subject="DSO other.example").reason == "october.csv"

    path.write_text("".join(line for line in path.open() if "second" not in line and "other" not in line))
    run("import_participants", str(path), "--full", "--allow-shrink", "--reason", "audit overdue")
    assert AuditEntry.objects.get(subject="AGR second.example").reason == "october.csv\naudit overdue"


def test_I4_lines_that_change_nothing_are_not_judged() -> None:
    """What was registered under lenient policies is exported, and imported under strict ones."""
    for rule in ("P2", "P3", "P4"):
        set_policy(rule, "accept", actor="kim")
    take_connections([f"first.example,{HOME},2020-01-01,2020-02-01"])
    past = point(WEST, "2020-01-01,2020-06-30", connection=f"{HOME},2019-12-01,2020-07-31")
    take_points([past, point(EAST, "2026-01-01,2026-06-30", connection=f"{SHOP},2025-07-01,2026-12-31")])
    for rule in ("P1", "P2", "P3", "P4", "P5", "P6", "P7"):
        set_policy(rule, "reject", actor="kim")

    for options in (Options(), Options(full=True)):
        assert nothing_changes(take_connections(connections(), options))
        assert nothing_changes(take_points(points(), options))
    with pytest.raises(ImportRefused):
        take_connections([f"first.example,{HOME},2020-01-01,2020-02-02"])
    with pytest.raises(ImportRefused):
        take_points([past.replace("2020-07-31", "2020-08-31")])


def test_I4_lines_are_judged_where_their_congestion_point_loses_days() -> None:
    line = point(EAST, "2026-01-01,", connection=f"{HOME},2026-01-01,")
    take_points([line])
    set_policy("P3", "reject", actor="kim")

    with pytest.raises(ImportRefused):
        take_points([line.replace("2026-01-01,", "2026-01-01,2027-06-30", 1)])


def test_exports_are_written_while_django_logs_queries(settings: Any) -> None:
    settings.DEBUG = True
    take_connections(CONNECTIONS)
    take_points(POINTS)
    for command in ("export_connections", "export_congestion_points", "export_participants"):
        out = io.StringIO()
        call_command(command, stdout=out)
        assert len(out.getvalue().splitlines()) > 1
