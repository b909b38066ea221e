"""Imports in real processes, to which something happens: nothing is half done, all is recorded, the next run works."""

from __future__ import annotations

import gzip
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import psutil
import pytest
from django.core.management import call_command
from django.db import connection, transaction

from common import locks
from participants.models import AuditEntry, Participant
from registry.imports import runs
from registry.models import (
    Change,
    CongestionPointConnection,
    CongestionPointTerms,
    Connection,
    ImportRun,
    Representation,
)
from tests.support.eans import ean
from tests.support.polling import wait_for
from tests.support.processes import Process

pytestmark = pytest.mark.django_db(transaction=True)

WITHIN = 60.0
BAD = "agr.example,ean.1,2026-13-01,\n"
POINT = "ean.871685900000000011"
FILES = {
    "participants": "role,domain,public_key,endpoint,standing,name\n"
    + "".join(f"AGR,agr{n}.example,,,,\n" for n in range(20)),
    "congestion_points": "dso,congestion_point,start,end,mutex_offers_supported,day_ahead_redispatch_by,"
    "intraday_redispatch_by,connection,connection_start,connection_end\n"
    + "".join(f"grid.example,{POINT},2026-01-01,,true,AGR,,{ean(n)},2026-01-01,\n" for n in range(20)),
    "connections": "agr,connection,start,end\n"
    + "".join(f"agr.example,{ean(n)},2030-01-01,\n" for n in range(20)),
}
FACTS = (
    Participant,
    AuditEntry,
    Change,
    Connection,
    CongestionPointTerms,
    CongestionPointConnection,
    Representation,
)


@pytest.fixture(autouse=True)
def _participants() -> None:
    for role, domain in (("DSO", "grid.example"), ("AGR", "agr.example")):
        Participant.objects.create(role=role, domain=domain)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of connections."""
    return file_of("connections", tmp_path)


def file_of(kind: str, folder: Path) -> Path:
    path = folder / f"{kind}.csv"
    path.write_text(FILES[kind])
    return path


def facts() -> dict[str, int]:
    return {model.__name__: model._default_manager.count() for model in FACTS}


@contextmanager
def importing(path: Path, *options: str, kind: str = "connections", **environment: str) -> Iterator[Process]:
    process = Process(f"import_{kind}", str(path), *options, **environment)
    try:
        yield process
    finally:
        process.signal(signal.SIGCONT)
        process.kill()


def status(process: Process) -> int:
    wait_for("the end of the import", lambda: process.ended, WITHIN)
    return int(process.process.returncode)


def imported(path: Path, *options: str, kind: str = "connections") -> str:
    """What the command says, which takes the file."""
    out = StringIO()
    call_command(f"import_{kind}", str(path), *options, stdout=out)
    return out.getvalue()


def run_of(process: Process) -> ImportRun:
    """The row of the import that is under way, or that was the last."""
    return wait_for(f"an import\n{process.log}", lambda: ImportRun.objects.order_by("-pk").first(), WITHIN)


@contextmanager
def held(statement: str) -> Iterator[None]:
    """Whoever comes to what this statement locks waits, as long as this lasts."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
        yield


def await_the_hold(process: Process) -> int:
    """Wait until the import waits for what is held here; gives the number of its database process."""

    def waiting() -> int:
        assert not process.ended, process.log
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pid FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
            )
            return int((cursor.fetchone() or [0])[0])

    return wait_for("the import's wait for what is held here", waiting, WITHIN)


FIRST_CONNECTION = "SELECT FROM registry_connection WHERE address = 'ean.000000000000000000' FOR UPDATE"
BEFORE_THE_MOMENT = f"SELECT pg_advisory_xact_lock({locks.MOMENT})"
NO_CHANGES = "LOCK TABLE registry_change IN SHARE MODE"
NO_AUDIT = "LOCK TABLE participants_auditentry IN SHARE MODE"
NO_CONNECTIONS = "LOCK TABLE registry_connection IN SHARE MODE"
HOLDS = [
    ("connections", "comparing", FIRST_CONNECTION),
    ("connections", "comparing", NO_CHANGES),
    ("connections", "writing", NO_AUDIT),
    ("connections", "writing", BEFORE_THE_MOMENT),
    ("congestion_points", "comparing", NO_CONNECTIONS),
    ("congestion_points", "writing", BEFORE_THE_MOMENT),
    ("participants", "writing", NO_AUDIT),
]


