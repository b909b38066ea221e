"""The commands that import files: how a file may be written, what is printed, kept and counted, and how they exit."""

from __future__ import annotations

import csv
import gzip
import os
import pty
import re
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from common.retry import LostRace
from participants.models import AuditEntry, Participant
from registry.management.imports import EXIT_STATUS
from registry.models import (
    Change,
    CongestionPoint,
    CongestionPointTerms,
    Connection,
    ImportRun,
    Representation,
)
from tests.registry.imports.samples import CONNECTIONS, PARTICIPANTS, SAMPLES, Sample
from tests.support.eans import ean
from tests.support.polling import wait_for
from tests.support.processes import Process, environment_here, free_port

pytestmark = pytest.mark.django_db

FACTS = (Participant, AuditEntry, Change, Connection, CongestionPoint, CongestionPointTerms, Representation)

EACH_KIND = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.kind)


@dataclass
class Outcome:
    """How a command ended: its exit status, what it printed on standard output and error, and its row."""

    status: int
    out: str
    errors: str
    run: ImportRun


@pytest.fixture(autouse=True)
def _participants(db: None) -> None:
    for role, domain in (("DSO", "grid.example"), ("AGR", "agr.example")):
        Participant.objects.create(role=role, domain=domain)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def take(sample: Sample, content: str | bytes | Path, *options: str, name: str = "file.csv") -> Outcome:
    """What becomes of a file in the working folder, or of one that is there."""
    path = content if isinstance(content, Path) else Path(name)
    if not isinstance(content, Path):
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    out, errors, status = StringIO(), StringIO(), 0
    try:
        call_command(sample.command, str(path), *options, stdout=out, stderr=errors)
    except CommandError as error:
        errors.write(str(error))
        status = error.returncode
    except SystemExit as end:
        status = int(end.code or 0)
    return Outcome(status, out.getvalue(), errors.getvalue(), ImportRun.objects.latest("pk"))


def facts() -> dict[str, list[object]]:
    return {model.__name__: list(model._default_manager.order_by("pk").values()) for model in FACTS}


@EACH_KIND
def test_a_file_is_imported_and_said_to_be(sample: Sample) -> None:
    before = sample.made._default_manager.count()
    outcome = take(sample, sample.text(), "--reason", "as agreed")
    assert (outcome.status, sample.made._default_manager.count()) == (0, before + 10)
    run = outcome.run
    assert outcome.out.startswith("Applied.\nLines: 10, bad: 0\n")
    assert outcome.out.endswith(f"Import: {run.pk}\n")
    for words, count in run.summary["counts"]:
        assert re.search(f"(?mi)^{words}: {count}$", outcome.out), words
    content = sample.text().encode()
    assert (run.kind, run.state, run.lines, run.bad_lines) == (sample.kind, "applied", 10, 0)
    assert (run.file_name, run.size, run.content_hash) == (
        "file.csv",
        len(content),
        sha256(content).hexdigest(),
    )
    assert (run.uploaded, run.applies, run.reason, run.step) == (False, True, "as agreed", "")
    assert run.actor.startswith("command line")
    assert run.started_at is not None
    assert run.finished_at is not None
    assert not Path("file.rejects.csv").exists()
    change = Change.objects.first()
    if sample is PARTICIPANTS:
        assert change is None
        assert {entry.reason for entry in AuditEntry.objects.all()} == {"file.csv\nas agreed"}
    else:
        assert change is not None
        assert (run.change, change.kind, change.file_name, change.why) == (
            change,
            "import",
            "file.csv",
            "as agreed",
        )
        assert f"Change: {change.pk}\n" in outcome.out


@EACH_KIND
def test_the_same_file_again_changes_nothing(sample: Sample) -> None:
    if sample is PARTICIPANTS:
        Participant.objects.all().delete()
    take(sample, sample.text())
    before = facts()
    for options in ([], ["--full"], ["--dry-run"]):
        outcome = take(sample, sample.text(), *options)
        assert outcome.status == 0
        assert facts() == before
        assert outcome.run.state == ("dry" if "--dry-run" in options else "unchanged")
    assert "Nothing to change.\n" in take(sample, sample.text()).out


