"""Execute an import: apply or preview the file, and record the result on the row of the run.

The result is recorded in the transaction that applies the file.
"""

from __future__ import annotations

import gzip
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.models.functions import Now

from common.csv.importing import ImportRefused, ImportRequest, ImportResult, Shrunk, import_file
from common.csv.reader import UnreadableFile
from common.previews import ConsequencesChanged
from common.retry import lost_race, retried, server_trouble
from registry.imports import rejects_file
from registry.imports import report as import_report
from registry.imports.file_kinds import KINDS
from registry.imports.input_file import InputFile, never_stopping
from registry.imports.rejects_file import RejectsUnwritable
from registry.imports.runs import Running, options_of
from registry.models.imports import SHRUNK, UNREADABLE, ImportFile, ImportRun
from registry.previews.effects import Consequences, preview
from registry.previews.serialization import to_json
from registry.previews.timeouts import Busy, TimeLimits

logger = logging.getLogger(__name__)

State = ImportRun.State

UNFINISHED = (State.RUNNING, State.INTERRUPTED)
"""The states of a run that this process executes. Another process may have taken it for interrupted."""

RETRY_SECONDS = 3600.0
"""Seconds during which a file that loses a race starts again. With a million lines, each try takes minutes."""

PREVIEW_LIMITS = TimeLimits(lock=6 * 3600, statement=6 * 3600)
"""Long limits: the file of a whole country takes long, and no web request waits for it."""

READING = "reading"


class Progress(Protocol):
    """A display of the progress: the phase and, while the file is read, the bytes read of the total, if known."""

    def phase(self, phase: str) -> None:
        """Report that a phase begins."""

    def read(self, count: int, total: int | None) -> None:
        """Report how many bytes were read of the total, if it is known."""


def execute(
    running: Running,
    file: InputFile,
    *,
    now: datetime,
    rejects_path: Path | None = None,
    progress: Progress | None = None,
    stopping: Callable[[], bool] = never_stopping,
) -> ImportRun:
    """Apply or preview the file, and record the result on the row of the run.

    Errors of the file, the registry, a disk or the database end the run. They are recorded and not raised. An upload
    whose consequences have changed since its preview waits for a new preview. An upload that fails while its process
    is stopping waits to be executed again.

    Args:
        running: The run, locked by this process.
        file: The file.
        now: The moment of the import, aware.
        rejects_path: Where to write the rejects, before the commit. If bad lines are skipped and this fails, nothing
            is imported.
        progress: Where to display the progress.
        stopping: Whether this process is to stop.

    Returns:
        The row of the run.

    Raises:
        KeyboardInterrupt: After it was recorded, unless the file was already applied.
    """
    execution = _Execution(running, file, now, rejects_path, progress, stopping)
    try:
        execution.run_to_its_end()
    finally:
        running.lock.release()
    return running.run


class _TakenOver(Exception):
    """Another process executes the run, because it took this process for dead."""


