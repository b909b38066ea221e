"""The kinds of files that are imported: their columns, and the importer of each.

An app that has one of its own adds it in its `apps.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from common.csv import reader as csv_reader
from common.csv.importing import Importer, ImportRequest
from participants.imports.load import PARTICIPANT_COLUMNS, ParticipantImporter
from registry.imports.load import (
    CONGESTION_POINT_COLUMNS,
    CONNECTION_COLUMNS,
    CongestionPointImporter,
    ConnectionImporter,
)
from registry.models.imports import ImportRun


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of file.

    Attributes:
        columns: The header.
        importer: Makes the importer, inside the import's transaction.
        takes_full: Whether a file can be everything there is of its kind.
    """

    columns: tuple[str, ...]
    importer: Callable[[ImportRequest], Importer]
    takes_full: bool = True


KINDS: dict[str, Kind] = {
    ImportRun.Kind.PARTICIPANTS: Kind(PARTICIPANT_COLUMNS, ParticipantImporter),
    ImportRun.Kind.CONGESTION_POINTS: Kind(CONGESTION_POINT_COLUMNS, CongestionPointImporter),
    ImportRun.Kind.CONNECTIONS: Kind(CONNECTION_COLUMNS, ConnectionImporter),
}
"""By the values of ImportRun.Kind."""

for _name, _kind in KINDS.items():
    csv_reader.know(_kind.columns, ImportRun.Kind(_name).label.lower())


def register(name: ImportRun.Kind, kind: Kind) -> None:
    """Have files of this kind imported so."""
    KINDS[name] = kind
    csv_reader.know(kind.columns, name.label.lower())
