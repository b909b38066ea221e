"""`manage.py import_contracts F`: the contracts between DSOs and AGRs, from a CSV file."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from participants import journal
from participants.csv_files import STANDARD_INPUT, UnreadableFile, name_of, opened, rows
from participants.retrying import retried
from registry.changes import Source
from reservations.contract_lines import COLUMNS
from reservations.contract_versions import Comparison
from reservations.importing import Imported, ImportRefused, import_contracts
from reservations.profiles import WEEKDAYS

FAULTS_SHOWN = 20
STRETCHES_SHOWN = 4


class Command(BaseCommand):
    help = (
        "Record the contracts of a CSV file, all or none. The same file again changes nothing; contracts that it does"
        f" not name stay. Its columns: {', '.join(COLUMNS)}"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file", metavar="FILE", help=f"CSV, plain or .gz; {STANDARD_INPUT}: standard input"
        )
        parser.add_argument(
            "--reason", default="", metavar="TEXT", help="why, recorded with what is new and what is changed"
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="print what would change, and change nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path, dry_run = options["file"], options["dry_run"]
        source = Source.of_import(name_of(path), journal.command_line(), options["reason"])
        try:
            with opened(path) as file:
                read = list(rows(file, COLUMNS))
            imported = retried(lambda: import_contracts(read, source=source, dry_run=dry_run))
        except UnreadableFile as error:
            raise CommandError(f"{error}\nNothing was imported.") from None
        except ImportRefused as refused:
            raise CommandError(_refusal(refused)) from None
        if dry_run:
            self._print_changes(imported)
        would_be = "would be " if dry_run else ""
        self.stdout.write(
            f"Contracts: {len(imported.new):,} {would_be}new, {len(imported.changed):,} {would_be}changed,"
            f" {imported.unchanged:,} unchanged."
        )
        if imported.change is not None:
            self.stdout.write(f"Recorded as change {imported.change}.")

    def _print_changes(self, imported: Imported) -> None:
        for each in imported.new:
            self.stdout.write(f"new: {_named(each)}: {each.after['state']}, {each.after['days']}")
        for each in imported.changed:
            self.stdout.write(f"changed: {_named(each)}: {_differences(each)}")


def _named(comparison: Comparison) -> str:
    wanted = comparison.wanted
    return f"{wanted.contract_id} of {wanted.dso.domain} with {wanted.agr.domain}"


def _differences(comparison: Comparison) -> str:
    """What differs, before and after; of a profile the stretches that differ, the first few of many."""
    return "; ".join(_difference(name, *said) for name, said in comparison.differences().items())


def _difference(name: str, was: str | None, becomes: str | None) -> str:
    before, after = (said.split(", ") if said else [] for said in (was, becomes))
    same = {each for each in before if each in after}
    sides = (
        _shown([each for each in said if each not in same], name, bool(said)) for said in (before, after)
    )
    return f"{name}: {' → '.join(sides)}{', the rest as it is' if same else ''}"


def _shown(stretches: list[str], name: str, is_there: bool) -> str:
    """Some of the stretches of the part `name` of a profile, or what there is instead."""
    if stretches and stretches != ["nothing"]:
        more = f" and {len(stretches) - STRETCHES_SHOWN:,} more" if len(stretches) > STRETCHES_SHOWN else ""
        return ", ".join(stretches[:STRETCHES_SHOWN]) + more
    if is_there:
        return "nothing reserved"
    return "as every day" if name in WEEKDAYS else "as its day of the week"


def _refusal(refused: ImportRefused) -> str:
    shown = [str(fault) for fault in refused.faults[:FAULTS_SHOWN]]
    if more := len(refused.faults) - len(shown):
        shown.append(f"and {more:,} more.")
    count, lines = len(refused.faults), refused.lines
    shown.append(
        f"Nothing was imported: {count:,} {'fault' if count == 1 else 'faults'} on"
        f" {lines:,} {'line' if lines == 1 else 'lines'}."
    )
    return "\n".join(shown)