def with_reordered_columns(text: str) -> str:
    rows = [row[::-1] for row in csv.reader(text.splitlines())]
    out = StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()


def quoted(text: str, delimiter: str = ",", end: str = "\n") -> str:
    out = StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, delimiter=delimiter, lineterminator=end).writerows(
        csv.reader(text.splitlines())
    )
    return out.getvalue()


WAYS: dict[str, Callable[[str], str | bytes]] = {
    "byte order mark": lambda text: "\ufeff" + text,
    "semicolons": lambda text: quoted(text, ";"),
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "CR": lambda text: text.replace("\n", "\r"),
    "all fields quoted": quoted,
    "a spreadsheet's": lambda text: "\ufeff" + quoted(text, ";", "\r\n"),
    "other order": with_reordered_columns,
    "no last line end": lambda text: text.rstrip("\n"),
    "empty lines": lambda text: text.replace("\n", "\n\n"),
    "packed": lambda text: gzip.compress(text.encode()),
    "packed in two parts": lambda text: gzip.compress(text[:90].encode()) + gzip.compress(text[90:].encode()),
}


@EACH_KIND
@pytest.mark.parametrize("way", WAYS)
def test_a_file_may_be_written_in_these_ways(way: str, sample: Sample) -> None:
    take(sample, sample.text())
    before = facts()
    written = WAYS[way](sample.text())
    outcome = take(sample, written, name="other.gz" if isinstance(written, bytes) else "other.csv")
    assert (outcome.status, outcome.run.state, outcome.run.lines) == (0, "unchanged", 10), outcome.errors
    content = written if isinstance(written, bytes) else written.encode()
    assert (outcome.run.size, outcome.run.content_hash) == (len(content), sha256(content).hexdigest())
    assert facts() == before


@EACH_KIND
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_I2_a_stray_quote_makes_its_own_line_bad_and_every_line_is_accounted_for(
    end: str, sample: Sample
) -> None:
    """Two of them, on lines 5 and 9: what lies between is imported."""
    lines = list(sample.lines)
    for number in (3, 7):
        first, _, rest = lines[number].partition(",")
        lines[number] = f'{first},"{rest.replace(chr(34), "")}'
    before = sample.made._default_manager.count()
    outcome = take(sample, sample.text(*lines).replace("\n", end), "--skip-bad-lines")
    assert (outcome.status, outcome.run.lines, outcome.run.bad_lines) == (4, 10, 2), outcome.errors
    assert sample.made._default_manager.count() == before + 8
    wrong = "file: A quote is opened here and not closed on its line."
    assert Path("file.rejects.csv").read_text().splitlines() == [
        "line,column,rule,value",
        f"5,,{wrong},",
        f"9,,{wrong},",
    ]


