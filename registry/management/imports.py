"""The base class of the commands that import a file: their options, their output and their exit status."""

from __future__ import annotations

import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError, InterfaceError

from common import clock, stdout
from common.commands import OperatorCommand
from common.csv.importing import MAX_ENDED_SHARE, Options
from common.csv.reader import STANDARD_INPUT, file_name
from participants import audit
from registry.imports import report as import_report
from registry.imports import runs
from registry.imports.execution import execute
from registry.imports.file_kinds import KINDS, Kind
from registry.imports.input_file import FileOnDisk
from registry.imports.runs import Running
from registry.management.progress import progress_for
from registry.models.imports import ImportRun

State = ImportRun.State

DONE, FAILED, WRONG_USE, BAD_LINES, SKIPPED, SHRUNK, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130

ENDED = (State.APPLIED, State.UNCHANGED, State.DRY)

EXIT_STATUS = (
    "Exit status: 0: applied, nothing to change, or a dry run without bad lines. 1: failed: the file cannot be read or"
    " changed while it was read, its header is not that of its kind, the rejects cannot be written, or the database is"
    " not available. 2: the command was called with wrong arguments. 3: lines are bad, and nothing was imported. 4: bad"
    " lines were skipped, and the good lines were imported (with --dry-run: would be imported). 5: stopped, because too"
    " much would end. 130: interrupted, and nothing was imported. 0 and 4 also if the summary could not be written."
)

_FILE_ENDINGS = re.compile(r"(\.csv)?(\.gz)?$", re.IGNORECASE)


def rejects_beside(path: str) -> Path:
    """Return the file for the rejects of an import without `--rejects`.

    It is beside the imported file. For standard input it is in the working directory.

    Args:
        path: The imported file, or STANDARD_INPUT.
    """
    if path == STANDARD_INPUT:
        return Path("standard-input.rejects.csv")
    file = Path(path)
    return file.parent / f"{_FILE_ENDINGS.sub('', file.name, count=1) or file.name}.rejects.csv"


