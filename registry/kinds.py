"""The kinds of files that are imported: their columns, and the verb for each.

An app that has one of its own adds it in its `apps.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from participants.csv_files import Fault, Row
from participants.importing import Imported, Options, Step
from participants.rejects import Rejects
from registry.changes import Source
from registry.import_run import ImportRun


class Verb(Protocol):
    """Imports rows in the caller's transaction.

    Raises ImportRefused, Shrunk and, where what would follow is not what `expected` is the fingerprint of,
    ConsequencesChanged. `before_commit` is called when everything is written, and all rejects are known.
    """

    def __call__(
        self,
        rows: Iterable[Row | Fault],
        *,
        options: Options,
        now: datetime,
        source: Source,
        rejects: Rejects,
        step: Step,
        before_commit: Callable[[], None],
        expected: str | None,
    ) -> Imported: ...


@dataclass(frozen=True, slots=True)
class Kind:
    """`takes_full`: whether a file can be everything there is of its kind."""

    columns: tuple[str, ...]
    run: Verb
    takes_full: bool = True


KINDS: dict[str, Kind] = {}
"""By the values of ImportRun.Kind."""


def register(name: ImportRun.Kind, kind: Kind) -> None:
    """Have files of this kind imported so."""
    KINDS[name] = kind