@EACH_KIND
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_standard_input_is_read(packed: bool, sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    content = sample.text(*sample.lines, sample.bad).encode()
    content = gzip.compress(content) if packed else content
    read, write = os.pipe()
    feeding = threading.Thread(target=feed, args=(write, content))
    feeding.start()
    with os.fdopen(read) as pipe:
        monkeypatch.setattr("sys.stdin", pipe)
        outcome = take(sample, Path("-"), "--skip-bad-lines")
    feeding.join()
    assert (outcome.status, outcome.run.file_name, outcome.run.lines) == (4, "standard input", 11)
    assert outcome.run.content_hash == sha256(content).hexdigest()
    assert Path("standard-input.rejects.csv").exists()


def feed(end: int, content: bytes) -> None:
    with os.fdopen(end, "wb") as file:
        file.write(content)


def test_a_pipe_is_read(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    feeding = threading.Thread(target=path.write_bytes, args=(CONNECTIONS.text().encode(),))
    feeding.start()
    outcome = take(CONNECTIONS, path)
    feeding.join()
    assert (outcome.status, outcome.run.file_name, outcome.run.lines) == (0, "pipe", 10)


@EACH_KIND
def test_a_header_that_does_not_match_says_which_columns_are_wanted(sample: Sample) -> None:
    first, *others = sample.columns.split(",")
    before = facts()
    for header, says in (
        (",".join(["who", *others]), f"Missing: {first}; unknown: 'who'."),
        (f"{sample.columns},{first}", f"Named more than once: {first}."),
        ("", "does not name the columns."),
    ):
        outcome = take(sample, f"{header}\n{sample.lines[0]}\n")
        assert outcome.status == 1
        assert says in outcome.errors
        assert f"Wanted are, in any order: {sample.columns}.\n" in outcome.errors
        assert outcome.run.state == "failed"
        assert outcome.run.message.endswith("\nNothing was imported.")
        assert outcome.run.message in outcome.errors
        assert facts() == before


@EACH_KIND
def test_a_file_of_another_kind_is_said_to_be_one(sample: Sample) -> None:
    other = SAMPLES[SAMPLES.index(sample) - 1]
    outcome = take(sample, other.text())
    assert outcome.status == 1
    assert (
        f"line 1: This names other columns than wanted. These are the columns of {other.kind}: "
        in outcome.errors
    )


@pytest.mark.parametrize(
    "content", ["missing.csv", ".", b"\xff\xfe\x00", gzip.compress(CONNECTIONS.text().encode())[:-9]]
)
def test_a_file_that_cannot_be_read_is_on_record(content: bytes | str) -> None:
    outcome = take(CONNECTIONS, Path(content) if isinstance(content, str) else content)
    assert (outcome.status, outcome.run.state, outcome.out) == (1, "failed", "")
    assert outcome.run.message in outcome.errors
    assert not Representation.objects.exists()


@EACH_KIND
def test_every_bad_line_is_said_at_once_and_nothing_is_imported(sample: Sample) -> None:
    """The first 20 on the terminal, and all in the rejects file and with the run's row."""
    before = facts()
    bad = [sample.bad.replace("bad", f"bad{number}") for number in range(30)]
    outcome = take(sample, sample.text(*sample.lines, *bad, "x,y"))
    assert (outcome.status, outcome.out, outcome.run.state) == (3, "", "refused")
    assert facts() == before
    header, *rows = csv.reader(Path("file.rejects.csv").read_text().splitlines())
    assert header == ["line", "column", "rule", "value"]
    column, rule, value = sample.wrong
    found = [row for row in rows if row[1] == column and row[2].startswith(rule) and row[3] == value]
    assert [int(row[0]) for row in found] == list(range(12, 42))
    assert rows[-1][:2] == ["42", ""]
    assert rows == sorted(rows, key=lambda row: int(row[0]))
    lines = [line for line in outcome.errors.splitlines() if line.startswith("line ")]
    assert len(lines) == 20
    assert lines[0].startswith("line 12")
    assert f"and {len(rows) - 20} more." in outcome.errors
    assert f"Nothing was imported: {len(rows)} faults on 31 lines." in outcome.errors
    assert "Rejects: file.rejects.csv\n" in outcome.errors
    run = outcome.run
    assert (run.bad_lines, run.message) == (31, f"Nothing was imported: {len(rows)} faults on 31 lines.")
    assert [str(line) for line in run.summary["first_rejects"][0]] == rows[0]
    assert gzip.decompress(run.file.rejects) == Path("file.rejects.csv").read_bytes()


@EACH_KIND
def test_bad_lines_are_skipped_where_that_is_asked_for(sample: Sample) -> None:
    before = sample.made._default_manager.count()
    outcome = take(
        sample, sample.text(sample.bad, *sample.lines), "--skip-bad-lines", "--rejects", "kept.csv"
    )
    assert (outcome.status, outcome.run.state, outcome.run.bad_lines) == (4, "applied", 1)
    assert sample.made._default_manager.count() == before + 10
    assert Path("kept.csv").read_text().splitlines()[1].startswith(f"2,{sample.wrong[0]},")
    assert not Path("file.rejects.csv").exists()
    assert "Lines: 11, bad: 1\n" in outcome.out
    assert "Rejects: kept.csv\n" in outcome.out
    assert "line 2, column" in outcome.errors
    assert outcome.errors.endswith("\nBad lines that were skipped: 1.\n")
    again = take(sample, sample.text(sample.bad, *sample.lines), "--skip-bad-lines")
    assert (again.status, again.run.state) == (4, "unchanged")


@EACH_KIND
def test_a_dry_run_prints_what_would_change_and_changes_nothing(sample: Sample) -> None:
    before = facts()
    dry = take(sample, sample.text(), "--dry-run")
    assert (dry.status, dry.run.state, dry.run.applies, dry.run.change) == (0, "dry", False, None)
    assert facts() == before
    assert dry.out.startswith("A dry run, which changes nothing: this is what would change.\n")
    if sample is PARTICIPANTS:
        assert re.search(r"^New: AGR agr3\.example: known", dry.out, re.MULTILINE)
    else:
        party = "agr.example" if sample is CONNECTIONS else "grid.example"
        assert "Connections on which days change: 10\n" in dry.out
        assert re.search(rf"^{ean(3)}.*: {party} gains 2030-01-01 to 2030-12-31$", dry.out, re.MULTILINE)
    applied = take(sample, sample.text())
    assert applied.run.summary["counts"] == dry.run.summary["counts"]


def test_a_dry_run_tells_the_conflicts_that_would_open() -> None:
    Participant.objects.create(role="AGR", domain="other.example")
    take(CONNECTIONS, CONNECTIONS.text())
    lines = [f"other.example,{ean(n)},2030-06-01," for n in range(3)]
    outcome = take(CONNECTIONS, CONNECTIONS.text(*lines), "--dry-run")
    assert "Conflicts opened: 3\n" in outcome.out
    applied = take(CONNECTIONS, CONNECTIONS.text(*lines))
    assert (
        "Conflicts closed: 0\nConflicts opened: 3; manage.py list_conflicts --open lists them\n"
        in applied.out
    )
    assert (
        f"Conflict opened: other.example against agr.example about {ean(0)}, 2030-06-01 to 2030-12-31"
        in outcome.out
    )
    assert (
        f"{ean(0)}: other.example gains from 2031-01-01; contested 2030-06-01 to 2030-12-31\n" in outcome.out
    )
    assert "other.example: gains days on 3 connections, has days contested on 3 connections\n" in outcome.out


def test_a_dry_run_tells_the_first_fifty_and_counts_all() -> None:
    lines = [f"agr.example,{ean(n)},2030-01-01," for n in range(60)]
    outcome = take(CONNECTIONS, CONNECTIONS.text(*lines), "--dry-run")
    assert outcome.out.count("gains from 2030-01-01\n") == 50
    assert "Connections on which days change: 60\n" in outcome.out
    assert "\nThe first 50 of 60, by address.\n" in outcome.out
    assert outcome.out.index("Lines: 60, bad: 0\n") > outcome.out.index("The first 50 of 60")


@EACH_KIND
@pytest.mark.parametrize("options", [(), ("--skip-bad-lines",)], ids=["all or nothing", "skipping"])
def test_a_dry_run_of_a_file_with_bad_lines_exits_as_the_import_would(
    options: tuple[str, ...], sample: Sample
) -> None:
    before = facts()
    text = sample.text(*sample.lines, sample.bad)
    dry = take(sample, text, "--dry-run", *options)
    assert facts() == before
    assert (dry.status, dry.run.state) == ((4, "dry") if options else (3, "refused"))
    kept = Path("file.rejects.csv").read_bytes()
    assert take(sample, text, *options).status == dry.status
    assert Path("file.rejects.csv").read_bytes() == kept


@EACH_KIND
def test_a_full_file_that_would_end_more_than_a_fifth_stops(sample: Sample) -> None:
    """20 % exactly is taken; --allow-shrink takes any."""
    if sample is PARTICIPANTS:
        Participant.objects.all().delete()
    take(sample, sample.text())
    before = facts()
    for options in (["--full"], ["--full", "--dry-run"], ["--full", "--skip-bad-lines"]):
        outcome = take(sample, sample.text(*sample.lines[:7]), *options)
        assert (outcome.status, outcome.run.state) == (5, "refused"), outcome.errors
        assert "3 of the 10" in outcome.errors
        assert "(30 %), more than 20 %" in outcome.errors
        assert "--allow-shrink --dry-run shows what it would" in outcome.errors
        assert facts() == before
        assert outcome.run.is_dry_run == ("--dry-run" in options)
    dry = take(sample, sample.text(*sample.lines[:7]), "--full", "--allow-shrink", "--dry-run")
    assert (dry.status, dry.run.state) == (0, "dry")
    assert facts() == before
    assert take(sample, sample.text(*sample.lines[:8]), "--full").status == 0
    assert present(sample) == 8
    assert take(sample, sample.text(sample.lines[0]), "--full", "--allow-shrink").status == 0
    assert present(sample) == 1
    assert take(sample, sample.text(sample.lines[0])).run.state == "unchanged"


def present(sample: Sample) -> int:
    """How much there is that did not end."""
    if sample is PARTICIPANTS:
        return Participant.objects.exclude(standing="suspended").count()
    return int(sample.made._default_manager.current().count())  # type: ignore[attr-defined]


@EACH_KIND
def test_without_full_what_a_file_does_not_name_stays(sample: Sample) -> None:
    take(sample, sample.text())
    before = present(sample)
    assert take(sample, sample.text(sample.lines[0])).run.state == "unchanged"
    assert present(sample) == before


def test_rejects_of_an_earlier_run_are_removed_and_other_files_stay() -> None:
    take(CONNECTIONS, CONNECTIONS.text(CONNECTIONS.bad))
    assert Path("file.rejects.csv").exists()
    take(CONNECTIONS, CONNECTIONS.text())
    assert not Path("file.rejects.csv").exists()
    Path("notes.txt").write_text("mine")
    take(CONNECTIONS, CONNECTIONS.text(), "--rejects", "notes.txt")
    assert Path("notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "beside"),
    [
        ("of.march.csv", "of.march.rejects.csv"),
        ("MARCH.CSV.GZ", "MARCH.rejects.csv"),
        ("march", "march.rejects.csv"),
        (".csv", ".csv.rejects.csv"),
    ],
)
def test_the_rejects_lie_beside_the_file(name: str, beside: str) -> None:
    take(CONNECTIONS, CONNECTIONS.text(CONNECTIONS.bad), name=name)
    assert Path(beside).exists()


def test_rejects_that_cannot_be_kept_are_in_the_admin() -> None:
    before = facts()
    text = CONNECTIONS.text(*CONNECTIONS.lines, CONNECTIONS.bad)
    refused = take(CONNECTIONS, text, "--rejects", "nowhere/rejects.csv")
    assert refused.status == 3
    said = "The rejects file nowhere/rejects.csv cannot be written: No such file or directory."
    assert f"{said} The rejects are in the admin, with import {refused.run.pk}." in refused.errors
    skipping = take(CONNECTIONS, text, "--rejects", "nowhere/rejects.csv", "--skip-bad-lines")
    assert (skipping.status, skipping.run.state) == (1, "failed")
    assert skipping.run.message == f"{said}\nNothing was imported."
    assert b"start,day: " in gzip.decompress(skipping.run.file.rejects)
    assert facts() == before


def test_a_file_that_loses_a_race_is_begun_anew() -> None:
    """What was found wrong with the file before is not found twice."""
    lost: list[str] = []

    def lose_once(execute: Any, sql: str, *rest: Any) -> Any:
        if "UPDATE registry_change" in sql and not lost:
            lost.append(sql)
            raise LostRace
        return execute(sql, *rest)

    text = CONNECTIONS.text(*CONNECTIONS.lines, CONNECTIONS.bad)
    with connection.execute_wrapper(lose_once):
        outcome = take(CONNECTIONS, text, "--skip-bad-lines")
    assert lost
    assert (outcome.status, outcome.run.state, outcome.run.bad_lines) == (4, "applied", 1), outcome.errors
    assert outcome.run.content_hash == sha256(text.encode()).hexdigest()
    assert Representation.objects.count() == 10
    assert Change.objects.count() == 1


def test_a_command_that_is_called_wrongly_imports_nothing() -> None:
    Path("file.csv").write_text(CONNECTIONS.text())
    for options, says in (
        (["--allow-shrink"], "--full"),
        (["--rejects", "file.csv"], "names the file that is imported"),
        (["--rejects", "./file.csv", "--skip-bad-lines"], "names the file that is imported"),
    ):
        with pytest.raises(CommandError, match=says) as raised:
            call_command("import_connections", "file.csv", *options)
        assert raised.value.returncode == 2
    assert not ImportRun.objects.exists()
    assert Path("file.csv").read_text() == CONNECTIONS.text()


@EACH_KIND
def test_help_names_the_columns_and_every_exit_status(sample: Sample) -> None:
    said = subprocess.run(
        [sys.executable, "manage.py", sample.command, "--help"],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    words = " ".join(said.split())
    assert sample.columns in words.replace(", ", ",")
    assert EXIT_STATUS in words
    for option in (
        "FILE",
        "--dry-run",
        "--full",
        "--allow-shrink",
        "--skip-bad-lines",
        "--rejects FILE",
        "--reason TEXT",
    ):
        assert option in words
    handbook = (settings.BASE_DIR / "docs/operating.md").read_text()
    for status in re.findall(r"(\d+): ", EXIT_STATUS):
        assert re.search(rf"^\| `?{status}`? \|", handbook, re.MULTILINE), status


def test_what_a_file_holds_does_nothing_to_the_terminal() -> None:
    bad = '"agr.example\x1b[2J\vline 1: all is well",ean.1,2030-01-01,'
    outcome = take(CONNECTIONS, CONNECTIONS.text(bad))
    assert "\x1b" not in outcome.errors
    assert r"agr.example\x1b[2J\x0bline 1: all is well" in outcome.errors
    assert "\x1b[2J" in Path("file.rejects.csv").read_text()


def test_a_log_gets_a_line_for_each_phase_and_nothing_else() -> None:
    outcome = take(CONNECTIONS, CONNECTIONS.text())
    assert outcome.errors.splitlines() == ["reading", "checking", "comparing", "writing"]
    assert "reading" not in outcome.out


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_a_log_says_how_many_lines_of_a_long_file_were_read(packed: bool) -> None:
    content = (CONNECTIONS.text() + (" " * 30 + ",,,\n") * 250_000).encode()
    outcome = take(CONNECTIONS, gzip.compress(content, 1) if packed else content)
    said = outcome.errors.splitlines()
    assert [line for line in said if "…" not in line] == ["reading", "checking", "comparing", "writing"]
    counts = [int(line.split()[2].replace(",", "")) for line in said if "…" in line]
    assert all(re.fullmatch(r"reading … \d{3},\d{3} lines", line) for line in said[1 : 1 + len(counts)])
    assert [count // 100_000 for count in counts] == [1, 2]


def test_a_log_says_how_far_the_reading_is_when_it_takes_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.management.progress.SECONDS", 0.0)
    outcome = take(CONNECTIONS, CONNECTIONS.text())
    assert outcome.errors.splitlines() == [
        "reading",
        "reading … 11 lines",
        "checking",
        "comparing",
        "writing",
    ]


@pytest.mark.django_db(transaction=True)
def test_a_terminal_gets_a_bar_over_the_bytes_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_text(CONNECTIONS.text(*(f"agr.example,{ean(n)},2030-01-01," for n in range(30_000))))
    screen, end = pty.openpty()
    termios.tcsetwinsize(end, (24, 100))
    process = subprocess.Popen(
        [sys.executable, "manage.py", "import_connections", str(path), "--dry-run"],
        cwd=settings.BASE_DIR,
        env=environment_here(),
        stdout=subprocess.PIPE,
        stderr=end,
        text=True,
    )
    os.close(end)
    drawn = "".join(on_screen(screen))
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, drawn
    assert re.search(r"Reading: +\d+ % of 1\.\d+MB \|", drawn), drawn
    for phase in ("Checking: 00:0", "Comparing: 00:0", "Writing: 00:0"):
        assert phase in drawn
    assert out.startswith("A dry run")
    assert "Reading" not in out


def on_screen(screen: int) -> Iterator[str]:
    with os.fdopen(screen, "rb", buffering=0) as file:
        try:
            while piece := file.read(65536):
                yield piece.decode(errors="replace")
        except OSError:
            return


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_away_is_said(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_text(CONNECTIONS.text())
    nowhere = f"postgres://cro@127.0.0.1:{free_port()}/cro"
    process = Process("import_connections", str(path), DATABASE_URL=nowhere)
    try:
        wait_for("the end of the import", lambda: process.ended, 60)
    finally:
        process.kill()
    assert process.process.returncode == 1, process.log
    assert re.fullmatch(
        r"CommandError: The database failed: .*connections\? Nothing was imported\.\n", process.log
    ), process.log
