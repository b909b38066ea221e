"""What all imports have in common: their options and their result (docs/operating.md, CSV files)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from common.csv.rejects import Rejects

MOST_ENDED = 0.2
"""The share of the existing rows that a full file may end without `--allow-shrink`."""

Step = Callable[[str], None]
"""Called when the import begins a step: `checking`, `comparing`, `writing`."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to import a file.

    Attributes:
        full: The file holds everything; what it does not name ends (docs/rules.md I3).
        allow_shrink: Let a full file end more than MOST_ENDED of the existing rows.
        skip_bad_lines: Leave bad lines out and import the good ones.
    """

    full: bool = False
    allow_shrink: bool = False
    skip_bad_lines: bool = False


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import changed, or would change.

    Attributes:
        change: The number of the registry's change; None if there is none.
        lines: How many lines with values were read.
        counts: How many rows are new, changed and so on, by label, in the order to display.
        warnings: Sentences.
        told: The first changes, in words; empty if and only if nothing changes. Only where
            `registry.previews.effects` does not report the changes.
        fingerprint: Of all changes. Only where `registry.previews.effects` does not report them.
    """

    change: int | None
    lines: int
    counts: Mapping[str, int]
    warnings: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    fingerprint: str = ""

    @property
    def changes_anything(self) -> bool:
        return self.change is not None or bool(self.told)


class ImportRefused(ValueError):
    """Some lines are bad and nothing was imported. `rejects` holds the lines and the reasons."""

    def __init__(self, rejects: Rejects) -> None:
        self.rejects = rejects
        super().__init__(
            f"{rejects.count:,} {'fault' if rejects.count == 1 else 'faults'} on"
            f" {rejects.lines:,} {'line' if rejects.lines == 1 else 'lines'}"
        )


class Shrunk(ValueError):
    """A full file would end more than MOST_ENDED of the existing rows. The message is for the operator."""

    def __init__(self, ended: int, there: int, what: str, verb: str = "end") -> None:
        super().__init__(
            f"The file would {verb} {ended:,} of the {there:,} {what} that there are ({100 * ended / there:.0f} %),"
            f" more than {100 * MOST_ENDED:.0f} %: is all of it there? --allow-shrink --dry-run shows what it would"
            f" {verb}, and --allow-shrink takes it all the same."
        )


def guard(options: Options, ended: int, there: int, what: str, verb: str = "end") -> None:
    """Check that a full file does not end too much.

    Args:
        options: The options of the import.
        ended: How many rows the file would end.
        there: How many rows there are.
        what: What the rows are called, in the plural.
        verb: What ending such a row is called.

    Raises:
        Shrunk: The file would end more than MOST_ENDED, without `allow_shrink`.
    """
    if options.full and not options.allow_shrink and ended > MOST_ENDED * there:
        raise Shrunk(ended, there, what, verb)


def quiet(step: str) -> None:
    """Report nothing: a Step for callers without a progress display."""
