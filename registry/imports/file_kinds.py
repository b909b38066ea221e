"""The kinds of files that can be imported.

An upper app registers its own kind in its `apps.py`.
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
        supports_full: Whether a file can be everything there is of its kind.
    """

    columns: tuple[str, ...]
    importer: Callable[[ImportRequest], Importer]
    supports_full: bool = True


KINDS: dict[str, Kind] = {
    ImportRun.Kind.PARTICIPANTS: Kind(PARTICIPANT_COLUMNS, ParticipantImporter),
    ImportRun.Kind.CONGESTION_POINTS: Kind(CONGESTION_POINT_COLUMNS, CongestionPointImporter),
    ImportRun.Kind.CONNECTIONS: Kind(CONNECTION_COLUMNS, ConnectionImporter),
}
"""The kinds, by the values of ImportRun.Kind."""


def _register_header(name: ImportRun.Kind, kind: Kind) -> None:
    command = f"import_{name.value.replace(' ', '_')}"
    advice = f"import it by manage.py {command}, or upload it as {name.label}."
    csv_reader.register_header(kind.columns, name.label.lower(), advice)


for _name, _kind in KINDS.items():
    _register_header(ImportRun.Kind(_name), _kind)


def register(name: ImportRun.Kind, kind: Kind) -> None:
    """Add a kind of file."""
    KINDS[name] = kind
    _register_header(name, kind)
