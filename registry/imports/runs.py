"""The life of an import: begun, under way, and at its end one way or another, always on the record.

A run is one row of ImportRun. While it is `running` its process holds it (registry.imports.run_lock); one that is
running and that nobody holds was interrupted. What it comes to is for registry.imports.execution.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from common.csv.importing import Options
from common.csv.rejects import Rejects
from registry.imports.run_lock import AlreadyHeld, Hold, lock_key
from registry.models.imports import ImportRun

State = ImportRun.State

MOST_TRIES = 3

AGAIN = (
    "Its worker ended in the middle of it, and nothing was changed. It goes on by itself, from the beginning."
)
"""What staff read of an upload that waits again."""


@dataclass
class Running:
    """A run that this process holds.

    `rejects_trouble` says why its rejects could not be kept in a file; `shrunk`: it was stopped for ending too much.
    """

    run: ImportRun
    hold: Hold
    rejects: Rejects = field(default_factory=Rejects)
    rejects_trouble: str = ""
    shrunk: bool = False


def options_of(run: ImportRun) -> Options:
    """How its file is to be taken."""
    return Options(full=run.full, allow_shrink=run.allow_shrink, skip_bad_lines=run.skip_bad_lines)


def begin(
    kind: str, *, file_name: str, options: Options, actor: str, reason: str = "", applies: bool
) -> Running:
    """A run of this process, on the record and held. It changes something only where it `applies`."""
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
        # Before anybody sees the row: one that is running and not held was interrupted.
        hold = Hold(run.pk)
    return Running(run, hold)


def take_up(run_id: int) -> Running | None:
    """The run, if it waits and no other process is at it: held by this process, and under way."""
    try:
        hold = Hold(run_id)
    except AlreadyHeld:
        return None
    taken = ImportRun.objects.filter(pk=run_id, state=State.WAITING).update(
        state=State.RUNNING, tries=F("tries") + 1, started_at=Now(), finished_at=None, step="", message=""
    )
    if not taken:
        hold.release()
        return None
    return Running(ImportRun.objects.get(pk=run_id), hold)


def mark_interrupted() -> list[int]:
    """Record of runs that are under way by nobody that they were interrupted; gives their numbers."""
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


def wait_again() -> list[int]:
    """Have interrupted uploads wait for a worker, up to their third try; gives their numbers."""
    again = ImportRun.objects.filter(uploaded=True, state=State.INTERRUPTED, tries__lt=MOST_TRIES)
    numbers = sorted(again.values_list("pk", flat=True))
    ImportRun.objects.filter(pk__in=numbers, state=State.INTERRUPTED).update(
        state=State.WAITING, message=AGAIN
    )
    return numbers
