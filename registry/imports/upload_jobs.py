"""The job of a worker: execute the waiting uploads one at a time, and stop in the middle when asked to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from registry.imports import runs, uploads
from registry.imports.execution import execute
from registry.imports.upload_file import Upload
from registry.models.imports import ImportFile, ImportRun
from uftp.wakeups import long_jobs

State = ImportRun.State

CHANGED = (
    "The registry has changed since the preview that you approved, and it would have other consequences now: nothing"
    " was done. This is a new preview."
)


def wake() -> None:
    """Wake a worker for each waiting upload, including the uploads whose worker died."""
    runs.mark_interrupted()
    runs.requeue_interrupted()
    for run in ImportRun.objects.filter(uploaded=True, state=State.WAITING).only("pk").order_by("pk"):
        uploads.wake(run)


def is_waiting() -> bool:
    """Return whether any upload waits for a worker or is under way."""
    return ImportRun.objects.filter(uploaded=True, state__in=(State.WAITING, State.RUNNING)).exists()


def run_upload(run_id: int, *, now: datetime, stopping: Callable[[], bool]) -> None:
    """Preview or apply an upload, if it waits and no other worker executes it.

    Args:
        run_id: The number of the run.
        now: The moment of the import, aware.
        stopping: Whether the worker is to stop. Then the transaction is rolled back, and the upload waits again.
    """
    changed = ImportRun.objects.filter(pk=run_id, message=CHANGED).exists()
    running = runs.start_waiting(run_id)
    if running is None:
        return
    run = running.run
    applied = run.applies
    with long_jobs.cancel_statements(stopping):
        execute(running, _file_of(run, stopping), now=now, stopping=stopping)
    match State(run.state):
        case State.PREVIEWED | State.UNCHANGED if changed:
            ImportRun.objects.filter(pk=run_id, state=run.state).update(message=CHANGED)
        case State.WAITING if applied and not stopping():
            ImportRun.objects.filter(pk=run_id, state=State.WAITING).update(message=CHANGED)
            uploads.wake(run)
        case State.WAITING if stopping():
            message = CHANGED if changed else runs.RETRY_NOTE
            ImportRun.objects.filter(pk=run_id, state=State.WAITING).update(message=message)
    uploads.delete_finished_file(run_id)


def _file_of(run: ImportRun, stopping: Callable[[], bool]) -> Upload:
    content = ImportFile.objects.values_list("content", flat=True).get(run=run)
    return Upload(bytes(content or b""), size=run.size, content_hash=run.content_hash, stopping=stopping)