@dataclass
class _Execution:
    running: Running
    file: InputFile
    now: datetime
    rejects_path: Path | None
    progress: Progress | None
    stopping: Callable[[], bool]

    def __post_init__(self) -> None:
        self.run = self.running.run
        self.options = options_of(self.run)

    def run_to_its_end(self) -> None:
        try:
            if self.run.applies:
                retried(self._apply, patience=RETRY_SECONDS)
            else:
                self._end(**self._end_of_preview(*retried(self._preview, patience=RETRY_SECONDS)))
        except _TakenOver:
            self.run.refresh_from_db()
        except BaseException as error:
            self._end_with_error(error)

    def _import(self) -> ImportResult:
        kind = KINDS[self.run.kind]
        request = ImportRequest(
            now=self.now,
            file_name=self.run.file_name,
            actor=self.run.actor,
            reason=self.run.reason,
            options=self.options,
            rejects=self.running.rejects,
            expected=(self.run.fingerprint or None) if self.run.applies else None,
            step=self._at,
            before_commit=self._before_commit,
        )
        request.rejects.replace_all(())
        self._at(READING)
        with self.file.rows(kind.columns, self._read) as rows:
            return import_file(kind.importer, rows, request)

    def _apply(self) -> None:
        imported = self._import()
        state = State.APPLIED if imported.changes_anything else State.UNCHANGED
        self._record(state=state, change_id=imported.change, **self._outcome(imported))

    def _preview(self) -> tuple[ImportResult, Consequences]:
        done: list[ImportResult] = []

        def verb() -> int | None:
            done.append(self._import())
            return done[-1].change

        found = preview(verb, limits=PREVIEW_LIMITS)
        return done[-1], found

    def _end_of_preview(self, imported: ImportResult, found: Consequences) -> dict[str, Any]:
        state = State.DRY
        if self.run.uploaded:
            state = State.PREVIEWED if imported.changes_anything else State.UNCHANGED
        outcome = self._outcome(imported)
        outcome["summary"]["consequences"] = to_json(found)
        return {"state": state, "fingerprint": imported.fingerprint or found.fingerprint, **outcome}

    def _outcome(self, imported: ImportResult) -> dict[str, Any]:
        return {
            "lines": imported.lines,
            "summary": {
                "counts": [[words, count] for words, count in imported.counts.items()],
                "warnings": list(imported.warnings),
                "told": list(imported.sentences),
            },
        }

    def _before_commit(self) -> None:
        """Store the rejects, in the transaction that is committed or rolled back next."""
        self._keep_rejects_file()
        if self.run.applies:
            self._keep_files()

    def _keep_rejects_file(self) -> None:
        """Write the rejects to their file. Raises RejectsUnwritable only if bad lines are skipped."""
        self.running.rejects_trouble = ""
        if self.rejects_path is None:
            return
        if not self.running.rejects:
            rejects_file.remove_stale(self.rejects_path)
            return
        try:
            rejects_file.write(self.running.rejects, self.rejects_path)
        except RejectsUnwritable as error:
            self.running.rejects_trouble = str(error)
            if self.options.skip_bad_lines:
                raise

    def _keep_files(self) -> None:
        """Store the rejects with the row of the run."""
        if self.running.rejects:
            packed = BytesIO()
            with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as file:
                self.running.rejects.write_csv(file)  # type: ignore[arg-type]
            ImportFile.objects.update_or_create(run=self.run, defaults={"rejects": packed.getvalue()})
        elif self.run.uploaded:
            ImportFile.objects.filter(run=self.run).update(rejects=None)

    def _record(self, **values: Any) -> None:
        """Record the result, in the caller's transaction. Raises _TakenOver."""
        values = {"step": "", "message": "", **values}
        if values["state"] != State.WAITING:
            rejects = self.running.rejects
            values = {"bad_lines": rejects.lines, "finished_at": Now(), **values}
            first = [[reject.line, reject.column, reject.rule, reject.value] for reject in rejects.first]
            values["summary"] = self._earlier_summary(values["state"]) | values.get("summary", {})
            values["summary"]["first_rejects"] = first
        if self.file.content_hash:
            values |= {"size": self.file.size, "content_hash": self.file.content_hash}
        rows = ImportRun.objects.filter(pk=self.run.pk, tries=self.run.tries, state__in=UNFINISHED)
        if not rows.update(**values):
            raise _TakenOver
        for name, value in values.items():
            if name != "finished_at":
                setattr(self.run, name, value)

    def _earlier_summary(self, state: str) -> dict[str, Any]:
        """Return the part of the preview's summary that the applied run keeps."""
        if not self.run.applies:
            return {}
        stays = ["previewed_at", "decided_at", *(["consequences"] if state == State.APPLIED else [])]
        return {name: self.run.summary[name] for name in stays if name in self.run.summary}

    def _end(self, **values: Any) -> None:
        """Record an end without any change. A run that waits again keeps its earlier summary and rejects."""
        with transaction.atomic():
            if values["state"] != State.WAITING:
                self._keep_files()
            self._record(**values)

    def _end_with_error(self, error: BaseException) -> None:
        """Record the error, unless it came after the commit. Raise it again if it is no Exception."""
        values = self._values_after(error)
        try:
            if isinstance(error, DatabaseError | InterfaceError) or not isinstance(error, Exception):
                self._read_committed_result()
            if self.run.state in UNFINISHED:
                self.running.shrunk = isinstance(error, Shrunk)
                if isinstance(error, ImportRefused | Shrunk):
                    with suppress(RejectsUnwritable):
                        self._keep_rejects_file()
                self._end(**values)
        except _TakenOver:
            self.run.refresh_from_db()
        except (DatabaseError, InterfaceError):
            logger.exception("The result of import %s could not be recorded.", self.run.pk)
            self.run.state, self.run.message = values["state"], values.get("message", "")
        if not isinstance(error, Exception) and self.run.state == State.INTERRUPTED:
            raise error

    def _read_committed_result(self) -> None:
        """Read the stored state of the run: a connection that is lost in a commit does not tell its result."""
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
        self.run.refresh_from_db()

    def _values_after(self, error: BaseException) -> dict[str, Any]:
        """Return the values of the run after `error`: its state, and the text for the operator."""
        nothing = "Nothing was imported."
        state, message, stopped = State.FAILED, f"{error}\n{nothing}", ""
        match error:
            case _ if self.run.uploaded and self.stopping():
                return {"state": State.WAITING, "tries": self.run.tries - 1, "finished_at": None}
            case ConsequencesChanged() if self.run.uploaded:
                return {"state": State.WAITING, "tries": 0, "finished_at": None, "applies": False}
            case ImportRefused():
                state, message = State.REFUSED, f"Nothing was imported: {error}."
            case Shrunk():
                state, stopped = State.REFUSED, SHRUNK
            case UnreadableFile():
                stopped = UNREADABLE
            case RejectsUnwritable() | Busy() | ConsequencesChanged():
                pass
            case OSError():
                message = f"{error.strerror or error}.\n{nothing}"
            case Exception() if lost_race(error):
                message = f"Others changed the same facts at each try.\n{nothing}"
            case Exception() if server_trouble(error):
                message = f"{import_report.database_error(error)}\n{nothing}"
            case Exception():
                logger.exception("Import %s failed.", self.run.pk, exc_info=error)
                message = f"It failed unexpectedly, and the log says more: {error!r}.\n{nothing}"
            case _:
                state, message = State.INTERRUPTED, f"It was interrupted. {nothing}"
        return {"state": state, "message": message, "summary": {"stopped": stopped} if stopped else {}}

    def _at(self, phase: str) -> None:
        self.running.lock.report(phase)
        if self.progress:
            self.progress.phase(phase)

    def _read(self, count: int, total: int | None) -> None:
        self.running.lock.report(READING, f"{count / total:.0%}" if total else f"{count:,} bytes")
        if self.progress:
            self.progress.read(count, total)
