"""Import a CSV file: the steps that every kind of file goes through, their options and their result.

docs/operating.md, CSV files, has the rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from itertools import islice
from typing import ClassVar, Protocol

from django.db import transaction

from common.csv.reader import Fault, Row
from common.csv.rejects import RejectRow, Rejects
from common.previews import ConsequencesChanged

MAX_ENDED_SHARE = 0.2
"""The share of the existing rows that a full file may end without `--allow-shrink`."""

MAX_SENTENCES = 50
"""How many changes are named one by one."""

NOTHING_ENDED = "Lines are bad, so nothing that the file does not name was ended."

Step = Callable[[str], None]
"""Called when the import begins a step: `reading`, `checking`, `comparing`, `writing`."""


def no_report(step: str) -> None:
    """Report nothing: a Step for callers without a progress display."""


def do_nothing() -> None:
    """Do nothing before the commit."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to import a file.

    Attributes:
        full: The file holds everything; what it does not name ends (docs/rules.md I3).
        allow_shrink: Let a full file end more than MAX_ENDED_SHARE of the existing rows.
        skip_bad_lines: Leave bad lines out and import the good ones.
    """

    full: bool = False
    allow_shrink: bool = False
    skip_bad_lines: bool = False


@dataclass(slots=True, kw_only=True)
class ImportRequest:
    """The import of one file: how, when, for whom, and whom to report to.

    Attributes:
        now: The moment of the import, aware.
        file_name: For the audit trail and the change.
        actor: Who imports the file.
        reason: Why; may be empty.
        options: How to import it.
        rejects: Filled with all that is wrong with the file.
        expected: The fingerprint of the consequences that were previewed; None if there was no preview.
        step: Called when a step begins.
        before_commit: Called when everything is written and all rejects are known. Only `Importer.finish` follows.
    """

    now: datetime
    file_name: str
    actor: str
    reason: str = ""
    options: Options = field(default_factory=Options)
    rejects: Rejects = field(default_factory=Rejects)
    expected: str | None = None
    step: Step = no_report
    before_commit: Callable[[], None] = do_nothing

    def __post_init__(self) -> None:
        self.file_name, self.reason = " ".join(self.file_name.splitlines()), self.reason.strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an import will change.

    Attributes:
        counts: How many rows are new, changed and so on, by label, in the order to display.
        warnings: Sentences.
        sentences: The changes in words, one by one. Only where `registry.previews.effects` does not report them.
        fingerprint: Of all changes. None if it can be computed only after writing: `Importer.write` checks it.
    """

    counts: Mapping[str, int]
    warnings: Iterable[str] = ()
    sentences: Iterable[str] = ()
    fingerprint: str | None = None


class Importer(Protocol):
    """The steps for one kind of file. `import_file` calls each once, in this order, in one transaction.

    Attributes:
        changed: How `ConsequencesChanged` begins: "The registry has".
        can_skip: Whether the bad lines can be left out, if the options say so.
    """

    changed: ClassVar[str]
    can_skip: bool

    def read(self, rows: Iterable[Row | Fault]) -> int:
        """Read the file, and return how many lines it has."""

    def check(self) -> None:
        """Check the lines by themselves."""

    def compare(self) -> Iterable[RejectRow]:
        """Compare the good lines with the stored rows, and return all that is wrong, in the order of the lines."""

    def plan(self) -> Plan:
        """Return what changes. Raises Shrunk."""

    def write(self) -> int | None:
        """Write the changes with their audit entries, and return the number of the registry's change, if any."""

    def finish(self) -> None:
        """Do what must be last in the transaction."""


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import changed, or would change.

    Attributes:
        change: The number of the registry's change; None if there is none.
        lines: How many lines with values were read.
        counts: See Plan.
        warnings: Sentences.
        sentences: The first changes, in words; empty if nothing changes, or if `registry.previews.effects` reports
            the changes.
        fingerprint: See Plan; empty instead of None.
    """

    change: int | None
    lines: int
    counts: Mapping[str, int]
    warnings: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()
    fingerprint: str = ""

    @property
    def changes_anything(self) -> bool:
        """Return whether anything changes."""
        return self.change is not None or bool(self.sentences)


class ImportRefused(ValueError):
    """Some lines are bad and nothing was imported. `rejects` holds the lines and the reasons."""

    def __init__(self, rejects: Rejects) -> None:
        self.rejects = rejects
        super().__init__(
            f"{rejects.count:,} {'fault' if rejects.count == 1 else 'faults'} on"
            f" {rejects.lines:,} {'line' if rejects.lines == 1 else 'lines'}"
        )


class Shrunk(ValueError):
    """A full file would end more than MAX_ENDED_SHARE of the existing rows. The message is for the operator."""

    def __init__(self, ended: int, total: int, name: str, verb: str = "end") -> None:
        super().__init__(
            f"The file would {verb} {ended:,} of the {total:,} {name} that there are ({100 * ended / total:.0f} %),"
            f" more than {100 * MAX_ENDED_SHARE:.0f} %: is all of it there? --allow-shrink --dry-run shows what it"
            f" would {verb}, and --allow-shrink imports it all the same."
        )


@transaction.atomic
def import_file(
    kind: Callable[[ImportRequest], Importer], rows: Iterable[Row | Fault], request: ImportRequest
) -> ImportResult:
    """Import the rows of a file: all of them or, without the bad lines, the rest.

    Args:
        kind: Makes the importer.
        rows: Read with the columns of this kind of file.
        request: What is wanted.

    Raises:
        ImportRefused: Lines are bad, and they are not to be skipped or cannot be.
        Shrunk: A full file would end too much.
        ConsequencesChanged: The changes are not the expected ones.
    """
    importer, rejects = kind(request), request.rejects
    request.step("reading")
    lines = importer.read(rows)
    request.step("checking")
    importer.check()
    request.step("comparing")
    rejects.replace_all(importer.compare())
    if rejects and not (request.options.skip_bad_lines and importer.can_skip):
        raise ImportRefused(rejects)
    plan = importer.plan()
    if plan.fingerprint is not None and request.expected not in (None, plan.fingerprint):
        raise ConsequencesChanged(importer.changed)
    request.step("writing")
    change = importer.write()
    request.before_commit()
    importer.finish()
    nothing_ended = [NOTHING_ENDED] if request.options.full and rejects else []
    return ImportResult(
        change,
        lines,
        plan.counts,
        (*plan.warnings, *nothing_ended),
        tuple(islice(plan.sentences, MAX_SENTENCES)),
        plan.fingerprint or "",
    )


def refuse_shrinking(options: Options, ended: int, total: int, name: str, verb: str = "end") -> None:
    """Check that a full file does not end too much.

    Args:
        options: The options of the import.
        ended: How many rows the file would end.
        total: How many rows there are.
        name: What the rows are called, in the plural.
        verb: What ending such a row is called.

    Raises:
        Shrunk: The file would end more than MAX_ENDED_SHARE, without `allow_shrink`.
    """
    if options.full and not options.allow_shrink and ended > MAX_ENDED_SHARE * total:
        raise Shrunk(ended, total, name, verb)


def fingerprint(text: str) -> str:
    """Return a short hash of `text`, which tells whether two imports change the same."""
    return sha256(text.encode()).hexdigest()[:32]