@pytest.mark.parametrize(("kind", "step", "statement"), HOLDS)
def test_killed_in_the_middle(kind: str, step: str, statement: str, tmp_path: Path) -> None:
    path = file_of(kind, tmp_path)
    Connection.objects.create(address="ean.000000000000000000")
    before = facts()
    with held(statement), importing(path, kind=kind) as process:
        await_the_hold(process)
        run = run_of(process)
        assert (run.state, run.step) == ("running", step), process.log
        assert runs.mark_interrupted() == []
        process.kill()
        wait_for("the end of its hold", lambda: not holder(run))
        assert facts() == before
    said = imported(path, kind=kind)
    assert "Applied." in said
    run.refresh_from_db()
    assert (run.state, run.change, run.finished_at is None) == ("interrupted", None, False)
    assert "nothing was changed" in run.message
    assert ImportRun.objects.get(state="applied").lines == 20
    assert "Nothing to change." in imported(path, kind=kind)


def holder(run: ImportRun) -> int:
    """The number of the database process that holds the run; 0 where nobody does."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objid = %s",
            [locks.IMPORT_RUN, run.pk],
        )
        return int((cursor.fetchone() or [0])[0])


def test_killed_while_it_reads(file: Path, tmp_path: Path) -> None:
    with paused(file, tmp_path) as process:
        run = run_of(process)
        assert (run.state, run.step.split()[0]) == ("running", "reading")
        process.kill()
    wait_for("the end of its hold", lambda: not holder(run))
    assert "Applied." in imported(file)
    run.refresh_from_db()
    assert run.state == "interrupted"


def test_killed_when_the_rejects_are_written_and_nothing_is_committed(file: Path) -> None:
    file.write_text(FILES["connections"] + BAD)
    rejects = file.with_name("connections.rejects.csv")
    with held(BEFORE_THE_MOMENT), importing(file, "--skip-bad-lines") as process:
        await_the_hold(process)
        assert "22,start,day: not a day" in rejects.read_text()
        process.kill()
    assert not Representation.objects.exists()
    with importing(file, "--skip-bad-lines") as process:
        assert status(process) == 4, process.log
    assert Representation.objects.count() == 20
    assert [run.state for run in ImportRun.objects.order_by("pk")] == ["interrupted", "applied"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(number: int, file: Path) -> None:
    before = facts()
    with held(NO_CHANGES), importing(file) as process:
        await_the_hold(process)
        process.signal(number)
        assert status(process) == 130, process.log
    run = ImportRun.objects.get()
    said = f"\nCommandError: Interrupted: nothing was imported.\nImport: {run.pk}\n"
    assert process.log.endswith(said), process.log
    assert (run.state, run.message) == ("interrupted", "It was interrupted. Nothing was imported.")
    assert facts() == before
    assert "Applied." in imported(file)


def test_its_database_connection_is_lost(file: Path) -> None:
    before = facts()
    with held(NO_CHANGES), importing(file) as process:
        terminate(await_the_hold(process))
        assert status(process) == 1, process.log
    assert "The database failed: terminating connection" in process.log
    run = ImportRun.objects.get()
    assert run.state == "failed"
    assert run.message in process.log
    assert facts() == before
    assert "Applied." in imported(file)


def test_it_goes_on_where_only_what_holds_it_is_lost(file: Path) -> None:
    """Others hold it to be dead then; what it did is told as it is all the same."""
    with importing(file) as process:
        with held(NO_CHANGES):
            await_the_hold(process)
            run = run_of(process)
            terminate(wait_for("its hold", lambda: holder(run)))
            wait_for("the end of its hold", lambda: not holder(run))
            assert runs.mark_interrupted() == [run.pk]
        assert status(process) == 0, process.log
    run.refresh_from_db()
    assert (run.state, run.change) == ("applied", Change.objects.get())
    assert Representation.objects.count() == 20


def terminate(pid: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])


@pytest.mark.parametrize("point", ["import committed", "import at its end"])
def test_interrupted_when_it_is_done(point: str, file: Path, tmp_path: Path) -> None:
    """What was applied is not said to have been given up."""
    with paused(file, tmp_path, point) as process:
        process.signal(signal.SIGINT)
        process.signal(signal.SIGCONT)
        assert status(process) == 0, process.log
    assert "Applied.\nLines: 20, bad: 0\n" in process.log
    assert ImportRun.objects.get().state == "applied"
    assert Representation.objects.count() == 20


@contextmanager
def paused(path: Path, folder: Path, point: str = "header read", *options: str) -> Iterator[Process]:
    """An import that stands still: by default, when it has opened the file and read its header."""
    marker = folder / "pause"
    marker.touch()
    environment = {"FAULT_POINT": point, "FAULT_PAUSE": str(marker)}
    with importing(path, *options, settings_module="tests.faults.settings", **environment) as process:
        wait_for(
            f"the import's pause\n{process.log}",
            lambda: psutil.Process(process.process.pid).status() == psutil.STATUS_STOPPED,
            WITHIN,
        )
        yield process


def append(path: Path) -> None:
    more = b"agr.example,ean.000000000000000994,2030-01-01,\n"
    with path.open("ab") as file:
        file.write(gzip.compress(more) if path.suffix == ".gz" else more)


def cut(path: Path) -> None:
    with path.open("rb+") as file:
        file.truncate(path.stat().st_size - 5)


def rewrite(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content.replace(b"2030", b"2031"))


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    other.replace(path)


@pytest.mark.parametrize("change", [append, cut, rewrite, replace, Path.unlink])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_a_file_that_changes_while_it_is_read_is_refused(
    change: Callable[[Path], None], packed: bool, file: Path, tmp_path: Path
) -> None:
    if packed:
        content = gzip.compress(file.read_bytes())
        file = file.with_name("connections.csv.gz")
        file.write_bytes(content)
    before = facts()
    with paused(file, tmp_path) as process:
        change(file)
        process.signal(signal.SIGCONT)
        assert status(process) == 1, process.log
    assert f"{file} changed while it was read.\nNothing was imported." in process.log
    assert ImportRun.objects.get().state == "failed"
    assert facts() == before


def test_a_full_disk_for_the_rejects_has_nothing_imported_where_lines_are_skipped(file: Path) -> None:
    """Rejects that go to /dev/full, which is a device, and rejects that are written beside it first."""
    file.write_text(FILES["connections"] + BAD)
    before = facts()
    beside = file.with_name("connections.rejects.csv.part")
    for options in (["--rejects", "/dev/full"], []):
        if not options:
            beside.symlink_to("/dev/full")
        with importing(file, "--skip-bad-lines", *options) as process:
            assert status(process) == 1, process.log
        assert "cannot be written: No space left on device.\nNothing was imported." in process.log
        run = ImportRun.objects.latest("pk")
        assert (run.state, run.bad_lines) == ("failed", 1)
        assert b"22,start" in gzip.decompress(run.file.rejects)
        assert facts() == before
    assert not beside.is_symlink()
    assert Path("/dev/full").is_char_device()
    with importing(file, "--skip-bad-lines") as process:
        assert status(process) == 4, process.log
    assert Representation.objects.count() == 20


def test_a_full_disk_for_the_rejects_of_a_file_that_is_refused_is_said(file: Path) -> None:
    file.write_text(FILES["connections"] + BAD)
    with importing(file, "--rejects", "/dev/full") as process:
        assert status(process) == 3, process.log
    run = ImportRun.objects.get()
    assert f"No space left on device. The rejects are in the admin, with import {run.pk}." in process.log
    assert (run.state, run.message) == ("refused", "Nothing was imported: 2 faults on 1 line.")
