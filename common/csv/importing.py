"""What all imports of files have in common: what is asked for, and what came of it (docs/operating.md, CSV files)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from common.csv.rejects import Rejects

MOST_ENDED = 0.2
"""The share of what is there that a full file may end without being asked twice."""

Step = Callable[[str], None]
"""Told what the import is at: `checking`, `comparing`, `writing`."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a file is taken.

    `full`: it is everything there is, and what it does not name ends (docs/rules.md I3); `allow_shrink`: however much
    that is.
    `skip_bad_lines`: bad lines are left out, and the good ones taken.
    """

    full: bool = False
    allow_shrink: bool = False
    skip_bad_lines: bool = False


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file changed, or would.

    `change` is the number of the change of the registry, None where there is none; `lines` how many lines with values
    were read. `counts` says how much of what is new, changed and so on, each under the words for it, in the order to
    be shown. `warnings` are sentences. `told` says in words what changes, the first of it, and nothing exactly where
    nothing does; `fingerprint` is of all that changes: both where `registry.previews.effects` cannot tell it.
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
    """Lines are bad, and nothing was taken: `rejects` says which, and why."""

    def __init__(self, rejects: Rejects) -> None:
        self.rejects = rejects
        super().__init__(
            f"{rejects.count:,} {'fault' if rejects.count == 1 else 'faults'} on"
            f" {rejects.lines:,} {'line' if rejects.lines == 1 else 'lines'}"
        )


class Shrunk(ValueError):
    """A full file would end more than MOST_ENDED of what is there; the words are for the operator."""

    def __init__(self, ended: int, there: int, what: str, verb: str = "end") -> None:
        super().__init__(
            f"The file would {verb} {ended:,} of the {there:,} {what} that there are ({100 * ended / there:.0f} %),"
            f" more than {100 * MOST_ENDED:.0f} %: is all of it there? --allow-shrink --dry-run shows what it would"
            f" {verb}, and --allow-shrink takes it all the same."
        )


def guard(options: Options, ended: int, there: int, what: str, verb: str = "end") -> None:
    """Raise Shrunk where a full file would end too much: `ended` of `there` things, called `what`.

    `verb` is what ending is called of such things.
    """
    if options.full and not options.allow_shrink and ended > MOST_ENDED * there:
        raise Shrunk(ended, there, what, verb)


def quiet(step: str) -> None:
    """Tells nobody what an import is at."""
