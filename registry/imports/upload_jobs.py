"""What a worker does with uploads: takes up those that wait, one at a time, and gives one up when it is to stop."""

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
    "The registry has changed since the preview that you decided on, and something else would follow by now: nothing"
    " was done. This is a fresh preview."
)


def wake() -> None:
    """Have a worker take up each upload that waits, and those again whose worker died."""
    runs.mark_interrupted()
    runs.wait_again()
    for run in ImportRun.objects.filter(uploaded=True, state=State.WAITING).only("pk").order_by("pk"):
        uploads.wake(run)


def waits() -> bool:
    """Whether any upload waits for a worker or is under way."""
    return ImportRun.objects.filter(uploaded=True, state__in=(State.WAITING, State.RUNNING)).exists()


def work(run_id: int, *, now: datetime, stopping: Callable[[], bool]) -> None:
    """Preview the upload, or apply it, if it waits and no other worker is at it; `now` is a moment of the market's.

    As soon as it is `stopping`, what is under way is taken back, and the upload waits again.
    """
    changed = ImportRun.objects.filter(pk=run_id, message=CHANGED).exists()
    running = runs.take_up(run_id)
    if running is None:
        return
    run = running.run
    applied = run.applies
    with long_jobs.cancelled(stopping):
        execute(running, _file_of(run, stopping), now=now, stopping=stopping)
    match State(run.state):
        case State.PREVIEWED | State.UNCHANGED if changed:
            ImportRun.objects.filter(pk=run_id, state=run.state).update(message=CHANGED)
        case State.WAITING if applied and not stopping():
            ImportRun.objects.filter(pk=run_id, state=State.WAITING).update(message=CHANGED)
            uploads.wake(run)
        case State.WAITING if stopping():
            said = CHANGED if changed else runs.AGAIN
            ImportRun.objects.filter(pk=run_id, state=State.WAITING).update(message=said)
    uploads.drop_what_is_done(run_id)


def _file_of(run: ImportRun, stopping: Callable[[], bool]) -> Upload:
    content = ImportFile.objects.values_list("content", flat=True).get(run=run)
    return Upload(bytes(content or b""), size=run.size, content_hash=run.content_hash, stopping=stopping)
