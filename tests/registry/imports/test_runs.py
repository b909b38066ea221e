"""Who is at an import, and what becomes of it where its process dies or is only held to be dead."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from django.db import connection

from common import locks
from common.csv.importing import Options
from participants.models import Participant
from registry.imports import runs, uploads
from registry.imports.execution import execute
from registry.imports.runs import Running
from registry.imports.upload_file import Upload, pack
from registry.models import Change, ImportRun, Representation
from tests.registry.imports.samples import CONNECTIONS
from tests.support.polling import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2029, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _agr(db: None) -> None:
    Participant.objects.create(role="AGR", domain="agr.example")


def upload(**values: object) -> int:
    """The number of an upload that waits."""
    run = uploads.store_upload(
        "connections",
        pack(io.BytesIO(CONNECTIONS.text().encode())),
        "file.csv",
        Options(),
        actor="kim",
        reason="",
    )
    ImportRun.objects.filter(pk=run.pk).update(**values)
    return run.pk


def file_of(running: Running) -> Upload:
    return Upload(bytes(running.run.file.content))


def state(run_id: int) -> tuple[str, int]:
    run = ImportRun.objects.get(pk=run_id)
    return run.state, run.tries


def taken(run_id: int) -> Running:
    running = runs.start_waiting(run_id)
    assert running is not None
    return running


def lose(running: Running) -> None:
    """Have what holds the run be lost, while its process goes on."""
    held = "FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objid = %s"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_terminate_backend(pid) {held}", [locks.IMPORT_RUN, running.run.pk])

        def lost() -> bool:
            cursor.execute(f"SELECT count(*) = 0 {held}", [locks.IMPORT_RUN, running.run.pk])
            return bool(cursor.fetchone()[0])

        wait_for("the end of the hold", lost)


def test_one_process_at_a_time_is_at_an_upload() -> None:
    number = upload()
    first = taken(number)
    assert runs.start_waiting(number) is None
    assert runs.mark_interrupted() == []
    assert state(number) == ("running", 1)
    execute(first, file_of(first), now=NOW)
    assert state(number) == ("shown", 1)
    assert runs.start_waiting(number) is None
    assert state(number) == ("shown", 1)


def test_a_run_that_nobody_holds_was_interrupted_and_an_upload_is_taken_up_three_times() -> None:
    number = upload()
    for tries in (1, 2, 3):
        running = taken(number)
        assert state(number) == ("running", tries)
        running.lock.release()
        assert runs.mark_interrupted() == [number]
        assert state(number) == ("interrupted", tries)
        assert runs.requeue_interrupted() == ([number] if tries < 3 else [])
    assert runs.start_waiting(number) is None


def test_a_command_s_run_that_was_interrupted_does_not_wait_again() -> None:
    running = runs.start("connections", file_name="file.csv", options=Options(), actor="kim", applies=True)
    assert runs.mark_interrupted() == []
    running.lock.release()
    assert runs.mark_interrupted() == [running.run.pk]
    assert runs.requeue_interrupted() == []


@pytest.mark.parametrize("other_first", [False, True])
def test_a_process_that_was_held_to_be_dead_does_no_harm(other_first: bool) -> None:
    """Its run was taken up by another; what it writes itself is taken back."""
    number = upload(applies=True)
    thought_dead = taken(number)
    lose(thought_dead)
    assert runs.mark_interrupted() == [number]
    assert runs.requeue_interrupted() == [number]
    other = taken(number)
    if other_first:
        execute(other, file_of(other), now=NOW)
        execute(thought_dead, file_of(thought_dead), now=NOW)
    else:
        execute(thought_dead, file_of(thought_dead), now=NOW)
        assert not Representation.objects.exists()
        assert state(number) == ("running", 2)
        execute(other, file_of(other), now=NOW)
    assert state(number) == ("applied", 2)
    assert Representation.objects.count() == 10
    assert ImportRun.objects.get().change == Change.objects.get()


def test_how_far_it_is_is_seen_while_it_is_under_way() -> None:
    seen: list[str] = []

    class Watching:
        def phase(self, phase: str) -> None:
            seen.append(ImportRun.objects.values_list("step", flat=True).get())

        def read(self, count: int, total: int | None) -> None: ...

    running = taken(upload())
    execute(running, file_of(running), now=NOW, progress=Watching())
    assert [step.split()[0] for step in dict.fromkeys(seen)] == [
        "reading",
        "checking",
        "comparing",
        "writing",
    ]
    assert ImportRun.objects.get().step == ""
