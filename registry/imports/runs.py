"""Start runs, and find the interrupted ones.

A run is one row of ImportRun. While it is `running`, its process has its lock (registry.imports.run_lock). A run that
is running without a lock was interrupted. `registry.imports.execution` records how a run ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from common.csv.importing import Options
from common.csv.rejects import Rejects
from registry.imports.run_lock import RunLock, RunLocked, lock_key
from registry.models.imports import ImportRun

State = ImportRun.State

MOST_TRIES = 3

RETRY_NOTE = "Its worker ended in the middle of it, and nothing was changed. It starts again by itself."
"""The message of an upload that waits again."""


@dataclass
class Running:
    """A run that this process has locked.

    Attributes:
        run: The row of the run.
        lock: Its lock.
        rejects: What is wrong with the file.
        rejects_trouble: Why the rejects could not be written to a file.
        shrunk: Whether the run was stopped because it would end too much.
    """

    run: ImportRun
    lock: RunLock
    rejects: Rejects = field(default_factory=Rejects)
    rejects_trouble: str = ""
    shrunk: bool = False


def options_of(run: ImportRun) -> Options:
    """Return the options of the run."""
    return Options(full=run.full, allow_shrink=run.allow_shrink, skip_bad_lines=run.skip_bad_lines)


def start(
    kind: str, *, file_name: str, options: Options, actor: str, reason: str = "", applies: bool
) -> Running:
    """Record and lock a new run of this process. If it does not apply, it is a dry run."""
    with transaction.atomic():
        run = ImportRun.objects.create(
            kind=kind,
            file_name=file_name[:300],
            actor=actor,
            reason=reason,
            applies=applies,
            full=options.full,
            allow_shrink=options.allow_shrink,
            skip_bad_lines=options.skip_bad_lines,
            started_at=Now(),
            tries=1,
        )
        # Before others see the row: a run that is running without a lock counts as interrupted.
        lock = RunLock(run.pk)
    return Running(run, lock)


def start_waiting(run_id: int) -> Running | None:
    """Lock and start a waiting run. Return None if it does not wait, or another process has its lock."""
    try:
        lock = RunLock(run_id)
    except RunLocked:
        return None
    taken = ImportRun.objects.filter(pk=run_id, state=State.WAITING).update(
        state=State.RUNNING, tries=F("tries") + 1, started_at=Now(), finished_at=None, step="", message=""
    )
    if not taken:
        lock.release()
        return None
    return Running(ImportRun.objects.get(pk=run_id), lock)


def mark_interrupted() -> list[int]:
    """Mark the runs that are running without a lock as interrupted, and return their numbers."""
    marked = []
    for run_id in ImportRun.objects.filter(state=State.RUNNING).values_list("pk", flat=True):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", lock_key(run_id))
            (free,) = cursor.fetchone()
            if free and ImportRun.objects.filter(pk=run_id, state=State.RUNNING).update(
                state=State.INTERRUPTED,
                finished_at=Now(),
                message="The process ended in the middle of it, and nothing was changed.",
            ):
                marked.append(run_id)
    return marked


def requeue_interrupted() -> list[int]:
    """Let interrupted uploads wait for a worker again, up to MOST_TRIES tries, and return their numbers."""
    again = ImportRun.objects.filter(uploaded=True, state=State.INTERRUPTED, tries__lt=MOST_TRIES)
    numbers = sorted(again.values_list("pk", flat=True))
    ImportRun.objects.filter(pk__in=numbers, state=State.INTERRUPTED).update(
        state=State.WAITING, message=RETRY_NOTE
    )
    return numbers