class ImportCommand(OperatorCommand):
    """A command that imports a file of the kind `import_kind`, which the subclass sets.

    Every run is recorded, also one that fails. Progress and rejects go to standard error, the summary to standard
    output.
    """

    import_kind: ImportRun.Kind

    @property
    def _kind(self) -> Kind:
        return KINDS[self.import_kind]

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        columns = f"Columns, in any order: {','.join(self._kind.columns)}. "
        return super().create_parser(prog_name, subcommand, epilog=columns + EXIT_STATUS, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file",
            metavar="FILE",
            help=f"CSV in UTF-8, plain or compressed by gzip; {STANDARD_INPUT}: standard input",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="print what would change, and change nothing"
        )
        if self._kind.supports_full:
            parser.add_argument(
                "--full",
                action="store_true",
                help="the file is everything of its kind: what it does not name ends",
            )
            parser.add_argument(
                "--allow-shrink",
                action="store_true",
                help=f"with --full: import even if more than {MAX_ENDED_SHARE * 100:.0f} %% of what is registered would"
                " end",
            )
        parser.add_argument(
            "--skip-bad-lines",
            action="store_true",
            help="import the good lines if some lines are bad; without it, nothing is imported then",
        )
        parser.add_argument(
            "--rejects",
            type=Path,
            metavar="FILE",
            help="write what is wrong with each bad line to this file, as CSV with the columns"
            " line,column,rule,value; by default beside the input, as NAME.rejects.csv",
        )
        parser.add_argument("--reason", default="", metavar="TEXT", help="why, recorded with what it changes")

    def handle(self, *args: Any, **options: Any) -> None:
        path, rejects_path = options["file"], options["rejects"] or rejects_beside(options["file"])
        chosen = Options(
            full=options.get("full", False),
            allow_shrink=options.get("allow_shrink", False),
            skip_bad_lines=options["skip_bad_lines"],
        )
        if chosen.allow_shrink and not chosen.full:
            raise CommandError("--allow-shrink is for --full only.", returncode=WRONG_USE)
        if path != STANDARD_INPUT and _are_same_file(Path(path), rejects_path):
            raise CommandError("--rejects names the file that is imported.", returncode=WRONG_USE)
        running = None
        try:
            with _interruptible():
                runs.mark_interrupted()
                running = runs.start(
                    self.import_kind,
                    file_name=file_name(path),
                    options=chosen,
                    actor=audit.command_actor(),
                    reason=options["reason"],
                    applies=not options["dry_run"],
                )
                self._execute(running, path, rejects_path)
        except (DatabaseError, InterfaceError, psycopg.Error) as error:
            raise CommandError(
                f"{import_report.database_error(error)} Nothing was imported.", returncode=FAILED
            ) from None
        except KeyboardInterrupt:
            if running is None or not _is_finished(running):
                text = "Interrupted: nothing was imported." + (
                    f"\nImport: {running.run.pk}" if running else ""
                )
                raise CommandError(text, returncode=INTERRUPTED) from None
        self._report(running, str(rejects_path))

    def _execute(self, running: Running, path: str, rejects_path: Path) -> None:
        progress = progress_for(self.stderr)
        try:
            file = FileOnDisk(path, progress.lines)
            execute(running, file, now=clock.now(), rejects_path=rejects_path, progress=progress)
        finally:
            progress.close()

    def _report(self, running: Running, rejects_file: str) -> None:
        """Print the result of the run.

        Raises:
            CommandError: Nothing was imported; it has the exit status.
            SystemExit: The good lines were imported and bad lines were skipped.
        """
        run, status = running.run, _exit_status(running)
        if status in (DONE, SKIPPED):
            self._summarize(running, rejects_file)
        if status == DONE:
            return
        for line in import_report.rejects(running):
            self._print(line)
        if status == SKIPPED:
            self._print(
                f"Bad lines that {'would be' if not run.applies else 'were'} skipped: {run.bad_lines:,}."
            )
            sys.exit(status)
        lines = [run.message, *import_report.locations(running, rejects_file)]
        raise CommandError("\n".join(map(_printable, lines)), returncode=status)

    def _summarize(self, running: Running, rejects_file: str) -> None:
        """Print the summary; if that fails, print on standard error that the run is finished."""
        try:
            for line in import_report.summary(running, rejects_file):
                self.stdout.write(_printable(line))
            self.stdout.flush()
        except (OSError, KeyboardInterrupt) as trouble:
            stdout.discard()
            self._print(
                import_report.no_summary(running, getattr(trouble, "strerror", None) or "Interrupted")
            )

    def _print(self, line: str) -> None:
        """Print a line on standard error, without the style of an error; ignore that it cannot be written."""
        with suppress(OSError):
            self.stderr.write(_printable(line), lambda text: text)


def _printable(text: str) -> str:
    """Escape what is not printable in a text that may quote a file, so that it cannot control a terminal."""
    return "".join(
        each if each.isprintable() or each == "\n" else each.encode("unicode_escape").decode()
        for each in text
    )


def _are_same_file(path: Path, other: Path) -> bool:
    return path.exists() and other.exists() and other.samefile(path)


def _is_finished(running: Running) -> bool:
    """Return whether the run was finished when it was interrupted."""
    running.run.refresh_from_db()
    return running.run.state in ENDED


def _exit_status(running: Running) -> int:
    run = running.run
    if run.state in ENDED:
        return SKIPPED if run.bad_lines else DONE
    if run.state == State.REFUSED:
        return SHRUNK if running.shrunk else BAD_LINES
    return FAILED


@contextmanager
def _interruptible() -> Iterator[None]:
    """Treat SIGTERM and SIGHUP like Ctrl-C in the block, so that the run is recorded as interrupted."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.default_int_handler) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
