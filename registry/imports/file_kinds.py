"""The kinds of files that are imported: their columns, and the verb for each.

An app that has one of its own adds it in its `apps.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from common.csv import reader as csv_reader
from common.csv.importing import Imported, Options, Step
from common.csv.reader import Fault, Row
from common.csv.rejects import Rejects
from participants.imports.load import PARTICIPANT_COLUMNS, import_participants
from registry.changes import Source
from registry.imports.load import (
    CONGESTION_POINT_COLUMNS,
    CONNECTION_COLUMNS,
    import_congestion_points,
    import_connections,
)
from registry.market.market import market, today_at
from registry.models.imports import ImportRun


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


def _participants(rows: Iterable[Row | Fault], *, now: datetime, source: Source, **rest: Any) -> Imported:
    return import_participants(rows, now=now, actor=source.actor, reason=source.reason, **rest)


def _congestion_points(rows: Iterable[Row | Fault], *, now: datetime, **rest: Any) -> Imported:
    return import_congestion_points(rows, today=today_at(now, market().time_zone), **rest)


def _connections(rows: Iterable[Row | Fault], *, now: datetime, **rest: Any) -> Imported:
    return import_connections(rows, today=today_at(now, market().time_zone), **rest)


KINDS: dict[str, Kind] = {
    ImportRun.Kind.PARTICIPANTS: Kind(tuple(PARTICIPANT_COLUMNS), _participants),
    ImportRun.Kind.CONGESTION_POINTS: Kind(tuple(CONGESTION_POINT_COLUMNS), _congestion_points),
    ImportRun.Kind.CONNECTIONS: Kind(tuple(CONNECTION_COLUMNS), _connections),
}
"""By the values of ImportRun.Kind."""

for _name, _kind in KINDS.items():
    csv_reader.know(_kind.columns, ImportRun.Kind(_name).label.lower())


def register(name: ImportRun.Kind, kind: Kind) -> None:
    """Have files of this kind imported so."""
    KINDS[name] = kind
    csv_reader.know(kind.columns, name.label.lower())
