"""Files that staff upload: previewed by a worker, then approved or discarded by staff.

An upload is imported only after its preview was approved, with exactly the previewed changes (docs/rules.md C14).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from common.csv.importing import Options
from participants import audit
from registry.imports import upload_queue
from registry.imports.file_kinds import KINDS
from registry.imports.upload_file import Upload
from registry.models.imports import ImportFile, ImportRun
from uftp.wakeups import long_jobs, wakeups

State = ImportRun.State

KEEP_UPLOADS_FOR = timedelta(days=7)
"""How long an upload is stored that nobody approves or discards."""

TASK = "registry.run_import"

UNAPPROVED_STATES = (State.WAITING, State.RUNNING, State.PREVIEWED)
MAY_BE_PREVIEWED_AGAIN = (State.REFUSED, State.FAILED, State.INTERRUPTED)
MAY_BE_DISCARDED = (State.WAITING, State.PREVIEWED, *MAY_BE_PREVIEWED_AGAIN)
NEEDS_ITS_FILE = (*UNAPPROVED_STATES, *MAY_BE_PREVIEWED_AGAIN)

NOT_APPROVED = f"Nobody approved it within {KEEP_UPLOADS_FOR.days} days: the uploaded file was deleted."


class UploadError(ValueError):
    """The action on an upload is not possible. The message is for staff."""


def require_header(upload: Upload, kind: str) -> None:
    """Raise UnreadableFile if the file does not begin with the header of this kind."""
    upload.require_header(KINDS[kind].columns)


def store_upload(
    kind: str, upload: Upload, file_name: str, options: Options, *, actor: str, reason: str
) -> ImportRun:
    """Store an upload, which then waits for its preview. Raises UploadError if the same file is already uploaded."""
    with transaction.atomic():
        same = ImportRun.objects.filter(
            kind=kind, content_hash=upload.content_hash, uploaded=True, state__in=UNAPPROVED_STATES
        ).first()
        if same:
            raise UploadError(
                f"This file is uploaded already, as import {same.pk} by {same.actor}: apply or discard that one."
            )
        run = ImportRun.objects.create(
            kind=kind,
            state=State.WAITING,
            uploaded=True,
            applies=False,
            full=options.full,
            allow_shrink=options.allow_shrink,
            skip_bad_lines=options.skip_bad_lines,
            file_name=file_name,
            size=upload.size,
            content_hash=upload.content_hash,
            actor=actor,
            reason=reason,
        )
        ImportFile.objects.create(run=run, content=upload.packed)
        values = {"kind": kind, **_options_in_words(run), "SHA-256": upload.content_hash}
        _record_audit(run, "upload import", actor, values)
    return run


def approve(run_id: int, fingerprint: str, *, actor: str) -> ImportRun:
    """Approve an upload: it waits to be applied.

    Args:
        run_id: The number of the run.
        fingerprint: Of the preview that staff saw.
        actor: Who approves it.

    Raises:
        UploadError: The upload has another state, or a newer preview.
    """
    with transaction.atomic():
        run = _held(run_id, (State.PREVIEWED,))
        if run.fingerprint != fingerprint:
            raise UploadError("The preview was made again since you saw it: look at it again, then confirm.")
        _record_times(run, previewed_at=run.finished_at, decided_at=timezone.now())
        _wait(run, applies=True)
        _record_audit(
            run,
            "apply import",
            actor,
            {label: count for label, count in run.summary.get("counts", []) if count},
        )
    return run


def preview_again(
    run_id: int, *, allow_shrink: bool = False, skip_bad_lines: bool = False, actor: str
) -> ImportRun:
    """Let an upload that was not imported wait for a new preview, with these options besides its own.

    Raises:
        UploadError: The upload has another state, or its file is gone.
    """
    with transaction.atomic():
        run = _held(run_id, MAY_BE_PREVIEWED_AGAIN)
        run.allow_shrink |= allow_shrink
        run.skip_bad_lines |= skip_bad_lines
        _wait(run, applies=False)
        _record_audit(run, "preview import again", actor, _options_in_words(run))
    return run


def discard(run_id: int, *, actor: str) -> ImportRun:
    """Discard an upload that is neither under way nor applied. Raises UploadError."""
    with transaction.atomic():
        run = _held(run_id, MAY_BE_DISCARDED)
        run.state, run.message = State.DISCARDED, ""
        _record_times(run, discarded_at=timezone.now())
        run.save(update_fields=["state", "message", "summary"])
        _drop_content(run.pk)
        _record_audit(run, "discard import", actor)
    return run


def delete_old_uploads(now: datetime) -> int:
    """Delete the files of uploads that nobody approved or discarded in time, and return how many.

    Args:
        now: The present moment (real time); older than KEEP_UPLOADS_FOR is too old.
    """
    old = Q(finished_at__lt=now - KEEP_UPLOADS_FOR) | Q(
        finished_at=None, created_at__lt=now - KEEP_UPLOADS_FOR
    )
    stored = ImportRun.objects.filter(old, uploaded=True, file__content__isnull=False)
    with transaction.atomic():
        undecided = stored.exclude(state__in=(State.WAITING, State.RUNNING))
        found = list(undecided.select_for_update(of=("self",)).values_list("pk", flat=True))
        ImportFile.objects.filter(run__in=found).update(content=None)
        for run in ImportRun.objects.filter(pk__in=found, state=State.PREVIEWED):
            run.state, run.message = State.DISCARDED, NOT_APPROVED
            _record_times(run, discarded_at=now)
            run.save(update_fields=["state", "message", "summary"])
    return len(found)


def delete_finished_file(run_id: int) -> None:
    """Delete the file of an upload that no longer needs it."""
    if not ImportRun.objects.filter(pk=run_id, state__in=NEEDS_ITS_FILE).exists():
        _drop_content(run_id)


def has_its_file(run: ImportRun) -> bool:
    """Return whether the uploaded bytes are still stored."""
    return run.uploaded and ImportFile.objects.filter(run=run, content__isnull=False).exists()


def wake(run: ImportRun) -> None:
    """Wake a worker for a waiting upload. Call it after the commit."""
    wakeups.wake(long_jobs.QUEUE, TASK, upload_queue.lock(run.pk), {"run_id": run.pk})


def _held(run_id: int, states: tuple[ImportRun.State, ...]) -> ImportRun:
    """Lock and return an upload that is in one of `states` and has its file. Raises UploadError."""
    run = ImportRun.objects.select_for_update().filter(pk=run_id, uploaded=True).first()
    if run is None or run.state not in states or not has_its_file(run):
        raise UploadError("Nothing was done: the import has changed since you saw it. Look at it again.")
    return run


def _wait(run: ImportRun, *, applies: bool) -> None:
    run.state, run.applies = State.WAITING, applies
    run.tries, run.step, run.message = 0, "", ""
    run.started_at = run.finished_at = None
    run.summary.pop("stopped", None)
    run.save()


def _record_times(run: ImportRun, **moments: datetime | None) -> None:
    """Store the moments of its steps in the summary."""
    run.summary |= {step: at.isoformat() for step, at in moments.items() if at}


def _drop_content(run_id: int) -> None:
    ImportFile.objects.filter(run_id=run_id).update(content=None)


def _options_in_words(run: ImportRun) -> dict[str, str]:
    """Return the options that are set, for the audit trail."""
    chosen = ("full", "allow_shrink", "skip_bad_lines")
    return {name.replace("_", " "): "yes" for name in chosen if getattr(run, name)}


def _record_audit(run: ImportRun, action: str, actor: str, after: Mapping[str, object] | None = None) -> None:
    audit.record(actor, action, str(run), after=after or None, reason=run.reason, about=run)
